"""The cost of one threshold for all unrolling steps, by run, against the spread of the thresholds (section 2.1.1).

A shared threshold is the largest of those of the steps, v_max. A step whose own threshold would be v_k then passes only
v_k / v_max of the spikes, and the next step reads the result, so the last step has

.. code-block:: text

    slowing = prod_k  v_max / v_k

times fewer spikes than with thresholds of its own. Fewer spikes carry the same information later, so the cost is time steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from panda2020 import families, statistics
from panda2020.exhibits.numbers import interval, number
from panda2020.exhibits.style import PALETTE
from panda2020.records import Place, share
from panda2020.runs import Record
from panda2020.samples import hits_of
from panda2020.statistics import Interval

from .tables import CONVERTED, grouped, read_out, series_at, settled_steps, sites_of, times

SHARED = "converted-shared"

ROLES = (CONVERTED, SHARED)

_COLOURS = (PALETTE["orange"], PALETTE["green"], PALETTE["blue"], PALETTE["purple"])

_MARKERS = ("o", "s", "^", "D")


def sharing_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per network and seed that was converted both ways from the same weights.

    "slowing" is the product above, over all BackRes layers. "fewer spikes" is the measured ratio: the rate of the last pass
    with thresholds per step over that with a shared one, at the largest T; empty if the latter is silent. "cost at
    T = ..." is accuracy with thresholds per step minus that with a shared one, in points, at the settled T of the former
    (all seeds) and at the largest.
    """
    groups = grouped(records)
    rows = []
    for (name, reading, role, _), plain in groups.items():
        shared = groups.get(Place(name, reading, SHARED, None), {}) if role == CONVERTED else {}
        both = [
            s
            for s in plain
            if s in shared and plain[s].result["weights_sha256"] == shared[s].result["weights_sha256"]
        ]
        if not both:
            continue
        early, late = settled_steps(plain), times({seed: plain[seed] for seed in both})[-1]
        for seed in both:
            own, one = plain[seed], shared[seed]
            passes = [site for site in sites_of(own) if "." in site]
            rows.append({
                "network": name, "reading": reading, "seed": seed,
                "slowing": math.prod(one.result["thresholds"][site] / own.result["thresholds"][site] for site in passes),
                "fewer spikes": _rate(own, late, passes[-1]) / left if (left := _rate(one, late, passes[-1])) else math.nan,
                **{f"cost at T = {T}": 100 * (read_out(own, T)["accuracy"] - read_out(one, T)["accuracy"])
                   for T in dict.fromkeys((early, late))},
                "images": own.result["total"],
            })  # fmt: skip
    return pd.DataFrame(rows)


#: Role of a conversion with one threshold for all passes -> which threshold.
HOW = {
    SHARED: "the largest",
    "converted-shared-first": "the first pass's",
    "converted-shared-mean": "their mean",
}

_LOOKS = {
    "the largest": (PALETTE["purple"], "s", "solid"),
    "the first pass's": (PALETTE["amber"], "^", (0, (5, 2))),
    "their mean": (PALETTE["green"], "o", (0, (1, 1))),
}


def cost_table(records: Sequence[Record]) -> pd.DataFrame:
    """Cost of one threshold for all passes: accuracy with a threshold per pass minus that with one, in points.

    One row per network, shared threshold ("the largest", "the first pass's", "their mean") and T, paired by seed and test image,
    with its total interval (95 %). Networks that no seed has both ways are omitted.
    """
    groups = grouped(records)
    rows = []
    for place, shared in groups.items():
        own = groups.get(place._replace(role=CONVERTED), {})
        both = sorted(shared.keys() & own.keys())
        if place.role not in HOW or not both:
            continue
        common = set(times({s: shared[s] for s in both})) & set(times({s: own[s] for s in both}))
        for T in sorted(common):
            pair = statistics.paired(
                *([hits_of(read_out(runs[s], T)) for s in both] for runs in (own, shared)),
                pool=families.of_pair(series_at(own, T), series_at(shared, T), share),
            )
            found = pair.total * 100
            low, high = found.interval or (math.nan, math.nan)
            rows.append({
                "network": place.network, "reading": place.reading, "threshold": HOW[place.role], "T": T, "cost": found.mean,
                "low": low, "high": high, "seeds": len(both),
            })  # fmt: skip
    return pd.DataFrame(rows)


def draw_costs(table: pd.DataFrame) -> Figure:
    """``cost_table``: points lost by sharing against T, a panel per network, a line per shared threshold, bars of 95 %."""
    names = list(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
    figure = Figure(figsize=(max(4.6, 3.6 * len(names) + 0.4), 3.4), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    drawn = {}
    for axes, (name, reading) in zip(grid, names, strict=True):
        here = table[(table["network"] == name) & (table["reading"] == reading)]
        for i, (how, (colour, marker, dashes)) in enumerate(_LOOKS.items()):
            one = here[here["threshold"] == how]
            if one.empty:
                continue
            bars = (one["cost"] - one["low"], one["high"] - one["cost"])
            shifted = one["T"] * (1 + 0.05 * (i - 1))  # beside each other, so that no bar hides another
            drawn[how] = axes.errorbar(
                shifted, one["cost"], yerr=bars, color=colour, marker=marker, linestyle=dashes, markersize=5,
                capsize=2, elinewidth=1.1, label=how,
            )  # fmt: skip
        axes.axhline(0, color=PALETTE["grey"], linewidth=1)
        axes.set(xscale="log", xlabel="time steps T")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_title(name if reading == "A" else f"{name}, reading {reading}", fontsize=10, loc="left")
    grid[0].set_ylabel("points lost by sharing")
    figure.legend(
        list(drawn.values()), [f"one for all: {how}" for how in drawn], loc="outside lower center",
        ncols=max(1, len(drawn)), fontsize=9,
    )  # fmt: skip
    return figure


def cost_sentences(table: pd.DataFrame) -> list[str]:
    """For each network and shared threshold: where sharing costs most, and the cost at the largest T."""
    said = []
    for (name, _, how), here in table.groupby(["network", "reading", "threshold"], sort=False):
        most, last = here.loc[here["cost"].idxmax()], here.loc[here["T"].idxmax()]
        said.append(
            f"{name}, one threshold for all ({how}): it costs most at T = {most['T']}, {_points(most)}, and {_points(last)} at "
            f"T = {last['T']}."
        )
    return said


def _points(row: pd.Series) -> str:
    return f"{number(row['cost'], '.1f')} points [{interval(Interval(row['low'], row['high']), '.1f')}]"


def _rate(run: Record, steps: int, site: str) -> float:
    return float(read_out(run, steps)["activity"][site]["rate"])


def draw_sharing(table: pd.DataFrame) -> Figure:
    """Cost of a shared threshold against slowing, a dot per run; a panel per T."""
    costs = [column for column in table.columns if column.startswith("cost at ")]
    figure = Figure(figsize=(3.6 * len(costs) + 0.4, 3.4), layout="constrained")
    for axes, cost in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs, strict=True):
        for colour, marker, ((name, reading), runs) in zip(
            cycle(_COLOURS), cycle(_MARKERS), table.groupby(["network", "reading"], sort=False), strict=False
        ):
            axes.scatter(runs["slowing"], runs[cost], color=colour, marker=marker, s=36,
                         label=name if reading == "A" else f"{name} {reading}")  # fmt: skip
        axes.axhline(0, color=PALETTE["grey"], linewidth=1)
        axes.set(
            xscale="log",
            xlabel="slowing",
            ylabel="points lost by sharing",
            title=cost.removeprefix("cost at "),
        )
        axes.set_xticks(ticks := [1, 2, 3, 5, 10], [f"{tick}" for tick in ticks])
        axes.minorticks_off()
    figure.axes[0].legend(fontsize=8)
    return figure


def sharing_sentences(table: pd.DataFrame) -> list[str]:
    """The rank correlation (Spearman) of cost and slowing over the runs at each T, and the run with the largest cost.

    A correlation over fewer than five runs is omitted.
    """
    said = []
    for cost in (column for column in table.columns if column.startswith("cost at ")):
        known = table[table[cost].notna()]
        if known.empty:
            continue
        most = known.loc[known[cost].idxmax()]
        together = ""
        if len(known) >= 5 and known["slowing"].nunique() > 1 and known[cost].nunique() > 1:
            correlation = known["slowing"].corr(known[cost], method="spearman")
            together = f"rank correlation with slowing {correlation:+.2f} over {len(known)} runs; "
        said.append(
            f"At {cost.removeprefix('cost at ')}: {together}the most is lost by {most['network']} seed {most['seed']}, "
            f"{most[cost]:+.1f} points at a slowing of {most['slowing']:.1f}."
        )
    return said
