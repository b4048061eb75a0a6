"""Which runs are recorded, which are due, and the one loop that makes those that are."""

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
    """What the stores hold of one run: its record, or why the record must not be used, or neither."""

    entry: Entry
    record: Record | None = None
    error: RecordError | None = None

    @property
    def state(self) -> str:
        """ "missing", "unreadable", "older" (made by older sources, and no re-run confirms it) or "done"."""
        if self.error is not None:
            return "unreadable"
        if self.record is None:
            return "missing"
        return "older" if freshness(self.record) == OLDER else "done"

    def due(self, *, renew: bool) -> bool:
        """Whether the run is still to be made. renew: also where an older record would be replaced."""
        return self.state in (("missing", "older") if renew else ("missing",))


@dataclass
class Work:
    """What the loop did. stopped: why it stopped before the end, in words, if it did."""

    records: dict[str, Record] = field(default_factory=dict)
    failed: list[Entry] = field(default_factory=list)
    stopped: str = ""


def minutes(spec: Any) -> float:
    """Estimated wall time of a run on two CPU cores."""
    return float(task_module(task_of(spec)).minutes(spec))


def memory(spec: Any) -> float:
    """Estimated largest memory of a run in MiB."""
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
    """Key -> what the first of an entry's places that has the run says of it; each run once, in order."""
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

    A run is expected to take its estimate times what those before it took of theirs. say: told what begins, ends or is left
    to another process. failed: told of a run that fails, and the others go on; without it the error is raised.
    """
    work, began, worked, estimated = Work(), time.perf_counter(), 0.0, 0.0
    estimates = [minutes(entry.spec) for entry in due]
    for number, (entry, estimate) in enumerate(zip(due, estimates, strict=True), 1):
        pace = worked / estimated if worked > 1 else 1  # this machine's minutes in one estimated, once known
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
    """What records these runs: one command per exhibit, which makes all of its missing runs, these among them."""
    groups = dict.fromkeys((entry.profile, table) for entry in entries for table in entry.tables[:1])
    return tuple(f"{PROGRAM} record --profile {profile} --table {table}" for profile, table in groups)


def listed(entries: Iterable[Entry]) -> list[str]:
    """One line for each run: key, what it is, estimated minutes."""
    return [f"  {key(entry.spec)}  {entry}, about {minutes(entry.spec):.1f} min" for entry in entries]
