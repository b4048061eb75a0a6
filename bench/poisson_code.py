"""Turning a batch of images into Poisson spikes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from snncore.coding import poisson

from .report import Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "Poisson spikes from images"

SHAPES = {"full": (32, 3, 32, 32), "small": (2, 1, 4, 4)}

STEPS = {"full": 25, "small": 3}


def _snncore(steps: int) -> Callable[[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda images: poisson(images, steps, generator=generator)


def _spikingjelly(steps: int) -> Callable[[Tensor], Tensor]:
    encoder = importlib.import_module("spikingjelly.activation_based.encoding").PoissonEncoder(step_mode="m")
    return lambda images: encoder(images.expand(steps, *images.shape))


def _snntorch(steps: int) -> Callable[[Tensor], Tensor]:
    rate = importlib.import_module("snntorch.spikegen").rate
    return lambda images: rate(images, num_steps=steps)


def _norse(steps: int) -> Callable[[Tensor], Tensor]:
    encode = importlib.import_module("norse.torch.functional.encode").poisson_encode
    return lambda images: encode(images, steps, f_max=1, dt=1)


CODERS: dict[str, Callable[[int], Callable[[Tensor], Tensor]]] = {
    "snncore": _snncore,
    "spikingjelly": _spikingjelly,
    "snntorch": _snntorch,
    "norse": _norse,
}


def run(options: Options) -> Topic:
    """Time every library's coder; check that the spikes come at the rate of the pixels."""
    shape, steps = SHAPES[options.size], STEPS[options.size]
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    names = [name for name in CODERS if name == "snncore" or name in options.peers]
    coders = {name: CODERS[name](steps) for name in names}
    timings = interleaved(
        {name: partial(coder, images) for name, coder in coders.items()},
        repeats=options.repeats,
        clock=options.clock,
    )
    ratios = [Ratio.between(f"{name} / snncore", timings[name], timings["snncore"]) for name in names[1:]]
    return Topic(
        {"images": list(shape), "steps": steps},
        tuple(timings.values()),
        ratios=tuple(ratios),
        checks=tuple(_rates(name, coders[name](images), images) for name in names),
    )


def _rates(name: str, spikes: Tensor, images: Tensor) -> Check:
    """Mean and binary values, within five standard deviations of a sum of Bernoulli trials."""
    binary = bool(((spikes == 0) | (spikes == 1)).all())
    deviation = float((images * (1 - images)).mean() / spikes.numel()) ** 0.5
    distance = abs(float(spikes.float().mean()) - float(images.mean()))
    return Check(
        f"rate of {name}'s spikes",
        f"mean off by {distance:.1g} of {images.mean():.3f}",
        binary and distance <= 5 * deviation,
    )
