"""Runs that no machine can make: refused before they start, with the memory that they would take."""

from __future__ import annotations

import json
import re

import pytest
import runs_fake

from panda2020 import __main__ as command_line
from panda2020.runs import Store, provenance

COMMIT = "c" * 40


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Run the commands in this process, in an empty home, at a clean commit."""
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit(COMMIT, False))
    return tmp_path


def record(*arguments):
    words = ("record", "--quiet", "--threads", 1, *arguments)
    return command_line.main(list(map(str, words)), contents=runs_fake)


DATA = {"name": "digits", "train": 100, "validation": 20, "test": 30}
TRAIN = {
    "task": "train",
    "topology": "8C3 P F10",
    "data": DATA,
    "network": {"neuron": "lif"},
    "input": {"code": "poisson", "steps": 5},
    "training": {"epochs": 1},
}
HELD = r"the run takes about [\d,.]+ GiB of memory, more than the [\d,.]+ GiB it may take; --memory GIB allows more"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"topology": "[8C3]x1000000000 F10"}, "numbers must be at most 100,000"),
        ({"topology": "[" * 10**4 + "8C3" + "]x1" * 10**4 + " F10"}, "brackets must be at most 50 deep"),
        ({"topology": "8C3 P P P P F10"}, "must"),
        ({"topology": ""}, "must"),
        ({"topology": "99999C3 P F10", "training": {"epochs": 1, "batch_size": 1000}}, HELD),
        ({"topology": "99999C3 99999C3 P F10"}, HELD),
        ({"topology": "F100000 F100000 F10"}, HELD),
        ({"input": {"code": "poisson", "steps": 100_000}, "topology": "999C3 P F10"}, HELD),
        ({"input": {"code": "poisson", "steps": 10**9}}, "train.input.steps must be at most 100,000"),
        ({"training": {"batch_size": 100_000}, "topology": "512C3 512C3 P F10"}, HELD),
        ({"data": {**DATA, "size": 4096}, "topology": "64C3 F128 F10"}, HELD),
        ({"data": {**DATA, "train": 10**12, "size": 32}}, HELD),
        ({"seed": -1}, "train.seed must be between 0 and 4,294,967,295, got -1"),
        ({"seed": 10**30}, f"train.seed must be between 0 and 4,294,967,295, got {10**30}"),
        ({"task": []}, "task must be one of"),
        ({"topology": "8C3 P F10\ud800"}, r"text that is Unicode, got '.ud800'|must be made of"),
        ({"network": {"neuron": "lif", "head_options": [["\ud800", 1]]}}, "head"),
        ({"data": {**DATA, "seed": -1}}, "train.data.seed must be between 0 and"),
    ],
)
def test_runs_that_no_machine_can_make_are_refused_before_they_start(
    places, capsys, monkeypatch, change, words
):
    monkeypatch.setattr(provenance, "memory_of", lambda device: 64 * 1024.0)
    started = []
    monkeypatch.setattr("panda2020.runs.commands.execute", lambda *_, **__: started.append(1))
    assert record("--spec", json.dumps({**TRAIN, **change})) == 2
    err = capsys.readouterr().err
    assert re.search(words, err) and err.startswith("error: ") and err.count("\n") == 1 and not started
    assert len(err) < 600


def test_a_run_that_is_too_large_does_not_keep_the_others_from_being_made(places, capsys, monkeypatch):
    monkeypatch.setattr(runs_fake, "memory", lambda spec: 5000.0 if spec.name == "one" else 100.0)
    assert record("--profile", "laptop", "--table", "8", "--memory", 2) == 1
    err = capsys.readouterr().err
    assert (
        "not started: one walk seed 0 (laptop): the run takes about 4.9 GiB of memory, more than the 2.0 GiB"
        in err
    )
    assert [r.spec.name for r in Store(places / "results").read_all()[0]] == ["two"]
    assert record("--profile", "laptop", "--table", "8", "--memory", 5) == 0
    assert len(Store(places / "results").all_keys()) == 2
    for wrong in ("0", "-1", "nan"):
        assert record("--profile", "laptop", "--memory", wrong) == 2
        assert "--memory must be above 0" in capsys.readouterr().err


def test_the_machine_says_its_memory():
    assert 256 < provenance.memory_of("cpu") < 2**30
