"""The public log of verifications: which records were run again, when, by which sources, and what came out.

``results/verifications.jsonl`` has one JSON object per line, in the order of time; results/README.md lists its
fields. A line is written by one call under a lock, so that two writers never mix, and carries the hash of its
other fields, so that a torn or edited line is named when the log is read and never counted.
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

FORMER = (
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
)

FIELDS = (*FORMER, "task", "family", "source")

READABLE = {
    1: sorted(FORMER),
    SCHEMA: sorted(FIELDS),
}  # schema 1 does not say by which sources a record was run again


def entry(record: Record, verdict: Verdict, *, commit: provenance.Commit) -> dict[str, Any]:
    """What the log says of one verification that has just ended. commit: of the sources that ran the record again."""
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
    """The networks that one re-run may speak for: "VGG with BackRes, snn with stochmax".

    Made from the labels: letters of the network's name, whether it has BackRes blocks, the first word of the role, and
    whether stochmax is in it.
    """
    network, words = record.labels["network"], record.labels["role"].split("-")
    letters = re.match(r"[A-Za-z]*", network)[0]  # type: ignore[index]
    backres = bool(re.match(r"[A-Za-z]+\d+x\d", network)) or "backres" in words
    return f"{letters}{' with BackRes' * backres}, {words[0]}{' with stochmax' * ('stochmax' in words[1:])}"


def append(file: Path, line: Mapping[str, Any]) -> None:
    """Add one sealed ``entry`` to the log; whole or not at all. Raise ``StoreError`` where that cannot be done.

    After a line that was torn by a crash a new one begins, so that the torn one spoils nothing but itself.
    """
    try:
        with FileLock(file.with_name(f".{file.name}.lock"), mode=0o644) as held:
            try:
                _append(file, dumps(line).encode() + b"\n")
            finally:
                with contextlib.suppress(OSError):  # Windows keeps what is open
                    Path(held.lock_file).unlink()
    except OSError as error:
        raise StoreError(f"{file} cannot be written ({error.strerror})") from None


def _append(file: Path, content: bytes) -> None:
    """Add the line, or leave the file as it was."""
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    size = os.fstat(handle).st_size
    try:
        if size > 0:
            os.lseek(handle, size - 1, os.SEEK_SET)
            content = (b"\n" if os.read(handle, 1) != b"\n" else b"") + content  # after a line that is torn
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
    """The log's entries in their order, and a sentence for every line that cannot be used; both empty without a log."""
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
    if type(line["schema"]) is not int or line["schema"] not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise ValueError(f"has schema {line['schema']!r}; this version reads {known}")
    if sorted(line) != READABLE[line["schema"]]:
        wanted = ", ".join(READABLE[line["schema"]])
        raise ValueError(f"is no verification: its fields are not {wanted}")
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
