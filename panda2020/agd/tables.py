"""Table 8 and its context: three baselines for every spiking network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from panda2020.claims.claims import NOT_GIVEN, sentence
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.exhibit import origin
from panda2020.records import (
    Place,
    accuracy_columns,
    accuracy_estimate,
    by_place,
    difference_columns,
    difference_estimate,
    efficiency_estimate,
    mean_efficiency,
    reading_of,
    shown_name,
)
from panda2020.runs import Record
from panda2020.samples import Sample
from snncore.energy import CONVENTIONS

#: role of an ANN -> its name: the plain one of Table 8, then those of ``grid.baselines``.
BASELINES = {
    "ann": "plain",
    "ann-tuned": "longer training, dropout",
    "ann-tuned-bn": "the same with batch norm",
    "ann-poisson": "fed with Poisson input",
}


def baseline_table(records: Sequence[Record]) -> pd.DataFrame:
    """Each spiking network and T against every ANN recorded for it, one row per ANN.

    "SNN minus ANN" is in points, paired by seed and test image, with its 95 % interval. The ANN with Poisson input reads
    the mean of as many spikes as the spiking network. Pairs without a common seed are omitted.

    Raises:
        ValueError: a role other than "snn" and those of ``BASELINES``.
    """
    places = by_place(records, roles=("snn", *BASELINES))
    rows = []
    for place, snn in sorted(places.items(), key=lambda item: item[0].steps or 0):
        if place.role != "snn":
            continue
        for role, kind in BASELINES.items():
            steps = place.steps if role == "ann-poisson" else None
            ann = places.get(place._replace(role=role, steps=steps), {})
            if not snn.keys() & ann.keys():
                continue
            found = difference_columns(snn, ann)
            mean = float(np.mean([snn[s].result["accuracy"] for s in sorted(snn.keys() & ann.keys())]))
            rows.append(
                {
                    "network": place.network,
                    "reading": place.reading,
                    "T": place.steps,
                    "ANN": kind,
                    "SNN accuracy": mean,
                    "ANN accuracy": found["reference"],
                    "SNN minus ANN": found["difference"],
                    "95 % interval": found["difference, 95 %"],
                    "over": found["difference over"],
                    "pairs": found["pairs"],
                    "McNemar p": found["McNemar p"],
                }
            )
    rank = {name: i for i, name in enumerate(dict.fromkeys((p.network, p.reading) for p in places))}
    rows.sort(key=lambda row: rank[row["network"], row["reading"]])
    return pd.DataFrame(rows)


#: Views of ``table8``: accuracies beside the paper's words, paired differences, energy.
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
    "EE paper",
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
    "only SNN right",
    "only ANN right",
    "McNemar p",
)

ENERGY = ("network", "reading", "role", "T", "accuracy", "EE paper", "EE physical", "EE full")

#: Row of Table 8 -> the article's sentences about it.
SAYS_8: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("VGG5", "snn"): ("agd-loss", "agd-ee"),
    ("VGG3x2-v2", "snn"): ("agd-loss", "agd-ee"),
    ("VGG7-agd", "snn"): ("agd-vgg7-fails",),
    ("VGG3x4", "ann"): ("agd-vgg3x4-beats-ann",),
    ("VGG3x4", "snn"): ("agd-vgg3x4-trains", "agd-vgg3x4-beats-ann"),
}


#: Columns of ``difference_columns`` -> their names here.
_MINUS_ANN = DIFFERENCE[5:]


def table8(records: Sequence[Record]) -> pd.DataFrame:
    """ANN and AGD-trained networks: one row per network, reading, role and T; the ANN of a network comes first.

    Columns (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``): accuracy, the mean over seeds, with its total interval (95 %)
    and what that covers; "minus ANN", in points, paired by seed and test image with the ANN of the same network;
    EE against that ANN under three conventions at int32 prices, mean over seeds; the paper's words; the origin
    of the row. Without records the table has no rows.

    Raises:
        ValueError: records of more than one profile, or the same run twice.
    """
    groups = by_place(records)
    rank = {name: i for i, name in enumerate(dict.fromkeys(row[:2] for row in groups))}
    order = sorted(groups, key=lambda row: (rank[row[:2]], row[2] != "ann", row[2], row[3] or 0))
    rows = []
    for row in order:
        name, reading, role, steps = row
        runs = list(groups[row].values())
        ann = groups.get(Place(name, reading, "ann", None), {}) if role != "ann" else {}
        says = SAYS_8.get((name, role), ())
        rows.append(
            {
                "network": name,
                "reading": reading,
                "role": role.upper(),
                "T": steps,
                **accuracy_columns(runs),
                **dict(zip(_MINUS_ANN, difference_columns(groups[row], ann).values(), strict=True)),
                "parameters": Sample(runs[0], steps, runs[0].result).parameters,
                **{f"EE {c}": mean_efficiency(runs, c) for c in CONVENTIONS},
                "paper says": "; ".join(map(sentence, says)) or NOT_GIVEN,
                "origin": origin(runs),
            }
        )
    if not rows:
        return pd.DataFrame(columns=list(dict.fromkeys((*ACCURACY, *DIFFERENCE, *ENERGY))))
    # built as objects, because a missing T would turn the others into 25.0
    real = ("accuracy", "ANN accuracy", "minus ANN", "McNemar p", *(f"EE {c}" for c in CONVENTIONS))
    return pd.DataFrame(rows, dtype=object).astype(
        {**dict.fromkeys(real, float), "parameters": int, "seeds": int}
    )


def paper_layout(records: Sequence[Record]) -> pd.DataFrame:
    """Table 8 in the article's layout: a row per network.

    Its ANN, and for every T accuracy, difference and EE, each with our 95 % interval and the article's words for that cell.
    Accuracies are in per cent, differences in points. Only networks of reading A with a spiking run. Columns: "network",
    "ANN", then for every T "SNN, T", "SNN - ANN, T", "EE, T", then "parameters".
    """
    places = by_place([r for r in records if reading_of(r.labels["note"]) == "A"])
    times = sorted({p.steps for p in places if p.role == "snn" and p.steps is not None})
    rows = []
    for name in dict.fromkeys(p.network for p in places if p.role == "snn"):
        ann = places.get(Place(name, "A", "ann", None), {})
        row: dict[str, object] = {
            "network": shown_name(name),
            "ANN, %": Beside(accuracy_estimate(ann), cell("Table 8", name, "ANN")),
        }
        for n, steps in enumerate(times):
            snn = places.get(Place(name, "A", "snn", steps), {})
            both = snn.keys() & ann.keys()
            loss = difference_estimate(snn, ann) if both else None
            # the text does not say the T of its numbers; they are shown with the first
            said = {c: "" if n else cell("Table 8", name, c) for c in ("SNN", "loss", "EE")}
            row[f"SNN, T = {steps}, %"] = Beside(accuracy_estimate(snn), said["SNN"])
            row[f"SNN − ANN, T = {steps}, points"] = Beside(loss, said["loss"])
            row[f"EE, T = {steps}"] = Beside(efficiency_estimate(snn), said["EE"])
        some = next(
            iter(
                (
                    *ann.values(),
                    *(r for p, runs in places.items() if p.network == name for r in runs.values()),
                )
            )
        )
        row["parameters"] = Sample(some, None, some.result).parameters
        rows.append(row)
    return pd.DataFrame(rows)
