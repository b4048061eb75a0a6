"""The commands about runs: list, show, plan, record, verify, import (``python -m panda2020``)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import random
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from . import provenance, sources, torchrun, verifications
from .choosing import Usage, check_profile, entries_of, find, line, stores_of, target, work_directory
from .confirming import freshness, standing
from .entry import Entry
from .executing import execute, results_directory
from .importing import import_record
from .scheduling import PROGRAM, Found, look_up, make, memory, minutes, obstacle
from .spec import SpecError, key, task_of, to_dict
from .store import Record, RecordError, Store, StoreError, discard_finished
from .verifying import Verdict, verify

#: Errors that end in one sentence: the first are errors of the request, the second of the environment.
REQUESTS = (Usage, SpecError)
FAILURES = (
    RecordError,
    StoreError,
    provenance.ProvenanceError,
    OSError,
)  # OSError: no data set, a full disk

MOST_THREADS = max(64, os.cpu_count() or 1)

#: Command -> examples, shown in its help.
EXAMPLES = {
    "list": ("list", "list --profile laptop", "list --json > records.json"),
    "show": ("show 0123", "show 0123 --json"),
    "plan": (
        "plan --profile quick",
        "plan --profile laptop --table 8 10 --seeds 0",
        "plan --profile paper --json",
    ),
    "record": (
        "record --profile quick --table 8",
        "record --profile laptop --minutes 60",
        "record --profile paper --table 2 --device cuda",
    ),
    "verify": ("verify 0123", "verify --sample 3", "verify --witness --json"),
    "import": ('import elsewhere/results/*.json --commit "$(git rev-parse HEAD)"',),
}


def examples(lines: Sequence[str]) -> str:
    """The examples in the help of a command."""
    return "examples:\n" + "\n".join(f"  {PROGRAM} {words}" for words in lines)


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the commands about runs to a parser.

    Args:
        common: the options that all commands share.
    """

    def command(name: str, act: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=text,
            description=text,
            parents=[common],
            epilog=examples(EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=act)
        sub.add_argument("--results", type=Path, help="directory of the recorded runs (default: results/)")
        sub.add_argument(
            "--runs", type=Path, help="directory of your own runs and of work in progress (default: runs/)"
        )
        return sub

    def choice(sub: argparse.ArgumentParser, *, required: bool) -> None:
        sub.add_argument(
            "--profile", required=required, help="scale of the runs: quick, laptop, paper or first"
        )
        sub.add_argument(
            "--table", nargs="+", action="extend", metavar="N", help="only the runs of these exhibits"
        )
        sub.add_argument(
            "--stage", help="instead of --table: the runs of one stage of the protocol, pilot or R1 to R8"
        )
        sub.add_argument(
            "--seeds",
            nargs="+",
            type=int,
            action="extend",
            metavar="S",
            help="only these of the planned seeds; seeds that the profile does not have are never refused",
        )

    sub = command("list", list_runs, "all recorded runs with what made them")
    sub.add_argument("--json", action="store_true", help="whole records, as a JSON list")
    sub.add_argument("--profile", help="only this profile")

    sub = command("show", show_runs, "one record")
    sub.add_argument("key", help="the key of the run, or its beginning")
    sub.add_argument("--json", action="store_true", help="the record as it is stored")

    sub = command("plan", plan_runs, "which runs a table needs, in order, with estimated minutes")
    choice(sub, required=True)
    sub.add_argument(
        "--json", action="store_true", help="the runs with their specs, estimated time and memory, as JSON"
    )

    sub = command("record", record_runs, "execute the missing runs, most informative first")
    choice(sub, required=False)
    sub.add_argument("--spec", metavar="JSON", help="instead of a profile: this one run")
    sub.add_argument("--key", help="of the profile's runs, only the one with this key (plan shows the keys)")
    sub.add_argument(
        "--minutes", type=float, default=math.inf, metavar="M", help="start nothing that would not fit"
    )
    sub.add_argument("--stale", action="store_true", help="also replace the records made by older sources")
    sub.add_argument("--commit", help="the commit of these sources, where there is no git history")
    sub.add_argument(
        "--allow-dirty", action="store_true", help="record from changed sources; the record says so"
    )
    sub.add_argument(
        "--device", default="cpu", help="cpu or cuda (default: cpu); python -m bench.gpu_check checks a GPU"
    )
    sub.add_argument("--threads", type=int, help="CPU threads (default: OMP_NUM_THREADS or all usable cores)")
    sub.add_argument(
        "--memory", type=float, metavar="GIB", help="what a run may take (default: all that the device has)"
    )
    sub.add_argument("--quiet", action="store_true", help="no progress bars")

    sub = command(
        "verify",
        verify_runs,
        "run the first epoch again and compare it with the record; of recorded results, the outcome is added "
        f"to {verifications.NAME} beside them",
    )
    sub.add_argument("key", nargs="?", help="the key of the run, or its beginning")
    sub.add_argument("--sample", type=int, metavar="K", help="instead of a key: K records drawn at random")
    sub.add_argument("--profile", help="draw from this profile only")
    sub.add_argument(
        "--witness",
        action="store_true",
        help="instead of a key: one record per task and network family, to confirm the others after a change of code",
    )
    sub.add_argument("--device", help="cpu or cuda (default: as recorded)")
    sub.add_argument("--no-log", action="store_true", help="do not add the outcome to the log")
    sub.add_argument("--json", action="store_true", help="the outcomes, as a JSON list")
    sub.add_argument("--quiet", action="store_true", help="no progress bars")

    sub = command("import", import_runs, "take over records made on another machine")
    sub.add_argument(
        "files", nargs="+", type=Path, help="record files, <key>.json, with their arrays beside them"
    )
    sub.add_argument("--commit", required=True, help="the commit they were made at")


def list_runs(options: argparse.Namespace) -> int:
    """Print all recorded runs."""
    if options.profile is not None:
        check_profile(options)
    records, errors = [], []
    for store in stores_of(options):
        good, bad = store.read_all()
        records += [record for record in good if options.profile in (None, record.labels["profile"])]
        errors += bad
    if options.json:
        described = [
            {**r.data, "file": str(r.path), "freshness": freshness(r), "why": standing(r).why}
            for r in records
        ]
        print(json.dumps(described, indent=1, ensure_ascii=False))
    else:
        for record in records:
            print(line(record))
        print(f"{len(records)} records")
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def show_runs(options: argparse.Namespace) -> int:
    """Print one record."""
    record = find(options)
    if options.json:
        print(json.dumps(record.data, indent=1, sort_keys=True, ensure_ascii=False))
        return 0
    found = standing(record)
    print(
        f"{line(record)}\nfile {record.path}, sources {found.state}" + (f"\n{found.why}" if found.why else "")
    )
    for name in ("spec", "labels", "result", "provenance", "artifacts"):
        print(f"\n{name}")
        for field, value in record[name].items():
            text = json.dumps(value, ensure_ascii=False)
            print(f"  {field}: {text if len(text) <= 300 else text[:297] + '...'}")
    return 0


def plan_runs(options: argparse.Namespace) -> int:
    """Print the planned runs, and which of them are missing."""
    store = target(options)
    total = missing = done = measured = 0.0
    found = look_up(entries_of(options), lambda entry: [store])
    if options.json:
        runs = [_planned(name, one) for name, one in found.items()]
        where = {"results": str(store.directory), "work": str(work_directory(options))}
        print(json.dumps({"profile": options.profile, **where, "runs": runs}, indent=1, ensure_ascii=False))
        return 1 if any(one.error is not None for one in found.values()) else 0
    for number, (name, one) in enumerate(found.items(), 1):
        state, estimate = one.state, minutes(one.entry.spec)
        total += estimate
        missing += estimate if state == "missing" else 0
        if one.record is not None:
            done, measured = done + estimate, measured + one.record.provenance["seconds"] / 60
        tables = ",".join(map(str, one.entry.tables))
        print(f"{number:4d}  {state:10s} {estimate:8.1f} min  {name}  {one.entry}  tables {tables}")
    states = [one.state for one in found.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    print(f"{len(found)} runs ({counts}); {missing:.1f} of {total:.1f} estimated minutes are still to do")
    if done:
        ratio = measured / done
        print(
            f"the recorded ones took {ratio:.1f} times their estimate, {measured:.1f} minutes for {done:.1f}"
        )
    return 1 if "unreadable" in states else 0


def _planned(name: str, one: Found) -> dict[str, Any]:
    """One run of a plan as JSON data. trains: the key of the training run whose network it makes or starts from."""
    spec = one.entry.spec
    return {
        "key": name,
        "state": one.state,
        "minutes": round(minutes(spec), 3),
        "mem_mb": round(memory(spec)),
        "task": task_of(spec),
        "trains": key(getattr(spec, "ann", spec)),
        **one.entry.labels,
        "spec": to_dict(spec),
    }


def record_runs(options: argparse.Namespace) -> int:
    """Make the runs that are due."""
    commit = _checked(options)
    import torch  # slow, so only now

    if options.device != "cpu" and not torch.cuda.is_available():
        raise Usage(f"--device {options.device} is not available on this machine")
    if torchrun.asked() > 1:
        _check_processes(options, torch.cuda.device_count())
    torch.set_num_threads(options.threads or provenance.usable_cores())
    with torchrun.group(options.device) as first:
        return _record(options, commit) if first else torchrun.follow(options.device)


def _record(options: argparse.Namespace, commit: provenance.Commit) -> int:
    store, entries = target(options), _with_key(options, entries_of(options))
    store.check_writable()
    for task in {task_of(entry.spec) for entry in entries}:
        sources.of_task(
            task
        )  # hash the loaded code now, because files on disk may change during hours of computing
    found = look_up(entries, lambda entry: [store]).values()
    done = [key(one.entry.spec) for one in found if one.record is not None]
    discard_finished(work_directory(options), done)
    due = [one.entry for one in found if one.due(renew=options.stale)]
    most = provenance.memory_of(options.device) if options.memory is None else options.memory * 1024
    obstacles = {key(entry.spec): said for entry in due if (said := obstacle(entry.spec, most=most))}
    if options.spec is not None and obstacles:
        raise Usage(f"{obstacles.popitem()[1]}; --memory GIB allows more")
    kept_back = [(one.entry, str(one.error)) for one in found if one.error is not None]
    kept_back += [(entry, obstacles[key(entry.spec)]) for entry in due if key(entry.spec) in obstacles]
    for entry, reason in kept_back:
        print(f"not started: {entry}: {reason}", file=sys.stderr, flush=True)

    def run(entry: Entry) -> Record:
        record = execute(
            entry,
            store=store,
            runs=work_directory(options),
            device=options.device,
            progress=not options.quiet,
            commit=commit,
            command=None if options.spec else _command(options, entry),
            renew=options.stale,
            wait=False,
        )
        print(f"done  {line(record)}", flush=True)
        return record

    def failed(entry: Entry, error: Exception) -> None:  # a failed run must not stop the others
        if options.debug or not isinstance(error, (ValueError, *FAILURES)):
            traceback.print_exception(error)
        print(f"failed: {key(entry.spec)} {entry}: {error}", file=sys.stderr, flush=True)
        if torchrun.asked() > 1:  # the state of the other processes is unknown, so torchrun ends them
            raise SystemExit(1)

    due = [entry for entry in due if key(entry.spec) not in obstacles]
    work = make(due, run, max_minutes=options.minutes, say=_say, failed=failed)
    if work.stopped:
        _say(f"stopped: {work.stopped}")
    if wrong := [entry for entry, _ in kept_back] + work.failed:
        print(f"error: {len(wrong)} runs failed: {'; '.join(map(str, wrong))}", file=sys.stderr)
    print(f"{len(work.records)} runs recorded in {store.directory}")
    return 1 if wrong else 0


def _check_processes(options: argparse.Namespace, gpus: int) -> None:
    """Raise ``Usage`` unless every process that torchrun has started here gets a device."""
    if options.device not in ("cpu", "cuda"):
        raise Usage(
            f"--device must be cpu or cuda under torchrun, which gives each process its GPU, got {options.device}"
        )
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if options.device == "cuda" and here > gpus:
        raise Usage(f"torchrun must start at most {gpus} processes on a node with {gpus} GPUs, got {here}")


def _with_key(options: argparse.Namespace, entries: list[Entry]) -> list[Entry]:
    """The one run whose key begins as given, or all runs without a key."""
    if options.key is None:
        return entries
    if options.spec is not None:
        raise Usage("--spec stands alone, without --key")
    found = [entry for entry in entries if key(entry.spec).startswith(options.key)]
    if len(found) != 1:
        raise Usage(
            f"--key must be the key of one planned run, or its beginning, got {options.key!r}, which fits {len(found)}"
        )
    return found


def _say(text: str) -> None:
    print(text, flush=True)


def _checked(options: argparse.Namespace) -> provenance.Commit:
    """The commit to record from, after a check of the options."""
    if not options.minutes > 0:
        raise Usage(f"--minutes must be above 0, got {options.minutes:g}")
    if options.threads is not None and not 1 <= options.threads <= MOST_THREADS:
        raise Usage(f"--threads must be between 1 and {MOST_THREADS}, got {options.threads}")
    if options.memory is not None and not options.memory > 0:
        raise Usage(f"--memory must be above 0, got {options.memory:g}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", options.device):
        raise Usage(f"--device must be cpu or cuda, got {options.device!r}")
    commit = provenance.commit(options.commit)
    if commit.sha is None:
        raise Usage(f"{commit.note}, so a record could not say what made it: give --commit or SNNCORE_COMMIT")
    if commit.dirty and not options.allow_dirty:
        raise Usage(
            "the sources differ from their commit: commit them, use a git worktree, or give --allow-dirty"
        )
    return commit


def _command(options: argparse.Namespace, entry: Entry) -> str:
    words = [f"{PROGRAM} record", f"--profile {entry.profile}"]
    if options.key is not None:
        return " ".join([*words, f"--key {key(entry.spec)}", "--results remade"])
    if options.table:
        words.append(f"--table {' '.join(options.table)}")
    if hasattr(entry.spec, "seed"):
        words.append(f"--seeds {entry.spec.seed}")
    return " ".join([*words, "--results remade"])


def verify_runs(options: argparse.Namespace) -> int:
    """Run first epochs again, compare them with the records, and log the outcome."""
    if sum((options.key is not None, options.sample is not None, options.witness)) != 1:
        raise Usage("verify takes either a key, --sample K or --witness")
    if options.witness:
        records = _witnesses(Store(options.results or results_directory()).read_all()[0])
    elif options.sample is None:
        records = [find(options)]
    else:
        if options.sample < 1:
            raise Usage(f"--sample must be at least 1, got {options.sample}")
        if options.profile is not None:
            check_profile(options)
        known = [record for store in stores_of(options) for record in store.read_all()[0]]
        known = [record for record in known if options.profile in (None, record.labels["profile"])]
        if not known:
            raise Usage("there is no record to draw a sample from")
        records = random.SystemRandom().sample(known, min(options.sample, len(known)))
    outcomes = []
    out = sys.stderr if options.json else sys.stdout
    for number, record in enumerate(records):
        if len(records) > 1:
            left = sum(map(_epoch_minutes, records[number:]))
            print(
                f"record {number + 1} of {len(records)}, about {left:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
        if why := standing(record).why:
            print(why, file=sys.stderr)
        verdict = verify(
            record, runs=work_directory(options), device=options.device, progress=not options.quiet
        )
        way = "bit for bit" if verdict.exact else f"within tolerance, as {', '.join(verdict.machine)} differ"
        print(f"{'agrees' if verdict.agrees else 'DIFFERS'} {way}: {line(record)}", file=out, flush=True)
        for difference in verdict.differences:
            print(f"  {difference}", file=out)
        outcomes.append({"key": record.key, **dataclasses.asdict(verdict)})
        _log(options, record, verdict, out)
    if options.json:
        print(json.dumps(outcomes, indent=1, ensure_ascii=False))
    return 0 if all(outcome["agrees"] for outcome in outcomes) else 1


def _epoch_minutes(record: Record) -> float:
    """Time of one epoch, or step, of the run, on the machine that recorded it."""
    return float(record.provenance["seconds"] / len(record.result["curve"]) / 60)


def _witnesses(records: Sequence[Record]) -> list[Record]:
    """One record per task and network family, the one with the fastest epoch; the fastest first."""

    def cost(record: Record) -> tuple[float, str]:
        return _epoch_minutes(record), record.key

    chosen: dict[tuple[str, str], Record] = {}
    for record in sorted(records, key=cost):
        chosen.setdefault((record["task"], verifications.family(record)), record)
    return list(chosen.values())


def _log(options: argparse.Namespace, record: Record, verdict: Verdict, out: TextIO) -> None:
    """Add the outcome to the log beside the recorded results, and print whether that was done."""
    results = options.results or results_directory()
    if options.no_log:
        print("  not logged: --no-log", file=out)
    elif record.path.parent.resolve() != results.resolve():
        print(f"  not logged: a run of your own, not in {results}", file=out)
    else:
        file = results / verifications.NAME
        verifications.append(file, verifications.entry(record, verdict, commit=provenance.commit()))
        print(f"  added to {file} (--no-log keeps it out)", file=out, flush=True)


def import_runs(options: argparse.Namespace) -> int:
    """Import records."""
    failed = 0
    for file in options.files:
        try:
            store = Store(options.results or results_directory())
            record = import_record(
                file, store=store, repository=provenance.source_tree(), commit=options.commit
            )
        except (RecordError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
        else:
            print(f"imported {line(record)}")
    return 1 if failed else 0
