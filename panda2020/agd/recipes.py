"""The specification curve for "VGG7 fails to train": the same networks with every recipe that the article leaves open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from panda2020 import statistics
from panda2020.claims.protocol import ABOVE_CHANCE, FAILS
from panda2020.exhibits.style import PALETTE
from panda2020.records import shown_name
from panda2020.runs import Record
from panda2020.samples import LEARNT

from .figures import label_ends

#: Accuracy of a guess among ten classes.
CHANCE = 0.1

#: The parts of a recipe, in the order of the rows below the curve.
CHOICES = ("optimiser", "readout", "gain", "leak")

_LOOKS = {
    "VGG5": (PALETTE["grey"], "s"),
    "VGG7-agd": (PALETTE["orange"], "o"),
    "VGG3x4": (PALETTE["green"], "D"),
}


def recipe_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run: network, the choices of its recipe, validation accuracy after the last epoch, and whether it trains.

    It trains if the lower end of Wilson's 95 % interval of that accuracy is more than ``LEARNT`` above chance.
    """
    rows = []
    for record in records:
        network, training = record.spec.network, record.spec.training
        images = record.result["data"]["validation"]
        accuracy = record.result["curve"][-1]["validation_accuracy"]
        clipped = "clipped" if training.clip else "unclipped"
        rows.append(
            {
                "network": record.labels["network"],
                "optimiser": f"{training.optimizer} {training.learning_rate:g}, {clipped}",
                "readout": network.readout,
                "gain": f"{network.gain:g}",
                "leak": f"{network.alpha:g}",
                "validation": accuracy,
                "trains": statistics.wilson(accuracy * images, images).low > CHANCE + LEARNT,
            }
        )
    return pd.DataFrame(rows, columns=["network", *CHOICES, "validation", "trains"])


def by_recipe(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """``value`` with a row per recipe and a column per network, with recipes in rising order of mean accuracy."""
    wide = table.pivot_table(index=list(CHOICES), columns="network", values=value, aggfunc="mean")
    order = table.groupby(list(CHOICES))["validation"].mean().sort_values(kind="stable").index
    names = [name for name in _LOOKS if name in wide]
    return wide.loc[order, names]


def draw_recipes(table: pd.DataFrame) -> Figure:
    """Above: accuracy of every network with every recipe, filled if it trains. Below: the choices of the recipe."""
    accuracy, trains = by_recipe(table, "validation"), by_recipe(table, "trains")
    options = [(c, v) for c in CHOICES for v in sorted(set(table[c]))]
    figure = Figure(figsize=(7.4, 2.6 + 0.19 * len(options)), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.3, 0.17 * len(options) + 0.2])
    places = np.arange(len(accuracy))
    ends: dict[str, tuple[float, float, str]] = {}
    for name in accuracy:
        colour, marker = _LOOKS[name]
        lives = trains[name] > 0.5
        above.plot(places, accuracy[name], color=colour, linewidth=0.8, alpha=0.6)
        for some, face in ((lives, colour), (~lives & accuracy[name].notna(), "white")):
            above.plot(
                places[some],
                accuracy[name][some],
                marker,
                color=colour,
                mfc=face,
                markersize=5,
                linestyle="none",
            )
        last = accuracy[name].last_valid_index()
        ends[shown_name(name)] = (places[-1] + 0.6, float(accuracy[name][last]), colour)
    above.axhline(CHANCE, color=PALETTE["grey"], linewidth=1, linestyle=":")
    above.text(0, CHANCE, "chance", fontsize=8, color=PALETTE["grey"], va="bottom")
    above.set_ylim(0, 1.1 * max(0.3, table["validation"].max()))
    above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    above.set_ylabel("validation accuracy")
    above.set_xlim(-0.6, len(accuracy) + 2.4)
    label_ends(above, ends, gap=0.08)
    for row, (choice, value) in enumerate(options):
        chosen = accuracy.index.get_level_values(choice) == value
        below.plot(places, np.full(len(places), row), "o", color="#dddddd", markersize=3)
        below.plot(places[chosen], np.full(chosen.sum(), row), "o", color=PALETTE["black"], markersize=4)
    below.set_yticks(range(len(options)), [f"{choice} {value}" for choice, value in options], fontsize=8)
    below.set_ylim(len(options) - 0.4, -0.6)
    below.set_xticks([])
    below.set_xlabel("one column per recipe, from the worst to the best")
    below.grid(visible=False)
    below.tick_params(axis="y", length=0)
    for spine in below.spines.values():
        spine.set_visible(False)
    return figure


def recipe_sentences(table: pd.DataFrame) -> list[str]:
    """Sentences on the number of recipes with which all networks train, none trains, and only VGG7 fails.

    They count the recipes that are recorded for every network.
    """
    trains = by_recipe(table, "trains").dropna() > 0.5
    if trains.empty or "VGG7-agd" not in trains or trains.shape[1] < 2:
        return []
    others = trains.drop(columns="VGG7-agd")
    alone = int((others.all(axis=1) & ~trains["VGG7-agd"]).sum())
    names = ", ".join(map(shown_name, others))
    every, none = int(trains.all(axis=1).sum()), int((~trains).all(axis=1).sum())
    return [
        f"Of {len(trains)} recipes, {every} train every network and {none} train none.",
        f"Under {alone} of them VGG7 alone fails while {names} train.",
        *_stricter(table, trains.index),
    ]


def _stricter(table: pd.DataFrame, recorded: pd.Index) -> list[str]:
    """The same count by the words of the protocol for claims: a network fails below ``FAILS`` and trains from ``ABOVE_CHANCE``
    above chance."""
    accuracy = 100 * by_recipe(table, "validation").loc[recorded]
    least = 100 * CHANCE + ABOVE_CHANCE
    others = accuracy.drop(columns="VGG7-agd")
    alone = accuracy[(accuracy["VGG7-agd"] < FAILS) & (others >= least).all(axis=1)]
    rule = f"a network fails below {FAILS:g} % and trains from {least:g} %"
    said = f"If {rule}, as the protocol says of claims, that number is {len(alone)}"
    named = [", ".join(f"{c} {v}" for c, v in zip(CHOICES, recipe, strict=True)) for recipe in alone.index]
    return [f"{said}: {'; '.join(named)}." if named else f"{said}."]


def choice_table(table: pd.DataFrame) -> pd.DataFrame:
    """Which choice decides: a row per choice and value, with the recipes that have it and are recorded for every network, under
    how many of these each network trains, and under how many VGG7 alone fails. Empty while no recipe is complete."""
    trains = by_recipe(table, "trains").dropna() > 0.5
    if trains.empty or not set(_LOOKS) <= set(trains):
        return pd.DataFrame()
    alone = ~trains["VGG7-agd"] & trains.drop(columns="VGG7-agd").all(axis=1)
    rows = []
    for choice in CHOICES:
        values = trains.index.get_level_values(choice)
        for value in sorted(set(values)):
            here = values == value
            rows.append(
                {
                    "choice": choice,
                    "value": value,
                    "recipes": int(here.sum()),
                    **{f"{shown_name(name)} trains": int(trains[name][here].sum()) for name in trains},
                    "VGG7 alone fails": int(alone[here].sum()),
                }
            )
    return pd.DataFrame(rows)


def verdict_sentences(table: pd.DataFrame) -> list[str]:
    """What the specification curve says of "VGG7 fails", by the protocol's rule: shown where VGG7 stays at chance while the
    others train; open where all train or none does."""
    trains = by_recipe(table, "trains").dropna() > 0.5
    if trains.empty or not set(_LOOKS) <= set(trains):
        return []
    alone = int((~trains["VGG7-agd"] & trains.drop(columns="VGG7-agd").all(axis=1)).sum())
    said = recipe_sentences(table)
    if alone == 0:
        return [*said, "So the recipe decides and not the depth: whether VGG7 fails stays open."]
    return [*said, "So VGG7 fails under these recipes and not in general."] if alone < len(trains) else said


def progress_sentence(recorded: int, missing: int) -> str:
    """How many of the runs behind the curve are recorded, while some are missing; else empty."""
    if not missing:
        return ""
    if not recorded:
        return f"None of the {missing} runs of the specification curve is recorded yet, so there is nothing to show."
    return f"{recorded} of the {recorded + missing} runs of the specification curve are recorded; the rest is being recorded."
