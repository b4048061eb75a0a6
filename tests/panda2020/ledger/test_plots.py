"""Estimates drawn by hand: where marks stand on their axis, and what is drawn of an interval and of the article's number."""

from __future__ import annotations

import math
import re

import pytest

from panda2020.claims.ranges import above, around
from panda2020.claims.stated import Number
from panda2020.claims.verdicts import Quantity, judge
from panda2020.ledger.plots import Axis, claim_svg, interval_svg, paper_svg, reach, span


def quantity(values, unit="points", expected=None):
    expected = expected or around(2, 5, "as an example")
    return judge(
        Quantity("a gain", unit, above(0, "a sign"), expected, values=values, seeds=tuple(range(len(values))))
    )


def test_an_axis_is_linear_or_logarithmic_and_keeps_what_lies_beyond_at_its_ends():
    assert Axis(0, 10, 0, 100).at(2.5) == 25
    assert Axis(1, 100, 0, 100, log=True).at(10) == pytest.approx(50)
    assert [Axis(0, 10, 5, 95).at(v) for v in (-3, 30)] == [5, 95]


def test_a_span_holds_all_values_and_no_effect():
    low, high = span([2, 5], log=False)
    assert low < 0 and high > 5
    low, high = span([2, 8], log=True)
    assert low < 1 and high > 8
    assert span([], log=False) == (-1, 1) and span([math.inf], log=False) == (-1, 1)


def test_an_interval_is_a_bar_and_one_seed_a_hollow_dot():
    axis = Axis(-10, 10, 0, 200)
    several, one = quantity((3.0, 3.4, 3.2)), quantity((3.0,))
    assert "<line" in interval_svg(several, axis, 9) and "fill:var(--f-paper)" not in interval_svg(
        several, axis, 9
    )
    assert "<line" not in interval_svg(one, axis, 9) and "fill:var(--f-paper)" in interval_svg(one, axis, 9)
    assert 'cx="132.0"' in interval_svg(several, axis, 9)
    assert interval_svg(quantity(()), axis, 9) == ""


def test_the_article_is_a_diamond_with_its_range():
    axis = Axis(1, 100, 0, 100, log=True)
    ranged = paper_svg(Number("10 - 100", 10, 100, "EE", "9"), axis, 9)
    assert 'x1="50.0" x2="100.0"' in ranged and "M70.0 9" in ranged  # the middle of the logarithms is at 75
    assert "<line" not in paper_svg(Number("10", 10, 10, "EE", "9"), axis, 9)


def test_a_claim_draws_a_row_per_measured_quantity():
    number = Number("~3", 3, 3, "a gain", "8")
    parts = [(quantity((3.0, 3.4)), number), (quantity(()), None), (quantity((2.0, 2.1), "×"), None)]
    drawn = claim_svg(parts, alt='says "so"')
    assert 'viewBox="0 0 150 36"' in drawn and drawn.count("<circle") == 2 and drawn.count("<path") == 1
    assert "says &quot;so&quot;" in drawn
    xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', drawn)]
    assert all(0 <= x <= 150 for x in xs)
    assert claim_svg([(quantity(()), None)], alt="x") == ""
    assert reach(quantity(()), number) == [3, 3]
