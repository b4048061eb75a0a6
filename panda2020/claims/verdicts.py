"""From numbers to a verdict: the rules by which a claim is judged, the same for all of them.

A claim is taken apart into quantities (``Quantity``), each with the range in which it supports the claim and the reason for
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

from panda2020.exhibits.numbers import number
from panda2020.statistics import CONFIDENCE, Estimate, Interval, estimate

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
class Quantity:
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
    images: Interval | None = None
    grain: Interval | None = None
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
class QuantityVerdict:
    """A quantity with its verdict. estimate: its value and interval, None where nothing was measured."""

    quantity: Quantity
    verdict: str
    reason: str
    estimate: Estimate | None

    @property
    def basis(self) -> str:
        """What its interval comes from, see ``Estimate``."""
        return "none" if self.estimate is None else self.estimate.basis

    @property
    def one_seed(self) -> bool:
        """Whether it rests on a single seed."""
        return not self.quantity.computed and len(self.quantity.seeds) == 1


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim, why, and the parts it was concluded from; ``weaker`` are those that show a direction, ``counted``
    those that decide. One part may be both."""

    verdict: str
    reason: str
    parts: tuple[QuantityVerdict, ...]
    weaker: tuple[QuantityVerdict, ...] = ()
    counted: tuple[QuantityVerdict, ...] = ()

    @property
    def one_seed(self) -> bool:
        """Whether the verdict rests on a single seed: that of any quantity, or where one refutes the claim, of all that do."""
        counted = [p for p in self.parts if not p.quantity.beside and p.verdict != NOT_TESTED]
        if self.verdict == CONTRADICTED:  # one quantity is enough
            return all(p.one_seed for p in counted if p.verdict == CONTRADICTED)
        return any(p.one_seed for p in counted)


def judge(quantity: Quantity, *, among: int = 1) -> QuantityVerdict:
    """The verdict on one quantity, which is one of ``among`` that a claim depends on."""
    if not quantity.values:
        absent = "; ".join(dict.fromkeys(quantity.missing)) or quantity.void or "nothing was measured"
        # a void quantity has runs, and they decide nothing
        verdict = INCONCLUSIVE if quantity.void and quantity.keys else NOT_TESTED
        return QuantityVerdict(quantity, verdict, absent, None)
    found = _estimate(quantity, CONFIDENCE)
    if quantity.void:
        return QuantityVerdict(quantity, INCONCLUSIVE, quantity.void, found)
    if found.interval is None:
        return QuantityVerdict(quantity, INCONCLUSIVE, "one seed gives no interval", found)
    if quantity.apart and found.seeds == 1:
        reason = "one seed, so how much another training run would differ is not known"
        return QuantityVerdict(quantity, INCONCLUSIVE, reason, found)
    verdict, reason = _compare(quantity, found.interval)
    if verdict == CONTRADICTED and among > 1:
        wide = _estimate(quantity, 1 - (1 - CONFIDENCE) / among).interval
        assert wide is not None
        if _compare(quantity, wide)[0] != CONTRADICTED:
            verdict, reason = (
                INCONCLUSIVE,
                f"outside the expected range, as one of {among} quantities may be by luck",
            )
    if found.basis == "images":
        reason += "; one seed, so the interval is that of the test images alone"
    if found.basis == "grain":
        reason += (
            "; the seeds agree better than it can be measured, so the interval is how finely it is known"
        )
    return QuantityVerdict(quantity, verdict, reason, found)


def _estimate(quantity: Quantity, confidence: float) -> Estimate:
    """The mean with its total interval (``statistics.estimate``).

    The grain of a coarse quantity replaces the interval where it is wider and there are several seeds: with one seed it
    says nothing about other runs.
    """
    values = quantity.values
    if quantity.computed:
        return Estimate(
            sum(values) / len(values), Interval(min(values), max(values)), len(values), "computed"
        )
    found = estimate(values, quantity.images, ratio=quantity.unit == RATIO, confidence=confidence)
    grain, interval = quantity.grain, found.interval
    if grain is not None and interval is not None and found.seeds > 1 and grain.half > interval.half:
        return Estimate(found.mean, grain, found.seeds, "grain")
    return found


def _compare(quantity: Quantity, interval: Interval) -> tuple[str, str]:
    where = "the value" if quantity.computed and interval.low == interval.high else "the interval"
    if quantity.expected.holds(*interval):
        return SUPPORTED, f"{where} lies inside the expected range"
    outside = quantity.expected.apart(*interval)
    if quantity.direction is not None and quantity.direction.holds(*interval):
        size = "but of another size" if outside else "but its size is not decided"
        return DIRECTION, f"{where} shows the claimed direction, {size}"
    if outside:
        return CONTRADICTED, f"{where} and the expected range do not meet"
    return INCONCLUSIVE, f"{where} reaches beyond the expected range"


def conclude(parts: Sequence[Quantity], *, weaker: Sequence[Quantity] = ()) -> ClaimVerdict:
    """The verdict on a claim from its quantities.

    ``weaker`` are quantities that show its direction; if all of them are supported, a claim that is not supported becomes
    "direction only". Raises ``ValueError`` where no quantity counts.
    """
    among = sum(not part.beside for part in parts)
    found = tuple(judge(part, among=among) for part in parts)
    counted = [j for j in found if not j.quantity.beside]
    if not counted and not weaker:
        raise ValueError("parts must hold at least one quantity that counts, got none")
    hints = tuple(judge(part, among=len(weaker)) for part in weaker)
    verdict, reason = _all(counted) if counted else (INCONCLUSIVE, "its size is not tested at this scale")
    if verdict not in (SUPPORTED, DIRECTION) and hints and all(h.verdict == SUPPORTED for h in hints):
        verdict, reason = DIRECTION, f"as claimed: {'; '.join(h.quantity.what for h in hints)}; but {reason}"
    elif not counted and hints:
        verdict, reason = _all(hints)
    return ClaimVerdict(verdict, reason, tuple(dict.fromkeys(found + hints)), hints, tuple(counted))


def _all(found: Sequence[QuantityVerdict]) -> tuple[str, str]:
    """The verdict on "all of these hold", with the quantities that decide it."""
    for verdict in (CONTRADICTED, NOT_TESTED, INCONCLUSIVE, DIRECTION):
        deciding = [j for j in found if j.verdict == verdict]
        if deciding:
            return verdict, _because(deciding)
    return SUPPORTED, _because(found)


def _because(found: Sequence[QuantityVerdict]) -> str:
    """The reasons of some quantities, each once, with the quantities it holds for; what is missing, each once."""
    missing = dict.fromkeys(text for j in found for text in j.quantity.missing)
    whats: dict[str, list[str]] = {}
    for j in found:
        if not j.quantity.missing:
            whats.setdefault(j.reason, []).append(j.quantity.what)
    return "; ".join([*missing, *(f"{reason} ({'; '.join(names)})" for reason, names in whats.items())])
