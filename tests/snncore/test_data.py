"""Data: which images are chosen, that they are the same every time, augmentation and batches, and every refusal."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snncore import data
from snncore.data import DataConfig, Part, augment, batches, data_root, load, to_unit

REPOSITORY = Path(__file__).resolve().parents[2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def keys(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


def test_digits_are_the_true_digits() -> None:
    from sklearn.datasets import load_digits

    splits = load(DataConfig("digits", train=1237, validation=200, test=360))
    assert splits.train.images.shape == (1237, 1, 8, 8) and splits.train.images.dtype == torch.uint8
    assert splits.train.labels.dtype == torch.int64
    assert splits.classes == tuple("0123456789")
    # All three parts together are scikit-learn's 1797 images, each once, with its own label.
    digits = load_digits()
    pixels = np.rint(digits.images * 255 / 16).astype(np.uint8).reshape(-1, 64)
    known = sorted(zip(pixels.tolist(), digits.target.tolist(), strict=True))
    parts = (splits.train, splits.validation, splits.test)
    ours = sorted(
        (image.flatten().tolist(), int(label))
        for p in parts
        for image, label in zip(p.images, p.labels, strict=True)
    )
    assert ours == known
    assert splits.train.images.min() == 0 and splits.train.images.max() == 255


def test_parts_are_disjoint_and_stratified() -> None:
    splits = load(DataConfig("digits", train=500, validation=100, test=100, seed=3))
    train, validation, test = (set(keys(p.images)) for p in (splits.train, splits.validation, splits.test))
    assert not train & validation and not train & test and not validation & test
    for part in (splits.train, splits.validation, splits.test):
        assert (torch.bincount(part.labels, minlength=10) - len(part) / 10).abs().max() <= 3


def test_the_test_part_never_depends_on_the_seed() -> None:
    one, two = (load(DataConfig("digits", train=50, validation=10, test=40, seed=seed)) for seed in (0, 1))
    assert torch.equal(one.test.images, two.test.images) and torch.equal(one.test.labels, two.test.labels)
    assert not torch.equal(one.train.images, two.train.images)
    assert one.sha256 != two.sha256
    larger = load(DataConfig("digits", train=50, validation=10, test=90)).test
    assert torch.equal(larger.images[:40], one.test.images)


def test_a_larger_training_part_contains_the_smaller_and_keeps_the_validation_part() -> None:
    small, large = (load(DataConfig("digits", train=n, validation=30, test=10, seed=5)) for n in (100, 300))
    assert torch.equal(large.train.images[:100], small.train.images)
    assert torch.equal(large.validation.images, small.validation.images)


def test_same_config_same_hash_of_exactly_these_bytes() -> None:
    config = DataConfig("digits", train=20, validation=5, test=5, seed=2)
    splits = load(config)
    assert splits.sha256 == load(config).sha256
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        digest.update(repr(tuple(part.images.shape)).encode())
        digest.update(bytes(part.images.flatten().tolist()))
        digest.update(b"".join(int(label).to_bytes(8, "little") for label in part.labels))
    assert splits.sha256 == digest.hexdigest()


def test_no_validation_images_is_an_empty_part_of_the_same_shape() -> None:
    part = load(DataConfig("digits", train=10, validation=0, test=10)).validation
    assert len(part) == 0 and part.images.shape == (0, 1, 8, 8) and part.images.dtype == torch.uint8


@pytest.mark.parametrize("size", [4, 16])
def test_digits_can_be_resized(size: int) -> None:
    native = load(DataConfig("digits", train=40, validation=5, test=10)).train.images
    resized = load(DataConfig("digits", train=40, validation=5, test=10, size=size))
    assert resized.train.images.shape == (40, 1, size, size)
    assert resized.validation.images.shape[1:] == resized.test.images.shape[1:] == (1, size, size)
    drift = resized.train.images.float().mean((1, 2, 3)) - native.float().mean((1, 2, 3))
    assert drift.abs().max() < 20  # brightness stays, border effects aside


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 1000), st.data())
def test_any_stretch_of_an_order_keeps_the_class_proportions(
    values: list[int], seed: int, drawn: st.DataObject
) -> None:
    labels = torch.tensor(values)
    order = data._balanced_order(labels, seed)
    assert sorted(order.tolist()) == list(range(len(values)))
    start = drawn.draw(st.integers(0, len(values)))
    stop = drawn.draw(st.integers(start, len(values)))
    share = torch.bincount(labels, minlength=5) / len(values)
    counts = torch.bincount(labels[order[start:stop]], minlength=5)
    assert (counts - share * (stop - start)).abs().max() < 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "mnist"},
            "name must be one of digits, cifar10, imagenette-128, imagefolder:DIR .* got 'mnist'",
        ),
        ({"name": "imagefolder:"}, "name must be one of"),
        ({"name": "imagefolder:/absolute"}, "name must be one of"),
        ({"name": "imagefolder:../up"}, "name must be one of"),
        ({"train": 0}, "train must be a whole number of at least 1, got 0"),
        ({"validation": -1}, "validation must be a whole number of at least 0, got -1"),
        ({"test": 2.0}, "test must be a whole number of at least 1, got 2.0"),
        ({"size": 0}, "size must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_config_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataConfig(**{"name": "digits", "train": 1, "validation": 0, "test": 1, **change})  # type: ignore[arg-type]


def test_too_many_images_names_how_many_there_are() -> None:
    with pytest.raises(ValueError, match=r"train \+ validation must be at most 1437, .* of digits, got 1438"):
        load(DataConfig("digits", train=1238, validation=200, test=1))
    with pytest.raises(ValueError, match="test must be at most 360, all the test images of digits, got 361"):
        load(DataConfig("digits", train=1, validation=0, test=361))


def test_data_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNNCORE_DATA", raising=False)
    assert data_root() == REPOSITORY / "data"
    monkeypatch.setenv("SNNCORE_DATA", str(tmp_path))
    assert data_root() == tmp_path
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        load(DataConfig("cifar10", train=1, validation=0, test=1))


def test_to_unit() -> None:
    assert to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert to_unit(torch.tensor([255], dtype=torch.uint8)).item() == 1.0
    with pytest.raises(ValueError, match=r"images must be a uint8 tensor, got torch.float32"):
        to_unit(torch.zeros(1))


def some_images(n: int = 64) -> Tensor:
    return torch.randint(1, 256, (n, 3, 6, 5), dtype=torch.uint8, generator=seeded(1))


def test_augmented_images_are_shifted_and_mirrored_originals() -> None:
    images = some_images(200)
    augmented = augment(images, generator=seeded(3), padding=2)
    assert augmented.shape == images.shape and augmented.dtype == torch.uint8
    seen = set()
    for image, result in zip(images, augmented, strict=True):
        padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
        ways = {
            (top, left, mirrored): (cut.flip(2) if mirrored else cut)
            for top in range(5)
            for left in range(5)
            for mirrored in (False, True)
            for cut in [padded[:, top : top + 6, left : left + 5]]
        }
        found = [way for way, candidate in ways.items() if torch.equal(candidate, result)]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) > 45  # of 50 equally likely ways, 200 draws miss about one


def test_augment_can_do_nothing_and_can_keep_the_direction() -> None:
    images = some_images()
    assert torch.equal(augment(images, generator=seeded(), padding=0, flip=False), images)
    mirrored = augment(images, generator=seeded(), padding=0)
    kept = (mirrored == images).all((1, 2, 3))
    assert torch.equal(mirrored[~kept], images[~kept].flip(3)) and 16 < int(kept.sum()) < 48


def test_augment_is_reproducible_and_leaves_its_input_alone() -> None:
    images = some_images()
    before = images.clone()
    assert torch.equal(augment(images, generator=seeded(7)), augment(images, generator=seeded(7)))
    assert not torch.equal(augment(images, generator=seeded(7)), augment(images, generator=seeded(8)))
    assert torch.equal(images, before)


def test_augment_refusals() -> None:
    with pytest.raises(ValueError, match="images must be a uint8 tensor"):
        augment(torch.zeros(1, 1, 2, 2), generator=seeded())
    with pytest.raises(ValueError, match=r"images must be \(N, C, H, W\), got 3 dimensions"):
        augment(torch.zeros(1, 2, 2, dtype=torch.uint8), generator=seeded())
    with pytest.raises(ValueError, match="padding must be a whole number of at least 0, got -1"):
        augment(some_images(), generator=seeded(), padding=-1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.integers(1, 40), st.one_of(st.none(), st.integers(0, 99)))
def test_batches_show_every_image_once(n: int, size: int, seed: int | None) -> None:
    part = Part(torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1), torch.arange(n))
    seen = list(batches(part, size, generator=None if seed is None else seeded(seed)))
    assert all(torch.equal(images.flatten().long(), labels) for images, labels in seen)
    assert [len(labels) for _, labels in seen] == [min(size, n - start) for start in range(0, n, size)]
    order = [int(label) for _, labels in seen for label in labels]
    assert sorted(order) == list(range(n))
    assert seed is not None or order == list(range(n))


def test_batches_shuffle_anew_each_epoch_and_reproducibly() -> None:
    part = Part(torch.zeros(50, 1, 1, 1, dtype=torch.uint8), torch.arange(50))

    def epochs() -> list[Tensor]:
        stream = seeded(4)
        return [torch.cat([labels for _, labels in batches(part, 8, generator=stream)]) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip((first, second), epochs(), strict=True))


def test_batches_refuse_at_the_call() -> None:
    part = Part(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.arange(2))
    with pytest.raises(ValueError, match="size must be a whole number of at least 1, got 0"):
        batches(part, 0)


def test_part_to_device() -> None:
    part = Part(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.arange(2)).to("meta")
    assert part.images.device.type == part.labels.device.type == "meta"
