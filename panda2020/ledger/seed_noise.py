"""How much of a difference lies within the noise of seeds?

Two recorded runs of one recipe differ by their seed alone, and yet in accuracy. A difference that the article states as 1
point says something only if a pair of runs does not differ by as much for no reason. Two tables: the spread of every
recorded series, and, for each statement of the article that gives a size in points, that size beside the spread of the
difference it speaks of.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from panda2020.claims.claims import Claim
from panda2020.claims.evidence import Evidence
from panda2020.claims.verdicts import QuantityVerdict
from panda2020.exhibits.numbers import between
from panda2020.exhibits.style import PALETTE
from panda2020.planning import seed_of
from panda2020.samples import Sample, entry_reading, run_name, samples
from panda2020.statistics import image_error, mean_over_seeds

from . import words
from .ledger import Judgement, Ledger, evidence

#: Sizes above this many percent in a sentence are accuracies, and the article's differences are all below it.
LARGEST = 20.0

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(?:\s*-\s*(\d+(?:\.\d+)?))?\s?%")

#: Where a sentence gives more than one size, the one of the quantity that is judged: what the gap has shrunk to.
_STATED = {"hybrid-stdp-gap": (3.0, 3.0)}

#: Where a claim has several quantities in points and the sentence sizes one: what its name holds.
_OF = {"agd-vgg3x4-beats-ann": "ANN VGG3x4"}

_LEFT_OUT = ("gradients",)


def stated(claim: Claim) -> tuple[float, float] | None:
    """The size of a difference in points that a sentence states, smallest and largest: "~3 - 4%" -> (3, 4).

    Two accuracies ("75%", "69.52%") state their difference; None where a sentence has no per cent, or a single accuracy.
    """
    if claim.id in _STATED:
        return _STATED[claim.id]
    found = [(float(a), float(b or a)) for a, b in _SIZE.findall(claim.quote)]
    small = [pair for pair in found if pair[1] <= LARGEST]
    if small:
        return min(low for low, _ in small), max(high for _, high in small)
    if len(found) == 2:
        size = abs(found[0][0] - found[1][0])
        return size, size
    return None


def spread_table(
    profile_name: str, *, results: str | Path | None = None, found: Evidence | None = None
) -> pd.DataFrame:
    """Every recorded series: accuracies over seeds, in percent; their standard deviation and range need two seeds.

    "pair": the standard deviation of the difference between two runs that differ in nothing but the seed, sqrt(2) sd. "test
    images": the standard error of such a difference from having only these test images, paired by image, mean over pairs of
    seeds. A conversion counts at its largest T. Short runs that only chose recipes are left out. May be empty.
    """
    found = evidence(profile_name, results=results) if found is None else found
    series: dict[tuple, dict[int, Sample]] = {}
    for run in found.runs:
        if run.record is None or run.entry.role in _LEFT_OUT or "accuracy" not in run.record.result:
            continue
        last = list(samples(run.record, "fc/learned" if run.record["task"] == "stdp" else "").values())[-1]
        place = (run.entry.network, run.entry.role, entry_reading(run.entry) or "A", last.steps)
        series.setdefault(place, {})[seed_of(run.entry)] = last
    rows = []
    for (network, role, reading, steps), seeds in series.items():
        values = [100 * sample.accuracy for sample in seeds.values()]
        pairs = [image_error(a.hits.astype(float) - b.hits) for a, b in combinations(seeds.values(), 2)]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
        rows.append(
            {
                "series": run_name(network, role, steps) + ("" if reading == "A" else f", reading {reading}"),
                "seeds": len(values),
                "accuracy": float(np.mean(values)) / 100,
                "sd": deviation,
                "range": max(values) - min(values) if len(values) > 1 else None,
                "pair": None if deviation is None else math.sqrt(2) * deviation,
                "test images": 100 * float(np.mean(pairs)) if pairs else None,
            }
        )
    columns = ["series", "seeds", "accuracy", "sd", "range", "pair", "test images"]
    numbers = {"sd": float, "range": float, "pair": float, "accuracy": float, "test images": float}
    return pd.DataFrame(rows, columns=columns).astype(numbers)


def difference_table(one: Ledger) -> pd.DataFrame:
    """For every statement that gives a size in points and whose difference was measured: that size, and what noise does.

    over seeds: half the width of the 95 % interval of our difference, none with one seed; over test images: the same from those.
    "resolved": whether the smaller size that the article states exceeds both together, added as squares. May be empty.
    """
    rows = []
    for claim, size, j in _measured(one):
        over_seeds = mean_over_seeds(j.quantity.values).interval
        half = None if over_seeds is None else over_seeds.half
        images = None if j.quantity.images is None else j.quantity.images.half
        noise = math.hypot(*(value for value in (half, images) if value is not None))
        rows.append(
            {
                "claim": claim.id,
                "quantity": j.quantity.what,
                "stated": between(*size, "g"),
                "ours": float(np.mean(j.quantity.values)),
                "seeds": len(j.quantity.values),
                "± over seeds": half,
                "± over test images": images,
                "resolved": "–" if half is None else "yes" if size[0] > noise else "no",
            }
        )
    columns = [
        "claim",
        "quantity",
        "stated",
        "ours",
        "seeds",
        "± over seeds",
        "± over test images",
        "resolved",
    ]
    return pd.DataFrame(rows, columns=columns).astype(
        {"ours": float, "± over seeds": float, "± over test images": float}
    )


def draw_differences(one: Ledger) -> Figure:
    """The paired differences of ``difference_table``, a dot per seed, on a band as wide as the size that is stated, either way.

    Raises ``ValueError`` where nothing was measured.
    """
    measured = _measured(one)
    if not measured:
        raise ValueError("ledger must hold a measured difference in points, got none")
    names = [textwrap.fill(words.plain(j.quantity.what), 44) for _, _, j in measured]
    figure = Figure(figsize=(7.6, 0.7 + 0.25 * len(names)), layout="constrained")
    axes = figure.subplots()
    for row, (_, size, j) in enumerate(measured):
        for side in (-1, 1):
            axes.barh(row, side * size[1], height=0.72, color="#dddddd", zorder=1)
            axes.plot(
                [side * size[0]] * 2, [row - 0.36, row + 0.36], color=PALETTE["grey"], linewidth=1.2, zorder=2
            )
        axes.plot(
            j.quantity.values,
            [row] * len(j.quantity.values),
            "o",
            color=PALETTE["orange"],
            markersize=4.5,
            zorder=3,
        )
    axes.axvline(0, color=PALETTE["black"], linewidth=0.8)
    axes.set_yticks(range(len(measured)), names, fontsize=7.5, linespacing=0.95)
    axes.set_ylim(len(measured) - 0.4, -0.6)
    axes.set_xlabel("difference in accuracy, points")
    axes.grid(visible=False, axis="y")
    return figure


def pair_noise(spread: pd.DataFrame, series: str) -> float | None:
    """The deviation of a difference between two runs of one ``spread_table`` series, in points; None where it is not known."""
    found = spread.loc[(spread["series"] == series) & spread["pair"].notna(), "pair"]
    return float(found.iloc[0]) if len(found) else None


def finding(spread: pd.DataFrame, differences: pd.DataFrame) -> Sequence[str]:
    """What both tables say, in sentences."""
    several = spread.dropna(subset=["sd"])
    said = []
    if several.empty:
        said.append(
            f"{len(spread)} series are recorded, none with more than one seed, so the noise of seeds is not known at this scale."
        )
    else:
        said.append(
            f"Of {len(spread)} recorded series {len(several)} have more than one seed. Two runs of one recipe differ by "
            f"{several['pair'].median():.1f} points (standard deviation, median over these series), from "
            f"{between(several['pair'].min(), several['pair'].max(), '.1f')}; other test images would change such a "
            f"difference by {several['test images'].median():.1f} more."
        )
    decided = differences[differences["resolved"] != "–"]
    said.append(
        f"{len(differences)} differences whose size the article states are measured; {len(decided)} of them over more than one "
        f"seed, and in {(decided['resolved'] == 'yes').sum()} of these the stated size exceeds our noise."
    )
    return said


def _measured(one: Ledger) -> list[tuple[Claim, tuple[float, float], QuantityVerdict]]:
    return [
        (judgement.claim, size, j)
        for judgement in one.judgements.values()
        if (size := stated(judgement.claim)) is not None
        for j in judgement.conclusion.parts
        if j.quantity.unit == "points"
        and j.quantity.values
        and not j.quantity.computed
        and _sized(judgement, j)
    ]


def _sized(judgement: Judgement, j: QuantityVerdict) -> bool:
    """Whether it is this quantity whose size the sentence gives: not one that only shows a direction or is an estimator's own."""
    return not j.quantity.beside and _OF.get(judgement.claim.id, "") in j.quantity.what
