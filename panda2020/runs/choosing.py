"""Parse a command's request: its stores, its runs, its records. Any error is one sentence."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from .confirming import freshness
from .entry import Entry
from .executing import results_directory, runs_directory
from .scheduling import obstacle
from .spec import LARGEST, from_dict, key
from .store import Record, Store


class Usage(Exception):
    """A request that cannot be understood; the message is one sentence, the exit code 2."""


class Contents(Protocol):
    """The runs of one paper: its tables, its profiles, and its planned runs (``panda2020.contents``)."""

    @property
    def TABLES(self) -> Any:
        """Names of the tables."""

    @property
    def PROFILES(self) -> Any:
        """Names of the profiles."""

    def entries(
        self, profile: str, tables: Sequence[str] | None, seeds: Sequence[int] | None, /
    ) -> list[Entry]:
        """The planned runs, each once."""


def check_profile(options: argparse.Namespace) -> None:
    """Raise ``Usage`` for a profile or table that the paper does not have."""
    contents = options.contents()
    if options.profile not in contents.PROFILES:
        raise Usage(f"--profile must be one of {', '.join(contents.PROFILES)}, got {options.profile!r}")
    tables = [str(table) for table in contents.TABLES]
    for table in getattr(options, "table", None) or ():
        if table not in tables:
            raise Usage(f"--table must be among {', '.join(tables)}, got {table!r}")


def entries_of(options: argparse.Namespace) -> list[Entry]:
    """The requested runs, by profile or by spec."""
    if getattr(options, "spec", None) is not None:
        return [_from_spec(options)]
    if options.profile is None:
        raise Usage("record needs --profile or --spec")
    check_profile(options)
    for seed in options.seeds or ():
        if not 0 <= seed <= LARGEST["seed"]:
            raise Usage(f"--seeds must be between 0 and {LARGEST['seed']}, got {seed}")
    if options.stage is not None and options.table:
        raise Usage("--stage stands without --table")
    contents = options.contents()
    try:
        entries: list[Entry] = (
            contents.entries(options.profile, options.table, options.seeds)
            if options.stage is None
            else contents.stage(options.profile, options.stage, options.seeds)
        )
    except ValueError as error:
        raise Usage(str(error)) from None
    if not entries:
        raise Usage(f"no runs of profile {options.profile} fit the given tables and seeds")
    return entries


def _from_spec(options: argparse.Namespace) -> Entry:
    if options.profile is not None or options.table or options.seeds or options.stage is not None:
        raise Usage("--spec stands alone, without --profile, --table, --stage and --seeds")
    try:
        fields = json.loads(options.spec)
        task = fields.pop("task")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise Usage('--spec must be a JSON object with "task" and the fields of the run') from None
    try:
        spec = from_dict(task, fields)
        key(spec)
    except ValueError as error:
        raise Usage(str(error)) from None
    if said := obstacle(spec):
        raise Usage(said)
    for store in stores_of(options):
        if (record := store.read(key(spec))) is not None:  # already recorded: keep its labels
            return Entry.labelled(spec, record.labels)
    return Entry(spec, network="", role=task, profile="custom", tables=())


def work_directory(options: argparse.Namespace) -> Path:
    """The directory of work in progress."""
    return options.runs or runs_directory()


def stores_of(options: argparse.Namespace) -> list[Store]:
    """The recorded results, then the user's own runs."""
    return [Store(options.results or results_directory()), Store(work_directory(options))]


def target(options: argparse.Namespace) -> Store:
    """The store that ``record`` writes to. Quick runs are never stored among the paper's results."""
    if options.results is not None:
        if options.profile == "quick" and options.results.resolve() == results_directory().resolve():
            raise Usage("quick runs are not stored among the recorded results: leave out --results")
        return Store(options.results)
    return Store(work_directory(options) if options.profile in ("quick", None) else results_directory())


def find(options: argparse.Namespace) -> Record:
    """The one record whose key begins as given."""
    if not re.fullmatch(r"[0-9a-f]{1,16}", options.key):
        raise Usage(f"a key is up to 16 hexadecimal digits, got {options.key!r}")
    places = [
        (store, name)
        for store in stores_of(options)
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


def line(record: Record) -> str:
    """One record in one line."""
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
