"""Kept networks: what comes back is what was saved, rounded, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest
import torch

import snncore
from snncore.data import DataConfig, load
from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF
from snncore.pretrained import load_pretrained, pretrained_names, rounded, save_pretrained, weights_root
from snncore.training import InputConfig, TrainingConfig, evaluate, train

DESCRIPTION = {
    "input": {"code": "poisson", "signed": False, "steps": 5},
    "classes": [str(k) for k in range(10)],
    "data": "digits",
    "record": "0123456789abcdef",
    "recorded_accuracy": 0.5,
    "accuracy": 0.5,
    "test_images": 60,
}

SHOWN = {
    "examples": torch.arange(128, dtype=torch.uint8).view(2, 1, 8, 8),
    "example_labels": torch.tensor([3, 7]),
}


def network(text="8C3 P [8C3]x2 P F16 F10", **config) -> Network:
    generator = torch.Generator().manual_seed(0)
    return Network(text, input_shape=(1, 8, 8), config=NetworkConfig(**config), generator=generator)


@pytest.fixture
def folder(tmp_path):
    save_pretrained("tiny", network(), DESCRIPTION, **SHOWN, folder=tmp_path)
    return tmp_path


def test_a_trained_network_comes_back_rounded_and_is_as_good(tmp_path):
    splits = load(DataConfig("digits", 300, 60, 60))
    net, coder = network("16C3 P [16C3]x2 F32 F10", gain=1.5), InputConfig("poisson", steps=5)
    recipe = TrainingConfig(epochs=6, batch_size=15, learning_rate=5e-3)
    train(net, splits, coder, recipe, seed=0, progress=False)
    full = evaluate(net, splits.test, coder, seed=0, activity=False)
    save_pretrained("VGG", net, DESCRIPTION | {"recorded_accuracy": full.accuracy}, **SHOWN, folder=tmp_path)
    back = load_pretrained("VGG", folder=tmp_path)
    assert back.input == coder and back.classes == splits.classes and back.test_images == 60
    assert back.recorded_accuracy == full.accuracy > 0.5
    for name, value in net.state_dict().items():
        half = value.half().to(value.dtype) if value.dtype == torch.float32 and value.dim() > 1 else value
        assert torch.equal(back.network.state_dict()[name], half), name
    again = evaluate(back.network, splits.test, back.input, seed=0, activity=False)
    assert abs(again.accuracy - full.accuracy) <= 0.05
    assert not back.network.training
    assert torch.equal(back.examples, SHOWN["examples"])
    assert torch.equal(back.example_labels, SHOWN["example_labels"])


def test_thresholds_per_pass_kept_channels_and_options_of_the_head_come_back(tmp_path):
    net = network("4C3 [8C3]x2:drop P F10", reset="hard", readout="sum")
    net.set_neuron("conv2.2", LIF(0.95, 1.7, reset="hard"))
    save_pretrained("odd", net, DESCRIPTION, **SHOWN, folder=tmp_path)
    back = load_pretrained("odd", folder=tmp_path).network
    assert (
        back.config == net.config
        and back.topology == net.topology
        and list(back.sites()) == list(net.sites())
    )
    assert torch.equal(back.match_conv2.kept, net.match_conv2.kept)


def test_options_of_the_head_are_tuples_again(tmp_path):
    net = network(head="stochmax", head_options=(("tau", 0.2), ("target_kept", False)))
    save_pretrained("stochmax", net, DESCRIPTION, **SHOWN, folder=tmp_path)
    assert load_pretrained("stochmax", folder=tmp_path).network.config == net.config


def test_names_are_listed_and_unknown_ones_refused(folder):
    save_pretrained("another", network(), DESCRIPTION, **SHOWN, folder=folder)
    assert pretrained_names(folder=folder) == ("another", "tiny")
    with pytest.raises(ValueError, match="name must be one of another, tiny, got 'VGG'"):
        load_pretrained("VGG", folder=folder)


def test_a_taken_name_is_replaced_only_on_demand(folder):
    with pytest.raises(
        ValueError, match="name must be new unless replace=True, got 'tiny', stored from run 0123456789abcdef"
    ):
        save_pretrained("tiny", network(), DESCRIPTION, **SHOWN, folder=folder)
    save_pretrained("tiny", network("F10"), DESCRIPTION, **SHOWN, folder=folder, replace=True)
    assert load_pretrained("tiny", folder=folder).network.topology.text == "F10"
    for name in ("", "../tiny", ".tiny", "a b"):
        with pytest.raises(ValueError, match="name must consist of letters"):
            save_pretrained(name, network(), DESCRIPTION, **SHOWN, folder=folder)
    with pytest.raises(ValueError, match="description must hold accuracy, .*, got accuracy$"):
        save_pretrained("other", network(), {"accuracy": 1.0}, **SHOWN, folder=folder)
    for wrong, words in (
        (
            {"examples": SHOWN["examples"].float()},
            r"examples must be uint8 of shape .*, got torch.float32 \(2, 1, 8, 8\)",
        ),
        (
            {"examples": SHOWN["examples"][..., :4]},
            r"examples must be uint8 of shape .*, got torch.uint8 \(2, 1, 8, 4\)",
        ),
        ({"example_labels": torch.zeros(3)}, r"example_labels must have shape \(2,\), got \(3,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            save_pretrained("other", network(), DESCRIPTION, **(SHOWN | wrong), folder=folder)


def test_damaged_and_missing_files_are_named(folder, tmp_path):
    file = folder / "tiny.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"tiny.safetensors must have the sha256 \w{16}\.\., got .* damaged"):
        load_pretrained("tiny", folder=folder)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"tiny.safetensors is missing, though index.json names it"):
        load_pretrained("tiny", folder=folder)
    with pytest.raises(
        FileNotFoundError, match=r"no index.json in .*load_pretrained\(..., folder=DIR\) can name"
    ):
        load_pretrained("tiny", folder=tmp_path / "nowhere")


def test_an_index_that_cannot_be_understood_is_named(folder):
    index = folder / "index.json"
    data = json.loads(index.read_text())
    for changed, message in (
        ({"schema": 2}, "must be an index of weights: schema must be 1, got 2"),
        ({"weights": {"tiny": {}}}, r"must say how 'tiny' is built: KeyError\('file'\)"),
        (
            {"weights": {"tiny": data["weights"]["tiny"] | {"topology": "8C3 F10"}}},
            "must say how 'tiny' is built",
        ),
        (
            {"weights": {"tiny": data["weights"]["tiny"] | {"network": {"leak": 1}}}},
            "must say how 'tiny' is built",
        ),
    ):
        index.write_text(json.dumps(data | changed))
        with pytest.raises(ValueError, match=message):
            load_pretrained("tiny", folder=folder)
    index.write_text("{")
    with pytest.raises(ValueError, match="must be an index of weights"):
        load_pretrained("tiny", folder=folder)


def test_weights_that_half_precision_cannot_hold_are_refused():
    with pytest.raises(
        ValueError, match="weights must be finite in half precision, got one that is not in w"
    ):
        rounded({"w": torch.full((1, 1), 1e6)})
    with pytest.raises(ValueError, match="got one that is not in b"):
        rounded({"b": torch.tensor([float("nan")])})
    assert rounded({"b": torch.tensor([1e6])})["b"].item() == 1e6


def test_every_kept_network_of_the_repository_loads():
    if not (weights_root() / "index.json").exists():
        pytest.skip("no weights are kept yet")
    for name in pretrained_names():
        kept = snncore.load_pretrained(name)
        assert (
            kept.name == name
            and 0 < kept.accuracy <= 1
            and len(kept.classes) == kept.network.topology.classes
        )
