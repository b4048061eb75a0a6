"""From entries to records: look them up, or execute the missing ones."""

from __future__ import annotations

import datetime
import json
import math
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from snncore.precision import warn_unless_bfloat16_pays

from . import provenance, sources
from .confirming import freshness, standing
from .entry import Entry
from .outcome import Outcome
from .scheduling import PROGRAM, listed, look_up, make, minutes, record_commands
from .spec import canonical, dumps, key, task_of, to_dict
from .store import Record, RecordError, Store, discard, empty, lock, plain
from .torchrun import run_task
from .weights import weights_file

LIVE, RECORDED = "live", "recorded"

CONFIRMED, OLDER = "recorded-confirmed", "recorded-by-older-sources"


class MissingRuns(LookupError):
    """Runs that an exhibit needs and that are not recorded.

    Attributes:
        entries: the runs.
        minutes: their estimated time.
    """

    def __init__(self, message: str, entries: list[Entry], minutes: float) -> None:
        super().__init__(message)
        self.entries, self.minutes = entries, minutes


class OutOfTime(RuntimeError):
    """The next run does not fit into ``max_minutes``; the runs before it are recorded."""


def results_directory() -> Path:
    """The directory ``results/`` of the recorded runs of the paper's tables."""
    return provenance.home() / "results"


def runs_directory() -> Path:
    """The directory ``runs/`` of the user's own runs, work directories and cached weights."""
    return provenance.home() / "runs"


def remake_command(entry: Entry) -> str:
    """The command that makes this run again, into ``remade/``."""
    return f"{PROGRAM} record --spec {shlex.quote(canonical(entry.spec))} --results remade"


def command_of(record: Record) -> str:
    """The command that makes a record's run again, into ``remade/``.

    It is made from the labels, because records hold the command of their time.
    """
    spec, labels = record["spec"], record.labels
    if not spec:  # a benchmark, not a run
        return str(record.provenance["command"])
    if labels["profile"] == "custom" or not labels["tables"]:
        return (
            f"{PROGRAM} record --spec {shlex.quote(dumps({'task': record['task'], **spec}))} --results remade"
        )
    seeds = f" --seeds {spec['seed']}" if "seed" in spec else ""
    return f"{PROGRAM} record --profile {labels['profile']} --table {labels['tables'][0]}{seeds} --results remade"


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
    """Execute one run and store its record. If another process was faster, return the stored record.

    On an error the work directory ``runs/work/<key>/`` stays, and the next attempt continues from its checkpoints.

    Args:
        renew: let the new record replace one made by older sources.
        wait: wait for another process that holds the run.

    Raises:
        Busy: another process holds the run and ``wait`` is False.
        RecordError: a result that cannot be stored.
    """
    name, task = key(entry.spec), task_of(entry.spec)
    store.check_writable()
    with lock(runs, name, wait=wait) as work:
        store.remove_leftovers(name)
        stored = store.read(name)
        if stored is not None and not (renew and freshness(stored) == "older"):
            discard(work)
            return stored
        source, modules = sources.of_task(task)
        machine = provenance.machine(device)
        resumed = prepare(work, {"source": source, "machine": machine})
        if not resumed:  # so that everything in a record was made in this attempt, not in an earlier run
            weights_file(entry.spec, work).unlink(missing_ok=True)
        if device == "cpu" and _mixes_precision(to_dict(entry.spec)):
            warn_unless_bfloat16_pays()
        started = time.perf_counter()
        with provenance.deterministic():
            outcome = run_task(entry.spec, work=work, device=device, progress=progress)
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
                    "protocol": provenance.PROTOCOL_VERSION,
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
    """The records behind ``entries``, in order, each with a tag.

    The tag is "live", "recorded", "recorded-confirmed" or "recorded-by-older-sources". Records of the paper's profiles are
    looked up in ``results`` and then, unless ``own_runs`` is False, in ``runs``; "quick" ones only in ``runs``. "live" is a
    run from ``runs`` with the current sources.

    Args:
        run_missing: execute missing runs into ``runs``, and also quick runs whose sources have changed.
        max_minutes: time limit for that; None for no limit.

    Raises:
        MissingRuns: records are missing and ``run_missing`` is False; lists them and their estimated time.
        OutOfTime: the next run would not fit into ``max_minutes``.
        RecordError: a record that must not be used.
    """
    entries = list(entries)
    if max_minutes is not None and not max_minutes >= 0:
        raise ValueError(f"max_minutes must be a number of at least 0 or None, got {max_minutes!r}")
    public = Store(results_directory() if results is None else results)
    own = Store(runs_directory() if runs is None else runs)

    def places(entry: Entry) -> list[Store]:
        shared = [public] if entry.profile != "quick" else []
        return shared + ([own] if own_runs or run_missing else [])

    found = look_up(entries, places)
    for one in found.values():
        if one.error is not None:
            raise one.error
    due = [one.entry for one in found.values() if one.due(renew=run_missing and one.entry.profile == "quick")]
    if due and not run_missing:
        raise _missing(due)

    def run(entry: Entry) -> Record:
        renew = entry.profile == "quick"
        return execute(entry, store=own, runs=own.directory, device=device, progress=progress, renew=renew)

    def say(text: str) -> None:
        if progress:
            print(text, file=sys.stderr, flush=True)

    limit = math.inf if max_minutes is None else max_minutes
    work = make(due, run, max_minutes=limit, say=say)
    if work.stopped:
        raise OutOfTime(f"of max_minutes={max_minutes:g}, {work.stopped}")
    records = {name: work.records.get(name, one.record) for name, one in found.items()}
    pairs = ((records[key(entry.spec)], entry) for entry in entries)
    return [tagged(record, public, entry) for record, entry in pairs if record is not None]


def tagged(record: Record, public: Store, entry: Entry) -> Record:
    """The record with the tag and labels for ``entry``. ``public`` holds the recorded runs."""
    found = standing(record)
    here = RECORDED if record.path.parent == public.directory else LIVE
    tag = {"current": here, "confirmed": CONFIRMED, "older": OLDER}[found.state]
    return record.tagged(tag, entry.labels, why=found.why, witnesses=found.witnesses)


def _missing(entries: list[Entry]) -> MissingRuns:
    total = sum(minutes(entry.spec) for entry in entries)
    lines = [
        f"{len(entries)} runs are missing, about {total:.1f} minutes:",
        *listed(entries),
        "run_missing=True makes them here, or on the command line:",
        *(f"  {command}" for command in record_commands(entries)),
    ]
    return MissingRuns("\n".join(lines), entries, total)


def prepare(work: Path, stamp: Mapping[str, Any]) -> bool:
    """Keep the files of an interrupted attempt if it ran under the same conditions. Return whether there are any."""
    file = work / "stamp.json"
    try:
        same = json.loads(file.read_text()) == stamp
    except (FileNotFoundError, ValueError):
        same = False
    if not same:
        empty(work)
        file.write_text(json.dumps(stamp))
    return any(path.name not in ("lock", "stamp.json") for path in work.iterdir())


def _mixes_precision(spec: Any) -> bool:
    """Return whether any part of a spec trains in mixed precision."""
    if isinstance(spec, Mapping):
        return spec.get("mixed_precision") is True or any(map(_mixes_precision, spec.values()))
    return isinstance(spec, list) and any(map(_mixes_precision, spec))


def _checked(outcome: Outcome) -> dict[str, Any]:
    result: dict[str, Any] = plain(outcome.result)
    if not isinstance(result.get("curve"), list) or not result["curve"]:
        raise RecordError("result.curve must be a list with at least one entry")
    if not isinstance(result.get("data"), dict) or not isinstance(result["data"].get("sha256"), str):
        raise RecordError("result.data.sha256 must name the data that the run used")
    if "accuracy" in result and result["accuracy"] != result.get("correct", -1) / result.get("total", 1):
        raise RecordError("result.accuracy must be result.correct / result.total")
    return result
