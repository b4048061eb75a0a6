"""Two more figures of conversion: at which layer accuracy is lost, and variants of a conversion against T."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter, ScalarFormatter

from panda2020.exhibits.style import PALETTE, ROLES
from panda2020.runs import Record
from panda2020.statistics import wilson
from snncore.energy import CONVENTIONS

from .tables import CONVERTED, NAMES, accuracy, by_network, grouped, name_of, times

_LOOKS = {
    CONVERTED: (PALETTE["orange"], "o", "solid"),
    "converted-shared": (PALETTE["purple"], "s", (0, (5, 2))),
    "converted-relu-2": (PALETTE["green"], "D", (0, (2, 1))),
    "converted-percentile": (PALETTE["sky"], "^", (0, (1, 1))),
    "converted-stochmax": (PALETTE["black"], "v", (0, (4, 1, 1, 1))),
}


def draw_hand_over(table: pd.DataFrame) -> Figure:
    """``tables.hand_over_table``, a panel per network: accuracy of the ANN that goes on from each layer's rates,
    a line per T, from pale (smallest) to dark. Left is the ANN alone, right the whole spiking network."""
    groups = list(table.groupby(["network", "reading", "conversion"], sort=False))
    figure = Figure(figsize=(3.3 * len(groups) + 1.4, 3.6), layout="constrained")
    grid = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    columns = sorted((c for c in table.columns if c.startswith("T = ")), key=lambda c: int(c[4:]))
    shades = colormaps["viridis_r"]
    for axes, ((name, reading, _), here) in zip(grid, groups, strict=True):
        for i, column in enumerate(columns):
            colour = shades(0.1 + 0.9 * i / max(1, len(columns) - 1))
            axes.plot(here["depth"], here[column], color=colour, marker="o", markersize=3.5, label=column)
        axes.set_xticks(here["depth"], here["layer"], rotation=60, fontsize=8)
        axes.set_title(name if reading == "A" else f"{name}, reading {reading}", fontsize=10)
        axes.set_ylim(0, None)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    grid[0].set_ylabel("accuracy, spikes up to here, then ANN")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def draw_variants(records: Sequence[Record]) -> Figure:
    """Accuracy against T, a panel per network: every conversion of its ANN, mean over seeds, with Wilson's 95 % interval over
    test images as a band around the plain one. The ANN is a line."""
    groups = grouped(records)
    names = list(dict.fromkeys(kind[:2] for kind in groups))
    figure = Figure(figsize=(3.5 * len(names) + 1.0, 3.9), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    handles: dict[str, Any] = {}
    for axes, (name, reading) in zip(grid, names, strict=True):
        of_net = {kind[2]: runs for kind, runs in groups.items() if kind[:2] == (name, reading)}
        first = next(iter(of_net.values()))
        handles["ANN"] = axes.axhline(accuracy(first, None), color=ROLES["ann"], linewidth=1.2)
        for role in (role for role in NAMES if role in of_net):
            runs, (colour, marker, dashes) = of_net[role], _LOOKS[role]
            every = times(runs)
            means = [accuracy(runs, steps) for steps in every]
            style: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 4}
            handles[NAMES[role]] = axes.plot(every, means, **style)[0]
            if role == CONVERTED:
                total = next(iter(runs.values())).result["total"]
                bands = [wilson(min(mean * total, total), total) for mean in means]
                axes.fill_between(every, *zip(*bands, strict=True), color=colour, alpha=0.15, lw=0)
        axes.set(xscale="log", xlabel="time steps T", ylim=(0, None))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_title(name if reading == "A" else f"{name}, reading {reading}", fontsize=10)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    grid[0].set_ylabel("test accuracy")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, fontsize=8)
    return figure


_COLOURS = ("blue", "orange", "green", "purple", "amber", "grey")


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy against T on the left, EE (paper's convention) on the right; ANN accuracies are dashed lines."""
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    for colour, (name, run) in zip(_cycle(table), by_network(table), strict=False):
        mean = run.groupby("T")[["SNN", "ANN", "EE paper", "EE physical"]].mean()
        left.plot(mean.index, mean["SNN"], color=colour, marker="o", markersize=4, label=name)
        left.axhline(mean["ANN"].iloc[-1], color=colour, linewidth=1, linestyle="--")
        right.plot(
            mean.index, mean["EE paper"], color=colour, marker="o", markersize=4, label=f"{name}, paper"
        )
        right.plot(mean.index, mean["EE physical"], color=colour, linestyle=":", label=f"{name}, physical")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("time steps T")
    right.set_yscale("log")
    right.axhline(1, color=PALETTE["grey"], linewidth=1)
    left.set_ylim(0, None)
    left.set_ylabel("accuracy (dashed: the ANN)")
    right.set_ylabel("EE (1: as much energy as the ANN)")
    left.legend(fontsize=8)
    right.legend(fontsize=7)
    return figure


def draw_efficiency(table: pd.DataFrame) -> Figure:
    """Figure 7: EE bars under the three conventions, each network at its settled T, with T and accuracy below its name."""
    figure = Figure(figsize=(7.6, 3.7), layout="constrained")
    axes = figure.add_subplot()
    width = 0.26
    for offset, (convention, colour) in enumerate(zip(CONVENTIONS, ("blue", "orange", "green"), strict=True)):
        at = [place + (offset - 1) * width for place in range(len(table))]
        bars = axes.bar(at, table[f"EE {convention}"], width, color=PALETTE[colour], label=convention)
        axes.bar_label(bars, fmt="%.2g", fontsize=8)
    axes.set_xticks(
        range(len(table)),
        [f"{name_of(row)}\nT = {row['T']}, {row['SNN']:.1%}" for _, row in table.iterrows()],
        fontsize=8,
    )
    axes.axhline(1, color=PALETTE["grey"], linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("EE, int32 prices")
    axes.legend(title="convention", fontsize=8)
    return figure


def draw_steps(thresholds: pd.DataFrame, rates: pd.DataFrame) -> Figure:
    """Balanced thresholds (left) and spike rates (right) over the unrolling steps of every BackRes layer, a line per seed."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    for axes, table, label in zip(
        figure.subplots(1, 2), (thresholds, rates), ("threshold", "spikes per neuron and step"), strict=True
    ):
        layers = [f"{name_of(row)} {row['layer']}" for _, row in table.iterrows()]
        colours = dict(zip(dict.fromkeys(layers), _cycle(table), strict=False))
        drawn = set()
        for name, (_, row) in zip(layers, table.iterrows(), strict=True):
            values = row[[c for c in table.columns if c.startswith("step ")]].dropna().astype(float)
            axes.plot(
                range(1, len(values) + 1),
                values,
                marker="o",
                markersize=4,
                color=colours[name],
                alpha=0.8,
                label=None if name in drawn else name,
            )
            drawn.add(name)
        axes.set_xlabel("unrolling step")
        axes.set_ylabel(label)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=7)
    return figure


def draw_loss(table: pd.DataFrame) -> Figure:
    """Correlation of spike rate and activation over depth, one line per T, one panel per network."""
    names = list(by_network(table))
    figure = Figure(figsize=(3.4 * len(names) + 0.8, 3.4), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, (name, run) in zip(grid, names, strict=True):
        times = sorted(set(run["T"]))
        for place, steps in enumerate(times):
            here = (
                run[run["T"] == steps]
                .groupby(["depth", "site"], sort=True)["correlation"]
                .mean()
                .reset_index()
            )
            shade = 0.15 + 0.75 * place / max(1, len(times) - 1)
            axes.plot(
                here["site"],
                here["correlation"],
                marker="o",
                markersize=3,
                color=(0.0, 0.45 * shade, shade),
                alpha=0.9,
                label=f"T = {steps}",
            )
        axes.set_title(name, fontsize=10)
        axes.tick_params(axis="x", labelrotation=60, labelsize=8)
        axes.set_ylim(-0.05, 1.05)
    grid[0].set_ylabel("correlation, rate and activation")
    grid[-1].legend(fontsize=7, loc="lower left")
    return figure


def draw_scatter(record: Record, sites: Sequence[str], times: Sequence[int]) -> Figure:
    """Measured spike rates against those that the ANN's activations ask for: sampled neurons, a panel per site and T."""
    points = record.artifact("rates")
    figure = Figure(figsize=(2.5 * len(sites) + 0.6, 2.4 * len(times) + 0.4), layout="constrained")
    grid = figure.subplots(len(times), len(sites), squeeze=False)
    for row, steps in zip(grid, times, strict=True):
        for axes, site in zip(row, sites, strict=True):
            pairs = points[f"T{steps}/{site}"]
            top = max(1e-6, float(pairs.max()))
            axes.plot([0, top], [0, top], color=PALETTE["grey"], linewidth=1)
            axes.plot(pairs[:, 0], pairs[:, 1], ".", markersize=2.5, color=PALETTE["blue"])
            axes.set_title(f"{site}, T = {steps}", fontsize=8)
            axes.tick_params(labelsize=7)
    figure.supxlabel("expected rate: the ANN's activation in units of the thresholds", fontsize=9)
    figure.supylabel("measured spike rate", fontsize=9)
    return figure


def _cycle(table: pd.DataFrame) -> list[str]:
    return [PALETTE[_COLOURS[i % len(_COLOURS)]] for i in range(max(1, len(table)))]
