"""Table 12 in the article's layout, with our values and the article's words; and the gain of either classifier by features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.style import PALETTE
from panda2020.runs import Record
from panda2020.statistics import Estimate

from .tables import stdp_table

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
