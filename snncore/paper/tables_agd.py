"""Around Table 8: three baselines for every spiking network, and where a network trains over what the paper leaves open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..runs import Record
from . import statistics, tables
from .evidence import LEARNT
from .recorded import reading_of

#: role of an ANN -> how it is called: the plain one of Table 8, then those of ``grids.baselines``.
BASELINES = {
    "ann": "plain",
    "ann-tuned": "longer training, dropout",
    "ann-tuned-bn": "the same with batch norm",
    "ann-poisson": "fed with Poisson input",
}
CHANCE = 0.1


def baseline_table(records: Sequence[Record]) -> pd.DataFrame:
    """The spiking network of each network and T against every ANN recorded for it, one row per ANN.

    "SNN minus ANN" is in points, paired by seed and test image, with both 95 % intervals. The ANN fed with Poisson input reads
    the mean of as many spikes as the spiking network. Pairs that no seed has both of are left out. Records in other roles
    ("snn", and those of ``BASELINES``) are refused with ``ValueError``.
    """
    found: dict[tuple[str, str], dict[tuple[str, int | None], dict[int, Record]]] = {}
    for record in records:
        role = record.labels["role"]
        if role != "snn" and role not in BASELINES:
            raise ValueError(f"role of a record must be snn or one of {', '.join(BASELINES)}, got {role!r}")
        steps = record.spec.input.steps if role in ("snn", "ann-poisson") else None
        place = (record.labels["network"], reading_of(record.labels["note"]))
        found.setdefault(place, {}).setdefault((role, steps), {})[record.spec.seed] = record
    rows = []
    for (name, reading), runs in found.items():
        for steps in sorted(steps for role, steps in runs if role == "snn" and steps is not None):
            for role, called in BASELINES.items():
                ann = runs.get((role, steps if role == "ann-poisson" else None), {})
                snn = runs["snn", steps]
                paired = tables._difference(snn, ann)
                if not paired["pairs"]:
                    continue
                rows.append(
                    {
                        "network": name,
                        "reading": reading,
                        "T": steps,
                        "ANN": called,
                        "SNN accuracy": float(np.mean([snn[s].result["accuracy"] for s in sorted(snn.keys() & ann.keys())])),
                        "ANN accuracy": paired["ANN accuracy"],
                        "SNN minus ANN": paired["minus ANN"],
                        "over seeds": paired["difference over seeds"],
                        "over test images": paired["difference over test images"],
                        "pairs": paired["pairs"],
                        "McNemar p": paired["McNemar p"],
                    }
                )
    return pd.DataFrame(rows)


# --- where does a network train? ----------------------------------------------------------------------------


def map_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run of the map: network, leak, gamma, gain, validation accuracy after the last epoch, and whether it trains.

    A run trains where the lower end of Wilson's 95 % interval of that accuracy is more than ``LEARNT`` above chance.
    """
    rows = []
    for record in records:
        config, images = record.spec.network, record.result["data"]["validation"]
        accuracy = record.result["curve"][-1]["validation_accuracy"]
        low, _ = statistics.wilson(accuracy * images, images)
        rows.append(
            {
                "network": record.labels["network"],
                "leak": config.leak,
                "gamma": config.gamma,
                "gain": config.gain,
                "seed": record.spec.seed,
                "validation": accuracy,
                "trains": low > CHANCE + LEARNT,
            }
        )
    return pd.DataFrame(rows, columns=["network", "leak", "gamma", "gain", "seed", "validation", "trains"])


def draw_map(table: pd.DataFrame) -> Figure:
    """``map_table`` as one square of gain by gamma per network (row) and leak (column); bold where the network trains.

    Several seeds of a point are averaged, and it counts as training if most of them train. Points without a run stay white.
    """
    names = list(dict.fromkeys(table["network"]))
    leaks, gammas, gains = (sorted(set(table[c]), reverse=c == "leak") for c in ("leak", "gamma", "gain"))
    size = (2.9 * len(leaks) + 1.1, 0.9 + (0.7 + 0.5 * len(gammas)) * len(names))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(names), len(leaks), squeeze=False, sharex=True, sharey=True)
    top = max(0.5, table["validation"].max())
    for row, name in zip(grid, names, strict=True):
        for axes, leak in zip(row, leaks, strict=True):
            here = table[(table["network"] == name) & (table["leak"] == leak)].groupby(["gamma", "gain"])
            values, trains = (here[c].mean().unstack().reindex(index=gammas, columns=gains) for c in ("validation", "trains"))
            axes.imshow(values, vmin=0, vmax=top, cmap="viridis", aspect="auto", origin="lower")
            axes.set_xticks(range(len(gains)), [f"{gain:g}" for gain in gains])
            axes.set_yticks(range(len(gammas)), [f"{gamma:g}" for gamma in gammas])
            axes.set_title(f"{name}, leak {leak:g}", fontsize=10)
            axes.grid(False)
            for i, k in np.argwhere(values.notna().to_numpy()):
                value, bold = values.iloc[i, k], trains.iloc[i, k] > 0.5
                axes.text(
                    k, i, f"{value:.0%}", ha="center", va="center", fontsize=9, weight="bold" if bold else "normal",
                    color="black" if value > 0.7 * top else "white",
                )  # fmt: skip
    figure.supxlabel("initialisation gain", fontsize=10)
    figure.supylabel("surrogate gamma", fontsize=10)
    figure.colorbar(grid[0, 0].images[0], ax=grid, label="validation accuracy")
    return figure


def map_sentences(table: pd.DataFrame) -> list[str]:
    """What the map says: at how many points each network trains, and its best point; then the points that set them apart."""
    found = []
    for name, here in table.groupby("network", sort=False):
        best = here.loc[here["validation"].idxmax()]
        found.append(
            f"{name} trains at {int(here['trains'].sum())} of {len(here)} points; best {best['validation']:.0%} "
            f"on validation images, with gain {best['gain']:g}, gamma {best['gamma']:g}, leak {best['leak']:g}"
        )
    wide = table.pivot_table(index=["leak", "gamma", "gain"], columns="network", values="trains", aggfunc="mean").dropna()
    for name in dict.fromkeys(table["network"]):
        others = [other for other in wide if other != name]
        if others:
            alone = int(((wide[name] > 0.5) & (wide[others] <= 0.5).all(axis=1)).sum())
            found.append(f"{name} alone trains at {alone} of the {len(wide)} points that are recorded for every network")
    return found
