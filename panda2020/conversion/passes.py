"""Thresholds and spike rates over the passes of a BackRes layer, beside the layers of the plain network at the same depth.

Any chain of integrate-and-fire layers spikes less with depth. The effect of a BackRes block shows only in comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from panda2020.exhibits.numbers import number
from panda2020.exhibits.style import INK, PALETTE, ROLES
from panda2020.records import shown_name
from panda2020.runs import Record
from panda2020.samples import Sample

from .tables import CONVERTED, Runs, grouped, read_out, times

MEASURES = {"threshold": "balanced threshold", "rate": "spikes per neuron and step"}


def pass_table(records: Sequence[Record], *, plain: str = "VGG7-conv") -> pd.DataFrame:
    """One row per run and pass of a BackRes layer, and per run of ``plain`` and layer at the depth of such a pass.

    Columns: network and layer (the BackRes layer of the row), of ("BackRes" or "plain"), seed, step, site,
    threshold and rate (at the largest T), and both relative to the first step. A depth that ``plain`` lacks is omitted.
    """
    groups = {(p.network, p.reading): runs for p, runs in grouped(records).items() if p.role == CONVERTED}
    base = groups.get((plain, "A"), {})
    rows = []
    for (name, reading), runs in groups.items():
        first = Sample(next(iter(runs.values())), None, {})
        spiking = [p for p in first.passes if p.neuron == "if"]
        for layer in dict.fromkeys(p.layer for p in spiking if p.unrolls > 1):
            depths = [depth for depth, p in enumerate(spiking) if p.layer == layer]
            title = {"network": shown_name(name, reading), "layer": layer}
            rows += _rows({**title, "of": "BackRes"}, runs, depths)
            if name != plain:
                rows += _rows({**title, "of": "plain"}, base, depths)
    return pd.DataFrame(rows)


def _rows(start: dict[str, str], runs: Runs, depths: Sequence[int]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for seed, run in runs.items():
        found = read_out(run, times(runs)[-1])
        sites = [p.site for p in Sample(run, None, {}).passes if p.neuron == "if"]
        here = [sites[depth] for depth in depths if depth < len(sites)]
        values = {
            "threshold": [float(run.result["thresholds"][site]) for site in here],
            "rate": [float(found["activity"][site]["rate"]) for site in here],
        }
        for k, site in enumerate(here):
            relative = {
                f"{name} over the first": each[k] / each[0] if each[0] else float("nan")
                for name, each in values.items()
            }
            absolute = {name: each[k] for name, each in values.items()}
            rows.append({**start, "seed": seed, "step": k + 1, "site": site, **absolute, **relative})
    return rows


def draw_passes(table: pd.DataFrame) -> Figure:
    """``pass_table``: a column per BackRes layer, thresholds above and spike rates below, both relative to the first pass.

    Solid: the passes; dashed: the plain network's layers at these depths. Lines are means over seeds, ticks single seeds.
    """
    layers = list(dict.fromkeys(zip(table["network"], table["layer"], strict=True)))
    figure = Figure(figsize=(min(7.8, max(4.2, 2.5 * len(layers) + 0.3)), 4.6), layout="constrained")
    grid = figure.subplots(2, len(layers), squeeze=False, sharey="row")
    looks = {"BackRes": (ROLES["snn"], "solid", "o"), "plain": (INK, (0, (4, 2)), "s")}
    for row, measure in zip(grid, MEASURES, strict=True):
        column = f"{measure} over the first"
        for axes, (name, layer) in zip(row, layers, strict=True):
            here = table[(table["network"] == name) & (table["layer"] == layer)]
            for kind, (colour, dashes, marker) in looks.items():
                one = here[here["of"] == kind]
                if one.empty:
                    continue
                mean = one.groupby("step")[column].mean()
                axes.plot(mean.index, mean, color=colour, linestyle=dashes, marker=marker, markersize=4.5)
                if one["seed"].nunique() > 1:
                    axes.plot(one["step"], one[column], "_", color=colour, markersize=7, alpha=0.6)
            axes.axhline(1, color=PALETTE["grey"], linewidth=1, linestyle=":")
            axes.set_xticks(sorted(set(here["step"])))
            axes.set_xlim(0.7, here["step"].max() + 0.3)
        row[0].set_ylim(0, 1.08 * max(1.0, table[column].max()))
    for axes, (name, layer) in zip(grid[0], layers, strict=True):
        axes.set_title(f"{name}, {layer}" if len(layers) < 4 else layer, fontsize=10, loc="left")
    for axes in grid[1]:
        axes.set_xlabel("pass")
    grid[0, 0].set_ylabel("threshold,\nfirst pass = 1")
    grid[1, 0].set_ylabel("spike rate,\nfirst pass = 1")
    names = {"BackRes": "passes of the BackRes layer", "plain": "plain network, layers as deep"}
    lines = [
        figure.axes[0].plot([], [], color=c, linestyle=d, marker=m, markersize=4.5)[0]
        for c, d, m in looks.values()
    ]
    figure.legend(lines, list(names.values()), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def pass_sentences(table: pd.DataFrame) -> list[str]:
    """Last pass relative to the first, for thresholds and rates, by layer, beside the plain network's layers of equal depth."""
    said = []
    for measure, words in MEASURES.items():
        column, found = f"{measure} over the first", []
        for (name, layer), here in table.groupby(["network", "layer"], sort=False):
            ends = {
                kind: float(one[one["step"] == one["step"].max()][column].mean())
                for kind, one in here.groupby("of", sort=False)
            }
            beside = f" (plain {number(ends['plain'], '.2f')})" if "plain" in ends else ""
            if "BackRes" in ends:
                found.append(f"{name} {layer} {number(ends['BackRes'], '.2f')}{beside}")
        if found:
            said.append(f"{words[0].upper()}{words[1:]}, last pass over the first: {'; '.join(found)}.")
    return said
