"""The figures of chapter 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from panda2020.exhibits.style import PALETTE

from .tables import _COLOURS


def draw_layer_rates(table: pd.DataFrame) -> Figure:
    """``layer_rates``, one panel per network and T."""
    panels = list(table.groupby(["network", "T"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.1 * columns + 0.6, 2.6 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, ((name, steps), here) in zip(grid, panels, strict=False):
        for head, marker in (("softmax", "o"), ("stochmax", "s")):
            axes.plot(here["depth"], here[head], marker=marker, color=_COLOURS[head], label=head)
        axes.set_xticks(here["depth"], here["site"], rotation=60, fontsize=8)
        axes.set_title(f"{name}, T = {steps}", fontsize=10)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    grid[0].set_ylim(0, 1.08 * table[["softmax", "stochmax"]].max().max() or 1)  # all silent: still a scale
    grid[0].legend(fontsize=9)
    figure.supylabel("spikes per neuron and step", fontsize=10)
    return figure


def draw_rho(matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """``rho`` of some networks side by side; a row is the class of the image, a column the class that is kept."""
    figure = Figure(figsize=(4.1 * len(matrices) + 0.8, 4.2), layout="constrained")
    grid = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (title, matrix) in zip(grid, matrices.items(), strict=True):
        axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis")
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=8)
        axes.set_yticks(range(len(classes)), classes, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("class that is kept")
        axes.grid(False)
        for i, row in enumerate(matrix):
            for k, value in enumerate(row):
                colour = "white" if value < 0.6 else "black"
                axes.text(
                    k, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=6, color=colour
                )
    grid[0].set_ylabel("class of the image")
    figure.colorbar(grid[0].images[0], ax=list(grid), shrink=0.8, label="rho, mean over test images")
    return figure


def draw_toy(curves: pd.DataFrame) -> Figure:
    """``stochmax_toy.toy_curves``: rho by epoch (others solid, target dashed), and test accuracy, per reading."""
    figure = Figure(figsize=(8.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = [PALETTE[name] for name in ("black", "orange", "purple", "blue", "green")]
    for (name, here), colour in zip(curves.groupby("reading", sort=False), colours, strict=False):
        stochastic = "rho_others" in here and here["rho_others"].notna().all()
        if stochastic:
            left.plot(here["epoch"], here["rho_others"], color=colour)
            left.plot(here["epoch"], here["rho_target"], color=colour, linestyle=(0, (4, 2)))
        accuracy = here["accuracy_rho" if stochastic else "accuracy_logits"]
        right.plot(here["epoch"], accuracy, color=colour, label=name)
    left.set(xlabel="epoch", ylabel="rho: other classes (solid), target (dashed)", ylim=(-0.02, 1.02))
    right.set(xlabel="epoch", ylabel="test accuracy (%)", ylim=(0, 100))
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure
