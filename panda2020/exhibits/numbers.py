"""Numbers and intervals as text: the one place where an estimate is rounded."""

from __future__ import annotations

import math

from panda2020.statistics import Interval

NO_INTERVAL = "no interval"


def number(value: float, spec: str = "") -> str:
    """A number as text: by ``spec``, else three significant digits (all integer digits of larger numbers).

    U+2212 is the minus sign; a value that rounds to 0 has no sign.
    """
    if not spec:
        spec = ",.0f" if 999.5 <= abs(value) < math.inf else ".3g"
        value = 0.0 if abs(value) < 1e-12 else value
    text = format(value, spec)
    if text.lstrip("+-").strip("0.,%") == "":
        text = text.lstrip("+-")
    return text.replace("-", "−")


def digits(found: Interval) -> str:
    """The format of a value and its interval: two significant digits of the interval's half width if they are below 35, else
    one; "" if it is 0 or infinite.
    """
    if not 0 < found.half < math.inf:
        return ""
    power = math.floor(math.log10(found.half))
    kept = 1 if found.half < 3.5 * 10**power else 0
    return f",.{max(0, kept - power)}f"


def between(low: float, high: float, spec: str = "") -> str:
    """Two bounds as text: "−1.2 to 3"; one number if both have the same text."""
    return " to ".join(dict.fromkeys((number(low, spec), number(high, spec))))


def interval(found: Interval | None, spec: str = "") -> str:
    """An interval as text: "−1.2 to 3"; an interval of zero width is a number."""
    if found is None:
        return NO_INTERVAL
    bounds = (found.low,) if found.low == found.high else found
    return " to ".join(number(bound, spec) for bound in bounds)
