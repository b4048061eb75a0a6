"""Unrolled networks against plain networks of equal depth: the limits of unrolling, and how channels are matched (Figure 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import pandas as pd
from matplotlib.figure import Figure

from panda2020.exhibits.numbers import interval, number
from panda2020.exhibits.style import PALETTE, ROLES
from panda2020.records import by_place, difference_estimate
from panda2020.runs import Record
from panda2020.statistics import Interval

#: Unrolled network -> (plain network of equal logical depth, what the pair shows).
PAIRS = {
    "VGG2x4c": ("VGG8c", "one convolution run 7 times"),
    "VGG2x8": ("VGG16c", "one convolution run 15 times"),
    "VGG2x4-wide-drop": ("VGG8", "channels dropped"),
    "VGG2x4-wide-top": ("VGG8", "most active channels, by image"),
    "VGG2x4-wide-top-fixed": ("VGG8", "most active channels, fixed"),
    "VGG2x4-wide-average": ("VGG8", "channels averaged"),
}

#: Role of both networks of a pair -> what it adds to the pair's name.
ROLES_OF_PAIRS = {"ann": "", "ann-longer": ", twice the epochs"}


def limit_table(records: Sequence[Record]) -> pd.DataFrame:
    """Accuracy of each unrolled ANN minus that of its plain counterpart, in points, paired by seed and test image.

    Columns: network, minus, what, points, low and high (total interval, 95 %), seeds. Pairs without a common seed are omitted.
    """
    runs = {(place.network, place.role): seeds for place, seeds in by_place(records).items()}
    rows = []
    for (name, (plain, what)), (role, suffix) in product(PAIRS.items(), ROLES_OF_PAIRS.items()):
        first, second = runs.get((name, role), {}), runs.get((plain, role), {})
        if first.keys() & second.keys():
            found = difference_estimate(first, second)
            low, high = found.interval or (math.nan, math.nan)
            rows.append({
                "network": name, "minus": plain, "what": what + suffix, "points": found.mean, "low": low, "high": high,
                "seeds": found.seeds,
            })  # fmt: skip
    return pd.DataFrame(rows)


def draw_limits(table: pd.DataFrame) -> Figure:
    """``limit_table``: a row per pair, a mark with its interval; left of 0 the unrolled network is worse."""
    figure = Figure(figsize=(6.8, 0.55 * len(table) + 1.0), layout="constrained")
    axes = figure.add_subplot()
    for k, row in table.iterrows():
        axes.plot([row["low"], row["high"]], [k, k], color=ROLES["ann"], linewidth=2)
        axes.plot(row["points"], k, "o", color=ROLES["ann"], markersize=8)
    axes.axvline(0, color=PALETTE["grey"], linewidth=1.2)
    axes.set_yticks(
        range(len(table)),
        [f"{row['what']}\n({row['seeds']} seeds)" for _, row in table.iterrows()],
        fontsize=9,
    )
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("accuracy minus that of the plain ANN of equal depth, points")
    return figure


def limit_sentence(table: pd.DataFrame) -> str:
    """A sentence with every difference and its interval."""
    found = "; ".join(
        f"{row['what']} {number(row['points'], '+.1f')} [{interval(Interval(row['low'], row['high']), '+.1f')}]"
        for _, row in table.iterrows()
    )
    return f"Unrolled minus plain, in points: {found}."
