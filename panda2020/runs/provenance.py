"""The provenance of a record: commit, sources, machine, libraries, threads."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

PROTOCOL_VERSION = 1  # version of the evaluation protocol (book/protocol.md) for new records


class ProvenanceError(RuntimeError):
    """The provenance of the run is unknown; the message says how to give it."""


@dataclass(frozen=True)
class Commit:
    """The commit of the sources.

    Attributes:
        sha: 40 hexadecimal digits or None.
        dirty: None if unknown.
        note: the reason, if a field is None.
    """

    sha: str | None
    dirty: bool | None
    note: str = ""


def home() -> Path:
    """The directory of ``results/`` and ``runs/``: SNNCORE_HOME, or the source tree, or else the current directory."""
    if "SNNCORE_HOME" in os.environ:
        return Path(os.environ["SNNCORE_HOME"])
    tree = source_tree()
    return tree if (tree / "pyproject.toml").is_file() else Path.cwd()


def source_tree() -> Path:
    """The directory that contains the package."""
    return Path(__file__).resolve().parents[2]


@functools.cache
def commit(given: str | None = None) -> Commit:
    """The commit of the sources, determined once per process: from git, or else ``given``, or else SNNCORE_COMMIT.

    Dirty means that Python files of the package differ from the commit or are untracked; notes, results
    and everything else may change.

    Raises:
        ProvenanceError: a given commit that contradicts git or is not a commit.
    """
    given = given or os.environ.get("SNNCORE_COMMIT") or None
    if given is not None and not re.fullmatch(r"[0-9a-f]{40}", given):
        raise ProvenanceError(f"the commit must be given as 40 hexadecimal digits, got {given!r}")
    tree = source_tree()
    try:
        if Path(_git(tree, "rev-parse", "--show-toplevel").strip()).resolve() != tree:
            raise ProvenanceError("the sources lie inside another repository")
        sha = _git(tree, "rev-parse", "--verify", "HEAD^{commit}").strip()
        status = _git(
            tree,
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--",
            "snncore",
            "panda2020",
            "panda2020",
        )
    except ProvenanceError as error:
        if given is None:
            return Commit(None, None, str(error))
        return Commit(given, None, f"commit given by the user; {error}")
    if given not in (None, sha):
        raise ProvenanceError(f"the commit given is {given}, but git says that the sources are at {sha}")
    return Commit(sha, any(line.endswith(".py") for line in status.split("\0")))


def _git(tree: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *words], capture_output=True, encoding="utf-8", check=False
        )
    except FileNotFoundError:
        raise ProvenanceError("git is not installed") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git failed"])[0]
        raise ProvenanceError(f"git cannot say which commit the sources are ({reason})")
    return done.stdout


def machine(device: str) -> dict[str, Any]:
    """The part of the provenance that the numbers may depend on, in addition to spec and sources."""
    import torch

    from snncore import kernels
    from snncore.processes import processes

    several = {"processes": processes()} if processes() > 1 else {}
    return {
        **several,
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu_model(),
        "cpu": f"{cpu_model()}{_cpu_generation()}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "neurons": kernels.path(device),
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the numerical libraries."""
    out: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "numpy"):
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = None
    import torch

    out["torch"] = str(torch.__version__)  # with the build, "+cpu" or "+cu128", which the metadata may omit
    return out


@functools.cache
def cpu_model() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def _cpu_generation() -> str:
    """Family and model, because virtual machines use one name for many processors."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        numbers = [re.search(rf"^{name}\s*: (\d+)$", text, re.MULTILINE) for name in ("cpu family", "model")]
        if all(numbers):
            family, model = (number[1] for number in numbers if number)
            return f", family {family} model {model}"
    return ""


def same_kind(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The differences between two machines that prevent bit-identical results; empty on the same kind of machine."""
    differing = [name for name in ("device_name", "cpu", "threads") if one[name] != other[name]]
    differing += ["processes"] * (one.get("processes", 1) != other.get("processes", 1))
    return differing + [name for name in ("torch",) if one["versions"][name] != other["versions"][name]]


def memory_of(device: str) -> float:
    """Memory of the machine, or of a GPU, in MiB; infinite where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.get_device_properties(device).total_memory / 2**20)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    return float("inf")


def usable_cores() -> int:
    """Number of threads to use: OMP_NUM_THREADS, or else the number of cores that this process may use."""
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def deterministic() -> Iterator[None]:
    """Context with deterministic kernels (torch warns if one does not exist), and with full float32 precision on a GPU."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    checks = torch.utils.deterministic
    mode = torch.get_deterministic_debug_mode()
    fill = checks.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    short = torch.backends.cudnn.allow_tf32
    # use_deterministic_algorithms(True, warn_only=True) also loads the compiler, which takes seconds
    torch.set_deterministic_debug_mode("warn")
    # filling new tensors with NaN only helps debugging, and costs a pass over each of them
    checks.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = (
        False  # TF32 keeps ten bits of a weight, which would change balanced thresholds
    )
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        checks.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark
        torch.backends.cudnn.allow_tf32 = short
