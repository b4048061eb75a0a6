"""The public log of verifications: which records were run again, when, with which sources, and with what result.

``results/verifications.jsonl`` has one JSON object per line, in order of time; results/README.md lists its
fields. Each line is written by one call under a lock, so that two writers never mix, and holds the hash of its
other fields, so that a torn or edited line is reported when the log is read and never counted.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from . import provenance, schema, sources
from .spec import dumps
from .store import Record, StoreError, read_file, seal

if TYPE_CHECKING:
    from .verifying import Verdict


NAME = "verifications.jsonl"

SCHEMA = 2

FIELDS = (
    "schema",
    "date",
    "key",
    "record_sha256",
    "commit",
    "dirty",
    "sources",
    "machine",
    "exact",
    "differing",
    "agrees",
    "differences",
    "sha256",
    "task",
    "family",
    "source",
)


def entry(record: Record, verdict: Verdict, *, commit: provenance.Commit) -> dict[str, Any]:
    """The log's fields for one finished verification.

    Args:
        commit: of the sources that ran the record again.
    """
    now = sources.of_task(record["task"])[0]
    return seal(
        {
            "schema": SCHEMA,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "key": record.key,
            "record_sha256": record["sha256"],
            "commit": commit.sha,
            "dirty": commit.dirty,
            "task": record["task"],
            "family": family(record),
            "source": now,
            "sources": "current" if sources.of_record(record.provenance["source"])[0] == now else "older",
            "machine": dict(verdict.ran_on),
            "exact": verdict.exact,
            "differing": list(verdict.machine),
            "agrees": verdict.agrees,
            "differences": list(verdict.differences),
        }
    )


def family(record: Record) -> str:
    """The network family for which one re-run counts, such as "VGG with BackRes, snn with stochmax".

    It is made from the labels: letters of the network's name, whether it has BackRes blocks, the first word of the role, and
    whether the role contains stochmax.
    """
    network, words = record.labels["network"], record.labels["role"].split("-")
    letters = re.match(r"[A-Za-z]*", network)[0]  # type: ignore[index]
    backres = bool(re.match(r"[A-Za-z]+\d+x\d", network)) or "backres" in words
    return f"{letters}{' with BackRes' * backres}, {words[0]}{' with stochmax' * ('stochmax' in words[1:])}"


def append(file: Path, line: Mapping[str, Any]) -> None:
    """Append one sealed ``entry`` to the log, completely or not at all.

    After a line that a crash has torn, a new line begins, so that only the torn line is lost.

    Raises:
        StoreError: the log cannot be written.
    """
    try:
        with FileLock(file.with_name(f".{file.name}.lock"), mode=0o644) as held:
            try:
                _append(file, dumps(line).encode() + b"\n")
            finally:
                with contextlib.suppress(OSError):  # Windows cannot remove open files
                    Path(held.lock_file).unlink()
    except OSError as error:
        raise StoreError(f"{file} cannot be written ({error.strerror})") from None


def _append(file: Path, content: bytes) -> None:
    """Append the line, or leave the file unchanged."""
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    size = os.fstat(handle).st_size
    try:
        if size > 0:
            os.lseek(handle, size - 1, os.SEEK_SET)
            content = (b"\n" if os.read(handle, 1) != b"\n" else b"") + content  # after a torn line
        written = os.write(handle, content)
        os.fsync(handle)
        if written != len(content):
            raise OSError(errno.ENOSPC, f"only {written} of {len(content)} bytes")
    except OSError:
        os.ftruncate(handle, size)
        if size == 0:
            file.unlink()
        raise
    finally:
        os.close(handle)


def read(file: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The log's entries in order, and a sentence for every unusable line. Both are empty without a log."""
    if not file.exists():
        return [], []
    entries, faults = [], []
    for number, text in enumerate(read_file(file).splitlines(), 1):
        if not text.strip():  # nothing was said, so nothing is lost
            continue
        try:
            entries.append(_entry(text))
        except ValueError as error:
            faults.append(f"{file.name} line {number} {error}")
    return entries, faults


def _entry(text: bytes) -> dict[str, Any]:
    """One line of the log; raise ``ValueError`` with what is wrong with it, beginning with a verb."""
    try:
        line = schema.parse(text)
    except ValueError as error:
        raise ValueError(f"is torn: {error}") from None
    if not isinstance(line, dict) or "schema" not in line:
        raise ValueError("is no verification: it names no schema")
    if type(line["schema"]) is not int or line["schema"] != SCHEMA:
        raise ValueError(f"has schema {line['schema']!r}; this version reads {SCHEMA}")
    if sorted(line) != sorted(FIELDS):
        raise ValueError(f"is no verification: its fields are not {', '.join(sorted(FIELDS))}")
    try:
        whole = seal(line)["sha256"] == line["sha256"]
    except ValueError:
        raise ValueError("holds text that is no Unicode") from None
    if not whole:
        raise ValueError("was changed after it was written: its hash does not fit its content")
    try:
        schema.check_verification(line)
    except ValueError as error:
        raise ValueError(f"is no verification: {error}") from None
    return line
