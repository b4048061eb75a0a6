"""Import records from another machine."""

from __future__ import annotations

import re
from pathlib import Path

from . import sources
from .store import Record, RecordError, Store


def import_record(file: Path, *, store: Store, repository: Path, commit: str) -> Record:
    """Copy one record with its arrays into ``store``, unchanged.

    Args:
        file: the record.
        store: the target.
        repository: the git repository of the sources.
        commit: 40 hexadecimal digits.

    Raises:
        RecordError: a record that is damaged or names another commit, or whose hash of the sources differs from the one
            that the repository gives for the commit.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise RecordError(f"the commit must be given as 40 hexadecimal digits, got {commit!r}")
    record = Store(file.parent).read(file.stem)
    if record is None:
        raise RecordError(f"{file} is not there")
    if record.provenance["commit"] != commit:
        raise RecordError(f"{file} was made at commit {record.provenance['commit']}, not {commit}")
    try:
        expected = sources.at_commit(record["task"], repository, commit)
    except ValueError as error:
        raise RecordError(f"{file} cannot be compared with its commit: {error}") from None
    made, reason = sources.of_record(record.provenance["source"])
    if made is None:
        raise RecordError(f"{file} cannot be compared with its commit: {reason}")
    if made != expected:
        raise RecordError(f"{file} was made by other sources than those of commit {commit}")
    arrays = {name: record.artifact(name) for name in record["artifacts"]}
    data: dict[str, object] = {n: v for n, v in record.data.items() if n not in ("artifacts", "sha256")}
    return store.write(data, arrays)
