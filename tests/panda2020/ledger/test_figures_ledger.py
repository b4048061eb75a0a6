"""Drawings of the ledger: everything inside the axes, nothing drawn that was not measured, small files."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pytest

from panda2020.claims.ranges import around, at_least, below
from panda2020.claims.verdicts import (
    CONTRADICTED,
    DIRECTION,
    NOT_RECORDED,
    NOT_TESTABLE,
    OPEN,
    SUPPORTED,
    Quantity,
    judge,
)
from panda2020.exhibits import style
from panda2020.ledger.figures import alt, draw, examples, numbered


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def part(values, expected, unit="points", **more):
    return judge(
        Quantity("gain", unit, size=expected, values=values, seeds=tuple(range(len(values))), **more)
    )


def test_the_examples_show_every_verdict():
    assert [one.verdict for one in examples()] == [
        SUPPORTED,
        DIRECTION,
        CONTRADICTED,
        OPEN,
        OPEN,
        NOT_TESTABLE,
        NOT_RECORDED,
    ]


def test_intervals_seeds_and_bounds_are_inside():
    one = part((1.0, 2.0, 9.0), at_least(30, "x"))
    ax = draw([one]).axes[0]
    low, high = ax.get_xlim()
    assert low < one.estimate.interval.low and 30 < high
    span = ax.patches[0]
    assert span.get_x() == 30 and math.isclose(
        span.get_x() + span.get_width(), high
    )  # an open end reaches the edge


def test_one_axis_for_one_unit_and_range():
    parts = [
        part((1.0, 2.0), at_least(0, "a")),
        part((1.0,), at_least(0, "b")),
        part((3.0, 4.0), around(2, 5, "c"), "×"),
        part((), below(1)),
        part((1.0, 2.0), at_least(0, "d"), "×"),
    ]
    axes = draw(parts).axes
    assert [[label.get_text() for label in ax.get_yticklabels()] for ax in axes] == [["1", "2"], ["3"], ["5"]]
    assert [number for number, _ in numbered(parts)] == [1, 2, 3, 5]


def test_without_an_interval_the_dot_is_open():
    lines = draw([part((3.0,), around(2, 5, "x"))]).axes[0].lines
    dots = [line for line in lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == ["white"]
    assert not [line for line in lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 2]  # no bar


def test_words_for_the_drawing():
    assert alt([part((3.0, 3.0), around(2, 5, "x")), part((), below(1))]) == (
        "Estimates against the expected range. 1: gain 3 points, expected 2 to 5, supported."
    )


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match="parts must hold a measured quantity, got none"):
        draw([part((), below(1))])


def test_a_slim_drawing_is_small_whole_and_always_the_same():
    style.use()
    one, two = (style.svg(draw(examples()), slim=True) for _ in range(2))
    full = style.svg(draw(examples()))
    assert one == two and len(one) < len(full) / 2
    assert "<metadata" not in one and "DejaVu Sans', sans-serif" in one and one.rstrip().endswith("</svg>")
    assert "points of accuracy" in one
