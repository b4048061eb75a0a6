"""Which runs are recorded, which are due, and the one loop that makes the due ones."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .confirming import OLDER, freshness
from .entry import Entry
from .spec import key, task_module, task_of
from .store import Busy, Record, RecordError, Store

PROGRAM = "python -m panda2020"


@dataclass(frozen=True)
class Found:
    """The state of one run in the stores: its record, or why the record must not be used, or neither."""

    entry: Entry
    record: Record | None = None
    error: RecordError | None = None

    @property
    def state(self) -> str:
        """ "missing", "unreadable", "older" (made by older sources, and not confirmed by a re-run) or "done"."""
        if self.error is not None:
            return "unreadable"
        if self.record is None:
            return "missing"
        return "older" if freshness(self.record) == OLDER else "done"

    def due(self, *, renew: bool) -> bool:
        """Whether the run must be made.

        Args:
            renew: also replace an older record.
        """
        return self.state in (("missing", "older") if renew else ("missing",))


@dataclass
class Work:
    """The result of the loop. stopped: the reason for an early stop, in words, if any."""

    records: dict[str, Record] = field(default_factory=dict)
    failed: list[Entry] = field(default_factory=list)
    stopped: str = ""


def minutes(spec: Any) -> float:
    """Estimated wall time of a run on two CPU cores."""
    return float(task_module(task_of(spec)).minutes(spec))


def memory(spec: Any) -> float:
    """Estimated peak memory of a run in MiB."""
    return float(task_module(task_of(spec)).memory(spec))


def obstacle(spec: Any, *, most: float = math.inf) -> str:
    """In one sentence, why a run cannot be made: its networks make no sense, or it takes more than ``most`` MiB; else ""."""
    try:
        needed = memory(spec)
        if needed > most:
            return f"the run takes about {needed / 1024:,.1f} GiB of memory, more than the {most / 1024:,.1f} GiB it may take"
        minutes(spec)
    except ValueError as error:
        return str(error)
    return ""


def look_up(entries: Iterable[Entry], places: Callable[[Entry], Sequence[Store]]) -> dict[str, Found]:
    """The state of each run by key, from the first of an entry's places that has it; each run once, in order."""
    found: dict[str, Found] = {}
    for entry in entries:
        if (name := key(entry.spec)) not in found:
            found[name] = _found(name, entry, places(entry))
    return found


def _found(name: str, entry: Entry, places: Sequence[Store]) -> Found:
    try:
        for store in places:
            if (record := store.read(name)) is not None:
                return Found(entry, record)
    except RecordError as error:
        return Found(entry, error=error)
    return Found(entry)


def make(
    due: Sequence[Entry],
    run: Callable[[Entry], Record],
    *,
    max_minutes: float = math.inf,
    say: Callable[[str], None] = lambda text: None,
    failed: Callable[[Entry, Exception], None] | None = None,
) -> Work:
    """Make the runs in order, and stop before the first that would not fit into ``max_minutes``.

    The expected time of a run is its estimate, scaled by the ratio of measured to estimated time of the runs before it.

    Args:
        say: called with a message when a run begins, ends or is left to another process.
        failed: called for a run that fails, and the loop continues; None raises the error.
    """
    work, began, worked, estimated = Work(), time.perf_counter(), 0.0, 0.0
    estimates = [minutes(entry.spec) for entry in due]
    for number, (entry, estimate) in enumerate(zip(due, estimates, strict=True), 1):
        pace = (
            worked / estimated if worked > 1 else 1
        )  # minutes on this machine per estimated minute, once known
        expected, rest = estimate * pace, sum(estimates[number - 1 :]) * pace
        left = max_minutes - (time.perf_counter() - began) / 60
        if expected > left:
            work.stopped = (
                f"{max(left, 0):.1f} minutes are left, and {entry} takes about {expected:.1f}; "
                f"{len(due) - number + 1} of {len(due)} runs are still to do"
            )
            break
        of_all = f" of {rest:.1f} min that are left" if number < len(due) else " min"
        say(f"run {number} of {len(due)}: {entry}, about {expected:.1f}{of_all}")
        start = time.perf_counter()
        try:
            record = run(entry)
        except Busy as busy:
            say(f"skipped {entry}: {busy}")
        except Exception as error:
            if failed is None:
                raise
            work.failed.append(entry)
            failed(entry, error)
        else:
            worked, estimated = worked + (time.perf_counter() - start) / 60, estimated + estimate
            work.records[key(entry.spec)] = record
    return work


def record_commands(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Commands that record these runs: one per exhibit, which makes all of its missing runs."""
    groups = dict.fromkeys((entry.profile, table) for entry in entries for table in entry.tables[:1])
    return tuple(f"{PROGRAM} record --profile {profile} --table {table}" for profile, table in groups)


def listed(entries: Iterable[Entry]) -> list[str]:
    """One line for each run: key, description, estimated minutes."""
    return [f"  {key(entry.spec)}  {entry}, about {minutes(entry.spec):.1f} min" for entry in entries]
