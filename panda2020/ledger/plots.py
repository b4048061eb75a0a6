"""Small SVG drawings of estimates against the article's numbers: one claim in a table cell, many claims in a forest plot.

They are written directly, not with matplotlib, so that text keeps its size on every screen and every mark is reachable by
keyboard.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from panda2020.claims.stated import Number
from panda2020.claims.verdicts import RATIO, QuantityVerdict

#: Verdict -> the variable of ``exhibits.css`` with its colour.
COLOURS = {
    "supported": "--v-yes",
    "direction only": "--v-half",
    "contradicted": "--v-no",
    "open": "--v-open",
    "inconclusive": "--v-open",
}


@dataclass(frozen=True)
class Axis:
    """A horizontal axis from ``low`` to ``high`` over ``left`` to ``right`` pixels; logarithmic for ratios."""

    low: float
    high: float
    left: float
    right: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the ends are placed at the ends."""
        low, high, value = (math.log(max(v, 1e-12)) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


def colour(verdict: str) -> str:
    """A verdict's colour as CSS."""
    return f"var({COLOURS.get(verdict, '--v-none')})"


def span(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """The ends of an axis that shows all the values with a margin, and includes the point of no effect, 0 or 1."""
    neutral = 1.0 if log else 0.0
    found = [v for v in (*values, neutral) if math.isfinite(v) and (v > 0 or not log)]
    low, high = min(found), max(found)
    if log:
        air = (high / low) ** 0.08 if high > low else 1.3
        return low / air, high * air
    air = 0.08 * (high - low) or 1.0
    return low - air, high + air


def reach(judged: QuantityVerdict, number: Number | None = None) -> list[float]:
    """All values that a drawing of a quantity must show."""
    found = [] if judged.estimate is None else [judged.estimate.mean, *(judged.estimate.interval or ())]
    return [*found, *((number.low, number.high) if number else ())]


def interval_svg(
    judged: QuantityVerdict, axis: Axis, y: float, *, ink: str = "", square: bool = False
) -> str:
    """Our value as a dot and its interval as a bar; without an interval the dot is hollow.

    Args:
        ink: colour (default: that of the verdict).
        square: draw a square instead of the dot, for runs at the article's scale.
    """
    if judged.estimate is None:
        return ""
    ink, mean = ink or colour(judged.verdict), axis.at(judged.estimate.mean)
    bar = ""
    if judged.estimate.interval is not None:
        low, high = (axis.at(end) for end in judged.estimate.interval)
        bar = f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:g}" y2="{y:g}" style="stroke:{ink};stroke-width:2.4"/>'
    look = f'style="fill:{ink if bar else "var(--f-paper)"};stroke:{ink};stroke-width:1.6"'
    if square:
        return f'{bar}<rect x="{mean - 4:.1f}" y="{y - 4:g}" width="8" height="8" {look}/>'
    return f'{bar}<circle cx="{mean:.1f}" cy="{y:g}" r="4" {look}/>'


def paper_svg(number: Number, axis: Axis, y: float) -> str:
    """The article's value as a diamond, its range as a line through it."""
    middle = math.sqrt(number.low * number.high) if axis.log else number.middle
    x, low, high = axis.at(middle), axis.at(number.low), axis.at(number.high)
    line = (
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:g}" y2="{y:g}" style="stroke:var(--f-grey);stroke-width:1.6"/>'
        if high > low
        else ""
    )
    return (
        f'{line}<path d="M{x - 5:.1f} {y:g}L{x:.1f} {y - 5:g}L{x + 5:.1f} {y:g}L{x:.1f} {y + 5:g}Z" '
        'style="fill:var(--f-paper);stroke:var(--f-grey);stroke-width:1.6"/>'
    )


def claim_svg(parts: Sequence[tuple[QuantityVerdict, Number | None]], *, alt: str, width: int = 150) -> str:
    """The quantities of one claim, with one axis per unit: the supporting range shaded, a diamond for the article.

    Empty if nothing is measured.
    """
    shown = [(judged, number) for judged, number in parts if judged.estimate is not None]
    rows = []
    for unit in dict.fromkeys(judged.quantity.unit for judged, _ in shown):
        mine = [(judged, number) for judged, number in shown if judged.quantity.unit == unit]
        bounds = [
            b
            for j, _ in mine
            for b in (j.quantity.expected.low, j.quantity.expected.high)
            if math.isfinite(b)
        ]
        log = unit == RATIO
        ends = span([*bounds, *(v for judged, number in mine for v in reach(judged, number))], log=log)
        for judged, number in mine:
            rows.append((judged, number, Axis(*ends, 6, width - 6, log=log)))
    if not rows:
        return ""
    height, body = 18 * len(rows), ""
    for place, (judged, number, axis) in enumerate(rows):
        y = 18 * place + 9
        expected = judged.quantity.expected
        low, high = axis.at(max(expected.low, axis.low)), axis.at(min(expected.high, axis.high))
        if math.isfinite(expected.low) or math.isfinite(expected.high):
            box = f'x="{low:.1f}" y="{y - 8}" width="{max(high - low, 1):.1f}" height="16"'
            body += f'<rect {box} style="fill:var(--f-green);opacity:.16"/>'
        neutral = axis.at(1 if axis.log else 0)
        line = f'x1="{neutral:.1f}" x2="{neutral:.1f}" y1="{y - 9}" y2="{y + 9}"'
        body += f'<line {line} style="stroke:var(--f-edge);stroke-width:.8"/>'
        body += (paper_svg(number, axis, y) if number else "") + interval_svg(judged, axis, y)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(alt)}">{body}</svg>'
