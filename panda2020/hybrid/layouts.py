"""Tables 14 and 16 in the article's layout, with our values and the article's words; and the sentences below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from panda2020.agd.figures import passes_of
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.numbers import number
from panda2020.records import (
    Place,
    accuracy_estimate,
    by_place,
    difference_estimate,
    efficiency_estimate,
    reading_of,
)
from panda2020.runs import Record
from panda2020.samples import sample_of
from panda2020.statistics import Estimate

from .tables import silent_efficiency

#: Rows of Table 16 by role, with their names in figure and table; the ANN is a column.
ROWS_16: Mapping[str, str] = {
    "hybrid": "2 spiking",
    "hybrid-lif4": "4 spiking",
    "hybrid-lif6": "6 spiking",
    "hybrid-lif8": "8 spiking",
    "hybrid-backres": "2 spiking, BackRes",
}


def layout14(records: Sequence[Record]) -> pd.DataFrame:
    """Table 14: a row per network with a hybrid (role "hybrid-stochmax", reading A).

    For every T its accuracy, its lead over the plain ANN in points and its EE, each with our 95 % interval and the article's
    words. Columns: "network", "ANN, %", then for every T "hybrid, T = ..., %", "hybrid - ANN, T = ..., points", "EE, T = ...",
    then "largest EE" (with silent spiking layers), "ANN with batch norm, %", "parameters". Without hybrids there are no rows.
    """
    places = _first_reading(records)
    hybrids = [place for place in places if place.role == "hybrid-stochmax"]
    times = sorted({place.steps for place in hybrids if place.steps is not None})
    rows = []
    for name in dict.fromkeys(place.network for place in hybrids):
        ann = places.get(Place(name, "A", "ann", None), {})
        row: dict[str, object] = {"network": name, "ANN, %": Beside(accuracy_estimate(ann))}
        found: dict[int, Record] = {}
        for n, steps in enumerate(times):
            runs = places.get(Place(name, "A", "hybrid-stochmax", steps), {})
            found = runs or found
            # the text does not say the T of its numbers; they are shown with the first
            said = {c: "" if n else cell("Table 14", name, c) for c in ("hybrid", "gain", "EE")}
            row[f"hybrid, T = {steps}, %"] = Beside(accuracy_estimate(runs), said["hybrid"])
            row[f"hybrid − ANN, T = {steps}, points"] = Beside(_lead(runs, ann), said["gain"])
            row[f"EE, T = {steps}"] = Beside(efficiency_estimate(runs), said["EE"])
        some = next(iter(found.values()))
        row["largest EE"] = silent_efficiency(passes_of(some.spec), "paper")
        regular = places.get(Place(name, "A", "ann-bn", None), {})
        row["ANN with batch norm, %"] = Beside(
            accuracy_estimate(regular), cell("Table 14", name, "regularised ANN")
        )
        row["parameters"] = sample_of(some).parameters
        rows.append(row)
    return pd.DataFrame(rows)


def layout16(records: Sequence[Record]) -> pd.DataFrame:
    """Table 16 and the comparisons in the text: a row per number of spiking convolutions (``ROWS_16``, reading A) and T.

    Columns: "convolutions", "T" if there are several, "hybrid, %", "hybrid - ANN, points", "EE", "largest EE". The article
    gives numbers only for two spiking convolutions.
    """
    places = _first_reading(records)
    times = {place.steps for place in places if place.role in ROWS_16}
    rows = []
    for role, label in ROWS_16.items():
        for place, runs in places.items():
            if place.role != role:
                continue
            ann = places.get(Place(place.network, "A", "ann", None), {})
            said = cell("Table 16", place.network, "EE") if role == "hybrid" else ""
            row: dict[str, object] = {"convolutions": label}
            if len(times) > 1:
                row["T"] = place.steps
            passes = passes_of(next(iter(runs.values())).spec)
            rows.append(
                row
                | {
                    "hybrid, %": Beside(accuracy_estimate(runs)),
                    "hybrid − ANN, points": Beside(_lead(runs, ann)),
                    "EE": Beside(efficiency_estimate(runs), said),
                    "largest EE": silent_efficiency(passes, "paper"),
                    "seeds": len(runs),
                }
            )
    return pd.DataFrame(rows)


def _first_reading(records: Sequence[Record]) -> dict[Place, dict[int, Record]]:
    return by_place([r for r in records if reading_of(r.labels["note"]) == "A"])


def _lead(first: Mapping[int, Record], second: Mapping[int, Record]) -> Estimate | None:
    return difference_estimate(first, second) if first.keys() & second.keys() else None


# Sentences --------------------------------------------------------------------------------------------------


def bound_sentences(full: pd.DataFrame, *, target: float) -> list[str]:
    """Consequences of the shapes alone, from ``tables.full_size_table``: the largest EE, and the rate that ``target`` needs.

    Networks with the same consequences share a sentence.
    """
    names: dict[str, list[str]] = {}
    for _, row in full.iterrows():
        largest, physical = (number(row[c], ".2f") for c in ("EE at most", "EE at most, physical"))
        said = f"an EE of {largest} under convention paper and {physical} under physical."
        rate = row[f"rate for EE {target:g}"]
        if pd.isna(rate):
            said += f" No activity gives an EE of {target:g}."
        elif rate < 1:
            said += f" An EE of {target:g} allows at most {number(rate, '.3f')} spikes per neuron and step."
        names.setdefault(said, []).append(str(row["network"]))
    return [
        f"At full width, spiking layers that never fire would give {' and '.join(who)} {said}"
        for said, who in names.items()
    ]


def sweep_sentences(table: pd.DataFrame, *, by: str, chance: float = 0.1) -> list[str]:
    """A summary of ``tables.sweep_table`` by the column ``by``: accuracy and EE at every count, and the number of seeds."""
    if table.empty:
        return []
    rows = table.sort_values(by)
    points = "; ".join(
        f"{row[by]}: {number(row['accuracy'], '.1%')}, EE {number(row['EE paper'], '.1f')}"
        for _, row in rows.iterrows()
    )
    guessing = [str(row[by]) for _, row in rows.iterrows() if row["accuracy"] < chance + 0.02]
    said = f"Accuracy and EE by the number of {by}: {points}."
    if guessing:
        said += f" With {', '.join(guessing)} the network only guesses, and its EE says nothing."
    return [f"{said} {_seeds(rows)}"]


def _seeds(table: pd.DataFrame) -> str:
    counts = sorted(set(table["seeds"]))
    if counts == [1]:
        return "Each point is one seed, so its interval covers the test images alone."
    return f"Each point has {counts[0]} to {counts[-1]} seeds." if len(counts) > 1 else f"{counts[0]} seeds."


def input_sentences(table: pd.DataFrame) -> list[str]:
    """A summary of ``tables.input_table``, network by network."""
    said = []
    for _, row in table.iterrows():
        lead = row["X minus X[t]"]
        paper, physical = (number(row[f"ratio {c}"], ".2f") for c in ("paper", "physical"))
        cost = f"{paper} times the energy (convention paper; physical: {physical})"
        said.append(
            f"{row['network']} at T = {row['T']}: real values are {abs(lead):.1f} points "
            f"{'better' if lead >= 0 else 'worse'} than "
            f"spikes, at {cost}."
        )
    return said
