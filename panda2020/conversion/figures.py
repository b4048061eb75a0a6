"""Figures of conversion: accuracy and EE against T, EE by convention, where accuracy is lost, variants of a conversion."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter, ScalarFormatter

from panda2020.exhibits.style import PALETTE, ROLES, label_ends
from panda2020.records import shown_name
from panda2020.runs import Record
from panda2020.statistics import wilson
from snncore.energy import CONVENTIONS

from .tables import CONVERTED, NAMES, accuracy, grouped, times

_LOOKS = {
    CONVERTED: (PALETTE["orange"], "o", "solid"),
    "converted-shared": (PALETTE["purple"], "s", (0, (5, 2))),
    "converted-shared-first": (PALETTE["amber"], "P", (0, (3, 1))),
    "converted-shared-mean": (PALETTE["blue"], "X", (0, (1, 2))),
    "converted-relu-2": (PALETTE["green"], "D", (0, (2, 1))),
    "converted-percentile": (PALETTE["sky"], "^", (0, (1, 1))),
    "converted-stochmax": (PALETTE["black"], "v", (0, (4, 1, 1, 1))),
}


def draw_hand_over(table: pd.DataFrame) -> Figure:
    """``tables.hand_over_table``, a panel per network: accuracy of the ANN that continues from each layer's rates.

    One line for each of at most five T, from pale (smallest) to dark. The left end is the ANN alone, the right end the whole
    spiking network.
    """
    groups = list(table.groupby(["network", "reading", "conversion"], sort=False))
    figure = Figure(figsize=(2.2 * len(groups) + 1.2, 3.6), layout="constrained")
    grid = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    every = sorted((c for c in table.columns if c.startswith("T = ")), key=lambda c: int(c[4:]))
    columns = [every[i] for i in sorted({round(k * (len(every) - 1) / 4) for k in range(5)})]
    shades = colormaps["viridis_r"]
    for axes, ((name, reading, _), here) in zip(grid, groups, strict=True):
        for i, column in enumerate(columns):
            colour = shades(0.1 + 0.9 * i / max(1, len(columns) - 1))
            axes.plot(here["depth"], here[column], color=colour, marker="o", markersize=3.5, label=column)
        axes.set_xticks(here["depth"], here["layer"], rotation=90, fontsize=8)
        axes.set_title(shown_name(name, reading), fontsize=10)
        axes.set_ylim(0, None)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    grid[0].set_ylabel("accuracy, spikes up to here, then ANN")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def draw_variants(records: Sequence[Record]) -> Figure:
    """Accuracy against T, a panel per network: every conversion of its ANN, mean over seeds.

    The plain conversion has a band, Wilson's 95 % interval over test images. The ANN is a line.
    """
    groups = grouped(records)
    names = list(dict.fromkeys(kind[:2] for kind in groups))
    figure = Figure(figsize=(2.4 * len(names) + 0.6, 4.2), layout="constrained")
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
        axes.set_title(shown_name(name, reading), fontsize=10)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    grid[0].set_ylabel("test accuracy")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2, fontsize=8)
    return figure


#: Colour, marker and dashes of the networks, in order.
_NETWORKS = (
    (PALETTE["black"], "s", (0, (4, 2))),
    (PALETTE["orange"], "o", "solid"),
    (PALETTE["purple"], "^", (0, (6, 1, 1, 1))),
    (PALETTE["amber"], "D", (0, (1, 1))),
)


def draw_against_time(table: pd.DataFrame, read: pd.DataFrame) -> Figure:
    """``layout.against_time``: accuracy (left) and EE (right) against T, with bands; marks at the right edge show the ANNs.

    Args:
        read: ``layout.figure7``, the large open mark on each EE line, at the T where accuracy is a point below its last value.
    """
    figure = Figure(figsize=(7.8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    ends: dict[str, tuple[float, float, str]] = {}
    last = table["T"].max()
    for (name, here), (colour, marker, dashes) in zip(
        table.groupby(["network", "reading"], sort=False), cycle(_NETWORKS), strict=False
    ):
        title = shown_name(*name)
        snn, ann = here[here["T"] > 0], here[here["T"] == 0]
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 4}
        for axes, column in ((left, "accuracy"), (right, "EE")):
            axes.plot(snn["T"], snn[column], **look)
            axes.fill_between(
                snn["T"], snn[f"{column} low"], snn[f"{column} high"], color=colour, alpha=0.13, lw=0
            )
        left.plot(
            1.45 * last,
            ann["accuracy"].iloc[0],
            marker=marker,
            color=ROLES["ann"],
            markersize=6,
            clip_on=False,
        )
        ends[title] = (1.35 * last, float(snn["EE"].iloc[-1]), colour)
        here_read = read[(read["network"] == name[0]) & (read["reading"] == name[1])]
        right.plot(
            here_read["T"], here_read["EE"], marker=marker, color=colour, mfc="white", markersize=9, mew=1.8
        )
    left.annotate(
        "ANNs", (1.45 * last, table[table["T"] == 0]["accuracy"].max()), xytext=(0, 7),
        textcoords="offset points", ha="center", fontsize=9, color=ROLES["ann"], annotation_clip=False,
    )  # fmt: skip
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("time steps T")
        axes.xaxis.set_major_formatter("{x:g}")
    right.set_yscale("log")
    right.yaxis.set_major_formatter("{x:g}")
    right.yaxis.set_minor_formatter(NullFormatter())
    right.axhline(1, color=PALETTE["grey"], linewidth=1)
    right.text(
        table[table["T"] > 0]["T"].min(),
        1,
        "the ANN's energy",
        fontsize=8,
        color=PALETTE["grey"],
        va="bottom",
    )
    left.set_ylim(0, None)
    left.axhline(10, color=PALETTE["grey"], linewidth=1, linestyle=":")
    left.text(last, 10, "chance", fontsize=8, color=PALETTE["grey"], va="bottom", ha="right")
    left.set_ylabel("accuracy, %")
    right.set_ylabel("EE")
    label_ends(right, ends, gap=0.07)
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
        [
            f"{shown_name(row['network'], row['reading'])}\nT = {row['T']}, {row['SNN']:.1%}"
            for _, row in table.iterrows()
        ],
        fontsize=8,
    )
    axes.axhline(1, color=PALETTE["grey"], linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("EE, int32 prices")
    axes.legend(title="convention", fontsize=8)
    return figure
