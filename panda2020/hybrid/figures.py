"""Figures of hybrids: learning curves, spike rates of their layers, and the effect of the number of spiking layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from panda2020.exhibits.style import PALETTE, ROLES, label_ends
from panda2020.runs import Record
from panda2020.samples import sample_of

#: Role of a run -> its label and colour among the learning curves.
CURVES: Mapping[str, tuple[str, str]] = {
    "ann": ("ANN", ROLES["ann"]),
    "hybrid-stochmax": ("hybrid", ROLES["hybrid"]),
    "hybrid": ("hybrid", ROLES["hybrid"]),
}

#: From the wholly spiking network, orange, to the one with most ReLU layers.
_COUNTS = [ROLES["snn"], PALETTE["amber"], ROLES["hybrid"], PALETTE["sky"], PALETTE["purple"]]
_MARKERS = ["o", "s", "D", "^", "v"]


def draw_sweep(table: pd.DataFrame, *, by: str, ann: float | None = None, chance: float = 0.1) -> Figure:
    """``tables.sweep_table`` over the column ``by``: accuracy with its 95 % interval left, EE by two conventions right.

    EE has a logarithmic axis, with a mark at 1, the energy of the ANN.

    Args:
        ann: accuracy of the ANN, drawn as a line.
    """
    figure = Figure(figsize=(7.6, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = table.sort_values(by)
    counts = table[by].to_numpy(dtype=float)
    y = table["accuracy"].to_numpy()
    low, high = np.array([[*interval] for interval in table["95 % interval"]]).T / 100
    error = [np.clip(y - low, 0, None), np.clip(high - y, 0, None)]
    left.errorbar(counts, y, yerr=error, color=ROLES["hybrid"], marker="o", capsize=3)
    room = 0.05 * (counts.max() - counts.min() + 1)
    if ann is not None:
        left.axhline(ann, color=ROLES["ann"], linewidth=1.4, linestyle=(0, (5, 2)))
        between = float(counts[:2].mean())  # two points, whose bars would cross the label
        left.text(between, ann, "ANN", color=ROLES["ann"], fontsize=9, va="bottom", ha="center")
    left.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":")
    left.text(
        counts.max() + room, chance, "chance", color=PALETTE["grey"], fontsize=8, va="bottom", ha="right"
    )
    left.set(xlabel=by, ylabel="test accuracy", ylim=(0, min(1.0, 1.15 * max(*high, ann or 0, 2 * chance))))
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ends = {}
    for convention, marker, colour, line in (
        ("paper", "o", PALETTE["black"], "-"),
        ("physical", "s", PALETTE["purple"], (0, (4, 2))),
    ):
        values = table[f"EE {convention}"].to_numpy(dtype=float)
        right.plot(counts, values, marker=marker, color=colour, linestyle=line)
        ends[convention] = (counts.max() + room, float(values[-1]), colour)
    right.axhline(1, color=PALETTE["grey"], linewidth=1)
    right.set(xlabel=by, ylabel="EE (log axis)", yscale="log")
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_minor_formatter(NullFormatter())
    lows = table[["EE paper", "EE physical"]].astype(float).to_numpy()
    right.set_ylim(0.7 * min(1.0, lows.min()), 1.5 * max(1.0, lows.max()))
    right.set_yticks(
        [t for t in (0.5, 1, 2, 5, 10, 20, 50, 100, 200) if 0.5 * lows.min() < t < 1.5 * lows.max() or t == 1]
    )
    label_ends(right, ends, gap=0.07)
    for axes in (left, right):
        axes.set_xticks(sorted(set(counts)), [f"{count:g}" for count in sorted(set(counts))])
        axes.set_xlim(counts.min() - room, counts.max() + (room if axes is left else 8 * room))
    return figure


def spiking_rates(records: Sequence[Record], *, by: str = "ReLU convolutions") -> pd.DataFrame:
    """Spikes per neuron and step of every spiking layer on the test images, one row per run and layer.

    Columns: ``by``, the number of ReLU convolutions (or "LIF convolutions", the spiking ones), seed, depth (the
    position of the layer in the network, from 1), site, rate. Runs without spikes, and those with BackRes blocks, are omitted.
    """
    rows = []
    for record in records:
        if record.result.get("steps") is None or "[" in record.spec.topology:
            continue
        one = sample_of(record)
        conv = [p for p in one.passes if p.kind == "conv"]
        spiking = sum(p.neuron in ("lif", "if") for p in conv)
        count = spiking if by == "LIF convolutions" else len(conv) - spiking
        layers = [p.site for p in one.passes if p.neuron]
        rows += [
            {by: count, "seed": record.spec.seed, "depth": layers.index(site) + 1, "site": site, "rate": rate}
            for site, rate in one.rates.items()
        ]
    return pd.DataFrame(rows, columns=[by, "seed", "depth", "site", "rate"])


def draw_spiking_rates(table: pd.DataFrame, *, by: str = "ReLU convolutions", word: str = "ReLU") -> Figure:
    """``spiking_rates``: a line per count, from the first spiking layer on; with several seeds, ticks show them."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    sites = table.drop_duplicates("depth").sort_values("depth")
    ends: dict[str, tuple[float, float, str]] = {}
    axes.set_ylim(0, max(0.05, 1.1 * float(table["rate"].max())))
    for i, (count, here) in enumerate(table.groupby(by)):
        colour = _COUNTS[i % len(_COUNTS)]
        mean = here.groupby("depth")["rate"].mean()
        axes.plot(mean.index, mean, marker=_MARKERS[i % len(_MARKERS)], color=colour)
        if here["seed"].nunique() > 1:
            axes.plot(here["depth"], here["rate"], "_", color=colour, markersize=6, alpha=0.7)
        ends[f"{count} {word}"] = (float(mean.index[-1]) + 0.15, float(mean.iloc[-1]), colour)
    axes.set_xticks(sites["depth"], sites["site"])
    axes.set_xlim(sites["depth"].min() - 0.3, sites["depth"].max() + 1.2)
    axes.set(ylabel="spikes per neuron and step")
    label_ends(axes, ends, gap=0.075)
    return figure


def rate_sentences(table: pd.DataFrame, *, by: str = "ReLU convolutions") -> list[str]:
    """Rates of the first and the last spiking layer, at the smallest and at the largest count."""
    said = []
    counts = sorted(set(table[by]))
    for count in dict.fromkeys((counts[0], counts[-1])) if counts else ():
        mean = table[table[by] == count].groupby("depth")["rate"].mean()
        said.append(
            f"{count} {by}: {mean.iloc[0]:.3f} spikes per neuron and step in the first spiking "
            f"layer, {mean.iloc[-1]:.3f} in the last."
        )
    return said
