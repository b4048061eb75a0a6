"""Quantities that many claims share: an accuracy, a paired difference of accuracies, a ratio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from panda2020 import families, statistics
from panda2020.samples import LEARNT, Sample, Series
from panda2020.statistics import Interval

from .admissibility import must_have_learnt, refusal, seen_accuracy
from .evidence import Case
from .protocol import trains, trains_on_seen
from .ranges import Range
from .verdicts import RATIO, Quantity

POINTS = 100.0

Z = float(stats.norm.ppf((1 + statistics.CONFIDENCE) / 2))

Pairs = dict[int, tuple[Sample, Sample]]


def share(sample: Sample) -> float:
    """Accuracy in percent."""
    return POINTS * sample.accuracy


def accuracy(
    series: Series,
    size: Range,
    *,
    void: str = "",
    undecided: str = "",
) -> Quantity:
    """Test accuracy in percent of a trained network, with Wilson's interval over the test images."""
    part = Quantity(f"accuracy of {series.name}", "%", size=size, apart=True, void=void, undecided=undecided)
    part = alone(part, series)
    if not series.samples:
        return part
    found = list(series.samples.values())
    correct = sum(sample.correct for sample in found) / len(found)
    return replace(
        part,
        values=tuple(map(share, found)),
        seeds=tuple(series.samples),
        images=statistics.wilson(correct, found[0].total) * POINTS,
        pool=families.of_values(series, share),
    )


def training_accuracy(series: Series) -> Quantity:
    """Accuracy on training images at the kept epoch, which "trains" requires in addition to that on test images."""
    part = Quantity(f"training accuracy of {series.name}", "%", size=trains_on_seen(), apart=True)
    part = alone(part, series)
    seen = {seed: seen_accuracy(sample) for seed, sample in series.samples.items()}
    known = {seed: POINTS * value for seed, value in seen.items() if value is not None}
    if series.samples and not known:
        return replace(part, missing=(f"the training accuracy of {series.name} is not recorded",))
    return replace(part, seeds=tuple(known), values=tuple(known.values()))


def trained(series: Series) -> list[Quantity]:
    """The quantities of "trains": accuracy on test images, and on training images.

    If a network falls short but was stopped while it still improved (it has not learnt, section 4), the quantity is not
    testable, because it might have reached the accuracy later.
    """
    chance = next((sample.chance for sample in series.samples.values()), 0.1)
    parts = [accuracy(series, trains(chance)), training_accuracy(series)]
    stopped = refusal(series, seeds=series.samples)
    return [
        replace(part, void=stopped)
        if stopped and part.values and not part.expected.holds(*[float(np.mean(part.values))] * 2)
        else part
        for part in parts
    ]


def difference(
    first: Series,
    second: Series,
    size: Range | None = None,
    *,
    direction: Range | None = None,
    beside: bool = False,
    what: str = "",
    note: str = "",
    void: str = "",
) -> Quantity:
    """Accuracy of ``first`` minus that of ``second`` in points, paired by seed and test image.

    Not testable if both are at chance in a seed (then the difference is luck), or if section 4 of the protocol refuses.
    """
    name = what or f"{first.name} minus {second.name}"
    part = Quantity(name, "points", direction, size, beside=beside, note=note, void=void)
    part, pairs = paired(part, first, second)
    if not pairs:
        return part
    images = statistics.paired([a.hits for a, _ in pairs.values()], [b.hits for _, b in pairs.values()])
    stuck = [seed for seed, (a, b) in pairs.items() if a.at_chance and b.at_chance]
    return replace(
        part,
        seeds=tuple(pairs),
        values=tuple(share(a) - share(b) for a, b in pairs.values()),
        images=images.images * POINTS,
        pool=families.of_pair(first, second, share),
        apart=any(_apart(a, b) for a, b in pairs.values()),
        void=part.void or _chance("both networks are", stuck),
    )


def _apart(one: Sample, other: Sample) -> bool:
    """Whether two results come from separately trained weights; for an STDP run, from separately trained classifiers."""
    if one.record["task"] == "stdp" or one.record is other.record:
        return one.record["task"] == "stdp"
    weights = [sample.record.result.get("weights_sha256") for sample in (one, other)]
    return weights[0] is None or weights[0] != weights[1]


def mean_difference(
    pairs: Sequence[tuple[Series, Series]],
    size: Range | None = None,
    *,
    direction: Range | None = None,
    what: str,
) -> Quantity:
    """The mean of some differences in points, one per network of a family: every network counts, in every seed."""
    parts = [difference(a, b, size, direction=direction) for a, b in pairs]
    seeds = tuple(s for s in parts[0].seeds if all(s in part.seeds for part in parts))
    found = Quantity(
        what,
        "points",
        direction,
        size,
        apart=any(part.apart for part in parts),
        missing=tuple(dict.fromkeys(text for part in parts for text in part.missing)),
        void="; ".join(dict.fromkeys(part.void for part in parts if part.void)),
        keys=tuple(dict.fromkeys(key for part in parts for key in part.keys)),
    )
    if not seeds or any(not part.values for part in parts):
        return found
    values = [float(np.mean([part.values[part.seeds.index(s)] for part in parts])) for s in seeds]
    chosen = [(a.samples[s], b.samples[s]) for a, b in pairs for s in seeds]
    if len({one.total for pair in chosen for one in pair}) > 1:
        return replace(found, void=f"{what}: not all networks were run on as many images")
    by_image = [np.subtract(a.hits, b.hits, dtype=float) for a, b in chosen]
    pool = parts[0].pool
    return replace(
        found,
        values=tuple(values),
        seeds=seeds,
        images=over_images(values, by_image),
        pool=None if pool is None else pool * len(parts) ** -0.5,
    )


def contrast(
    first: Quantity,
    second: Quantity,
    terms: Sequence[tuple[int, Series]],
    direction: Range,
    *,
    what: str,
    beside: bool = False,
) -> Quantity:
    """``first`` minus ``second``, two differences of accuracies in points, over the seeds that both have.

    Args:
        terms: the four series with their signs, for the interval over the test images.
    """
    part = Quantity(what, "points", direction, apart=True, beside=beside, void=first.void or second.void)
    part = replace(
        part, missing=first.missing + second.missing, keys=tuple(dict.fromkeys(first.keys + second.keys))
    )
    both = tuple(seed for seed in first.seeds if seed in second.seeds)
    if not both:
        return part
    found = {seed: [(sign, series.samples[seed]) for sign, series in terms] for seed in both}
    if any(dict(one.data) != dict(of_seed[0][1].data) for of_seed in found.values() for _, one in of_seed):
        return replace(part, void=f"{what}: the networks were not run on the same images")
    values = tuple(first.values[first.seeds.index(s)] - second.values[second.seeds.index(s)] for s in both)
    by_image = [np.sum([sign * one.hits for sign, one in of_seed], axis=0) for of_seed in found.values()]
    pool = families.independent(first.pool, second.pool)
    return replace(part, values=values, seeds=both, images=over_images(values, by_image), pool=pool)


def over_images(values: Sequence[float], by_image: Sequence[np.ndarray]) -> Interval:
    """The interval of a mean in points from the test images alone.

    Args:
        by_image: contribution of each image, (images,) per seed.
    """
    half = Z * POINTS * statistics.image_error(np.mean(by_image, axis=0))
    centre = float(np.mean(values))
    return Interval(centre - half, centre + half)


def ratio(
    first: Series,
    second: Series,
    of: Callable[[Sample], float],
    size: Range | None = None,
    *,
    what: str,
    direction: Range | None = None,
    beside: bool = False,
    note: str = "",
) -> Quantity:
    """``of(first) / of(second)`` by seed. Not testable if a network is at chance, even if it uses little energy."""
    part = Quantity(what, RATIO, direction, size, beside=beside, note=note)
    part, pairs = paired(part, first, second)
    if not pairs:
        return part
    stuck = [seed for seed, (a, b) in pairs.items() if a.at_chance or b.at_chance]
    part = replace(part, void=part.void or _chance("a network is", stuck))
    if any(of(b) == 0 for _, b in pairs.values()):
        return replace(part, void=f"{second.name} has a value of 0, so there is no ratio")
    return replace(
        part,
        seeds=tuple(pairs),
        values=tuple(of(a) / of(b) for a, b in pairs.values()),
        pool=families.of_pair(first, second, of, ratio=True),
    )


def value(
    series: Series,
    of: Callable[[Sample], float],
    size: Range | None = None,
    *,
    what: str,
    unit: str = RATIO,
    direction: Range | None = None,
    beside: bool = False,
    working: bool = True,
    learnt: bool = False,
    note: str = "",
) -> Quantity:
    """The value ``of`` each run.

    Args:
        working: not testable if a network is at chance.
        learnt: also not testable if a network has not learnt, as for an efficiency, which compares it with its ANN.
    """
    part = alone(Quantity(what, unit, direction, size, beside=beside, note=note), series)
    if not series.samples:
        return part
    stuck = [seed for seed, sample in series.samples.items() if working and sample.at_chance]
    void = refusal(series, seeds=series.samples) if learnt else ""
    return replace(
        part,
        seeds=tuple(series.samples),
        values=tuple(map(of, series.samples.values())),
        pool=families.of_values(series, of, ratio=unit == RATIO),
        void=_chance("the network is", stuck) or void,
    )


def efficiency(case: Case) -> Callable[[Sample], float]:
    """EE under the conditions of a case."""
    return lambda sample: sample.efficiency(case.conditions)


def energy(case: Case) -> Callable[[Sample], float]:
    """Energy of the spiking network under the conditions of a case."""
    return lambda sample: sample.energy(case.conditions)


def absolute(case: Case, series: Series, size: Range) -> Quantity:
    """An absolute accuracy of the paper, judged only at the paper's own scale."""
    return accuracy(series, size, void="" if case.full_scale else SCALE)


SCALE = "an absolute accuracy on all of CIFAR-10 at full width cannot be asked of narrower networks on fewer images"


def alone(part: Quantity, series: Series) -> Quantity:
    """A quantity of one series with its runs and its missing runs."""
    if not series.samples:
        return replace(part, missing=(series.missing,))
    lacking = [seed for seed in series.planned if seed not in series.samples]
    missing = (f"{series.name} lacks {_seeds(lacking)} of those planned",) if lacking else ()
    return replace(part, keys=series.keys, missing=missing)


def paired(part: Quantity, first: Series, second: Series) -> tuple[Quantity, Pairs]:
    """The part with its runs, and the samples of the seeds that both have; empty if nothing can be paired.

    All seeds that are planned for both decide, or none: seeds that one side lacks are missing.
    """
    absent = tuple(series.missing for series in (first, second) if not series.samples)
    if absent:
        return replace(part, missing=absent), {}
    pairs = {seed: (a, second.samples[seed]) for seed, a in first.samples.items() if seed in second.samples}
    if not pairs:
        return replace(part, missing=(f"no seed has both {first.name} and {second.name}",)), {}
    for a, b in pairs.values():
        if dict(a.data) != dict(b.data) or a.total != b.total:
            return replace(part, void=f"{first.name} and {second.name} were not run on the same images"), {}
    keys = tuple(dict.fromkeys(sample.record.key for pair in pairs.values() for sample in pair))
    missing = []
    for one, other in ((first, second), (second, first)):
        lacking = [s for s in one.planned if s in other.planned and s not in one.samples]
        if lacking:
            missing.append(f"{one.name} lacks {_seeds(lacking)} of those planned")
    void = part.void
    if not void and must_have_learnt(first, second):
        void = refusal(first, second, seeds=pairs)
    return replace(part, keys=keys, missing=tuple(missing), void=void), pairs


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _chance(who: str, seeds: Sequence[int]) -> str:
    """The reason why networks at chance decide nothing; "" if there are none."""
    if not seeds:
        return ""
    return f"{who} at chance (less than {POINTS * LEARNT:g} points above it) in {_seeds(seeds)}"


PAIR = ("VGG5", "VGG3x2-v2")  # the two networks that the text calls successful


def first(case: Case, network: str, role: str = "snn") -> Series:
    """The runs at the smallest planned T, where all comparisons of Table 8 are made."""
    planned = case.planned(network, role)
    return case.series(network, role, planned[0] if planned else None)


CONVERTED = "converted"


def longest(case: Case, name: str, role: str = CONVERTED) -> Series:
    """The converted network at the largest simulated T."""
    times = case.times(name, role)
    return case.series(name, role, times[-1] if times else None)


HYBRID = "hybrid-stochmax"  # section 8.3 trains it on CIFAR-10; softmax is recorded as well

#: A limitation of every claim about ImageNet here.
SUBSET = "Judged on ten of ImageNet's classes, imagenette, at low resolution and small width."
