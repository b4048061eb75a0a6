"""From numbers to a verdict: the rules for judging a claim, the same for all claims.

A claim consists of quantities (``Quantity``). Each is asked two things, and both answers come from one 95 % interval
over seeds and test images (``statistics.estimate``):

.. code-block:: text

    direction    shown       the whole interval lies where the sentence points
                 opposite    the whole interval lies elsewhere
                 open        it reaches to both sides
    size         as stated   the whole interval lies within the stated size and its tolerance (``protocol``)
                 another     the whole interval lies outside
                 open        it reaches to both

A sentence may give only one of them: "higher" has no size, "near" has no direction. The verdict follows:

.. code-block:: text

    supported        direction shown and size as stated, as far as the sentence gives them
    direction only   direction shown, size another or open
    contradicted     opposite direction; or, for a size without direction, another size
    open             the rest
    not testable     section 4 of the protocol refuses: a network has not learnt, or this scale cannot be asked
    not recorded     a run that the quantity needs is missing; all seeds of a comparison decide, or none

A wider interval never gives a harsher verdict: it can only turn an answer into "open". A claim is supported if all of its
quantities are, contradicted if one is, and otherwise as weak as the weakest of them. Nothing overrides a quantity. Claims
that hold by construction have a separate word (``claims.yml`` lists them, and their chapter gives the reason).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from panda2020.statistics import CONFIDENCE, Estimate, Interval, Pool, estimate

from .ranges import Range

SUPPORTED = "supported"

DIRECTION = "direction only"

CONTRADICTED = "contradicted"

OPEN = "open"

NOT_TESTABLE = "not testable"

NOT_RECORDED = "not recorded"

BY_CONSTRUCTION = "by construction"

VERDICTS = (SUPPORTED, DIRECTION, CONTRADICTED, OPEN, NOT_TESTABLE, NOT_RECORDED, BY_CONSTRUCTION)

#: The verdicts that say something about the article.
DECISIVE = (SUPPORTED, DIRECTION, CONTRADICTED)

#: From the strongest to the weakest that a claim can be where nothing contradicts it.
_WEAKER = (NOT_RECORDED, NOT_TESTABLE, OPEN, DIRECTION)

SHOWN, OPPOSITE = "shown", "opposite"

STATED, ANOTHER = "as stated", "another"

RATIO = "×"  # the unit of a ratio

#: A sign for each verdict. Sign, word and colour all differ.
SIGNS = {
    SUPPORTED: "✔",
    DIRECTION: "◐",
    CONTRADICTED: "✘",
    OPEN: "≈",
    NOT_TESTABLE: "⊘",
    NOT_RECORDED: "○",
    BY_CONSTRUCTION: "≡",
}


@dataclass(frozen=True)
class Quantity:
    """One quantity of a claim.

    Attributes:
        what: the quantity in words, with its T.
        unit: "points" (of accuracy), "%" or "×" (a ratio).
        direction: the range that the claimed direction allows. A quantity has a direction, a size, or both.
        size: the range of the stated size, tolerance included.
        seeds: the seeds of ``values``.
        values: one per seed, or the one ``computed`` value.
        computed: the value needs no run.
        images: the interval of their mean from the test images alone.
        pool: the variance over seeds, estimated from several networks.
        apart: whether another training run would change it independently of the test images: the accuracy of a trained
            network, or a difference of separately trained networks.
        missing: missing runs that it needs, in words.
        void: the reason why this scale cannot be asked (section 4).
        undecided: the reason why the values leave it open for any value.
        keys: the runs behind it.
        beside: shown, but not part of the verdict.
        note: a remark for the reader.
    """

    what: str
    unit: str
    direction: Range | None = None
    size: Range | None = None
    values: tuple[float, ...] = ()
    seeds: tuple[int, ...] = ()
    images: Interval | None = None
    pool: Pool | None = None
    computed: bool = False
    apart: bool = False
    missing: tuple[str, ...] = ()
    void: str = ""
    undecided: str = ""
    keys: tuple[str, ...] = ()
    beside: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        asked = [one for one in (self.direction, self.size) if one is not None]
        if not asked:
            raise ValueError(f"{self.what!r} must have a direction or a size, got neither")
        if not all(one.reason for one in asked):
            raise ValueError(f"direction and size of {self.what!r} must say where their bounds come from")
        if not self.computed and len(self.values) != len(self.seeds):
            raise ValueError(
                f"{self.what!r} must have one value per seed, got {len(self.values)} for {len(self.seeds)}"
            )
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"{self.what!r} must have finite values, got {self.values}")

    @cached_property
    def expected(self) -> Range:
        """The range that supports the claim, in direction and size."""
        if self.direction is None or self.size is None:
            one = self.direction if self.size is None else self.size
            assert one is not None
            return one
        return self.direction & self.size


@dataclass(frozen=True)
class QuantityVerdict:
    """A quantity with its verdict.

    Attributes:
        direction: answer on the direction; "" if the sentence gives none or nothing was measured.
        size: answer on the size; "" in the same cases.
        estimate: value and interval; None if nothing was measured.
    """

    quantity: Quantity
    verdict: str
    reason: str
    estimate: Estimate | None
    direction: str = ""
    size: str = ""

    @property
    def basis(self) -> str:
        """The source of its interval; see ``Estimate``."""
        return "none" if self.estimate is None else self.estimate.basis

    @property
    def one_seed(self) -> bool:
        """Whether it rests on a single seed."""
        return not self.quantity.computed and len(self.quantity.seeds) == 1

    @property
    def p(self) -> float | None:
        """The probability of its answer by chance, 1 minus the confidence at which the interval reaches the deciding bound.

        None if nothing can decide it. Below 0.05 the direction (or a bare size) is decided, either way.
        """
        if self.estimate is None or self.estimate.interval is None or not (self.direction or self.size):
            return None
        if self.quantity.computed:
            return 0.0 if _decides(self.quantity, self.estimate.interval) else 1.0
        return _p(self.quantity)


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim, the reason, and its quantities; ``counted`` are the ones that decide."""

    verdict: str
    reason: str
    parts: tuple[QuantityVerdict, ...]
    counted: tuple[QuantityVerdict, ...] = ()

    @property
    def one_seed(self) -> bool:
        """Whether the verdict depends on a single seed.

        This is so if any of its quantities does; for a contradicted claim, if all the contradicting quantities do.
        """
        counted = [p for p in self.counted if p.verdict != NOT_RECORDED]
        if self.verdict == CONTRADICTED:  # one quantity is enough
            return all(p.one_seed for p in counted if p.verdict == CONTRADICTED)
        return any(p.one_seed for p in counted)


def judge(quantity: Quantity) -> QuantityVerdict:
    """The verdict on one quantity."""
    missing = "; ".join(dict.fromkeys(quantity.missing))
    if not quantity.values:
        reason = quantity.void or missing or "nothing was measured"
        return QuantityVerdict(quantity, NOT_TESTABLE if quantity.void else NOT_RECORDED, reason, None)
    found = total(quantity)
    if quantity.void:
        return QuantityVerdict(quantity, NOT_TESTABLE, quantity.void, found)
    if missing:
        return QuantityVerdict(quantity, NOT_RECORDED, missing, found)
    if quantity.undecided:
        return QuantityVerdict(quantity, OPEN, quantity.undecided, found)
    interval = found.interval
    if interval is None:
        return QuantityVerdict(quantity, OPEN, "one seed gives no interval", found)
    if quantity.apart and found.basis == "images":
        why = "one seed, so how much another training run would differ is not known"
        return QuantityVerdict(quantity, OPEN, why, found)
    direction, size = answers(quantity, interval)
    verdict = word(direction, size)
    reason = _reason(direction, size)
    if found.basis == "images":
        reason += "; one seed, so the interval is that of the test images alone"
    return QuantityVerdict(quantity, verdict, reason, found, direction, size)


def answers(quantity: Quantity, interval: Interval) -> tuple[str, str]:
    """The answers on direction and size; "" if the sentence does not give them."""
    return (
        _answer(quantity.direction, interval, SHOWN, OPPOSITE),
        _answer(quantity.size, interval, STATED, ANOTHER),
    )


def word(direction: str, size: str) -> str:
    """The verdict that follows from the two answers."""
    if direction == SHOWN:
        return SUPPORTED if size in ("", STATED) else DIRECTION
    if direction == OPPOSITE or (not direction and size == ANOTHER):
        return CONTRADICTED
    return SUPPORTED if not direction and size == STATED else OPEN


def total(quantity: Quantity, confidence: float = CONFIDENCE) -> Estimate:
    """The mean with its total interval; a computed value has no uncertainty."""
    values = quantity.values
    if quantity.computed:
        ends = Interval(min(values), max(values))
        return Estimate(sum(values) / len(values), ends, len(values), "computed")
    return estimate(
        values, quantity.images, ratio=quantity.unit == RATIO, confidence=confidence, pool=quantity.pool
    )


def conclude(parts: Sequence[Quantity], *, by_construction: bool = False) -> ClaimVerdict:
    """The verdict on a claim from its quantities.

    Args:
        parts: the quantities.
        by_construction: the claim holds, or fails, by arithmetic or by the reconstruction of a network; its quantities are
            shown anyway.

    Raises:
        ValueError: no quantity counts.
    """
    found = tuple(judge(part) for part in parts)
    counted = tuple(j for j in found if not j.quantity.beside)
    if not counted:
        raise ValueError("parts must hold at least one quantity that counts, got none")
    verdict, reason = _all(counted)
    if by_construction:
        reason = f"no run of ours could have come out otherwise; its quantities: {reason}"
        verdict = BY_CONSTRUCTION
    return ClaimVerdict(verdict, reason, found, counted)


def _answer(wanted: Range | None, interval: Interval, inside: str, outside: str) -> str:
    if wanted is None:
        return ""
    if wanted.holds(*interval):
        return inside
    return outside if wanted.apart(*interval) else OPEN


def _decides(quantity: Quantity, interval: Interval) -> bool:
    """Return whether the direction (or the size, if there is no direction) is answered."""
    direction, size = answers(quantity, interval)
    return (direction or size) != OPEN


def _p(quantity: Quantity) -> float:
    """By bisection: an interval at a lower confidence lies within that at a higher one."""
    low, high = 1e-9, 1 - 1e-9  # of p
    if _decides_at(quantity, low):
        return low
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if _decides_at(quantity, middle) else (middle, high)
    return high


def _decides_at(quantity: Quantity, p: float) -> bool:
    interval = total(quantity, 1 - p).interval
    return interval is not None and _decides(quantity, interval)


def _reason(direction: str, size: str) -> str:
    said = {
        SHOWN: "the direction is shown",
        OPPOSITE: "the opposite direction is shown",
        OPEN: "the direction is open",
    }
    sized = {
        STATED: "the size is as stated",
        ANOTHER: "the size is another",
        OPEN: "the size is open",
    }
    return ", ".join(filter(None, (said.get(direction, ""), sized.get(size, ""))))


def _all(found: Sequence[QuantityVerdict]) -> tuple[str, str]:
    """The verdict on "all of these hold", with the quantities that decide it."""
    for verdict in (CONTRADICTED, *_WEAKER):
        deciding = [j for j in found if j.verdict == verdict]
        if deciding:
            return verdict, _because(deciding)
    return SUPPORTED, _because(found)


def _because(found: Sequence[QuantityVerdict]) -> str:
    """The reasons of some quantities, each once, with its quantities; missing runs, each once."""
    missing = dict.fromkeys(text for j in found if not j.quantity.void for text in j.quantity.missing)
    whats: dict[str, list[str]] = {}
    for j in found:
        if j.quantity.void or not j.quantity.missing:
            whats.setdefault(j.reason, []).append(j.quantity.what)
    return "; ".join([*missing, *(f"{reason} ({'; '.join(names)})" for reason, names in whats.items())])
