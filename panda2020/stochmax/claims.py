"""Stochastic softmax against softmax (section 8.2, Tables 10 and 11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from panda2020.claims import crossing
from panda2020.claims.evidence import Case
from panda2020.claims.protocol import factors, points, same
from panda2020.claims.quantities import PAIR, difference, efficiency, first, longest, paired, ratio
from panda2020.claims.ranges import Range, above, below
from panda2020.claims.registry import Finding, estimates
from panda2020.claims.verdicts import Quantity
from panda2020.families import of_pair
from panda2020.samples import Sample, Series

SOFT, STOCH = "snn", "snn-stochmax"

RHO = (
    "Our stochmax is DropMax with q = p, because the article does not say how rho is taught. In it, rho of the other classes "
    "hardly leaves one half, where the entropy term alone puts it; chapter 8 shows the measured values."
)


@estimates("stochmax-low-T", tables=("10",))
def low_t(case: Case) -> Finding:
    """Accuracy of VGG3 with stochmax minus that with softmax, at T = 5, 10 and 25; "consistent" requires all three."""
    return Finding(
        [
            difference(
                case.series("VGG3", STOCH, steps), case.series("VGG3", SOFT, steps), direction=above(0)
            )
            for steps in (5, 10, 25)
        ],
        caveat=RHO,
    )


@estimates("stochmax-acc", tables=("8", "11"))
def gain(case: Case) -> Finding:
    """Accuracy of VGG5 and VGG3x2-v2 with stochmax minus that with softmax, at the smallest planned T."""
    return Finding(
        [
            difference(
                case.series(name, STOCH, _first(case, name)),
                case.series(name, SOFT, _first(case, name)),
                points(3, 4),
                direction=above(0),
            )
            for name in PAIR
        ],
        caveat=RHO,
    )


def _first(case: Case, name: str) -> int | None:
    planned = case.planned(name, STOCH)
    return planned[0] if planned else None


@estimates("stochmax-ee", tables=("8", "11"))
def ee(case: Case) -> Finding:
    """EE with stochmax divided by EE with softmax: at equal T, the smallest planned; and at equal accuracy, where each is
    read at the T at which it reaches the smaller of their accuracies at the largest T, by interpolation in log T. The
    sentence combines sparser spikes with a lower T, so both count.
    """
    parts = []
    for name in PAIR:
        one, two = case.series(name, STOCH, _first(case, name)), case.series(name, SOFT, _first(case, name))
        what = f"EE of {one.name} over EE of {two.name}"
        size = factors(1.6, 2)
        parts.append(ratio(one, two, efficiency(case), size, direction=above(1), what=what))
        parts.append(_equal_accuracy(case, name, size))
    return Finding(parts, caveat=RHO)


def _equal_accuracy(case: Case, name: str, size: Range) -> Quantity:
    """EE with stochmax over EE with softmax where both are as accurate as the less accurate one is at the end."""
    what = f"at equal accuracy: EE of {name} with stochmax over EE with softmax"
    roles = (STOCH, SOFT)
    common = sorted(set.intersection(*({*case.times(name, role)} for role in roles)))
    ends = [case.series(name, role, common[-1]) if common else first(case, name, role) for role in roles]
    part, pairs = paired(Quantity(what, "×", above(1), size), ends[0], ends[1])
    if not pairs:
        return part
    logs, again = [], []
    for seed in pairs:
        steps = [T for T in common if all(seed in case.series(name, role, T).samples for role in roles)]
        one, two = (
            crossing.course(case, [case.series(name, role, T).samples[seed] for T in steps], efficiency(case))
            for role in roles
        )
        goal = min(one.accuracies[-1], two.accuracies[-1])
        goals = np.minimum(one.again[:, -1], two.again[:, -1])
        logs.append(float(one.at(goal)[0] - two.at(goal)[0]))
        again.append(one.at(goals, again=True) - two.at(goals, again=True))
    return replace(
        part,
        seeds=tuple(pairs),
        values=tuple(map(math.exp, logs)),
        images=crossing.over_images(logs, again),
        pool=of_pair(ends[0], ends[1], efficiency(case), ratio=True),
    )


@estimates("stochmax-sparser", tables=("8", "11"))
def sparser(case: Case) -> Finding:
    """Spike rate with stochmax divided by that with softmax at equal T in every layer, which must be below 1. Also shown:
    the same ratio of the mean rates.
    """
    parts = []
    for name in PAIR:
        one, two = case.series(name, STOCH, _first(case, name)), case.series(name, SOFT, _first(case, name))
        for layer in _layers(one):
            what = f"rate of {layer} of {one.name} over {two.name}"
            parts.append(ratio(one, two, _rate(layer), direction=below(1), what=what))
        what = f"mean rate of {one.name} over {two.name}"
        parts.append(ratio(one, two, lambda s: s.mean_rate, direction=below(1), beside=True, what=what))
    return Finding(parts, caveat=RHO)


def _layers(series: Series) -> tuple[str, ...]:
    """The spiking sites of a network, or one word for all where nothing is recorded."""
    return next((tuple(sample.rates) for sample in series.samples.values()), ("every layer",))


def _rate(layer: str) -> Callable[[Sample], float]:
    return lambda sample: sample.rates.get(layer, math.nan)


@estimates("stochmax-conv-stdp", tables=("2", "2-stochmax", "6"))
def other_methods(case: Case) -> Finding:
    """Accuracy with stochmax minus that with softmax, for the converted VGG7 at the largest T and for the STDP-trained
    ResNet3; and the ratio of their EE, which must be 1.
    """
    converted = longest(case, "VGG7-conv", "converted-stochmax"), longest(case, "VGG7-conv")
    trained = (
        case.series("ResNet3", "stdp", view="fc-stochmax/learned"),
        case.series("ResNet3", "stdp", view="fc/learned"),
    )
    parts = []
    for one, two in (converted, trained):
        parts.append(difference(one, two, points(1, 2), direction=above(0)))
        parts.append(
            ratio(
                one,
                two,
                efficiency(case),
                same(),
                what=f"EE of {one.name} over EE of {two.name}",
            )
        )
    return Finding(parts)
