"""The script for some minutes of a GPU, on a CPU: records come out, fit the time, and are taken over."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace

import pytest

from panda2020 import contents
from panda2020.runs import Store, provenance, sources
from panda2020.runs.importing import import_record
from snncore.conversion import ConversionConfig
from tools import gpu_minutes
from tools.gpu_minutes import Clock


def tiny(entry):
    """A run of the same kind that takes a second."""
    spec = entry.spec
    if hasattr(spec, "ann"):
        ann = tiny(replace(entry, spec=spec.ann)).spec
        return replace(
            entry, spec=replace(spec, ann=ann, conversion=ConversionConfig(10, 30), steps=(5, 10), test=20)
        )
    data = replace(spec.data, train=100, validation=20, test=20)
    return replace(entry, spec=replace(spec, data=data, training=replace(spec.training, epochs=1)))


@pytest.fixture
def call(tmp_path, monkeypatch):
    planned = contents.stage

    def short(*given):
        first = planned(*given)[:2]
        return [
            tiny(entry) for entry in first if hasattr(entry.spec, "ann") or hasattr(entry.spec, "training")
        ]

    monkeypatch.setattr(contents, "stage", short)
    commit = provenance.commit().sha
    if commit is None:
        pytest.skip("there is no git history to take the commit from")

    def run(*more):
        words = ["--device", "cpu", "--profile", "quick", "--commit", commit, "--out", str(tmp_path / "out")]
        code = gpu_minutes.main(
            [*words, "--have", str(tmp_path / "none"), "--check-seconds", "0", *map(str, more)]
        )
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        return code, summary, commit

    return run


def test_records_come_out_and_are_taken_over(call, tmp_path, monkeypatch, capsys):
    code, summary, commit = call("--seconds", 60, "--stages", "R1", "--seeds", 0)
    done = [run for run in summary["runs"] if run["state"] == "done"]
    assert code == 0 and done and summary["commit"] == commit and summary["neurons"] == "numba"
    assert summary["factors"]["convert"] > 0 and "1/" in capsys.readouterr().out
    files = sorted((tmp_path / "out" / "records").glob("*.json"))
    assert {file.stem for file in files} == {run["key"] for run in done}
    # the sources under test may not be committed yet
    monkeypatch.setattr(sources, "at_commit", lambda task, *_: sources.of_task(task)[0])
    taken = Store(tmp_path / "taken")
    for file in files:
        record = import_record(file, store=taken, repository=provenance.source_tree(), commit=commit)
        assert record.provenance["neurons"] == "numba" and record.provenance["device"] == "cpu"
    again = call("--seconds", 60, "--stages", "R1", "--seeds", 0)[1]["runs"]
    assert {run["state"] for run in again if run["key"] in taken.all_keys()} == {"there already"}


def test_runs_are_chosen_by_key_in_the_given_order(call, tmp_path):
    every = [run["key"] for run in call("--seconds", 0.5, "--stages", "R1", "R3", "--seeds", 0)[1]["runs"]]
    chosen = tmp_path / "keys"
    chosen.write_text("\n".join(every[::-1][:2]))
    found = call("--seconds", 0.5, "--keys", chosen, "--seeds", 0)[1]["runs"]
    assert [run["key"] for run in found] == every[::-1][:2]
    chosen.write_text("0123456789abcdef")
    with pytest.raises(SystemExit, match="--keys must hold keys of profile quick, got 0123456789abcdef"):
        call("--seconds", 0.5, "--keys", chosen)


def test_nothing_starts_that_does_not_fit(call, tmp_path):
    code, summary, _ = call("--seconds", 0.5, "--stages", "R1", "R2", "--seeds", 0)
    assert code == 0 and {run["state"] for run in summary["runs"]} == {"does not fit"}
    assert not list((tmp_path / "out" / "records").glob("*.json"))


def test_a_run_that_fails_does_not_stop_the_others(call, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("no memory")

    monkeypatch.setattr("panda2020.runs.execute", broken)
    code, summary, _ = call("--seconds", 100, "--stages", "R1", "--seeds", 0)
    assert code == 1 and [run["error"] for run in summary["runs"]] == ["RuntimeError: no memory"] * len(
        summary["runs"]
    )


def test_workers_share_the_runs(call):
    code, summary, _ = call(
        "--seconds", 100, "--stages", "R1", "R3", "--seeds", 0, "--workers", 3, "--conversions", 1
    )
    assert code == 0 and summary["workers"] == 3
    assert {run["state"] for run in summary["runs"]} == {"done"} and len(summary["runs"]) == 4


def test_a_run_that_is_not_done_in_time_is_cut_off(call, monkeypatch):
    monkeypatch.setattr("panda2020.runs.execute", lambda *args, **options: time.sleep(60))
    begin = time.perf_counter()
    code, summary, _ = call("--seconds", 2, "--guess", 1e-6, "--stages", "R1", "--seeds", 0)
    assert code == 0 and time.perf_counter() - begin < 20
    assert {run["state"] for run in summary["runs"]} <= {"cut off", "does not fit"}


def test_a_worker_that_dies_is_replaced(call, monkeypatch):
    monkeypatch.setattr("panda2020.runs.execute", lambda *args, **options: os._exit(1))
    code, summary, _ = call("--seconds", 100, "--stages", "R1", "--seeds", 0)
    assert code == 1 and {run["error"] for run in summary["runs"]} == {"the process ended"}


def test_data_are_unpacked_before_anything_else(call, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNCORE_DATA", "")
    script = tmp_path / "unpack.py"
    script.write_text("import sys, pathlib; pathlib.Path(sys.argv[1], 'here').touch()")
    (tmp_path / "data").mkdir()
    call("--seconds", 0.1, "--stages", "R1", "--data", tmp_path / "data", "--prepare", script)
    assert (tmp_path / "data" / "here").exists()


def test_the_check_runs_apart_and_may_take_its_time_only(tmp_path, monkeypatch):
    seen = []

    def slow(words, *, timeout, check):
        seen.append((words[2:5], timeout))
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(subprocess, "run", slow)
    monkeypatch.setattr(gpu_minutes, "_record", lambda *_: None)
    assert gpu_minutes.main(["--seconds", "300", "--out", str(tmp_path), "--check-seconds", "20"]) == 1
    assert seen == [(["bench.gpu_check", "--device", "cuda"], 65)]


def test_the_clock_learns_per_kind_of_run():
    clock = Clock(100, {"": 1 / 15, "convert": 1 / 5})
    assert clock.expected("train", 150) == 10 and 99 < clock.left <= 100
    clock.learn("train", 4, 100)
    clock.learn("train", 2, 100)
    assert clock.expected("train", 150) == pytest.approx(4.5) and clock.expected("convert", 150) == 30
    assert clock.expected("train, poisson", 150) == 10
