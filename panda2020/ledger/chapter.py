"""A chapter's claims, written by code from the verdicts: takeaway box, one row per claim, what would change a verdict.

A chapter names its claims and asks its question. All content that depends on records comes from here, so that it stays
correct when records change.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from panda2020 import contents
from panda2020 import records as grid_records
from panda2020.claims.claims import claim
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.claims.stated import Number, stated
from panda2020.claims.verdicts import (
    BY_CONSTRUCTION,
    NOT_RECORDED,
    NOT_TESTABLE,
    SIGNS,
    SUPPORTED,
    QuantityVerdict,
)
from panda2020.exhibits import exhibit
from panda2020.exhibits.cells import inline_html
from panda2020.exhibits.exhibit import show_html, slug
from panda2020.exhibits.numbers import between
from panda2020.planning import Grid, seed_of, total_minutes
from panda2020.records import reading_of, scale
from panda2020.runs import Entry, Record
from panda2020.runs.scheduling import record_commands
from panda2020.samples import DEFAULT, Conditions, Sample, samples

from . import words
from .ledger import Judgement, evidence, ledger
from .plots import claim_svg
from .sanity import check_table

LEDGER_PAGE = "12_claims.html"

#: Number of a claim's quantities in its row; the ledger shows all.
SHOWN = 2


def judged(
    names: Sequence[str], *, results: str | Path | None = None, conditions: Conditions = DEFAULT
) -> dict[str, Judgement]:
    """Each claim at its deciding scale (``deciding``).

    Raises:
        ValueError: an unknown claim.
    """
    return _judged(tuple(names), None if results is None else str(results), conditions)


@cache
def _judged(names: tuple[str, ...], results: str | None, conditions: Conditions) -> dict[str, Judgement]:
    known = {name: claim(name) for name in names}
    estimators = {name: found for name, found in contents.estimators().items() if name in known}
    ledgers = [
        ledger(
            profile,
            conditions=conditions,
            known=known,
            estimators=estimators,
            found=_evidence(profile, results),
        )
        for profile in PROFILES
    ]
    return {name: deciding([one.judgements[name] for one in ledgers]) for name in known}


@cache
def _evidence(profile: str, results: str | None) -> Evidence:
    """The planned runs of the whole book, read once for all of a chapter's claims."""
    return evidence(profile, results=results)


def deciding(judgements: Sequence[Judgement]) -> Judgement:
    """The deciding scale among the judgements of one claim, ordered by scale.

    It is the largest scale at which every planned run is recorded; if there is none, the largest with any run; else the
    smallest, whose runs come next.
    """
    tested = [one for one in judgements if one.verdict != NOT_RECORDED and (one.records or one.computed)]
    complete = [one for one in tested if not one.missing]
    return (complete or tested or [one for one in judgements if one.records] or judgements[:1])[-1]


def recorded(
    entries: Iterable[Entry], *, results: str | Path | None = None
) -> tuple[list[Record], list[Entry]]:
    """``records.recorded``, with records that know their family, so that their intervals are those of the ledger."""
    kept, missing = grid_records.recorded(entries, results=results)
    return [_with_family(record, None if results is None else str(results)) for record in kept], missing


def _with_family(record: Record, results: str | None) -> Record:
    labels = record.labels
    if labels["profile"] not in PROFILES or reading_of(labels["note"]) != "A":
        return record

    def family(steps: int | None, view: str) -> Mapping[str, Mapping[int, Sample]]:
        case = _evidence(labels["profile"], results).case()
        return case.series(labels["network"], labels["role"], steps, view=view).others()

    return replace(record, family=family)


def shown_runs(
    grid: Grid, *, results: str | Path | None = None, least: Sequence[str] = ("snn",)
) -> tuple[str, list[Record], list[Entry]]:
    """The profile at which an exhibit is shown, its recorded runs, and the missing runs of that profile.

    It is the largest scale at which the first seed of the grid is recorded for every network in every role, at one T at least; if
    there is none, the largest with a run in one of the roles ``least``; else the smallest, whose runs come next, without runs.
    """
    found = [(profile, *recorded(grid(profile), results=results)) for profile in reversed(PROFILES)]
    for profile, kept, missing in found:
        first = min(seed_of(entry) for entry in grid(profile))
        planned = [entry for entry in grid(profile) if seed_of(entry) == first]
        absent = {entry.spec for entry in missing}
        have = {(e.network, e.role, e.interpretation) for e in planned if e.spec not in absent}
        lacking = [e for e in planned if (e.network, e.role, e.interpretation) not in have]
        if kept and not lacking:
            return profile, kept, missing
    for profile, kept, missing in found:
        if any(run.labels["role"] in least for run in kept):
            return profile, kept, missing
    smallest, _, missing = found[-1]
    return smallest, [], missing


def unrecorded(missing: Sequence[Entry]) -> str:
    """A sentence in the place of an exhibit without a run: how many runs are planned, their time, and the command."""
    count, time = len(missing), words.duration(total_minutes(missing))
    commands = ", ".join(f"`{command}`" for command in record_commands(missing))
    runs = f"{count} planned run{'s' if count > 1 else ''}"
    return f"Not recorded yet: {runs}, estimated to take {time} on two CPU cores ({commands})."


# The takeaway box -------------------------------------------------------------------------------------------


def takeaway(
    question: str, names: Sequence[str], *, also: Sequence[str] = (), results: str | Path | None = None
) -> None:
    """Display the box at the head of a chapter: its question, one line per claim, scale and uncertainty.

    Args:
        question: of the chapter, in words.
        names: its two to five most important claims.
        also: further sentences from code, shown after the claims.
    """
    found = judged(names, results=results)
    lines = [
        f"{words.signed(j.verdict)}: {stated()[name].short}. {words.found(j)}" for name, j in found.items()
    ]
    lines += [*also, scale_in_words(found.values()), confidence(found.values())]
    show_html(takeaway_html(question, found, also=also), "\n".join([question, *lines]))


def takeaway_html(question: str, found: dict[str, Judgement], *, also: Sequence[str] = ()) -> str:
    """The HTML that ``takeaway`` displays."""
    notes = {"Scale": scale_in_words(found.values()), "How sure": confidence(found.values())}
    return box_html(question, [*_claim_items(found), *map(_item, also)], notes)


def show_box(question: str, answers: Sequence[str], notes: Mapping[str, str]) -> None:
    """The same box for a chapter without claims: its question, answers from code, and notes by heading ("Scale")."""
    page = box_html(question, list(map(_item, answers)), notes)
    show_html(page, "\n".join([question, *answers, *notes.values()]))


def box_html(question: str, items: Sequence[str], notes: Mapping[str, str]) -> str:
    """The HTML of a box: a question, list items and headed notes."""
    said = "".join(f"<p><strong>{name}.</strong> {inline_html(text)}</p>" for name, text in notes.items())
    return (
        f'<aside class="snn snn-takeaway" aria-label="In short">{exhibit._style()}<p class="snn-asks">{inline_html(question)}</p>'
        f"<ul>{''.join(items)}</ul>{said}</aside>"
    )


def _claim_items(found: dict[str, Judgement]) -> list[str]:
    return [
        f"<li>{mark(j.verdict)}<span><a href='{LEDGER_PAGE}#claim-{name}'>{inline_html(stated()[name].short)}</a>. "
        f'<span class="snn-number">{html.escape(lead(j))}</span></span></li>'
        for name, j in found.items()
    ]


def _item(text: str) -> str:
    return f'<li class="snn-plain"><span>{inline_html(text)}</span></li>'


def lead(judgement: Judgement) -> str:
    """The first measured quantity of a claim, with the article's number: "35.7 % [33.3 to 38.2], accuracy of SNN VGG3x4"."""
    counted = measured(judgement)
    if not counted:
        return f"Not measured: {words.shortened(judgement.conclusion.reason, 1)}."
    first = counted[0]
    said = stated()[judgement.claim.id].number_of(first.quantity)
    paper = f" The article: {said.says}." if said else ""
    return f"{words.estimate(first)}: {words.plain(first.quantity.what)}.{paper}"


def measured(judgement: Judgement) -> list[QuantityVerdict]:
    """The quantities that decide a verdict and have a value; if none decides, all that have one."""
    return [j for j in judgement.conclusion.counted or judgement.conclusion.parts if j.estimate is not None]


def scale_in_words(found: Iterable[Judgement]) -> str:
    """Data, width and epochs of the runs behind some claims, and their accuracies."""
    found = list(found)
    records = list({r.key: r for j in found for r in j.records}.values())
    if not records:
        computed = bool(found) and all(j.computed for j in found)
        return (
            "Nothing is trained here; it is computed." if computed else "No run of these claims is recorded."
        )
    texts = dict.fromkeys(scale([record]) for record in records)
    ends = [end for record in records for end in _ends(record)]
    reached, trained = (
        [float(end[name]) for end in ends if end.get(name) is not None]
        for name in ("accuracy", "train_accuracy")
    )
    text = f"{_joined(list(texts)[:2])}."
    if reached:
        text += f" Our networks get {_shares(reached)} of the test images right"
        text += f", and {_shares(trained)} of their training images." if trained else "."
    return f"{text} The article trains on all images at full width."


def _ends(record: Record) -> list[Mapping[str, Any]]:
    """Accuracies at the end of a run: at its largest T; an STDP run has one per classifier."""
    if "classifiers" in record.result:
        return [one["learned"] for one in record.result["classifiers"].values()]
    found = list(samples(record).values())
    return [{**record.result, **found[-1].measured}] if found else []


def _joined(scales: Sequence[str]) -> str:
    """Descriptions of scales, the profile named once if it is the same."""
    first, *others = scales
    head = first.partition(": ")[0] + ": "
    return "; ".join([first, *(one.removeprefix(head) for one in others)])


def _shares(values: Sequence[float]) -> str:
    """ "33 % to 52 %"."""
    return between(min(values), max(values), ".0%").replace("%", " %")


def confidence(found: Iterable[Judgement]) -> str:
    """Number of seeds and runs, missing runs, and the doubts that our checks raise."""
    found = list(found)
    records = list({r.key: r for j in found for r in j.records}.values())
    seeds = sorted({j.seeds for j in found if j.seeds})
    missing = {str(entry.spec) for j in found for entry in j.missing}
    parts = []
    if seeds:
        some = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        parts.append(
            f"{some} seed{'' if seeds[-1] == 1 else 's'} per number"
            + (f", {len(records)} runs" if records else "")
        )
    if missing:
        parts.append(f"{len(missing)} planned run{'' if len(missing) == 1 else 's'} not recorded yet")
    table = check_table(records)
    raised = table[table["raised by"] > 0]
    doubts = [
        f"{row['doubt'].partition(':')[0]} ({row['raised by']} of {row['asked of']})"
        for _, row in raised.iterrows()
    ]
    if doubts:
        parts.append(f"doubts that our checks raise: {', '.join(doubts)}")
    if not parts and found and all(j.computed for j in found):
        return "Formulas, and spikes drawn with fixed seeds."
    return f"{'; '.join(parts)}." if parts else "Nothing is measured yet."


# One row per claim ------------------------------------------------------------------------------------------


def show_claims(names: Sequence[str], *, results: str | Path | None = None) -> None:
    """Display the chapter's claims, one row each: verdict, claim, the article's number, our value, and a drawing of both."""
    found = judged(names, results=results)
    text = "\n".join(
        f"{words.signed(j.verdict)} {stated()[name].short}: {words.found(j)}" for name, j in found.items()
    )
    show_html(claims_html(found), text)


def claims_html(found: dict[str, Judgement]) -> str:
    """The HTML that ``show_claims`` displays."""
    rows = "".join(_row(name, j) for name, j in found.items())
    heads = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("Verdict", "Claim, and the article's number", "Ours, 95 %")
    )
    return (
        f'<div class="snn snn-strip">{exhibit._style()}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        '<p class="snn-quiet">Dot and bar: ours with its 95 % interval. Diamond: the article. Shaded: where a value supports the '
        "claim. Thin line: no difference. Each link leads to the quote, all quantities, the runs and the command.</p></div>"
    )


def _row(name: str, judgement: Judgement) -> str:
    said = stated()[name]
    counted = measured(judgement)
    numbers = {j.quantity.what: said.number_of(j.quantity) for j in counted}
    paper = "; ".join(dict.fromkeys(n.says for n in numbers.values() if n)) or "; ".join(
        n.says for n in said.numbers
    )
    ours = "".join(_one(j, numbers[j.quantity.what]) for j in counted[:SHOWN])
    if len(counted) > SHOWN:
        ours += f'<span class="snn-quiet">and {len(counted) - SHOWN} more</span>'
    ours = (
        ours
        or f'<span class="snn-quiet">{html.escape(words.shortened(judgement.conclusion.reason, 1))}</span>'
    )
    return (
        f'<tr><td>{mark(judgement.verdict)}<span class="snn-quiet">{judgement.profile}, {words.behind(judgement)}</span></td>'
        f'<th scope="row"><a href="{LEDGER_PAGE}#claim-{name}">{inline_html(said.short)}</a>'
        f'<span class="snn-quiet">{html.escape(paper)}</span></th><td>{ours}</td></tr>'
    )


def _one(one: QuantityVerdict, number: Number | None) -> str:
    """One quantity drawn, its value, and what it is."""
    value, what = words.estimate(one), words.plain(one.quantity.what)
    drawing = claim_svg([(one, number)], alt=f"{what}: {value}", width=120)
    return (
        f'<div class="snn-one">{drawing}<div><span class="snn-value">{html.escape(value)}</span>'
        f'<span class="snn-quiet">{html.escape(what)}</span></div></div>'
    )


def mark(verdict: str) -> str:
    """Sign, word and colour of a verdict."""
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    return f'<span class="snn-mark snn-{slug(verdict)}">{sign} <span>{verdict}</span></span>'


# What would change a verdict --------------------------------------------------------------------------------


def would_change(names: Sequence[str], *, results: str | Path | None = None) -> list[str]:
    """A sentence per claim: how far our value would have to move, or how much narrower its interval would have to be."""
    found = judged(names, results=results)
    return [f"{stated()[name].short}: {_distance(j)}." for name, j in found.items() if j.records]


def _distance(judgement: Judgement) -> str:
    """Distance of the deciding quantity from another verdict."""
    if judgement.verdict == BY_CONSTRUCTION:
        return "it follows from how the networks are built, so no run can change it"
    if judgement.verdict == NOT_TESTABLE:
        return f"the runs do not count yet: {words.plain(words.shortened(judgement.conclusion.reason, 1))}"
    if judgement.verdict == NOT_RECORDED and judgement.missing:
        count = len(judgement.missing)
        return f"{count} planned run{' is' if count == 1 else 's are'} not recorded yet"
    counted = [
        j for j in judgement.conclusion.counted or judgement.conclusion.parts if j.estimate is not None
    ]
    if not counted:
        return "runs are missing that it needs"
    other = (j for j in counted if j.verdict != SUPPORTED)
    worst = next((j for j in counted if j.verdict == judgement.verdict), next(other, counted[0]))
    one = worst.quantity
    assert worst.estimate is not None
    value, interval = worst.estimate.mean, worst.estimate.interval
    here = f"{words.plain(one.what)} is {words.estimate(worst)} and supports the claim where it is {one.expected}"
    if interval is None:
        return f"{here}; one seed says nothing about another, so more seeds decide"
    low, high = interval
    inside = one.expected.low <= value <= one.expected.high
    if worst.verdict == "supported":
        margin = min(low - one.expected.low, one.expected.high - high)
        return (
            f"{here}; it would have to move by {words.measure(margin, _step(one.unit))} for another verdict"
        )
    bound = one.expected.low if value < one.expected.low else one.expected.high
    if inside:
        return f"{here}; the value lies inside, and only the interval is too wide"
    if math.isfinite(bound) and low <= bound <= high:
        return f"{here}; the interval reaches across that bound, so more seeds or images decide"
    return f"{here}; it would have to move by {words.measure(abs(bound - value), _step(one.unit))}"


def _step(unit: str) -> str:
    """The unit of a difference between two values in a unit."""
    return "points" if unit == "%" else unit
