"""The public log of verifications: which records were run again, when, by which sources, and what came out.

``results/verifications.jsonl`` has one JSON object per line, in the order of time; results/README.md lists its
fields. A line is written by one call under a lock, so that two writers never mix, and carries the hash of its
other fields, so that a torn or edited line is named when the log is read and never counted.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import provenance
from .executing import freshness
from .spec import dumps
from .store import Record, StoreError, seal
from .verifying import Verdict

NAME = "verifications.jsonl"
SCHEMA = 1
FIELDS = ("schema", "date", "key", "record_sha256", "commit", "dirty", "sources", "machine", "exact", "differing", "agrees",
          "differences", "sha256")


def entry(record: Record, verdict: Verdict, *, commit: provenance.Commit) -> dict[str, Any]:
    """What the log says of one verification that has just ended. commit: of the sources that ran the record again."""
    return seal({
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "key": record.key,
        "record_sha256": record["sha256"],
        "commit": commit.sha,
        "dirty": commit.dirty,
        "sources": freshness(record),
        "machine": dict(verdict.ran_on),
        "exact": verdict.exact,
        "differing": list(verdict.machine),
        "agrees": verdict.agrees,
        "differences": list(verdict.differences),
    })


def append(file: Path, line: Mapping[str, Any]) -> None:
    """Add one sealed ``entry`` to the log; whole or not at all. Raise ``StoreError`` where that cannot be done.

    After a line that was torn by a crash a new one begins, so that the torn one spoils nothing but itself.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"{file} cannot be written ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        content = (b"\n" if torn else b"") + dumps(line).encode() + b"\n"
        try:
            written = os.write(handle, content)
            os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, size)
            raise StoreError(f"{file} cannot be written ({error.strerror})") from None
        if written != len(content):
            os.ftruncate(handle, size)
            raise StoreError(f"{file} cannot be written (only {written} of {len(content)} bytes)")
    finally:
        os.close(handle)  # which releases the lock


def read(file: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The log's entries in their order, and a sentence for every line that cannot be used; both empty without a log."""
    if not file.exists():
        return [], []
    entries, faults = [], []
    for number, text in enumerate(file.read_bytes().splitlines(), 1):
        try:
            line = json.loads(text)
        except ValueError:
            faults.append(f"{file.name} line {number} is torn: it is not complete JSON")
            continue
        if not isinstance(line, dict) or sorted(line) != sorted(FIELDS):
            faults.append(f"{file.name} line {number} is no verification: its fields are not {', '.join(FIELDS)}")
        elif line["schema"] != SCHEMA:
            faults.append(f"{file.name} line {number} has schema {line['schema']!r}; this version reads schema {SCHEMA}")
        elif seal(line)["sha256"] != line["sha256"]:
            faults.append(f"{file.name} line {number} was changed after it was written: its hash does not fit its content")
        else:
            entries.append(line)
    return entries, faults
