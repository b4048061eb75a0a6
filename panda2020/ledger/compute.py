"""The cost of each claim: the wall time of the recorded runs behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from panda2020.runs import Record

from . import words
from .ledger import Ledger

COLUMNS = ("claim", "verdict", "runs", "minutes", "its own", "on")


def minutes_of(records: Sequence[Record]) -> float:
    """Wall time of some runs, each counted once, in minutes; for an interrupted run that of its last attempt."""
    seconds = {record.key: float(record.provenance["seconds"]) for record in records}
    return sum(seconds.values()) / 60


def compute_table(one: Ledger) -> pd.DataFrame:
    """One row per claim with recorded runs, the most expensive first.

    - minutes: of all its runs; most runs serve several claims and count for each.
    - "its own": of the runs that no other claim uses.
    - on: the kinds of devices.
    """
    claims: dict[str, set[str]] = {}
    for name, judgement in one.judgements.items():
        for record in judgement.records:
            claims.setdefault(record.key, set()).add(name)
    rows = [
        {
            "claim": name,
            "verdict": words.signed(judgement.verdict),
            "runs": len(judgement.records),
            "minutes": minutes_of(judgement.records),
            "its own": minutes_of([r for r in judgement.records if claims[r.key] == {name}]),
            "on": ", ".join(sorted({str(r.provenance.get("device", "cpu")) for r in judgement.records})),
        }
        for name, judgement in one.judgements.items()
        if judgement.records
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("minutes", ascending=False, kind="stable", ignore_index=True)


def total(one: Ledger) -> Mapping[str, float]:
    """Number and minutes of all runs that any claim uses."""
    records = {record.key: record for j in one.judgements.values() for record in j.records}
    return {"runs": len(records), "minutes": minutes_of(list(records.values()))}


def markdown(ledgers: Sequence[Ledger]) -> str:
    """The tables of the profiles that have recorded runs, as Markdown."""
    rows: list[str] = []
    for one in ledgers:
        table = compute_table(one)
        if table.empty:
            continue
        every = total(one)
        rows += [
            f"## Profile `{one.profile}`",
            "",
            f"{every['runs']:.0f} recorded runs, {words.duration(every['minutes'])} in all; one that serves several claims is "
            "counted for each of them below, and once here.",
            "",
            "| claim | verdict | runs | minutes | of its own runs | on |",
            "|---|---|--:|--:|--:|---|",
        ]
        for row in table.to_dict("records"):
            minutes = f"{row['minutes']:,.0f} | {row['its own']:,.0f}"
            rows.append(f"| `{row['claim']}` | {row['verdict']} | {row['runs']} | {minutes} | {row['on']} |")
        rows.append("")
    return "\n".join(rows) or "No claim rests on a recorded run yet.\n"
