"""The check of a GPU, run on a CPU: everything is measured and written, and a part that fails stops no other."""

from __future__ import annotations

import json

import pytest

from bench import gpu_check
from snncore.neurons import fire


def parts(folder):
    return json.loads((folder / "gpu_check.json").read_text())["rows"]


def run(folder, *more):
    return gpu_check.main(["--device", "cpu", "--size", "small", "--out", str(folder), *more])


def test_everything_is_measured_and_sound(tmp_path, capsys):
    assert run(tmp_path) == 0
    rows = parts(tmp_path)
    names = {row["part"].split()[0] for row in rows}
    assert names == {"machine", "neurons", "training", "layer", "step", "epoch", "conversion", "peers"}
    assert not any("failed" in row for row in rows) and all(row.get("holds", True) for row in rows)
    simulated = next(row for row in rows if row["part"] == "conversion")
    assert simulated["image_steps_per_s"] > 0 and min(simulated["rates"]) > 0
    assert capsys.readouterr().out.strip().endswith("sound")
    made = json.loads((tmp_path / "gpu_check.json").read_text())
    assert (
        made["commit"]
        and made["date"]
        and made["command"].startswith("python -m bench.gpu_check --device cpu")
    )


def test_no_part_starts_after_the_time(tmp_path):
    assert run(tmp_path, "--seconds", "0") == 0
    assert all(row["skipped"] == "out of time" for row in parts(tmp_path))


def test_wrong_gradients_and_a_failing_part_are_said(tmp_path, monkeypatch):
    def halved(current, *args, **options):
        return fire(current.detach() + 0.5 * (current - current.detach()), *args, **options)

    def broken(self):
        raise RuntimeError("no memory")

    monkeypatch.setattr(gpu_check, "fire", halved)
    for name in ("_training", "_step", "_epoch", "_conversion"):
        monkeypatch.setattr(gpu_check._Check, name, broken)
    assert run(tmp_path) == 1
    rows = parts(tmp_path)
    assert [row["holds"] for row in rows if row["part"] == "neurons" and "dtype" in row] == [False] * 3
    assert {row["failed"] for row in rows if row["part"] == "training"} == {"RuntimeError: no memory"}
    assert rows[-1]["part"] == "peers"


def test_a_device_that_is_not_there_is_refused(capsys):
    if gpu_check.torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit):
        gpu_check.main(["--device", "cuda"])
    assert "not available" in capsys.readouterr().err
