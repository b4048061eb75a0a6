"""Images that stay on disk: the same choice as in memory, the usual transforms, every odd file met by name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from snncore.data import DataConfig, DataError, batches, load
from snncore.folders import MANIFEST, open_folder, read_manifest
from snncore.network import Network, NetworkConfig
from snncore.training import InputConfig, TrainingConfig, evaluate, train

CLASSES = ("cat", "dog", "newt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve training and six test images of three classes, 32 pixels a side, told apart by their colour."""
    draw = np.random.default_rng(0)
    for half, count in (("train", 4), ("val", 2)):
        for label, name in enumerate(CLASSES):
            folder = tmp_path / "toy" / half / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = draw.integers(0, 60, (32, 32, 3), dtype=np.uint8)
                pixels[..., label] += 180
                Image.fromarray(pixels).save(folder / f"{k}.png")
    return tmp_path


def config(**changed) -> DataConfig:
    return DataConfig(
        **({"name": "imagefolder:toy", "train": 8, "validation": 3, "test": 6, "size": 28} | changed)
    )


def read(part, size=4, seed=None):
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    images, labels = zip(*batches(part, size, generator=generator), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_it_chooses_the_images_that_load_chooses(root):
    here, there = open_folder(config(), root=root, workers=0), load(config(), root=root)
    for name in ("train", "validation", "test"):
        part, whole_part = getattr(here, name), getattr(there, name)
        assert torch.equal(part.labels, whole_part.labels) and len(part) == len(whole_part)
        assert part.images.shape == (len(part), 3, 28, 28) and part.images.numel() == len(part) * 3 * 28 * 28
        assert part.to("cpu") is part
    assert here.classes == there.classes == CLASSES


def test_without_an_order_the_centre_square_comes_in_the_parts_order(root):
    splits = open_folder(config(), root=root, workers=0)
    images, labels = read(splits.train)
    assert images.dtype == torch.uint8 and torch.equal(labels, splits.train.labels)
    part = splits.train
    with Image.open(
        part.manifest.path(int(part.chosen[2]))
    ) as opened:  # 28 * 256 / 224 = 32: no resizing here
        expected = np.asarray(opened)[2:30, 2:30]
    assert np.array_equal(images[2].permute(1, 2, 0).numpy(), expected)


def test_an_order_varies_training_images_alone_and_does_not_depend_on_workers(root):
    splits = open_folder(config(), root=root, workers=0)
    first, labels = read(splits.train, seed=5)
    again, _ = read(splits.train, seed=5)
    other, _ = read(splits.train, seed=6)
    ahead, labels_ahead = read(open_folder(config(), root=root, workers=2).train, seed=5)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first, ahead) and torch.equal(labels, labels_ahead)
    assert sorted(labels.tolist()) == sorted(splits.train.labels.tolist())
    plain, _ = read(splits.train)
    assert not any(torch.equal(image, still) for image in first for still in plain)
    shuffled, shuffled_labels = read(splits.test, seed=5)
    still, _ = read(splits.test)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(5))
    assert torch.equal(shuffled, still[order]) and torch.equal(shuffled_labels, splits.test.labels[order])


def test_reading_leaves_pytorchs_own_generator_alone(root):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    read(open_folder(config(), root=root, workers=0).train, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_a_network_is_trained_and_tested_on_it(root):
    splits = open_folder(config(train=9), root=root, workers=1)
    net = Network(
        "4C3 P F3",
        input_shape=(3, 28, 28),
        config=NetworkConfig(neuron="relu"),
        generator=torch.Generator().manual_seed(0),
    )
    curve = train(
        net,
        splits,
        InputConfig(),
        TrainingConfig(epochs=12, batch_size=3, learning_rate=3e-3),
        seed=0,
        progress=False,
    )
    assert len(curve) == 12 and curve[-1]["train_loss"] < curve[0]["train_loss"]
    assert evaluate(net, splits.test, InputConfig(), seed=0).accuracy == 1.0


def test_the_manifest_is_kept_and_found_out_of_date(root, monkeypatch):
    folder = root / "toy" / "train"
    first = read_manifest(folder)
    assert (
        len(first) == 12 and first.path(0) == folder / "cat/0.png" and first.path(11) == folder / "newt/3.png"
    )
    assert (
        first.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        and first.sizes[0] == (folder / "cat/0.png").stat().st_size
    )
    monkeypatch.setattr("snncore.data._samples", lambda _: pytest.fail("the folder was listed again"))
    second = read_manifest(folder)
    assert second.sha256 == first.sha256 and second.path(5) == first.path(5)
    monkeypatch.undo()
    time.sleep(0.02)
    (folder / "dog" / "0.png").rename(folder / "dog" / "9.png")
    third = read_manifest(folder)
    assert third.sha256 != first.sha256 and third.path(7) == folder / "dog/9.png"
    assert read_manifest(folder, again=True).sha256 == third.sha256


def test_the_hash_names_the_data(root):
    one = open_folder(config(), root=root, workers=0).sha256
    assert open_folder(config(), root=root, workers=2).sha256 == one
    assert open_folder(config(seed=1), root=root).sha256 != one
    assert open_folder(config(size=20), root=root).sha256 != one


def test_a_damaged_manifest_is_named(root):
    folder = root / "toy" / "train"
    read_manifest(folder)
    file = folder / MANIFEST
    head, body = file.read_bytes().split(b"\n", 1)
    for content in (
        head + b"\n" + body.replace(b"cat/0", b"cat/1"),
        b"{\n",
        b"",
        json.dumps({}).encode() + b"\n",
    ):
        file.write_bytes(content)
        with pytest.raises(
            DataError, match=r"\.snncore-manifest is damaged .*: delete it, and it is made again"
        ):
            read_manifest(folder)
    file.write_bytes(json.dumps({"version": 0}).encode() + b"\n")  # of another version: made again
    assert len(read_manifest(folder)) == 12


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_only_to_be_read_is_listed_every_time(root):
    folder = root / "toy" / "train"
    folder.chmod(0o555)
    try:
        assert len(read_manifest(folder)) == 12 and not (folder / MANIFEST).exists()
    finally:
        folder.chmod(0o755)


def test_what_is_hidden_is_left_out(root):
    (root / "toy/train/cat/.hidden.png").write_bytes(b"no image")
    (root / "toy/train/.git").mkdir()
    assert len(read_manifest(root / "toy/train")) == 12


def replace_with(root: Path, save) -> Path:
    """Put another file in the place of a test image, as the manifest has it."""
    path = root / "toy" / "val" / "cat" / "0.png"
    save(path)
    return path


def sixteen(path):
    Image.fromarray(np.full((32, 32), 40000, np.uint16)).save(path)


def animated(path):
    frames = [Image.new("RGB", (32, 32), (k * 90, 0, 0)) for k in range(3)]
    frames[0].save(path, format="PNG", save_all=True, append_images=frames[1:])


def transparent(path):
    Image.new("RGBA", (32, 32), (9, 9, 9, 128)).save(path)


def truncated(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (sixteen, r"its pixels are of Pillow's mode I;16, not 8 bits of grey or colour"),
        (animated, "it has 3 frames"),
        (transparent, "it has pixels that are not opaque"),
        (truncated, "truncated|broken|cannot identify"),
        (lambda path: path.write_bytes(b"GIF no"), "cannot identify image file"),
    ],
    ids=["16 bits", "animated", "transparent", "truncated", "no image"],
)
def test_files_that_have_no_right_reading_are_refused_by_name(root, save, reason, workers):
    path = replace_with(root, save)
    splits = open_folder(config(), root=root, workers=workers)
    with pytest.raises(
        DataError, match=rf"^{path} is damaged or not an image that can be used \(.*({reason})"
    ) as caught:
        read(splits.test)
    assert "Traceback" not in str(caught.value)
    (said,) = splits.test.refused()
    assert said == str(caught.value)
    assert splits.train.refused() == []


def test_a_file_that_changed_under_its_name_is_refused(root):
    splits = open_folder(config(), root=root, workers=0)
    path = replace_with(root, lambda path: Image.new("RGB", (32, 32)).save(path))
    with pytest.raises(DataError, match=rf"^{path} must have \d+ bytes as in \.snncore-manifest, got \d+"):
        read(splits.test)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
    ],
)
def test_grey_and_cmyk_become_colour(root, mode, colour, expected):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    path = replace_with(root, lambda path: Image.new(mode, (32, 32), colour).save(path, format=kind))
    splits = open_folder(config(), root=root, workers=0)
    images, _ = read(splits.test)
    which = [splits.test.manifest.path(int(i)) for i in splits.test.chosen].index(path)
    assert torch.equal(
        images[which], torch.tensor(expected, dtype=torch.uint8)[:, None, None].expand(3, 28, 28)
    )


def test_arguments_are_checked(root):
    with pytest.raises(ValueError, match="name must be imagefolder:DIR to stream images from disk, got"):
        open_folder(DataConfig("digits", 1, 1, 1))
    with pytest.raises(ValueError, match="size must be given to stream images from disk, got"):
        open_folder(config(size=None), root=root)
    with pytest.raises(ValueError, match="workers must be a whole number of at least 0, got -1"):
        open_folder(config(), root=root, workers=-1)
    with pytest.raises(FileNotFoundError, match="no image folder .*toys/train"):
        open_folder(config(name="imagefolder:toys"), root=root)
    with pytest.raises(
        DataError, match=r"train \+ validation must be at most 12, all the images in .*train, got 13"
    ):
        open_folder(config(train=10), root=root)
    with pytest.raises(ValueError, match="size must be a whole number of at least 1, got 0"):
        open_folder(config(), root=root).train.batches(0)
    (root / "toy/val/newt").rename(root / "toy/val/axolotl")
    with pytest.raises(
        DataError, match=r"must have the same class folders, got \['axolotl', 'newt'\] in only one"
    ):
        open_folder(config(), root=root)
