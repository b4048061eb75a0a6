"""The pilot of the protocol (section 3): learning rates and number of epochs, chosen by validation images only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from panda2020.runs import Entry, Record

from .grid import PILOT_RATES, PILOT_SCHEDULES

CLOSE = 0.005  # difference in accuracy: of all rates this close to the best, the smallest is chosen

LEARNT = 0.8  # training accuracy of a network that has learnt (section 4)

KINDS = ("ANN", "SNN sum", "SNN mean")


@dataclass(frozen=True)
class Choice:
    """The result of the pilot.

    Attributes:
        rates: learning rate by kind of network.
        epochs: number of epochs, the same for ANN and SNN.
    """

    rates: dict[str, float]
    epochs: int


def kind(record: Record) -> str:
    """The entry of ``KINDS`` that a run of the pilot belongs to."""
    return "ANN" if record.labels["role"] == "pilot-ann" else f"SNN {record.spec.network.readout}"


def best_validation(record: Record) -> float:
    """Validation accuracy of the best epoch."""
    return max(float(entry["validation_accuracy"]) for entry in record.result["curve"])


def pilot_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per kind, network and learning rate: mean validation accuracy of the best epoch, and the number of runs.

    ANNs have one run per seed and schedule, spiking networks one per seed.
    """
    rows = [
        {
            "kind": kind(record),
            "network": record.labels["network"],
            "learning rate": record.spec.training.learning_rate,
            "validation accuracy": best_validation(record),
            "training accuracy": float(record.result["train_accuracy"]),
        }
        for record in records
    ]
    if not rows:
        return pd.DataFrame(
            columns=["kind", "network", "learning rate", "validation accuracy", "training accuracy", "runs"]
        )
    found = pd.DataFrame(rows).groupby(["kind", "network", "learning rate"], sort=True)
    table = found.mean()
    table["runs"] = found.size()
    return table.reset_index()


def choose(records: Sequence[Record]) -> Choice:
    """The learning rates and the number of epochs that the protocol's rule takes from a complete pilot.

    Raises:
        ValueError: a kind, rate or schedule that has no run, or rates with different numbers of runs.
    """
    rates = {}
    for name in KINDS:
        by_rate: dict[float, list[float]] = {rate: [] for rate in PILOT_RATES}
        for record in records:
            if kind(record) == name:
                by_rate[record.spec.training.learning_rate].append(best_validation(record))
        counts = {rate: len(found) for rate, found in by_rate.items()}
        if 0 in counts.values() or len(set(counts.values())) > 1:
            raise ValueError(f"records must hold as many {name} runs at every learning rate, got {counts}")
        means = {rate: fmean(found) for rate, found in by_rate.items()}
        rates[name] = min(rate for rate, mean in means.items() if mean >= max(means.values()) - CLOSE)
    short, usual = PILOT_SCHEDULES
    tried = [
        record
        for record in records
        if kind(record) == "ANN"
        and record.spec.training.learning_rate == rates["ANN"]
        and record.spec.training.epochs == short
    ]
    if not tried:
        raise ValueError(
            f"records must hold ANNs with {short} epochs, got none at a rate of {rates['ANN']:g}"
        )
    return Choice(rates, short if all(has_learnt(record) for record in tried) else usual)


def has_learnt(record: Record) -> bool:
    """Return whether a run meets section 4 of the protocol: training accuracy, or a best epoch before the last tenth."""
    kept, epochs = record.result["kept_epoch"], record.spec.training.epochs
    return float(record.result["train_accuracy"]) >= LEARNT or kept <= 0.9 * epochs


def pilot_sentences(records: Sequence[Record], missing: Sequence[Entry]) -> list[str]:
    """What the pilot has chosen, in words; while runs of it are missing, how many."""
    if missing:
        whole = len(records) + len(missing)
        return [
            f"{len(records)} of the {whole} runs of the protocol's pilot are recorded; it chooses nothing before all are."
        ]
    found = choose(records)
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in found.rates.items())
    return [f"The protocol's pilot chose {found.epochs} epochs and the learning rates {rates}."]
