"""Pages made from the records: the article's numbers beside ours, every run, missing runs, the results."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from panda2020 import contents
from panda2020.claims.evidence import PROFILES
from panda2020.claims.stated import stated
from panda2020.claims.verdicts import BY_CONSTRUCTION, VERDICTS
from panda2020.exhibits.cells import inline_html
from panda2020.exhibits.provenance import commit_text, seed_text
from panda2020.ledger import words
from panda2020.ledger.chapter import LEDGER_PAGE, mark
from panda2020.ledger.home import Home, finding, scale_sentence
from panda2020.ledger.ledger import Judgement, Ledger
from panda2020.ledger.page import missing_table
from panda2020.planning import total_minutes
from panda2020.records import shown_name
from panda2020.runs import Record, key
from panda2020.samples import samples


def raw(page: str) -> str:
    """A piece of HTML as a block in a Markdown page."""
    return f"```{{raw}} html\n{page}\n```\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """A table of HTML cells in a box that scrolls; the first cell names the row."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="snn-exhibit"><div class="snn-scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">'
        f'<table class="snn-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>'
    )


# Every number of the article --------------------------------------------------------------------------------


def numbers(found: Mapping[str, Judgement]) -> str:
    """Every number in the article's text, beside our quantities."""
    parts = [j for judgement in found.values() for j in judgement.conclusion.parts if j.estimate is not None]
    rows = []
    for name, judgement in found.items():
        says = stated()[name].numbers
        for number in says:
            own = [
                j
                for j in judgement.conclusion.parts
                if j.estimate is not None and number.speaks_of(j.quantity)
            ]
            mine = own or [j for j in parts if number.speaks_of(j.quantity)]
            if not mine and any(number.says in other.says for other in says if other is not number):
                continue  # part of a number that already has a row
            ours = "".join(
                f"<div>{html.escape(words.estimate(j))} <small>{html.escape(words.plain(j.quantity.what))}</small></div>"
                for j in mine[:3]
            )
            link = f'<a href="../executed/{LEDGER_PAGE}#claim-{name}">{inline_html(stated()[name].short)}</a>'
            where = (
                f"<small>section {html.escape(number.where)}, {html.escape(judgement.claim.exhibit)}</small>"
            )
            said = html.escape(number.says)
            rows.append(
                (said, f"{link}<br>{where}", ours or "<small>not measured</small>", mark(judgement.verdict))
            )
    return raw(
        _table(("article", "of what", "ours, 95 % interval", "verdict"), rows, "every number of the article")
    )


# Everything recorded ----------------------------------------------------------------------------------------


def recorded(records: Sequence[Record]) -> str:
    """Every recorded run by profile and exhibit, folded."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        for exhibit in record.labels["tables"][:1]:
            groups.setdefault((str(record.labels["profile"]), str(exhibit)), []).append(record)
    order = {name: n for n, name in enumerate(reversed(PROFILES))}
    parts = []
    for (profile, exhibit), mine in sorted(
        groups.items(), key=lambda item: (order.get(item[0][0], 9), item[0])
    ):
        rows = [_run(record) for record in sorted(mine, key=_place)]
        heads = ("network", "role", "T", "seed", "test accuracy", "run", "commit", "minutes")
        title = f"{profile}, exhibit {html.escape(exhibit)}: {len(mine)} run{'' if len(mine) == 1 else 's'}"
        parts.append(
            f'<details class="snn snn-fold"><summary>{title}</summary>{_table(heads, rows, f"runs of {exhibit}")}</details>'
        )
    return raw("".join(parts)) if parts else "No run is recorded.\n"


def _place(record: Record) -> tuple[str, str, str]:
    return str(record.labels["network"]), str(record.labels["role"]), str(seed_text(record))


def _run(record: Record) -> tuple[str, ...]:
    labels, made = record.labels, record.provenance
    found = (
        samples(record)
        if record["task"] != "stdp" and "accuracy" in str(record.result.keys()) + "snn"
        else {}
    )
    last = next(reversed(found.values()), None) if found else None
    accuracy = "–" if last is None or "accuracy" not in last.measured else f"{100 * last.accuracy:.1f} %"
    steps = "–" if last is None or last.steps is None else str(last.steps)
    note = f" ({labels['note']})" if labels["note"] else ""
    cells = (
        f"{labels['network']}{note}",
        labels["role"],
        steps,
        seed_text(record),
        accuracy,
        record.key,
        commit_text(made["commit"], made["dirty"]),
        f"{made['seconds'] / 60:.1f}",
    )
    return tuple(html.escape(str(cell)) for cell in cells)


def missing(ledgers: Sequence[Ledger]) -> str:
    """Planned runs that claims need, by the command that makes them."""
    table = missing_table(ledgers)
    if table.empty:
        return "Every planned run that a claim asks for is recorded.\n"
    rows = [
        (
            row["profile"],
            row["exhibit"],
            str(row["claims"]),
            str(row["runs"]),
            f"{row['hours']:.1f}",
            inline_html(row["command"]),
        )
        for _, row in table.iterrows()
    ]
    return raw(_table(("profile", "exhibit", "claims", "runs", "hours", "command"), rows, "missing runs"))


# The order of recording -------------------------------------------------------------------------------------

#: What each stage of the protocol's order records.
STAGE_TITLES = {
    "pilot": "pilot: learning rates and epochs",
    "R1": "conversions of VGG7, VGG2x4 and VGG3x2, Table 2",
    "R2": "VGG7 and VGG3x4 with spikes and as ANNs, Table 8, and the specification curve",
    "R3": "VGG5 and VGG3x2, Table 8",
    "R4": "hybrids, Table 14",
    "R5": "stochmax, Tables 10 and 11",
    "R6": "STDP, Tables 6 and 12",
    "R7": "ImageNet classes, Tables 4 and 16",
    "R8": "other readings, T = 50, Figures 1 and 5, latency code, binary networks",
}


def progress(profile: str, recorded: Set[str]) -> str:
    """How much of each stage of the protocol's order is recorded, by the keys of the records."""
    rows = []
    for stage, title in STAGE_TITLES.items():
        planned = contents.stage(profile, stage)
        left = [entry for entry in planned if key(entry.spec) not in recorded]
        rows.append(
            (
                f"{stage}: {title}" if stage != title.partition(":")[0] else title,
                f"{len(planned) - len(left)} of {len(planned)}",
                f"{total_minutes(left) / 60:.1f}" if left else "–",
            )
        )
    return raw(_table(("stage", "recorded runs", "hours left"), rows, "order of recording"))


# Two machines -----------------------------------------------------------------------------------------------


def twice(records: Sequence[Record], again: Sequence[Record]) -> str:
    """Conversions that were recorded on two kinds of machine: both accuracies, and both losses against their own ANN.

    Args:
        records: the records that the book uses.
        again: further records of some of these runs, which it does not use.
    """
    used = {record.key: record for record in records}
    rows = []
    for other in again:
        pair = (used[other.key], other)
        rows.append(
            (
                f"{html.escape(shown_name(str(other.labels['network'])))}, seed {seed_text(other)}",
                *(
                    f"{html.escape(str(r.provenance['device_name']))}: {r.result['accuracy']:.2%}, "
                    f"{100 * (r.result['accuracy'] - r.result['ann']['accuracy']):+.2f} points"
                    for r in pair
                ),
            )
        )
    heads = ("conversion", "in the book", "a second time")
    return (
        raw(_table(heads, rows, "runs on two machines")) if rows else "No run was recorded on two machines.\n"
    )


# Summary ----------------------------------------------------------------------------------------------------


def results(found: Home, ledgers: Sequence[Ledger], records: Sequence[Record]) -> str:
    """The results of the reproducibility summary: finding, scale, counts of verdicts, computing time."""
    shown = [one for one in ledgers if any(j.records for j in one.judgements.values())]
    lines = [f"{finding(found)} {scale_sentence(found)}", ""]
    lines += [
        f"| verdict | {' | '.join(f'at scale `{one.profile}`' for one in shown)} |",
        f"|---|{'--:|' * len(shown)}",
    ]
    lines += [f"| {words.signed(v)} | {' | '.join(str(one.counts[v]) for one in shown)} |" for v in VERDICTS]
    hours = Counter[str]()
    for record in records:
        hours[str(record.labels["profile"])] += record.provenance["seconds"] / 3600
    spent = "; ".join(f"`{name}` {value:.0f} hours" for name, value in hours.items())
    lines += ["", f"Statements that say the same count once; “{BY_CONSTRUCTION}” is outside the counts."]
    lines += ["", f"Computing time of the {len(records)} recorded runs: {spent}."]
    return "\n".join(lines) + "\n"
