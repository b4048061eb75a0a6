"""Tables 6 and 12: STDP features under a classifier, beside untrained kernels, raw pixels and the end-to-end ANN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..energy import macs
from ..network import parameter_count, plan
from ..runs import Entry, Record
from ..runs.executing import minutes
from . import statistics
from .exhibits import origin
from .grids_stdp import BASELINES, CLASSIFIERS, stdp_spec
from .profiles import profile

SOURCES = {"learned": "STDP", "random": "random kernels", "pixels": "raw pixels"}
ACCURACY = ("network", "ANN", "STDP", "random kernels", "raw pixels", "over test images", "seeds", "origin")
DIFFERENCE = ("network", "minus ANN", "over ANN", "minus random", "over random", "minus pixels", "over pixels", "pairs")
ENERGY = ("network", "STDP", "parameters", "compression", "conv compression", "EE full", "EE full at most", "EE conv")


def stdp_table(records: Sequence[Record], table: str) -> pd.DataFrame:
    """One row per network of Table "6" or "12" (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``), means over seeds.

    STDP, random kernels, raw pixels: the same classifier on these features. Differences are STDP minus the other, in
    points, paired by seed and test image, with intervals (95 %) over test images. compression: parameters of the plain
    network of equal logical depth over these, whole and convolutions alone. EE under convention paper, int32 prices:
    whole network ("full"), its bound if no neuron ever spiked ("full at most"), and spiking convolutions alone
    ("conv"), which has no bound. Raises ``ValueError`` for another table, more than one profile, or a run given twice.
    """
    if table not in CLASSIFIERS:
        raise ValueError(f"table must be one of {', '.join(CLASSIFIERS)}, got {table!r}")
    profiles = sorted({record.labels["profile"] for record in records})
    if len(profiles) > 1:
        raise ValueError(f"records must be of one profile, got {', '.join(profiles)}")
    groups: dict[str, dict[str, dict[int, Record]]] = {}
    for record in records:
        seeds = groups.setdefault(record.labels["network"], {}).setdefault(record.labels["role"], {})
        if seeds.setdefault(record.spec.seed, record) is not record:
            raise ValueError(f"records must hold each run once, got {record.labels['network']} twice")
    rows = [
        _row(name, roles["stdp"], roles.get(BASELINES[table], {}), CLASSIFIERS[table])
        for name, roles in groups.items()
        if "stdp" in roles
    ]
    return pd.DataFrame(rows, columns=list(dict.fromkeys((*ACCURACY, *DIFFERENCE, *ENERGY))))


def _row(name: str, runs: Mapping[int, Record], anns: Mapping[int, Record], kind: str) -> dict[str, object]:
    found = {seed: run.result["classifiers"][kind] for seed, run in runs.items()}
    first = next(iter(runs.values()))
    total = first.result["total"]
    row: dict[str, object] = {"network": name, "seeds": len(runs), "pairs": len(runs.keys() & anns.keys())}
    row["ANN"] = _mean([run.result["accuracy"] for run in anns.values()])
    for source, word in SOURCES.items():
        row[word] = _mean([f[source]["accuracy"] for f in found.values() if source in f])
    mean = _mean([f["learned"]["accuracy"] for f in found.values()])
    row["over test images"] = _span(*statistics.wilson(mean * total, total))
    learned = {seed: f["learned"]["hits"] for seed, f in found.items()}
    others = {
        "ANN": {seed: run.result["hits"] for seed, run in anns.items()},
        "random": {seed: f["random"]["hits"] for seed, f in found.items() if "random" in f},
        "pixels": {seed: f["pixels"]["hits"] for seed, f in found.items() if "pixels" in f},
    }
    for word, hits in others.items():
        both = sorted(learned.keys() & hits.keys())
        if both:
            pair = statistics.paired(*([statistics.hits(h[seed], total) for seed in both] for h in (learned, hits)))
            row[f"minus {word}"] = 100 * pair.difference
            row[f"over {word}"] = _span(*pair.interval(), signed=True)
        else:
            row[f"minus {word}"], row[f"over {word}"] = float("nan"), "no pair"
    topology, plain, shape = _topologies(name, first, kind)
    passes = plan(topology, shape)
    static = sum(macs(p) for p in passes if p.neuron not in ("lif", "if"))
    row["parameters"] = parameter_count(topology, shape)
    row["compression"] = parameter_count(plain, shape) / parameter_count(topology, shape)
    row["conv compression"] = _convolutions(plain, shape) / _convolutions(topology, shape)
    row["EE full at most"] = sum(map(macs, passes)) / static
    row["EE full"] = _mean([f["energy"]["paper/int32"]["efficiency"] for f in found.values()])
    row["EE conv"] = _mean([f["convolutions"]["energy"]["paper/int32"]["efficiency"] for f in found.values()])
    row["origin"] = origin([*runs.values(), *anns.values()])
    return row


def _topologies(name: str, record: Record, kind: str) -> tuple[str, str, tuple[int, int, int]]:
    """The whole network, the plain one of equal logical depth, and the image's shape."""
    spec = record.spec
    top = next(c for c in spec.classifiers if c.name == kind)
    channels, size = {"digits": (1, spec.data.size or 8)}.get(spec.data.name, (3, spec.data.size or 32))
    plain = stdp_spec(profile(record.labels["profile"]), "ResNet3" if name == "ResNet2x2" else name, spec.seed)
    return spec.topology(top), plain.topology(top), (channels, size, size)


def _convolutions(topology: str, shape: tuple[int, int, int]) -> int:
    """Weights of the spiking convolutions."""
    return sum({p.layer: p.weights for p in plan(topology, shape) if p.neuron in ("lif", "if")}.values())


def update_table(records: Sequence[Record]) -> pd.DataFrame:
    """Weight updates per layer and image: a layer with n passes is updated in each of them (k x n, section 4.3).

    steps x passes is the most there can be in one mini-batch: a pass without a spike in a step makes no update.
    """
    rows = []
    for run in records:
        if run.labels["role"] != "stdp":
            continue
        spec = run.spec
        passes = [site for site in run.result["rates"]["learned"] if site != "input"]
        batches = -(-spec.unlabelled // spec.stdp.batch) * spec.stdp.epochs
        for layer, updates in run.result["updates"].items():
            count = sum(site.split(".")[0] == layer for site in passes)
            rows.append({
                "network": run.labels["network"], "seed": spec.seed, "layer": layer, "passes": count,
                "images": spec.unlabelled, "updates": updates, "updates per mini-batch": updates / batches,
                "steps x passes": spec.stdp.steps * count,
            })
    return pd.DataFrame(rows)


def rate_table(records: Sequence[Record]) -> pd.DataFrame:
    """Spikes per neuron and step on test images, by site, of learned and of untrained kernels."""
    return pd.DataFrame([
        {"network": run.labels["network"], "seed": run.spec.seed, "kernels": SOURCES[source], "site": site, "rate": rate}
        for run in records if run.labels["role"] == "stdp"
        for source, rates in run.result["rates"].items()
        for site, rate in rates.items()
    ])


def missing_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Runs that nobody has recorded, seeds joined, with the minutes they are estimated to take on two CPU cores."""
    table = pd.DataFrame(
        [
            {"network": e.network, "role": e.role.upper(), "seeds": str(e.spec.seed), "runs": 1, "minutes": minutes(e.spec)}
            for e in entries
        ],
        columns=["network", "role", "seeds", "runs", "minutes"],
    )
    how = {"seeds": ", ".join, "runs": "sum", "minutes": "sum"}
    return table.groupby(["network", "role"], sort=False, as_index=False).agg(how)


def scale(records: Sequence[Record]) -> str:
    """Data, T and images in words, for captions."""
    run = next(r for r in records if r.labels["role"] == "stdp")
    spec = run.spec
    size = f" at {spec.data.size} pixels" if spec.data.size else ""
    return (
        f"Profile {run.labels['profile']}: {spec.data.name}{size}, {spec.unlabelled:,} images without labels for STDP, "
        f"{spec.data.train:,} with labels for the classifiers, {spec.data.test:,} test images, T = {spec.stdp.steps}"
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _span(low: float, high: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"
