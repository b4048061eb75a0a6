"""Runs: a frozen spec, its key, its execution, and the verified record.

``collect(entries)`` gives the records behind an exhibit; the commands of ``python -m panda2020`` list,
plan, make and verify them.
"""

from __future__ import annotations

from .confirming import freshness
from .entry import Entry
from .executing import MissingRuns, OutOfTime, collect, execute, results_directory, runs_directory
from .outcome import Outcome
from .spec import SpecError, from_dict, key, register, to_dict
from .store import Busy, Record, RecordError, Store, StoreError

register("train-head", "panda2020.tasks.train_head")

# in addition to the kinds in ``spec.TASKS``
register("binary", "panda2020.tasks.binary")

register("gradients", "panda2020.tasks.gradients")

__all__ = [
    "Busy",
    "Entry",
    "MissingRuns",
    "OutOfTime",
    "Outcome",
    "Record",
    "RecordError",
    "SpecError",
    "Store",
    "StoreError",
    "collect",
    "execute",
    "freshness",
    "from_dict",
    "key",
    "register",
    "results_directory",
    "runs_directory",
    "to_dict",
]
