"""Numbers as text: an estimate has the digits that its interval leaves certain."""

from __future__ import annotations

import math

import pytest

from panda2020.exhibits.numbers import digits, interval, number
from panda2020.statistics import Interval


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (-0.00333, -0.258, 0.251, "0.00 [−0.26 to 0.25]"),
        (13.2, 12.04, 14.61, "13.2 [12.0 to 14.6]"),
        (52.9, 20.0, 85.0, "53 [20 to 85]"),
        (12345.6, 12000.0, 12700.0, "12,346 [12,000 to 12,700]"),
        (1.189, 1.101, 1.285, "1.19 [1.10 to 1.28]"),
        (29.1, 21.1, 40.2, "29 [21 to 40]"),
        (0.7512, 0.7496, 0.7528, "0.7512 [0.7496 to 0.7528]"),
    ],
)
def test_two_digits_of_the_half_width_decide(value, low, high, text):
    found = Interval(low, high)
    assert f"{number(value, digits(found))} [{interval(found, digits(found))}]" == text


@pytest.mark.parametrize(
    "found", [Interval(1.0, 1.0), Interval(-math.inf, math.inf), Interval(math.nan, 1.0)]
)
def test_other_intervals_leave_three_digits(found):
    assert digits(found) == ""
