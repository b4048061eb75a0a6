"""The command line: ``python -m panda2020.runs {list,show,plan,record,verify,import}``."""

from __future__ import annotations

import argparse
import importlib
import json
import math
import random
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from . import provenance, sources, verifications
from .confirming import freshness, standing
from .entry import Entry
from .executing import execute, minutes, results_directory, runs_directory
from .importing import import_record
from .spec import SpecError, from_dict, key, task_of
from .store import Busy, Record, RecordError, Store, StoreError
from .verifying import Verdict, verify


class Usage(Exception):
    """A request that cannot be understood, said in one sentence; exit code 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 1 a run or record that fails, 2 a request that cannot be understood."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        return code
    except (Usage, SpecError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (
        RecordError,
        StoreError,
        provenance.ProvenanceError,
        FileNotFoundError,
    ) as error:  # the last: a data set
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the next attempt goes on from the last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m panda2020.runs", description="List, plan, make and verify recorded runs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, act: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=act)
        sub.add_argument("--results", type=Path, help="directory of the recorded runs (default: results/)")
        sub.add_argument(
            "--runs", type=Path, help="directory of your own runs and of work in progress (default: runs/)"
        )
        sub.add_argument("--grids", default="panda2020.contents", metavar="MODULE", help=argparse.SUPPRESS)
        return sub

    def choice(sub: argparse.ArgumentParser, *, required: bool) -> None:
        sub.add_argument("--profile", required=required, help="scale of the runs: quick, laptop or paper")
        sub.add_argument(
            "--table", nargs="+", action="extend", metavar="N", help="only the runs of these exhibits"
        )
        sub.add_argument(
            "--seeds",
            nargs="+",
            type=int,
            action="extend",
            metavar="S",
            help="only these of the planned seeds; seeds that the profile does not have are never refused",
        )

    sub = command("list", _list, "all recorded runs with what made them")
    sub.add_argument("--json", action="store_true", help="whole records, as a JSON list")
    sub.add_argument("--profile", help="only this profile")

    sub = command("show", _show, "one record")
    sub.add_argument("key", help="the key of the run, or its beginning")
    sub.add_argument("--json", action="store_true", help="the record as it is stored")

    sub = command("plan", _plan, "which runs a table needs, in order, with estimated minutes")
    choice(sub, required=True)

    sub = command("record", _record, "execute the missing runs, most informative first")
    choice(sub, required=False)
    sub.add_argument("--spec", metavar="JSON", help="instead of a profile: this one run")
    sub.add_argument(
        "--minutes", type=float, default=math.inf, metavar="M", help="start nothing that would not fit"
    )
    sub.add_argument("--stale", action="store_true", help="also replace the records made by older sources")
    sub.add_argument("--commit", help="the commit of these sources, where there is no git history")
    sub.add_argument(
        "--allow-dirty", action="store_true", help="record from changed sources; the record says so"
    )
    sub.add_argument("--device", default="cpu", help="cpu, or cuda, which no test covers (default: cpu)")
    sub.add_argument("--threads", type=int, help="CPU threads (default: OMP_NUM_THREADS or all usable cores)")
    sub.add_argument("--quiet", action="store_true", help="no progress bars")

    sub = command(
        "verify",
        _verify,
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
    sub.add_argument("--quiet", action="store_true", help="no progress bars")

    sub = command("import", _import, "take over records made on another machine")
    sub.add_argument(
        "files", nargs="+", type=Path, help="record files, <key>.json, with their arrays beside them"
    )
    sub.add_argument("--commit", required=True, help="the commit they were made at")
    return parser


def _list(options: argparse.Namespace) -> int:
    if options.profile is not None:
        _grids(options)
    records, errors = [], []
    for store in _stores(options):
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
            print(_line(record))
        print(f"{len(records)} records")
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def _show(options: argparse.Namespace) -> int:
    record = _find(options)
    if options.json:
        print(json.dumps(record.data, indent=1, sort_keys=True, ensure_ascii=False))
        return 0
    found = standing(record)
    print(
        f"{_line(record)}\nfile {record.path}, sources {found.state}"
        + (f"\n{found.why}" if found.why else "")
    )
    for name in ("spec", "labels", "result", "provenance", "artifacts"):
        print(f"\n{name}")
        for field, value in record[name].items():
            text = json.dumps(value, ensure_ascii=False)
            print(f"  {field}: {text if len(text) <= 300 else text[:297] + '...'}")
    return 0


def _plan(options: argparse.Namespace) -> int:
    store = _target(options)
    total = missing = done = measured = 0.0
    entries = _entries(options)
    for number, entry in enumerate(entries, 1):
        state, estimate = _state(store, entry), minutes(entry.spec)
        total += estimate
        missing += estimate if state == "missing" else 0
        if state in ("done", "older") and (record := store.read(key(entry.spec))) is not None:
            done, measured = done + estimate, measured + record.provenance["seconds"] / 60
        tables = ",".join(map(str, entry.tables))
        print(f"{number:4d}  {state:10s} {estimate:8.1f} min  {key(entry.spec)}  {entry}  tables {tables}")
    states = [_state(store, entry) for entry in entries]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    print(f"{len(entries)} runs ({counts}); {missing:.1f} of {total:.1f} estimated minutes are still to do")
    if done:
        print(
            f"the recorded ones took {measured / done:.1f} times their estimate, {measured:.1f} minutes for {done:.1f}"
        )
    return 1 if "unreadable" in states else 0


def _record(options: argparse.Namespace) -> int:
    if not options.minutes > 0:
        raise Usage(f"--minutes must be above 0, got {options.minutes:g}")
    if options.threads is not None and options.threads < 1:
        raise Usage(f"--threads must be at least 1, got {options.threads}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", options.device):
        raise Usage(f"--device must be cpu or cuda, got {options.device!r}")
    commit = provenance.commit(options.commit)
    if commit.sha is None:
        raise Usage(f"{commit.note}, so a record could not say what made it: give --commit or SNNCORE_COMMIT")
    if commit.dirty and not options.allow_dirty:
        raise Usage(
            "the sources differ from their commit: commit them, use a git worktree, or give --allow-dirty"
        )
    import torch  # slow, so only now

    if options.device != "cpu" and not torch.cuda.is_available():
        raise Usage(f"--device {options.device} is not available on this machine")
    torch.set_num_threads(options.threads or provenance.usable_cores())
    store, entries = _target(options), _entries(options)
    store.check_writable()
    for task in {task_of(entry.spec) for entry in entries}:
        sources.of_task(task)  # of the code as it is loaded now: hours later, files on disk may have changed
    started, worked, estimated = time.perf_counter(), 0.0, 0.0
    made, failed = 0, []
    for entry in {key(e.spec): e for e in entries}.values():
        state = _state(store, entry)
        if state == "unreadable":
            failed.append(entry)
            print(f"not started: {entry}: {_reason(store, entry)}", file=sys.stderr, flush=True)
        if state != "missing" and not (state == "older" and options.stale):
            continue
        estimate = minutes(entry.spec)
        expected = estimate * (
            worked / estimated if worked > 1 else 1
        )  # in this machine's minutes, once known
        left = options.minutes - (time.perf_counter() - started) / 60
        if expected > left:
            print(
                f"stopped: {max(left, 0):.1f} minutes are left, and {entry} takes about {expected:.1f}",
                flush=True,
            )
            break
        print(f"start {key(entry.spec)} {entry}, about {expected:.1f} min", flush=True)
        began = time.perf_counter()
        try:
            record = execute(
                entry,
                store=store,
                runs=_runs(options),
                device=options.device,
                progress=not options.quiet,
                commit=commit,
                command=None if options.spec else _command(options, entry),
                renew=options.stale,
                wait=False,
            )
        except Busy as busy:
            print(f"skipped {entry}: {busy}", flush=True)
            continue
        except Exception as error:  # one run that fails must not keep the others from being made
            traceback.print_exc()
            print(f"failed: {key(entry.spec)} {entry}: {error}", file=sys.stderr, flush=True)
            failed.append(entry)
            continue
        worked, estimated = worked + (time.perf_counter() - began) / 60, estimated + estimate
        made += 1
        print(f"done  {_line(record)}", flush=True)
    if failed:
        print(f"error: {len(failed)} runs failed: {'; '.join(map(str, failed))}", file=sys.stderr)
    print(f"{made} runs recorded in {store.directory}")
    return 1 if failed else 0


def _verify(options: argparse.Namespace) -> int:
    if sum((options.key is not None, options.sample is not None, options.witness)) != 1:
        raise Usage("verify takes either a key, --sample K or --witness")
    if options.witness:
        records = _witnesses(Store(options.results or results_directory()).read_all()[0])
    elif options.sample is None:
        records = [_find(options)]
    else:
        if options.sample < 1:
            raise Usage(f"--sample must be at least 1, got {options.sample}")
        if options.profile is not None:
            _grids(options)
        known = [record for store in _stores(options) for record in store.read_all()[0]]
        known = [record for record in known if options.profile in (None, record.labels["profile"])]
        if not known:
            raise Usage("there is no record to draw a sample from")
        records = random.SystemRandom().sample(known, min(options.sample, len(known)))
    wrong = 0
    for record in records:
        if why := standing(record).why:
            print(why, file=sys.stderr)
        verdict = verify(record, runs=_runs(options), device=options.device, progress=not options.quiet)
        way = "bit for bit" if verdict.exact else f"within tolerance, as {', '.join(verdict.machine)} differ"
        print(f"{'agrees' if verdict.agrees else 'DIFFERS'} {way}: {_line(record)}", flush=True)
        for difference in verdict.differences:
            print(f"  {difference}")
        wrong += not verdict.agrees
        _log(options, record, verdict)
    return 1 if wrong else 0


def _witnesses(records: Sequence[Record]) -> list[Record]:
    """One record per task and network family, the one that took the least time per epoch; the quickest first."""

    def cost(record: Record) -> tuple[float, str]:
        return record.provenance["seconds"] / len(record.result["curve"]), record.key

    chosen: dict[tuple[str, str], Record] = {}
    for record in sorted(records, key=cost):
        chosen.setdefault((record["task"], verifications.family(record)), record)
    return list(chosen.values())


def _log(options: argparse.Namespace, record: Record, verdict: Verdict) -> None:
    """Add the outcome to the log beside the recorded results, and say whether that was done."""
    results = options.results or results_directory()
    if options.no_log:
        print("  not logged: --no-log")
    elif record.path.parent.resolve() != results.resolve():
        print(f"  not logged: a run of your own, not in {results}")
    else:
        file = results / verifications.NAME
        verifications.append(file, verifications.entry(record, verdict, commit=provenance.commit()))
        print(f"  added to {file} (--no-log keeps it out)", flush=True)


def _import(options: argparse.Namespace) -> int:
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
            print(f"imported {_line(record)}")
    return 1 if failed else 0


def _grids(options: argparse.Namespace) -> ModuleType:
    """The module with the grids of runs, after checking profile and tables against what it knows."""
    grids = importlib.import_module(options.grids)
    profiles = getattr(grids, "PROFILES", None)
    if profiles is None:
        profiles = importlib.import_module("panda2020.profiles").PROFILES
    if options.profile not in profiles:
        raise Usage(f"--profile must be one of {', '.join(profiles)}, got {options.profile!r}")
    tables = [str(table) for table in grids.TABLES]
    for table in getattr(options, "table", None) or ():
        if table not in tables:
            raise Usage(f"--table must be among {', '.join(tables)}, got {table!r}")
    return grids


def _entries(options: argparse.Namespace) -> list[Entry]:
    if getattr(options, "spec", None) is None:
        if options.profile is None:
            raise Usage("record needs --profile or --spec")
        try:
            entries: list[Entry] = _grids(options).entries(options.profile, options.table, options.seeds)
        except ValueError as error:
            raise Usage(str(error)) from None
        if not entries:
            raise Usage(f"no runs of profile {options.profile} fit the given tables and seeds")
        return entries
    if options.profile is not None or options.table or options.seeds:
        raise Usage("--spec stands alone, without --profile, --table and --seeds")
    try:
        fields = json.loads(options.spec)
        task = fields.pop("task")
    except (ValueError, KeyError, AttributeError):
        raise Usage('--spec must be a JSON object with "task" and the fields of the run') from None
    spec = from_dict(task, fields)
    for store in _stores(options):
        if (record := store.read(key(spec))) is not None:  # it has been made before: keep its labels
            return [Entry.labelled(spec, record.labels)]
    return [Entry(spec, network="", role=task, profile="custom", tables=())]


def _command(options: argparse.Namespace, entry: Entry) -> str:
    words = ["python -m panda2020.runs record", f"--profile {entry.profile}"]
    if options.table:
        words.append(f"--table {' '.join(options.table)}")
    if hasattr(entry.spec, "seed"):
        words.append(f"--seeds {entry.spec.seed}")
    return " ".join([*words, "--results remade"])


def _runs(options: argparse.Namespace) -> Path:
    return options.runs or runs_directory()


def _stores(options: argparse.Namespace) -> list[Store]:
    return [Store(options.results or results_directory()), Store(_runs(options))]


def _target(options: argparse.Namespace) -> Store:
    """Where ``record`` writes: quick runs are never stored among the paper's results."""
    if options.results is not None:
        if options.profile == "quick" and options.results.resolve() == results_directory().resolve():
            raise Usage("quick runs are not stored among the recorded results: leave out --results")
        return Store(options.results)
    return Store(_runs(options) if options.profile in ("quick", None) else results_directory())


def _state(store: Store, entry: Entry) -> str:
    try:
        record = store.read(key(entry.spec))
    except RecordError:
        return "unreadable"
    if record is None:
        return "missing"
    return "older" if freshness(record) == "older" else "done"


def _reason(store: Store, entry: Entry) -> str:
    try:
        store.read(key(entry.spec))
    except RecordError as error:
        return str(error)
    return "it is readable now"


def _find(options: argparse.Namespace) -> Record:
    if not re.fullmatch(r"[0-9a-f]{1,16}", options.key):
        raise Usage(f"a key is up to 16 hexadecimal digits, got {options.key!r}")
    places = [
        (store, name)
        for store in _stores(options)
        for name in store.all_keys()
        if name.startswith(options.key)
    ]
    if not places:
        raise Usage(f"no record has a key that begins with {options.key}")
    if len({name for _, name in places}) > 1:
        raise Usage(f"{options.key} is ambiguous: {', '.join(sorted({name for _, name in places}))}")
    record = places[0][0].read(places[0][1])
    if record is None:
        raise Usage(f"no record has the key {options.key}")
    return record


def _line(record: Record) -> str:
    labels, made, result = record.labels, record.provenance, record.result
    seed = record["spec"].get("seed")
    parts: list[Any] = [
        record.key,
        labels["profile"],
        f"tables {','.join(labels['tables']) or '-'}",
        labels["network"] or "-",
        labels["role"],
        *([] if seed is None else [f"seed {seed}"]),
        *(
            [f"accuracy {result['accuracy']:.4f} ({result['correct']}/{result['total']})"]
            if "accuracy" in result
            else []
        ),
        f"commit {(made['commit'] or 'unknown')[:10]}{'+changes' if made['dirty'] else ''}",
        f"{made['device_name']} x{made['threads']}",
        f"{made['seconds']:.1f} s",
        made["date"],
        freshness(record),
    ]
    return "  ".join(map(str, parts))


if __name__ == "__main__":
    if sys.argv[1:2] in (["record"], ["verify"]):
        from .launch import relaunch_with_tuned_malloc

        relaunch_with_tuned_malloc()
    elif hasattr(signal, "SIGPIPE"):  # Windows has none
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "plan | head" ends it without a traceback
    sys.exit(main())
