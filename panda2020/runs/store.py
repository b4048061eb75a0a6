"""Records on disk: written completely or not at all, verified at every read, never overwritten by a second writer.

A store is a directory: ``results/`` (the paper's, committed) or ``runs/`` (the user's own). The schema is in
``results/README.md``. A record is ``<key>.json``; its arrays are ``<key>.<name>-<hash8>.npz``, named by content, so that
no writer overwrites a file that a record refers to. Files are written under a temporary name in the same directory,
synced, and then linked or renamed, arrays first.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from . import schema
from .spec import dumps, from_dict, key

SCHEMA = 2
FIELDS = ("schema", "key", "task", "spec", "labels", "result", "provenance", "artifacts", "sha256")

LARGEST = 64 * 2**20  # bytes of a record, or of one of its sets of arrays

LEFT_AFTER = 60  # after this many seconds without a change, a temporary file is abandoned


class RecordError(RuntimeError):
    """A record that must not be used; the message names the file and the reason."""


class StoreError(RuntimeError):
    """A store that cannot be written."""


class Busy(RuntimeError):
    """Another process is executing the same run."""


@dataclass(frozen=True)
class Record:
    """A verified record. ``record["result"]`` reads the JSON; ``collect`` sets the fields after ``path``."""

    data: Mapping[str, Any]
    path: Path
    tag: str | None = None  # "live" | "recorded" | "recorded-confirmed" | "recorded-by-older-sources"
    shown_as: Mapping[str, Any] | None = None  # the labels of the entry that asked for this record
    why: str = ""  # one sentence: why the current sources are not those of the record
    witnesses: tuple[str, ...] = ()  # keys of the records whose re-run confirms it
    family: Callable[..., Any] | None = None  # (T, view) -> samples of related networks, to pool variances

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    @property
    def key(self) -> str:
        return str(self.data["key"])

    @property
    def spec(self) -> Any:
        """The spec as a dataclass."""
        return from_dict(self.data["task"], self.data["spec"])

    @property
    def labels(self) -> Mapping[str, Any]:
        """The labels of the entry that asked for the record, or else the stored ones."""
        labels: Mapping[str, Any] = self.data["labels"] if self.shown_as is None else self.shown_as
        return labels

    @property
    def result(self) -> Mapping[str, Any]:
        return self.data["result"]

    @property
    def provenance(self) -> Mapping[str, Any]:
        return self.data["provenance"]

    def artifact(self, name: str) -> dict[str, np.ndarray]:
        """The named arrays, verified again.

        Raises:
            RecordError: an unknown name, or arrays that cannot be read.
        """
        if name not in self.data["artifacts"]:
            known = ", ".join(self.data["artifacts"]) or "none"
            raise RecordError(f"{self.path} has no artifact {name!r} (it has: {known})")
        content = _artifact_bytes(self.path, self.data["artifacts"][name])
        try:
            return unpack(content)
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds and document none
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise RecordError(f"{self.path} has arrays {name!r} that cannot be read ({reason})") from None

    def tagged(self, tag: str, labels: Mapping[str, Any] | None = None, **more: Any) -> Record:
        """A copy of the record for an exhibit, with its tag and labels. more: ``why`` and ``witnesses``."""
        return replace(self, tag=tag, shown_as=labels, **more)


def seal(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` with the hash of all its other fields."""
    body = {name: value for name, value in data.items() if name != "sha256"}
    return {**body, "sha256": hashlib.sha256(dumps(body).encode()).hexdigest()}


def same_numbers(one: Record, other: Record) -> bool:
    """Return whether two records hold the same results and arrays, without times."""
    arrays = ({name: item["sha256"] for name, item in r["artifacts"].items()} for r in (one, other))
    return dumps(timeless(one.result)) == dumps(timeless(other.result)) and next(arrays) == next(arrays)


def timeless(value: Any) -> Any:
    """``value`` without the fields that differ between two equal runs: all fields named ``seconds``."""
    if isinstance(value, Mapping):
        return {name: timeless(item) for name, item in value.items() if name != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, (list, tuple)) else value


def plain(value: Any, path: str = "result") -> Any:
    """Convert to plain JSON data.

    Raises:
        RecordError: names the place of a value that cannot be stored (NaN, tensors, objects).
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise RecordError(
                f"{path} is {value!r}; a record holds finite numbers, or None where there is no value"
            )
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item, f"{path}.{name}") for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{path}[{i}]") for i, item in enumerate(value)]
    raise RecordError(f"{path} is a {type(value).__qualname__}, which a record cannot hold")


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as an npz file, with the same bytes everywhere."""
    import numpy as np

    out = io.BytesIO()
    with zipfile.ZipFile(
        out, "w", zipfile.ZIP_STORED
    ) as file:  # compressed bytes would depend on the version of zlib
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.asarray(arrays[name]), version=(1, 0), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), array.getvalue())
    return out.getvalue()


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """The arrays that ``pack`` wrote; whatever else raises, before it takes memory beyond its own size."""
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(content)) as file:
        size = sum(member.file_size for member in file.infolist())
        if size > len(content):  # stored members are never larger than their file
            raise ValueError(f"they grow to {size} bytes from {len(content)}")
        if len(set(file.namelist())) < len(file.namelist()):
            raise ValueError("two of them have the same name")
        arrays = {}
        for member in file.infolist():
            held = io.BytesIO(file.read(member))
            np.lib.format.read_magic(held)
            shape, _, dtype = np.lib.format.read_array_header_1_0(held)
            if math.prod(shape) * dtype.itemsize > size:
                raise ValueError(f"{member.filename} has the shape {shape} in {size} bytes")
            held.seek(0)
            arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(held, allow_pickle=False)
    return arrays


class Store:
    """The records in one directory."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    def all_keys(self) -> list[str]:
        """Keys of all records, readable or not, sorted."""
        if not self.directory.is_dir():
            return []
        names = (
            re.fullmatch(r"([0-9a-f]{16})(\.conflict-[0-9a-f]{8})?\.json", p.name)
            for p in self.directory.iterdir()
        )
        return sorted({match[1] for match in names if match})

    def path(self, key: str) -> Path:
        return self.directory / f"{key}.json"

    def read(self, key: str) -> Record | None:
        """The record, or None if there is none.

        Raises:
            RecordError: a record that is torn, edited, misnamed or disputed.
        """
        if conflicts := sorted(self.directory.glob(f"{key}.conflict-*.json")):
            raise RecordError(
                f"{self.path(key)} and {', '.join(str(c) for c in conflicts)} disagree about the same run: "
                "find out which one is right and delete the other"
            )
        for _ in range(3):
            try:
                text = read_file(self.path(key))
            except FileNotFoundError:
                return None
            except OSError as error:
                raise RecordError(f"{self.path(key)} cannot be read ({error.strerror})") from None
            try:
                return self._verified(self.path(key), text)
            except RecordError as error:
                refusal = error
            # a newer record may have replaced this one, and its arrays, during the read
            with contextlib.suppress(OSError):
                if self.path(key).read_bytes() == text:
                    break
        raise refusal

    def read_all(self) -> tuple[list[Record], list[RecordError]]:
        """All readable records, and the errors of the others."""
        records, errors = [], []
        for name in self.all_keys():
            try:
                if (record := self.read(name)) is not None:
                    records.append(record)
            except RecordError as error:
                errors.append(error)
        return records, errors

    def check_writable(self) -> None:
        """Raise ``StoreError`` now, not after hours of computing, if the store cannot be written."""
        self._remove(self._temporary("probe", b"").name)

    def remove_leftovers(self, key: str) -> None:
        """Remove half-written files of killed writers of this run, and of killed probes, but not files that may still grow."""
        for pattern in (f".{key}.*.part", ".probe.*.part"):
            for left in self.directory.glob(pattern):
                with contextlib.suppress(OSError):
                    if time.time() - left.stat().st_mtime > LEFT_AFTER:
                        left.unlink()

    def write(
        self,
        data: Mapping[str, Any],
        artifacts: Mapping[str, Mapping[str, np.ndarray]] | None = None,
        *,
        supersede: Record | None = None,
    ) -> Record:
        """Store the record ``data`` with its arrays.

        The first valid record of a key stays. If there is one already, an equal result is dropped and the
        stored record returned; a different one is kept beside it, and the error names both.

        Args:
            data: all fields except ``artifacts`` and ``sha256``; the schema defaults to the current one.
            supersede: an older record that this one may replace.

        Raises:
            RecordError: a different result for the same run.
        """
        key = data["key"]
        packed = {name: pack(arrays) for name, arrays in sorted((artifacts or {}).items())}
        described: dict[str, dict[str, Any]] = {}
        for name, content in packed.items():
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise RecordError(f"an artifact's name is letters, digits and underscores, got {name!r}")
            digest = hashlib.sha256(content).hexdigest()
            described[name] = {
                "file": f"{key}.{name}-{digest[:8]}.npz",
                "sha256": digest,
                "bytes": len(content),
            }
        sealed = seal({"schema": SCHEMA, **data, "artifacts": described})
        text = (
            json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        )
        for name, content in packed.items():
            self._replace(self.directory / described[name]["file"], content)
        record = self._verified(self.path(key), text)

        if supersede is not None and self.path(key).exists() and self._same_bytes(supersede):
            self._replace(self.path(key), text)
            kept = {item["file"] for item in described.values()}
            for item in supersede["artifacts"].values():
                if item["file"] not in kept:
                    self._remove(str(self.directory / item["file"]))
            return record
        if self._link(self.path(key), text):
            return record

        try:  # a run that agrees with the record adds no dispute, even if another one does
            stored = self._verified(self.path(key), self.path(key).read_bytes())
        except (RecordError, OSError):  # unreadable, so equality is unknown: keep both
            stored = None
        if stored is not None and same_numbers(stored, record):
            return stored
        beside = self.directory / f"{key}.conflict-{sealed['sha256'][:8]}.json"
        self._replace(beside, text)
        raise RecordError(
            f"{beside} gives another result for the run that is stored as {self.path(key)}; both are kept"
        )

    def _verified(self, path: Path, text: bytes) -> Record:
        try:
            data = schema.parse(text)
        except ValueError as error:
            raise RecordError(f"{path} is torn: {error}") from None
        return verified(path, data)

    def _same_bytes(self, old: Record) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads(self.path(old.key).read_bytes()).get("sha256") == old["sha256"])
        return False

    def _temporary(self, name: str, content: bytes) -> Any:
        file = None
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self.directory, prefix=f".{name}.", suffix=".part", delete=False
            ) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
        except OSError as error:
            if file is not None:  # on a full disk it would prevent other writes
                self._remove(file.name)
            raise StoreError(f"records cannot be written into {self.directory} ({error.strerror})") from None
        return file

    def _replace(self, path: Path, content: bytes) -> None:
        os.replace(self._temporary(path.name, content).name, path)
        self._sync()

    def _link(self, path: Path, content: bytes) -> bool:
        """Give the content its name unless the name exists. This is atomic, so one of two writers wins."""
        temporary = self._temporary(path.name, content).name
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"records cannot be written into {self.directory} ({error.strerror})") from None
        finally:
            self._remove(temporary)
        self._sync()
        return True

    def _sync(self) -> None:
        if os.name == "nt":  # Windows cannot open directories
            return
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def verified(path: Path, data: Any) -> Record:
    """The record in ``data`` as read from ``path``.

    Raises:
        RecordError: fields that do not fit each other.
    """
    if not isinstance(data, dict) or sorted(data) != sorted(FIELDS):
        raise RecordError(f"{path} is no record: its fields are not {', '.join(FIELDS)}")
    if type(data["schema"]) is not int or data["schema"] != SCHEMA:
        raise RecordError(f"{path} has schema {data['schema']!r}; this version reads {SCHEMA}")
    try:
        whole = seal(data)["sha256"] == data["sha256"]
    except (ValueError, RecursionError):
        raise RecordError(f"{path} holds text that is no Unicode, or is nested too deep") from None
    if not whole:
        raise RecordError(f"{path} was changed after it was written: its hash does not fit its content")
    try:
        schema.check(data)
    except ValueError as error:
        raise RecordError(f"{path} is no record: {error}") from None
    try:
        spec_key = key(from_dict(data["task"], data["spec"]))
    except ValueError as error:
        raise RecordError(f"{path} holds a spec that this version cannot read ({error})") from None
    if not spec_key == data["key"] == path.name.split(".")[0]:
        raise RecordError(
            f"{path} says key {data['key']}, its spec has key {spec_key}, and both must be the file's name"
        )
    for name, item in data["artifacts"].items():
        if item["file"] != f"{spec_key}.{name}-{item['sha256'][:8]}.npz":
            raise RecordError(f"{path} names the arrays {item['file']!r}, which are not its own")
        _artifact_bytes(path, item)
    return Record(data, path)


def read_file(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        RecordError: a pipe or device, which might never end, or a file that is too large.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise RecordError(f"{path} is not a regular file")
    if found.st_size > LARGEST:
        raise RecordError(f"{path} has {found.st_size} bytes, more than the {LARGEST} that a record may have")
    return path.read_bytes()


def _artifact_bytes(path: Path, item: Mapping[str, Any]) -> bytes:
    file = path.parent / Path(item["file"]).name
    try:
        content = read_file(file)
    except OSError as error:
        raise RecordError(f"{path} belongs to {file}, which cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != item["sha256"]:
        raise RecordError(f"{file} was changed after it was written: its hash is not the one in {path.name}")
    return content


@contextlib.contextmanager
def lock(runs: Path, key: str, *, wait: bool = True) -> Iterator[Path]:
    """Hold the run ``key`` and return its work directory, ``runs/work/<key>/``.

    The lock ends with the process, even after kill -9. The directory stays, and the next process continues in it.

    Raises:
        Busy: another process holds the run and ``wait`` is False.
    """
    work = runs / "work" / key
    held = FileLock(work / "lock", mode=0o644, poll_interval=0.01)
    for attempt in range(100):
        try:
            work.mkdir(parents=True, exist_ok=True)
            held.acquire(timeout=-1 if wait else 0)  # detects if the holder has removed the file
            break
        except Timeout:
            raise Busy(f"another process is executing the run {key}") from None
        except OSError as error:
            if attempt == 99 or not isinstance(error, (FileNotFoundError, FileExistsError)):
                raise StoreError(f"the work directory {work} cannot be written ({error.strerror})") from None
            time.sleep(0.001)  # the holder is removing the directory, or another process is creating it
    try:
        yield work
    finally:
        held.release()


def empty(work: Path) -> None:
    """Remove everything in a held work directory except its lock."""
    for path in work.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def discard(work: Path) -> None:
    """Remove a held work directory. A process that waits for its lock notices this and makes a new one."""
    empty(work)
    with contextlib.suppress(OSError):  # another process may hold a new lock; Windows keeps open files
        (work / "lock").unlink()
        work.rmdir()


def discard_finished(runs: Path, keys: Iterable[str]) -> None:
    """Remove the work directories of recorded runs, whose recorders were killed before they could clean up."""
    for name in keys:
        if (runs / "work" / name).is_dir():
            with contextlib.suppress(Busy), lock(runs, name, wait=False) as work:
                discard(work)
