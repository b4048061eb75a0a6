"""Tables 14 and 16, hybrids of ReLU and LIF layers: how many layers may spike, and the largest efficiency they can reach.

Accuracies, differences and energies come from ``agd.tables.table8``; roles and sentences are this chapter's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from panda2020 import variants
from panda2020.agd import tables as agd_tables
from panda2020.agd.figures import passes_of
from panda2020.claims import claims as claims_claims
from panda2020.energy.tables import NJ, silent_bounds
from panda2020.networks import PaperNetwork, network, readings
from panda2020.records import accuracy_columns, by_place, difference_columns, mean_efficiency, reading_of
from panda2020.runs import Record
from panda2020.samples import sample_of, uniform_activity
from snncore.activity import SiteActivity
from snncore.energy import INT32, PRICES, Prices, macs, report
from snncore.topology import Pass, as_ann, parameter_count, plan

from .grid import SPIKING_LAYERS

#: Role of a run -> name of its row, in the order of a table's rows.
NAMES: Mapping[str, str] = {
    "ann": "ANN",
    "ann-bn": "ANN, batch norm, dropout",
    "hybrid-stochmax": "hybrid, stochmax",
    "hybrid-softmax": "hybrid, softmax",
    "hybrid-rate": "hybrid, stochmax, rate-coded X[t]",
    "ann-usual-rate": "ANN, usual learning rate",
    "hybrid-usual-rate": "hybrid, stochmax, usual learning rate",
    "hybrid": "hybrid, 2 LIF convolutions",
    **{f"hybrid-lif{count}": f"hybrid, {count} LIF convolutions" for count in SPIKING_LAYERS},
    "hybrid-backres": "hybrid, BackRes in the LIF layers",
    "ann-tuned-rate": "ANN, VGG9's learning rate",
    "hybrid-tuned-rate": "hybrid, 2 LIF convolutions, VGG9's learning rate",
    "hybrid-low-gain": "hybrid, 2 LIF convolutions, smaller gain",
}

SAYS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("VGG9", "hybrid-stochmax"): ("hybrid-trains-deep", "hybrid-beats-ann", "hybrid-acc", "hybrid-ee"),
    ("VGG9", "ann-bn"): ("hybrid-acc",),
    ("VGG9", "hybrid-rate"): ("hybrid-real-input",),
    ("VGG8x2", "hybrid-stochmax"): ("hybrid-backres-ee",),
    ("VGG13", "hybrid"): ("imagenet-hybrid-iso", "imagenet-hybrid-ee"),
    **{("VGG13", f"hybrid-lif{count}"): ("hybrid-more-lif-hurts",) for count in SPIKING_LAYERS},
    ("VGG13", "hybrid-backres"): ("hybrid-vgg13-backres",),
}

#: Views of ``hybrid_table``.
ACCURACY = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "95 % interval",
    "over",
    "seeds",
    "parameters",
    "paper says",
    "origin",
)

DIFFERENCE = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "ANN accuracy",
    "minus ANN",
    "minus ANN, 95 %",
    "minus ANN over",
    "pairs",
    "only this right",
    "only ANN right",
    "McNemar p",
)

ENERGY = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "EE paper",
    "at most",
    "EE physical",
    "at most physical",
    "EE full",
)


def hybrid_table(records: Sequence[Record]) -> pd.DataFrame:
    """Table 14 or 16: one row per network, reading, role and T (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``).

    "minus ANN" compares with the plain ANN of the network, without batch normalisation and dropout. "at most" is the EE of the
    same network with silent spiking layers.

    Raises:
        ValueError: a role that is not in ``NAMES``, or any error of ``agd.tables.table8``.
    """
    for record in records:
        if record.labels["role"] not in NAMES:
            raise ValueError(
                f"role of a record must be one of {', '.join(NAMES)}, got {record.labels['role']!r}"
            )
    table = agd_tables.table8(records)
    if table.empty:
        return table
    upper = {role.upper(): role for role in NAMES}
    roles = [upper[role] for role in table["role"]]
    first = {(r.labels["network"], reading_of(r.labels["note"]), r.labels["role"]): r for r in records}
    bounds = []
    for name, reading, role in zip(table["network"], table["reading"], roles, strict=True):
        passes = passes_of(first[name, reading, role].spec)
        spiking = any(p.neuron in ("lif", "if") for p in passes)
        bounds.append([silent_efficiency(passes, c) if spiking else None for c in ("paper", "physical")])
    table["role"] = [NAMES[role] for role in roles]
    table["at most"], table["at most physical"] = (
        pd.Series(column, dtype=object) for column in zip(*bounds, strict=True)
    )
    table["paper says"] = [
        "; ".join(map(claims_claims.sentence, SAYS.get((name, role), ()))) or claims_claims.NOT_GIVEN
        for name, role in zip(table["network"], roles, strict=True)
    ]
    order = {name: i for i, name in enumerate(NAMES.values())}
    nets = {
        name: i for i, name in enumerate(dict.fromkeys(zip(table["network"], table["reading"], strict=True)))
    }
    rank = [
        (nets[name, reading], order[role], steps or 0)
        for name, reading, role, steps in zip(
            table["network"], table["reading"], table["role"], table["T"], strict=True
        )
    ]
    table = table.iloc[sorted(range(len(rank)), key=rank.__getitem__)]
    return table.rename(columns={"only SNN right": "only this right"}).reset_index(drop=True)


def silent_efficiency(passes: Sequence[Pass], convention: str) -> float:
    """EE of the network if none of its spiking layers ever fired: its largest possible EE."""
    return report(passes, uniform_activity(passes, 0.0), 1, convention=convention).efficiency


def input_table(records: Sequence[Record]) -> pd.DataFrame:
    """Real-valued X against rate-coded X[t] as input of the same spiking block, at the same seeds; one row per network and T.

    "X minus X[t]" is in points, paired by test image, with both intervals. Energies are nJ per image at int32 prices, mean
    over seeds; the ratios are of energies, X over X[t]. Networks without a pair are omitted.
    """
    places = by_place(r for r in records if r.labels["role"] in ("hybrid-stochmax", "hybrid-rate"))
    rows = []
    for place, real in places.items():
        coded = places.get(place._replace(role="hybrid-rate"), {})
        both = sorted(real.keys() & coded.keys())
        if place.role != "hybrid-stochmax" or not both:
            continue
        found = difference_columns(real, coded)
        kinds = {"X": [real[seed] for seed in both], "X[t]": [coded[seed] for seed in both]}
        row: dict[str, Any] = {"network": place.network, "T": place.steps}
        for kind, runs in kinds.items():
            row[f"accuracy {kind}"] = float(np.mean([run.result["accuracy"] for run in runs]))
        row |= {
            "X minus X[t]": found["difference"],
            "95 % interval": found["difference, 95 %"],
            "over": found["difference over"],
            "pairs": len(both),
        }
        for convention in ("paper", "physical"):
            pj = {
                kind: [sample_of(run).report(convention).snn for run in runs] for kind, runs in kinds.items()
            }
            row |= {f"nJ {kind}, {convention}": float(np.mean(values)) * NJ for kind, values in pj.items()}
            row[f"ratio {convention}"] = float(np.mean(np.divide(pj["X"], pj["X[t]"])))
        rows.append(row)
    return pd.DataFrame(rows)


def sweep_table(records: Sequence[Record]) -> pd.DataFrame:
    """Hybrids by their number of ReLU and of spiking convolutions, mean over seeds; fewest spiking ones last.

    "last / first rate": spikes per neuron and step of the last spiking layer relative to the first. Runs without spikes, and
    those with BackRes blocks, are omitted.
    """
    groups: dict[tuple[str, int, int, int], list[Record]] = {}
    for record in records:
        if record.result.get("steps") is None or "[" in record.spec.topology:
            continue
        conv = [p for p in passes_of(record.spec) if p.kind == "conv"]
        spiking = sum(p.neuron in ("lif", "if") for p in conv)
        place = (record.labels["network"], record.result["steps"], len(conv) - spiking, spiking)
        groups.setdefault(place, []).append(record)
    rows = []
    for (name, steps, relu, spiking), runs in sorted(groups.items(), key=lambda item: item[0][:3]):
        rates = [list(sample_of(run).rates.values()) for run in runs]
        fall = [values[-1] / values[0] for values in rates if values[0] > 0]
        rows.append(
            {
                "network": name,
                "ReLU convolutions": relu,
                "LIF convolutions": spiking,
                "T": steps,
                **accuracy_columns(runs),
                "EE paper": mean_efficiency(runs, "paper"),
                "EE physical": mean_efficiency(runs, "physical"),
                "last / first rate": float(np.mean(fall)) if len(fall) == len(rates) else None,
            }
        )
    return pd.DataFrame(rows)


def vgg13_family() -> dict[str, PaperNetwork]:
    """VGG13 at 224 pixels and 1000 classes as Table 16's variants: readings, more LIF layers, BackRes in them."""
    net = network("VGG13")
    found = {f"2 LIF, reading {reading}": network("VGG13", reading) for reading in readings("VGG13")}
    found |= {
        f"{count} LIF": replace(net, topology=variants.spiking_middle(net.topology, count))
        for count in SPIKING_LAYERS
    }
    for repeats in (2, 4):
        name = f"2 LIF, the second computed {repeats} times"
        found[name] = replace(net, topology=variants.unrolled_middle(net.topology, repeats))
    return found


def full_size_table(
    nets: Mapping[str, PaperNetwork], *, steps: int, target: float = 1.3, prices: Prices = INT32
) -> pd.DataFrame:
    """Consequences of a network's shape at its own input size, without any run or data.

    - EE at most: EE with silent spiking layers, for any T and prices.
    - rate for ``target``: the largest number of spikes per neuron and step, the same in every spiking layer, at which EE is
      still ``target`` under convention paper; 1 (the largest possible rate) if any rate suffices, and None if none does.
    """
    rows = []
    for name, net in nets.items():
        passes = plan(net.topology, net.input_shape, net.neuron)
        spiking = sum(macs(p) for p in passes if p.neuron in ("lif", "if"))
        whole = sum(map(macs, passes))
        bound = silent_bounds([net]).iloc[0]
        silent, one = (
            report(passes, uniform_activity(passes, rate), steps, prices=prices) for rate in (0.0, 1.0)
        )
        rate = (silent.ann / target - silent.snn) / (one.snn - silent.snn)  # energy is linear in the rate
        rows.append(
            {
                "network": name,
                "parameters": parameter_count(net.topology, net.input_shape),
                "MACs": whole,
                "in LIF layers": spiking / whole,
                "EE at most": float(bound["paper at most"]),
                "EE at most, physical": float(bound["physical at most"]),
                f"rate for EE {target:g}": min(rate, 1.0) if rate >= 0 else None,
                "ANN (mJ)": silent.ann * 1e-9,
                "silent (mJ)": silent.snn * 1e-9,
            }
        )
    return pd.DataFrame(rows)


def at_full_size(records: Iterable[Record]) -> pd.DataFrame:
    """EE of VGG13 at 224 pixels and 1000 classes with the rates measured in small runs; one row per run.

    The rates are those of a narrow network on few small images, so this is an extrapolation and is labelled so. ANNs are
    omitted.
    """
    rows = []
    for record in records:
        if record.result.get("steps") is None:
            continue
        net = network(record.labels["network"], reading_of(record.labels["note"]))
        text = _widened(record.spec.topology, net)
        passes = plan(text, net.input_shape, net.neuron)
        sites = {site: SiteActivity.from_dict(found) for site, found in record.result["activity"].items()}
        row = {
            "role": NAMES.get(record.labels["role"], record.labels["role"]),
            "reading": net.reading,
            "seed": record.spec.seed,
            "T": record.result["steps"],
            "accuracy": record.result["accuracy"],
        }
        for prices in PRICES.values():
            found = report(passes, sites, record.result["steps"], prices=prices)
            row[f"EE at 224 pixels, {prices.name}"] = found.efficiency
        row["EE as run, int32"] = mean_efficiency([record], "paper")
        rows.append(row)
    return pd.DataFrame(rows)


def _widened(topology: str, net: PaperNetwork) -> str:
    """A run's topology at the network's full width: its layers in the run's pattern of neurons, blocks and ``M``."""
    sizes = iter(re.findall(r"\d+C\d+|F\d+", as_ann(net.topology)))
    return re.sub(r"\d+C\d+|F\d+", lambda _: next(sizes), topology)
