"""Tables 10 and 11 in the article's layout, with our values and the article's words; and rho over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from panda2020 import families, statistics
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.records import (
    accuracy_estimate,
    difference_estimate,
    efficiency_estimate,
    reading_of,
    series_of,
)
from panda2020.runs import Record
from panda2020.samples import sample_of
from panda2020.statistics import Estimate

from .tables import pairs


def paper_layout(records: Sequence[Record], *, table: str, energy: bool) -> pd.DataFrame:
    """Table 10 or 11: a row per network and T (reading A), each cell with our 95 % interval and the article's words.

    Columns: "network", "T", "softmax, %", "stochmax, %", "stochmax - softmax, points"; with ``energy`` also "EE softmax",
    "EE stochmax" and "EE ratio", paired by seed, convention paper. Rows without stochmax are left out.
    """
    rows = []
    named: set[str] = set()
    for (name, reading, steps), heads in pairs(records).items():
        soft, stoch = heads["softmax"], heads["stochmax"]
        if reading != "A" or not stoch:
            continue
        # the text does not say the T of its numbers; they are shown with the first
        said = {c: "" if name in named else cell(f"Table {table}", name, c) for c in ("gain", "EE ratio")}
        named.add(name)
        both = sorted(soft.keys() & stoch.keys())
        row: dict[str, object] = {
            "network": name,
            "T": steps,
            "softmax, %": Beside(accuracy_estimate(soft)),
            "stochmax, %": Beside(accuracy_estimate(stoch)),
            "stochmax − softmax, points": Beside(
                difference_estimate(stoch, soft) if both else None, said["gain"]
            ),
        }
        if energy:
            row |= {
                "EE softmax": Beside(efficiency_estimate(soft)),
                "EE stochmax": Beside(efficiency_estimate(stoch)),
                "EE ratio": Beside(_ratio(stoch, soft, both), said["EE ratio"]),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _ratio(
    first: Mapping[int, Record], second: Mapping[int, Record], seeds: Sequence[int]
) -> Estimate | None:
    values = [
        sample_of(first[s]).report().efficiency / sample_of(second[s]).report().efficiency for s in seeds
    ]
    if not values:
        return None
    pool = families.of_pair(series_of(first), series_of(second), lambda s: s.report().efficiency, ratio=True)
    return statistics.estimate(values, ratio=True, pool=pool)


def rho_course(records: Iterable[Record]) -> pd.DataFrame:
    """rho by epoch, one row per stochmax run (reading A) and epoch: network, T, seed, epoch, rho_target, rho_others."""
    rows = [
        {
            "network": record.labels["network"],
            "T": record.result["steps"],
            "seed": record.spec.seed,
            "epoch": entry.get("epoch", number),
            "rho_target": entry["rho_target"],
            "rho_others": entry["rho_others"],
        }
        for record in records
        if "rho" in record.result and reading_of(record.labels["note"]) == "A"
        for number, entry in enumerate(record.result["curve"], 1)
    ]
    return pd.DataFrame(rows, columns=["network", "T", "seed", "epoch", "rho_target", "rho_others"])


def shortest(course: pd.DataFrame) -> pd.DataFrame:
    """The rows of a ``rho_course`` for each network's smallest T."""
    return course[course["T"] == course.groupby("network")["T"].transform("min")]


def rho_sentences(table: pd.DataFrame) -> list[str]:
    """Final rho of the other classes, over all runs of a ``rho_course``."""
    if table.empty:
        return []
    last = table[table["epoch"] == table.groupby(["network", "T", "seed"])["epoch"].transform("max")]
    low, high = last["rho_others"].min(), last["rho_others"].max()
    target = last["rho_target"].mean()
    said = (
        f"In the last epoch of {len(last)} runs, ρ of the other classes lies between {low:.3f} and {high:.3f}, "
        f"and ρ of the target is {target:.3f} on average."
    )
    if max(abs(low - 0.5), abs(high - 0.5)) < 0.05:
        said += " So every rival is kept or dropped nearly as if by a fair coin: the networks did not choose their rivals."
    return [said]
