"""CIFAR-10: its reader on a small set of the same format, on the true one where it is present, and the torchvision it needs."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from snncore._torchvision import torchvision
from snncore.data import DataConfig, data_root, load, to_unit

REPOSITORY = Path(__file__).resolve().parents[2]


def keys(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set in CIFAR-10's own format, 20 images a file, whose md5 sums torchvision is made to expect."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    generator = np.random.default_rng(0)
    kind = torchvision().datasets.CIFAR10

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(name: str) -> list[str]:
        pixels = generator.integers(0, 256, (20, 3072), dtype=np.uint8)
        return [name, write(name, {"data": pixels, "labels": [i % 10 for i in range(20)]})]

    monkeypatch.setattr(kind, "train_list", [batch(f"data_batch_{i}") for i in range(1, 6)])
    monkeypatch.setattr(kind, "test_list", [batch("test_batch")])
    names = [f"class {i}" for i in range(10)]
    md5 = write("batches.meta", {"label_names": names})
    monkeypatch.setattr(kind, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5})
    return tmp_path


def test_cifar10_format(small_cifar: Path) -> None:
    splits = load(DataConfig("cifar10", train=80, validation=20, test=20), root=small_cifar)
    assert splits.train.images.shape == (80, 3, 32, 32)
    assert splits.classes[3] == "class 3"
    assert torch.bincount(splits.train.labels).tolist() == [8] * 10
    raw = pickle.loads((small_cifar / "cifar-10-batches-py" / "test_batch").read_bytes())
    expected = dict(zip((row.tobytes() for row in raw["data"]), raw["labels"], strict=True))
    assert {k: int(v) for k, v in zip(keys(splits.test.images), splits.test.labels, strict=True)} == expected
    assert load(DataConfig("cifar10", 10, 0, 10, size=16), root=small_cifar).test.images.shape == (
        10,
        3,
        16,
        16,
    )


def test_missing_cifar10_says_where_and_how(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load(DataConfig("cifar10", train=1, validation=0, test=1), root=tmp_path)
    message = str(caught.value)
    assert message.startswith(f"CIFAR-10 is not in {tmp_path}") and "download=True" in message
    assert "\n" not in message


def test_incomplete_cifar10_names_the_file(small_cifar: Path) -> None:
    (small_cifar / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match="CIFAR-10's data_batch_3 is not in"):
        load(DataConfig("cifar10", train=1, validation=0, test=1), root=small_cifar)


def test_damaged_cifar10_names_the_file(small_cifar: Path) -> None:
    path = small_cifar / "cifar-10-batches-py" / "data_batch_2"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data_batch_2 is damaged \(wrong md5 sum\)"):
        load(DataConfig("cifar10", train=1, validation=0, test=1), root=small_cifar)


@pytest.mark.skipif(not (data_root() / "cifar-10-batches-py").is_dir(), reason="CIFAR-10 is not here")
def test_true_cifar10() -> None:
    splits = load(DataConfig("cifar10", train=100, validation=100, test=10_000))
    assert splits.classes == (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    assert torch.bincount(splits.test.labels).tolist() == [1000] * 10
    assert torch.bincount(splits.train.labels).tolist() == [10] * 10
    # The known mean of the test pixels.
    mean = to_unit(splits.test.images).mean((0, 2, 3))
    assert torch.allclose(mean, torch.tensor([0.494, 0.485, 0.450]), atol=1e-3)


def run_fresh(tmp_path: Path, stand_in: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter where ``torchvision`` is the package ``stand_in``."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(stand_in)
    (package / "early.py").write_text("")
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )


USE = "from snncore._torchvision import torchvision, _declared; print(torchvision().good, len(_declared))"


def test_missing_operators_are_declared(tmp_path: Path) -> None:
    stand_in = (
        "import torch\nfrom torchvision import early\n"
        "for name in ('nms', 'qnms'):\n"
        "    torch.library.register_fake(f'torchvision::{name}')(lambda *a: None)\n"
        "import torchvision\ngood = torchvision.early is early\n"
    )
    done = run_fresh(tmp_path, stand_in, USE)
    assert done.stdout.split() == ["True", "2"], done.stderr


def test_operators_that_exist_are_left_alone(tmp_path: Path) -> None:
    stand_in = (
        "import torch\nlib = torch.library.Library('torchvision', 'DEF')\n"
        "lib.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "torch.library.register_fake('torchvision::nms')(lambda *a: None)\ngood = True\n"
    )
    done = run_fresh(tmp_path, stand_in, USE)
    assert done.stdout.split() == ["True", "0"], done.stderr


@pytest.mark.parametrize("failure", ["ImportError('no such thing')", "RuntimeError('another trouble')"])
def test_other_failures_pass_through(tmp_path: Path, failure: str) -> None:
    done = run_fresh(tmp_path, f"raise {failure}\n", USE)
    assert done.returncode != 0
    assert failure.split("'")[1] in done.stderr.splitlines()[-1]


def test_torchvision_is_imported_once() -> None:
    assert torchvision() is torchvision() is sys.modules["torchvision"]
