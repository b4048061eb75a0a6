"""A tiny task and its grid, for the tests of the runs: a walk that can be killed in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from panda2020.runs import spec as specs
from panda2020.runs.entry import Entry
from panda2020.runs.outcome import Outcome

specs.register("fake", __name__)
PROFILES = {"quick": None, "laptop": None}
TABLES = ("8", "10")


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Spec:
    name: str
    epochs: int = 3
    rate: float = 0.1
    inner: Inner = Inner()
    limit: float | None = None
    seed: int = 0
    trap: str = ""


def step(spec: Spec, epoch: int) -> dict[str, Any]:
    """One "epoch": a number that depends on everything in the spec."""
    digest = hashlib.sha256(f"{spec}{epoch}".encode()).digest()
    return {"epoch": epoch, "loss": digest[0] / 256, "seconds": time.perf_counter()}


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    state = work / "state.json"
    curve = json.loads(state.read_text()) if state.exists() else []
    while len(curve) < spec.epochs:
        if spec.trap == "raise":
            raise ValueError("the trap closed")
        if spec.trap == "kill" and len(curve) == 2 and "RUNS_FAKE_TRAP" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        curve.append(step(spec, len(curve) + 1))
        part = work / "state.part"
        part.write_text(json.dumps(curve))
        part.replace(state)  # whole or not at all, as a task's checkpoints have to be
    if spec.trap == "nan":
        curve[-1]["loss"] = float("nan")
    if "RUNS_FAKE_DRIFT" in os.environ:
        curve[0]["loss"] += 1e-9
    with (work.parent.parent / "executed").open("a") as log:
        log.write(f"{spec.name}\n")
    result = {"accuracy": 0.25, "correct": 1, "total": 4, "curve": curve, "data": {"sha256": "d" * 64}}
    return Outcome(result, {"walk": {"b": np.arange(3.0), "a": np.float32([[1, 2]])}})


def first_epoch(spec: Spec, *, work: Path, device: str, progress: bool) -> dict[str, Any]:
    return step(spec, 1)


def minutes(spec: Spec) -> float:
    return 0.25 * spec.epochs


def memory(spec: Spec) -> float:
    return 100.0


def entries(profile: str, tables: Any, seeds: Any) -> list[Entry]:
    if os.environ.get("RUNS_FAKE_NAMES"):
        grid = {"8": os.environ["RUNS_FAKE_NAMES"].split(","), "10": []}
    else:
        grid = {"8": ["one", "two"], "10": ["three"]}
    return [
        Entry(
            Spec(name, seed=seed, trap=name if name in ("raise", "kill", "nan") else ""),
            name,
            "walk",
            profile,
            (table,),
        )
        for table in tables or TABLES
        for seed in seeds or (0,)
        for name in grid[table]
    ]
