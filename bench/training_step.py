"""One training step of a spiking VGG, from input spikes to updated weights."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch
from torch.nn import functional as F

from panda2020.cost.benchmark import Spread

from .contenders import NETWORKS, ORDERS, Setting, layouts, network, training_step
from .report import Aim, Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "One training step of a spiking VGG"

SETTINGS = {
    "full": Setting(),
    "small": Setting(steps=3, batch=2, widths=(2, 3), features=4, image=(1, 8, 8), classes=3),
}

OVER_CONVOLUTIONS = Aim("at most", 1.3)

OVER_PEERS = Aim("at least", 2.0)


def run(options: Options) -> Topic:
    """Time a step of every library in either memory format; check that all compute the same function.

    The aims are judged on the faster of a contender's two formats.
    """
    setting = SETTINGS[options.size]
    names = [name for name in NETWORKS if name in ("snncore", "conv-only", *options.peers)]
    spikes, labels = setting.spikes()
    steps = {
        (name, layout): training_step(network(name, setting, layout=layout), spikes, labels)
        for name in names
        for layout in layouts(name)
    }
    measured = interleaved(steps, repeats=options.repeats, clock=options.clock)
    timings = {key: replace(timing, contender=key[0], layout=key[1]) for key, timing in measured.items()}
    ours = timings["snncore", "channels_last"]
    ratios = []
    for name in names[1:]:
        both = sorted(
            (timings[name, layout] for layout in layouts(name)), key=lambda one: Spread.of(one.seconds).median
        )
        for timing, judged in zip(both, (True, False), strict=True):
            label = f"{name} {timing.layout}"
            aim = options.judged(OVER_CONVOLUTIONS if name == "conv-only" else OVER_PEERS) if judged else None
            if name == "conv-only":
                ratios.append(Ratio.between(f"snncore / {label}", ours, timing, aim))
            else:
                ratios.append(Ratio.between(f"{label} / snncore", timing, ours, aim))
    given = asdict(setting) | {"topology": setting.topology}
    return Topic(
        {name: given[name] for name in ("topology", "steps", "batch", "image")},
        tuple(timings.values()),
        ratios=tuple(ratios),
        checks=tuple(_agreement(name, setting) for name in names[2:]),
    )


def _agreement(name: str, full: Setting) -> Check:
    """A peer's scores and gradients beside snncore's in the peer's order of leak and reset, on a few images.

    In float64, where no potential lies within rounding of the threshold; snnTorch turns spikes into float32.
    """
    setting = replace(full, steps=min(full.steps, 10), batch=min(full.batch, 2))
    dtype, tolerance = (torch.float32, 1e-3) if name == "snntorch" else (torch.float64, 1e-5)
    spikes, labels = setting.spikes()
    found = []
    for contender in (network(name, setting), network("snncore", setting, order=ORDERS[name])):
        contender.to(dtype)
        scores = contender(spikes.to(dtype))
        F.cross_entropy(scores, labels).backward()
        found.append([scores.detach(), *contender.gradients()])
    distance = max(float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in zip(*found, strict=True))
    return Check(
        f"scores and gradients equal {name}'s",
        f"largest relative difference {distance:.1g}",
        distance < tolerance,
    )
