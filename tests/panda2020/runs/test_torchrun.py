"""``record`` under ``torchrun``: two processes make one record, and what they cannot share ends in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from panda2020.runs import Store, commands, torchrun
from panda2020.runs.choosing import Usage
from panda2020.runs.provenance import same_kind
from panda2020.runs.spec import SpecError

ROOT = Path(__file__).parents[3]

SPEC = {
    "task": "train",
    "topology": "4C3 P F16 F10",
    "data": {"name": "digits", "train": 200, "validation": 50, "test": 100},
    "network": {"neuron": "relu"},
    "input": {"code": "real"},
    "training": {"epochs": 2, "batch_size": 32},
}


def record(folder, *, processes, spec=SPEC):
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] * (
        processes > 1
    )
    words = ["-m", "panda2020", "record", "--spec", json.dumps(spec), "--runs", str(folder), "--allow-dirty"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *launch, *words, "--quiet"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_two_processes_make_one_record(tmp_path):
    found = []
    for processes in (1, 2):
        done = record(tmp_path / str(processes), processes=processes)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("done  ") == 1 and "1 runs recorded" in done.stdout
        (one,) = Store(tmp_path / str(processes)).read_all()[0]
        found.append(one)
    alone, shared = found
    assert "processes" not in alone.provenance and shared.provenance["processes"] == 2
    for one, other in zip(alone.result["curve"], shared.result["curve"], strict=True):
        assert other == pytest.approx(one, rel=1e-4)
    assert abs(alone.result["correct"] - shared.result["correct"]) <= 1
    assert "processes" in same_kind(shared.provenance, alone.provenance)  # so equal bits are not asked for
    assert not list((tmp_path / "2" / "work").iterdir())


def test_a_batch_that_cannot_be_shared_ends_in_one_sentence(tmp_path):
    done = record(tmp_path, processes=2, spec={**SPEC, "training": {"epochs": 1, "batch_size": 25}})
    assert done.returncode != 0 and Store(tmp_path).all_keys() == []
    sentences = [line for line in done.stderr.splitlines() if line.startswith("failed")]
    assert sentences and all(
        line.endswith("batch_size must be a multiple of the 2 processes that share it, got 25")
        for line in sentences
    )


def test_stdp_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torchrun, "task_of", lambda spec: "stdp")
    with pytest.raises(
        SpecError, match="task 'stdp' must run in one process, as it has no batches to share, got 2"
    ):
        torchrun.run_task(None, work=tmp_path, device="cpu", progress=False)


@pytest.mark.parametrize(
    "device, gpus, sentence",
    [
        (
            "cuda:1",
            8,
            "--device must be cpu or cuda under torchrun, which gives each process its GPU, got cuda:1",
        ),
        ("cuda", 2, "torchrun must start at most 2 processes on a node with 2 GPUs, got 4"),
    ],
)
def test_every_process_gets_a_device(monkeypatch, device, gpus, sentence):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.raises(Usage) as refused:
        commands._check_processes(SimpleNamespace(device=device), gpus)
    assert str(refused.value) == sentence
    commands._check_processes(SimpleNamespace(device="cpu"), gpus)
