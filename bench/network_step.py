"""One training step of each network of Table 8, compared with its ANN on as many images as there are time steps.

The ANN has the same topology, including BackRes blocks and sums, with ReLU as neurons, and processes T x N images at once:
the cost of the convolutions alone. The aim is stated for the paper's widths. The narrow networks are those of the laptop
profile; with fewer maps there is less convolution work per neuron.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from panda2020 import networks
from snncore.energy import macs
from snncore.network import Network, NetworkConfig
from snncore.topology import as_ann, scale_width

from .report import Aim, Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "One training step of the networks of Table 8"

NAMES = {"full": ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4", "ResNet7"), "small": ("VGG3x2-v2",)}

WIDTHS = {"full": (1.0, 0.25), "small": (1 / 16,)}

BATCH = {1.0: 4, 0.25: 16, 1 / 16: 2}  # by width

STEPS = {"full": 25, "small": 3}

OVER_CONVOLUTIONS = Aim("at most", 1.1)


def run(options: Options) -> Topic:
    """Time forward and backward passes of both, network by network."""
    size, steps = options.size, STEPS[options.size]
    timings, ratios, checks = [], [], []
    for width in WIDTHS[size]:
        for name in NAMES[size]:
            parts, same = _pair(name, width, steps)
            label = f"{name} at width {width:g}"
            measured = interleaved(
                {f"{label}, {what}": part for what, part in parts.items()},
                repeats=options.repeats,
                clock=options.clock,
            )
            spiking, plain = measured.values()
            timings += [spiking, plain]
            aim = options.judged(OVER_CONVOLUTIONS)
            ratios.append(Ratio.between(f"{label}, spiking / conv-only", spiking, plain, aim))
            checks.append(Check(f"{label}: both have the same passes and multiply-accumulates", *same))
    setting = {
        "steps": steps,
        "batch": ", ".join(f"{BATCH[width]} at width {width:g}" for width in WIDTHS[size]),
        "image": networks.CIFAR10,
    }
    return Topic(setting, tuple(timings), ratios=tuple(ratios), checks=tuple(checks))


def _pair(name: str, width: float, steps: int) -> tuple[dict[str, Callable[[], None]], tuple[str, bool]]:
    """Steps of the spiking network and of its ANN, and whether the two networks differ only in their neurons."""
    topology = scale_width(networks.network(name).topology, width)
    draw, batch = torch.Generator().manual_seed(0), BATCH[width]
    spiking, plain = (
        Network(
            text,
            input_shape=networks.CIFAR10,
            config=NetworkConfig(neuron=neuron, gain=1.4),
            generator=draw,
            static_input=fixed,
        )
        for text, neuron, fixed in ((topology, "lif", False), (as_ann(topology), "relu", True))
    )
    plain.load_state_dict(spiking.state_dict(), strict=False)  # all but the neurons
    spikes = (torch.rand(steps, batch, *networks.CIFAR10, generator=draw) < 1 / 3).float()
    labels = torch.arange(batch) % spiking.head.classes
    work = [[(p.site, macs(p)) for p in net.plan] for net in (spiking, plain)]
    same = f"{sum(count for _, count in work[0]):,} per step and image", work[0] == work[1]
    return {
        "spiking": partial(_step, spiking, spikes, labels),
        "conv-only": partial(_step_of_ann, plain, spikes, labels),
    }, same


def _step(net: Network, spikes: Tensor, labels: Tensor) -> None:
    net.zero_grad(set_to_none=True)
    net.head.loss(net.features(spikes), labels)[0].backward()


def _step_of_ann(net: Network, spikes: Tensor, labels: Tensor) -> None:
    """Treat every time step of every image as a separate image, and average over time before the classifier."""
    net.zero_grad(set_to_none=True)
    found = net.features(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2]).mean(0)
    net.head.loss(found, labels)[0].backward()
