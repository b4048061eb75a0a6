"""Tables for the conversion chapters: all runs, networks at their settled T, variants image by image.

The tables in the article's own layout are in ``layout``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from panda2020 import families, statistics
from panda2020.records import Place, by_place, reading_of, series_of, settled_at, share
from panda2020.runs import Record
from panda2020.samples import Sample, Series, hits_of
from panda2020.tasks import train
from snncore.energy import CONVENTIONS, macs
from snncore.topology import as_ann, parameter_count, plan

CONVERTED = "converted"

#: Role of a run -> name of its row, in the order of a table's rows.
NAMES: Mapping[str, str] = {
    CONVERTED: "a threshold per step, maximum",
    "converted-shared": "one threshold for all steps, the largest",
    "converted-shared-first": "one threshold for all steps, the first",
    "converted-shared-mean": "one threshold for all steps, their mean",
    "converted-relu-2": "first two layers stay ReLU",
    "converted-percentile": "99.9th percentile, not maximum",
    "converted-stochmax": "stochmax classifier",
}

RISES, FALLS = "rises at every step", "falls at every step"

NJ = 1e-3  # nJ per pJ

Runs = Mapping[int, Record]  # by seed


def grouped(records: Iterable[Record]) -> dict[Place, dict[int, Record]]:
    """Conversions by place (without a T of their own), then by seed.

    Raises:
        ValueError: as ``by_place``.
    """
    return by_place(records, roles=tuple(NAMES))


def series_at(runs: Runs, steps: int | None) -> Series:
    """The converted networks after ``steps`` steps as a series with its family; for None, their ANNs on the same images."""
    return series_of(runs, steps, "" if steps else "ann")


def times(runs: Runs) -> list[int]:
    """Every T at which all of the runs were read out, in rising order."""
    return sorted(set.intersection(*({int(steps) for steps in run.result["snn"]} for run in runs.values())))


def accuracy(runs: Runs, steps: int | None) -> float:
    """Mean accuracy over seeds after ``steps`` time steps; None for the ANN."""
    return float(np.mean([read_out(run, steps)["accuracy"] for run in runs.values()]))


def settled_steps(runs: Runs) -> int:
    """The T at which EE is read (``records.settled_at``)."""
    accuracies: dict[int, dict[int, float]] = {}
    for seed, run in runs.items():
        for steps, found in run.result["snn"].items():
            accuracies.setdefault(int(steps), {})[seed] = found["accuracy"]
    return settled_at(accuracies)


def operating_table(
    records: Sequence[Record], *, plain: str = "VGG7-conv", at: int | None = None
) -> pd.DataFrame:
    """The numbers of Figure 7 with the T and accuracy they belong to: one row per network, mean over seeds.

    T is the settled one (``settled``), or ``at``. "SNN" is the accuracy at T, "at the largest T" that of the longest
    simulation. Energies are nJ per image, int32 prices, convention paper. "EE over ``plain``" and "energy of ``plain`` over
    its own" compare with that network at its own T, over the seeds that both have; None if it is not among the records, or
    not read out at ``at``.
    """
    groups = grouped(records)
    chosen = {
        kind: at if at is not None else settled_steps(runs)
        for kind, runs in groups.items()
        if at is None or at in times(runs)
    }
    base = next((kind for kind in chosen if kind[0] == plain and kind[2] == CONVERTED), None)
    rows = []
    for kind, steps in chosen.items():
        name, reading, role, _ = kind
        runs = groups[kind]
        own = {c: _mean(runs, steps, c, "efficiency") for c in CONVENTIONS}
        energy = _mean(runs, steps, "paper", "snn")
        plains = {} if base is None else groups[base]
        both = [seed for seed in runs if seed in plains]
        one, two = ({seed: group[seed] for seed in both} for group in (runs, plains))
        rows.append(
            {
                "network": name,
                "reading": reading,
                "conversion": NAMES[role],
                "T": steps,
                "SNN": accuracy(runs, steps),
                "largest T": times(runs)[-1],
                "at the largest T": accuracy(runs, times(runs)[-1]),
                "ANN": accuracy(runs, None),
                **{f"EE {c}": value for c, value in own.items()},
                f"EE over {plain}": None
                if base is None or not both
                else _mean(one, steps, "paper", "efficiency")
                / _mean(two, chosen[base], "paper", "efficiency"),
                "SNN (nJ)": energy * NJ,
                "ANN (nJ)": _mean(runs, steps, "paper", "ann") * NJ,
                f"energy of {plain} over its own": None
                if base is None or not both
                else _mean(two, chosen[base], "paper", "snn") / _mean(one, steps, "paper", "snn"),
                "seeds": len(runs),
            }
        )
    return pd.DataFrame(rows)


def efficiency_table(records: Sequence[Record], *, chance: float = 0.1) -> pd.DataFrame:
    """The rows of ``operating_table`` for networks above twice chance at the largest T."""
    table = operating_table(records)
    return table[table["at the largest T"] > 2 * chance].reset_index(drop=True) if len(table) else table


def variant_table(records: Sequence[Record]) -> pd.DataFrame:
    """Each variant against the plain conversion of the same ANN, on the same test images.

    Two rows each, at the T at which the *plain* conversion has settled and at the largest T. "variant minus plain" is in
    points, with its total interval (95 %). "only ... right" counts images, and is None with more than one seed.
    Variants without their plain conversion are omitted.
    """
    groups = grouped(records)
    rows = []
    for (name, reading, role, _), runs in groups.items():
        plain = groups.get(Place(name, reading, CONVERTED, None), {})
        both = sorted(runs.keys() & plain.keys())
        if role == CONVERTED or not both:
            continue
        one, two = ({seed: group[seed] for seed in both} for group in (runs, plain))
        common = [steps for steps in times(one) if steps in times(two)]
        for steps, which in ((settled_steps(two), "settled"), (common[-1], "largest")):
            pair = statistics.paired(
                *([hits_of(read_out(run, steps)) for run in x.values()] for x in (one, two)),
                pool=families.of_pair(series_at(one, steps), series_at(two, steps), share),
            )
            found = pair.total * 100
            rows.append(
                {
                    "network": name,
                    "reading": reading,
                    "variant": NAMES[role],
                    "T": steps,
                    "which T": which,
                    "plain": accuracy(two, steps),
                    "this": accuracy(one, steps),
                    "variant minus plain": found.mean,
                    "95 % interval": found.interval,
                    "over": found.over,
                    "only variant right": pair.only_first,
                    "only plain right": pair.only_second,
                    "McNemar p": pair.p,
                    "EE plain": _mean(two, steps, "paper", "efficiency"),
                    "EE this": _mean(one, steps, "paper", "efficiency"),
                    "pairs": len(both),
                }
            )
    table = pd.DataFrame(rows)
    if rows:
        counts = ("only variant right", "only plain right")
        table[list(counts)] = table[list(counts)].astype(object)
    return table


def hand_over_table(records: Sequence[Record]) -> pd.DataFrame:
    """Where accuracy is lost: accuracy of the ANN that continues from the rates of one layer, by T; one row per layer.

    Depth 0 is the ANN alone, the last row the converted network. If a row is below the one above it in the column of some T,
    the spikes of that layer arrive too late at that T.
    """
    rows = []
    for (name, reading, role, _), runs in grouped(records).items():
        every = times(runs)
        first = next(iter(runs.values()))
        sites = [site for site in sites_of(first) if site in read_out(first, every[-1])["agreement"]]
        start = {"network": name, "reading": reading, "conversion": NAMES[role]}
        rows.append(
            {**start, "depth": 0, "layer": "ANN", **{f"T = {T}": accuracy(runs, None) for T in every}}
        )
        for depth, site in enumerate(sites, start=1):
            mean = {
                f"T = {T}": float(
                    np.mean([read_out(run, T)["agreement"][site]["accuracy"] for run in runs.values()])
                )
                for T in every
            }
            rows.append({**start, "depth": depth, "layer": site, **mean})
    return pd.DataFrame(rows)


def trend(values: Sequence[float]) -> str:
    """Describe a sequence: strictly increasing, strictly decreasing, or its net change and that it is not monotonic."""
    if len(values) < 2:
        raise ValueError(f"values must hold at least two numbers, got {len(values)}")
    if all(a < b for a, b in pairwise(values)):
        return RISES
    if all(a > b for a, b in pairwise(values)):
        return FALLS
    if values[-1] == values[0]:
        return "ends where it began, and turns on the way"
    return f"ends {'higher' if values[-1] > values[0] else 'lower'} than it began, and turns on the way"


def sites_of(run: Record) -> list[str]:
    """Every spiking site in order of computation (records hold them in alphabetical order)."""
    return [p.site for p in Sample(run, None, {}).passes if p.site in run.result["thresholds"]]


def read_out(run: Record, steps: int | None) -> Mapping:  # type: ignore[type-arg]
    return run.result["ann"] if steps is None else run.result["snn"][str(steps)]


def _mean(runs: Runs, steps: int, convention: str, value: str) -> float:
    samples = [Sample(run, steps, read_out(run, steps)) for run in runs.values()]
    return float(np.mean([getattr(one.report(convention), value) for one in samples]))


def accuracy_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run and T: ANN and SNN accuracy on the same images, their paired difference, EE at that T.

    Columns: network, reading, role, seed, T, ANN, SNN, "over test images" (Wilson, 95 %), minus ANN (points), its 95 %
    interval over test images, "only ANN right" and "only SNN right" (images), McNemar p, agreement (share of images that
    both assign to the same class), top-5, EE paper / physical / full (int32 prices), images.
    """
    rows = []
    for record in records:
        for steps, found in read_outs(record):
            pair = statistics.paired([hits_of(found)], [hits_of(record.result["ann"])])
            rows.append(
                {
                    **_labels(record),
                    "T": steps,
                    "ANN": record.result["ann"]["accuracy"],
                    "SNN": found["accuracy"],
                    "over test images": statistics.wilson(found["correct"], found["total"]) * 100,
                    "minus ANN": 100 * pair.difference,
                    "95 % interval": pair.images * 100,
                    "only ANN right": pair.only_second,
                    "only SNN right": pair.only_first,
                    "McNemar p": pair.p,
                    "agreement": found["paired"]["same_class"] / found["total"],
                    "top-5": found["top5"]["correct"] / found["total"],
                    "ANN top-5": record.result["ann"]["top5"]["correct"] / found["total"],
                    **{f"EE {c}": Sample(record, steps, found).report(c).efficiency for c in CONVENTIONS},
                    "images": found["total"],
                }
            )
    return pd.DataFrame(rows)


def threshold_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run and BackRes layer: the balanced threshold of every unrolling step, and whether they rise at every step."""
    rows = []
    for record in records:
        for layer, values in _unrolled(record.result["thresholds"]).items():
            rows.append(
                {
                    **_labels(record),
                    "layer": layer,
                    **{f"step {k}": value for k, value in enumerate(values, start=1)},
                    "only rising": trend(values) == RISES,
                    "calibration": f"{record.spec.conversion.images} images, {record.spec.conversion.steps} steps",
                }
            )
    return pd.DataFrame(rows)


def size_table(records: Sequence[Record], *, baseline: str) -> pd.DataFrame:
    """Parameters and multiply-accumulates as run, and compression: parameters of ``baseline`` divided by the network's own."""
    first = {(r.labels["network"], reading_of(r.labels["note"])): r for r in reversed(records)}
    passes, parameters = {}, {}
    for name, record in reversed(first.items()):
        channels, size = train._shape(record.spec.ann.data)
        topology = as_ann(record.spec.ann.topology), (channels, size, size)
        passes[name], parameters[name] = plan(*topology), parameter_count(*topology)
    base = next((count for (name, _), count in parameters.items() if name == baseline), None)
    return pd.DataFrame(
        [
            {
                "network": name,
                "reading": reading,
                "topology as run": first[name, reading].spec.ann.topology,
                "parameters": count,
                "MACs": sum(map(macs, passes[name, reading])),
                "compression": None if base is None else base / count,
            }
            for (name, reading), count in parameters.items()
        ]
    )


def read_outs(record: Record) -> list[tuple[int, dict[str, Any]]]:
    """(T, results at T), in rising order."""
    return sorted((int(steps), found) for steps, found in record.result["snn"].items())


def _unrolled(values: Mapping[str, float]) -> dict[str, list[float]]:
    """Layer -> its values by unrolling step, for layers with several: "conv2.1", "conv2.2" -> conv2."""
    found: dict[str, dict[int, float]] = {}
    for site, value in values.items():
        layer, dot, step = site.partition(".")
        if dot:
            found.setdefault(layer, {})[int(step)] = value
    return {layer: [by_step[k] for k in sorted(by_step)] for layer, by_step in found.items()}


def _labels(record: Record) -> dict[str, Any]:
    return {
        "network": record.labels["network"],
        "reading": reading_of(record.labels["note"]),
        "role": record.labels["role"],
        "seed": record.spec.ann.seed,
    }
