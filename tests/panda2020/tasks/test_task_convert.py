"""The task "convert", through the store: what it records, that it repeats, and every wrong spec."""

from __future__ import annotations

from dataclasses import replace

import pytest

from panda2020.runs.entry import Entry
from panda2020.runs.executing import execute
from panda2020.runs.spec import from_dict, key, to_dict
from panda2020.runs.store import Store
from panda2020.runs.verifying import verify
from panda2020.tasks import convert, train
from snncore.conversion import ConversionConfig
from snncore.data import DataConfig
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig

ANN = train.Spec(
    "6C3 P [6C3]x2 F24 F10",
    DataConfig("digits", 500, 50, 40),
    NetworkConfig(neuron="relu"),
    InputConfig("real"),
    TrainingConfig(epochs=3, learning_rate=5e-3),
)
SPEC = convert.Spec(ANN, ConversionConfig(images=20, steps=40), (10, 50, 300))


def entry(spec):
    return Entry(spec, profile="quick", tables=("2",), network="toy", role="conversion")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return execute(entry(SPEC), store=Store(folder), runs=folder, progress=False), folder


def test_what_a_record_holds(stored):
    result = stored[0].result
    assert sorted(result["snn"]) == ["10", "300", "50"]
    assert result["accuracy"] == result["snn"]["300"]["accuracy"]
    assert result["ann"]["accuracy"] > 0.3
    sites = ["conv1", "conv2.1", "conv2.2", "fc1"]
    assert sorted(result["thresholds"]) == sites and all(v > 0 for v in result["thresholds"].values())
    for T, found in result["snn"].items():
        paired = found["paired"]
        assert paired["both"] + paired["snn_only"] == found["correct"]
        assert paired["both"] + paired["ann_only"] == result["ann"]["correct"]
        assert (
            sum(paired[name] for name in ("both", "snn_only", "ann_only", "neither")) == found["total"] == 40
        )
        assert found["correct"] <= found["top5"]["correct"] <= 40
        assert found["steps"] == int(T)
        assert "energy" not in found  # it follows from the activity
        assert sorted(found["agreement"]) == sites
        assert f"{int(found['hits'], 16):040b}".count("1") == found["correct"]


def test_conversion_loses_little_at_large_t(stored):
    result = stored[0].result
    assert abs(result["snn"]["300"]["paired"]["difference"]) <= 0.1
    assert result["snn"]["300"]["agreement"]["conv1"]["correlation"] > 0.99
    spikes = [int(T) * result["snn"][T]["activity"]["conv1"]["rate"] for T in ("10", "50", "300")]
    assert 0 < spikes[0] < spikes[1] < spikes[2]


def test_points_of_the_scatter_are_kept(stored):
    points = stored[0].artifact("rates")
    assert len(points) == 12 and points["T300/fc1"].shape == (convert.POINTS, 2)


def test_the_anns_weights_are_shared_and_the_run_repeats(stored, tmp_path):
    record, folder = stored
    assert len(list((folder / "weights").glob(f"{key(ANN)}-*.pt"))) == 1
    again = execute(entry(SPEC), store=Store(tmp_path), runs=tmp_path, progress=False)
    assert again.result == record.result
    assert again["artifacts"] == record["artifacts"]
    assert verify(record, runs=tmp_path, progress=False).agrees


@pytest.mark.parametrize(
    "change",
    [
        {"conversion": ConversionConfig(images=20, steps=40, relu_layers=1)},
        {"conversion": ConversionConfig(images=20, steps=40, shared=True, percentile=99.9)},
        {"ann": replace(ANN, network=NetworkConfig(neuron="relu", head="stochmax"))},
        {"ann": replace(ANN, input=InputConfig("real", signed=True)), "test": 30},
    ],
)
def test_variants(change, stored, tmp_path):
    spec = replace(SPEC, steps=(200,), **change)
    work = tmp_path / "work" / "x"
    work.mkdir(parents=True)
    result = convert.execute(spec, work=work, device="cpu", progress=False).result
    assert result["total"] == (spec.test or 40)
    assert abs(result["snn"]["200"]["paired"]["difference"]) < 0.15
    assert from_dict("convert", to_dict(spec)) == spec
    assert key(spec) != key(SPEC)


def test_minutes_grow_with_steps():
    assert 0 < convert.minutes(SPEC) < convert.minutes(replace(SPEC, steps=(4000,)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": ()}, "steps must be at least one T"),
        ({"steps": (10, 5)}, "rising, got"),
        ({"steps": (5, 5)}, "each once"),
        ({"steps": (0,)}, "steps must be a whole number"),
        ({"test": 41}, r"test must be at most ann.data.test = 40, got 41"),
        ({"conversion": ConversionConfig(images=501)}, "images must be at most"),
        ({"ann": replace(ANN, input=InputConfig("poisson", steps=5))}, "code 'real' or 'poisson-mean'"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_specs(change, words):
    with pytest.raises(ValueError, match=words):
        replace(SPEC, **change)


def test_what_cannot_be_converted_is_refused_before_training(tmp_path):
    spec = replace(SPEC, ann=replace(ANN, network=NetworkConfig(neuron="relu", batch_norm=True)))
    with pytest.raises(ValueError, match="no batch normalisation, got it at conv1"):
        convert.execute(spec, work=tmp_path / "a" / "b", device="cpu", progress=False)
