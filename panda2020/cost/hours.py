"""The chapter on cost: how long the planned runs take, by estimate, and how long the recorded ones took."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from panda2020 import contents
from panda2020.exhibits.numbers import number
from panda2020.planning import total_minutes
from panda2020.profiles import PROFILES
from panda2020.runs import key
from panda2020.runs.store import Store

#: Exhibit (what a grid's name begins with, or all of it) -> chapter. The others hold the choice of the recipes.
CHAPTERS = {
    "2": "4",
    "4": "5",
    "6": "6",
    "8": "7",
    "figure-5": "7",
    "10": "8",
    "11": "8",
    "12": "9",
    "14": "10",
    "16": "11",
    "figure-1": "3",
    "figure-1-longer": "3",
    "9.1": "14",
    "9.2": "14",
    "unstated": "13",
}


def minutes_table(results: str | Path) -> pd.DataFrame:
    """For each grid of runs and each profile: runs, estimated time, how many are recorded and the time these took.

    Estimates are those of ``python -m panda2020 plan``, for two CPU cores. A run that several grids show counts in each,
    and a record that is planned no more in none. Raises ``RecordError`` for a record that must not be used.
    """
    seconds = _recorded(results)
    rows = []
    for name, grid in contents.TABLES.items():
        row: dict[str, Any] = {
            "chapter": CHAPTERS.get(name, CHAPTERS.get(name.partition("-")[0], "7 (recipes)")),
            "runs of": name,
        }
        for profile in PROFILES.values():
            planned = grid(profile.name)
            row[f"{profile.name} runs"] = len(planned)
            if profile.name == "quick":
                row["quick minutes"] = total_minutes(planned)
                continue
            found = [seconds[one] for one in {key(entry.spec) for entry in planned} if one in seconds]
            row |= {
                f"{profile.name} hours": total_minutes(planned) / 60,
                f"{profile.name} recorded": len(found),
                f"{profile.name} hours measured": sum(found) / 3600,
            }
        rows.append(row)
    order = [str(number) for number in range(20)]
    table = pd.DataFrame(rows)
    place = table["chapter"].map(lambda text: order.index(text.partition(" ")[0]))
    return table.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def chapter_table(minutes: pd.DataFrame) -> pd.DataFrame:
    """``minutes_table`` by chapter: estimated hours of each profile, and the hours that the recorded runs took."""
    columns = {f"{name} hours": f"{name}, hours" for name in PROFILES if name != "quick"}
    table = minutes.groupby("chapter", sort=False)[list(columns)].sum().rename(columns=columns)
    measured = [column for column in minutes if column.endswith("hours measured")]
    table["recorded runs took, hours"] = minutes.groupby("chapter", sort=False)[measured].sum().sum(axis=1)
    return table.reset_index()


def total_hours(results: str | Path) -> dict[str, float]:
    """Of all planned runs, each counted once: the estimated hours by profile; of those that are recorded on a CPU, the hours that
    they took, "measured", and what had been "expected"."""
    seconds, found = _recorded(results, "cpu"), {}
    known: dict[str, Any] = {}
    for profile in PROFILES.values():
        planned = contents.entries(profile.name)
        found[profile.name] = total_minutes(planned) / 60
        known |= {one: entry for entry in planned if (one := key(entry.spec)) in seconds}
    found["measured"] = sum(seconds[one] for one in known) / 3600
    found["expected"] = total_minutes(list(known.values())) / 60
    return found


def _recorded(results: str | Path, device: str = "") -> dict[str, float]:
    """Seconds that every recorded run took, by key; only those on the given kind of device, if one is given."""
    records, errors = Store(results).read_all()
    if errors:
        raise errors[0]
    return {
        record.key: float(record.provenance["seconds"])
        for record in records
        if str(record.provenance["device"]).startswith(device)
    }


def hours_sentence(hours: Mapping[str, float]) -> str:
    """``total_hours`` in words."""
    scales = ", ".join(
        f"{number(hours[name], ',.0f')} at profile {name}" for name in PROFILES if name != "quick"
    )
    said = f"All planned runs are estimated to take, in hours on two CPU cores, {scales}"
    if hours["expected"]:
        times = number(hours["measured"] / hours["expected"], ".1f")
        said += f"; those recorded on a CPU took {times} times as long as estimated"
    return f"{said}."
