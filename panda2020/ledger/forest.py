"""The central claims as one forest plot: the article's value, our value with its interval, and the verdict.

Every row is a link into the ledger, so the plot works without a script. With ``book/_static/home.js``, hovering or focusing
a row shows its details below.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panda2020.claims.stated import Number, stated
from panda2020.claims.verdicts import RATIO, SIGNS, QuantityVerdict
from panda2020.exhibits.numbers import number

from . import words
from .ledger import Judgement
from .plots import Axis, colour, interval_svg, paper_svg, reach, span

#: Sections of the plot by unit, with the headings of their axes.
SECTIONS = {"points": "points of accuracy gained or lost", RATIO: "ratio, logarithmic", "%": "accuracy, %"}

LINK = "../executed/12_claims.html#claim-"


@dataclass(frozen=True)
class Row:
    """One claim: its verdict, the quantity that represents it, and the article's number for that quantity."""

    judgement: Judgement
    quantity: QuantityVerdict
    number: Number | None

    @property
    def name(self) -> str:
        """The claim's id."""
        return self.judgement.claim.id

    @property
    def unit(self) -> str:
        """Unit of the quantity."""
        return self.quantity.quantity.unit

    @property
    def ours(self) -> str:
        """Our value as text, such as "−5.8"."""
        assert self.quantity.estimate is not None
        return number(self.quantity.estimate.mean, ".0f" if self.unit == "%" else ".1f")

    @property
    def paper(self) -> str:
        """The article's value in our unit, such as "3 to 4"; empty if it gives no number."""
        if self.number is None or not any(sign.isdigit() for sign in self.number.says):
            return ""
        ends = dict.fromkeys((self.number.low, self.number.high))
        return " to ".join(number(value, ".0f" if value == round(value) else ".1f") for value in ends)

    @property
    def told(self) -> str:
        """The whole row in words."""
        judgement, paper = self.judgement, f" The article: {self.number.says}." if self.number else ""
        return (
            f"{stated()[self.name].short}: {judgement.verdict}. {words.estimate(self.quantity)} "
            f"({words.plain(self.quantity.quantity.what)}).{paper} Profile {judgement.profile}, {words.behind(judgement)}."
        )


def row(judgement: Judgement) -> Row | None:
    """The quantity that represents a claim: the first with a number in the article, else the first that is measured."""
    counted = judgement.conclusion.counted or judgement.conclusion.parts
    found = [j for j in counted if j.estimate is not None]
    if not found:
        return None
    says = stated()[judgement.claim.id]
    first = next((j for j in found if says.number_of(j.quantity)), found[0])
    return Row(judgement, first, says.number_of(first.quantity))


def rows(judgements: Sequence[Judgement]) -> list[Row]:
    """A row per claim that has a measured quantity in a drawn unit."""
    found = (row(judgement) for judgement in judgements)
    return [one for one in found if one is not None and one.unit in SECTIONS]


def wide(shown: Sequence[Row], *, link: Callable[[str], str] = LINK.__add__) -> str:
    """The plot for a screen: claim, article's value, our value and the drawing in columns."""
    return _svg(shown, link, width=760, height=23, columns=(22, 392, 436, 452, 752))


def narrow(shown: Sequence[Row], *, link: Callable[[str], str] = LINK.__add__) -> str:
    """The plot for a phone: each claim above its drawing."""
    return _svg(shown, link, width=350, height=44, columns=(20, 205, 270, 8, 175))


def _svg(
    shown: Sequence[Row],
    link: Callable[[str], str],
    *,
    width: int,
    height: int,
    columns: tuple[int, int, int, int, int],
) -> str:
    """Draw the plot.

    Args:
        columns: left edge of the claim, right edges of the two values, and the two ends of the axis.
    """
    tall = height > 30
    text, paper, ours, left, right = columns
    y, parts = 0, []
    for unit, heading in SECTIONS.items():
        mine = [one for one in shown if one.unit == unit]
        if not mine:
            continue
        log = unit == RATIO
        axis = Axis(
            *span([v for one in mine for v in reach(one.quantity, one.number)], log=log), left, right, log=log
        )
        first = y + 24
        parts.append(f'<text x="{left if not tall else 0}" y="{y + 15}" class="f-head">{heading}</text>')
        if not tall:
            parts.append(f'<text x="{paper}" y="{y + 15}" class="f-head f-end">article</text>')
            parts.append(f'<text x="{ours}" y="{y + 15}" class="f-head f-end">ours</text>')
        last = first + height * len(mine)
        parts.append(_grid(axis, first, last))
        for place, one in enumerate(mine):
            parts.append(
                _row(one, axis, first + place * height, height, (text, paper, ours, width), link(one.name))
            )
        y = last + 22
    label = f"The central claims: the article's values and ours. {' '.join(one.told for one in shown)}"
    return (
        f'<svg class="snn-forest snn-{"narrow" if tall else "wide"}" viewBox="0 0 {width} {y}" role="group" '
        f'aria-label="{html.escape(label)}">{"".join(parts)}</svg>'
    )


def _grid(axis: Axis, top: int, bottom: int) -> str:
    """Ticks, and the line of no effect."""
    ticks = _ticks(axis)
    neutral = 1 if axis.log else 0
    parts = []
    for tick in ticks:
        x = axis.at(tick)
        look = "stroke:var(--f-edge)" if tick == neutral else "stroke:var(--f-grid)"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" style="{look}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 12}" class="f-tick">{number(tick, "g")}</text>')
    return "".join(parts)


def _ticks(axis: Axis) -> list[float]:
    """Round values within an axis."""
    if axis.log:
        return [v for v in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if axis.low <= v <= axis.high]
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100) if (axis.high - axis.low) / s <= 6)
    count = int((axis.high - axis.low) // step) + 2
    start = -(-axis.low // step) * step
    return [start + step * n for n in range(count) if start + step * n <= axis.high]


def _row(one: Row, axis: Axis, y: int, height: int, columns: tuple[int, int, int, int], address: str) -> str:
    text, paper, ours, width = columns
    tall = height > 30
    line, mark = y + (14 if tall else 15), y + (31 if tall else height // 2)
    values = mark + 4 if tall else line
    verdict = one.judgement.verdict
    told = html.escape(one.told)
    command = html.escape(words.command(one.judgement.claim, one.judgement.profile))
    drawn = (paper_svg(one.number, axis, mark) if one.number else "") + interval_svg(
        one.quantity, axis, mark, ink=colour(verdict), square=one.judgement.profile == "paper"
    )
    ends = (width - 80, width) if tall else (paper, ours)
    data = f'data-told="{told}" data-command="{command}" data-claim="{one.name}" data-verdict="{verdict}"'
    return (
        f'<a href="{html.escape(address)}" aria-label="{told}" {data}><title>{told}</title>'
        f'<rect class="f-hit" x="0" y="{y}" width="{width}" height="{height}"/>'
        f'<text x="2" y="{line}" style="fill:{colour(verdict)};font-weight:700">{SIGNS[verdict]}</text>'
        f'<text x="{text}" y="{line}">{html.escape(stated()[one.name].short)}</text>'
        f'<text x="{ends[0]}" y="{values}" class="f-end f-paper">{html.escape(one.paper)}</text>'
        f'<text x="{ends[1]}" y="{values}" class="f-end f-ours">{html.escape(one.ours)}</text>{drawn}</a>'
    )
