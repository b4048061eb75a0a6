"""Stochastic softmax against softmax (section 8.2, Tables 10 and 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from panda2020.claims.evidence import Case
from panda2020.claims.quantities import PAIR, POINT, difference, longest, ratio
from panda2020.claims.registry import Finding, estimates
from panda2020.claims.verdicts import Quantity, Range, above, around, below
from panda2020.samples import Sample, Series

SOFT, STOCH = "snn", "snn-stochmax"

RHO = (
    "Stochmax here is DropMax with q = p. The article does not say how rho is taught; chapter 8 shows what ours "
    "learns, and how far "
    "it stays where the entropy term alone would leave it, at one half."
)


@estimates("stochmax-low-T", tables=("10",))
def low_t(case: Case) -> Finding:
    """Accuracy of VGG3 with stochmax minus that with softmax, at T = 5, 10 and 25; "consistent" asks for all three."""
    return Finding(
        [
            difference(case.series("VGG3", STOCH, steps), case.series("VGG3", SOFT, steps), above(0))
            for steps in (5, 10, 25)
        ],
        caveat=RHO,
    )


@estimates("stochmax-acc", tables=("8", "11"))
def gain(case: Case) -> Finding:
    """Accuracy of VGG5 and VGG3x2-v2 with stochmax minus that with softmax, at the smallest planned T."""
    expected = around(1.5, 4.5, f"3 to 4 in section 8.2, 2 to 3 in section 9; {POINT}")
    return Finding(
        [
            difference(
                case.series(name, STOCH, _first(case, name)),
                case.series(name, SOFT, _first(case, name)),
                expected,
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
    """EE with stochmax over EE with softmax at equal T; beside it at equal accuracy, that is stochmax at the smallest T whose
    mean accuracy, over the seeds that both have, reaches that of softmax where softmax has settled."""
    expected = around(1.4, 2.2, "1.6 to 2, with a tenth more on either side")
    parts = []
    for name in PAIR:
        one, two = case.series(name, STOCH, _first(case, name)), case.series(name, SOFT, _first(case, name))
        parts.append(_ratio(case, one, two, expected, f"EE of {one.name} over EE of {two.name}"))
        reached = case.settled_series(name, SOFT)
        for steps in case.times(name, STOCH):
            early = case.series(name, STOCH, steps)
            common = early.samples.keys() & reached.samples.keys()
            if common and early.accuracy(common) >= reached.accuracy(common):
                what = f"at equal accuracy: EE of {early.name} over EE of {reached.name}"
                parts.append(replace(_ratio(case, early, reached, expected, what), beside=True))
                break
    return Finding(
        parts, caveat=f"The sentence mixes sparser spikes with a lower T; equal T decides here. {RHO}"
    )


def _ratio(case: Case, one: Series, two: Series, expected: Range, what: str) -> Quantity:
    return ratio(one, two, lambda s: s.efficiency(case.conditions), expected, direction=above(1), what=what)


@estimates("stochmax-sparser", tables=("8", "11"))
def sparser(case: Case) -> Finding:
    """Spike rate with stochmax over that with softmax at equal T: the largest ratio over the layers, which must be below 1; as
    a weaker form, that of the mean rates."""
    parts, weaker = [], []
    for name in PAIR:
        one, two = case.series(name, STOCH, _first(case, name)), case.series(name, SOFT, _first(case, name))
        for layer in _layers(one):
            parts.append(
                ratio(one, two, _rate(layer), below(1), what=f"rate of {layer} of {one.name} over {two.name}")
            )
        weaker.append(
            ratio(one, two, lambda s: s.mean_rate, below(1), what=f"mean rate of {one.name} over {two.name}")
        )
    return Finding(parts, weaker, caveat=RHO)


def _layers(series: Series) -> tuple[str, ...]:
    """The spiking sites of a network, or one word for all where nothing is recorded."""
    return next((tuple(sample.rates) for sample in series.samples.values()), ("every layer",))


def _rate(layer: str) -> Callable[[Sample], float]:
    return lambda sample: sample.rates[layer]


@estimates("stochmax-conv-stdp", tables=("2", "2-stochmax", "6"))
def other_methods(case: Case) -> Finding:
    """Accuracy with stochmax minus that with softmax, of the converted VGG7 at the largest T and of the STDP-trained ResNet3;
    and the ratio of their EE, which must be 1."""
    expected = around(0.5, 2.5, POINT)
    same = around(0.95, 1.05, '"unchanged" is read as within a twentieth')
    converted = longest(case, "VGG7-conv", "converted-stochmax"), longest(case, "VGG7-conv")
    trained = (
        case.series("ResNet3", "stdp", view="fc-stochmax/learned"),
        case.series("ResNet3", "stdp", view="fc/learned"),
    )
    parts = []
    for one, two in (converted, trained):
        parts.append(difference(one, two, expected, direction=above(0)))
        parts.append(
            ratio(
                one,
                two,
                lambda s: s.efficiency(case.conditions),
                same,
                what=f"EE of {one.name} over EE of {two.name}",
            )
        )
    return Finding(parts)
