"""Figures that trained networks share: learning curves, and spike rates by depth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from panda2020.exhibits.style import PALETTE, ROLES
from panda2020.records import reading_of
from panda2020.runs import Record
from panda2020.tasks import train
from snncore.data import Part, load
from snncore.topology import Pass, plan
from snncore.training import evaluate

_MARKERS = "osD^v<>P"

_COLOURS = [PALETTE[name] for name in ("blue", "green", "orange", "purple", "amber", "sky", "black")]


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


def draw_curves(table: pd.DataFrame, *, chance: float = 0.1) -> Figure:
    """``curve_table``, one panel per network: ANN and SNN, training dashed, validation solid, mean over seeds.

    Where there are several seeds, a band reaches from the worst to the best of them. Chance is dotted.
    """
    names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.7 * columns + 1.5, 2.5 * rows + 0.2), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    times = sorted({steps for steps in table["T"] if steps is not None})
    looks: dict[str, Line2D] = {}
    for axes, name in zip(grid, names, strict=False):
        here = table[(table["network"] == name[0]) & (table["reading"] == name[1])]
        for (role, steps), runs in here.fillna({"T": 0}).groupby(["role", "T"], sort=True):
            marker = _MARKERS[times.index(steps)] if steps else "x"
            label = f"SNN, T = {steps}" if steps else "ANN"
            style: dict[str, Any] = {
                "color": ROLES.get(role, PALETTE["green"]),
                "marker": marker,
                "markersize": 4,
            }
            for part, dashes in (("training", (0, (4, 2))), ("validation", "solid")):
                by_epoch = runs.groupby("epoch")[part]
                mean = by_epoch.mean()
                axes.plot(mean.index, mean, linestyle=dashes, linewidth=1.3, **style)
                if runs["seed"].nunique() > 1:
                    axes.fill_between(
                        mean.index, by_epoch.min(), by_epoch.max(), color=style["color"], alpha=0.15, lw=0
                    )
            looks.setdefault(label, Line2D([], [], **style))
        axes.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":")
        axes.set_title(_title(name), fontsize=10)
        axes.set_ylim(0, 1)
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in grid[len(names) :]:
        axes.axis("off")
    looks["training"] = Line2D([], [], color=PALETTE["black"], linestyle=(0, (4, 2)))
    looks["validation"] = Line2D([], [], color=PALETTE["black"])
    looks["chance"] = Line2D([], [], color=PALETTE["grey"], linestyle=":", linewidth=1)
    figure.legend(looks.values(), looks.keys(), loc="outside right center")
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("accuracy", fontsize=10)
    return figure


def rate_table(records: Iterable[Record]) -> pd.DataFrame:
    """Spikes per neuron and step on the test images, one row per run and site; the input has depth 0.

    Records without spikes (ANNs) are left out. Raises ``ValueError`` where that leaves none.
    """
    rows = []
    for record in records:
        if record.result.get("steps") is None:
            continue
        rates = {site: found["rate"] for site, found in record.result["activity"].items()}
        rows += _rates(_labels(record), passes_of(record.spec), rates)
    return _rate_frame(rows)


def untrained_rates(specs: Mapping[str, train.Spec], *, images: int = 100) -> pd.DataFrame:
    """The same for networks that have not been trained, on the first ``images`` test images; labels as "network"."""
    rows = []
    for label, spec in specs.items():
        splits = load(spec.data)
        network = train.build(spec, splits)
        part = Part(splits.test.images[:images], splits.test.labels[:images])
        sites = evaluate(network, part, spec.input, seed=spec.seed).sites
        rates = {site: found.rate for site, found in sites.items()}
        start = {"network": label, "reading": "A", "role": "snn", "T": spec.input.steps, "seed": spec.seed}
        rows += _rates(start, network.plan, rates)
    return _rate_frame(rows)


def with_gains(spec: train.Spec, gains: Sequence[float]) -> dict[str, train.Spec]:
    """The same run with other initialisation gains, by label: "gain 0.7"."""
    return {f"gain {gain:g}": replace(spec, network=replace(spec.network, gain=gain)) for gain in gains}


def joined(panels: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of several panels as one, the panel in a column."""
    return pd.concat([table.assign(panel=title) for title, table in panels.items()], ignore_index=True)


def draw_rates(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Rates by depth, mean over seeds; one panel per title. BackRes networks are dashed, their repeated passes hollow."""
    figure = Figure(figsize=(4.3 * len(panels) + 0.4, 3.7), layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, table) in zip(grid, panels.items(), strict=True):
        names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
        for i, name in enumerate(names):
            here = table[(table["network"] == name[0]) & (table["reading"] == name[1])]
            _draw_rate(axes, here, _title(name), _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)])
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("depth: layer in order of computation, 0 is the input")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=9)
    grid[0].set_ylabel("spikes per neuron and step")
    return figure


def _draw_rate(axes: Axes, here: pd.DataFrame, label: str, colour: str, marker: str) -> None:
    mean = here.groupby("depth")["rate"].mean()
    step = here.groupby("depth")["step"].first()
    dashes = (0, (5, 2)) if step.max() > 1 else "solid"
    axes.plot(mean.index, mean, color=colour, linestyle=dashes, marker=marker, markersize=5, label=label)
    again = np.asarray(step) > 1
    axes.plot(
        mean.index[again],
        mean[again],
        linestyle="none",
        marker=marker,
        markersize=5,
        color=colour,
        mfc="white",
    )


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


def _title(name: tuple[str, str]) -> str:
    return name[0] if name[1] == "A" else f"{name[0]}, reading {name[1]}"
