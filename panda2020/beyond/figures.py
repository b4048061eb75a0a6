"""Drawings of the chapter on latency code and binary networks: what both codes send, and how accurate binary networks are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from torch import Tensor

from panda2020.exhibits.numbers import between
from panda2020.exhibits.numbers import number as number_text
from panda2020.exhibits.style import PALETTE
from panda2020.records import accuracy_columns, by_place, shown_name
from panda2020.runs import Record

from .tables import STAGES

_NAMES = dict(zip(STAGES, ("paper", "physical", "full", "full and\nmemory"), strict=True))

#: Role -> label, colour, marker, place beside the network's tick.
_KINDS = {
    "ann": ("real weights, ReLU (ANN)", PALETTE["blue"], "s", -0.2),
    "binary": ("binary, softmax", PALETTE["orange"], "o", 0.0),
    "binary-stochmax": ("binary, stochmax", PALETTE["purple"], "D", 0.2),
}

_ANSWERS = {
    "snn-reset-then-leak": "reset before leak",
    "snn-fires-at-equality": "fires at the threshold",
    "snn-signed": "signed input spikes",
    "snn-gain": "larger first weights",
    "snn-readout-sum": "readout: sum over T",
    "snn-readout-mean": "readout: mean over T",
}

_LINES = tuple(zip(("grey", "green", "orange", "purple", "amber"), "sDo^v", strict=True))


def draw_codes(pixels: Sequence[float], codes: Mapping[str, Tensor]) -> Figure:
    """The spikes of some pixels over time, a panel per code, a row per pixel; on the left the pixel as a shade of grey.

    codes: name -> spikes ``(T, pixels)``.
    """
    figure = Figure(figsize=(7.0, 0.42 * len(pixels) + 1.0), layout="constrained")
    grid = figure.subplots(1, len(codes), sharey=True, squeeze=False)[0]
    for axes, (name, spikes) in zip(grid, codes.items(), strict=True):
        for row, pixel in enumerate(pixels):
            times = np.flatnonzero(spikes[:, row].numpy())
            axes.scatter(-1.6, row, s=160, marker="s", facecolor=str(pixel), edgecolor=PALETTE["grey"])
            axes.vlines(times, row - 0.34, row + 0.34, color=PALETTE["orange"], linewidth=2)
        axes.set(xlim=(-2.6, len(spikes) - 0.5), ylim=(len(pixels) - 0.4, -0.6), xlabel="time step")
        axes.set_title(f"{name}: {int(spikes.sum())} spikes", fontsize=10, loc="left")
        axes.set_xticks(range(0, len(spikes), 2))
        axes.set_yticks(range(len(pixels)), [f"pixel {pixel:g}" for pixel in pixels])
        axes.grid(visible=False)
        axes.tick_params(axis="y", length=0)
    return figure


def accuracy_table(records: Sequence[Record]) -> pd.DataFrame:
    """Accuracy of binary networks and of the ANNs of equal shape, a row per network and role, with its interval in per cent."""
    rows = [
        {"network": shown_name(name), "role": role, **accuracy_columns(list(seeds.values()))}
        for (name, reading, role, _), seeds in by_place(records).items()
        if role in _KINDS and reading == "A"
    ]
    return pd.DataFrame(rows, columns=["network", "role", "accuracy", "95 % interval", "over", "seeds"])


def draw_accuracies(table: pd.DataFrame, *, chance: float = 0.1) -> Figure:
    """``accuracy_table``: a column per network; bars are 95 % intervals."""
    names = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for role, (label, colour, marker, shift) in _KINDS.items():
        here = table[table["role"] == role]
        for number, (_, row) in enumerate(here.iterrows()):
            place, interval = names.index(row["network"]) + shift, row["95 % interval"]
            if interval is not None:
                axes.plot(
                    [place] * 2, [max(interval.low, 0) / 100, interval.high / 100], color=colour, lw=1.6
                )
            axes.plot(place, row["accuracy"], marker, color=colour, label=label if number == 0 else None)
    axes.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":")
    axes.text(len(names) - 0.6, chance, "chance", fontsize=8, color=PALETTE["grey"], va="bottom", ha="right")
    axes.set_xticks(range(len(names)), names)
    axes.set(xlim=(-0.6, len(names) - 0.4), ylim=(0, 1.15 * max(0.4, table["accuracy"].max())))
    axes.set_ylabel("test accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def accuracy_sentences(table: pd.DataFrame) -> list[str]:
    """From where to where the accuracies of each kind of network reach."""
    said = []
    for role, (label, *_) in _KINDS.items():
        found = table[table["role"] == role]["accuracy"]
        if len(found):
            said.append(
                f"{label[0].upper()}{label[1:]}: {between(found.min(), found.max(), '.1%')} of the test images."
            )
    return said


def draw_hidden(table: pd.DataFrame) -> Figure:
    """``tables.hidden_table``: EE from convention to convention, a panel per T, a line per network, bars for the intervals."""
    times = sorted(set(table["T"]))
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    panels = figure.subplots(1, len(times), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
    for axes, steps in zip(panels, times, strict=True):
        axes.set_yscale("log")
        axes.axhline(1, color=PALETTE["black"], linewidth=0.8)
        ends = {}
        for _, row in table[table["T"] == steps].iterrows():
            number = names.index((row["network"], row["reading"]))
            colour, marker = _LINES[number % len(_LINES)]
            places = np.arange(len(STAGES)) + 0.05 * (number - (len(names) - 1) / 2)
            values = [row[stage] for stage in STAGES]
            axes.plot(places, values, marker=marker, color=PALETTE[colour], linewidth=1.4)
            for place, stage in zip(places, STAGES, strict=True):
                interval = row[f"{stage}, 95 %"]
                if interval is not None:
                    axes.plot([place] * 2, list(interval), color=PALETTE[colour], linewidth=1.2)
            reading = "" if row["reading"] == "A" else f" ({row['reading']})"
            ends[shown_name(row["network"]) + reading] = (values[-1], PALETTE[colour])
        axes.set_xticks(range(len(STAGES)), list(_NAMES.values()), fontsize=9)
        axes.set_xlim(-0.3, len(STAGES) + 0.2)
        axes.set_title(f"T = {steps}", fontsize=10, loc="left")
        _label_log(axes, ends, at=len(STAGES) - 0.85)
    low = min(0.5, 0.8 * float(table["full + memory"].min()))
    high = max(2.0, 1.4 * float(table[list(STAGES)].max().max()))
    panels[0].set_ylim(low, high)
    ticks = [v for v in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200) if low <= v <= high]
    panels[0].set_yticks(ticks, [f"{v:g}" for v in ticks])
    panels[0].yaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("EE, ANN over SNN (1: equal)")
    return figure


def _label_log(axes: Axes, ends: Mapping[str, tuple[float, str]], *, at: float) -> None:
    """Labels at the ends of lines on a logarithmic axis, one line of text apart."""
    placed: list[float] = []
    for label, (value, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        here = value if not placed else max(value, placed[-1] * 1.42)
        placed.append(here)
        axes.text(at, here, label, color=colour, fontsize=8.5, va="center")


def draw_roles(table: pd.DataFrame, *, noise: float | None) -> Figure:
    """``tables.role_table``: each other answer's difference to the default in points with its interval.

    noise: the standard deviation of the difference between two runs that differ in the seed alone; twice that is shaded.
    """
    pairs = table[table["difference"].notna()].reset_index(drop=True)
    figure = Figure(figsize=(7.0, 0.4 * len(pairs) + 1.2), layout="constrained")
    axes = figure.subplots()
    if noise is not None:
        axes.axvspan(-2 * noise, 2 * noise, color="#dddddd", linewidth=0, zorder=0)
    axes.axvline(0, color=PALETTE["black"], linewidth=0.8)
    for number, row in pairs.iterrows():
        interval = row["difference, 95 %"]
        if interval is not None:
            axes.plot(list(interval), [number] * 2, color=PALETTE["orange"], linewidth=1.6)
        axes.plot(row["difference"], number, "o", color=PALETTE["orange"])
    axes.set_yticks(range(len(pairs)), [answer(role) for role in pairs["role"]])
    axes.set(ylim=(len(pairs) - 0.4, -0.6), xlabel="accuracy minus that of the default, points")
    axes.grid(visible=False, axis="y")
    return figure


def answer(role: str) -> str:
    """A role of the grid "unstated" in words: "snn-fires-at-equality" -> "fires at equality"."""
    return _ANSWERS.get(role, role.removeprefix("snn-").replace("-", " "))


def role_sentence(table: pd.DataFrame, *, noise: float | None) -> str:
    """How many of the other answers change the accuracy by more than chance in the test images, and by more than seeds do."""
    pairs = table[table["difference"].notna()]
    if pairs.empty:
        return "No other answer is recorded beside the default yet."
    sure = sum(
        interval is not None and interval.low * interval.high > 0 for interval in pairs["difference, 95 %"]
    )
    said = f"{sure} of {len(pairs)} other answers change the accuracy beyond their interval"
    if noise is not None:
        beyond = int((pairs["difference"].abs() > 2 * noise).sum())
        said += f", {beyond} by more than two runs that differ only in the seed usually do ({2 * noise:.1f} points)"
    lowest, highest = (
        pairs.loc[pairs["difference"] == end].iloc[0]
        for end in (pairs["difference"].min(), pairs["difference"].max())
    )
    return (
        f"{said}. The changes reach from {number_text(lowest['difference'], '+.1f')} points ({answer(lowest['role'])}) to "
        f"{number_text(highest['difference'], '+.1f')} ({answer(highest['role'])})."
    )
