"""Two more figures of conversion: at which layer accuracy is lost, and variants of a conversion against T."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from ..runs import Record
from .statistics import wilson
from .style import PALETTE, ROLES
from .tables_conversion import CONVERTED, NAMES, accuracy, grouped, times

_LOOKS = {
    CONVERTED: (PALETTE["orange"], "o", "solid"),
    "converted-shared": (PALETTE["purple"], "s", (0, (5, 2))),
    "converted-relu-2": (PALETTE["green"], "D", (0, (2, 1))),
    "converted-percentile": (PALETTE["sky"], "^", (0, (1, 1))),
    "converted-stochmax": (PALETTE["black"], "v", (0, (4, 1, 1, 1))),
}


def draw_hand_over(table: pd.DataFrame) -> Figure:
    """``tables_conversion.hand_over_table``, a panel per network: accuracy of the ANN that goes on from each layer's rates,
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
