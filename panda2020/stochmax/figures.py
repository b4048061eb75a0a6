"""The figures of chapter 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from panda2020.exhibits.style import PALETTE, label_ends

from .tables import _COLOURS


def draw_layer_rates(table: pd.DataFrame) -> Figure:
    """``layer_rates``, one panel per network and T."""
    panels = list(table.groupby(["network", "T"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(2.5 * columns + 0.3, 2.4 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, ((name, steps), here) in zip(grid, panels, strict=False):
        for head, marker in (("softmax", "o"), ("stochmax", "s")):
            axes.plot(here["depth"], here[head], marker=marker, color=_COLOURS[head], label=head)
        axes.set_xticks(here["depth"], here["site"], rotation=60, fontsize=8)
        axes.set_title(f"{name}, T = {steps}", fontsize=10)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    grid[0].set_ylim(
        0, 1.08 * table[["softmax", "stochmax"]].max().max() or 1
    )  # a valid axis even if all are silent
    grid[0].legend(fontsize=9)
    figure.supylabel("spikes per neuron and step", fontsize=10)
    return figure


def draw_rho(matrices: Mapping[str, np.ndarray], classes: Sequence[str]) -> Figure:
    """``rho`` of some networks side by side; a row is the class of the image, a column the class that is kept.

    The colour scale is symmetric about one half and covers all values off the diagonal.
    """
    figure = Figure(figsize=(3.9 * min(2, len(matrices)), 3.7 * -(-len(matrices) // 2)), layout="constrained")
    grid = figure.subplots(-(-len(matrices) // 2), min(2, len(matrices)), squeeze=False).flatten()
    rivals = np.concatenate([matrix[~np.eye(len(matrix), dtype=bool)] for matrix in matrices.values()])
    reach = max(0.05, float(np.abs(rivals - 0.5).max()))
    for axes, (title, matrix) in zip(grid, matrices.items(), strict=False):
        axes.imshow(matrix, vmin=0.5 - reach, vmax=0.5 + reach, cmap="PuOr_r")
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=8)
        axes.set_yticks(range(len(classes)), classes, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.grid(False)
        for i, row in enumerate(matrix):
            for k, value in enumerate(row):
                strong = abs(value - 0.5) > 0.6 * reach
                axes.text(
                    k, i, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=6,
                    color="white" if strong else "black",
                )  # fmt: skip
    for axes in grid[len(matrices) :]:
        axes.axis("off")
    figure.supxlabel("class that is kept", fontsize=9)
    figure.supylabel("class of the image", fontsize=9)
    figure.colorbar(grid[0].images[0], ax=list(grid), shrink=0.7, label="ρ (white: one half)")
    return figure


def draw_toy(curves: pd.DataFrame) -> Figure:
    """``toy.toy_curves``: rho by epoch (others solid, target dashed), and test accuracy, by reading."""
    figure = Figure(figsize=(7.8, 3.6), layout="constrained")
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


def draw_masks(scores: np.ndarray, rho: np.ndarray, kept: np.ndarray, *, target: int) -> Figure:
    """One draw of Eq. 7, (K,) each: scores of the classes, their retain probabilities, and the shares of softmax and stochmax.

    Classes that are not ``kept`` have no share in stochmax.
    """
    soft = np.exp(scores - scores.max())
    shares = (soft / soft.sum(), soft * kept / (soft * kept).sum())
    figure = Figure(figsize=(7.4, 2.5), layout="constrained")
    left, *right = figure.subplots(1, 3)
    x = np.arange(len(scores))
    left.bar(x, rho, color=PALETTE["sky"], width=0.7)
    left.set(title="kept with probability ρ", ylim=(0, 1))
    left.title.set_fontsize(9)
    for axes, title, values in zip(right, ("softmax", "stochmax, this draw"), shares, strict=True):
        axes.bar(
            x, values, width=0.7, color=[PALETTE["green"] if k == target else PALETTE["orange"] for k in x]
        )
        axes.set(ylim=(0, 1.15 * max(map(np.max, shares))))
        axes.set_title(title, fontsize=9)
        for k in x:
            if k == target:
                axes.text(
                    k, values[k], "target", ha="center", va="bottom", fontsize=8, color=PALETTE["green"]
                )
            elif title.startswith("stochmax") and not kept[k]:
                axes.text(k, 0, "×", ha="center", va="bottom", fontsize=10, color=PALETTE["grey"])
    for axes in (left, *right):
        axes.set_xticks(x)
        axes.set_xlabel("class", fontsize=9)
        axes.grid(visible=False)
    left.set_ylabel("probability", fontsize=9)
    return figure


def draw_rho_course(table: pd.DataFrame) -> Figure:
    """``layouts.rho_course``, a panel per network and T: rho of the target and of the other classes, mean over seeds.

    Bands reach from the smallest to the largest seed. A line marks one half, which the entropy term alone favours.
    """
    panels = list(table.groupby(["network", "T"], sort=False))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(7.6, 1.9 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    last = table["epoch"].max()
    for axes, ((name, steps), here) in zip(grid, panels, strict=False):
        ends = {}
        for column, label, colour, line in (
            ("rho_target", "target", PALETTE["green"], (0, (4, 2))),
            ("rho_others", "others", PALETTE["orange"], "solid"),
        ):
            by_epoch = here.groupby("epoch")[column]
            mean = by_epoch.mean()
            axes.plot(mean.index, mean, color=colour, linestyle=line, marker="o", markersize=3)
            axes.fill_between(mean.index, by_epoch.min(), by_epoch.max(), color=colour, alpha=0.15, lw=0)
            ends[label] = (float(mean.index[-1]) + 0.05 * last, float(mean.iloc[-1]), colour)
        axes.axhline(0.5, color=PALETTE["grey"], linewidth=1, linestyle=":")
        axes.set_ylim(0, 1.02)
        axes.set_xlim(right=last + 0.45 * max(last - 1, 1))
        axes.set_title(f"{name}, T = {steps}", fontsize=9, loc="left")
        axes.xaxis.get_major_locator().set_params(integer=True)
        label_ends(axes, ends, gap=0.12)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    grid[0].text(1, 0.49, "a coin", fontsize=8, color=PALETTE["grey"], va="top")
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("ρ (mean)", fontsize=9)
    return figure


def draw_variants(table: pd.DataFrame) -> Figure:
    """``tables.variant_table``: validation accuracy with its 95 % interval left, rho of the other classes right.

    Collapsed runs are hollow.
    """
    figure = Figure(figsize=(7.6, 0.32 * len(table) + 1.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for i, (_, row) in enumerate(table.iterrows()):
        colour = PALETTE["blue"] if row["reading"] == "softmax" else PALETTE["orange"]
        look = {"marker": "o", "color": colour, "mfc": colour if row["collapsed"] in ("no", "–") else "white"}
        value, interval = 100 * row["validation"], row["95 % interval"]
        error = [[max(value - interval.low, 0)], [max(interval.high - value, 0)]]
        left.errorbar([value], [i], xerr=error, capsize=3, **look)
        if row["rho of other classes"] is not None and not pd.isna(row["rho of other classes"]):
            right.plot([row["rho of other classes"]], [i], **look)
    left.axvline(10, color=PALETTE["grey"], linewidth=1, linestyle=":")
    left.text(10, -0.75, "chance", fontsize=8, color=PALETTE["grey"], ha="center")
    right.axvline(0.5, color=PALETTE["grey"], linewidth=1, linestyle=":")
    right.text(0.5, -0.75, "a coin", fontsize=8, color=PALETTE["grey"], ha="center")
    left.set_yticks(range(len(table)), list(table["reading"]), fontsize=9)
    left.set(xlim=(0, None), ylim=(len(table) - 0.4, -1.1), xlabel="accuracy on validation images, %")
    right.set(xlim=(-0.04, 1.04), xlabel="ρ of the other classes")
    right.tick_params(axis="y", length=0)
    return figure
