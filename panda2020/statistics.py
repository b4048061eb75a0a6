"""How sure a number is: two sources of error, kept apart.

Seeds. Another seed gives other weights, other training images, other spikes. What is true of the recipe, not of one
run, is the mean over seeds, with Student's t interval. One seed has no such interval: it is None, never 0.

Test images. Another few thousand images would give another accuracy, even of the same network. All seeds of a profile
are tested on the same images, so more seeds do not reduce this error. Two networks tested on the same images are
compared image by image: what both get right or both get wrong says nothing about their difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from snncore._check import between, whole

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """The mean of ``count`` values and its interval; ``low`` and ``high`` are None where one value gives none."""

    mean: float
    low: float | None
    high: float | None
    count: int

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None else self.mean - self.low


def mean_over_seeds(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Mean:
    """The mean with Student's t interval, ``mean +- t s / sqrt(n)`` with n - 1 degrees of freedom.

    Raises ``ValueError`` for no values, and for a confidence outside of (0, 1).
    """
    _check(confidence)
    if not len(values):
        raise ValueError("values must hold at least one number, got none")
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return Mean(mean, None, None, 1)
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * np.std(values, ddof=1) / math.sqrt(count))
    return Mean(mean, mean - half, mean + half, count)


def wilson(correct: float, total: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval for the share behind ``correct`` of ``total`` test images.

    With z the normal quantile and p = correct / total,

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n) .

    ``correct`` may be a mean over seeds, then not whole; ``total`` stays the number of images. Raises ``ValueError`` for
    counts that cannot be.
    """
    _check(confidence)
    between("correct", correct, 0, whole("total", total))
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share, spread = correct / total, z * z / total
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    low, high = ((share + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # rounding must not leave the share out


def hits(bits: str, total: int) -> np.ndarray:
    """Which test images were right, bool (total,), from a record's ``hits``: hexadecimal, first image first.

    Raises ``ValueError`` where the text has not the ``ceil(total / 4)`` digits it must have.
    """
    digits = -(-whole("total", total) // 4)
    if len(bits) != digits:
        raise ValueError(f"bits must have {digits} hexadecimal digits for {total} images, got {len(bits)}")
    return np.array([character == "1" for character in f"{int(bits, 16):0{4 * digits}b}"[:total]])


@dataclass(frozen=True)
class Paired:
    """Accuracy of one network minus that of another on the same images.

    difference: mean over images (and seeds). error: its standard error from the images alone, never 0. seeds: the same
    difference over seeds, with its interval. only_first, only_second: images that one of the two got right, and p the
    exact McNemar test of their being equally many; None where there is more than one seed.
    """

    difference: float
    error: float
    seeds: Mean
    only_first: int | None
    only_second: int | None
    p: float | None

    def interval(self, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval from the test images alone, ``difference +- z error``."""
        _check(confidence)
        half = float(stats.norm.ppf((1 + confidence) / 2)) * self.error
        return self.difference - half, self.difference + half


def paired(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, confidence: float = CONFIDENCE
) -> Paired:
    """Compare two networks image by image; ``first`` and ``second`` hold the hits of one run per seed, (images,) each.

    d_i, the difference at image i, is averaged over seeds; the standard error is that of the mean over images (``image_error``).
    With one seed this is McNemar's setting, ``n_10 - n_01`` discordant images, and the exact test asks whether a fair coin
    would divide them as unevenly. Raises ``ValueError`` for no runs, for runs that are not in pairs, and for different
    numbers of images.
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
    return Paired(
        difference=float(by_image.mean()),
        error=image_error(by_image),
        seeds=mean_over_seeds(by_run.mean(1).tolist(), confidence=confidence),
        only_first=only_first if one else None,
        only_second=only_second if one else None,
        p=mcnemar(only_first, only_second) if one else None,
    )


def image_error(differences: np.ndarray) -> float:
    """Standard error of the mean of differences d_i at n test images, from the images alone.

    Two images are added to the n, as half an image each way and one with no difference (Agresti and Min 2005): two networks
    that agree on a few hundred images may still differ, and an error of 0 would say that they cannot. With N = n + 2,

        sqrt((sum(d^2) + 1) / N - (sum(d) / N)^2) / sqrt(N) .
    """
    count = differences.size + 2
    mean, square = float(differences.sum()) / count, (float(np.square(differences).sum()) + 1) / count
    return math.sqrt((square - mean * mean) / count)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact McNemar test: how likely a fair coin divides the discordant images at least as unevenly."""
    discordant = whole("only_first", only_first, least=0) + whole("only_second", only_second, least=0)
    return 1.0 if discordant == 0 else float(stats.binomtest(only_first, discordant, 0.5).pvalue)


def _check(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence!r}")
