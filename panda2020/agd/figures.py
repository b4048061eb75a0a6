"""Figures of trained networks: learning curves, and spike rates by depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from panda2020.exhibits.numbers import number
from panda2020.exhibits.style import PALETTE, ROLES, label_ends
from panda2020.records import reading_of, shown_name
from panda2020.runs import Record
from panda2020.tasks import train
from snncore.topology import Pass, plan

_COLOURS = [PALETTE[name] for name in ("blue", "orange", "green", "purple", "amber", "sky", "black")]

#: Spiking networks by T, rising: one hue, lighter with a longer T.
_TIMES = [ROLES["snn"], PALETTE["amber"], PALETTE["purple"]]


def passes_of(spec: train.Spec) -> tuple[Pass, ...]:
    """Every pass of the network of a training run, in order of computation."""
    channels, size = train._shape(spec.data)
    static = spec.input.code in ("real", "poisson-mean", "direct")
    return plan(spec.topology, (channels, size, size), spec.network.neuron, static_input=static)


def curve_table(records: Iterable[Record]) -> pd.DataFrame:
    """One row per run and epoch: network, reading, role, T, seed, epoch, training and validation accuracy."""
    rows = [
        {
            **_labels(record),
            "epoch": entry["epoch"],
            "training": entry["train_accuracy"],
            "validation": entry["validation_accuracy"],
        }
        for record in records
        for entry in record.result["curve"]
    ]
    return pd.DataFrame(rows, dtype=object).astype({"epoch": int, "training": float, "validation": float})


def curve_sentences(records: Iterable[Record]) -> list[str]:
    """Sentences on how many runs were still learning at their end, and from which epoch the kept weights are."""
    runs = [r for r in records if len(r.result["curve"]) > 1]
    if not runs:
        return []
    courses = [[epoch["validation_accuracy"] for epoch in run.result["curve"]] for run in runs]
    rising = sum(course[-1] > max(course[:-1]) for course in courses)
    said = [
        f"{rising} of {len(runs)} runs are most accurate on validation images in their last epoch: they were still learning."
    ]
    kept = [run.result["kept_epoch"] / len(run.result["curve"]) for run in runs if "kept_epoch" in run.result]
    if kept:
        said.append(
            f"The weights of the best validation epoch are kept, on average {np.mean(kept):.0%} of the way."
        )
    else:
        said.append("The weights of the last epoch are kept.")
    return said


def fall_sentences(table: pd.DataFrame) -> list[str]:
    """A sentence on the rate of the last convolution relative to the first, by network and T."""
    said = [f"{shown_name(name)} {number(ratio, '.2f')}" for (name, _), ratio in fall(table).items()]
    return [f"Spikes of the last convolution over those of the first: {', '.join(said)}."] if said else []


def draw_curves(
    table: pd.DataFrame, *, chance: float = 0.1, looks: Mapping[str, tuple[str, str]] | None = None
) -> Figure:
    """``curve_table``, one panel per network: ANN and SNN, training thin and dashed, validation solid, mean over seeds.

    With several seeds, a band reaches from the worst to the best. Validation curves are labelled at their ends; chance is
    dotted.

    Args:
        looks: label and colour by role, for roles other than ANN and SNN ("hybrid").
    """
    names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.7 * columns + 0.4, 2.3 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    times = sorted({steps for steps in table["T"] if steps is not None})
    top = 1.15 * max(table["training"].max(), table["validation"].max())
    for axes, name in zip(grid, names, strict=False):
        axes.set_ylim(0, min(1.0, top))
        here = table[(table["network"] == name[0]) & (table["reading"] == name[1])]
        ends: dict[str, tuple[float, float, str]] = {}
        for (role, steps), runs in here.fillna({"T": 0}).groupby(["role", "T"], sort=True):
            label, colour = (looks or {}).get(role, ("SNN" if steps else "ANN", ROLES["ann"]))
            if steps:
                label += f", T = {steps:.0f}"
                colour = colour if looks else _TIMES[times.index(steps) % len(_TIMES)]
            for part, look in (
                ("training", {"linestyle": (0, (4, 2)), "linewidth": 0.9}),
                ("validation", {"linestyle": "solid", "linewidth": 2.0}),
            ):
                by_epoch = runs.groupby("epoch")[part]
                mean = by_epoch.mean()
                axes.plot(mean.index, mean, color=colour, **look)
                if runs["seed"].nunique() > 1:
                    axes.fill_between(
                        mean.index, by_epoch.min(), by_epoch.max(), color=colour, alpha=0.13, lw=0
                    )
                ends[label] = (mean.index[-1] + 0.02 * len(mean), float(mean.iloc[-1]), colour)
        label_ends(axes, ends, gap=0.09)
        axes.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":")
        axes.set_title(shown_name(*name), fontsize=10, loc="left")
        axes.set_xlim(right=table["epoch"].max() + 0.3 * (table["epoch"].max() - table["epoch"].min()))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    first = grid[0]
    first.text(table["epoch"].min(), chance, "chance", fontsize=8, color=PALETTE["grey"], va="bottom")
    for axes in grid[len(names) :]:
        axes.axis("off")
    figure.supxlabel("epoch", fontsize=10)
    gap = "\n" if rows == 1 else " "  # one row has no room for a line of that length
    figure.supylabel(f"accuracy (solid: validation,{gap}dashed: training)", fontsize=9)
    return figure


def rate_table(records: Iterable[Record]) -> pd.DataFrame:
    """Spikes per neuron and step on the test images, one row per run and site; the input has depth 0.

    Records without spikes (ANNs) are omitted.

    Raises:
        ValueError: no record with spikes.
    """
    rows = []
    for record in records:
        if record.result.get("steps") is None:
            continue
        rates = {site: found["rate"] for site, found in record.result["activity"].items()}
        rows += _rates(_labels(record), passes_of(record.spec), rates)
    return _rate_frame(rows)


def draw_rates(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Rates by depth, one panel per title. Lines are means over seeds, dots single seeds.

    Repeated passes of a BackRes block are hollow, and its line is dashed.
    """
    figure = Figure(figsize=(6.8 if len(panels) == 1 else 3.9 * len(panels) + 0.4, 3.2), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, table) in zip(grid, panels.items(), strict=True):
        names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
        ends: dict[str, tuple[float, float, str]] = {}
        for i, name in enumerate(names):
            here = table[(table["network"] == name[0]) & (table["reading"] == name[1])]
            colour = _COLOURS[i % len(_COLOURS)]
            ends[shown_name(*name)] = _draw_rate(axes, here, colour)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("layer in order of computation (0: the input)")
        axes.set_ylim(0, 1.08 * max(one["rate"].max() for one in panels.values()))
        deepest = table["depth"].max()
        axes.set_xlim(-0.3, deepest + 0.3 * deepest)
        label_ends(axes, ends, gap=0.07)
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[0].set_ylabel("spikes per neuron and step")
    return figure


def _draw_rate(axes: Axes, here: pd.DataFrame, colour: str) -> tuple[float, float, str]:
    """Draw one network; return the position and colour of its label, beside the last point."""
    mean = here.groupby("depth")["rate"].mean()
    step = here.groupby("depth")["step"].first()
    dashes = (0, (5, 2)) if step.max() > 1 else "solid"
    axes.plot(mean.index, mean, color=colour, linestyle=dashes)
    if here["seed"].nunique() > 1:
        axes.plot(here["depth"], here["rate"], "_", color=colour, markersize=5, alpha=0.6)
    again = np.asarray(step) > 1
    axes.plot(mean.index[~again], mean[~again], "o", markersize=5, color=colour)
    axes.plot(mean.index[again], mean[again], "o", markersize=5, color=colour, mfc="white")
    return float(mean.index[-1]) + 0.2, float(mean.iloc[-1]), colour


def draw_raster(records: Sequence[Record], *, image: int = 0) -> Figure:
    """Every spike of one test image, one panel per recorded network: time from left to right, a row per neuron, layer by layer.

    Up to 64 neurons of each layer are recorded.

    Raises:
        ValueError: no record holds a raster.
    """
    kept = [record for record in records if has_raster(record)]
    if not kept:
        raise ValueError("records must hold at least one raster, got none")
    figure = Figure(figsize=(3.8 * len(kept) + 0.3, 4.6), layout="constrained")
    grid = figure.subplots(1, len(kept), sharex=True, squeeze=False)[0]
    for axes, record in zip(grid, kept, strict=True):
        spikes = record.artifact("raster")
        sites = ["input", *(p.site for p in passes_of(record.spec) if p.site in spikes)]
        base, middles = 0, []
        for depth, site in enumerate(sites):
            fired = spikes[site][image]  # (T, neurons)
            time, neuron = np.nonzero(fired)
            colour = PALETTE["grey"] if site == "input" else _COLOURS[(depth - 1) % len(_COLOURS)]
            axes.plot(
                time + 1,
                base + neuron,
                "|",
                color=colour,
                markersize=2.6,
                markeredgewidth=0.9,
                rasterized=True,
            )
            middles.append(base + fired.shape[1] / 2)
            base += fired.shape[1] + 10
        axes.set(ylim=(base, -10), xlim=(0.5, len(fired) + 0.5), xlabel="time step")
        axes.set_yticks(middles, sites)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False)
        axes.set_title(shown_name(str(record.labels["network"])), fontsize=10, loc="left")
    return figure


def has_raster(record: Record) -> bool:
    """Return whether a run kept the spikes of some test images."""
    return "raster" in record.data.get("artifacts", {})


def fall(table: pd.DataFrame) -> dict[tuple[str, int], float]:
    """(network, T) -> rate of the last spiking convolution divided by that of the first, mean over seeds."""
    found = {}
    for (name, steps), here in table[table["site"].str.startswith("conv")].groupby(
        ["network", "T"], sort=False
    ):
        by_depth = here.groupby("depth")["rate"].mean()
        found[name, int(steps)] = float(by_depth.iloc[-1] / by_depth.iloc[0])
    return found


def _labels(record: Record) -> dict[str, object]:
    return {
        "network": record.labels["network"],
        "reading": reading_of(record.labels["note"]),
        "role": record.labels["role"],
        "T": record.result.get("steps"),
        "seed": record.spec.seed,
    }


def _rates(
    labels: Mapping[str, object], passes: Sequence[Pass], rates: Mapping[str, float]
) -> list[dict[str, object]]:
    spiking = [("input", "input", 1)] + [
        (p.site, p.layer, p.unroll) for p in passes if p.neuron in ("lif", "if")
    ]
    return [
        {**labels, "depth": depth, "site": site, "layer": layer, "step": step, "rate": rates[site]}
        for depth, (site, layer, step) in enumerate(spiking)
    ]


def _rate_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    if not rows:
        raise ValueError("records must hold at least one spiking network, got none")
    return pd.DataFrame(rows)
