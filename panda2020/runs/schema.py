"""The schema of records, checked before anything in a record is used."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]


class Artifact(Struct, forbid_unknown_fields=True):
    """One set of arrays stored beside the record."""

    file: str
    sha256: Hash
    bytes: Count


class Labels(Struct, forbid_unknown_fields=True):
    """The run's place in the paper."""

    network: str
    role: str
    profile: str
    tables: list[str]
    note: str = ""
    interpretation: str = "A"


class Source(Struct):
    """The sources of the run."""

    sha256: str
    version: int = 1


class Provenance(Struct):
    """The provenance fields that are used."""

    source: Source
    seconds: Annotated[float, Meta(ge=0)]
    threads: Annotated[int, Meta(ge=1, le=4096)] = 1
    device: Annotated[str, Meta(pattern=r"^(cpu|cuda(:[0-9]+)?)$")] = "cpu"
    device_name: str = ""
    commit: str | None = None
    dirty: bool | None = None
    date: str = ""
    command: str = ""
    versions: dict[str, str | None] = {}


class Data(Struct):
    """The data that the run used."""

    sha256: str


class Result(Struct):
    """The fields that the results of all tasks share."""

    curve: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    data: Data
    accuracy: Annotated[float, Meta(ge=0, le=1)] | None = None
    correct: Count | None = None
    total: Count | None = None


class Whole(Struct, forbid_unknown_fields=True):
    """A whole record."""

    schema: Literal[1, 2]
    key: Key
    task: str
    spec: dict[str, Any]
    labels: Labels
    result: Result
    provenance: Provenance
    artifacts: dict[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+$")], Artifact]
    sha256: Hash


def parse(content: bytes) -> Any:
    """Parse JSON in UTF-8 with unique names, finite numbers and limited depth.

    Raises:
        ValueError: anything else; the message says what is wrong.
    """
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_finite)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError:
        raise ValueError("it is not complete JSON") from None


def check(data: Any) -> None:
    """Check that the data has the fields and types of a record.

    Raises:
        ValueError: names the place that does not.
    """
    try:
        msgspec.convert(data, Whole)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _finite(text: str) -> float:
    raise ValueError(f"it holds {text}, and a record holds finite numbers only")
