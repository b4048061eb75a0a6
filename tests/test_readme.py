"""The programs in README.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_tour_of_the_library_trains_and_counts_energy(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(PROGRAMS) == 1
    seen: dict[str, object] = {}
    exec(compile(PROGRAMS[0], "README.md", "exec"), seen)
    net, report = seen["net"], seen["report"]
    gradients = [p.grad for p in net.parameters()]  # type: ignore[attr-defined]
    assert all(g is not None and torch.isfinite(g).all() and g.any() for g in gradients)
    assert [row.site for row in report.rows] == ["conv1", "conv2.1", "conv2.2", "conv2.3", "fc1", "fc2"]  # type: ignore[attr-defined]
    assert capsys.readouterr().out.startswith(f"{report.efficiency:.1f} times less energy")  # type: ignore[attr-defined]
