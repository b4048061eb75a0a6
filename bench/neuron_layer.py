"""One layer of neurons over all time steps, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .contenders import INPUT_SCALE, LAYERS, ORDERS, Scan, layer
from .report import Aim, Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "One layer of LIF neurons, forward and backward"

SHAPES = {"full": (25, 32, 64, 16, 16), "small": (5, 2, 4, 4, 4)}

AIM = Aim("at least", 15.0)

OVER_COPY = Aim("at most", 2.5)


def run(options: Options) -> Topic:
    """Time the layers of all libraries on the same currents; check that they give the same spikes.

    For comparison, also time a copy of the tensors that any layer must read and write: currents, potentials and spikes, and
    their gradients.
    """
    shape = SHAPES[options.size]
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(shape, generator=generator) * 0.5 + 0.1
    weights = torch.randn(shape, generator=generator)
    names = [name for name in LAYERS if name == "snncore" or name in options.peers]
    timed = {name: _pass(layer(name), current / INPUT_SCALE.get(name, 1.0), weights) for name in names}
    timed["copy"] = _copies(current)
    timings = interleaved(timed, repeats=options.repeats, clock=options.clock)
    aims = {"spikingjelly": options.judged(AIM)}
    ratios = [
        Ratio.between(f"{name} / snncore", timings[name], timings["snncore"], aims.get(name))
        for name in names[1:]
    ]
    ratios.append(
        Ratio.between("snncore / copy", timings["snncore"], timings["copy"], options.judged(OVER_COPY))
    )
    checks = [check for name in names[1:] for check in _agreement(name, current, weights)]
    return Topic({"shape": list(shape)}, tuple(timings.values()), ratios=tuple(ratios), checks=tuple(checks))


def _pass(scan: Scan, current: Tensor, weights: Tensor) -> Callable[[], None]:
    """Forward, and backward from the given gradient of the spikes."""
    leaf = current.clone().requires_grad_()

    def step() -> None:
        leaf.grad = None
        scan(leaf).backward(weights)

    return step


def _copies(current: Tensor) -> Callable[[], None]:
    """Six tensors as large as the current, three read and three written: I, U, S, dL/dS, U again, dL/dI."""
    pairs = [(torch.empty_like(current), current.clone()) for _ in range(3)]

    def step() -> None:
        for to, source in pairs:
            to.copy_(source)

    return step


def _agreement(name: str, current: Tensor, weights: Tensor) -> list[Check]:
    """A peer and snncore in the peer's order of leak and reset: the same spikes and the same gradients?

    A potential within rounding of the threshold may be on either side of it; such spikes are counted. Gradients
    are compared for neurons whose spikes agree at all steps.
    """
    scale = INPUT_SCALE.get(name, 1.0)
    found = []
    for scan, factor in ((layer(name), scale), (layer("snncore", order=ORDERS[name]), 1.0)):
        leaf = (current / factor).requires_grad_()
        spikes = scan(leaf)
        spikes.backward(weights)
        assert leaf.grad is not None
        found.append((spikes.detach(), leaf.grad / factor))
    (spikes, gradient), (mine, my_gradient) = found
    differing = int((spikes != mine).sum())
    same = (spikes == mine).all(0)
    distance = float((gradient - my_gradient)[:, same].abs().max())
    return [
        Check(
            f"spikes equal {name}'s",
            f"{differing} of {mine.numel()} differ, {int(mine.sum())} fire",
            differing <= 1e-6 * mine.numel(),
        ),
        Check(f"gradients equal {name}'s", f"largest difference {distance:.1g}", distance < 1e-4),
    ]
