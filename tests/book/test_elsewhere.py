"""The programs on the page "Use a trained network elsewhere", with a small network for digits in place of the paper's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from snncore import pretrained
from snncore.network import Network, NetworkConfig
from tools.tour import blocks

PAGE = Path(__file__).resolve().parents[2] / "book" / "elsewhere.md"


def test_its_programs_run_in_order(tmp_path, monkeypatch, capsys):
    pytest.importorskip("nir")
    made = Network(
        "16C3 P [16C3]x4 F32 F10",
        input_shape=(1, 8, 8),
        config=NetworkConfig(gain=1.5),
        generator=torch.Generator().manual_seed(0),
    )
    description = {
        "input": {"code": "poisson", "signed": False, "steps": 5},
        "classes": [str(k) for k in range(10)],
        "data": "digits",
        "record": "0123456789abcdef",
        "recorded_accuracy": 0.75,
        "accuracy": 0.5,
        "test_images": 60,
    }
    shown = (torch.from_numpy(load_digits().images[:8]) * 15).to(torch.uint8)[:, None]
    pretrained.save_pretrained(
        "VGG3x4", made, description, examples=shown, example_labels=torch.arange(8), folder=tmp_path
    )
    monkeypatch.setattr(pretrained, "weights_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    programs = blocks(PAGE.read_text("utf-8"))
    assert len(programs) == 3
    names: dict[str, object] = {}
    for program in programs:
        exec(compile(program, PAGE.name, "exec"), names)
    said = capsys.readouterr().out
    assert said.startswith(
        "VGG3x4, trained by run 0123456789abcdef: 75.0% of 60 test images;\nwith these weights"
    )
    assert "conv2.4" in said and "times less energy" in said
    assert (tmp_path / "vgg3x4.nir").is_file() and (tmp_path / "vgg3x4.pt2").is_file()
