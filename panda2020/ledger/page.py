"""The ledger as an HTML table: one row per claim, and below each row its evidence, folded.

It is a complete table without JavaScript. ``book/_static/ledger.js`` adds the filter and opens the target of a link.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from panda2020.claims.claims import CENTRAL, KINDS, METHODS, Claim
from panda2020.claims.power import of_claim, power
from panda2020.claims.verdicts import BY_CONSTRUCTION, VERDICTS, QuantityVerdict
from panda2020.exhibits import style
from panda2020.exhibits.exhibit import (
    badge,
    command_html,
    commit_text,
    drawing_html,
    exhibit_html,
    inline_html,
    record_tag,
    seed_text,
    slug,
)
from panda2020.exhibits.numbers import number
from panda2020.planning import total_minutes
from panda2020.runs import Record, Store, results_directory

from . import words
from .figures import alt, draw, numbered
from .ledger import Judgement, Ledger
from .sanity import doubts_about

#: Headings of the ledger, by kind of claim, in order.
_KINDS = dict(
    zip(
        KINDS,
        ("Central statements", "Secondary statements", "True or false by construction, whatever a run gives"),
        strict=True,
    )
)


def count_sentences(one: Ledger) -> list[str]:
    """How many central and how many other statements have which verdict, in words."""
    said = []
    for what, central in (("central", True), ("other", False)):
        found = Counter(j.verdict for j in one.judgements.values() if (j.claim.kind == CENTRAL) == central)
        if found:
            listed = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
            said.append(f"{found.total()} {what} statements: {listed}.")
    return said


def columns_shown(ledgers: Sequence[Ledger]) -> list[Ledger]:
    """Ledgers shown as columns: the first, and every other with a verdict from recorded runs."""
    return [one for n, one in enumerate(ledgers) if n == 0 or any(j.records for j in one.judgements.values())]


def problems(ledgers: Sequence[Ledger], *, results: str | Path | None = None) -> list[str]:
    """Every problem that prevented a verdict, other than a missing run; then records in ``results`` that must not be used and
    that no claim uses.
    """
    directory = Path(results_directory() if results is None else results)
    found = [text for one in ledgers for text in one.problems]
    found += [
        str(error).replace(f"{directory}/", f"{directory.name}/") for error in Store(directory).read_all()[1]
    ]
    return list(dict.fromkeys(found))


def missing_table(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """Unrecorded runs that claims need, by the command that makes them; each run counts once.

    hours: estimated time of these runs alone, on two CPU cores.
    """
    rows = []
    for one in ledgers:
        runs: dict[str, dict[str, float]] = {}
        waiting: dict[str, set[str]] = {}
        for judgement in one.judgements.values():
            for entry in judgement.missing:
                table = str(entry.tables[0])
                runs.setdefault(table, {})[str(entry.spec)] = total_minutes([entry])
                waiting.setdefault(table, set()).add(judgement.claim.id)
        rows += [
            {
                "profile": one.profile,
                "exhibit": table,
                "claims": len(waiting[table]),
                "runs": len(found),
                "hours": sum(found.values()) / 60,
                "command": f"`python -m panda2020 record --profile {one.profile} --table {table}`",
            }
            for table, found in runs.items()
        ]
    return pd.DataFrame(rows, columns=["profile", "exhibit", "claims", "runs", "hours", "command"])


def frame(ledgers: Sequence[Ledger]) -> pd.DataFrame:
    """The ledger as data: one row per claim and profile."""
    return pd.DataFrame(
        [
            {
                "claim": j.claim.id,
                "profile": j.profile,
                "verdict": j.verdict,
                "kind": j.claim.kind,
                "group": j.claim.group,
                "counted": "yes" if j.counted or j.verdict == BY_CONSTRUCTION else "no",
                "q": None if j.q is None else f"{j.q:.3g}",
                "method": j.claim.method,
                "where": words.place(j.claim),
                "quote": j.claim.quote,
                "expects": j.claim.expects,
                "found": words.found(j),
                "seeds": j.seeds,
                "runs": len(j.records),
                "missing runs": len(j.missing),
                "reason": j.conclusion.reason,
            }
            for one in ledgers
            for j in one.judgements.values()
        ]
    )


def show_ledger(ledgers: Sequence[Ledger], *, name: str, caption: str, notebook: str | None = None) -> None:
    """Display the ledger."""
    from IPython.display import display

    text = "\n".join(
        f"{j.claim.id} ({j.profile}): {j.verdict}" for one in ledgers for j in one.judgements.values()
    )
    page = ledger_html(ledgers, name=name, caption=caption, notebook=notebook)
    display({"text/html": page, "text/plain": f"{name}. {caption}\n{text}"}, raw=True)


def ledger_html(ledgers: Sequence[Ledger], *, name: str, caption: str, notebook: str | None = None) -> str:
    """The HTML that ``show_ledger`` displays, with one column of verdicts per ledger.

    Args:
        ledgers: must hold the same claims.

    Raises:
        ValueError: no ledger, or ledgers of different claims.
    """
    if not ledgers or any(one.judgements.keys() != ledgers[0].judgements.keys() for one in ledgers):
        raise ValueError(
            "ledgers must be at least one and hold the same claims, "
            f"got {', '.join(f'{one.profile}: {len(one.judgements)}' for one in ledgers) or 'none'}"
        )
    judged = [[one.judgements[claim] for one in ledgers] for claim in ledgers[0].judgements]
    groups = [(kind, [row for row in judged if row[0].claim.kind == kind]) for kind in _KINDS]
    body = "".join(
        _group(kind, rows, len(ledgers) + 2) + "".join(map(_claim, rows)) for kind, rows in groups if rows
    )
    several = len(ledgers) > 1
    heads = [f"Verdict, {one.profile}" if several else "Verdict" for one in ledgers]
    heads += ["Claim of the article", "What we find"]
    head = "".join(f'<th role="columnheader" scope="col">{html.escape(text)}</th>' for text in heads)
    # explicit roles: on a phone the style sheet turns rows and cells into blocks, which removes their implicit roles
    content = (
        f'<style>{_sheet()}</style><div class="snn-ledger">{_filter(judged)}'
        f'<table class="snn-claims" role="table" aria-label="{html.escape(name)}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>{body}</table></div>'
    )
    records = {r.key: r for row in judged for j in row for r in j.records}
    csv = frame(ledgers).to_csv(index=False, lineterminator="\n")
    return exhibit_html(
        content,
        name=name,
        caption=caption,
        records=list(records.values()),
        command=None,
        notebook=notebook,
        files={f"{slug(name)}.csv": ("CSV", "text/csv", csv)},
    )


def _group(kind: str, rows: Sequence[Sequence[Judgement]], columns: int) -> str:
    """The line above the claims of one kind."""
    title = f"{_KINDS[kind]} ({len(rows)})"
    head = f'<th role="rowheader" scope="rowgroup" colspan="{columns}">{title}</th>'
    return f'<tbody role="rowgroup" class="snn-kind"><tr role="row">{head}</tr></tbody>'


def _filter(judged: Sequence[Sequence[Judgement]]) -> str:
    """The controls, hidden until a script handles them."""
    methods = Counter(row[0].claim.method for row in judged)
    verdicts = Counter(verdict for row in judged for verdict in {j.verdict for j in row})
    return (
        '<form class="snn-filter" hidden role="search" aria-label="Filter the claims">'
        f"{_select('method', 'Method', {m: m for m in METHODS}, methods, len(judged))}"
        f"{_select('verdict', 'Verdict', {v: words.signed(v) for v in VERDICTS}, verdicts, len(judged))}"
        '<label>Words <input type="search" name="words" size="14" autocomplete="off"></label>'
        '<span class="snn-buttons"><button type="reset">Clear</button>'
        '<button type="button" name="open">Open all shown</button><button type="button" name="close">Close all</button></span>'
        f'<output role="status" aria-live="polite">{len(judged)} of {len(judged)} claims shown</output></form>'
    )


def _select(name: str, label: str, options: dict[str, str], counts: Counter[str], total: int) -> str:
    items = "".join(
        f'<option value="{html.escape(value)}">{html.escape(text)} ({counts[value]})</option>'
        for value, text in options.items()
        if counts[value]
    )
    return f'<label>{label} <select name="{name}"><option value="">all ({total})</option>{items}</select></label>'


def _claim(judgements: Sequence[Judgement]) -> str:
    """One claim: its row, and below it the folded details."""
    claim, method = judgements[0].claim, judgements[0].claim.method
    several = len(judgements) > 1
    verdicts = "".join(
        f'<td role="cell"{f" data-label={j.profile}" if several else ""}>{_mark(j.verdict)}{words.mark(j)}</td>'
        for j in judgements
    )
    found = "".join(
        f"<div>{f'{j.profile}: ' if several else ''}{html.escape(words.plain(words.found(j)))} "
        f'<span class="snn-quiet">({words.behind(j)})</span></div>'
        for j in judgements
    )
    details = "".join(_judgement(j, several) for j in judgements)
    return (
        f'<tbody role="rowgroup" id="claim-{claim.id}" data-claim="{claim.id}" data-method="{html.escape(method)}" '
        f'data-verdict="{"|".join(j.verdict for j in judgements)}"><tr role="row">{verdicts}'
        f'<th role="rowheader" scope="row">“{html.escape(claim.quote)}” <span class="snn-quiet">{html.escape(method)}, '
        f'{html.escape(words.place(claim))} · <a href="#claim-{claim.id}">{claim.id}</a></span></th>'
        f'<td role="cell">{found}</td></tr>'
        f'<tr role="row" class="snn-more"><td role="cell" colspan="{len(judgements) + 2}"><details>'
        f'<summary>What this rests on<span class="snn-hidden">: {claim.id}</span></summary>'
        f"{_sentence(claim, judgements[0])}{details}</details></td></tr></tbody>"
    )


def _sentence(claim: Claim, judgement: Judgement) -> str:
    """The article's sentence and our estimator."""
    rows = [
        ("where", html.escape(words.place(claim))),
        ("a run must show", html.escape(claim.expects)),
        ("how we estimate it", html.escape(judgement.method) or "No estimator is written for this claim."),
    ]
    return f"<blockquote>“{html.escape(claim.quote)}”</blockquote>{_list(rows)}"


def _judgement(judgement: Judgement, several: bool) -> str:
    """The verdict at one scale, with its evidence."""
    parts = judgement.conclusion.parts
    scale = "; ".join(words.images_behind(judgement.records))
    rows = [
        (
            "verdict",
            f"{_mark(judgement.verdict)} at the scale of profile <code>{judgement.profile}</code>"
            + (f": {html.escape(scale)}" if scale else ""),
        ),
        ("why", html.escape(judgement.conclusion.reason)),
    ]
    rows += [("to weigh it", html.escape(judgement.caveat))] if judgement.caveat else []
    rows += [("q among central claims", number(judgement.q))] if judgement.q is not None else []
    rows += [("power", html.escape(never))] if (never := of_claim(judgement.conclusion)) else []
    rows += [("other readings", html.escape(words.moved(judgement)))] if judgement.moved else []
    rows += [("problem", html.escape(text)) for text in judgement.problems]
    rows += [("doubt", html.escape(text)) for text in doubts_about(judgement.records)]
    rows += [
        ("not planned", f"no grid has runs of exhibit {html.escape(table)}") for table in judgement.unplanned
    ]
    pieces = [f'<p class="snn-scale">Profile {judgement.profile}</p>' if several else "", _list(rows)]
    if parts:
        pieces.append(_quantities(judgement))
    if numbered(parts):
        pieces.append(_plot(judgement))
    again = command_html(words.command(judgement.claim, judgement.profile))
    return "".join(
        [*pieces, _runs(judgement), _missing(judgement), f"<p>To make this verdict again:</p>{again}"]
    )


def _list(rows: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd>{text}</dd></div>' for name, text in rows)}</dl>"


def _mark(verdict: str) -> str:
    """Sign, word and colour."""
    sign, word = words.signed(verdict).split(" ", 1)
    return f'<span class="snn-mark snn-{slug(verdict)}"><span aria-hidden="true">{sign}</span> <span>{word}</span></span>'


def _table(heads: Sequence[str], rows: str, label: str, kind: str = "snn-parts") -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    return (
        f'<div class="snn-scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">'
        f'<table class="snn-table snn-runs {kind}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _quantities(judgement: Judgement) -> str:
    rows = "".join(_quantity(number, one) for number, one in enumerate(judgement.conclusion.parts, 1))
    heads = (
        "#",
        "quantity",
        "ours",
        "interval from",
        "claimed",
        "its bounds",
        "verdict",
        "could have shown",
    )
    return _table(heads, rows, f"quantities of {judgement.claim.id}")


def _quantity(number: int, one: QuantityVerdict) -> str:
    part, role = one.quantity, words.role(one)
    note = " ".join(filter(None, ("" if role == "decides" else f"({role})", part.note)))
    seeds = f" ({', '.join(map(str, part.seeds))})" if part.values and not part.computed else ""
    cells = (
        html.escape(part.what) + (f' <span class="snn-quiet">{html.escape(note)}</span>' if note else ""),
        html.escape(words.estimate(one)),
        html.escape(words.basis(one) + seeds),
        html.escape(words.claimed(one)),
        html.escape(words.bounds(one)),
        f'{_mark(one.verdict)} <span class="snn-quiet">{html.escape(words.answers(one))}</span>',
        html.escape(power(one)),
    )
    return f'<tr><th scope="row">{number}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _plot(judgement: Judgement) -> str:
    parts = judgement.conclusion.parts
    figure = draw(parts)
    prefix = f"{judgement.claim.id}-{judgement.profile}"
    drawing = style.inline(figure, prefix=prefix, alt=alt(parts))
    plt.close(figure)
    return (
        f"{drawing_html(drawing, judgement.claim.id)}"
        '<p class="snn-quiet">Shaded: where the quantity supports the claim. Dot: our value; bar: its interval, an open dot has '
        "none; ticks: seeds; grey: shown beside, decides nothing.</p>"
    )


def _runs(judgement: Judgement) -> str:
    if not judgement.records:
        return f"<p>Rests on: {words.behind(judgement)}.</p>"
    rows = "".join(_run(record) for record in judgement.records)
    heads = ("run", "kind", "network", "role", "seed", "commit", "date")
    return f"<p>Rests on {words.behind(judgement)}:</p>{_table(heads, rows, f'runs behind {judgement.claim.id}', 'snn-behind')}"


def _run(record: Record) -> str:
    made, labels = record.provenance, record.labels
    commit = commit_text(made.get("commit"), made.get("dirty"))
    texts = [labels["network"], labels["role"], seed_text(record), commit, str(made.get("date", ""))[:10]]
    cells = [
        f"<code>{record.key}</code>",
        badge(record_tag(record), []),
        *(html.escape(str(text)) for text in texts),
    ]
    return f'<tr data-key="{record.key}" data-sha="{record["sha256"]}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _missing(judgement: Judgement) -> str:
    if not judgement.missing:
        return ""
    count = len(judgement.missing)
    runs = "".join(f"<li>{html.escape(text)}</li>" for text in words.planned(judgement.missing))
    return (
        f"<p>{count} planned run{'s are' if count > 1 else ' is'} not recorded, about "
        f"{words.duration(judgement.minutes)} on two CPU cores:</p><ul>{runs}</ul>"
        f"{''.join(map(command_html, judgement.commands))}"
    )


def problems_html(found: Sequence[str]) -> str:
    """Problems as a list; a sentence if there are none."""
    if not found:
        return "<p>Nothing: every claim has an estimator, and no record is torn, edited or contradicted by another one.</p>"
    return f'<ul class="snn-problems">{"".join(f"<li>{inline_html(text)}</li>" for text in found)}</ul>'


@cache
def _sheet() -> str:
    return " ".join(Path(__file__).with_name("ledger.css").read_text(encoding="utf-8").split())
