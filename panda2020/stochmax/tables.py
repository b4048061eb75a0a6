"""Tables 10 and 11, softmax against stochmax; the learnt rho; and the tables of the stochmax chapter.

The pairs of a row share network, T, seed, data and recipe; only the head differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from panda2020 import statistics
from panda2020.exhibits.exhibit import NO_VALUE, origin
from panda2020.exhibits.style import PALETTE
from panda2020.records import by_place, difference_columns, mean_or_none
from panda2020.runs import Record
from panda2020.samples import sample_of
from snncore.energy import CONVENTIONS
from snncore.stochmax import collapsed

from .grid import HEADS

#: Views of ``heads_table``.
ACCURACY = (
    "network",
    "T",
    "softmax",
    "stochmax",
    "difference",
    "difference, 95 %",
    "difference over",
    "pairs",
    "McNemar p",
    "origin",
)

ENERGY = (
    "network",
    "T",
    "softmax",
    "stochmax",
    *(f"EE {head}" for head in HEADS),
    "EE ratio",
    *(f"rate {head}" for head in HEADS),
    "rate ratio",
)

CLASSES: Mapping[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "cifar10": ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}

_ROLES = {role: head for head, role in HEADS.items()}

_COLOURS = {"softmax": PALETTE["blue"], "stochmax": PALETTE["orange"]}


def pairs(records: Sequence[Record]) -> dict[tuple[str, str, int], dict[str, dict[int, Record]]]:
    """(network, reading, T) -> head -> seed -> run, in the order of the records.

    Raises:
        ValueError: as ``by_place``.
    """
    found: dict[tuple[str, str, int], dict[str, dict[int, Record]]] = {}
    for place, seeds in by_place(records, roles=tuple(_ROLES)).items():
        assert place.steps is not None
        heads = found.setdefault((place.network, place.reading, place.steps), {head: {} for head in HEADS})
        heads[_ROLES[place.role]] = seeds
    return found


def heads_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per network, reading and T (views: ``ACCURACY``, ``ENERGY``).

    - softmax, stochmax: mean accuracy over seeds. If both heads are recorded, this and all other means are over the seeds that
      both have.
    - difference: stochmax minus softmax in points, paired by seed and test image, with its two intervals (95 %).
    - EE: against the ANN of the same shape, mean over seeds, convention paper, int32 prices. "EE ratio" is the mean of the
      paired ratios; "EE ratio physical" and "EE ratio full" are the same under the other conventions.
    - rate: spikes per neuron and step over all spiking neurons.

    Cells of a missing head are empty.
    """
    rows = []
    for (name, reading, steps), heads in pairs(records).items():
        found = difference_columns(heads["stochmax"], heads["softmax"])
        both = sorted(heads["stochmax"].keys() & heads["softmax"].keys())
        row: dict[str, Any] = {"network": name, "reading": reading, "T": steps}
        used = {head: [runs[seed] for seed in both or runs] for head, runs in heads.items()}
        for head, runs in used.items():
            row[head] = mean_or_none([run.result["accuracy"] for run in runs])
        row |= {
            **{name: found[name] for name in ("difference", "difference, 95 %", "difference over")},
            "pairs": len(both),
            "McNemar p": found["McNemar p"],
        }
        for head, runs in used.items():
            row[f"EE {head}"] = mean_or_none([_efficiency(run) for run in runs])
            row[f"rate {head}"] = mean_or_none([_rate(run) for run in runs])
        stoch, soft = ([heads[head][seed] for seed in both] for head in ("stochmax", "softmax"))
        for convention in CONVENTIONS:
            ratios = [
                _efficiency(a, convention) / _efficiency(b, convention)
                for a, b in zip(stoch, soft, strict=True)
            ]
            row["EE ratio" if convention == "paper" else f"EE ratio {convention}"] = mean_or_none(ratios)
        # a network that never spikes has rate 0, so there is no ratio
        rates = [_rate(a) / _rate(b) for a, b in zip(stoch, soft, strict=True) if _rate(b) > 0]
        row["rate ratio"] = mean_or_none(rates) if len(rates) == len(both) else None
        row["origin"] = origin([run for runs in used.values() for run in runs])
        rows.append(row)
    return pd.DataFrame(rows)


def _efficiency(record: Record, convention: str = "paper") -> float:
    return sample_of(record).report(convention).efficiency


def _rate(record: Record) -> float:
    return sample_of(record).mean_rate


def equal_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Stochmax at the smallest T that reaches the accuracy of softmax at the largest T, from a ``heads_table``.

    Only T with the largest number of pairs of runs are compared. One row per network. The gain is the ratio of the two EE, most
    of which comes from a lower T; "not reached" if no T of stochmax suffices. Networks without softmax runs, or without
    stochmax runs, are omitted.
    """
    rows = []
    for (name, reading), here in table.groupby(["network", "reading"], sort=False):
        here = here[here["pairs"] == here["pairs"].max()]
        soft, stoch = here.dropna(subset=["softmax"]), here.dropna(subset=["stochmax"])
        if soft.empty or stoch.empty:
            continue
        goal = soft.sort_values("T").iloc[-1]
        row = {"network": name, "reading": reading, "T softmax": goal["T"], "softmax": goal["softmax"]}
        row["EE softmax"] = goal["EE softmax"]
        reached = stoch[stoch["stochmax"] >= goal["softmax"]].sort_values("T")
        if reached.empty:
            row |= {
                "T stochmax": "not reached",
                "stochmax": stoch["stochmax"].max(),
                "EE stochmax": None,
                "EE ratio": None,
            }
        else:
            first = reached.iloc[0]
            row |= {
                "T stochmax": first["T"],
                "stochmax": first["stochmax"],
                "EE stochmax": first["EE stochmax"],
            }
            row["EE ratio"] = first["EE stochmax"] / goal["EE softmax"]
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"T softmax": object, "T stochmax": object}) if rows else frame


def layer_rates(records: Sequence[Record]) -> pd.DataFrame:
    """Spikes per neuron and step of every spiking site for both heads, mean over the seeds that have both.

    One row per network, T and site; networks without a pair are omitted.
    """
    rows = []
    for (name, reading, steps), heads in pairs(records).items():
        both = sorted(heads["stochmax"].keys() & heads["softmax"].keys())
        if not both:
            continue
        rates = {head: [sample_of(runs[seed]).rates for seed in both] for head, runs in heads.items()}
        for depth, site in enumerate(rates["softmax"][0], 1):
            means = {head: float(np.mean([run[site] for run in found])) for head, found in rates.items()}
            place = {"network": name, "reading": reading, "T": steps, "depth": depth, "site": site}
            rows.append({**place, **means, "sparser": means["stochmax"] < means["softmax"]})
    return pd.DataFrame(rows)


def rho(records: Sequence[Record]) -> np.ndarray:
    """Retain probability of class k (column) for test images of class i (row), mean over stochmax runs, (K, K).

    Raises:
        ValueError: no runs, or a run without stochmax.
    """
    if not records or any("rho" not in record.result for record in records):
        raise ValueError("records must be stochmax runs, at least one")
    return np.mean([record.result["rho"] for record in records], axis=0)


def class_pairs(matrix: np.ndarray, classes: Sequence[str], *, count: int = 3) -> pd.DataFrame:
    """The pairs of classes with the highest and the lowest rho as each other's rivals; the mean of both directions."""
    both = (matrix + matrix.T) / 2
    ranked = sorted(
        ((float(both[i, k]), classes[i], classes[k]) for i in range(len(classes)) for k in range(i)),
        reverse=True,
    )
    chosen = [("most", ranked[:count]), ("least", ranked[-count:])]
    return pd.DataFrame(
        [
            {"kept": kind, "pair": f"{a} and {b}", "rho": value}
            for kind, found in chosen
            for value, a, b in found
        ]
    )


def health_table(records: Sequence[Record]) -> pd.DataFrame:
    """rho at the end of training, run by run.

    Columns: rho of the target, rho of other classes, the share of classes kept, and whether the run has collapsed
    (``stochmax.collapsed``) in its last epoch. Softmax runs are omitted.
    """
    rows = []
    for record in records:
        if "rho" not in record.result:
            continue
        last = record.result["curve"][-1]
        rows.append(
            {
                "network": record.labels["network"],
                "T": record.result.get("steps"),
                "seed": record.spec.seed,
                "rho of the target": last["rho_target"],
                "rho of other classes": last["rho_others"],
                "classes kept": last["kept"],
                "collapsed": collapsed(last) or "no",
            }
        )
    return pd.DataFrame(rows)


#: Role of a run of ``grid.stochmax_variants`` -> its variant of Eq. 7.
VARIANTS: Mapping[str, str] = {
    "snn": "softmax",
    "snn-stochmax": "DropMax, q = p (the default)",
    "variant-alone-kept": "cross-entropy alone, target kept",
    "variant-alone-drawn": "cross-entropy alone, target drawn",
    "variant-separate": "DropMax, separate q",
    "variant-local": "gradient of psi: local",
    "variant-straight-through": "gradient of psi: straight-through",
    "variant-exact": "gradient of psi: exact",
    "variant-logits": "classified by the scores alone",
}


def variant_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per run of ``grid.stochmax_variants``.

    Accuracy on validation images after the last epoch with its interval (95 %, Wilson), rho on training images in the last
    epoch, and the kind of collapse, if any. Test images are not used.

    Raises:
        ValueError: a role that is not in ``VARIANTS``.
    """
    rows = []
    for record in records:
        role = record.labels["role"]
        if role not in VARIANTS:
            raise ValueError(f"role of a record must be one of {', '.join(VARIANTS)}, got {role!r}")
        last, images = record.result["curve"][-1], record.result["data"]["validation"]
        accuracy = last["validation_accuracy"]
        stochastic = role != "snn"
        rows.append(
            {
                "reading": VARIANTS[role],
                "seed": record.spec.seed,
                "validation": accuracy,
                "95 % interval": statistics.wilson(accuracy * images, images) * 100,
                "images": images,
                "rho of the target": last["rho_target"] if stochastic else None,
                "rho of other classes": last["rho_others"] if stochastic else None,
                "classes kept": last["kept"] if stochastic else None,
                "collapsed": (collapsed(last) or "no") if stochastic else NO_VALUE,
            }
        )
    order = {name: i for i, name in enumerate(VARIANTS.values())}
    return pd.DataFrame(rows).sort_values(
        "reading", key=lambda c: c.map(order), kind="stable", ignore_index=True
    )


def variant_sentences(table: pd.DataFrame) -> list[str]:
    """A summary of a ``variant_table``: the default, and the readings with cross-entropy alone."""
    found = []
    for name in (VARIANTS["variant-alone-kept"], VARIANTS["variant-alone-drawn"]):
        for _, row in table[table["reading"] == name].iterrows():
            state = "has not collapsed" if row["collapsed"] == "no" else f"has collapsed ({row['collapsed']})"
            found.append(
                f"{name} {state}: rho of other classes {row['rho of other classes']:.3f}, of the target "
                f"{row['rho of the target']:.3f}; {row['validation']:.1%} on validation images"
            )
    healthy = table[table["collapsed"] == "no"]
    default = healthy[healthy["reading"] == VARIANTS["snn-stochmax"]]
    if default.empty or len(healthy) < 2:
        return found
    best, ours = healthy.loc[healthy["validation"].idxmax()], default.iloc[0]
    if ours["validation"] >= best["validation"]:
        found.append(
            f"of the {len(healthy)} that have not collapsed, none is better on validation images than the default"
        )
        return found
    gap = best["validation"] - ours["validation"]
    # for two independent shares, because single images are not recorded for validation
    error = sum(row["validation"] * (1 - row["validation"]) / row["images"] for row in (best, ours)) ** 0.5
    told = "more" if gap > 2 * error else "less"
    found.append(
        f"of the {len(healthy)} that have not collapsed, the best on validation images is {best['reading']}, {100 * gap:.1f} "
        f"points above the default; that is {told} than two standard errors ({200 * error:.1f} points), from one seed"
    )
    return found


def readings_table(curves: pd.DataFrame) -> pd.DataFrame:
    """The last epoch of ``toy_curves``, one row per reading of Eq. 7."""
    last = curves[curves["epoch"] == curves["epoch"].max()]
    names = {
        "reading": "reading",
        "rho_target": "rho of the target",
        "rho_others": "rho of other classes",
        "kept": "classes kept",
        "collapsed": "collapsed",
        "accuracy_logits": "accuracy, logits",
        "accuracy_rho": "accuracy, rho",
    }
    return last[list(names)].rename(columns=names).reset_index(drop=True)
