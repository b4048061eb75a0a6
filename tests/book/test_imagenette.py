"""The selection of the ten ImageNet classes, from a made-up clone of its source."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snncore.data import DataConfig, load
from tools import imagenette


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(imagenette, "COUNTS", {"train": 3, "val": 2})
    draw = np.random.default_rng(0)
    for half in ("train", "val"):
        for name in imagenette.CLASSES:
            folder = tmp_path / "clone" / half / name
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = draw.integers(0, 256, (14, 14, 3), dtype=np.uint8)
                Image.fromarray(pixels).resize((224, 224)).save(folder / f"image_{number}.JPEG")
    return tmp_path / "clone"


def test_the_first_by_the_hash_of_their_names_become_small(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    target = tmp_path / "imagenette-128"
    assert imagenette.main([str(clone), str(target)]) == 0
    assert capsys.readouterr().out == f"50 images in {target}\n"
    names = sorted(
        (f"image_{n}.JPEG" for n in range(4)), key=lambda name: hashlib.sha256(name.encode()).hexdigest()
    )
    assert {p.name for p in (target / "val" / "n03888257").iterdir()} == set(names[:2])
    one = Path("train", "n01440764", names[0])
    with Image.open(target / one) as small, Image.open(clone / one) as large:
        assert small.size == (128, 128) and small.mode == "RGB"
        near = np.asarray(large.resize((128, 128), Image.Resampling.LANCZOS), float)
        assert np.abs(np.asarray(small, float) - near).mean() < 4  # of 255: what JPEG of this quality loses
    splits = load(DataConfig("imagenette-128", train=20, validation=10, test=20, size=16), root=tmp_path)
    assert (
        splits.classes[0] == "tench" and splits.classes[-1] == "parachute" and len(splits.train.labels) == 20
    )


def test_a_clone_that_lacks_images_is_refused_before_anything_is_written(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for path in list((clone / "val" / "n02979186").iterdir())[1:]:
        path.unlink()
    assert imagenette.main([str(clone), str(tmp_path / "out")]) == 1
    assert "n02979186 must hold at least 2 images named *.JPEG, got 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
