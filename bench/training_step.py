"""One training step of a spiking VGG, from input spikes to updated weights."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch
from torch.nn import functional as F

from panda2020.cost.benchmark import Spread

from .contenders import BFLOAT16, NETWORKS, ORDERS, Setting, layouts, network, training_step
from .machine import features
from .report import Aim, Check, Options, Ratio, Timing, Topic
from .timing import interleaved

TITLE = "One training step of a spiking VGG"

SETTINGS = {
    "full": Setting(),
    "small": Setting(steps=3, batch=2, widths=(2, 3), features=4, image=(1, 8, 8), classes=3),
}

OVER_CONVOLUTIONS = Aim("at most", 1.1)

#: With and without matrix units for bfloat16 in the processor.
OVER_PEERS = {True: Aim("at least", 4.0), False: Aim("at least", 2.5)}


def run(options: Options) -> Topic:
    """Time a step of every library in all its settings; check that all compute the same function.

    Each number format is compared with the convolutions in the same format, in their faster memory format. For peers, the
    fastest setting of each is compared with our fastest.
    """
    setting = SETTINGS[options.size]
    names = [name for name in NETWORKS if name in ("snncore", "conv-only", *options.peers)]
    spikes, labels = setting.spikes()
    steps = {
        (name, layout): training_step(
            network(name, setting, layout=layout), spikes, labels, bfloat16=layout == BFLOAT16
        )
        for name in names
        for layout in layouts(name)
    }
    measured = interleaved(steps, repeats=options.repeats, clock=options.clock)
    timings = {key: replace(timing, contender=key[0], layout=key[1]) for key, timing in measured.items()}
    ratios = [
        Ratio.between(
            f"snncore / conv-only, {kind}",
            _fastest(timings, "snncore", kind == "bfloat16"),
            _fastest(timings, "conv-only", kind == "bfloat16"),
            options.judged(OVER_CONVOLUTIONS),
        )
        for kind in ("float32", "bfloat16")
    ]
    ours = _fastest(timings, "snncore")
    aim = options.judged(OVER_PEERS["amx_bf16" in features()])
    for name in names[2:]:
        best = _fastest(timings, name)
        ratios.append(Ratio.between(f"{name} {best.layout} / snncore", best, ours, aim))
        default = timings[name, "contiguous"]
        ratios.append(Ratio.between(f"{name} contiguous / snncore", default, ours))
    given = asdict(setting) | {"topology": setting.topology}
    return Topic(
        {name: given[name] for name in ("topology", "steps", "batch", "image")},
        tuple(timings.values()),
        ratios=tuple(ratios),
        checks=tuple(_agreement(name, setting) for name in names[2:]),
    )


def _fastest(timings: dict[tuple[str, str], Timing], name: str, bfloat16: bool | None = None) -> Timing:
    """The setting of a contender with the smallest median, for one number format or for both."""
    mine = [
        timing
        for (own, layout), timing in timings.items()
        if own == name and bfloat16 in (None, layout == BFLOAT16)
    ]
    return min(mine, key=lambda timing: Spread.of(timing.seconds).median)


def _agreement(name: str, full: Setting) -> Check:
    """A peer's scores and gradients compared with snncore's in the peer's order of leak and reset, on a few images.

    The comparison is in float64, where no potential is within rounding of the threshold; snnTorch turns spikes into float32.
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
