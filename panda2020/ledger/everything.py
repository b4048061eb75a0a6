"""Every recorded run of the book, table by table, and every planned run that is not recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from panda2020 import contents
from panda2020.claims.evidence import PROFILES
from panda2020.exhibits.exhibit import fold, origin, say, seed_text, show_table
from panda2020.planning import total_minutes
from panda2020.records import missing_table, recorded
from panda2020.runs import Record
from panda2020.samples import Sample, samples


def run_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run: network, role, T, accuracy, seed, state of freshness, key, and the command that makes it again.

    T and accuracy are those of the largest T that the run holds; of an STDP run, those under FC1 and FC2. A run that
    classifies no images has no accuracy.
    """
    rows = []
    for record in records:
        last = _last(record)
        known = last is not None and "accuracy" in last.measured
        rows.append(
            {
                "network": record.labels["network"],
                "role": record.labels["role"],
                "T": None if last is None else last.steps,
                "accuracy": last.accuracy if last is not None and known else None,
                "seed": seed_text(record),
                "state": origin([record]),
                "key": record.key,
                "command": record.provenance["command"],
            }
        )
    columns = ["network", "role", "T", "accuracy", "seed", "state", "key", "command"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return table.astype({"accuracy": float})


def _last(record: Record) -> Sample | None:
    found = samples(record, "fc/learned" if record["task"] == "stdp" else "")
    return list(found.values())[-1] if found else None


def show_everything(*, results: str | Path | None = None) -> None:
    """Display every table of the book as a fold: its recorded runs, and those that are missing.

    Scales without a run are left out."""
    for profile in PROFILES:
        for name, grid in contents.TABLES.items():
            kept, missing = recorded(grid(profile), results=results)
            if not kept:
                continue
            state = f"{len(kept)} recorded" + (f", {len(missing)} missing" if missing else "")
            with fold(f"Runs of {name}, profile {profile}: {state}"):
                show_table(
                    run_table(kept),
                    name=f"Runs of {name}, {profile}",
                    caption="Every recorded run, with the accuracy on its test images at its largest T.",
                    formats={"accuracy": ".1%"},
                    main=["network", "role", "T", "accuracy", "seed", "state"],
                )
                if missing:
                    say(f"Not recorded yet, about {total_minutes(missing):,.0f} minutes on two CPU cores:")
                    show_table(
                        missing_table(missing),
                        name=f"Missing runs of {name}, {profile}",
                        caption="Planned runs without a record.",
                        command=f"python -m panda2020 record --profile {profile} --table {name}",
                        formats={"minutes": ",.0f"},
                    )
