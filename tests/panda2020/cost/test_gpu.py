"""The recorded check of a GPU, as the chapter on cost shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from panda2020.cost import gpu

ROWS = [
    {"part": "machine", "device_name": "Some GPU", "threads": 4, "versions": {"torch": "2.11.0"}, "at": 1.0},
    {"part": "neurons", "dtype": "torch.bfloat16", "unequal_spikes": 0, "gradient_error": 0.005, "holds": True},
    {"part": "neurons", "share_unequal_to_scan": 0.0, "gradient_error": 1e-7, "holds": True},
    {"part": "training", "off": 0.0005, "holds": True},
    {"part": "layer", "dtype": "torch.float32", "over_copy": 5.26},
    {"part": "step VGG5 width 0.25 batch 32", "ms": 8.0, "over_conv_only": 2.0, "images_per_s": 4000.0,
     "epoch_of_45000_s": 11.25, "peak_gb": 0.25},
    {"part": "step VGG7-agd width 1 batch 128", "ms": 16.0, "over_conv_only": 1.04, "images_per_s": 8000.0,
     "epoch_of_45000_s": 5.6, "peak_gb": 3.2},
    {"part": "conversion", "width": 0.25, "image_steps_per_s": 546000.0},
    {"part": "peers", "contender": "snncore", "version": None, "precision": "bfloat16", "layout": "channels_last",
     "steps": 25, "ms": 5.6, "busy_ms": 1.4, "subtractions": 0},
    {"part": "peers", "contender": "spikingjelly", "version": "2.0.0", "precision": "bfloat16", "layout": "channels_last",
     "steps": 25, "ms": 56.7, "busy_ms": 4.9, "subtractions": 400},
    {"part": "peers", "contender": "spikingjelly", "version": "2.0.0", "precision": "float32", "layout": "contiguous",
     "steps": 25, "ms": 6.1, "busy_ms": 2.4},
    {"part": "epoch", "skipped": "out of time"},
]  # fmt: skip


@pytest.fixture
def check(tmp_path):
    made = {"date": "2026-01-01T00:00:00+00:00", "command": "python -m bench.gpu_check", "commit": "a" * 40}

    def write(rows=ROWS):
        file = tmp_path / "gpu.json"
        file.write_text(json.dumps({**made, "dirty": False, "rows": rows}))
        return gpu.load(file)

    return write


def test_steps_and_comparisons_are_shown(check):
    steps = gpu.steps_table(check())
    assert steps["network"].tolist() == ["VGG5", "VGG7"] and steps["width"].tolist() == [0.25, 1.0]
    assert steps["batch"].tolist() == [32, 128] and steps["over convolutions"].tolist() == [2.0, 1.04]
    assert gpu.right_table(check())["holds"].tolist() == ["yes"] * 3


def test_the_sentences_hold_the_numbers(check):
    said = " ".join(gpu.sentences(check()))
    assert "1.04 to 2.00 times as long as its convolutions" in said and "every comparison" in said
    assert "546,000 image-steps per second" in said
    assert "takes 5.6 ms in bfloat16, and SpikingJelly 2.0.0's takes 6.1 ms in float32" in said
    assert "In bfloat16 SpikingJelly takes 57 ms" in said


def test_the_peer_has_its_rows_and_is_not_needed(check):
    table = gpu.peers_table(check())
    assert table["library"].tolist() == ["snncore", "SpikingJelly 2.0.0", "SpikingJelly 2.0.0"]
    assert table["step (ms)"].tolist() == [5.6, 56.7, 6.1]
    alone = [row for row in ROWS if row.get("contender") != "spikingjelly"]
    assert "SpikingJelly" not in " ".join(gpu.sentences(check(alone)))


def test_a_note_in_the_file_is_shown(check):
    found = check()
    assert (
        gpu.sentences(gpu.Check({**found.data, "note": "Measured later."}, found.path))[-1]
        == "Measured later."
    )


def test_a_failure_is_said(check):
    for bad in ({"part": "neurons", "failed": "no memory"}, {**ROWS[3], "holds": False}):
        found = check([*ROWS, bad])
        assert not found.sound and "FAILED" in gpu.sentences(found)[0]


def test_a_check_has_its_provenance(check):
    made = check().record.provenance
    assert made["commit"] == "a" * 40 and made["device_name"] == "Some GPU" and made["seconds"] == 1.0


def test_another_file_is_refused(tmp_path):
    file = tmp_path / "other.json"
    file.write_text("[]")
    with pytest.raises(ValueError, match=r"must be a file that bench\.gpu_check wrote, got .*other\.json"):
        gpu.load(file)


def test_the_recorded_check_is_sound():
    found = gpu.load(Path(__file__).parents[3] / "results" / "gpu.json")
    assert found.sound and found.machine["neurons"] == "triton"
