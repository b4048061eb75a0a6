"""Verify a record: run its first epoch again and compare."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import provenance, sources
from .executing import prepare
from .spec import dumps, task_module
from .store import Record, plain, timeless

ABSOLUTE, RELATIVE = 0.05, 0.10  # on another kind of machine: five points of accuracy, a tenth of a loss


@dataclass(frozen=True)
class Verdict:
    """The result of a verification.

    Attributes:
        exact: whether equal bits were required.
        machine: differences from the machine of the record.
        ran_on: the machine of the comparison (``provenance.machine``).
    """

    agrees: bool
    exact: bool
    machine: tuple[str, ...]
    differences: tuple[str, ...]
    ran_on: Mapping[str, Any]


def verify(record: Record, *, runs: Path, device: str | None = None, progress: bool = True) -> Verdict:
    """Run the first epoch of a record again, with its number of threads, and compare it with the stored learning curve.

    The comparison is bit for bit on the same kind of machine (device, CPU model, threads, version of torch). Elsewhere numbers
    may differ by 0.05 + 10 %, and counts with a ``total`` by 5 % of it.

    Args:
        record: the record.
        runs: directory of work in progress.
        device: None means the record's device, or the CPU if that is not available.
        progress: show a progress bar.
    """
    import torch

    torch.set_num_threads(record.provenance["threads"])
    if device is None:
        device = record.provenance["device"]
        if device != "cpu" and not torch.cuda.is_available():
            device = "cpu"  # the verdict then reports the different device
    work = runs / "work" / f"verify-{record.key}-{os.getpid()}"
    work.mkdir(parents=True)
    try:
        machine = provenance.machine(device)
        source, _ = sources.of_task(record["task"])
        prepare(work, {"source": source, "machine": machine})
        with provenance.deterministic():
            task = task_module(record["task"])
            again = plain(
                task.first_epoch(record.spec, work=work, device=device, progress=progress), "first epoch"
            )
    finally:
        shutil.rmtree(work)
    differing = provenance.same_kind(dict(record.provenance), machine)
    found = compare(timeless(record.result["curve"][0]), timeless(again), exact=not differing)
    return Verdict(not found, not differing, tuple(differing), tuple(found), machine)


def compare(
    stored: Any, again: Any, *, exact: bool, path: str = "curve[0]", total: float | None = None
) -> list[str]:
    """The differences between two pieces of JSON data, as text. Numbers within the tolerance count as equal unless ``exact``."""
    if isinstance(stored, Mapping) and isinstance(again, Mapping) and stored.keys() == again.keys():
        total = stored.get("total")
        pairs = [(f"{path}.{name}", stored[name], again[name]) for name in stored]
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        pairs = [
            (f"{path}[{i}]", one, other) for i, (one, other) in enumerate(zip(stored, again, strict=True))
        ]
    elif dumps(stored) == dumps(again) or (not exact and _near(stored, again, path, total)):
        return []
    else:
        return [f"{path} was {stored!r} and is {again!r}"]
    return [text for place, a, b in pairs for text in compare(a, b, exact=exact, path=place, total=total)]


def _near(stored: Any, again: Any, path: str, total: float | None) -> bool:
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (stored, again)):
        return False
    if path.endswith(".correct") and total is not None:
        return bool(abs(stored - again) <= ABSOLUTE * total)
    return bool(abs(stored - again) <= ABSOLUTE + RELATIVE * abs(stored))
