"""The resolution of a quantity's runs: the smallest detectable effect, and whether any outcome could have decided it."""

from __future__ import annotations

import math

from panda2020.exhibits.numbers import number

from .ranges import Range
from .verdicts import OPEN, RATIO, ClaimVerdict, QuantityVerdict


def reach(judged: QuantityVerdict) -> float | None:
    """Half the width of its interval; for a ratio, the factor either way. None without an interval."""
    found = judged.estimate
    if found is None or found.interval is None:
        return None
    if judged.quantity.unit == RATIO and found.interval.low > 0:
        return math.sqrt(found.interval.high / found.interval.low)
    return found.interval.half


def power(judged: QuantityVerdict) -> str:
    """The smallest detectable effect, in words: the mean at which its interval would end at the bound.

    "no outcome could decide it" if it has no interval, or no bound that the interval can be compared with.
    """
    size = reach(judged)
    if judged.estimate is None or judged.quantity.computed:
        return ""
    if size is None or (
        judged.verdict == OPEN and not (judged.direction or judged.size or judged.quantity.undecided)
    ):
        return "no outcome of these runs could decide it"
    wanted = judged.quantity.direction or judged.quantity.size
    assert wanted is not None
    ratio = judged.quantity.unit == RATIO
    unit = "" if ratio else f" {judged.quantity.unit}"
    width = f"a factor of {number(size)} either way" if ratio else f"± {number(size)}{unit}"
    if _closed(wanted) and _narrow(wanted, size, ratio):
        return f"{width}: no outcome could support it, as the range is narrower than the interval"
    shown = [
        f"{word} {number(_moved(bound, size, ratio, sign))}{unit}"
        for bound, sign, word in ((wanted.low, 1, "at least"), (wanted.high, -1, "at most"))
        if math.isfinite(bound)
    ]
    return f"{width}: shown by a mean of {' and '.join(shown)}"


def of_claim(verdict: ClaimVerdict) -> str:
    """The counted quantities that no outcome of these runs could decide, or support, in words; "" if there are none."""
    never = [j.quantity.what for j in verdict.counted if "no outcome" in power(j)]
    if not never:
        return ""
    who = "any of its quantities" if len(never) == len(verdict.counted) else "; ".join(never)
    return f"no outcome of these runs could have supported it, for {who}"


def _closed(wanted: Range) -> bool:
    return math.isfinite(wanted.low) and math.isfinite(wanted.high)


def _narrow(wanted: Range, size: float, ratio: bool) -> bool:
    if ratio:
        return wanted.low > 0 and wanted.high / wanted.low < size * size
    return wanted.high - wanted.low < 2 * size


def _moved(bound: float, size: float, ratio: bool, sign: int) -> float:
    return bound * size**sign if ratio else bound + sign * size
