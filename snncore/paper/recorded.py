"""What of an exhibit's grid is recorded, what is missing, and at which scale it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pandas as pd

from ..data import DataConfig
from ..runs import Entry, MissingRuns, Record, collect, key
from ..runs.executing import minutes
from ..runs.tasks import train
from .profiles import profile
from .repeats import seed_of, steps_of


def recorded(entries: Iterable[Entry], *, results: str | Path | None = None) -> tuple[list[Record], list[Entry]]:
    """The records in ``results`` behind ``entries``, and the entries that have none there. Nothing is executed.

    A user's own ``runs/`` are left out. Raises ``RecordError`` for a record that must not be used.
    """
    entries = list(entries)
    try:
        return collect(entries, results=results, own_runs=False), []
    except MissingRuns as gap:
        lacking = {key(entry.spec) for entry in gap.entries}
        present = [entry for entry in entries if key(entry.spec) not in lacking]
        return collect(present, results=results, own_runs=False), gap.entries


def missing_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Runs that nobody has recorded, seeds joined, with the minutes they are estimated to take on two CPU cores."""
    rows: dict[tuple, dict] = {}
    for entry in entries:
        group = (entry.network, entry.note, entry.role, steps_of(entry))
        row = rows.setdefault(group, {"seeds": [], "minutes": 0.0})
        row["seeds"].append(str(seed_of(entry)))
        row["minutes"] += minutes(entry.spec)
    table = pd.DataFrame(
        [
            {
                "network": network,
                "reading": reading_of(note),
                "role": role.upper(),
                "seeds": ", ".join(row["seeds"]),
                "runs": len(row["seeds"]),
                "minutes": row["minutes"],
            }
            for (network, note, role, _), row in rows.items()
        ],
        columns=["network", "reading", "role", "T", "seeds", "runs", "minutes"],
    )
    return table.assign(T=pd.Series([steps for _, _, _, steps in rows], dtype=object))


def reading_of(note: str) -> str:
    """The reading of a network from a label's note: "reading B" -> "B"; networks with one reading have "A"."""
    return note.removeprefix("reading ") or "A"


def scale(records: Sequence[Record]) -> str:
    """Data, width and epochs in words, for captions. Raises ``ValueError`` unless all records share them."""
    texts = {_scale(record.labels["profile"], record.spec) for record in records}
    if len(texts) != 1:
        raise ValueError(f"records must be of one scale, got {'; '.join(sorted(texts)) or 'none'}")
    return texts.pop()


def _scale(name: str, spec: train.Spec) -> str:
    p = profile(name)
    large = replace(spec.data, seed=p.imagenet.seed) == p.imagenet
    width = Fraction(p.imagenet_width if large else p.width).limit_denominator(1000)
    return f"profile {name}: {_data(spec.data)}, networks at {width} of the width, {spec.training.epochs} epochs"


def _data(data: DataConfig) -> str:
    size = f" at {data.size} pixels" if data.size else ""
    return f"{data.name}{size}, {data.train:,} training and {data.test:,} test images"
