"""Uncertainty of a number, from two separate sources of error.

Seeds. Another seed gives different weights, training images and spikes. A statement about the recipe, not about one
run, needs the mean over seeds, with Student's t interval. One seed has no such interval: it is None, never 0. A few seeds
estimate their variance badly; if several networks of one family are recorded, it is pooled over them (``Pool``).

Test images. A different set of a few thousand images would give a different accuracy, even for the same network. All seeds
of a profile are tested on the same images, so more seeds do not reduce this error. Two networks tested on the same images
are compared image by image: images that both get right or both get wrong carry no information about their difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from snncore._check import between, whole

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An interval from ``low`` to ``high``. It unpacks as a pair; its text is for data files (``exhibits.numbers`` prints it)."""

    low: float
    high: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.low, self.high))

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __mul__(self, factor: float) -> Interval:
        """Scaled by a positive factor, such as 100 from shares to per cent."""
        return Interval(self.low * factor, self.high * factor)

    def __str__(self) -> str:
        return " to ".join(repr(float(bound)) for bound in dict.fromkeys(self))

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2


#: Source of an interval (``Estimate.basis``), in words.
BASES = {
    "seeds": "seeds",
    "both": "seeds and test images",
    "images": "test images alone",
    "computed": "computed",
    "none": "one seed",
}


@dataclass(frozen=True)
class Pool:
    """The standard deviation of one value over seeds, estimated from several networks.

    Attributes:
        deviation: the standard deviation; of logarithms if ``logarithmic``.
        freedom: its degrees of freedom.
        networks: number of networks it is pooled over.
        logarithmic: see ``deviation``.
    """

    deviation: float
    freedom: int
    networks: int
    logarithmic: bool = False

    def __mul__(self, factor: float) -> Pool:
        """The deviation of a value ``factor`` times as large, such as a mean of networks."""
        return Pool(self.deviation * factor, self.freedom, self.networks, self.logarithmic)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, over ``seeds`` seeds.

    Attributes:
        basis: source of the interval, "seeds", "images", "both" or "computed"; "none" if the interval is None, as for one
            seed.
        pool: set if the variance over seeds is pooled over several networks.
    """

    mean: float
    interval: Interval | None
    seeds: int
    basis: str = "seeds"
    pool: Pool | None = None

    @property
    def over(self) -> str:
        """The source of the interval, in words."""
        return BASES[self.basis]

    def __neg__(self) -> Estimate:
        flipped = None if self.interval is None else -self.interval
        return Estimate(-self.mean, flipped, self.seeds, self.basis, self.pool)

    def __mul__(self, factor: float) -> Estimate:
        """Scaled by a positive factor."""
        scaled = None if self.interval is None else self.interval * factor
        return Estimate(self.mean * factor, scaled, self.seeds, self.basis, self.pool)


def mean_over_seeds(
    values: Sequence[float], *, confidence: float = CONFIDENCE, pool: Pool | None = None
) -> Estimate:
    """The mean with Student's t interval, ``mean +- t s / sqrt(n)`` with n - 1 degrees of freedom, or those of ``pool``.

    Raises:
        ValueError: no values, or a confidence outside (0, 1).
    """
    _check(confidence)
    if not len(values):
        raise ValueError("values must hold at least one number, got none")
    mean, count = float(np.mean(values)), len(values)
    if count == 1 and pool is None:
        return Estimate(mean, None, 1, "none")
    deviation = float(np.std(values, ddof=1)) if pool is None else pool.deviation
    freedom = count - 1 if pool is None else pool.freedom
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * deviation / math.sqrt(count)
    return Estimate(mean, Interval(mean - half, mean + half), count, pool=pool)


def estimate(
    values: Sequence[float],
    images: Interval | None = None,
    *,
    ratio: bool = False,
    confidence: float = CONFIDENCE,
    pool: Pool | None = None,
) -> Estimate:
    """The mean over seeds with its total interval: the errors over seeds and from the test images, added in quadrature.

    Args:
        images: interval of the mean from the test images alone, at ``CONFIDENCE``.
        ratio: compute mean and interval in logarithms (the geometric mean), so that a ratio and its inverse agree; not if a
            value is 0.
        pool: the variance over seeds, estimated from several networks.
    """
    if ratio and min(values) > 0:
        logs = None if images is None else Interval(math.log(max(images.low, 1e-300)), math.log(images.high))
        found = _total([math.log(value) for value in values], logs, confidence, pool)
        interval = found.interval and Interval(*(math.exp(min(end, 700.0)) for end in found.interval))
        return Estimate(math.exp(found.mean), interval, found.seeds, found.basis, found.pool)
    return _total(values, images, confidence, None if pool is None or pool.logarithmic else pool)


def _total(
    values: Sequence[float], images: Interval | None, confidence: float, pool: Pool | None
) -> Estimate:
    found = mean_over_seeds(values, confidence=confidence, pool=pool)
    mean = found.mean
    sides: dict[str, tuple[float, float]] = {}  # extent below and above the mean
    if found.interval is not None:
        sides["seeds"] = found.interval.half, found.interval.half
    if images is not None:
        stretch = float(stats.norm.ppf((1 + confidence) / 2) / stats.norm.ppf((1 + CONFIDENCE) / 2))
        sides["images"] = stretch * (mean - images.low), stretch * (images.high - mean)
    if not sides:
        return found
    under, over = (math.hypot(*side) for side in zip(*sides.values(), strict=True))
    basis = "both" if len(sides) == 2 else next(iter(sides))
    return Estimate(mean, Interval(mean - under, mean + over), found.seeds, basis, found.pool)


def pooled(groups: Sequence[Sequence[float]], *, logarithmic: bool = False) -> Pool | None:
    """The pooled variance within groups, with one group per network and one value per seed.

    It is the sum of squares about each group's mean, divided by sum(n - 1) degrees of freedom; None if no group has two values.

    Args:
        groups: values by network.
        logarithmic: the values are logarithms.
    """
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    if not freedom:
        return None
    squares = sum(float(np.sum(np.square(np.subtract(group, np.mean(group))))) for group in several)
    return Pool(math.sqrt(squares / freedom), freedom, len(several), logarithmic)


def pooled_difference(groups: Sequence[Mapping[int, float]], *, logarithmic: bool = False) -> Pool | None:
    """The variance of the difference of two networks with one seed, from all networks of a family.

    With the least-squares model y = network + seed + rest, which also uses seeds that not all networks have, a difference has
    twice the variance of the rest. With two networks it is the variance of their paired differences. None if no degree of
    freedom is left.

    Args:
        groups: value by seed, for each network.
    """
    rows = [(n, seed, value) for n, group in enumerate(groups) for seed, value in group.items()]
    seeds = sorted({seed for _, seed, _ in rows})
    design = np.zeros((len(rows), len(groups) + len(seeds)))
    for row, (n, seed, _) in enumerate(rows):
        design[row, n] = design[row, len(groups) + seeds.index(seed)] = 1.0
    freedom = len(rows) - int(np.linalg.matrix_rank(design)) if rows else 0
    if freedom < 1:
        return None
    values = np.array([value for *_, value in rows])
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return Pool(math.sqrt(2 * float(rest @ rest) / freedom), freedom, len(groups), logarithmic)


def false_discovery(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's q of each p: the smallest false discovery rate at which it counts as a discovery.

    With the p in rising order, ``q_i = min over j >= i of p_j m / j``.

    Raises:
        ValueError: a p outside [0, 1].
    """
    for one in p:
        between("p", one, 0, 1)
    return [float(one) for one in stats.false_discovery_control(p)] if len(p) else []


@lru_cache(maxsize=2)
def _weights(images: int, resamples: int) -> np.ndarray:
    """Number of times each image is drawn in each resample, (resamples, images); whole numbers have exact sums in float32."""
    drawn = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), size=resamples)
    return drawn.astype(np.float32)


def resampled(right: np.ndarray, *, resamples: int) -> np.ndarray:
    """Accuracies under resampling of the test images (bootstrap), (resamples, runs).

    Every call with the same number of images draws the same images, so that networks tested on the same images stay paired.

    Args:
        right: whether each image was classified correctly, (runs, images).
    """
    images = right.shape[1]
    found: np.ndarray = (_weights(images, resamples) @ right.T.astype(np.float32)).astype(float) / images
    return found


def accuracy_estimate(correct: Sequence[int], total: int, *, pool: Pool | None = None) -> Estimate:
    """Accuracy as a share of ``total`` test images, from the correct images of one run per seed, with its total interval."""
    return estimate([one / total for one in correct], wilson(float(np.mean(correct)), total), pool=pool)


def wilson(correct: float, total: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval for the share of ``correct`` in ``total`` test images.

    With z the normal quantile and p = correct / total,

    .. code-block:: text

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) .

    Args:
        correct: may be a mean over seeds, so not whole.
        total: the number of images.

    Raises:
        ValueError: counts that are impossible.
    """
    _check(confidence)
    between("correct", correct, 0, whole("total", total))
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share, spread = correct / total, z * z / total
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    low, high = ((share + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return Interval(
        max(0.0, min(low, share)), min(1.0, max(high, share))
    )  # rounding must not exclude the share


def hits(bits: str, total: int) -> np.ndarray:
    """Whether each test image was classified correctly, bool (total,), from a record's ``hits``: hexadecimal, first image first.

    Raises:
        ValueError: a text without the required ``ceil(total / 4)`` digits.
    """
    digits = -(-whole("total", total) // 4)
    if len(bits) != digits:
        raise ValueError(f"bits must have {digits} hexadecimal digits for {total} images, got {len(bits)}")
    return np.array([character == "1" for character in f"{int(bits, 16):0{4 * digits}b}"[:total]])


@dataclass(frozen=True)
class Paired:
    """Accuracy of one network minus that of another on the same images.

    Attributes:
        difference: mean over images (and seeds).
        error: its standard error from the images alone, never 0.
        seeds: the difference over seeds, with its interval.
        total: with the interval over seeds and images together.
        only_first: number of images that only the first network got right; None with more than one seed.
        only_second: the same for the second network.
        p: exact McNemar test that both numbers are equal; None with more than one seed.
    """

    difference: float
    error: float
    seeds: Estimate
    total: Estimate
    only_first: int | None
    only_second: int | None
    p: float | None

    @property
    def images(self) -> Interval:
        """The interval from the test images alone, ``difference +- z error``."""
        return _around(self.difference, self.error)


def _around(centre: float, error: float) -> Interval:
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Interval(centre - half, centre + half)


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, pool: Pool | None = None) -> Paired:
    """Compare two networks image by image.

    The difference d_i at image i is averaged over seeds; the standard error is that of the mean over images (``image_error``).
    With one seed this is McNemar's setting with ``n_10 - n_01`` discordant images, and the exact test gives the probability
    that a fair coin divides them at least as unevenly.

    Args:
        first: which images were correct in each run, one run per seed, (images,) each.
        second: the same for the other network.
        pool: the variance of the difference over seeds, estimated from several networks.

    Raises:
        ValueError: no runs, runs that are not in pairs, or different numbers of images.
    """
    if not len(first) or len(first) != len(second):
        raise ValueError(
            f"first and second must have as many runs, at least one, got {len(first)} and {len(second)}"
        )
    if len({len(run) for run in (*first, *second)}) != 1:
        raise ValueError("first and second must be runs on the same images, got different numbers of images")
    by_run = np.stack(first).astype(float) - np.stack(second).astype(float)  # (seeds, images) of -1, 0, 1
    by_image = by_run.mean(0)
    one = len(first) == 1
    only_first, only_second = int((by_run[0] > 0).sum()), int((by_run[0] < 0).sum())
    difference, error, values = float(by_image.mean()), image_error(by_image), by_run.mean(1).tolist()
    return Paired(
        difference=difference,
        error=error,
        seeds=mean_over_seeds(values),
        total=estimate(values, _around(difference, error), pool=pool),
        only_first=only_first if one else None,
        only_second=only_second if one else None,
        p=mcnemar(only_first, only_second) if one else None,
    )


def image_error(differences: np.ndarray) -> float:
    """Standard error of the mean of differences d_i at n test images, from the images alone.

    Two pseudo-images are added to the n: half an image each way and one without a difference (Agresti and Min 2005). Two
    networks that agree on a few hundred images may still differ, so the error must not be 0. With N = n + 2,

    .. code-block:: text

        sqrt((sum(d^2) + 1) / N - (sum(d) / N)^2) / sqrt(N) .
    """
    count = differences.size + 2
    mean, square = float(differences.sum()) / count, (float(np.square(differences).sum()) + 1) / count
    return math.sqrt((square - mean * mean) / count)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact McNemar test: the probability that a fair coin divides the discordant images at least as unevenly."""
    discordant = whole("only_first", only_first, least=0) + whole("only_second", only_second, least=0)
    return 1.0 if discordant == 0 else float(stats.binomtest(only_first, discordant, 0.5).pvalue)


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence!r}")
