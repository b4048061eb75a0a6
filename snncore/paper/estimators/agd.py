"""Spiking networks trained end to end (section 3.2.2, Tables 8 and 9)."""

from __future__ import annotations

from itertools import pairwise

from ..evidence import LEARNT, Case, Sample, Series
from ..verdicts import Part, above, around, at_least, at_most, below
from .quantities import POINT, POINTS, accuracy, difference, learns, ratio, value
from .registry import Finding, estimates

PAIR = ("VGG5", "VGG3x2-v2")  # the two nets that the text calls successful
FACTOR_2 = "a factor of 2 either way: the price list alone changes EE about sixfold, and rates depend on the recipe"


def first(case: Case, network: str, role: str = "snn") -> Series:
    """The runs at the smallest T that is planned, which is where all comparisons of Table 8 are made."""
    planned = case.planned(network, role)
    return case.series(network, role, planned[0] if planned else None)


@estimates("agd-loss", tables=("8",))
def loss(case: Case) -> Finding:
    """Accuracy of the spiking network minus that of the ANN of the same topology, same seed and test images, at the
    smallest planned T; larger T beside it."""
    expected = at_least(-3.5, POINT)
    parts = []
    for network in PAIR:
        ann = case.series(network, "ann")
        planned = case.planned(network, "snn") or (None,)
        for steps in planned:
            late = steps != planned[0]
            parts.append(difference(case.series(network, "snn", steps), ann, expected, baseline=True, beside=late))
    return Finding(parts)


@estimates("agd-ee", tables=("8",))
def ee(case: Case) -> Finding:
    """EE against the ANN of the same topology, at the smallest T within 1 point of the accuracy at the largest T."""
    parts = []
    for network in PAIR:
        series = case.settled(network, "snn")
        parts.append(
            value(
                series,
                lambda s: s.efficiency(case.conditions),
                around(7.5, 30, FACTOR_2),
                direction=above(1),
                what=f"EE of {series.name}",
            )
        )
    return Finding(parts)


@estimates("agd-vgg7-fails", tables=("8",))
def vgg7_fails(case: Case) -> Finding:
    """Accuracy of the spiking VGG7, which must be at chance; as a weaker form, clearly below that of the spiking VGG5."""
    series = first(case, "VGG7-agd")
    return Finding(
        [
            accuracy(
                series, at_most(POINTS * (0.1 + LEARNT), "chance is 10 %; a net that tells one class apart has 20 %")
            )
        ],
        weaker=[
            difference(
                series, first(case, "VGG5"), below(-5, "5 points: more than a deeper net loses for lack of epochs")
            )
        ],
    )


@estimates("agd-vgg3x4-trains", tables=("8",))
def vgg3x4_trains(case: Case) -> Finding:
    """Accuracy of the spiking VGG3x4, clearly above chance, and its lead over the spiking VGG7 of equal logical depth."""
    return _trains(case)


@estimates("real-depth-five", tables=("8",))
def real_depth_five(case: Case) -> Finding:
    """The same runs as agd-vgg3x4-trains: the network with five real and seven logical layers is VGG3x4."""
    return _trains(case)


def _trains(case: Case) -> Finding:
    deep, plain = first(case, "VGG3x4"), first(case, "VGG7-agd")
    lead = above(5, "where one net trains and the other fails, they are far apart")
    return Finding([learns(deep), difference(deep, plain, lead, direction=above(0))])


@estimates("agd-vgg3x4-beats-ann", tables=("8",))
def vgg3x4_beats_ann(case: Case) -> Finding:
    """Accuracy of the spiking VGG3x4 minus that of the ANNs VGG3x4 and VGG7. The printed pair, 75 % and 69.52 %, is a lead of
    5.5 points; its size is shown and not asked for, since it hangs on how well the ANN is trained."""
    series = first(case, "VGG3x4")
    return Finding(
        [
            difference(series, case.series(network, "ann"), above(0), baseline=True)
            for network in ("VGG3x4", "VGG7-agd")
        ],
        caveat="The article's ANN of 69.52 % is weak: tuned plain networks of this size exceed 80 % on CIFAR-10.",
    )


@estimates("agd-backres-sparser", tables=("8", "8-others"))
def backres_sparser(case: Case) -> Finding:
    """Spikes per neuron and step over all spiking neurons, BackRes network over the plain one of equal logical depth."""
    parts = []
    for network, plain in (("VGG2x2", "VGG4"), ("VGG3x2-v2", "VGG5"), ("VGG3x4", "VGG7-agd")):
        one, other = first(case, network), first(case, plain)
        parts.append(
            ratio(
                one,
                other,
                _mean_rate,
                below(1),
                what=f"mean rate of {one.name} over {other.name}",
                beside=network == "VGG3x4",
                note="Needs a VGG7 that trains." if network == "VGG3x4" else "",
            )
        )
    return Finding(parts)


def _mean_rate(sample: Sample) -> float:
    return sample.mean_rate


@estimates("agd-vanishing", tables=("8",))
def vanishing(case: Case) -> Finding:
    """Spike rate of the last convolution of the spiking VGG7 over that of the first, and the largest ratio of a layer's rate to
    that of the layer before it, in the trained network."""
    series = first(case, "VGG7-agd")
    ends = f"rate of the last over the first convolution of {series.name}"
    return Finding(
        [
            value(
                series,
                last_over_first,
                at_most(0.5, '"drastically" is read as half or less'),
                direction=below(1),
                what=ends,
                working=False,
            ),
            value(
                series,
                steepest_rise,
                below(1, "each layer must spike less than the one before"),
                what=f"largest ratio of neighbouring convolutions of {series.name}",
                working=False,
            ),
        ],
        weaker=[value(series, last_over_first, below(1), what=ends, working=False)],
    )


def conv_rates(sample: Sample) -> list[float]:
    """Rates of the spiking convolutions, from the first to the last."""
    return [rate for site, rate in sample.rates.items() if site.startswith("conv")]


def last_over_first(sample: Sample) -> float:
    """Rate of the last spiking convolution over that of the first; 0 for silent ones."""
    rates = conv_rates(sample)
    return rates[-1] / rates[0] if rates[0] else 0.0


def steepest_rise(sample: Sample) -> float:
    """The largest ratio of a spiking convolution's rate to that of the one before it."""
    rates = conv_rates(sample)
    return max((b / a if a else 0.0) for a, b in pairwise(rates))


@estimates("agd-latency", tables=("2", "8"))
def latency(case: Case) -> Finding:
    """The smallest T within 1 point of the accuracy at the largest T, of the converted VGG7 over that of the spiking VGG5
    trained end to end. T is known only as finely as the simulated grid."""
    expected = around(
        5, 30, "the text gives 50-100 steps against 500-2,000, a factor of 10 to 15; the grid of T is coarse"
    )
    nets = (("VGG7-conv", "converted"), ("VGG5", "snn"))
    converted, trained = (settled_steps(case, *net) for net in nets)
    seeds = tuple(seed for seed in trained if seed in converted)
    series = [case.settled(*net) for net in nets]
    absent = [s.missing for s in series if not s.samples]
    absent += [f"{s.name} is not recorded at a second T" for s, found in zip(series, (converted, trained), strict=True)
               if s.samples and not found]  # fmt: skip
    return Finding(
        [
            Part(
                "T that the converted VGG7 needs over T that the trained VGG5 needs",
                "×",
                expected,
                above(1),
                values=tuple(converted[seed] / trained[seed] for seed in seeds),
                seeds=seeds,
                missing=tuple(absent),
                keys=tuple(key for s in series for key in s.keys),
            )
        ]
    )


def settled_steps(case: Case, network: str, role: str) -> dict[int, int]:
    """For each seed the smallest T whose accuracy is within 1 point of that at the largest T."""
    every = [case.series(network, role, steps) for steps in case.times(network, role)]
    found: dict[int, int] = {}
    for seed in every[-1].samples if every else ():
        own = [series.samples[seed] for series in every if seed in series.samples]
        if len(own) > 1:  # with one T there is nothing to compare it with
            found[seed] = next(s.steps for s in own if s.steps and s.accuracy >= own[-1].accuracy - 0.01 - 1e-9)
    return found


@estimates("agd-resnet7-hard", tables=("8", "8-others"))
def resnet7_hard(case: Case) -> Finding:
    """Accuracy of the spiking ResNet7, which must be at chance; as a weaker form, clearly below that of the spiking VGG5."""
    series = first(case, "ResNet7")
    return Finding(
        [
            accuracy(
                series, at_most(POINTS * (0.1 + LEARNT), "chance is 10 %; a net that tells one class apart has 20 %")
            )
        ],
        weaker=[
            difference(
                series, first(case, "VGG5"), below(-5, "5 points: more than a deeper net loses for lack of epochs")
            )
        ],
    )
