"""What a single run would have said: verdicts as seeds are added, and quantities on which single seeds disagree.

A table of one run per row, as the article's are, gives every number without an interval. So a reader can only ask whether it
lies in the range that a sentence states. Here that is asked of each seed by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from panda2020.claims.evidence import Evidence
from panda2020.claims.verdicts import DECISIVE, VERDICTS, QuantityVerdict
from panda2020.planning import seed_of
from panda2020.profiles import profile

from .ledger import Ledger, ledger


def by_seeds(profile_name: str, *, found: Evidence) -> dict[int, Ledger]:
    """The ledger from the first seed alone, from the first two, and so on to all: number of seeds -> ledger.

    Ends with the last seed of which a run is recorded. Empty without records.
    """
    seeds = profile(profile_name).seeds
    recorded = {seed_of(run.entry) for run in found.runs if run.record is not None}
    last = max((number for number, seed in enumerate(seeds, start=1) if seed in recorded), default=0)
    return {
        number: ledger(profile_name, readings=False, found=replace(
            found, runs=tuple(run for run in found.runs if seed_of(run.entry) in seeds[:number])
        ))
        for number in range(1, last + 1)
    }  # fmt: skip


def course_table(ledgers: Mapping[int, Ledger]) -> pd.DataFrame:
    """One row per number of seeds: claims by verdict, and how many of those that decide something have another one in the end."""
    if not ledgers:
        return pd.DataFrame()
    end = ledgers[max(ledgers)].judgements
    rows = []
    for number, one in sorted(ledgers.items()):
        decided = [
            name
            for name, judgement in one.judgements.items()
            if judgement.counted and judgement.verdict in DECISIVE
        ]
        lost = sum(end[name].verdict != one.judgements[name].verdict for name in decided)
        rows.append(
            {
                "seeds": number,
                **{v: one.counts[v] for v in VERDICTS},
                "decided": len(decided),
                "of them not kept": lost,
            }
        )
    return pd.DataFrame(rows)


def moved_table(ledgers: Mapping[int, Ledger]) -> pd.DataFrame:
    """The claims that were decided at some number of seeds and have another verdict with more: one column per number."""
    numbers = sorted(ledgers)
    rows = []
    for name, judgement in ledgers[numbers[-1]].judgements.items() if numbers else ():
        course = [ledgers[number].judgements[name].verdict for number in numbers]
        if any(verdict in DECISIVE and verdict != course[-1] for verdict in course):
            said = {
                f"{number} seed{'s' if number > 1 else ''}": verdict
                for number, verdict in zip(numbers, course, strict=True)
            }
            rows.append({"claim": name, "the paper": f"“{judgement.claim.quote}”", **said})
    return pd.DataFrame(rows)


def lone_table(one: Ledger) -> pd.DataFrame:
    """Every quantity that decides a claim and is recorded with several seeds, those on which single seeds disagree first.

    "in the range" counts the seeds whose value alone lies where the sentence wants it.
    """
    rows = []
    for name, judgement in one.judgements.items():
        for j in judgement.conclusion.counted:
            if _several(j):
                values = j.quantity.values
                inside = sum(j.quantity.expected.holds(value, value) for value in values)
                rows.append({
                    "claim": name, "quantity": j.quantity.what, "unit": j.quantity.unit, "range": str(j.quantity.expected),
                    "smallest": min(values), "largest": max(values), "in the range": f"{inside} of {len(values)}",
                    "seeds disagree": "yes" if 0 < inside < len(values) else "no", "verdict": j.verdict,
                })  # fmt: skip
    table = pd.DataFrame(rows)
    return (
        table.sort_values("seeds disagree", ascending=False, kind="stable", ignore_index=True)
        if rows
        else table
    )


def _several(j: QuantityVerdict) -> bool:
    """Measured in several runs; what is computed while the ledger is judged has no run behind it."""
    return bool(j.quantity.keys) and not j.quantity.void and len(j.quantity.values) > 1


def finding(course: pd.DataFrame, lone: pd.DataFrame) -> Sequence[str]:
    """In words: verdicts from fewer seeds that did not last, and on how many quantities single runs disagree."""
    said = []
    if len(course) > 1:
        first = course.iloc[0]
        said.append(
            f"From the first seed alone {first['decided']} of {first[list(VERDICTS)].sum()} claims would have a verdict; "
            f"{first['of them not kept']} of these verdicts are not what all seeds say."
        )
    if len(lone):
        split = int((lone["seeds disagree"] == "yes").sum())
        said.append(
            f"On {split} of {len(lone)} quantities with several seeds the seeds disagree: some lie in the range that the "
            "sentence states, others do not."
        )
    return said or ["No quantity is recorded with more than one seed."]
