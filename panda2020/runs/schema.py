"""The schema of records, checked before anything in a record is used."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

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
    interpretation: str
    note: str = ""


class Source(Struct):
    """The sources of the run."""

    sha256: str
    version: int


class Versions(Struct):
    """The versions of libraries that are compared."""

    torch: str | None


class Provenance(Struct):
    """The provenance fields that are used."""

    source: Source
    seconds: Annotated[float, Meta(ge=0)]
    threads: Annotated[int, Meta(ge=1, le=4096)]
    device: Annotated[str, Meta(pattern=r"^(cpu|cuda(:[0-9]+)?)$")]
    device_name: str
    cpu: str
    commit: str | None
    dirty: bool | None
    date: str
    command: str
    versions: Versions
    processes: Annotated[int, Meta(ge=1)] = 1


class Data(Struct):
    """The data that the run used."""

    sha256: str


class Result(Struct):
    """The fields that the results of all tasks share."""

    curve: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    data: Data


class Counts(Struct):
    """How many images were right, wherever in a result that is said."""

    accuracy: Annotated[float, Meta(ge=0, le=1)]
    correct: Count
    total: Annotated[int, Meta(ge=1)]
    hits: Annotated[str, Meta(pattern=r"^[0-9a-f]+$")] | UnsetType = UNSET


class Whole(Struct, forbid_unknown_fields=True):
    """A whole record."""

    schema: Literal[2]
    key: Key
    task: str
    spec: dict[str, Any]
    labels: Labels
    result: Result
    provenance: Provenance
    artifacts: dict[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+$")], Artifact]
    sha256: Hash


class Verification(Struct):
    """The fields of a line of the log of verifications."""

    schema: Literal[2]
    date: str
    key: Key
    record_sha256: Hash
    commit: str | None
    dirty: bool | None
    sources: str
    machine: dict[str, Any]
    exact: bool
    differing: list[str]
    agrees: bool
    differences: list[str]
    sha256: Hash
    task: str
    family: str
    source: str


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
    _check_types(data, Whole)
    _check_counts(data["result"], "$.result")


def check_verification(data: Any) -> None:
    """Check that the data has the types of a line of the log of verifications.

    Raises:
        ValueError: names the place that does not.
    """
    _check_types(data, Verification)


def _check_types(data: Any, kind: type[Struct]) -> None:
    try:
        msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def _check_counts(value: Any, place: str) -> None:
    """Raise ``ValueError`` where an accuracy is not the share of the images that were right."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            _check_counts(item, f"{place}[{number}]")
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        _check_counts(item, f"{place}.{name}")
    if "accuracy" not in value:
        return
    try:
        counts = msgspec.convert(value, Counts)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`$", f"`{place}")) from None
    if counts.correct > counts.total or counts.accuracy != counts.correct / counts.total:
        raise ValueError(
            f"the accuracy {counts.accuracy!r} is not {counts.correct} of {counts.total} - at `{place}`"
        )
    if isinstance(counts.hits, str) and int(counts.hits, 16).bit_count() != counts.correct:
        raise ValueError(f"the hits are not {counts.correct} images - at `{place}`")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _finite(text: str) -> float:
    raise ValueError(f"it holds {text}, and a record holds finite numbers only")
