"""A hybrid's training step compared with its two blocks: the ReLU block must cost one ANN pass for any T."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from snncore.network import Network, NetworkConfig

from .report import Aim, Check, Options, Ratio, Timing, Topic
from .timing import interleaved

TITLE = "One training step of a hybrid and of its two blocks"

FRONT = {"full": "16C3:relu 16C3:relu P", "small": "2C3:relu 2C3:relu P"}

BACK = {"full": "32C3 32C3 P F128 F10", "small": "3C3 3C3 P F4 F3"}

MAPS = {"full": 16, "small": 2}  # of the ReLU block's output

SIDE = {"full": 32, "small": 8}

BATCH = {"full": 32, "small": 2}

STEPS = {"full": (5, 25), "small": (2, 3)}

TOGETHER = Aim("at most", 1.05)  # 1, and a twentieth for noise

_MOVED = {
    "conv3": "conv1",
    "conv4": "conv2",
    "fc1": "fc1",
}  # layer of the hybrid -> the same in its spiking block


def run(options: Options) -> Topic:
    """Time forward and backward passes of the hybrid at two T, of its spiking block on X, and of its ReLU block alone."""
    size = options.size
    whole, block, images, labels = _networks(size)
    x = _front(whole, images).detach()
    parts: dict[str, Callable[[], object]] = {
        "ReLU block, once": lambda: _front(whole, images).sum().backward()
    }
    for steps in STEPS[size]:
        parts[f"hybrid T={steps}"] = partial(_step, whole, images, labels, steps)
        parts[f"spiking block T={steps}"] = partial(_on_values, block, x, labels, steps)
    timings = interleaved(parts, repeats=options.repeats, clock=options.clock)
    ratios = []
    for steps in STEPS[size]:
        both = _sum(timings["ReLU block, once"], timings[f"spiking block T={steps}"])
        name = f"hybrid T={steps} / its blocks, ReLU once"
        ratios.append(Ratio.between(name, timings[f"hybrid T={steps}"], both, options.judged(TOGETHER)))
    setting = {
        "topology": f"{FRONT[size]} {BACK[size]}",
        "batch": BATCH[size],
        "image": (3, SIDE[size], SIDE[size]),
    }
    return Topic(
        setting,
        tuple(timings.values()),
        ratios=tuple(ratios),
        checks=tuple(_agreement(whole, block, images, steps) for steps in STEPS[size]),
    )


def _networks(size: str) -> tuple[Network, Network, Tensor, Tensor]:
    """The hybrid, its spiking block with the same weights, images (N, 3, H, W) and labels."""
    draw, side = torch.Generator().manual_seed(0), SIDE[size]
    config = NetworkConfig(neuron="lif", gain=1.4)
    whole = Network(f"{FRONT[size]} {BACK[size]}", input_shape=(3, side, side), config=config, generator=draw)
    block = Network(
        BACK[size],
        input_shape=(MAPS[size], side // 2, side // 2),
        config=config,
        generator=draw,
        static_input=True,
    )
    with torch.no_grad():
        for ours, theirs in _MOVED.items():
            block.layers[theirs].load_state_dict(whole.layers[ours].state_dict())
    block.head.load_state_dict(whole.head.state_dict())
    images = torch.rand(BATCH[size], 3, side, side, generator=draw)
    return whole, block, images, torch.arange(BATCH[size]) % whole.head.classes


def _front(net: Network, images: Tensor) -> Tensor:
    """X, what the ReLU block of ``net`` gives: two convolutions and the pooling, in plain PyTorch."""
    for name in ("conv1", "conv2"):
        weight = net.layers[name].get_parameter("weight")
        images = F.relu(F.conv2d(images, weight, padding=1))
    return F.avg_pool2d(images, 2)


def _step(net: Network, x: Tensor, labels: Tensor, steps: int) -> None:
    net.zero_grad(set_to_none=True)
    net.head.loss(net.features(x, steps=steps), labels)[0].backward()


def _on_values(net: Network, x: Tensor, labels: Tensor, steps: int) -> None:
    """With the gradient of X, which the hybrid needs for its ReLU block."""
    _step(net, x.detach().requires_grad_(), labels, steps)


def _sum(one: Timing, other: Timing) -> Timing:
    """Both after each other, round by round."""
    seconds, wall = (
        tuple(a + b for a, b in zip(*pair, strict=True))
        for pair in ((one.seconds, other.seconds), (one.wall, other.wall))
    )
    return Timing(f"{one.contender} and {other.contender}", seconds, wall)


def _agreement(whole: Network, block: Network, images: Tensor, steps: int) -> Check:
    with torch.no_grad():
        one, two = whole.features(images, steps=steps), block.features(_front(whole, images), steps=steps)
    differing = int((one != two).sum())
    found = f"{differing} of {one.numel()} features differ"
    return Check(
        f"T={steps}: the spiking block on X gives what the hybrid gives",
        found,
        torch.allclose(one, two, atol=1.5 / steps) and differing <= 0.01 * one.numel(),
    )
