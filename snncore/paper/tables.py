"""The book's tables as DataFrames: prices (Table 1), reconstructed topologies (3, 5, 7, 9, 13, 15, 17), results (8)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..energy import CONVENTIONS, FLOAT32, INT32, macs
from ..network import Pass, parameter_count, plan
from ..runs import Record
from . import energies, statistics
from .claims import claim
from .evidence import Sample
from .exhibits import origin
from .networks import PaperNetwork, network, plain_of
from .recorded import reading_of

#: Columns of ``topology_table`` that say what a network is, and those that say why.
SHOWN = (
    "network",
    "reading",
    "unrolled",
    "logical depth",
    "unique layers",
    "parameters",
    "conv parameters",
    "compression",
    "MACs",
)
REASONS = ("network", "reading", "topology", "fixed by", "chosen")

#: Views of ``table8``: accuracies beside the paper's words, paired differences, energy.
ACCURACY = (
    "network",
    "reading",
    "role",
    "T",
    "accuracy",
    "over seeds",
    "over test images",
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
    "difference over seeds",
    "difference over test images",
    "pairs",
    "only SNN right",
    "only ANN right",
    "McNemar p",
)
ENERGY = ("network", "reading", "role", "T", "accuracy", "EE paper", "EE physical", "EE full")

#: Which sentences of the article speak of a row of Table 8.
SAYS_8: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("VGG5", "snn"): ("agd-loss", "agd-ee"),
    ("VGG3x2-v2", "snn"): ("agd-loss", "agd-ee"),
    ("VGG7-agd", "snn"): ("agd-vgg7-fails",),
    ("VGG3x4", "ann"): ("agd-vgg3x4-beats-ann",),
    ("VGG3x4", "snn"): ("agd-vgg3x4-trains", "agd-vgg3x4-beats-ann"),
}
NOT_GIVEN = "not in our source"
NO_INTERVAL = "no interval"

LABELS = {"relu": "ReLU", "lif": "LIF", "if": "IF", "none": ""}


def price_table() -> pd.DataFrame:
    """Table 1: energy of a 32-bit MAC and AC in pJ at 45 nm, as integers (as the paper says) or floats."""
    rows = {
        "add = AC": [INT32.ac, FLOAT32.ac],
        "multiply": [INT32.multiply, FLOAT32.multiply],
        "MAC = multiply + add": [INT32.mac, FLOAT32.mac],
        "MAC / AC": [INT32.mac / INT32.ac, FLOAT32.mac / FLOAT32.ac],
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["32-bit integer", "32-bit float"]).round(2)
    return table.rename_axis("operation").reset_index()


def unrolled(passes: Sequence[Pass]) -> str:
    """A plan in words, one entry per pass: ``conv1 64 · P · conv2 64 · conv2 64 · fc1 10``.

    Neurons are named where they differ within the network; "M" is the mean over time.
    """
    mixed = len({p.neuron for p in passes[:-1]}) > 1
    spiking = {p.site for p in passes if p.neuron in ("lif", "if")}
    parts: list[str] = []
    for p in passes:
        if p.static and spiking.intersection(p.sources):
            parts.append("M")
        parts += ["P"] * (p.pool.bit_length() - 1)
        sum_ = f" (reads {' + '.join(p.sources)})" if len(p.sources) > 1 else ""
        neuron = f" {LABELS[p.neuron]}" if mixed and p.neuron != "none" else ""
        parts.append(f"{p.layer} {p.out_shape[0]}{neuron}{sum_}")
    return " · ".join(parts)


def topology_table(
    networks: Iterable[PaperNetwork | str], *, input_shape: tuple[int, int, int] | None = None
) -> pd.DataFrame:
    """The networks with all that follows from their topology strings.

    networks: entries of ``networks.REGISTRY``, or names (reading "A"). input_shape: (C, H, W) in place of the
    networks' own.

    Columns: parameters (weights, and the classifier's bias), and those of the convolutions alone; compression,
    the parameters of the plain network of equal logical depth over these; MACs of one ANN inference (Eq. 8);
    unique layers and logical depth, both with the classifier; what fixes the topology and what is chosen.
    """
    rows = []
    for net in networks:
        net = network(net) if isinstance(net, str) else net
        shape = input_shape or net.input_shape
        passes = plan(net.topology, shape, net.neuron)
        count = parameter_count(net.topology, shape)
        rows.append(
            {
                "network": net.name,
                "reading": net.reading,
                "topology": net.topology,
                "unrolled": unrolled(passes),
                "parameters": count,
                "conv parameters": sum({p.layer: p.weights for p in passes if p.kind == "conv"}.values()),
                "compression": _plain_parameters(net, shape) / count,
                "MACs": sum(map(macs, passes)),
                "unique layers": len({p.layer for p in passes}),
                "logical depth": len(passes),
                "fixed by": "; ".join(net.fixed_by),
                "chosen": "; ".join(net.chosen),
            }
        )
    return pd.DataFrame(rows)


def _plain_parameters(net: PaperNetwork, shape: tuple[int, int, int]) -> float:
    plain = plain_of(net)
    return float("nan") if plain is None else float(parameter_count(plain.topology, shape))


def table8(records: Sequence[Record]) -> pd.DataFrame:
    """ANN and AGD-trained networks: one row per network, reading, role and T; the ANN of a network comes first.

    Columns (views: ``ACCURACY``, ``DIFFERENCE``, ``ENERGY``): accuracy, the mean over seeds, with its two intervals (95 %)
    kept apart (``statistics``); "minus ANN", in points, paired by seed and test image with the ANN of the same network;
    EE against that ANN under three conventions at int32 prices, mean over seeds; what the paper says, word for word; where
    the row comes from. No records give a table without rows.

    Raises ``ValueError`` for records of more than one profile, and for the same run twice.
    """
    profiles = sorted({record.labels["profile"] for record in records})
    if len(profiles) > 1:
        raise ValueError(f"records must be of one profile, got {', '.join(profiles)}")
    groups: dict[tuple[str, str, str, int | None], dict[int, Record]] = {}
    for record in records:
        labels = record.labels
        row = (labels["network"], reading_of(labels["note"]), labels["role"], record.result.get("steps"))
        seeds = groups.setdefault(row, {})
        if seeds.setdefault(record.spec.seed, record) is not record:
            raise ValueError(
                f"records must hold each run once, got {' '.join(map(str, row))} seed {record.spec.seed} twice"
            )
    rank = {name: i for i, name in enumerate(dict.fromkeys(row[:2] for row in groups))}
    order = sorted(groups, key=lambda row: (rank[row[:2]], row[2] != "ann", row[2], row[3] or 0))
    rows = []
    for row in order:
        name, reading, role, steps = row
        runs = [groups[row][seed] for seed in sorted(groups[row])]
        says = SAYS_8.get((name, role), ())
        rows.append(
            {
                "network": name,
                "reading": reading,
                "role": role.upper(),
                "T": steps,
                **_accuracy(runs),
                **_difference(groups[row], groups.get((name, reading, "ann", None), {}) if role != "ann" else {}),
                "parameters": Sample(runs[0], steps, runs[0].result).parameters,
                **{f"EE {c}": _efficiency(runs, c) for c in CONVENTIONS},
                "paper says": "; ".join(map(sentence, says)) or NOT_GIVEN,
                "origin": origin(runs),
            }
        )
    if not rows:
        return pd.DataFrame(columns=list(dict.fromkeys((*ACCURACY, *DIFFERENCE, *ENERGY))))
    # built as objects, or a missing T would turn the others into 25.0
    real = ("accuracy", "ANN accuracy", "minus ANN", "McNemar p", *(f"EE {c}" for c in CONVENTIONS))
    return pd.DataFrame(rows, dtype=object).astype({**dict.fromkeys(real, float), "parameters": int, "seeds": int})


def sentence(name: str) -> str:
    """A claim's words as an exhibit prints them, with their section."""
    found = claim(name)
    return f"“{found.quote}” ({found.where})"


def _accuracy(runs: Sequence[Record]) -> dict[str, object]:
    found = statistics.mean_over_seeds([run.result["accuracy"] for run in runs])
    total = runs[0].result["total"]
    return {
        "accuracy": found.mean,
        "over seeds": _span(found.low, found.high),
        "over test images": _span(*statistics.wilson(min(found.mean * total, total), total)),
        "seeds": found.count,
    }


def _difference(snn: Mapping[int, Record], ann: Mapping[int, Record]) -> dict[str, object]:
    both = sorted(snn.keys() & ann.keys())
    names = (
        "ANN accuracy",
        "minus ANN",
        "difference over seeds",
        "difference over test images",
        "pairs",
        "only SNN right",
        "only ANN right",
        "McNemar p",
    )
    if not both:
        return dict.fromkeys(names)
    found = statistics.paired(*([_hits(runs[seed]) for seed in both] for runs in (snn, ann)))
    values = (
        float(np.mean([ann[seed].result["accuracy"] for seed in both])),
        100 * found.difference,
        _span(found.seeds.low, found.seeds.high, signed=True),
        _span(*found.interval(), signed=True),
        len(both),
        found.only_first,
        found.only_second,
        found.p,
    )
    return dict(zip(names, values, strict=True))


def _hits(record: Record) -> np.ndarray:
    return statistics.hits(record.result["hits"], record.result["total"])


def _efficiency(runs: Sequence[Record], convention: str) -> float | None:
    samples = [Sample(run, run.result["steps"], run.result) for run in runs if "steps" in run.result]
    return float(np.mean([energies.energy_of(one, convention).efficiency for one in samples])) if samples else None


def joint(over_seeds: str, over_images: str) -> tuple[str, str]:
    """Two printed intervals of one difference as one, errors added as squares as in the ledger, and what it is over.

    Printed numbers are rounded, so its last digit may differ from the ledger's.
    """
    if " to " not in over_seeds:
        return over_images, "test images alone"
    (low, high), (least, most) = (map(float, span.split(" to ")) for span in (over_seeds, over_images))
    centre, half = (low + high) / 2, math.hypot(high - low, most - least) / 2
    return f"{centre - half:+.1f} to {centre + half:+.1f}", "seeds and test images"


def _span(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval in per cent, or of a difference in points: "58.1 to 60.3"; "no interval" where there is none."""
    if low is None or high is None:
        return NO_INTERVAL
    sign = "+" if signed else ""
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


def tuning_table(records: Sequence[Record]) -> pd.DataFrame:
    """The tuning grid: one row per learning rate and gain, validation accuracy of the ANN and the spiking network.

    "chosen" marks the point taken for each (``tuned``). Test accuracies are left out: nothing was chosen by them.
    """
    best = {role: tuning_point(record) for role, record in tuned(records).items()}
    tried: dict[tuple[float, float], dict[str, float]] = {}
    for record in records:
        tried.setdefault(tuning_point(record), {})[_tuned_role(record)] = _score(record)[0]
    table = pd.DataFrame(
        [
            {
                "learning rate": point[0],
                "gain": point[1],
                "ANN validation": accuracies.get("ANN"),
                "SNN validation": accuracies.get("SNN"),
                "chosen": " and ".join(role for role in ("ANN", "SNN") if best.get(role) == point),
            }
            for point, accuracies in sorted(tried.items())
        ]
    )
    return table.astype({"ANN validation": float, "SNN validation": float})


def tuned(records: Sequence[Record]) -> dict[str, Record]:
    """The chosen tuning run of "ANN" and of "SNN", by validation images alone.

    Of the points whose accuracy is within one standard error of the highest, the one with the smallest learning rate, and of
    several the most accurate: the recipe has to carry deeper networks than the one that is tuned, and short runs of few
    steps favour rates that are too large for those.
    """
    by_role: dict[str, list[Record]] = {}
    for record in records:
        by_role.setdefault(_tuned_role(record), []).append(record)
    found = {}
    for role, tried in by_role.items():
        best, error = _highest(tried)
        close = [record for record in tried if _score(record)[0] >= best - error]
        rate = min(tuning_point(record)[0] for record in close)
        found[role] = max((record for record in close if tuning_point(record)[0] == rate), key=_score)
    return found


def most_accurate(records: Sequence[Record]) -> Record:
    """The tuning run with the highest validation accuracy, and of several the one with the lowest validation loss."""
    return max(records, key=_score)


def _highest(records: Sequence[Record]) -> tuple[float, float]:
    """The highest validation accuracy and its binomial standard error."""
    best = _score(most_accurate(records))[0]
    return best, (best * (1 - best) / records[0].spec.data.validation) ** 0.5


def tuning_caption(records: Sequence[Record]) -> str:
    """What was tried, on what, and how much the validation images can tell apart."""
    spec, (_, error) = records[0].spec, _highest(records)
    times = ", ".join(str(steps) for steps in sorted({record.spec.input.steps or 0 for record in records} - {0}))
    return (
        f"{records[0].labels['network']} after {spec.training.epochs} epochs on {spec.data.train:,} images of "
        f"{spec.data.name}, for every learning rate and initialisation gain tried; spiking networks with T = {times}. Accuracy "
        f"on {spec.data.validation:,} validation images, where one standard error is about {100 * error:.1f} points. "
        f"Chosen: the smallest learning rate within one standard error of the best point.{_edges(records)}"
    )


def _edges(records: Sequence[Record]) -> str:
    """Says of which networks the chosen point lies at the edge of what was tried, where a better one may lie beyond."""
    outer = []
    for role, best in tuned(records).items():
        points = [tuning_point(record) for record in records if _tuned_role(record) == role]
        axes = list(zip(tuning_point(best), *points, strict=True))
        if any(len(set(axis)) > 1 and axis[0] in (min(axis), max(axis)) for axis in axes):
            outer.append(role)
    return f" The chosen point of the {' and of the '.join(outer)} lies at the edge of the grid." if outer else ""


def tuning_point(record: Record) -> tuple[float, float]:
    """(learning rate, gain) of a tuning run."""
    return record.spec.training.learning_rate, record.spec.network.gain


def _score(record: Record) -> tuple[float, float]:
    last = record.result["curve"][-1]
    return last["validation_accuracy"], -last["validation_loss"]


def _tuned_role(record: Record) -> str:
    roles = {"tuning-ann": "ANN", "tuning-snn": "SNN"}
    if record.labels["role"] not in roles:
        raise ValueError(f"records must have role tuning-ann or tuning-snn, got {record.labels['role']!r}")
    return roles[record.labels["role"]]
