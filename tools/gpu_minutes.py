"""Use a few minutes of a GPU well: unpack the data, check the device, record runs until time is over.

    python -m tools.gpu_minutes --seconds 540 --commit SHA --data DATA --prepare shared/prepare --out OUT \\
        --profile paper --tables 2 8

Runs are taken in the order of ``--tables``, seed by seed, and never by their results. A run that does not fit into the
remaining time is skipped for a later one that fits. The speed of the machine is measured from the runs themselves, as one
factor per kind of run on ``minutes``, which estimates two CPU cores. Before the first run of a kind the factor is a cautious
guess.

``OUT/records`` holds each record as soon as it is done, ``OUT/runs`` the checkpoints of an interrupted run, from which the
same command continues, and ``OUT/summary.json`` what was done and what was not. ``python -m panda2020 import`` imports the
records.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORDER = ("2", "8", "10", "14", "6", "4", "16")  # conversions first, then the tables that decide most claims

#: Time of a first run relative to its estimate for two CPU cores. With narrow networks a GPU waits for kernel launches.
GUESSED = {"cpu": 1.5, "cuda": 1 / 10, "cuda, paper": 1 / 100}

ROOM = 1.2  # a run must fit with a margin of one fifth


@dataclass
class Clock:
    """The remaining time, and the speed of runs on this machine."""

    seconds: float
    guess: float
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, tuple[float, float]] = field(
        default_factory=dict
    )  # task -> seconds, estimated seconds

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.began)

    def expected(self, task: str, estimate: float) -> float:
        """Expected seconds of a run of a task here, from its estimate in seconds for two CPU cores."""
        taken, estimated = self.measured.get(task, (self.guess, 1.0))
        return estimate * taken / estimated

    def learn(self, task: str, taken: float, estimate: float) -> None:
        before = self.measured.get(task, (0.0, 0.0))
        self.measured[task] = before[0] + taken, before[1] + estimate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything. Returns 0 unless a run failed or the device is faulty."""
    given = _parser().parse_args(arguments)
    kind = given.device.split(":")[0]
    usual = GUESSED.get(f"{kind}, {given.profile}", GUESSED[kind])
    clock = Clock(given.seconds, usual if given.guess is None else given.guess)
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
    parser.add_argument("--seconds", type=float, required=True, help="of all that this command does")
    parser.add_argument("--commit", help="the commit of these sources, where there is no git history")
    parser.add_argument("--data", type=Path, help="folder of the data sets (default: as SNNCORE_DATA says)")
    parser.add_argument(
        "--prepare",
        type=Path,
        metavar="SCRIPT",
        help="unpacks the images: run first, with --data as argument",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--tables", nargs="+", default=list(ORDER), metavar="N")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="S")
    parser.add_argument(
        "--guess", type=float, metavar="X", help="time of the first run of a kind over its estimate by plan"
    )
    parser.add_argument("--have", type=Path, help="records that need not be made again (default: results/)")
    parser.add_argument("--device", default="cuda", help="cuda or cpu (default: cuda)")
    parser.add_argument(
        "--check-seconds", type=float, default=90, help="for bench.gpu_check; 0 leaves it out"
    )
    parser.add_argument("--check-size", default="full", help="of bench.gpu_check: full or small")
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
    import torch  # imported after the check has released the device, because it is slow and uses it

    from panda2020 import contents
    from panda2020.runs import execute, freshness, key, provenance, results_directory, sources, spec, store
    from panda2020.runs.executing import minutes
    from snncore import kernels

    torch.set_num_threads(provenance.usable_cores())
    commit = provenance.commit(given.commit)
    if commit.sha is None:
        raise SystemExit(f"error: {commit.note}, so a record could not say what made it: give --commit")
    tables = [table for table in given.tables if table in contents.TABLES]
    made = store.Store(given.out / "records")
    made.check_writable()
    had = store.Store(given.have or results_directory())
    summary |= {
        "commit": commit.sha,
        "neurons": kernels.path(given.device),
        "machine": provenance.machine(given.device),
    }
    entries = {key(entry.spec): entry for entry in contents.entries(given.profile, tables, given.seeds)}
    for task in {spec.task_of(entry.spec) for entry in entries.values()}:
        sources.of_task(task)  # hash the code as loaded now

    def keep(name: str, entry: Any, state: str, **more: Any) -> None:
        summary["runs"].append({"key": name, "run": str(entry), "state": state, **more})
        summary["factors"] = {task: taken / estimated for task, (taken, estimated) in clock.measured.items()}
        (given.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")

    for number, (name, entry) in enumerate(entries.items(), 1):
        task, estimate = spec.task_of(entry.spec), 60 * minutes(entry.spec)
        known = [record for place in (made, had) if (record := place.read(name)) is not None]
        if any(freshness(record) != "older" for record in known):
            keep(name, entry, "there already")
            continue
        expected = clock.expected(task, estimate)
        if ROOM * expected > clock.left:
            keep(name, entry, "does not fit", expected_s=round(expected, 1), left_s=round(clock.left, 1))
            continue
        begin = time.perf_counter()
        try:
            record = execute(
                entry,
                store=made,
                runs=given.out / "runs",
                device=given.device,
                progress=False,
                commit=commit,
                renew=True,
            )
        except Exception as error:  # a failed run must not stop the others
            traceback.print_exc()
            state, said = "failed", f"{type(error).__name__}: {error}"
            keep(name, entry, state, error=said)
        else:
            taken = time.perf_counter() - begin
            if not record.provenance["resumed"]:  # the time of a resumed run covers only its end
                clock.learn(task, taken, estimate)
            state = "done"
            said = f"accuracy {record.result['accuracy']:.4f}" if "accuracy" in record.result else ""
            keep(name, entry, state, seconds=round(taken, 1), expected_s=round(expected, 1))
        print(
            f"{number}/{len(entries)} {state} {name} {entry}: {time.perf_counter() - begin:.1f} s "
            f"(expected {expected:.1f}), {said}; {clock.left:.0f} s left",
            flush=True,
        )
        if given.device.startswith("cuda"):
            torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
