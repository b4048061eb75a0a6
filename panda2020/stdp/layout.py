"""Table 6 in the article's layout, and the gain of STDP over untrained kernels, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from panda2020 import families, statistics
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.numbers import interval, number
from panda2020.exhibits.style import INK, PALETTE, ROLES
from panda2020.records import accuracy_estimate, by_place, series_of
from panda2020.runs import Record
from panda2020.samples import Sample
from panda2020.statistics import Estimate, Interval
from snncore.topology import parameter_count

from .grid import BASELINES, CLASSIFIERS
from .tables import gaps, stdp_accuracy, topologies

#: Control that STDP is compared with -> its name in words.
OTHERS = {"ANN": "its ANN", "random": "random kernels", "pixels": "raw pixels"}

_LOOKS = {
    "its ANN": (ROLES["ann"], "s"),
    "random kernels": (INK, "o"),
    "raw pixels": (PALETTE["purple"], "^"),
}


def paired_runs(
    records: Sequence[Record], table: str
) -> dict[str, tuple[dict[int, Record], dict[int, Record]]]:
    """STDP runs and ANNs of each network, by seed.

    If any seed has both, only such seeds are used; otherwise means and differences would be over different seeds.
    """
    places: dict[str, dict[str, dict[int, Record]]] = {}
    for place, seeds in by_place(records).items():
        places.setdefault(place.network, {})[place.role] = seeds
    found = {}
    for name, roles in places.items():
        runs, anns = roles.get("stdp", {}), roles.get(BASELINES[table], {})
        both = runs.keys() & anns.keys()
        if both:
            runs, anns = ({s: group[s] for s in sorted(both)} for group in (runs, anns))
        if runs:
            found[name] = runs, anns if both else {}
    return found


def paper_layout(records: Sequence[Record], table: str = "6") -> pd.DataFrame:
    """Table 6 in the article's layout: a row per network.

    Accuracy of ANN and STDP in per cent, loss of STDP in points, EE of the whole network and of its spiking convolutions,
    parameters and compression; each with our 95 % interval and the article's words for the cell. All numbers of a row are
    over the same seeds (``paired_runs``).
    """
    kind, exhibit = CLASSIFIERS[table], f"Table {table}"
    rows = []
    for name, (runs, anns) in paired_runs(records, table).items():
        first = next(iter(runs.values()))
        loss = gaps(runs, anns, kind)["ANN"]
        topology, plain, shape = topologies(name, first, kind)
        rows.append(
            {
                "network": name,
                "ANN, %": Beside(accuracy_estimate(anns), cell(exhibit, name, "ANN")),
                "STDP, %": Beside(stdp_accuracy(runs, kind), cell(exhibit, name, "SNN")),
                "ANN − STDP, points": Beside(None if loss is None else -loss, cell(exhibit, name, "loss")),
                "EE, whole": Beside(_efficiency(runs, kind), cell(exhibit, name, "EE full")),
                "EE, spiking layers": Beside(
                    _efficiency(runs, kind, spiking_only=True), cell(exhibit, name, "EE conv")
                ),
                "parameters": parameter_count(topology, shape),
                "compression": parameter_count(plain, shape) / parameter_count(topology, shape),
                "seeds": len(runs),
            }
        )
    return pd.DataFrame(rows)


def _efficiency(runs: Mapping[int, Record], kind: str, *, spiking_only: bool = False) -> Estimate:
    def efficiency(sample: Sample) -> float:
        return sample.report(spiking_only=spiking_only).efficiency

    found = [
        efficiency(Sample(run, run.spec.stdp.steps, run.result["classifiers"][kind])) for run in runs.values()
    ]
    pool = families.of_values(series_of(runs, view=f"{kind}/learned"), efficiency, ratio=True)
    return statistics.estimate(found, ratio=True, pool=pool)


def control_table(records: Sequence[Record], table: str = "6") -> pd.DataFrame:
    """STDP minus its ANN, random kernels and raw pixels with the same classifier, in points.

    One row per network and control, with the total interval (95 %) and the number of seeds that have both.
    """
    rows = []
    places: dict[str, dict[str, dict[int, Record]]] = {}
    for place, seeds in by_place(records).items():
        places.setdefault(place.network, {})[place.role] = seeds
    for name, roles in places.items():
        if "stdp" not in roles:
            continue
        found = gaps(roles["stdp"], roles.get(BASELINES[table], {}), CLASSIFIERS[table])
        for word, title in OTHERS.items():
            one = found[word]
            if one is not None:
                low, high = one.interval or (math.nan, math.nan)
                rows.append({
                    "network": name, "STDP minus": title, "points": one.mean, "low": low, "high": high, "seeds": one.seeds,
                })  # fmt: skip
    return pd.DataFrame(rows)


def draw_controls(table: pd.DataFrame) -> Figure:
    """``control_table``: a row per network, a mark with its interval per control; right of 0, STDP is better."""
    names = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(6.8, 0.85 * len(names) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    drawn = {}
    for k, name in enumerate(names):
        here = table[table["network"] == name]
        for i, (title, (colour, marker)) in enumerate(_LOOKS.items()):
            for _, row in here[here["STDP minus"] == title].iterrows():
                sides = [[row["points"] - row["low"]], [row["high"] - row["points"]]]
                drawn[title] = axes.errorbar(
                    row["points"], k + 0.24 * (i - 1), xerr=sides, color=colour, marker=marker, markersize=7, capsize=3,
                    linestyle="none",
                )  # fmt: skip
    axes.axvline(0, color=PALETTE["grey"], linewidth=1.2)
    seeds = table.groupby("network", sort=False)["seeds"].max()
    axes.set_yticks(range(len(names)), [f"{n}\n{seeds[n]} seed{'' if seeds[n] == 1 else 's'}" for n in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("STDP minus the other, points (left: STDP is worse)")
    figure.legend(
        handles=list(drawn.values()),
        labels=[f"minus {title}" for title in drawn],
        loc="outside lower center",
        ncols=3,
        fontsize=9,
    )
    return figure


def control_sentences(table: pd.DataFrame) -> list[str]:
    """Each difference with its interval and its number of seeds, a sentence per control."""
    said = []
    for title, here in table.groupby("STDP minus", sort=False):
        found = "; ".join(
            f"{row['network']} {number(row['points'], '+.1f')} [{interval(Interval(row['low'], row['high']), '+.1f')}], "
            f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
            for _, row in here.iterrows()
        )
        said.append(f"STDP minus {title}, in points: {found}.")
    return said
