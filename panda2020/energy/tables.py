"""Energy of a measured network under every convention: the tables and curves of the energy chapter.

``snncore.energy`` computes everything from two records, a spiking network and its ANN. Energies are
shown in nanojoule (nJ) per image, efficiencies with their T and accuracy, without which they mean little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from panda2020.exhibits.cells import Beside
from panda2020.exhibits.style import PALETTE
from panda2020.networks import PaperNetwork
from panda2020.runs import Record
from panda2020.samples import sample_of, uniform_activity
from panda2020.statistics import estimate
from panda2020.tasks import train
from snncore.activity import SiteActivity
from snncore.energy import (
    CONVENTIONS,
    FLOAT32,
    INT32,
    MEMORIES,
    PRICES,
    EnergyReport,
    Memory,
    Prices,
    dense_count,
    report,
)
from snncore.topology import Pass, plan

NJ = 1e-3  # nJ per pJ

_COLOURS = dict(zip(CONVENTIONS, (PALETTE["orange"], PALETTE["blue"], PALETTE["green"]), strict=True))


@dataclass(frozen=True)
class Measured:
    """Measurements of a spiking network and its ANN on the test images.

    Attributes:
        activity: of the spiking network, by site.
        ann_activity: of the ANN, by site.
        steps: T.
        accuracy: share of the test images that the spiking network classifies correctly.
        ann_accuracy: the same of the ANN.
        events: border-exact accumulates per step, by site.
    """

    plan: tuple[Pass, ...]
    activity: Mapping[str, SiteActivity]
    ann_activity: Mapping[str, SiteActivity]
    steps: int
    accuracy: float
    ann_accuracy: float
    events: Mapping[str, float]

    def report(
        self,
        convention: str,
        prices: Prices = INT32,
        *,
        steps: int | None = None,
        memory: Memory | None = None,
    ) -> EnergyReport:
        """Energy under one convention. ``steps`` replaces the measured T and keeps the measured rates."""
        return report(
            self.plan,
            self.activity,
            self.steps if steps is None else steps,
            prices=prices,
            convention=convention,
            ann_activity=self.ann_activity,
            memory=memory,
        )


def measured(snn: Record, ann: Record) -> Measured:
    """Combine two records of task "train".

    Raises:
        ValueError: records other than those of a spiking network and its ANN.
    """
    if snn.labels["network"] != ann.labels["network"] or "steps" not in snn.result or "steps" in ann.result:
        raise ValueError(
            "snn and ann must be records of a spiking network and of its ANN, got "
            f"{snn.labels['network']} {snn.labels['role']} and {ann.labels['network']} {ann.labels['role']}"
        )
    spec = snn.spec
    channels, size = train._shape(spec.data)
    static = spec.input.code in ("real", "poisson-mean", "direct")
    passes = plan(spec.topology, (channels, size, size), spec.network.neuron, static_input=static)
    return Measured(
        plan=passes,
        activity=_activity(snn),
        ann_activity=_activity(ann),
        steps=snn.result["steps"],
        accuracy=snn.result["accuracy"],
        ann_accuracy=ann.result["accuracy"],
        events=snn.result["events"],
    )


def _activity(record: Record) -> dict[str, SiteActivity]:
    return {site: SiteActivity.from_dict(values) for site, values in record.result["activity"].items()}


def convention_table(m: Measured) -> pd.DataFrame:
    """EE of one network under every convention and price list.

    "EE spiking" is that of the LIF and IF layers alone; "EE skipping" compares with an ANN that skips zeros.
    """
    rows = []
    for prices in PRICES.values():
        for convention in CONVENTIONS:
            found = m.report(convention, prices)
            rows.append(
                {
                    "convention": convention,
                    "prices": prices.name,
                    "ANN (nJ)": found.ann * NJ,
                    "SNN (nJ)": found.snn * NJ,
                    "EE": found.efficiency,
                    "EE spiking": found.spiking_efficiency,
                    "EE skipping": found.zero_skipping_efficiency,
                    "T": m.steps,
                    "SNN accuracy": m.accuracy,
                    "ANN accuracy": m.ann_accuracy,
                }
            )
    return pd.DataFrame(rows)


def efficiency_table(spiking: Sequence[Record]) -> pd.DataFrame:
    """EE of one trained network by convention (rows) and price list (columns), each with its interval over seeds.

    Args:
        spiking: its runs at one T, one per seed.

    Raises:
        ValueError: no run.
    """
    if not spiking:
        raise ValueError("spiking must hold at least one run, got none")
    rows = []
    for convention in CONVENTIONS:
        row: dict[str, object] = {"convention": convention}
        for name, prices in PRICES.items():
            values = [sample_of(run).report(convention, name).efficiency for run in spiking]
            row[f"EE, {prices.name}"] = Beside(estimate(values, ratio=True))
        rows.append(row)
    return pd.DataFrame(rows)


def draw_efficiencies(table: pd.DataFrame) -> Figure:
    """``efficiency_table``: a mark with its interval per convention and price list, on a logarithmic axis with 1 marked."""
    columns = [c for c in table.columns if c != "convention"]
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for i, (column, marker) in enumerate(zip(columns, ("o", "s"), strict=True)):
        for k, one in enumerate(table[column]):
            mean, found = one.ours.mean, one.ours.interval
            colour, height = _COLOURS[table["convention"][k]], k + 0.2 * (2 * i - 1)
            if found is not None:
                axes.plot([max(found.low, 1e-3), found.high], [height, height], color=colour, linewidth=2)
            axes.plot(mean, height, marker, color=colour, mfc="white" if i else colour, markersize=8)
            axes.text(mean, height - 0.13, column.removeprefix("EE, "), fontsize=8, ha="center", va="bottom")
    axes.axvline(1, color=PALETTE["grey"], linewidth=1.2)
    axes.set(xscale="log", xlabel="EE (1: as much energy as the ANN)", ylim=(len(table) - 0.4, -0.75))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(table)), table["convention"])
    axes.grid(axis="y", visible=False)
    return figure


def layer_table(found: EnergyReport) -> pd.DataFrame:
    """One report pass by pass: MACs (Eq. 8), the operations charged to the SNN, and both energies."""
    return pd.DataFrame(
        {
            "pass": [row.site for row in found.rows],
            "neuron": [row.neuron for row in found.rows],
            "MACs": [row.macs for row in found.rows],
            "charged": [round(row.operations) for row in found.rows],
            "unit": [row.unit for row in found.rows],
            "updates (nJ)": [row.update_pj * NJ for row in found.rows],
            "SNN (nJ)": [row.snn_pj * NJ for row in found.rows],
            "ANN (nJ)": [row.ann_pj * NJ for row in found.rows],
            "ANN skipping zeros (nJ)": [
                None if row.skipping_pj is None else row.skipping_pj * NJ for row in found.rows
            ],
        }
    )


def event_table(m: Measured) -> pd.DataFrame:
    """Accumulates per image and step: the dense count, in which every spike reaches k^2 M neurons, and the exact count."""
    read = [p for p in m.plan if not p.static and not p.once]
    table = pd.DataFrame(
        {
            "pass": [p.site for p in read],
            "maps": ["×".join(map(str, p.in_shape)) for p in read],
            "dense count": [dense_count(p, m.activity) for p in read],
            "border-exact": [m.events[p.site] for p in read],
        }
    )
    table["exact / dense"] = table["border-exact"] / table["dense count"]
    return table


def memory_table(m: Measured, *, prices: Prices = INT32) -> pd.DataFrame:
    """EE with memory accesses, for three interpretations of section 7, under convention ``full``.

    - "proportional": memory multiplies both energies by one factor.
    - "same energy": it adds the same energy to both, 1 or 10 times the ANN's arithmetic.
    - "counted": every access of either side is charged (``energy.Memory``).
    """
    plain = m.report("full", prices)
    cases = [("no memory", plain.ann, plain.snn), ("proportional: 11 × both", 11 * plain.ann, 11 * plain.snn)]
    for times in (1, 10):
        same = times * plain.ann
        cases.append((f"same energy: {times} × ANN on both", plain.ann + same, plain.snn + same))
    for memory in MEMORIES.values():
        found = m.report("full", prices, memory=memory)
        cases.append((f"counted: {memory.name}", found.ann, found.snn))
    table = pd.DataFrame(cases, columns=["memory", "ANN (nJ)", "SNN (nJ)"])
    table[["ANN (nJ)", "SNN (nJ)"]] *= NJ
    table["EE"] = table["ANN (nJ)"] / table["SNN (nJ)"]
    table["EE / EE without"] = table["EE"] / table["EE"].iloc[0]
    return table.assign(T=m.steps, accuracy=m.accuracy)


def efficiency_over_time(m: Measured, steps: Sequence[int], *, prices: Prices = INT32) -> pd.DataFrame:
    """EE at other T with the measured rates: T as index, a column per convention."""
    rows = {t: [m.report(c, prices, steps=t).efficiency for c in CONVENTIONS] for t in steps}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(CONVENTIONS)).rename_axis("T")


def draw_over_time(table: pd.DataFrame, *, at: int) -> Figure:
    """``efficiency_over_time`` on double-logarithmic axes; the measured T is marked."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for convention in table.columns:
        axes.plot(table.index, table[convention], label=convention, color=_COLOURS[convention])
    axes.axhline(1, color=PALETTE["grey"], linewidth=1)
    axes.axvline(at, color=PALETTE["grey"], linewidth=1, linestyle=":")
    axes.text(at, axes.get_ylim()[1], f" measured: T = {at}", fontsize=9, va="top", color=PALETTE["grey"])
    axes.set(xscale="log", yscale="log", xlabel="time steps T, at the measured rates", ylabel="EE")
    axes.legend(title="convention")
    return figure


def draw_same_memory(m: Measured, *, prices: Prices = INT32) -> Figure:
    """EE if the same memory energy is added to both networks, over that energy."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    share = np.logspace(-3, 3, 121)
    for convention in CONVENTIONS:
        found = m.report(convention, prices)
        same = share * found.ann
        axes.plot(
            share, (found.ann + same) / (found.snn + same), label=convention, color=_COLOURS[convention]
        )
    axes.axhline(1, color=PALETTE["grey"], linewidth=1)
    axes.set(xscale="log", yscale="log", ylabel=f"EE at T = {m.steps}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_xlabel("memory energy on each side / arithmetic energy of the ANN")
    axes.legend(title="convention")
    return figure


def efficiency_bounds(passes: Sequence[Pass], steps: int) -> tuple[float, float]:
    """EE under ``paper`` if every spiking layer fires at each of T = ``steps`` steps, and if none ever fires."""
    found = []
    for rate in (1.0, 0.0):
        activity = uniform_activity(passes, rate)
        found.append(report(passes, activity, steps, convention="paper").efficiency)
    return found[0], found[1]


def silent_bounds(networks: Sequence[PaperNetwork]) -> pd.DataFrame:
    """The largest EE of each network under ``paper`` and ``physical``: with silent spiking layers.

    The remaining cost is that of the MAC passes, for any T. Prices cancel, because both sides pay only MACs.
    """
    rows = []
    for net in networks:
        passes = plan(net.topology, net.input_shape, net.neuron)
        silent = uniform_activity(passes, 0.0)
        bounds = {
            f"{c} at most": report(passes, silent, 1, convention=c).efficiency for c in ("paper", "physical")
        }
        spiking = [p.site for p in passes if p.neuron in ("lif", "if")]
        rows.append(
            {
                "network": net.name,
                "reading": net.reading,
                "spiking": f"{spiking[0]} to {spiking[-1]}",
                **bounds,
            }
        )
    return pd.DataFrame(rows)


def price_table() -> pd.DataFrame:
    """Energy of a 32-bit MAC and AC in pJ at 45 nm, as integers (as in the paper) or floats (Table 1)."""
    rows = {
        "add = AC": [INT32.ac, FLOAT32.ac],
        "multiply": [INT32.multiply, FLOAT32.multiply],
        "MAC = multiply + add": [INT32.mac, FLOAT32.mac],
        "MAC / AC": [INT32.mac / INT32.ac, FLOAT32.mac / FLOAT32.ac],
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["32-bit integer", "32-bit float"]).round(2)
    return table.rename_axis("operation").reset_index()
