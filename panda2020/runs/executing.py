"""From entries to records: look them up, or execute what is missing."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import provenance, sources
from .confirming import freshness, standing
from .entry import Entry
from .outcome import Outcome
from .spec import canonical, key, task_module, task_of, to_dict
from .store import Record, RecordError, Store, discard, empty, lock, plain
from .weights import weights_file

LIVE, RECORDED = "live", "recorded"

CONFIRMED, OLDER = "recorded-confirmed", "recorded-by-older-sources"


class MissingRuns(LookupError):
    """Runs that an exhibit needs and nobody has recorded. ``entries`` and ``minutes`` say which and how long
    they take.
    """

    def __init__(self, message: str, entries: list[Entry], minutes: float) -> None:
        super().__init__(message)
        self.entries, self.minutes = entries, minutes


class OutOfTime(RuntimeError):
    """The next run does not fit into ``max_minutes``; the runs before it are recorded."""


def results_directory() -> Path:
    """``results/``: the recorded runs of the paper's tables."""
    return provenance.home() / "results"


def runs_directory() -> Path:
    """``runs/``: the user's own runs, work directories and cached weights."""
    return provenance.home() / "runs"


def minutes(spec: Any) -> float:
    """Estimated wall time of a run on two CPU cores."""
    return float(task_module(task_of(spec)).minutes(spec))


def remake_command(entry: Entry) -> str:
    """The command that makes this run again, into ``remade/``."""
    return f"python -m panda2020.runs record --spec {shlex.quote(canonical(entry.spec))} --results remade"


def execute(
    entry: Entry,
    *,
    store: Store,
    runs: Path,
    device: str = "cpu",
    progress: bool = True,
    commit: provenance.Commit | None = None,
    command: str | None = None,
    renew: bool = False,
    wait: bool = True,
) -> Record:
    """Execute one run and store its record; return the stored one if another process has been faster.

    ``renew`` lets the new record take the place of one made by older sources. Raise ``Busy`` where another
    process holds the run and ``wait`` is False, ``RecordError`` for a result that cannot be stored, and
    whatever the task raises; the work directory ``runs/work/<key>/`` then stays, and the next attempt goes on
    from its checkpoints.
    """
    name, task = key(entry.spec), task_of(entry.spec)
    store.check_writable()
    with lock(runs, name, wait=wait) as work:
        stored = store.read(name)
        if stored is not None and not (renew and freshness(stored) == "older"):
            discard(work)
            return stored
        source, modules = sources.of_task(task)
        machine = provenance.machine(device)
        resumed = prepare(work, {"source": source, "machine": machine})
        if not resumed:  # what a record says to have made was made then, not taken from an earlier run
            weights_file(entry.spec, work).unlink(missing_ok=True)
        started = time.perf_counter()
        with provenance.deterministic():
            outcome = task_module(task).execute(entry.spec, work=work, device=device, progress=progress)
        seconds = time.perf_counter() - started
        made_by = provenance.commit() if commit is None else commit
        record = store.write(
            {
                "key": name,
                "task": task,
                "spec": to_dict(entry.spec),
                "labels": entry.labels,
                "result": _checked(outcome),
                "provenance": {
                    "commit": made_by.sha,
                    "dirty": made_by.dirty,
                    "commit_note": made_by.note,
                    "source": {"version": sources.VERSION, "sha256": source, "modules": list(modules)},
                    "data_sha256": outcome.result["data"]["sha256"],
                    **machine,
                    "seconds": round(seconds, 3),
                    "resumed": resumed,
                    "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                    "command": command or remake_command(entry),
                },
            },
            outcome.artifacts,
            supersede=stored,
        )
        discard(work)
        return record


def collect(
    entries: Iterable[Entry],
    *,
    run_missing: bool = False,
    max_minutes: float | None = None,
    results: str | Path | None = None,
    runs: str | Path | None = None,
    own_runs: bool = True,
    device: str = "cpu",
    progress: bool = True,
) -> list[Record]:
    """The records behind ``entries``, in order, each tagged "live", "recorded", "recorded-confirmed" or
    "recorded-by-older-sources".

    Records of the paper's profiles are looked for in ``results`` and then, unless ``own_runs`` is False, in
    ``runs``; "quick" ones in ``runs`` alone. With ``run_missing``, what is missing is executed into ``runs``,
    and so are quick runs whose sources have changed. "live" is a run from ``runs`` with the sources in use
    now. Without ``run_missing`` raise ``MissingRuns``, which lists what is missing and how long it would
    take; raise ``OutOfTime`` before a run that would not fit into ``max_minutes``, and ``RecordError`` for a
    record that must not be used.
    """
    entries = list(entries)
    if max_minutes is not None and not max_minutes >= 0:
        raise ValueError(f"max_minutes must be a number of at least 0 or None, got {max_minutes!r}")
    public = Store(results_directory() if results is None else results)
    own = Store(runs_directory() if runs is None else runs)
    found = {
        key(entry.spec): _look_up(entry, public, own if own_runs or run_missing else None)
        for entry in entries
    }
    asked: dict[str, Entry] = {}
    for entry in entries:
        asked.setdefault(key(entry.spec), entry)
    missing = [entry for name, entry in asked.items() if found[name] is None]
    if missing and not run_missing:
        raise _missing(missing)
    due = {
        name: entry
        for name, entry in asked.items()
        if found[name] is None or (run_missing and entry.profile == "quick" and _is_older(found[name]))
    }
    started = time.perf_counter()
    for number, (name, entry) in enumerate(due.items(), 1):
        estimate = minutes(entry.spec)
        if max_minutes is not None:
            left = max_minutes - (time.perf_counter() - started) / 60
            if estimate > left:
                raise OutOfTime(
                    f"max_minutes={max_minutes:g} leaves {max(left, 0):.1f} minutes, "
                    f"and {entry} takes about {estimate:.1f}; "
                    f"{len(due) - number + 1} of {len(due)} runs are still to do"
                )
        if progress:
            print(
                f"run {number} of {len(due)}: {entry}, about {estimate:.1f} min", file=sys.stderr, flush=True
            )
        found[name] = execute(
            entry,
            store=own,
            runs=own.directory,
            device=device,
            progress=progress,
            renew=entry.profile == "quick",
        )
    records = ((found[key(entry.spec)], entry) for entry in entries)
    return [tagged(record, public, entry) for record, entry in records if record is not None]


def _look_up(entry: Entry, public: Store, own: Store | None) -> Record | None:
    record = public.read(key(entry.spec)) if entry.profile != "quick" else None
    return own.read(key(entry.spec)) if record is None and own is not None else record


def tagged(record: Record, public: Store, entry: Entry) -> Record:
    """The record as an exhibit that asks for ``entry`` shows it; ``public`` holds the recorded runs."""
    found = standing(record)
    here = RECORDED if record.path.parent == public.directory else LIVE
    tag = {"current": here, "confirmed": CONFIRMED, "older": OLDER}[found.state]
    return record.tagged(tag, entry.labels, why=found.why, witnesses=found.witnesses)


def _is_older(record: Record | None) -> bool:
    return record is not None and freshness(record) == "older"


def _missing(entries: list[Entry]) -> MissingRuns:
    total = sum(minutes(entry.spec) for entry in entries)
    lines = [f"  {key(entry.spec)}  {entry}, about {minutes(entry.spec):.1f} min" for entry in entries]
    groups = sorted({(entry.profile, table) for entry in entries for table in entry.tables[:1]})
    commands = [
        f"  python -m panda2020.runs record --profile {profile} --table {table}" for profile, table in groups
    ]
    message = f"{len(entries)} runs are missing, about {total:.1f} minutes:\n" + "\n".join(lines)
    return MissingRuns(
        message + "\nrun_missing=True makes them here, or on the command line:\n" + "\n".join(commands),
        entries,
        total,
    )


def prepare(work: Path, stamp: Mapping[str, Any]) -> bool:
    """Keep what an interrupted attempt left if it was made under the same conditions; say whether there is
    anything.
    """
    file = work / "stamp.json"
    try:
        same = json.loads(file.read_text()) == stamp
    except (FileNotFoundError, ValueError):
        same = False
    if not same:
        empty(work)
        file.write_text(json.dumps(stamp))
    return any(path.name not in ("lock", "stamp.json") for path in work.iterdir())


def _checked(outcome: Outcome) -> dict[str, Any]:
    result: dict[str, Any] = plain(outcome.result)
    if not isinstance(result.get("curve"), list) or not result["curve"]:
        raise RecordError("result.curve must be a list with at least one entry")
    if not isinstance(result.get("data"), dict) or not isinstance(result["data"].get("sha256"), str):
        raise RecordError("result.data.sha256 must name the data that the run used")
    if "accuracy" in result and result["accuracy"] != result.get("correct", -1) / result.get("total", 1):
        raise RecordError("result.accuracy must be result.correct / result.total")
    return result
