"""Figures of the STDP chapters: kernels, weight histograms, convergence over images seen, spikes by unrolling step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from panda2020.exhibits.numbers import between
from panda2020.exhibits.style import EDGE, PALETTE
from panda2020.runs import Record
from snncore.stdp import StdpConfig


def draw_rule(config: StdpConfig) -> Figure:
    """Eq. 5: weight change of a pair over t_pre - t_post, for the config's tau, eta and absolute offset."""
    delay = np.linspace(-4 * config.tau, 0, 200)
    change = config.eta * (np.exp(delay / config.tau) - config.offset)
    fig, axis = plt.subplots(figsize=(6.8, 2.8))
    axis.plot(delay, change, color=PALETTE["blue"])
    axis.axhline(0, color=PALETTE["grey"], linewidth=1)
    axis.fill_between(delay, change, 0, where=change > 0, color=PALETTE["orange"], alpha=0.3)
    axis.fill_between(delay, change, 0, where=change < 0, color=PALETTE["blue"], alpha=0.2)
    axis.text(
        -0.1,
        0.1 * change.max(),
        "weight rises ",
        color=PALETTE["orange"],
        ha="right",
        va="bottom",
        fontsize=9,
    )
    axis.text(delay[10], 0.5 * change.min(), "weight falls", color=PALETTE["blue"], va="center", fontsize=9)
    axis.set(xlabel="$t_{pre} - t_{post}$, steps", ylabel="weight change of the pair")
    return fig


def draw_settings(kernels: Mapping[str, np.ndarray], *, low: float, high: float) -> Figure:
    """First-layer kernels (M, 1, k, k) of some settings, one row each, on one scale: black is ``low``, white ``high``."""
    count = max(len(weights) for weights in kernels.values())
    fig = Figure(figsize=(7.4, 0.66 * len(kernels)), layout="constrained")
    axes = fig.subplots(len(kernels), count, squeeze=False)
    for row, (name, weights) in enumerate(kernels.items()):
        for column, axis in enumerate(axes[row]):
            if column < len(weights):
                _draw_kernel(axis, weights[column][0], low, high)
            else:
                axis.set_axis_off()
        axes[row, 0].set_ylabel(_two_lines(name), rotation=0, ha="right", va="center", fontsize=9)
    return fig


def draw_kernels(
    kernels: Mapping[str, np.ndarray], *, low: float, high: float, layer: str = "conv1"
) -> Figure:
    """Up to 18 kernels (M, C, k, k) of a layer before (left) and after STDP (right), six a line.

    All are on one scale from ``low`` (black) to ``high`` (white). Three input channels are averaged; of more than three the
    first is drawn.
    """
    sides = {when: kernels[f"{layer}_{when}"][:18] for when in ("before", "after")}
    count = len(sides["after"])
    columns = min(6, count)
    lines = -(-count // columns)
    fig = Figure(figsize=(7.2, 0.55 * lines + 0.6), layout="constrained")
    halves: Any = fig.subfigures(1, 2)
    for part, (when, weights) in zip(halves, sides.items(), strict=True):
        part.suptitle(f"{when} STDP", fontsize=10)
        grid = part.subplots(lines, columns, squeeze=False).ravel()
        for axis, kernel in zip(grid, weights, strict=False):
            _draw_kernel(axis, kernel.mean(0) if len(kernel) == 3 else kernel[0], low, high)
        for axis in grid[count:]:
            axis.set_axis_off()
    return fig


def _draw_kernel(axis: Axes, kernel: np.ndarray, low: float, high: float) -> None:
    """One kernel with a frame, so that a white kernel is visible on white paper."""
    axis.imshow(kernel, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for side in axis.spines.values():
        side.set(visible=True, color=EDGE, linewidth=0.8)


def _two_lines(text: str) -> str:
    head, comma, tail = text.partition(", ")
    return f"{head},\n{tail}" if comma else text


def draw_weights(kernels: Mapping[str, np.ndarray], *, low: float, high: float) -> Figure:
    """Histograms of each layer's weights before and after STDP, over the range between the bounds."""
    layers = [name.removesuffix("_after") for name in kernels if name.endswith("_after")]
    fig, axes = plt.subplots(
        1, len(layers), figsize=(min(7.8, 3.2 * len(layers)), 2.6), sharey=True, squeeze=False
    )
    bins = np.linspace(low, high, 41)
    for axis, layer in zip(axes[0], layers, strict=True):
        for when, colour in (("before", PALETTE["grey"]), ("after", PALETTE["orange"])):
            values = kernels[f"{layer}_{when}"].ravel()
            axis.hist(
                values,
                bins,
                weights=np.full(len(values), 1 / len(values)),
                color=colour,
                alpha=0.65,
                label=when,
            )
        axis.set(title=layer, xlabel="weight", xlim=(low, high))
    axes[0, 0].set_ylabel("share of weights")
    axes[0, 0].legend()
    return fig


def curve_table(records: Sequence[Record]) -> pd.DataFrame:
    """Mean absolute weight change in every mini-batch, and share of weights at a bound after it, by network and layer.

    Mini-batches in which only thresholds settle are omitted.
    """
    rows = []
    for run in records:
        if run.labels["role"] != "stdp":
            continue
        history = run.artifact("history")
        for layer in sorted(run.result["updates"]):
            learning, seen, change, low, high = (
                history[f"{layer}_{name}"] for name in ("learning", "seen", "change", "at_low", "at_high")
            )
            rows += [
                {
                    "network": run.labels["network"],
                    "seed": run.spec.seed,
                    "layer": layer,
                    "seen": int(seen[k]),
                    "change": float(change[k]),
                    "at a bound": float(low[k] + high[k]),
                }
                for k in np.flatnonzero(learning)
            ]
    return pd.DataFrame(rows)


def draw_curve(curve: pd.DataFrame) -> Figure:
    """``curve_table``: mean weight change per mini-batch (solid) and share of weights at a bound (dashed) over images seen."""
    networks = list(dict.fromkeys(curve["network"]))
    fig, axes = plt.subplots(
        1, len(networks), figsize=(2.5 * len(networks) + 0.3, 3.0), sharey=True, squeeze=False
    )
    colours = [PALETTE[name] for name in ("blue", "orange", "green", "purple")]
    for axis, name in zip(axes[0], networks, strict=True):
        here = curve[curve["network"] == name]
        for layer, colour in zip(dict.fromkeys(here["layer"]), colours, strict=False):
            mean = here[here["layer"] == layer].groupby("seen")[["change", "at a bound"]].mean()
            axis.plot(mean.index, mean["change"], color=colour, label=layer)
            axis.plot(mean.index, mean["at a bound"], linestyle=(0, (4, 2)), color=colour)
        axis.set(title=name, xlabel="images seen", ylim=(0, None))
        axis.legend()
    axes[0, 0].set_ylabel("change (solid), share at a bound (dashed)")
    return fig


def convergence_sentence(drift: pd.DataFrame) -> str:
    """A sentence on the cosine between the kernels at about half of the images and the final ones, from ``drift_table``."""
    last = int(drift["seen"].max())
    middle = max((seen for seen in set(drift["seen"]) if seen <= last / 2), default=0)
    found = drift[drift["seen"] == middle]["cosine"]
    return (
        f"After {middle:,} of {last:,} images the kernels have a cosine of {between(found.min(), found.max(), '.2f')} with the "
        f"final ones; at the start {drift[drift['seen'] == 0]['cosine'].abs().max():.2f} at most."
    )


def bound_sentence(curve: pd.DataFrame) -> str:
    """A sentence on the share of a layer's weights at a bound after its last mini-batch, from ``curve_table``."""
    ends = curve.groupby(["network", "seed", "layer"], sort=False)["at a bound"].last()
    return f"After the last mini-batch {between(ends.min(), ends.max(), '.0%')} of a layer's weights are at a bound."


def drift_table(records: Sequence[Record]) -> pd.DataFrame:
    """Cosine between the kernels at a number of images seen and the final ones, by network and layer."""
    rows = []
    for run in records:
        if run.labels["role"] != "stdp":
            continue
        kernels = run.artifact("kernels")
        for name, values in kernels.items():
            layer, _, seen = name.partition("_seen")
            if seen:
                final = kernels[f"{layer}_after"]
                scale = float(np.linalg.norm(values) * np.linalg.norm(final))
                cosine = float((values * final).sum()) / scale if scale else float("nan")
                rows.append(
                    {
                        "network": run.labels["network"],
                        "seed": run.spec.seed,
                        "layer": layer,
                        "seen": int(seen),
                        "cosine": cosine,
                    }
                )
    return pd.DataFrame(rows).sort_values(["network", "seed", "layer", "seen"], ignore_index=True)


def draw_convergence(drift: pd.DataFrame) -> Figure:
    """Likeness to the final kernels over images seen, one panel per network; a line per layer, ticks for seeds."""
    networks = list(dict.fromkeys(drift["network"]))
    fig, axes = plt.subplots(
        1, len(networks), figsize=(2.5 * len(networks) + 0.3, 3.0), sharey=True, squeeze=False
    )
    looks = [
        (PALETTE["orange"], "o", "solid"), (PALETTE["purple"], "s", (0, (4, 2))), (PALETTE["black"], "^", (0, (1, 1))),
    ]  # fmt: skip
    lines = {}
    for axis, name in zip(axes[0], networks, strict=True):
        of_network = drift[drift["network"] == name]
        for layer, (colour, marker, dashes) in zip(dict.fromkeys(of_network["layer"]), looks, strict=False):
            here = of_network[of_network["layer"] == layer]
            mean = here.groupby("seen")["cosine"].mean()
            lines[layer] = axis.plot(mean.index, mean.values, color=colour, marker=marker, linestyle=dashes)[
                0
            ]
            if here["seed"].nunique() > 1:
                axis.plot(here["seen"], here["cosine"], "_", color=colour, markersize=7, alpha=0.6)
        axis.set(xlabel="images seen", ylim=(min(0.0, drift["cosine"].min()) - 0.05, 1.05))
        axis.set_title(name, fontsize=10, loc="left")
    axes[0, 0].set_ylabel("cosine to final kernels")
    fig.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=len(lines), fontsize=9)
    return fig


def draw_rates(rates: pd.DataFrame) -> Figure:
    """Spikes per neuron and step by site, learned beside untrained kernels, one panel per network."""
    networks = list(dict.fromkeys(rates["network"]))
    fig, axes = plt.subplots(
        1, len(networks), figsize=(2.5 * len(networks) + 0.3, 3.0), sharey=True, squeeze=False
    )
    kinds = list(dict.fromkeys(rates["kernels"]))
    colours = (PALETTE["orange"], PALETTE["grey"])
    for axis, name in zip(axes[0], networks, strict=True):
        own = rates[(rates["network"] == name) & (rates["site"] != "input")]
        mean = own.groupby(["site", "kernels"], sort=False)["rate"].mean().unstack()
        place = np.arange(len(mean))
        for i, kind in enumerate(kinds):
            axis.bar(
                place + 0.4 * (i - 0.5),
                mean[kind],
                0.4,
                color=colours[i],
                hatch="//" if i else "",
                label=kind,
            )
        axis.set(title=name)
        axis.set_xticks(place, mean.index)
    axes[0, 0].set_ylabel("spikes per neuron and step")
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds), fontsize=9
    )
    return fig
