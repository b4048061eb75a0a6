"""From numbers to a verdict: the rules by which a claim is judged, the same for all of them.

A claim is taken apart into quantities (``Part``), each with the range in which it supports the claim and the reason for
that range's width. What is compared with the range is never a number but its interval:

- two seeds or more: Student's t interval of the mean over seeds, values paired by seed; of ratios in logarithms, so that a
  ratio and its inverse give one verdict and no interval reaches below 0. All seeds are tested on the same
  images, so it does not hold the error from having only these, which accuracies and their paired differences have an interval
  for as well. The two errors are independent, or nearly: their half-widths are added as squares. (Nearly: what is special to
  a seed and an image is in both, so the sum is a little too wide.)
- one seed: there is no interval over seeds. What is left is that from the test images. It decides what one trained network
  shows by itself, such as a conversion against the ANN it was made from; it decides nothing between networks that were
  trained apart, nor of an accuracy as such, since it says nothing of how much another training run would differ;
- computed: exact, its own interval.

    interval inside the range                              supported
    interval inside the claimed direction, not the range   direction only
    interval and range apart, direction not shown          contradicted
    anything else                                          inconclusive

A claim is supported if all its parts are, and contradicted if one is. Among many parts one or another fails by luck, so
for a part to refute the claim its interval is taken at a confidence of 1 - 0.05 / (number of parts), which is Bonferroni's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from panda2020.statistics import CONFIDENCE, Mean, mean_over_seeds

SUPPORTED = "supported"

DIRECTION = "direction only"

CONTRADICTED = "contradicted"

INCONCLUSIVE = "inconclusive"

NOT_TESTED = "not tested"

VERDICTS = (SUPPORTED, DIRECTION, CONTRADICTED, INCONCLUSIVE, NOT_TESTED)

RATIO = "×"  # the unit of a ratio

#: A sign for each verdict. Sign, word and colour all differ.
SIGNS = {SUPPORTED: "✔", DIRECTION: "◐", CONTRADICTED: "✘", INCONCLUSIVE: "≈", NOT_TESTED: "○"}


@dataclass(frozen=True)
class Range:
    """Where a quantity must lie. ``strict`` leaves the bounds themselves out. ``reason`` says why it is that wide."""

    low: float = -math.inf
    high: float = math.inf
    reason: str = ""
    strict: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")

    def holds(self, low: float, high: float) -> bool:
        """Whether the whole interval lies inside."""
        return self.low < low and high < self.high if self.strict else self.low <= low and high <= self.high

    def apart(self, low: float, high: float) -> bool:
        """Whether no point of the interval lies inside."""
        return high <= self.low or low >= self.high if self.strict else high < self.low or low > self.high

    def __str__(self) -> str:
        if self.low == -math.inf and self.high == math.inf:
            return "any value"
        if self.low == -math.inf:
            return f"{'below' if self.strict else 'at most'} {number(self.high)}"
        if self.high == math.inf:
            return f"{'above' if self.strict else 'at least'} {number(self.low)}"
        return f"{number(self.low)} to {number(self.high)}"


def at_least(low: float, reason: str) -> Range:
    """``low`` or more."""
    return Range(low=low, reason=reason)


def at_most(high: float, reason: str) -> Range:
    """``high`` or less."""
    return Range(high=high, reason=reason)


def above(low: float, reason: str = "the sign of a difference needs no tolerance") -> Range:
    """More than ``low``."""
    return Range(low=low, reason=reason, strict=True)


def below(high: float, reason: str = "the sign of a difference needs no tolerance") -> Range:
    """Less than ``high``."""
    return Range(high=high, reason=reason, strict=True)


def around(low: float, high: float, reason: str) -> Range:
    """From ``low`` to ``high``."""
    return Range(low=low, high=high, reason=reason)


@dataclass(frozen=True)
class Part:
    """One quantity that a claim is about.

    what: the quantity in words, with its T. unit: "points" (of accuracy), "%" or "×" (a ratio).
    expected: where it supports the claim. direction: where it at least points the claimed way, if there is such a thing.
    values: one per seed of ``seeds``, or the one ``computed`` value. images: its interval from the test images alone. grain:
    between what bounds the mean is known at all, where it can only take coarse steps.
    apart: whether another training run would change it otherwise than the test images do: the accuracy of a trained network, or
    a difference of networks that were trained apart.
    missing: runs that it needs and that are not there, in words. void: why the values decide nothing (a net at chance).
    keys: the runs behind it. beside: shown, but no part of the verdict. note: what a reader should know of it.
    """

    what: str
    unit: str
    expected: Range
    direction: Range | None = None
    values: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    images: tuple[float, float] | None = None
    grain: tuple[float, float] | None = None
    computed: bool = False
    apart: bool = False
    missing: tuple[str, ...] = ()
    void: str = ""
    keys: tuple[str, ...] = ()
    beside: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if not self.expected.reason:
            raise ValueError(f"expected of {self.what!r} must say why it is that wide")
        if not self.computed and len(self.values) != len(self.seeds):
            raise ValueError(
                f"{self.what!r} must have one value per seed, got {len(self.values)} for {len(self.seeds)}"
            )
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"{self.what!r} must have finite values, got {self.values}")


@dataclass(frozen=True)
class Judged:
    """A part with its verdict. basis: what the interval ``low`` to ``high`` comes from, "seeds", "images", "both", "grain",
    "computed" or "none"."""

    part: Part
    verdict: str
    reason: str
    mean: Mean | None
    low: float | None
    high: float | None
    basis: str

    @property
    def one_seed(self) -> bool:
        """Whether it rests on a single seed."""
        return not self.part.computed and len(self.part.seeds) == 1


@dataclass(frozen=True)
class Conclusion:
    """The verdict on a claim, why, and the parts it was concluded from; ``weaker`` are those that show a direction, ``counted``
    those that decide. One part may be both."""

    verdict: str
    reason: str
    parts: tuple[Judged, ...]
    weaker: tuple[Judged, ...] = ()
    counted: tuple[Judged, ...] = ()

    @property
    def one_seed(self) -> bool:
        """Whether the verdict rests on a single seed: that of any quantity, or where one refutes the claim, of all that do."""
        counted = [p for p in self.parts if not p.part.beside and p.verdict != NOT_TESTED]
        if self.verdict == CONTRADICTED:  # one quantity is enough
            return all(p.one_seed for p in counted if p.verdict == CONTRADICTED)
        return any(p.one_seed for p in counted)


def judge(part: Part, *, among: int = 1) -> Judged:
    """The verdict on one quantity, which is one of ``among`` that a claim hangs on."""
    if not part.values:
        absent = "; ".join(dict.fromkeys(part.missing)) or part.void or "nothing was measured"
        verdict = (
            INCONCLUSIVE if part.void and part.keys else NOT_TESTED
        )  # there are runs, and they decide nothing
        return Judged(part, verdict, absent, None, None, None, "none")
    mean = mean_over_seeds(part.values)
    low, high, basis = _interval(part, CONFIDENCE)
    if part.void:
        return Judged(part, INCONCLUSIVE, part.void, mean, low, high, basis)
    if low is None or high is None:
        return Judged(part, INCONCLUSIVE, "one seed gives no interval", mean, None, None, basis)
    if part.apart and mean.count == 1:
        reason = "one seed, so how much another training run would differ is not known"
        return Judged(part, INCONCLUSIVE, reason, mean, low, high, basis)
    verdict, reason = _compare(part, low, high)
    if verdict == CONTRADICTED and among > 1:
        wide_low, wide_high, _ = _interval(part, 1 - (1 - CONFIDENCE) / among)
        assert wide_low is not None and wide_high is not None
        if _compare(part, wide_low, wide_high)[0] != CONTRADICTED:
            verdict, reason = (
                INCONCLUSIVE,
                f"outside the expected range, as one of {among} quantities may be by luck",
            )
    if basis == "images":
        reason += "; one seed, so the interval is that of the test images alone"
    if basis == "grain":
        reason += (
            "; the seeds agree better than it can be measured, so the interval is how finely it is known"
        )
    return Judged(part, verdict, reason, mean, low, high, basis)


def _interval(part: Part, confidence: float) -> tuple[float | None, float | None, str]:
    """(low, high, what it comes from): the intervals over seeds and from the test images, their errors added as squares.

    The grain of a coarse quantity takes their place where it is wider, beside several seeds only: without them it says nothing
    of other runs.
    """
    if part.computed:
        return min(part.values), max(part.values), "computed"
    mean = mean_over_seeds(part.values, confidence=confidence)
    sides: dict[str, tuple[float, float]] = {}  # how far it reaches below and above the mean
    if mean.half is not None:
        sides["seeds"] = mean.half, mean.half
        if part.unit == RATIO and min(part.values) > 0:
            logs = mean_over_seeds([math.log(value) for value in part.values], confidence=confidence)
            assert logs.low is not None and logs.high is not None
            sides["seeds"] = mean.mean - math.exp(logs.low), math.exp(logs.high) - mean.mean
    if part.images is not None:
        stretch = float(stats.norm.ppf((1 + confidence) / 2) / stats.norm.ppf((1 + CONFIDENCE) / 2))
        sides["images"] = stretch * (mean.mean - part.images[0]), stretch * (part.images[1] - mean.mean)
    if not sides:
        return None, None, "none"
    under, over = (math.hypot(*side) for side in zip(*sides.values(), strict=True))
    if part.grain is not None and mean.count > 1 and part.grain[1] - part.grain[0] > under + over:
        return *part.grain, "grain"
    return mean.mean - under, mean.mean + over, "both" if len(sides) == 2 else next(iter(sides))


def _compare(part: Part, low: float, high: float) -> tuple[str, str]:
    where = "the value" if part.computed and low == high else "the interval"
    if part.expected.holds(low, high):
        return SUPPORTED, f"{where} lies inside the expected range"
    outside = part.expected.apart(low, high)
    if part.direction is not None and part.direction.holds(low, high):
        size = "but of another size" if outside else "but its size is not decided"
        return DIRECTION, f"{where} shows the claimed direction, {size}"
    if outside:
        return CONTRADICTED, f"{where} and the expected range do not meet"
    return INCONCLUSIVE, f"{where} reaches beyond the expected range"


def conclude(parts: Sequence[Part], *, weaker: Sequence[Part] = ()) -> Conclusion:
    """The verdict on a claim from its quantities.

    ``weaker`` are quantities that show its direction; if all of them are supported, a claim that is not supported becomes
    "direction only". Raises ``ValueError`` where no quantity counts.
    """
    among = sum(not part.beside for part in parts)
    judged = tuple(judge(part, among=among) for part in parts)
    counted = [j for j in judged if not j.part.beside]
    if not counted and not weaker:
        raise ValueError("parts must hold at least one quantity that counts, got none")
    hints = tuple(judge(part, among=len(weaker)) for part in weaker)
    verdict, reason = _all(counted) if counted else (INCONCLUSIVE, "its size is not tested at this scale")
    if verdict not in (SUPPORTED, DIRECTION) and hints and all(h.verdict == SUPPORTED for h in hints):
        verdict, reason = DIRECTION, f"as claimed: {'; '.join(h.part.what for h in hints)}; but {reason}"
    elif not counted and hints:
        verdict, reason = _all(hints)
    return Conclusion(verdict, reason, tuple(dict.fromkeys(judged + hints)), hints, tuple(counted))


def _all(judged: Sequence[Judged]) -> tuple[str, str]:
    """The verdict on "all of these hold", with the quantities that decide it."""
    for verdict in (CONTRADICTED, NOT_TESTED, INCONCLUSIVE, DIRECTION):
        deciding = [j for j in judged if j.verdict == verdict]
        if deciding:
            return verdict, _because(deciding)
    return SUPPORTED, _because(judged)


def _because(judged: Sequence[Judged]) -> str:
    """The reasons of some quantities, each once, with the quantities it holds for; what is missing, each once."""
    missing = dict.fromkeys(text for j in judged for text in j.part.missing)
    whats: dict[str, list[str]] = {}
    for j in judged:
        if not j.part.missing:
            whats.setdefault(j.reason, []).append(j.part.what)
    return "; ".join([*missing, *(f"{reason} ({'; '.join(names)})" for reason, names in whats.items())])


def number(value: float) -> str:
    """A number for a sentence: three digits, or all of a larger number's, and a true minus sign; what rounding left of 0 is 0."""
    value = 0.0 if abs(value) < 1e-12 else value
    return (f"{value:,.0f}" if 999.5 <= abs(value) < math.inf else f"{value + 0.0:.3g}").replace("-", "−")
