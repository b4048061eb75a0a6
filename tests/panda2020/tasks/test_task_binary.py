"""Task "binary": one tiny run on digits, its record, its resumption and its refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from panda2020.runs import Record
from panda2020.runs.spec import from_dict, key, task_of, to_dict
from panda2020.samples import Sample
from panda2020.tasks import binary as task
from panda2020.tasks import train
from snncore.data import DataConfig, load
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig

DATA = DataConfig("digits", train=300, validation=40, test=40)
SPEC = task.Spec(
    "8C3 P 16C3 [16C3]x2 P F32 F10",
    DATA,
    NetworkConfig(neuron="lif", alpha=0.0, gain=2.8),
    InputConfig("direct", steps=1),
    TrainingConfig(epochs=5, learning_rate=3e-3),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    work = tmp_path_factory.mktemp("runs") / "work" / "one"
    work.mkdir(parents=True)
    return task.execute(SPEC, work=work, device="cpu", progress=False), work


def test_spec_is_a_task_of_its_own():
    assert task_of(SPEC) == "binary" and from_dict("binary", to_dict(SPEC)) == SPEC
    alike = train.Spec(SPEC.topology, SPEC.data, SPEC.network, SPEC.input, SPEC.training, SPEC.seed)
    assert task_of(alike) == "train" and key(SPEC) not in (key(alike), key(replace(SPEC, scale="none")))


def test_record(run):
    result = run[0].result
    json.dumps(result, allow_nan=False)
    assert result["accuracy"] == result["correct"] / result["total"] and result["total"] == 40
    assert result["binary_parameters"] == 9 * (8 * 16 + 16 * 16) + 16 * 2 * 2 * 32
    counted = Sample(
        Record({"task": "binary", "spec": to_dict(SPEC), "result": result}, Path("x")), 1, result
    ).parameters
    assert counted == result["binary_parameters"] + 9 * 8 + 32 * 10 + 10
    assert all(
        site["rate"] == pytest.approx(site["nonzero"])
        for name, site in result["activity"].items()
        if name != "input"
    )
    assert {"conv3.1", "conv3.2"} <= set(result["activity"]) and result["steps"] == 1


def test_it_learns_and_weights_change_sign(run):
    curve = run[0].result["curve"]
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]
    work = run[1]
    kept = torch.load(next((work.parent.parent / "weights").iterdir()), weights_only=True)["network"]
    name = "layers.conv2.parametrizations.weight.original"
    before = task.build(SPEC, load(DATA)).state_dict()[name]
    assert (before.sign() != kept[name].sign()).any()


def test_first_epoch_and_going_on(run, tmp_path):
    outcome, work = run
    assert task.first_epoch(SPEC, work=work, device="cpu", progress=False) == outcome.result["curve"][0]
    half = tmp_path / "work" / "two"
    half.mkdir(parents=True)
    (half / f"{key(SPEC)}.pt").write_bytes((work / f"{key(SPEC)}.pt").read_bytes())
    assert task.execute(SPEC, work=half, device="cpu", progress=False).result == outcome.result
    assert (
        task.execute(SPEC, work=half, device="cpu", progress=False).result == outcome.result
    )  # from the weights kept


def test_minutes():
    assert 0 < task.minutes(SPEC) < task.minutes(replace(SPEC, data=replace(DATA, train=1000)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"network": NetworkConfig(neuron="lif")},
            "network must have neuron 'lif' and leak 0, got 'lif' and 0.95",
        ),
        (
            {"network": NetworkConfig(neuron="relu", alpha=0.0)},
            "network must have neuron 'lif' and leak 0, got 'relu' and 0",
        ),
        ({"input": InputConfig("real")}, "input must have code 'direct' and 1 step, got 'real' and None"),
        ({"input": InputConfig("direct", steps=2)}, "got 'direct' and 2"),
        ({"scale": "max"}, "scale must be one of 'mean', 'none'"),
    ],
)
def test_spec_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        replace(SPEC, **wrong)
