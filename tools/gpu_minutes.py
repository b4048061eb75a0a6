"""Use a few minutes of a GPU well: unpack the data, check the device, record runs until time is over.

    python -m tools.gpu_minutes --seconds 540 --commit SHA --data DATA --prepare shared/prepare --out OUT \\
        --profile laptop --stages R2 R3 R1 --workers 12 --conversions 3

``--keys`` names runs one by one in place of stages; ``python -m panda2020 plan`` prints the keys.

Several worker processes share the device, because one network at a quarter of the width does not fill it. A free worker
takes the next run in the order of ``--stages`` that fits into the remaining time; runs are never chosen by their results.
The speed of the machine is measured from the runs themselves, as one factor per kind of run on ``minutes``, which estimates
two CPU cores. Before the first run of a kind ends the factor is a guess.

``OUT/records`` holds each record as soon as it is done, ``OUT/runs`` the checkpoints of interrupted runs, from which the
same command continues, and ``OUT/summary.json`` what was done and what was not. ``python -m panda2020 import`` imports the
records.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

#: Time of a first run relative to its estimate for two CPU cores, by task; on a GPU as 15 workers on one H100 took it.
GUESSED = {"cpu": {"": 1.5}, "cuda": {"convert": 1 / 8, "train-head": 1 / 2, "binary": 1.0, "": 1 / 24}}

ROOM = 1.2  # a run must fit with a margin of one fifth


@dataclass
class Clock:
    """The remaining time, and the speed of runs on this machine."""

    seconds: float
    guess: Mapping[str, float]  # by task; "" is any other
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # kind of run -> seconds, estimated seconds

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.began)

    def expected(self, kind: str, estimate: float) -> float:
        """Expected seconds of a run of a kind here, from its estimate in seconds for two CPU cores."""
        guess = self.guess.get(kind.partition(",")[0], self.guess[""])
        taken, estimated = self.measured.get(kind, (guess, 1.0))
        return estimate * taken / estimated

    def learn(self, kind: str, taken: float, estimate: float) -> None:
        before = self.measured.get(kind, (0.0, 0.0))
        self.measured[kind] = before[0] + taken, before[1] + estimate


@dataclass(frozen=True)
class Run:
    """One run of the list: its key, entry and kind, and its estimated seconds on two CPU cores.

    A kind is a task and, for trainings, an input code: an ANN and a spiking network wait for a GPU in different ways.
    """

    name: str
    entry: Any
    kind: str
    estimate: float

    @property
    def ann(self) -> Any:
        """The spec of the ANN that a conversion starts from; None for other runs."""
        return getattr(self.entry.spec, "ann", None)


@dataclass(frozen=True)
class Place:
    """Where and how a worker executes runs: picklable, because a worker is a new process."""

    out: Path
    device: str
    commit: Any


@dataclass
class Worker:
    """A process that executes one run at a time. ``run``: the run in progress, since ``began``; None if it is free."""

    process: Any
    pipe: Connection
    run: Run | None = None
    began: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything. Returns 0 unless a run failed or the device is faulty."""
    given = _parser().parse_args(arguments)
    kind = given.device.split(":")[0]
    clock = Clock(given.seconds, GUESSED[kind] if given.guess is None else {"": given.guess})
    given.out.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {"command": " ".join(sys.argv), "device": given.device, "runs": []}
    if given.data is not None:
        os.environ["SNNCORE_DATA"] = str(given.data.resolve())
    if given.prepare is not None:
        if given.data is None:
            raise SystemExit("error: --prepare needs --data, where the images go")
        subprocess.run([sys.executable, str(given.prepare), str(given.data)], check=True)
    summary["prepared_s"] = round(given.seconds - clock.left, 1)
    if given.check_seconds > 0:
        summary["check"] = _check(given, clock)
    _record(given, clock, summary)
    states = [run["state"] for run in summary["runs"]]
    print(
        ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states)) + f"; {clock.left:.0f} s are left"
    )
    return 1 if "failed" in states or summary.get("check") not in (None, "sound") else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu_minutes", description=str(__doc__).split("\n")[0]
    )
    add = parser.add_argument
    add("--seconds", type=float, required=True, help="of all that this command does")
    add("--commit", help="the commit of these sources, where there is no git history")
    add("--data", type=Path, help="folder of the data sets (default: as SNNCORE_DATA says)")
    add(
        "--prepare",
        type=Path,
        metavar="SCRIPT",
        help="unpacks the images: run first, with --data as argument",
    )
    add("--out", type=Path, required=True)
    add("--profile", default="laptop")
    add("--stages", nargs="+", default=[f"R{n}" for n in range(1, 9)], metavar="R", help="R1 to R8, in order")
    add("--keys", type=Path, metavar="FILE", help="in place of --stages: the keys of the runs, in order")
    add("--seeds", nargs="+", type=int, metavar="S")
    add("--workers", type=int, default=1, metavar="N", help="processes that share the device (default: 1)")
    add(
        "--conversions",
        type=int,
        metavar="N",
        help="at most this many at once, because each holds gigabytes of spikes (default: no limit)",
    )
    add("--guess", type=float, metavar="X", help="time of the first run of a kind over its estimate by plan")
    add("--have", type=Path, help="records that need not be made again (default: results/)")
    add("--device", default="cuda", help="cuda or cpu (default: cuda)")
    add("--check-seconds", type=float, default=90, help="for bench.gpu_check; 0 leaves it out")
    add("--check-size", default="full", help="of bench.gpu_check: full or small")
    return parser


def _check(given: argparse.Namespace, clock: Clock) -> str:
    """Run ``bench.gpu_check`` in a separate process, so that its effects on the device end with it."""
    words = [
        "--device",
        given.device,
        "--seconds",
        str(given.check_seconds),
        "--out",
        str(given.out),
        "--size",
        given.check_size,
    ]
    allowed = min(given.check_seconds + 45, max(1.0, clock.left))  # time to finish a part that has begun
    try:
        done = subprocess.run([sys.executable, "-m", "bench.gpu_check", *words], timeout=allowed, check=False)
    except subprocess.TimeoutExpired:
        return "cut off"
    return "sound" if done.returncode == 0 else "NOT SOUND"


def _record(given: argparse.Namespace, clock: Clock, summary: dict[str, Any]) -> None:
    """Record the runs that fit, and write the summary after every run."""
    from panda2020 import contents  # imported after the check has released the device, because it is slow
    from panda2020.runs import freshness, key, provenance, results_directory, spec, store
    from panda2020.runs.executing import minutes
    from snncore import kernels

    commit = provenance.commit(given.commit)
    if commit.sha is None:
        raise SystemExit(f"error: {commit.note}, so a record could not say what made it: give --commit")
    made = store.Store(given.out / "records")
    made.check_writable()
    had = store.Store(given.have or results_directory())
    summary |= {
        "commit": commit.sha,
        "neurons": kernels.path(given.device),
        "machine": provenance.machine(given.device),
        "workers": given.workers,
    }
    places: dict[str, Any] = {}
    for stage in [f"R{n}" for n in range(1, 9)] if given.keys else given.stages:
        for entry in contents.stage(given.profile, stage, given.seeds):
            places.setdefault(key(entry.spec), entry)
    if given.keys:
        wanted = given.keys.read_text(encoding="utf-8").split()
        if unknown := [name for name in wanted if name not in places]:
            raise SystemExit(
                f"error: --keys must hold keys of profile {given.profile}, got {', '.join(unknown)}"
            )
        places = {name: places[name] for name in wanted}
    todo = _Todo(given, clock, summary, Place(given.out, given.device, commit), len(places))
    for name, entry in places.items():
        known = [record for place in (made, had) if (record := place.read(name)) is not None]
        coder = getattr(entry.spec, "input", None)
        kind = ", ".join([spec.task_of(entry.spec), *([coder.code] if coder else [])])
        run = Run(name, entry, kind, 60 * minutes(entry.spec))
        if any(freshness(record) != "older" for record in known):
            todo.keep(run, "there already")
        else:
            todo.waiting.append(run)
    todo.work()


class _Todo:
    """The runs that wait, and the workers that execute them."""

    def __init__(
        self, given: argparse.Namespace, clock: Clock, summary: dict[str, Any], place: Place, total: int
    ) -> None:
        self.given, self.clock, self.summary, self.place, self.total = given, clock, summary, place, total
        self.waiting: list[Run] = []
        self.trained: list[Any] = []  # ANNs whose weights are stored
        # a fork of a process that has used a GPU cannot use it
        self.context: Any = multiprocessing.get_context("fork" if given.device == "cpu" else "spawn")

    def work(self) -> None:
        """Give runs to free workers until nothing fits any more; stop those that are not done in time."""
        workers = [self._worker() for _ in range(min(self.given.workers, len(self.waiting)))]
        while True:
            for worker in workers:
                if worker.run is None and (run := self._next(workers)) is not None:
                    self.waiting.remove(run)
                    worker.run, worker.began = run, time.perf_counter()
                    worker.pipe.send((run.name, run.entry))
            busy = [worker for worker in workers if worker.run is not None]
            if not busy or self.clock.left <= 0:
                break
            for pipe in wait([worker.pipe for worker in busy], timeout=max(0.0, min(1.0, self.clock.left))):
                worker = next(worker for worker in workers if worker.pipe is pipe)
                if not self._finish(worker):
                    workers[workers.index(worker)] = self._worker()
        for worker in workers:
            if worker.run is not None:
                self.keep(worker.run, "cut off", seconds=round(time.perf_counter() - worker.began, 1))
            worker.process.terminate()
        for run in self.waiting:
            self.keep(run, "does not fit", expected_s=round(self._expected(run), 1))

    def _worker(self) -> Worker:
        here, there = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(there, self.place), daemon=True)
        process.start()
        there.close()
        return Worker(process, here)

    def _next(self, workers: list[Worker]) -> Run | None:
        """The first run that fits into the time and beside the runs in progress."""
        running = [worker.run for worker in workers if worker.run is not None]
        anns = [run.ann for run in running if run.ann is not None]
        full = self.given.conversions is not None and len(anns) >= self.given.conversions
        for run in self.waiting:
            if run.ann is not None and (full or (run.ann in anns and run.ann not in self.trained)):
                continue  # another worker is training its ANN
            if ROOM * self._expected(run) <= self.clock.left:
                return run
        return None

    def _expected(self, run: Run) -> float:
        return self.clock.expected(run.kind, run.estimate)

    def _finish(self, worker: Worker) -> bool:
        """Keep what a worker says about its run. Returns False if the worker must be replaced."""
        run, seconds = worker.run, round(time.perf_counter() - worker.began, 1)
        assert run is not None
        worker.run = None
        try:
            state, said, resumed = worker.pipe.recv()
        except EOFError:
            state, said, resumed = "failed", "the process ended", False
        if state == "done":
            expected = round(self._expected(run), 1)
            if not resumed:  # the time of a resumed run covers only its end
                self.clock.learn(run.kind, seconds, run.estimate)
            self.trained.append(run.ann)
            self.keep(run, state, seconds=seconds, expected_s=expected)
        else:
            self.keep(run, state, error=said)
        print(
            f"{len(self.summary['runs'])}/{self.total} {state} {run.name} {run.entry}: {seconds:.1f} s, {said}; "
            f"{self.clock.left:.0f} s left",
            flush=True,
        )
        return bool(state == "done")

    def keep(self, run: Run, state: str, **more: Any) -> None:
        """Write the state of a run into the summary."""
        self.summary["runs"].append({"key": run.name, "run": str(run.entry), "state": state, **more})
        self.summary["factors"] = {
            kind: taken / estimated for kind, (taken, estimated) in self.clock.measured.items()
        }
        text = json.dumps(self.summary, indent=1) + "\n"
        (self.given.out / "summary.json").write_text(text, encoding="utf-8")


def _serve(pipe: Connection, place: Place) -> None:
    """Execute the runs that come through the pipe. Ends after a failure, which may have spoilt the device's state."""
    import torch

    from panda2020.runs import execute, store

    torch.set_num_threads(1)
    made = store.Store(place.out / "records")
    while True:
        try:
            _, entry = pipe.recv()
        except EOFError:
            return
        try:
            record = execute(
                entry,
                store=made,
                runs=place.out / "runs",
                device=place.device,
                progress=False,
                commit=place.commit,
                renew=True,
            )
        except Exception as error:  # any error, because a failed run must not stop the others
            traceback.print_exc()
            pipe.send(("failed", f"{type(error).__name__}: {error}", False))
            return
        result = record.result
        said = f"accuracy {result['accuracy']:.4f}" if "accuracy" in result else ""
        pipe.send(("done", said, bool(record.provenance["resumed"])))
        if place.device.startswith("cuda"):
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
