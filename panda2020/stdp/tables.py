"""Tables 6 and 12: STDP features with a classifier, compared with untrained kernels, raw pixels and the end-to-end ANN.

Also the further tables of these chapters: choices, updates, rates, alarms, more images, stochmax as classifier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from panda2020 import families, statistics
from panda2020.exhibits.exhibit import NO_VALUE, origin
from panda2020.profiles import profile
from panda2020.records import by_place, series_of, share
from panda2020.runs import Record
from panda2020.samples import Sample, hits_of
from snncore.energy import macs
from snncore.stdp import StdpConfig
from snncore.topology import parameter_count, plan

from .grid import BASELINES, CLASSIFIERS, stdp_spec

SOURCES = {"learned": "STDP", "random": "random kernels", "pixels": "raw pixels"}

ACCURACY = (
    "network",
    "ANN",
    "STDP",
    "random kernels",
    "raw pixels",
    "95 % interval",
    "over",
    "seeds",
    "origin",
)

DIFFERENCE = (
    "network",
    "minus ANN",
    "minus ANN, 95 %",
    "minus random",
    "minus random, 95 %",
    "minus pixels",
    "minus pixels, 95 %",
    "pairs",
    "over",
)

ENERGY = (
    "network",
    "T",
    "STDP",
    "parameters",
    "compression",
    "conv compression",
    "EE full",
    "EE full at most",
    "EE conv",
)


def stdp_table(records: Sequence[Record], table: str) -> pd.DataFrame:
    """One row per network of Table "6" or "12", means over seeds (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``).

    - STDP, random kernels, raw pixels: accuracy of the same classifier on these features.
    - minus ...: STDP minus the other, in points, paired by seed and test image, with total intervals (95 %).
    - compression: parameters of the plain network of equal logical depth divided by these, whole and convolutions alone.
    - EE full: of the whole network, convention paper, int32 prices; "EE full at most" is its bound if no neuron ever spiked.
    - EE conv: of the spiking convolutions alone, which has no bound.

    Args:
        records: runs of one profile.
        table: "6" or "12".

    Raises:
        ValueError: another table, more than one profile, or a run given twice.
    """
    if table not in CLASSIFIERS:
        raise ValueError(f"table must be one of {', '.join(CLASSIFIERS)}, got {table!r}")
    networks: dict[str, dict[str, dict[int, Record]]] = {}
    for place, seeds in by_place(records).items():
        networks.setdefault(place.network, {})[place.role] = seeds
    rows = [
        _row(name, roles["stdp"], roles.get(BASELINES[table], {}), CLASSIFIERS[table])
        for name, roles in networks.items()
        if "stdp" in roles
    ]
    return pd.DataFrame(rows, columns=list(dict.fromkeys((*ACCURACY, *DIFFERENCE, *ENERGY))))


def _row(name: str, runs: Mapping[int, Record], anns: Mapping[int, Record], kind: str) -> dict[str, object]:
    found = {seed: run.result["classifiers"][kind] for seed, run in runs.items()}
    first = next(iter(runs.values()))
    row: dict[str, object] = {"network": name, "seeds": len(runs), "pairs": len(runs.keys() & anns.keys())}
    row["T"] = first.spec.stdp.steps
    with_ann = [anns[seed] for seed in anns if seed in runs] or list(anns.values())
    row["ANN"] = _mean([run.result["accuracy"] for run in with_ann])
    for source, word in SOURCES.items():
        row[word] = _mean([f[source]["accuracy"] for f in found.values() if source in f])
    accuracy = stdp_accuracy(runs, kind)
    row["95 % interval"], row["over"] = accuracy.interval, accuracy.over
    for word, found_gap in gaps(runs, anns, kind).items():
        row[f"minus {word}"] = float("nan") if found_gap is None else found_gap.mean
        row[f"minus {word}, 95 %"] = None if found_gap is None else found_gap.interval
    topology, plain, shape = topologies(name, first, kind)
    passes = plan(topology, shape)
    static = sum(macs(p) for p in passes if p.neuron not in ("lif", "if"))
    row["parameters"] = parameter_count(topology, shape)
    row["compression"] = parameter_count(plain, shape) / parameter_count(topology, shape)
    row["conv compression"] = _convolutions(plain, shape) / _convolutions(topology, shape)
    row["EE full at most"] = sum(map(macs, passes)) / static
    measured = [Sample(run, first.spec.stdp.steps, found[seed]) for seed, run in runs.items()]
    row["EE full"] = _mean([one.report().efficiency for one in measured])
    row["EE conv"] = _mean([one.report(spiking_only=True).efficiency for one in measured])
    row["origin"] = origin([*runs.values(), *anns.values()])
    return row


def gaps(
    runs: Mapping[int, Record], anns: Mapping[int, Record], kind: str
) -> dict[str, statistics.Estimate | None]:
    """STDP minus the ANN, random kernels and raw pixels, in points; None without a pair."""
    found = {seed: run.result["classifiers"][kind] for seed, run in runs.items()}
    others: dict[str, Mapping[int, Mapping[str, Any]]] = {
        "ANN": {seed: run.result for seed, run in anns.items() if seed in runs},
        "random": {seed: f["random"] for seed, f in found.items() if "random" in f},
        "pixels": {seed: f["pixels"] for seed, f in found.items() if "pixels" in f},
    }
    learned = series_of(runs, view=f"{kind}/learned")
    estimates = {}
    for word, other in others.items():
        second = (anns, "") if word == "ANN" else (runs, f"{kind}/{word}")
        pool = families.of_pair(learned, series_of(second[0], view=second[1]), share) if other else None
        pair = (
            [hits_of(one) for one in side] for side in ([found[s]["learned"] for s in other], other.values())
        )
        estimates[word] = statistics.paired(*pair, pool=pool).total * 100 if other else None
    return estimates


def stdp_accuracy(runs: Mapping[int, Record], kind: str) -> statistics.Estimate:
    """Accuracy in per cent under one classifier, with its total interval."""
    learned = [run.result["classifiers"][kind]["learned"] for run in runs.values()]
    pool = families.of_values(series_of(runs, view=f"{kind}/learned"), share)
    total = learned[0]["total"]
    return statistics.accuracy_estimate([one["accuracy"] * total for one in learned], total, pool=pool) * 100


def topologies(name: str, record: Record, kind: str) -> tuple[str, str, tuple[int, int, int]]:
    """The whole network, the plain one of equal logical depth, and the image's shape."""
    spec = record.spec
    top = next(c for c in spec.classifiers if c.name == kind)
    channels, size = {"digits": (1, spec.data.size or 8)}.get(spec.data.name, (3, spec.data.size or 32))
    plain = stdp_spec(
        profile(record.labels["profile"]), "ResNet3" if name == "ResNet2x2" else name, spec.seed
    )
    return spec.topology(top), plain.topology(top), (channels, size, size)


def _convolutions(topology: str, shape: tuple[int, int, int]) -> int:
    """Weights of the spiking convolutions."""
    return sum({p.layer: p.weights for p in plan(topology, shape) if p.neuron in ("lif", "if")}.values())


def update_table(records: Sequence[Record]) -> pd.DataFrame:
    """Weight updates per layer and image. A layer with n passes is updated in each of them (k x n, section 4.3).

    "steps x passes" is the largest possible number in one mini-batch: a pass without a spike in a step makes no update.
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
            rows.append(
                {
                    "network": run.labels["network"],
                    "seed": spec.seed,
                    "layer": layer,
                    "passes": count,
                    "images": spec.unlabelled,
                    "updates": updates,
                    "updates per mini-batch": updates / batches,
                    "steps x passes": spec.stdp.steps * count,
                }
            )
    return pd.DataFrame(rows)


def rate_table(records: Sequence[Record]) -> pd.DataFrame:
    """Spikes per neuron and step on test images, by site, for learned and untrained kernels."""
    return pd.DataFrame(
        [
            {
                "network": run.labels["network"],
                "seed": run.spec.seed,
                "kernels": SOURCES[source],
                "site": site,
                "rate": rate,
            }
            for run in records
            if run.labels["role"] == "stdp"
            for source, rates in run.result["rates"].items()
            for site, rate in rates.items()
        ]
    )


def gain_table(records: Sequence[Record]) -> pd.DataFrame:
    """Updates of the last convolution with and without unrolling: ResNet2x2 over ResNet2, by seed.

    Empty if one of the two is missing.
    """
    table = update_table(records)
    rows = []
    if len(table):
        last = table[table["layer"] == "conv2"].set_index(["network", "seed"])["updates per mini-batch"]
        for seed in sorted(set(table["seed"])):
            if ("ResNet2", seed) in last and ("ResNet2x2", seed) in last:
                once, twice = float(last["ResNet2", seed]), float(last["ResNet2x2", seed])
                rows.append({"seed": seed, "ResNet2": once, "ResNet2x2": twice, "ratio": twice / once})
    return pd.DataFrame(rows, columns=["seed", "ResNet2", "ResNet2x2", "ratio"])


def alarm_table(records: Sequence[Record]) -> pd.DataFrame:
    """Problems of each STDP run.

    The warnings during training; its least and most active spiking site on test images; and at the end the largest share, over
    layers, of silent maps, of weights at one bound, and of weights at either bound.
    """
    rows = []
    for run in records:
        if run.labels["role"] not in ("stdp", "stdp-more"):
            continue
        rates = {site: rate for site, rate in run.result["rates"]["learned"].items() if site != "input"}
        least, most = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
        ends = {
            entry["layer"]: entry for entry in run.result["curve"]
        }.values()  # the last window of each layer
        rows.append(
            {
                "network": run.labels["network"],
                "seed": run.spec.seed,
                "images": run.spec.unlabelled,
                "reported": "; ".join(run.result["alarms"]) or "nothing",
                "least active": f"{least}: {rates[least]:.4f}",
                "most active": f"{most}: {rates[most]:.4f}",
                "silent maps": max(share for entry in ends for share in entry["silent"].values()),
                "at one bound": max(max(entry["at_low"], entry["at_high"]) for entry in ends),
                "at either bound": max(entry["at_low"] + entry["at_high"] for entry in ends),
            }
        )
    return pd.DataFrame(rows)


def samples_table(records: Sequence[Record]) -> pd.DataFrame:
    """Accuracy on the profile's unlabelled images and on twice as many, paired by seed and test image, with FC1 and FC2.

    One row per network that has both. "more minus fewer" is in points, with its total interval (95 %).
    """
    places = by_place(records)
    rows = []
    for place, fewer in places.items():
        more = places.get(place._replace(role="stdp-more"), {}) if place.role == "stdp" else {}
        name, seeds = place.network, sorted(fewer.keys() & more.keys())
        if not seeds:
            continue
        found = [[_outcome(runs[seed], "fc/learned") for seed in seeds] for runs in (fewer, more)]
        pair = _paired((more, "fc/learned"), (fewer, "fc/learned"))
        first, last = fewer[seeds[0]].spec, more[seeds[0]].spec
        rows.append(
            {
                "network": name,
                "images": f"{first.unlabelled:,}",
                "accuracy": _mean([f["accuracy"] for f in found[0]]),
                "more images": f"{last.unlabelled:,}",
                "accuracy on more": _mean([f["accuracy"] for f in found[1]]),
                "more minus fewer": 100 * pair.difference,
                "95 % interval": (pair.total * 100).interval,
                "over": pair.total.over,
                "seeds": len(seeds),
            }
        )
    return pd.DataFrame(rows)


def stochmax_table(records: Sequence[Record]) -> pd.DataFrame:
    """Softmax and stochmax as FC2 on the same STDP features, one row per network; the difference in points."""
    rows = []
    for (name, _, _, _), runs in by_place(
        r for r in records if r.labels["role"] == "stdp" and "fc-stochmax" in r.result["classifiers"]
    ).items():
        soft, stoch = (
            [_outcome(run, view) for run in runs.values()] for view in ("fc/learned", "fc-stochmax/learned")
        )
        pair = _paired((runs, "fc-stochmax/learned"), (runs, "fc/learned"))
        rows.append(
            {
                "network": name,
                "softmax": _mean([f["accuracy"] for f in soft]),
                "stochmax": _mean([f["accuracy"] for f in stoch]),
                "difference": 100 * pair.difference,
                "95 % interval": (pair.total * 100).interval,
                "over": pair.total.over,
                "McNemar p": pair.p,
                "seeds": len(runs),
            }
        )
    return pd.DataFrame(rows)


def classifier_table(records: Sequence[Record]) -> pd.DataFrame:
    """FC1 and FC2 against ConvNN on the same features, one row per network and kind of features.

    "ConvNN minus FC" is in points, paired by seed and test image, with its total interval (95 %). "on training images"
    separates a classifier that has not learnt from one that does not generalise.
    """
    rows = []
    for (name, _, _, _), runs in by_place(r for r in records if r.labels["role"] == "stdp").items():
        for source, word in SOURCES.items():
            having = {seed: run for seed, run in runs.items() if source in run.result["classifiers"]["fc"]}
            if not having:
                continue
            views = f"convnn/{source}", f"fc/{source}"
            both = [(_outcome(run, views[1]), _outcome(run, views[0])) for run in having.values()]
            pair = _paired((having, views[0]), (having, views[1]))
            rows.append(
                {
                    "network": name,
                    "features": word,
                    "FC1, FC2": _mean([fc["accuracy"] for fc, _ in both]),
                    "ConvNN": _mean([convnn["accuracy"] for _, convnn in both]),
                    "ConvNN minus FC": 100 * pair.difference,
                    "95 % interval": (pair.total * 100).interval,
                    "over": pair.total.over,
                    "FC on training images": _known([fc.get("train_accuracy") for fc, _ in both]),
                    "ConvNN on training images": _known([convnn.get("train_accuracy") for _, convnn in both]),
                    "seeds": len(both),
                }
            )
    return pd.DataFrame(rows)


def gap_table(six: Sequence[Record], twelve: Sequence[Record]) -> pd.DataFrame:
    """Gap between STDP and the ANN of the same topology for either classifier, in points, from the records of both tables.

    One row per network that has a pair in both, over the seeds that have both. "change" is negative if ConvNN makes the gap
    smaller.
    """
    full = {
        (r.labels["network"], r.spec.seed) for r in _with_both([*six, *twelve], ("stdp", *BASELINES.values()))
    }
    six, twelve = (
        [r for r in records if (r.labels["network"], r.spec.seed) in full] for records in (six, twelve)
    )
    tables = [
        stdp_table(records, name).set_index("network") for records, name in ((six, "6"), (twelve, "12"))
    ]
    rows = []
    for name in tables[0].index.intersection(tables[1].index, sort=False):
        small, large = (-float(table.loc[name, "minus ANN"]) for table in tables)
        if np.isfinite(small) and np.isfinite(large):
            rows.append(
                {"network": name, "gap, FC1 and FC2": small, "gap, ConvNN": large, "change": large - small}
            )
    return pd.DataFrame(rows, columns=["network", "gap, FC1 and FC2", "gap, ConvNN", "change"])


def _with_both(records: Sequence[Record], roles: Sequence[str]) -> list[Record]:
    """The records of those networks and seeds that have a run in each of these roles."""
    found: dict[tuple[str, int], set[str]] = {}
    for r in records:
        found.setdefault((r.labels["network"], r.spec.seed), set()).add(r.labels["role"])
    return [r for r in records if set(roles) <= found[r.labels["network"], r.spec.seed]]


def choices_table(config: StdpConfig) -> pd.DataFrame:
    """STDP choices that the article names without a formula or a value, with the choice in ``config``."""
    units = {
        "absolute": "a constant",
        "trace": "times the mean trace",
        "pairs": "times the mean trace of the map's own pairs",
    }
    rules = {
        "none": "maps do not compete",
        "winner": "of the maps that fire at a position in one step, the one with the highest potential learns",
        "inhibit": "of the maps that fire at a position in one step, only the one with the highest potential fires and learns",
    }
    averages = {"positions": "over images and positions", "spikes": "over the map's own post spikes"}
    times = {"step": "after every time step", "presentation": "once per presentation"}
    traces = {"last": "set to 1 by a spike", "additive": "raised by 1 by a spike"}
    scopes = {
        "map": "one threshold per map and pass",
        "layer": "one threshold per pass, by its most active map",
    }
    low, high = config.low, config.high
    filtered = (
        "mean over T" if config.low_pass is None else f"low-pass, time constant {config.low_pass:g} steps"
    )
    bound = "times (w - w_min)(w_max - w)" if config.weight_dependence else "none"
    rows = [
        ("pre-synaptic trace", "exp((t_pre - t_post) / tau)", f"{traces[config.trace]}, tau = {config.tau:g} steps", "additive"),
        ("offset", "STDP_offset", f"{config.offset:g} {units[config.offset_unit]}", "a constant; the mean trace"),
        ("average", "across a mini-batch", f"{averages[config.average]}, mini-batches of {config.batch}", "over positions"),
        ("when", "k times, k at most T", times[config.update], "once per presentation"),
        ("learning rate", NO_VALUE, f"{config.eta:g}", NO_VALUE),
        ("weights", NO_VALUE, f"clipped to {low:g} to {high:g}, start {config.start[0]:g} to {config.start[1]:g}", NO_VALUE),
        ("dependence on the weight", NO_VALUE, bound, "(w - w_min)(w_max - w)"),
        ("competition", "competitive learning", rules[config.competition], "winner alone learns; none"),
        ("thresholds", "uniform threshold adaptation", f"{scopes[config.adapt]}, towards {config.target:g} spikes per step",
         "one per pass"),
        ("settling", NO_VALUE, f"thresholds alone adapt for {config.settle} more mini-batches, without competition", "none"),
        ("dropout", "dropout scheme", f"{config.dropout:.0%} of the maps", "whole maps, held over T"),
        ("neuron", "LIF", f"leak {config.neuron.alpha:g}", NO_VALUE),
        ("input", "input spike rate", f"{config.input_rate:g} spikes per step for a pixel of value 1", "lower"),
        ("features", "overall spiking activity", f"pooled, IF with threshold {config.pool_threshold:g}, {filtered}", "low-pass"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "the paper", "chosen here", "also in the library"])


def _outcome(run: Record, view: str) -> Mapping[str, Any]:
    """The test result of one classifier on one kind of features: "fc/learned"."""
    kind, source = view.split("/")
    found: Mapping[str, Any] = run.result["classifiers"][kind][source]
    return found


def _paired(
    first: tuple[Mapping[int, Record], str], second: tuple[Mapping[int, Record], str]
) -> statistics.Paired:
    """Runs by seed with a view against others, over the seeds of both; the variance over seeds is that of the family."""
    seeds = sorted(first[0].keys() & second[0].keys())
    one, other = (series_of(runs, view=view) for runs, view in (first, second))
    pool = families.of_pair(one, other, share)
    hits = ([hits_of(_outcome(runs[seed], view)) for seed in seeds] for runs, view in (first, second))
    return statistics.paired(*hits, pool=pool)


def _known(values: Sequence[float | None]) -> float:
    """The mean of the measured values."""
    return _mean([value for value in values if value is not None])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
