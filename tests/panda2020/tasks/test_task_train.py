"""Task "train": what a record says of its run, computed again from the weights it kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from panda2020.tasks import train as task
from snncore.data import DataConfig, load
from snncore.network import NetworkConfig
from snncore.streams import stream
from snncore.training import InputConfig, TrainingConfig, evaluate

DATA = DataConfig("digits", train=1100, validation=40, test=60)

SPIKING = task.Spec(
    "4C3 P [4C3]x2 F16 F10",
    DataConfig("digits", train=60, validation=20, test=20),
    NetworkConfig(),
    InputConfig("poisson", signed=True, steps=5),
    TrainingConfig(epochs=1),
)
SPEC = task.Spec(
    "4C3 P F16 F10",
    DATA,
    NetworkConfig(neuron="relu", head="stochmax"),
    InputConfig(),
    TrainingConfig(epochs=2, learning_rate=3e-3),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    work = tmp_path_factory.mktemp("runs") / "work" / "one"
    work.mkdir(parents=True)
    result = task.execute(SPEC, work=work, device="cpu", progress=False).result
    kept: Path = next((work.parent.parent / "weights").iterdir())
    network = task.build(SPEC, load(DATA))
    network.load_state_dict(torch.load(kept, weights_only=True)["network"])
    return result, network.eval()


def test_the_record_is_json_and_knows_its_weights(run):
    result, network = run
    json.dumps(result, allow_nan=False)
    assert result["weights_sha256"] == task.fingerprint(network)
    with torch.no_grad():
        next(network.parameters()).flatten()[0] += 1e-3
        assert task.fingerprint(network) != result["weights_sha256"]
        next(network.parameters()).flatten()[0] -= 1e-3


def test_accuracies_are_those_of_the_images_they_are_named_after(run):
    result, network = run
    splits = load(DATA)
    parts = {"train": splits.train, "test": splits.test}
    with torch.no_grad():
        right = {name: network(part.images / 255).argmax(1) == part.labels for name, part in parts.items()}
    assert result["accuracy"] == right["test"].double().mean().item() == result["correct"] / 60
    assert result["train_accuracy"] == right["train"][: task.SEEN].double().mean().item()
    assert result["train_accuracy"] != pytest.approx(
        result["accuracy"], abs=1e-4
    )  # or neither would tell the parts apart
    assert int(result["hits"], 16) == int(
        "".join(str(int(hit)) for hit in right["test"]), 2
    )  # 60 images: 15 whole digits


def test_rho_has_a_row_per_class_of_image_and_a_column_per_class_kept(run):
    result, network = run
    test = load(DATA).test
    with torch.no_grad():
        rho = network.head.rho(network.features(test.images / 255)).double()
    expected = torch.stack([rho[test.labels == image].mean(0) for image in range(10)])
    found = torch.tensor(result["rho"], dtype=torch.float64)
    assert torch.allclose(found, expected, atol=1e-6) and not torch.allclose(found.T, expected, atol=1e-2)


def test_a_raster_holds_the_spikes_of_the_first_test_images(tmp_path):
    splits = load(SPIKING.data)
    network = task.build(SPIKING, splits).eval()
    found = task.raster(network, splits, SPIKING, device="cpu")
    generator, seen = stream(SPIKING.seed, "raster"), {}
    x, _ = SPIKING.input(splits.test.images[:8], generator=generator)
    network(x, probe=lambda site, values, timed: seen.update({site: values}), generator=generator)
    assert list(found) == ["input", "conv1", "conv2.1", "conv2.2", "fc1"]
    for site, spikes in found.items():
        neurons = seen[site][0, 0].numel()
        assert spikes.shape == (8, 5, min(64, neurons)) and spikes.dtype == "uint8"
        for index in (0, spikes.shape[2] - 1):  # the first and the last neuron are among them
            neuron = 0 if index == 0 else neurons - 1
            expected = seen[site].flatten(2)[:, :, neuron].T.to(torch.int8).numpy()
            assert (spikes[:, :, index].view("int8") == expected).all()
    assert (found["input"] == 255).any() and found["conv1"].any()  # -1 and spikes


def test_a_spiking_run_keeps_a_raster_and_an_ann_none(tmp_path):
    work = tmp_path / "work" / "one"
    work.mkdir(parents=True)
    outcome = task.execute(SPIKING, work=work, device="cpu", progress=False)
    assert set(outcome.artifacts) == {"raster"} and outcome.result["kept_epoch"] == 1
    plain = SPIKING.__class__(
        "4C3 P F16 F10", SPIKING.data, NetworkConfig(neuron="relu"), InputConfig(), SPIKING.training
    )
    other = tmp_path / "work" / "two"
    other.mkdir()
    assert task.execute(plain, work=other, device="cpu", progress=False).artifacts == {}


def test_a_network_is_read_after_fewer_steps_too():
    spec = replace(SPIKING, input=InputConfig("poisson", steps=12))
    splits = load(spec.data)
    network = task.build(spec, splits).eval()
    found = task.read_early(network, splits, spec, device="cpu")
    assert list(found) == ["5", "10"] and all(len(splits.test) == one["total"] for one in found.values())
    alone = evaluate(network, splits.test, InputConfig("poisson", steps=5), seed=spec.seed, activity=False)
    assert found["5"] == task.counts(alone)
    assert (
        task.read_early(network, splits, replace(spec, input=InputConfig("direct", steps=12)), device="cpu")
        == {}
    )
