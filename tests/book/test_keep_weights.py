"""``tools.keep_weights``: from the full weights of a recorded run to a network that anybody can load."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from panda2020.runs.entry import Entry
from panda2020.runs.executing import collect
from panda2020.tasks.train import Spec
from snncore.data import DataConfig, load
from snncore.network import NetworkConfig
from snncore.pretrained import load_pretrained
from snncore.training import InputConfig, TrainingConfig, evaluate
from tools import keep_weights

SPEC = Spec(
    "8C3 P [8C3]x2 P F16 F10",
    DataConfig("digits", 200, 50, 60),
    NetworkConfig(gain=1.5),
    InputConfig("poisson", steps=4),
    TrainingConfig(epochs=2, batch_size=20, learning_rate=3e-3),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One recorded run of digits: its folder of records and its folder of weights."""
    place = tmp_path_factory.mktemp("kept")
    entry = Entry(SPEC, "VGG3x2", "snn", "custom", ())
    (record,) = collect(
        [entry], run_missing=True, results=place / "results", runs=place / "runs", progress=False
    )
    return place, record


def test_a_recorded_run_becomes_a_network_to_load(run, capsys):
    place, record = run
    folders = ["--results", str(place / "results"), "--runs", str(place / "runs")]
    assert keep_weights.main([record.key, *folders]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        f"VGG3x2: of 60 test images, run {record.key} classified {record.result['accuracy']:.2%}"
    )
    kept = load_pretrained("VGG3x2", folder=place / "results" / "weights")
    assert kept.record == record.key and kept.recorded_accuracy == record.result["accuracy"]
    assert kept.input == SPEC.input and kept.data == "digits" and kept.test_images == 60
    test = load(SPEC.data).test
    assert torch.equal(kept.examples, test.images[: keep_weights.EXAMPLES]) and torch.equal(
        kept.example_labels, test.labels[: keep_weights.EXAMPLES]
    )
    again = evaluate(kept.network, load(SPEC.data).test, kept.input, seed=SPEC.seed, activity=False)
    assert again.accuracy == kept.accuracy
    assert keep_weights.main([record.key, *folders]) == 1  # the name is taken
    assert "name must be new unless replace=True, got 'VGG3x2'" in capsys.readouterr().err
    assert keep_weights.main([record.key, *folders, "--replace"]) == 0
    assert keep_weights.main([record.key, *folders, "--name", "mine"]) == 0
    assert set(json.loads((place / "results/weights/index.json").read_text())["weights"]) == {
        "VGG3x2",
        "mine",
    }


def test_what_cannot_be_kept_is_refused(run, tmp_path, capsys):
    place, record = run
    for file in record.path.parent.glob(f"{record.key}.*"):  # with its arrays
        shutil.copy(file, tmp_path)
    folders = ["--results", str(tmp_path), "--runs", str(tmp_path)]
    assert keep_weights.main(["0" * 16, *folders]) == 1
    assert "KEY must name a record in" in capsys.readouterr().err
    assert keep_weights.main([record.key, *folders]) == 1
    assert "got 0 files of this run, none of them with these" in capsys.readouterr().err
    other = torch.load(next((place / "runs" / "weights").glob("*.pt")), weights_only=True)
    other["network"]["layers.conv1.weight"] += 1
    (tmp_path / "weights").mkdir()
    torch.save(other, tmp_path / "weights" / f"{record.key}-00000000.pt")
    assert keep_weights.main([record.key, *folders]) == 1
    assert "got 1 files of this run, none of them with these" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        keep_weights.main([record.key, record.key, "--name", "two"])
    assert "--name must come with one KEY, got 2" in capsys.readouterr().err
