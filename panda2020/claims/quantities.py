"""Quantities that many claims share: an accuracy, a paired difference of accuracies, a ratio."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from panda2020 import statistics
from panda2020.samples import LEARNT, Sample, Series
from panda2020.statistics import Interval

from .evidence import Case
from .verdicts import Quantity, Range, above

POINTS = 100.0

Z = float(stats.norm.ppf((1 + statistics.CONFIDENCE) / 2))

#: Reasons that several estimators give.
POINT = "the sentence gives whole points with a tilde: half a point beyond them still rounds to what it says"

SIMILAR = "2 points: the article itself calls a loss of up to 2 points minimal"


def accuracy(
    series: Series, expected: Range, *, direction: Range | None = None, beside: bool = False, note: str = ""
) -> Quantity:
    """Test accuracy in percent of a network that was trained for it; Wilson's interval of the test images."""
    part = Quantity(
        f"accuracy of {series.name}", "%", expected, direction, apart=True, beside=beside, note=note
    )
    if not series.samples:
        return replace(part, missing=(series.missing,))
    found = list(series.samples.values())
    correct = sum(sample.correct for sample in found) / len(found)
    return replace(
        part,
        values=tuple(POINTS * sample.accuracy for sample in found),
        seeds=tuple(series.samples),
        images=statistics.wilson(correct, found[0].total) * POINTS,
        keys=series.keys,
    )


def difference(
    first: Series,
    second: Series,
    expected: Range,
    *,
    direction: Range | None = None,
    baseline: bool = False,
    beside: bool = False,
    what: str = "",
    note: str = "",
) -> Quantity:
    """Accuracy of ``first`` minus that of ``second`` in points, paired by seed and test image.

    Void where both are at chance: then neither has learnt, and the difference is luck. baseline: ``second`` is what
    ``first`` is held against, so seeds where it has not learnt are left out.
    """
    part = Quantity(
        what or f"{first.name} minus {second.name}", "points", expected, direction, beside=beside, note=note
    )
    part, pairs = _paired(part, first, second)
    if not pairs:
        return part
    if baseline:
        left = {seed: pair for seed, pair in pairs.items() if not pair[1].at_chance}
        part = _without_chance(part, pairs, left)
        if not left:
            return part
        pairs = left
    images = statistics.paired(
        [a.hits for a, _ in pairs.values()], [b.hits for _, b in pairs.values()]
    ).images
    stuck = all(a.at_chance and b.at_chance for a, b in pairs.values())
    return replace(
        part,
        seeds=tuple(pairs),
        values=tuple(POINTS * (a.accuracy - b.accuracy) for a, b in pairs.values()),
        images=images * POINTS,
        apart=any(_apart(a, b) for a, b in pairs.values()),
        void=f"both are at chance (less than {POINTS * LEARNT:g} points above it)" if stuck else "",
    )


def _apart(one: Sample, other: Sample) -> bool:
    """Whether two results come from weights that were trained apart; of an STDP run, from classifiers that were."""
    if one.record["task"] == "stdp" or one.record is other.record:
        return one.record["task"] == "stdp"
    weights = [sample.record.result.get("weights_sha256") for sample in (one, other)]
    return weights[0] is None or weights[0] != weights[1]


def contrast(
    first: Quantity,
    second: Quantity,
    terms: Sequence[tuple[int, Series]],
    expected: Range,
    *,
    what: str,
    beside: bool = False,
) -> Quantity:
    """``first`` minus ``second``, two differences of accuracies in points, over the seeds that both have.

    terms: the four series with their signs, from which the interval of the test images is taken.
    """
    part = Quantity(what, "points", expected, apart=True, beside=beside, void=first.void or second.void)
    part = replace(
        part, missing=first.missing + second.missing, keys=tuple(dict.fromkeys(first.keys + second.keys))
    )
    both = tuple(seed for seed in first.seeds if seed in second.seeds)
    if not both:
        return part
    samples = {seed: [(sign, series.samples[seed]) for sign, series in terms] for seed in both}
    if any(dict(one.data) != dict(of_seed[0][1].data) for of_seed in samples.values() for _, one in of_seed):
        return replace(part, void=f"{what}: the networks were not run on the same images")
    values = tuple(first.values[first.seeds.index(s)] - second.values[second.seeds.index(s)] for s in both)
    by_image = [np.sum([sign * one.hits for sign, one in of_seed], axis=0) for of_seed in samples.values()]
    return replace(part, values=values, seeds=both, images=over_images(values, by_image))


def over_images(values: Sequence[float], by_image: Sequence[np.ndarray]) -> Interval:
    """The interval from the test images alone of a mean in points. by_image: what each image adds, (images,) per seed."""
    half = Z * POINTS * statistics.image_error(np.mean(by_image, axis=0))
    centre = float(np.mean(values))
    return Interval(centre - half, centre + half)


def ratio(
    first: Series,
    second: Series,
    of: Callable[[Sample], float],
    expected: Range,
    *,
    what: str,
    direction: Range | None = None,
    beside: bool = False,
    note: str = "",
) -> Quantity:
    """``of(first) / of(second)`` by seed, without the seeds where a net is at chance, whatever little it spends."""
    part = Quantity(what, "×", expected, direction, beside=beside, note=note)
    part, pairs = _paired(part, first, second)
    if not pairs:
        return part
    left = {seed: (a, b) for seed, (a, b) in pairs.items() if not (a.at_chance or b.at_chance)}
    part = _without_chance(part, pairs, left)
    if any(of(b) == 0 for _, b in left.values()):
        return replace(part, void=f"{second.name} has a value of 0, so there is no ratio")
    return replace(part, seeds=tuple(left), values=tuple(of(a) / of(b) for a, b in left.values()))


def value(
    series: Series,
    of: Callable[[Sample], float],
    expected: Range,
    *,
    what: str,
    unit: str = "×",
    direction: Range | None = None,
    beside: bool = False,
    working: bool = True,
    note: str = "",
) -> Quantity:
    """``of`` each run. ``working``: without the seeds where the net is at chance."""
    part = Quantity(what, unit, expected, direction, beside=beside, note=note)
    if not series.samples:
        return replace(part, missing=(series.missing,))
    left = {seed: sample for seed, sample in series.samples.items() if not (working and sample.at_chance)}
    part = _without_chance(replace(part, keys=series.keys), series.samples, left)
    return replace(part, seeds=tuple(left), values=tuple(of(sample) for sample in left.values()))


def learns(series: Series) -> Quantity:
    """Accuracy clearly above chance: twice as far above it as a net that has not learnt can be."""
    return accuracy(series, _learnt(series))


def lead_over_failure(first: Series, second: Series) -> Quantity:
    """How far ``first``, which trains, is above ``second``, which is said to fail.

    Void where ``second`` trains in every run: then there is no failure to be above, and a claim of its own says so.
    """
    expected = above(5, "where one net trains and the other fails, they are far apart")
    part = difference(first, second, expected, direction=above(0))
    bounds = _learnt(second)
    if second.samples and all(
        bounds.holds(*[POINTS * sample.accuracy] * 2) for sample in second.samples.values()
    ):
        return replace(
            part, void=f"{second.name} trains as well, so nothing shows that one trains where the other fails"
        )
    return part


def _learnt(series: Series) -> Range:
    chance = next((sample.chance for sample in series.samples.values()), 0.1)
    return above(
        POINTS * (chance + 2 * LEARNT),
        "a net that tells one of ten classes from the others reaches 10 points above chance",
    )


def absolute(case: Case, series: Series, expected: Range) -> Quantity:
    """An accuracy that the paper states as such: judged only at the paper's own scale, else shown beside."""
    note = (
        ""
        if case.full_scale
        else "Shown, not judged: the network is narrower and sees fewer images than the paper's."
    )
    return accuracy(series, expected, beside=not case.full_scale, note=note)


SCALE = "an absolute accuracy on all of CIFAR-10 at full width cannot be asked of narrower networks on fewer images"


def untested(what: str, unit: str, why: str, *, keys: tuple[str, ...] = ()) -> Quantity:
    """A quantity that this profile cannot measure, and why. keys: runs that are there and do not decide it."""
    return Quantity(what, unit, Range(reason="any value"), void=why, keys=keys)


def _paired(
    part: Quantity, first: Series, second: Series
) -> tuple[Quantity, dict[int, tuple[Sample, Sample]]]:
    """The part with its runs, and the samples of the seeds that both have; none where nothing can be paired."""
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
    return replace(part, keys=keys), pairs


def _without_chance(part: Quantity, every: Collection[int], left: Collection[int]) -> Quantity:
    """The part without the seeds of nets at chance, saying which they were."""
    gone = [seed for seed in every if seed not in left]
    if not gone:
        return part
    seeds = f"seed{'s' if len(gone) > 1 else ''} {', '.join(map(str, gone))}"
    if not left:
        return replace(part, void=f"at chance in every run ({seeds}), and such nets are excluded")
    return replace(part, note=f"{part.note} Excluded, as a net is at chance: {seeds}.".strip())


PAIR = ("VGG5", "VGG3x2-v2")  # the two nets that the text calls successful

SHORT = (
    "Both sides train for the same few epochs on a few thousand images. The article trains each until its accuracy no longer "
    "rises, so at this scale a gap may be one of speed."
)

FACTOR_2 = (
    "a factor of 2 either way: the price list alone changes EE about sixfold, and rates depend on the recipe"
)


def short(case: Case) -> str:
    """What weighs on a gap between a spiking network and its ANN at less than the paper's scale."""
    return "" if case.full_scale else SHORT


def first(case: Case, network: str, role: str = "snn") -> Series:
    """The runs at the smallest T that is planned, which is where all comparisons of Table 8 are made."""
    planned = case.planned(network, role)
    return case.series(network, role, planned[0] if planned else None)


CONVERTED = "converted"


def longest(case: Case, name: str, role: str = CONVERTED) -> Series:
    """The converted network at the largest simulated T."""
    times = case.times(name, role)
    return case.series(name, role, times[-1] if times else None)


HYBRID = "hybrid-stochmax"  # what section 8.3 trains on CIFAR-10; softmax stands beside it

#: What weighs on every claim about ImageNet here.
SUBSET = "QuantityVerdict on ten of ImageNet's classes, imagenette, at low resolution and small width."
