"""Table 12 in the article's layout, with our values and the article's words; and the gain of either classifier by features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.numbers import between
from panda2020.exhibits.style import PALETTE
from panda2020.runs import Record
from panda2020.statistics import Estimate

from .tables import SOURCES, stdp_table

_LOOKS = {
    "STDP": ("o", PALETTE["orange"]),
    "random kernels": ("s", PALETTE["grey"]),
    "raw pixels": ("^", PALETTE["purple"]),
}


def layout12(records: Sequence[Record]) -> pd.DataFrame:
    """Table 12: a row per network, accuracies in per cent, differences in points, our values and the article's words.

    Columns: "network", "ANN, %", "STDP, %", "STDP - ANN, points", "STDP - random kernels, points", "EE full", "largest EE full",
    "seeds".
    """
    rows = []
    for _, row in stdp_table(records, "12").iterrows():
        name, basis = row["network"], "both" if row["seeds"] > 1 else "images"

        def one(
            mean: float, interval: object, seeds: int = row["seeds"], basis: str = basis
        ) -> Estimate | None:
            return Estimate(mean, interval, seeds, basis) if np.isfinite(mean) else None  # type: ignore[arg-type]

        rows.append(
            {
                "network": name,
                "ANN, %": None if pd.isna(row["ANN"]) else 100 * row["ANN"],
                "STDP, %": Beside(
                    one(100 * row["STDP"], row["95 % interval"]), cell("Table 12", name, "STDP")
                ),
                "STDP − ANN, points": Beside(
                    one(row["minus ANN"], row["minus ANN, 95 %"]), cell("Table 12", name, "loss")
                ),
                "STDP − random kernels, points": Beside(one(row["minus random"], row["minus random, 95 %"])),
                "EE full": row["EE full"],
                "largest EE full": row["EE full at most"],
                "seeds": row["seeds"],
            }
        )
    return pd.DataFrame(rows)


def draw_gains(table: pd.DataFrame) -> Figure:
    """``tables.classifier_table``: ConvNN minus FC1 and FC2 in points with its 95 % interval, by network and kind of features."""
    figure = Figure(figsize=(7.0, 0.3 * len(table) + 1.2), layout="constrained")
    axes = figure.subplots()
    for i, (_, row) in enumerate(table.iterrows()):
        marker, colour = _LOOKS[row["features"]]
        value, interval = row["ConvNN minus FC"], row["95 % interval"]
        error = (
            None if interval is None else [[max(value - interval.low, 0)], [max(interval.high - value, 0)]]
        )
        axes.errorbar([value], [i], xerr=error, marker=marker, color=colour, capsize=3)
    axes.axvline(0, color=PALETTE["grey"], linewidth=1)
    axes.set_yticks(
        range(len(table)), [f"{r['network']}, {r['features']}" for _, r in table.iterrows()], fontsize=9
    )
    axes.set(ylim=(len(table) - 0.4, -0.6), xlabel="ConvNN minus FC1 and FC2, points")
    return figure


def gain_sentences(table: pd.DataFrame) -> list[str]:
    """Sentences on the gain of ConvNN, by network and kind of features."""
    return [
        f"{name}: ConvNN gains "
        + ", ".join(
            f"{row['ConvNN minus FC']:+.1f} points on {row['features']}" for _, row in here.iterrows()
        )
        + "."
        for name, here in table.groupby("network", sort=False)
    ]


def course_table(records: Sequence[Record]) -> pd.DataFrame:
    """How ConvNN learns on each kind of features: a row per network, features, seed and epoch."""
    return pd.DataFrame(
        [
            {
                "network": run.labels["network"],
                "features": word,
                "seed": run.spec.seed,
                "epoch": entry["epoch"],
                "training": entry["train_accuracy"],
                "validation": entry["validation_accuracy"],
            }
            for run in records
            for source, word in SOURCES.items()
            for entry in run.result["classifiers"]["convnn"].get(source, {}).get("curve", ())
        ],
        columns=["network", "features", "seed", "epoch", "training", "validation"],
    )


def draw_courses(table: pd.DataFrame, *, chance: float = 0.1) -> Figure:
    """``course_table``, a panel per network: validation accuracy over epochs, mean and band of the seeds; crosses: training."""
    names = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(7.6, 3.2), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        here = table[table["network"] == name]
        for features, (marker, colour) in _LOOKS.items():
            by_epoch = here[here["features"] == features].groupby("epoch")
            if not len(by_epoch):
                continue
            mean, found = by_epoch["validation"].mean(), by_epoch["validation"]
            axes.plot(mean.index, mean, color=colour, marker=marker, markersize=4, label=features)
            axes.fill_between(mean.index, found.min(), found.max(), color=colour, alpha=0.13, linewidth=0)
            axes.plot(mean.index[-1], by_epoch["training"].mean().iloc[-1], "x", color=colour, markersize=7)
        axes.axhline(chance, color=PALETTE["grey"], linewidth=1, linestyle=":")
        axes.set_title(name, fontsize=10, loc="left")
        axes.set(xlabel="epoch of ConvNN", ylim=(0, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].set_ylabel("validation accuracy")
    panels[0].text(table["epoch"].min(), chance, "chance", fontsize=8, color=PALETTE["grey"], va="bottom")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    return figure


def course_sentences(table: pd.DataFrame) -> list[str]:
    """How much of its training and of its validation images ConvNN gets right in the end, by kind of features."""
    last = table[table["epoch"] == table["epoch"].max()]
    ends = last.groupby(["network", "features"], sort=False)[["training", "validation"]].mean()
    said = []
    for features, here in ends.groupby("features", sort=False):
        both = (between(here[part].min(), here[part].max(), ".0%") for part in ("training", "validation"))
        said.append(
            "On features of {}, ConvNN ends at {} of its training images and {} of the validation images.".format(
                features, *both
            )
        )
    return said
