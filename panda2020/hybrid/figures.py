"""The sweep over the number of spiking layers as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from panda2020.exhibits.style import PALETTE, ROLES


def draw_sweep(table: pd.DataFrame, *, by: str, ann: float | None = None, chance: float = 0.1) -> Figure:
    """``sweep_table`` over the column ``by``: accuracy (with its 95 % interval) left, EE right. ann: accuracy of the ANN."""
    figure = Figure(figsize=(8.2, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = table.sort_values(by)
    y = table["accuracy"].to_numpy()
    low, high = np.array([[*interval] for interval in table["95 % interval"]]).T / 100
    error = [np.clip(y - low, 0, None), np.clip(high - y, 0, None)]
    left.errorbar(table[by], y, yerr=error, color=ROLES["hybrid"], marker="o", capsize=3, label="hybrid")
    if ann is not None:
        left.axhline(ann, color=ROLES["ann"], linewidth=1.2, label="ANN")
    left.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":", label="chance")
    left.set(xlabel=by, ylabel="test accuracy", ylim=(0, 1))
    left.legend(fontsize=9)
    for convention, marker, colour in (("paper", "o", "orange"), ("physical", "s", "blue")):
        right.plot(
            table[by], table[f"EE {convention}"], marker=marker, color=PALETTE[colour], label=convention
        )
    right.axhline(1, color=PALETTE["grey"], linewidth=1)
    right.set(xlabel=by, ylabel="EE", yscale="log")
    right.yaxis.set_major_formatter(LogFormatter())
    right.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.2, 0.5)))
    right.legend(title="convention", fontsize=9)
    for axes in (left, right):
        axes.set_xticks(sorted(set(table[by])))
    return figure
