"""Tables of the chapter "beyond the paper": latency coding, binary networks, unstated choices, and energy with memory.

Two runs that are compared share network, T, seed, data and recipe, and differ in what their roles say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from panda2020 import statistics
from panda2020.agd.recipes import CHANCE
from panda2020.energy import tables as energy_tables
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.exhibit import origin
from panda2020.exhibits.numbers import between
from panda2020.records import (
    Place,
    accuracy_columns,
    accuracy_estimate,
    by_place,
    difference_columns,
    difference_estimate,
    mean_or_none,
    shown_name,
)
from panda2020.runs import Record
from panda2020.samples import LEARNT, Sample, sample_of
from snncore.energy import SRAM

from .claims import BINARY_PAIRS

#: Views of ``role_table``.
ACCURACY = (
    "network",
    "T",
    "role",
    "accuracy",
    "reference",
    "difference",
    "difference, 95 %",
    "difference over",
    "pairs",
    "origin",
)

ENERGY = (
    "network",
    "T",
    "role",
    "accuracy",
    "EE",
    "EE ratio",
    "energy (nJ)",
    "energy ratio",
    "spikes per image",
    "spike ratio",
    "input spikes",
)


#: Conventions of ``hidden_table`` in the order in which more is counted.
STAGES = ("paper", "physical", "full", "full + memory")


def role_table(records: Sequence[Record], *, reference: str = "snn") -> pd.DataFrame:
    """Every role beside the ``reference`` role of the same network and T (views: ``ACCURACY``, ``ENERGY``).

    accuracy, reference: means over the seeds that both have, and so for all other means; without a pair, and for the reference's
    own row, over all seeds. difference: in points, paired by seed and test image, with its two
    intervals (95 %). EE: convention paper, int32 prices, against the ANN of the same shape. energy: of the spiking network
    under convention full (neuron updates included). spikes: of all neurons over all T steps, without the input's, which
    "input spikes" are. Ratios are means of paired ratios.
    """
    runs = by_place(records)
    rows = []
    for (name, reading, role, steps), seeds in runs.items():
        base = runs.get(Place(name, reading, reference, steps), {})
        both = sorted(seeds.keys() & base.keys())
        row: dict[str, Any] = {"network": name, "reading": reading, "T": steps, "role": role}
        used = [seeds[seed] for seed in both or seeds]
        row["accuracy"] = mean_or_none([run.result["accuracy"] for run in used])
        if role != reference:
            row |= {name: difference_columns(seeds, base)[name] for name in ACCURACY[5:8]}
            row["reference"] = mean_or_none([base[seed].result["accuracy"] for seed in both or base])
            row["pairs"] = len(both)
        for column, of in (("EE", _efficiency), ("energy (nJ)", _energy), ("spikes per image", _spikes)):
            row[column] = mean_or_none([of(run) for run in used])
            if role != reference:
                ratio = (
                    column.replace("energy (nJ)", "energy").replace("spikes per image", "spike") + " ratio"
                )
                row[ratio] = _ratio([(of(seeds[seed]), of(base[seed])) for seed in both])
        row["input spikes"] = mean_or_none([_input_spikes(run) for run in used])
        row["origin"] = origin(list(seeds.values()))
        rows.append(row)
    columns = [*dict.fromkeys((*ACCURACY, *ENERGY)), "reading"]
    words = ("network", "T", "role", "difference, 95 %", "difference over", "pairs", "origin", "reading")
    return pd.DataFrame(rows, columns=columns).astype(
        {column: float for column in columns if column not in words}
    )


def codes_layout(records: Sequence[Record]) -> pd.DataFrame:
    """Latency code beside Poisson code, a row per network and T: accuracies in per cent with intervals, their paired difference
    in points, and ratios (latency over Poisson, means of paired ratios) of input spikes, all other spikes, and energy under
    convention full."""
    runs = by_place(records)
    rows = []
    for (name, reading, role, steps), late in runs.items():
        base = runs.get(Place(name, reading, "snn", steps), {})
        both = sorted(late.keys() & base.keys())
        if role != "snn-latency" or not both:
            continue
        pairs = [(late[seed], base[seed]) for seed in both]
        rows.append(
            {
                "network": shown_name(name),
                "T": steps,
                "Poisson, %": Beside(accuracy_estimate({seed: base[seed] for seed in both})),
                "latency, %": Beside(accuracy_estimate({seed: late[seed] for seed in both})),
                "latency − Poisson, points": Beside(difference_estimate(late, base)),
                "input spikes, times": _ratio([(_input_spikes(a), _input_spikes(b)) for a, b in pairs]),
                "other spikes, times": _ratio([(_spikes(a), _spikes(b)) for a, b in pairs]),
                "energy, times": _ratio([(_energy(a), _energy(b)) for a, b in pairs]),
            }
        )
    return pd.DataFrame(rows)


def code_sentence(records: Sequence[Record]) -> str:
    """What the latency code does to accuracy and spikes, in one sentence; empty without a pair."""
    table = codes_layout(records)
    if table.empty:
        return ""
    changes = [cell.ours.mean for cell in table["latency − Poisson, points"]]
    spikes, energy = (table[column].dropna() for column in ("other spikes, times", "energy, times"))
    said = f"A latency code changes accuracy by {between(min(changes), max(changes), '+.1f')} points"
    if len(spikes) and len(energy):
        said += (
            f", the spikes inside the network to {between(spikes.min(), spikes.max(), '.2f')} times and its energy to "
            f"{between(energy.min(), energy.max(), '.2f')} times those of a Poisson code"
        )
    return f"{said} (networks of Table 8 at their first T)."


def binary_table(records: Sequence[Record]) -> pd.DataFrame:
    """Binary networks, one row each: accuracy, the share of active neurons, and the memory of the weights.

    "learnt": how many seeds are clearly above chance (``evidence.LEARNT``). "weights (kB)": one bit for a binary weight and 32
    for a real one; "all real": 32 for each.
    """
    rows = []
    for (name, _, role, _), seeds in by_place(records).items():
        run = next(iter(seeds.values()))
        first, parameters = run.result, Sample(run, 1, run.result).parameters
        sites = {site: found for site, found in first["activity"].items() if site != "input"}
        real = parameters - first["binary_parameters"]
        rows.append(
            {
                "network": name,
                "role": role,
                **accuracy_columns(list(seeds.values())),
                "learnt": sum(Sample(run, 1, run.result).at_chance is False for run in seeds.values()),
                "active neurons": float(np.mean([found["rate"] for found in sites.values()])),
                "weights (kB)": (first["binary_parameters"] / 8 + 4 * real) / 1000,
                "all real (kB)": 4 * parameters / 1000,
                "origin": origin(list(seeds.values())),
            }
        )
    return pd.DataFrame(rows)


def added_layout(records: Sequence[Record]) -> pd.DataFrame:
    """What BackRes, stochmax and both change against the plain binary network with softmax, in points, paired; a row per plain
    network of which any is recorded."""
    runs = {(name, role): seeds for (name, _, role, _), seeds in by_place(records).items()}
    rows = []
    for shared, plain in BINARY_PAIRS:
        base = runs.get((plain, "binary"), {})
        row: dict[str, Any] = {
            "plain network": shown_name(plain),
            "with BackRes": shown_name(shared),
        }
        for what, name, role in (
            ("BackRes", shared, "binary"),
            ("stochmax", plain, "binary-stochmax"),
            ("both", shared, "binary-stochmax"),
        ):
            other = runs.get((name, role), {})
            paired = bool(other.keys() & base.keys())
            row[f"{what} adds, points"] = Beside(difference_estimate(other, base) if paired else None)
        if any(cell.ours is not None for cell in row.values() if isinstance(cell, Beside)):
            rows.append(row)
    return pd.DataFrame(rows)


def hidden_table(records: Sequence[Record]) -> pd.DataFrame:
    """What the paper's convention hides: EE of spiking networks step by step nearer to the hardware, mean over seeds with an ANN.

    "paper", "physical", "full": the conventions; "full + memory": with every access to on-chip SRAM counted; "same memory": where
    both sides spend on memory what the ANN's accesses cost. "spikes' share": of the energy under "full", without neuron
    updates. The intervals of the first four (95 %) are over seeds. Spiking runs without their ANN are left out; the table may be
    empty.
    """
    runs = by_place(records)
    rows = []
    for (name, reading, role, steps), seeds in runs.items():
        anns = runs.get(Place(name, reading, "ann", None), {})
        found = [
            energy_tables.measured(run, anns[seed])
            for seed, run in seeds.items()
            if role == "snn" and seed in anns
        ]
        if not found:
            continue
        values: dict[str, list[float]] = {}
        for m in found:
            plain, counted = m.report("full"), m.report("full", memory=SRAM)
            extra = counted.ann - plain.ann
            for column, value in (
                ("paper", m.report("paper").efficiency),
                ("physical", m.report("physical").efficiency),
                ("full", plain.efficiency),
                ("full + memory", counted.efficiency),
                ("same memory", (plain.ann + extra) / (plain.snn + extra)),
                ("memory / none", counted.efficiency / plain.efficiency),
                ("spikes' share", m.report("physical").snn / plain.snn),
            ):
                values.setdefault(column, []).append(value)
        means: dict[str, Any] = {column: float(np.mean(several)) for column, several in values.items()}
        for column in STAGES:
            means[f"{column}, 95 %"] = statistics.estimate(values[column], ratio=True).interval
        accuracy = float(np.mean([m.accuracy for m in found]))
        rows.append(
            {
                "network": name,
                "reading": reading,
                "T": steps,
                "accuracy": accuracy,
                **means,
                "seeds": len(found),
            }
        )
    return pd.DataFrame(rows)


def hidden_finding(table: pd.DataFrame) -> list[str]:
    """What ``hidden_table`` says, in sentences."""
    if table.empty:
        return ["No spiking network is recorded beside its ANN."]
    said = []
    for column, words in (
        ("memory / none", "accesses counted"),
        (None, "the same memory energy on both sides"),
    ):
        ratio = table["same memory"] / table["full"] if column is None else table[column]
        same = int(((ratio - 1).abs() <= 0.05).sum())
        said.append(
            f"With {words}, EE is between {ratio.min():.2f} and {ratio.max():.2f} times what it is without memory; it stays "
            f"within a twentieth for {same} of {len(table)} networks."
        )
    below, change = int((table["full + memory"] < 1).sum()), table["full"] / table["paper"]
    said.append(
        f"From convention paper to convention full EE changes by a factor of {between(change.min(), change.max(), '.2f')}; "
        f"with every access counted and none reused, {below} of {len(table)} spiking networks need more energy than their ANN."
    )
    return said


def gradient_finding(table: pd.DataFrame, runs: Mapping[str, Record]) -> list[str]:
    """What ``gradients.gradient_table`` says at the last epoch of each network, in sentences; ``runs`` by network.

    Of a network that is at chance by then nothing is said but that.
    """
    said = []
    for name, course in table.groupby("network", sort=False):
        last = course[course["epoch"] == course["epoch"].max()]
        after = f"{name} after {last['epoch'].iloc[0]} epochs"
        accuracy = runs[name].result["curve"][-1]["validation_accuracy"]
        if accuracy <= CHANCE + LEARNT:
            said.append(
                f"{after}: at chance ({accuracy:.1%} on validation images), so its gradients say nothing."
            )
            continue
        same, own, other = last[["to the other steps", "to itself", "others, other batches"]].mean()
        like = "more" if own > other else "no more"
        said.append(
            f"{after} ({accuracy:.1%} on validation images): cosine between different steps {same:.2f} on the same images; on "
            f"other images a step is {like} like itself ({own:.2f}) than like the others ({other:.2f})."
        )
    return said


def _ratio(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The mean ratio; None where there is no pair, or where one is without spikes to divide by."""
    return float(np.mean([a / b for a, b in pairs])) if pairs and all(b > 0 for _, b in pairs) else None


def _efficiency(record: Record) -> float:
    return sample_of(record).report().efficiency


def _energy(record: Record) -> float:
    return energy_tables.NJ * sample_of(record).report("full").snn


def _spikes(record: Record) -> float:
    sample = sample_of(record)
    sizes: Mapping[str, float] = {p.site: float(np.prod(p.out_shape)) for p in sample.passes}
    return float(record.result["steps"] * sum(sizes[site] * rate for site, rate in sample.rates.items()))


def _input_spikes(record: Record) -> float:
    shape = sample_of(record).passes[0].source_shapes[0]
    return float(record.result["steps"] * record.result["activity"]["input"]["rate"] * np.prod(shape))
