"""Task "gradients": one tiny run on digits, its record, its resumption and its refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from panda2020.agd.gradients import gradient_table, recorded
from panda2020.runs import Record
from panda2020.runs.spec import from_dict, key, task_of, to_dict
from panda2020.tasks import gradients as task
from panda2020.tasks import train
from snncore.data import DataConfig, Part, load
from snncore.gradients import Split, by_step
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig
from snncore.training import train as fit

DATA = DataConfig("digits", train=64, validation=20, test=20)
RUN = train.Spec(
    "4C3 P 4C3 [4C3]x3 P F8 F10",
    DATA,
    NetworkConfig(neuron="lif", gain=2.0),
    InputConfig("poisson", steps=3),
    TrainingConfig(epochs=4, batch_size=16),
    3,
)
SPEC = task.Spec(RUN, epochs=2, images=32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return task.execute(SPEC, work=work, device="cpu", progress=False), work


def test_spec_round_trip():
    assert task_of(SPEC) == "gradients" and from_dict("gradients", to_dict(SPEC)) == SPEC
    assert key(SPEC) != key(replace(SPEC, images=48)) and (SPEC.seed, SPEC.data, SPEC.input) == (
        3,
        DATA,
        RUN.input,
    )


def test_stages_are_the_gradients_of_the_runs_own_network(run):
    result = run[0].result
    json.dumps(result, allow_nan=False)
    assert [s["epoch"] for s in result["stages"]] == [0, 1, 2] and result["batches"] == 2
    splits = load(DATA)
    alone = train.build(RUN, splits)
    curve = fit(alone, splits, RUN.input, RUN.training, seed=3, progress=False, stop_after=2)
    assert result["weights_sha256"] == train.fingerprint(alone)
    assert [{k: v for k, v in e.items() if k != "gradients"} for e in result["curve"]] == curve
    part = Part(splits.train.images[:32], splits.train.labels[:32])
    found = Split.of(by_step(alone, part, RUN.input, batch_size=16, seed=3)["conv3"])
    kept = Split.from_json(result["stages"][-1]["layers"]["conv3"])
    assert torch.equal(found.cosines, kept.cosines) and torch.equal(found.norms, kept.norms)
    assert kept.cosines.shape == kept.between.shape == (3, 3) and (kept.norms > 0).all()


def test_read_back_from_a_record(run, tmp_path):
    record = Record(
        {"result": run[0].result, "artifacts": {}, "key": "k"}, tmp_path / "k.json", "recorded", {}
    )
    stages = recorded(record)
    table = gradient_table({"SNN": stages})
    assert (
        len(table) == 3 * 3
        and table["norm"].tolist()[:3] == run[0].result["stages"][0]["layers"]["conv3"]["norms"]
    )


def test_first_epoch_and_going_on(run, tmp_path):
    outcome, work = run
    assert task.first_epoch(SPEC, work=work, device="cpu", progress=False) == outcome.result["curve"][0]
    (tmp_path / f"{key(SPEC)}.pt").write_bytes((work / f"{key(SPEC)}.pt").read_bytes())
    assert task.execute(SPEC, work=tmp_path, device="cpu", progress=False).result == outcome.result


def test_minutes():
    assert 0 < task.minutes(SPEC) < task.minutes(replace(SPEC, epochs=4))
    assert task.minutes(replace(SPEC, epochs=4)) > train.minutes(RUN)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"run": replace(RUN, topology="4C3 P 4C3 P F8 F10")},
            "run.topology must have a BackRes block, got '4C3 P 4C3",
        ),
        ({"epochs": 5}, "epochs must be at most the 4 of the run, got 5"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"images": 16}, "images must be a whole number of at least 17"),
        ({"images": 65}, "images must be at most the 64 training images, got 65"),
    ],
)
def test_spec_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        replace(SPEC, **wrong)
