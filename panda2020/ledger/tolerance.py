"""Move the tolerance and see which verdicts change: claims with a stated size, judged again in the page.

Without a script it is a table of verdicts under the protocol's tolerances.
"""

from __future__ import annotations

import html
import json
import math
from pathlib import Path
from typing import Any

from panda2020.claims.claims import claims
from panda2020.claims.protocol import FACTOR, WIDENED
from panda2020.claims.ranges import Range
from panda2020.claims.stated import Number, stated
from panda2020.claims.verdicts import BY_CONSTRUCTION, RATIO, SIGNS, QuantityVerdict
from panda2020.exhibits import exhibit
from panda2020.exhibits.cells import inline_html
from panda2020.exhibits.exhibit import show_html

from . import words
from .chapter import LEDGER_PAGE, judged, mark
from .ledger import Judgement


def movable(judgement: Judgement) -> bool:
    """Whether a tolerance affects the verdict: a counted quantity has an interval and a size stated by the article's number."""
    return judgement.verdict != BY_CONSTRUCTION and any(
        _number(judgement, j) for j in judgement.conclusion.counted
    )


def _number(judgement: Judgement, one: QuantityVerdict) -> Number | None:
    """The article's number, if it sets the size of a judged quantity."""
    found = stated()[judgement.claim.id].number_of(one.quantity)
    return found if found and one.quantity.size is not None and (one.direction or one.size) else None


def data(judgement: Judgement) -> list[dict[str, Any]]:
    """The data with which the page judges a claim again: every counted quantity's answers, interval and stated size."""
    parts: list[dict[str, Any]] = []
    for one in judgement.conclusion.counted:
        size = one.quantity.size
        if (
            _number(judgement, one) is None
            or size is None
            or one.estimate is None
            or one.estimate.interval is None
        ):
            parts.append({"fixed": one.verdict})
            continue
        low, high = one.estimate.interval
        parts.append(
            {
                "direction": one.direction,
                "interval": [low, high],
                "size": without_tolerance(size, ratio=one.quantity.unit == RATIO),
                "ratio": one.quantity.unit == RATIO,
            }
        )
    return parts


def without_tolerance(size: Range, *, ratio: bool) -> list[float | None]:
    """The ends of a size without the protocol's tolerance; None for an open end."""
    low = size.low * FACTOR if ratio else size.low + WIDENED
    high = size.high / FACTOR if ratio else size.high - WIDENED
    return [end if math.isfinite(end) else None for end in (low, high)]


def show_tolerance(*, results: str | Path | None = None) -> None:
    """Display the claims with a stated size, with two sliders for the tolerance."""
    found = {name: j for name, j in judged(tuple(claims()), results=results).items() if movable(j)}
    text = "\n".join(
        f"{words.signed(j.verdict)} {stated()[name].short}: {words.found(j)}" for name, j in found.items()
    )
    show_html(tolerance_html(found), text or "No claim with a stated size is judged yet.")


def tolerance_html(found: dict[str, Judgement]) -> str:
    """The HTML that ``show_tolerance`` displays."""
    if not found:
        return '<div class="snn snn-said"><p>No claim with a stated size is judged yet.</p></div>'
    rows = "".join(_row(name, judgement) for name, judgement in found.items())
    heads = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("Verdict", "Claim, and the article's number", "Ours, 95 %")
    )
    factor = f'type="range" name="factor" min="1" max="4" step="0.01" value="{FACTOR:g}" disabled'
    points = f'type="range" name="points" min="0" max="10" step="0.1" value="{WIDENED:g}" disabled'
    return (
        f'<section class="snn snn-tolerance" aria-label="Verdicts by tolerance" data-signs="{html.escape(json.dumps(SIGNS))}">'
        f'{exhibit._style()}<div class="snn-controls">'
        f"<label><span>ratios within a factor of <output>{FACTOR:g}</output></span><input {factor}></label>"
        f"<label><span>accuracies within <output>{WIDENED:g}</output> points</span><input {points}></label></div>"
        '<p class="snn-quiet" role="status" data-part="changed">The verdicts under the protocol\'s tolerances.</p>'
        f'<div class="snn-strip"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(name: str, judgement: Judgement) -> str:
    said = stated()[name]
    mine = [j for j in judgement.conclusion.counted if _number(judgement, j)]
    ours = "".join(
        f'<div><span class="snn-value">{html.escape(words.estimate(j))}</span> '
        f'<span class="snn-quiet">{html.escape(words.plain(j.quantity.what))}</span></div>'
        for j in mine[:2]
    )
    paper = "; ".join(dict.fromkeys(n.says for n in (_number(judgement, j) for j in mine) if n))
    given = f'data-parts="{html.escape(json.dumps(data(judgement)))}" data-verdict="{judgement.verdict}"'
    return (
        f'<tr {given}><td>{mark(judgement.verdict)}</td><th scope="row"><a href="{LEDGER_PAGE}#claim-{name}">'
        f'{inline_html(said.short)}</a><span class="snn-quiet">{html.escape(paper)}</span></th><td>{ours}</td></tr>'
    )
