"""Tables 2 and 4 and Figures 4 and 7 from conversion records: accuracy, thresholds, sparsity and efficiency against T.

A conversion record (``runs.tasks.convert``) holds one ANN and the spiking network made of it, read out at every T on
the same test images. Everything here is computed from such records; nothing is executed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..energy import CONVENTIONS, macs
from ..network import as_ann, parameter_count, plan
from ..runs import Entry, Record
from ..runs.executing import minutes
from ..runs.tasks import train
from . import energies, statistics
from .evidence import Sample
from .profiles import profile
from .recorded import reading_of
from .style import PALETTE

MARGIN = 0.01  # an efficiency is read at the smallest T whose accuracy is within this of the largest T's
_COLOURS = ("blue", "orange", "green", "purple", "amber", "grey")


def accuracy_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run and T: ANN and SNN accuracy on the same images, their paired difference, EE at that T.

    Columns: network, reading, role, seed, T, ANN, SNN, "over test images" (Wilson, 95 %), minus ANN (points), its 95 %
    interval over test images, "only ANN right" and "only SNN right" (images), McNemar p, agreement (share of images on
    which both name the same class), top-5, EE paper / physical / full (int32 prices), images.
    """
    rows = []
    for record in records:
        for steps, found in _readings(record):
            ann, snn = (statistics.hits(part["hits"], part["total"]) for part in (record.result["ann"], found))
            pair = statistics.paired([snn], [ann])
            rows.append(
                {
                    **_labels(record),
                    "T": steps,
                    "ANN": record.result["ann"]["accuracy"],
                    "SNN": found["accuracy"],
                    "over test images": _interval(statistics.wilson(found["correct"], found["total"]), ".1%"),
                    "minus ANN": 100 * pair.difference,
                    "95 % interval": _interval([100 * end for end in pair.interval()], "+.1f"),
                    "only ANN right": pair.only_second,
                    "only SNN right": pair.only_first,
                    "McNemar p": pair.p,
                    "agreement": found["paired"]["same_class"] / found["total"],
                    "top-5": found["top5"]["correct"] / found["total"],
                    "ANN top-5": record.result["ann"]["top5"]["correct"] / found["total"],
                    **{f"EE {c}": energies.energy_of(Sample(record, steps, found), c).efficiency for c in CONVENTIONS},
                    "images": found["total"],
                }
            )
    return pd.DataFrame(rows)


def settled(table: pd.DataFrame, *, margin: float = MARGIN, chance: float = 0.1) -> pd.DataFrame:
    """One row per network, means over seeds, at the smallest T whose mean accuracy is within ``margin`` of that at the largest T.

    This is where an efficiency is read. Networks that are at or below twice chance at the largest T have no such row.
    """
    means = ["SNN", "ANN", *(f"EE {c}" for c in CONVENTIONS)]
    chosen = []
    for (name, reading, role), runs in table.groupby(["network", "reading", "role"], sort=False):
        course = runs.groupby("T")[means].mean()  # by rising T
        last = course["SNN"].iloc[-1]
        if last > 2 * chance:
            settled_at = course.index[course["SNN"] >= last - margin - 1e-9][0]
            where = {"network": name, "reading": reading, "role": role, "seeds": runs["seed"].nunique(), "T": int(settled_at)}
            chosen.append({**where, **course.loc[settled_at], "images": int(runs["images"].iloc[0])})
    return pd.DataFrame(chosen)


def threshold_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run and BackRes layer: the balanced threshold of every unrolling step, and whether they only rise."""
    rows = []
    for record in records:
        for layer, values in _unrolled(record.result["thresholds"]).items():
            rows.append(
                {
                    **_labels(record),
                    "layer": layer,
                    **{f"step {k}": value for k, value in enumerate(values, start=1)},
                    "only rising": rises(values),
                    "calibration": f"{record.spec.conversion.images} images, {record.spec.conversion.steps} steps",
                }
            )
    return pd.DataFrame(rows)


def rises(values: Sequence[float]) -> bool:
    """Whether every value is larger than the one before: "vthresh1 < vthresh2 ... < vthreshn" (section 4.1)."""
    return all(a < b for a, b in itertools.pairwise(values))


def falls(values: Sequence[float]) -> bool:
    """Whether every value is smaller than the one before: the "sparsifying effect" (section 8.1)."""
    return all(a > b for a, b in itertools.pairwise(values))


def sparsity_table(records: Sequence[Record]) -> pd.DataFrame:
    """Spikes per neuron and step over the unrolling steps of each BackRes layer, at the largest T."""
    rows = []
    for record in records:
        steps, found = _readings(record)[-1]
        rates = {site: values["rate"] for site, values in found["activity"].items()}
        for layer, values in _unrolled(rates).items():
            rows.append({**_labels(record), "T": steps, "layer": layer,
                         **{f"step {k}": value for k, value in enumerate(values, start=1)}, "only falling": falls(values)})
    return pd.DataFrame(rows)


def loss_table(records: Sequence[Record]) -> pd.DataFrame:
    """Where accuracy is lost: per run, T and site, how the spike rate (in units of the ANN) follows the activation.

    correlation over neurons and images; error: mean absolute difference relative to the mean activation; bias: the
    same with sign; saturated: share of neurons that fire at every step; "if the ANN took over here": accuracy when the
    layers behind this site are the ANN's, fed with its rates.
    """
    rows = []
    for record in records:
        channels, size = train._shape(record.spec.ann.data)
        order = [p.site for p in plan(as_ann(record.spec.ann.topology), (channels, size, size), "relu")]
        for steps, found in _readings(record):
            for site, values in sorted(found["agreement"].items(), key=lambda item: order.index(item[0])):
                depth = order.index(site) + 1
                rows.append({**_labels(record), "T": steps, "depth": depth, "site": site,
                             "correlation": values["correlation"], "error": values["error"], "bias": values["bias"],
                             "saturated": values["saturated"], "if the ANN took over here": values["accuracy"]})
    return pd.DataFrame(rows)


def size_table(records: Sequence[Record], *, baseline: str) -> pd.DataFrame:
    """Parameters and multiply-accumulates as run, and compression: parameters of ``baseline`` divided by a network's own."""
    first = {(r.labels["network"], reading_of(r.labels["note"])): r for r in reversed(records)}
    passes, parameters = {}, {}
    for name, record in reversed(first.items()):
        channels, size = train._shape(record.spec.ann.data)
        topology = as_ann(record.spec.ann.topology), (channels, size, size)
        passes[name], parameters[name] = plan(*topology), parameter_count(*topology)
    base = next((count for (name, _), count in parameters.items() if name == baseline), None)
    return pd.DataFrame([
        {"network": name, "reading": reading, "topology as run": first[name, reading].spec.ann.topology, "parameters": count,
         "MACs": sum(map(macs, passes[name, reading])), "compression": None if base is None else base / count}
        for (name, reading), count in parameters.items()
    ])


def missing_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Conversion runs that nobody has recorded, with the minutes they are estimated to take on two CPU cores."""
    return pd.DataFrame([
        {"network": entry.network, "reading": reading_of(entry.note), "role": entry.role, "seed": entry.spec.ann.seed,
         "minutes": minutes(entry.spec)}
        for entry in entries
    ], columns=["network", "reading", "role", "seed", "minutes"])


def scale_text(records: Sequence[Record]) -> str:
    """Data, width, epochs and calibration of some runs of one scale, in words, for captions."""
    spec = records[0].spec
    p = profile(records[0].labels["profile"])
    data = spec.ann.data
    width = p.imagenet_width if data.name == p.imagenet.name and data.size == p.imagenet.size else p.width
    size = f" at {data.size} pixels" if data.size else ""
    return (f"Profile {p.name}: {data.name}{size}, {data.train:,} training images, networks at {width:g} of the width, "
            f"{spec.ann.training.epochs} epochs; thresholds from {spec.conversion.images} images and "
            f"{spec.conversion.steps} steps.")


def draw_accuracy(table: pd.DataFrame) -> Figure:
    """Accuracy against T on the left, EE (paper's convention) on the right; ANN accuracies are dashed lines."""
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    for colour, (name, run) in zip(_cycle(table), _by_network(table), strict=False):
        mean = run.groupby("T")[["SNN", "ANN", "EE paper", "EE physical"]].mean()
        left.plot(mean.index, mean["SNN"], color=colour, marker="o", markersize=4, label=name)
        left.axhline(mean["ANN"].iloc[-1], color=colour, linewidth=1, linestyle="--")
        right.plot(mean.index, mean["EE paper"], color=colour, marker="o", markersize=4, label=f"{name}, paper")
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
    axes.set_xticks(range(len(table)), [f"{_name(row)}\nT = {row['T']}, {row['SNN']:.1%}" for _, row in table.iterrows()],
                    fontsize=8)
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
    for axes, table, label in zip(figure.subplots(1, 2), (thresholds, rates), ("threshold", "spikes per neuron and step"),
                                  strict=True):
        layers = [f"{_name(row)} {row['layer']}" for _, row in table.iterrows()]
        colours = dict(zip(dict.fromkeys(layers), _cycle(table), strict=False))
        drawn = set()
        for name, (_, row) in zip(layers, table.iterrows(), strict=True):
            values = row[[c for c in table.columns if c.startswith("step ")]].dropna().astype(float)
            axes.plot(range(1, len(values) + 1), values, marker="o", markersize=4, color=colours[name], alpha=0.8,
                      label=None if name in drawn else name)
            drawn.add(name)
        axes.set_xlabel("unrolling step")
        axes.set_ylabel(label)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=7)
    return figure


def draw_loss(table: pd.DataFrame) -> Figure:
    """Correlation of spike rate and activation over depth, one line per T, one panel per network."""
    names = list(_by_network(table))
    figure = Figure(figsize=(3.4 * len(names) + 0.8, 3.4), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, (name, run) in zip(grid, names, strict=True):
        times = sorted(set(run["T"]))
        for place, steps in enumerate(times):
            here = run[run["T"] == steps].groupby(["depth", "site"], sort=True)["correlation"].mean().reset_index()
            shade = 0.15 + 0.75 * place / max(1, len(times) - 1)
            axes.plot(here["site"], here["correlation"], marker="o", markersize=3, color=(0.0, 0.45 * shade, shade),
                      alpha=0.9, label=f"T = {steps}")
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


def _readings(record: Record) -> list[tuple[int, dict[str, Any]]]:
    """(T, what was read out there), rising."""
    return sorted((int(steps), found) for steps, found in record.result["snn"].items())


def _unrolled(values: Mapping[str, float]) -> dict[str, list[float]]:
    """Layer -> its values by unrolling step, of the layers that have several: "conv2.1", "conv2.2" -> conv2."""
    found: dict[str, dict[int, float]] = {}
    for site, value in values.items():
        layer, dot, step = site.partition(".")
        if dot:
            found.setdefault(layer, {})[int(step)] = value
    return {layer: [by_step[k] for k in sorted(by_step)] for layer, by_step in found.items()}


def _labels(record: Record) -> dict[str, Any]:
    return {"network": record.labels["network"], "reading": reading_of(record.labels["note"]),
            "role": record.labels["role"], "seed": record.spec.ann.seed}


def _name(row: Mapping[str, Any]) -> str:
    return row["network"] if row["reading"] == "A" else f"{row['network']} {row['reading']}"


def _by_network(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(_name({"network": name, "reading": reading}) + ("" if role == "converted" else f", {role[10:]}"), run)
            for (name, reading, role), run in table.groupby(["network", "reading", "role"], sort=False)]


def _cycle(table: pd.DataFrame) -> list[str]:
    return [PALETTE[_COLOURS[i % len(_COLOURS)]] for i in range(max(1, len(table)))]


def _interval(ends: Sequence[float], form: str) -> str:
    return f"{ends[0]:{form}} to {ends[1]:{form}}"
