"""Ranges for quantities, and the functions that make them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from panda2020.exhibits.numbers import number


@dataclass(frozen=True)
class Range:
    """A range from ``low`` to ``high``. ``strict`` excludes the bounds. ``reason`` gives their source."""

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

    def __and__(self, other: Range) -> Range:
        """The intersection.

        Raises:
            ValueError: it is empty.
        """
        strict = (self if (self.low, -self.high) >= (other.low, -other.high) else other).strict
        reason = "; ".join(dict.fromkeys((self.reason, other.reason)))
        return Range(max(self.low, other.low), min(self.high, other.high), reason, strict)

    def __str__(self) -> str:
        if self.low == -math.inf and self.high == math.inf:
            return "any value"
        if self.low == -math.inf:
            return f"{'below' if self.strict else 'at most'} {number(self.high)}"
        if self.high == math.inf:
            return f"{'above' if self.strict else 'at least'} {number(self.low)}"
        return f"{number(self.low)} to {number(self.high)}"


SIGN = "the sign of a difference needs no tolerance"


def at_least(low: float, reason: str) -> Range:
    """``low`` or more."""
    return Range(low=low, reason=reason)


def at_most(high: float, reason: str) -> Range:
    """``high`` or less."""
    return Range(high=high, reason=reason)


def above(low: float, reason: str = SIGN) -> Range:
    """More than ``low``."""
    return Range(low=low, reason=reason, strict=True)


def below(high: float, reason: str = SIGN) -> Range:
    """Less than ``high``."""
    return Range(high=high, reason=reason, strict=True)


def around(low: float, high: float, reason: str) -> Range:
    """From ``low`` to ``high``."""
    return Range(low=low, high=high, reason=reason)
