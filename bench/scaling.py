"""Growth of a training step's cost with the number of time steps, the batch and the width of a network.

One of the three is varied at a time. Each step is compared with the same convolutions with ReLU.
"""

from __future__ import annotations

from dataclasses import replace

from .contenders import Setting, network, training_step
from .report import Options, Ratio, Timing, Topic
from .timing import interleaved

TITLE = "A training step for more time steps, images and maps"

SETTINGS = {
    "full": Setting(steps=20, batch=16, widths=(16, 32, 32), features=128),
    "small": Setting(steps=2, batch=2, widths=(2, 2), features=4, image=(1, 8, 8), classes=3),
}

FACTORS = {"full": (0.25, 0.5, 1.0, 2.0, 4.0), "small": (1.0, 2.0)}

AXES = ("T", "batch", "width")


def run(options: Options) -> Topic:
    """Time every point of every axis. The ratio is the growth of time over the growth of the variable."""
    base, timings, ratios = SETTINGS[options.size], [], []
    for axis in AXES:
        points = dict(_axis(axis, base, FACTORS[options.size]))
        found = interleaved(
            {
                (name, value): training_step(
                    network(name, setting, layout="channels_last"), *setting.spikes()
                )
                for name in ("snncore", "conv-only")
                for value, setting in points.items()
            },
            repeats=options.repeats,
            clock=options.clock,
        )
        timings += [
            Timing(f"{name}, {axis} {value:g}", timing.seconds, timing.wall)
            for (name, value), timing in found.items()
        ]
        least, most = min(points), max(points)
        for name in ("snncore", "conv-only"):
            growth = Ratio.between("", found[name, most], found[name, least])
            per = most / least
            ratios.append(
                Ratio(
                    f"{name}: growth of time over growth of {axis}",
                    tuple(sample / per for sample in growth.samples),
                    growth.best / per,
                )
            )
    setting = {"topology": base.topology, "steps": base.steps, "batch": base.batch}
    return Topic(setting, tuple(timings), ratios=tuple(ratios))


def _axis(axis: str, base: Setting, factors: tuple[float, ...]) -> list[tuple[float, Setting]]:
    """(value, setting) of each point; widths are factors on the base's."""
    if axis == "T":
        return [(round(base.steps * f), replace(base, steps=round(base.steps * f))) for f in factors]
    if axis == "batch":
        return [(round(base.batch * f), replace(base, batch=round(base.batch * f))) for f in factors]
    return [
        (
            f,
            replace(
                base,
                widths=tuple(round(width * f) for width in base.widths),
                features=round(base.features * f),
            ),
        )
        for f in factors
    ]
