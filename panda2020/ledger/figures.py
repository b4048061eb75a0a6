"""A claim's quantities drawn: each interval against the range in which it supports the claim."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from panda2020.claims.ranges import Range, above, around
from panda2020.claims.verdicts import SIGNS, Quantity, QuantityVerdict, judge
from panda2020.exhibits.style import PALETTE

from .words import estimate

WIDTH = 4.8  # inches; fits a phone

_TALL, _MARGIN = 0.26, 0.5  # height of a row, and of the axis below a group


def numbered(parts: Sequence[QuantityVerdict]) -> list[tuple[int, QuantityVerdict]]:
    """The quantities that can be drawn, with their numbers among all quantities."""
    return [(number, judged) for number, judged in enumerate(parts, 1) if judged.estimate is not None]


def draw(parts: Sequence[QuantityVerdict]) -> Figure:
    """One row per measured quantity: dots are seeds, the large dot their mean, the bar its interval (none: an open dot).

    The supporting range is shaded; the sign of the verdict is at the right. Quantities with the same unit and range share an
    axis.

    Raises:
        ValueError: nothing was measured.
    """
    groups: dict[tuple[str, Range], list[tuple[int, QuantityVerdict]]] = {}
    for number, judged in numbered(parts):
        groups.setdefault((judged.quantity.unit, _bounds(judged.quantity.expected)), []).append(
            (number, judged)
        )
    if not groups:
        raise ValueError("parts must hold a measured quantity, got none")
    heights = [_TALL * len(rows) + 0.12 for rows in groups.values()]
    fig, axes = plt.subplots(
        len(groups),
        figsize=(WIDTH, sum(heights) + _MARGIN * len(groups)),
        height_ratios=heights,
        squeeze=False,
    )
    for ax, ((unit, expected), rows) in zip(axes[:, 0], groups.items(), strict=True):
        _group(ax, unit, expected, rows)
    return fig


def alt(parts: Sequence[QuantityVerdict]) -> str:
    """A description of ``draw`` in words."""
    rows = (
        f"{number}: {judged.quantity.what} {estimate(judged)}, expected {judged.quantity.expected}, {judged.verdict}"
        for number, judged in numbered(parts)
    )
    return f"Estimates against the expected range. {'; '.join(rows)}."


def _bounds(expected: Range) -> Range:
    """The range without its reason."""
    return Range(expected.low, expected.high, "as drawn", expected.strict)


def _group(ax: Axes, unit: str, expected: Range, rows: Sequence[tuple[int, QuantityVerdict]]) -> None:
    low, high = _limits(expected, [judged for _, judged in rows])
    ax.axvspan(
        max(expected.low, low), min(expected.high, high), color=PALETTE["green"], alpha=0.18, linewidth=0
    )
    for bound in (expected.low, expected.high):
        if math.isfinite(bound):
            ax.axvline(
                bound, color=PALETTE["green"], linewidth=1.2, linestyle=":" if expected.strict else "-"
            )
    for y, (_, judged) in enumerate(rows):
        _row(ax, y, judged, high)
    ax.set_xlim(low, high)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [str(number) for number, _ in rows])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    if unit:
        ax.set_xlabel({"×": "× (a ratio)", "points": "points of accuracy"}.get(unit, unit), labelpad=1)


def _row(ax: Axes, y: int, judged: QuantityVerdict, right: float) -> None:
    assert judged.estimate is not None
    interval = judged.estimate.interval
    colour = PALETTE["grey" if judged.quantity.beside else "blue"]
    if interval is not None:
        ax.plot([*interval], [y, y], color=colour, linewidth=2.6, solid_capstyle="butt")
    if len(judged.quantity.values) > 1:
        ax.plot(
            judged.quantity.values,
            [y] * len(judged.quantity.values),
            "|",
            color=PALETTE["black"],
            markersize=7,
            markeredgewidth=0.9,
        )
    ax.plot(
        judged.estimate.mean,
        y,
        "o",
        color=colour,
        markersize=6,
        markerfacecolor="white" if interval is None else colour,
    )
    ax.annotate(
        SIGNS[judged.verdict],
        (right, y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def _limits(expected: Range, rows: Sequence[QuantityVerdict]) -> tuple[float, float]:
    """The axis limits: all drawn values with a margin."""
    ends = [x for j in rows if j.estimate and j.estimate.interval for x in j.estimate.interval]
    shown = ends + [x for j in rows for x in j.quantity.values]
    shown += [bound for bound in (expected.low, expected.high) if math.isfinite(bound)]
    low, high = min(shown), max(shown)
    air = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    # an open end always shows part of the range
    return low - air * (2 if expected.low == -math.inf else 1), high + air * (
        2 if expected.high == math.inf else 1
    )


def examples() -> list[QuantityVerdict]:
    """Invented quantities of a claim that expects a gain of 2 to 5 points, one for every verdict, to show the rules."""
    asked = around(2, 5, "as an example")
    made_up = {
        "clearly inside": (3.2, 3.5, 3.9),
        "a gain, and too large": (6.3, 6.6, 6.8),
        "no gain": (-1.1, -0.8, -0.6),
        "seeds too far apart": (0.9, 2.8, 4.4),
        "one seed": (3.4,),
        "a network that has not learnt": (-4.2, -4.0, -3.9),
        "nothing recorded": (),
    }
    return [
        judge(
            Quantity(
                what,
                "points",
                above(0),
                asked,
                values=values,
                seeds=tuple(range(len(values))),
                missing=() if values else ("no run",),
                void="the network has not learnt" if what == "a network that has not learnt" else "",
            )
        )
        for what, values in made_up.items()
    ]
