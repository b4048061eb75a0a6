"""The recorded spikes of Figure 2B: counted by hand, read as written, and what the committed file holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from panda2020.neurons import coded

ROOT = Path(__file__).parents[3]


def test_spikes_are_counted_along_one_stream():
    images = torch.tensor([[[[0.0, 1.0, 0.5]]]])
    found = coded.count(images, (1, 10), seed=3)
    assert found[10][0, 0, 0, :2].tolist() == [0, 10] and found[1][0, 0, 0, :2].tolist() == [0, 1]
    assert 0 <= found[1][0, 0, 0, 2] <= found[10][0, 0, 0, 2] <= 10
    again = coded.count(images, (1, 10), seed=3)
    assert all(torch.equal(found[steps], again[steps]) for steps in found)


def test_counts_survive_the_file():
    counts = torch.arange(24).reshape(2, 3, 2, 2) * 17
    assert torch.equal(coded._unpacked(coded._packed(counts), [2, 3, 2, 2]), counts)


def test_another_schema_is_refused(tmp_path: Path):
    file = tmp_path / "figure-2b.json"
    file.write_text(json.dumps({"schema": "other"}))
    with pytest.raises(ValueError, match="of schema 'figure-2b-1', got .* of schema 'other'"):
        coded.read(file)


def test_the_committed_file_holds_spikes_that_can_be():
    found = coded.read(ROOT / coded.FILE)
    assert tuple(found.counts) == coded.STEPS and len(found.classes) == len(coded.IMAGES)
    for before, after in zip(coded.STEPS, coded.STEPS[1:], strict=False):
        grown = found.counts[after] - found.counts[before]
        assert 0 <= int(grown.min()) and int(grown.max()) <= after - before
    assert found.means[400].min() >= 0 and found.means[400].max() <= 1
    assert found.record.provenance["dirty"] is False and found.record.key == "figure-2b"


def test_the_command_writes_one_file(capsys: pytest.CaptureFixture[str]):
    assert coded.main([]) == 2 and "usage" in capsys.readouterr().err
