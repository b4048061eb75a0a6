"""Data: which images are chosen, that they are the same every time, and every refusal.

CIFAR-10 itself is too large to ship: its reader runs here on a small set written in the same format. Where
the true set is present (``data/`` or ``$SNNCORE_DATA``) it is read too.
"""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from snncore import data
from snncore._torchvision import torchvision
from snncore.data import DataConfig, Part, augment, batches, data_root, load, to_unit

REPOSITORY = Path(__file__).resolve().parents[2]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def keys(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


# digits ----------------------------------------------------------------------------------------------------


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


# image folders ---------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes, 6 training and 3 test images each, 12 x 8 pixels, class "b" named in classes.tsv."""
    generator = np.random.default_rng(0)
    for half, count in (("train", 6), ("val", 3)):
        for label in ("a", "b"):
            folder = tmp_path / "pets" / half / label
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(generator.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(
                    folder / f"{i}.png"
                )
    (tmp_path / "pets" / "classes.tsv").write_text("b\tborder collie\n")
    return tmp_path


def test_image_folder(tree: Path) -> None:
    splits = load(DataConfig("imagefolder:pets", train=8, validation=4, test=6), root=tree)
    assert splits.classes == ("a", "border collie")
    assert splits.train.images.shape == (8, 3, 8, 12)
    assert torch.bincount(splits.train.labels).tolist() == [4, 4]
    assert torch.bincount(splits.validation.labels).tolist() == [2, 2]
    expected = {
        np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes(): int(path.parent.name == "b")
        for path in (tree / "pets" / "train").glob("*/*.png")
    }
    for part in (splits.train, splits.validation):
        for key, label in zip(keys(part.images), part.labels.tolist(), strict=True):
            assert expected.pop(key) == label
    assert not expected


def test_resizing_keeps_the_centre_square(tree: Path) -> None:
    splits = load(DataConfig("imagefolder:pets", train=12, validation=0, test=6, size=8), root=tree)
    whole = load(DataConfig("imagefolder:pets", train=12, validation=0, test=6), root=tree)
    assert torch.equal(splits.train.images, whole.train.images[..., 2:10])
    half = load(DataConfig("imagefolder:pets", train=12, validation=0, test=6, size=4), root=tree)
    assert half.train.images.shape == (12, 3, 4, 4)
    # Antialiased: every pixel of the source counts, so noise shrinks.
    assert half.train.images.float().std() < 0.8 * whole.train.images.float().std()


def test_images_of_several_shapes_need_a_size(tree: Path) -> None:
    odd = tree / "pets" / "train" / "a" / "0.png"
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(odd)  # grey becomes RGB
    config = DataConfig("imagefolder:pets", train=12, validation=0, test=6)
    with pytest.raises(
        ValueError, match=r"size must be set where images differ .* got None for \(8, 12, 3\)"
    ):
        load(config, root=tree)
    assert load(DataConfig("imagefolder:pets", 12, 0, 6, size=5), root=tree).train.images.shape == (
        12,
        3,
        5,
        5,
    )


def test_test_images_of_another_shape_need_a_size(tree: Path) -> None:
    for path in (tree / "pets" / "val").glob("*/*.png"):
        Image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8)).save(path)
    with pytest.raises(ValueError, match="size must be set where images differ in shape"):
        load(DataConfig("imagefolder:pets", train=2, validation=0, test=2), root=tree)


def test_missing_image_folder(tmp_path: Path) -> None:
    for name in ("imagenette-128", "imagefolder:none"):
        with pytest.raises(FileNotFoundError, match=rf"no image folder {tmp_path}.*SNNCORE_DATA"):
            load(DataConfig(name, train=1, validation=0, test=1), root=tmp_path, download=True)


def test_class_folders_must_agree(tree: Path) -> None:
    (tree / "pets" / "val" / "b").rename(tree / "pets" / "val" / "c")
    with pytest.raises(ValueError, match=r"must have the same class folders, got \['b', 'c'\] in only one"):
        load(DataConfig("imagefolder:pets", train=2, validation=0, test=2), root=tree)


def test_a_damaged_image_is_named(tree: Path) -> None:
    broken = tree / "pets" / "val" / "b" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"1.png is damaged or not an image"):
        load(DataConfig("imagefolder:pets", train=2, validation=0, test=6), root=tree)


def every(tree: Path) -> data.Splits:
    return load(DataConfig("imagefolder:pets", train=12, validation=0, test=6), root=tree)


def test_what_is_hidden_is_neither_class_nor_image(tree: Path) -> None:
    plain = every(tree)
    for half in ("train", "val"):
        (tree / "pets" / half / ".ipynb_checkpoints").mkdir()
        (tree / "pets" / half / "a" / ".cache").mkdir()
        for place in (".ipynb_checkpoints/0.png", "a/.cache/0.png", "a/._0.png", ".DS_Store", "a/.DS_Store"):
            (tree / "pets" / half / place).write_bytes(b"no image")
    (tree / "pets" / "train" / ".only-here").mkdir()
    hidden = every(tree)
    assert hidden.classes == plain.classes and hidden.sha256 == plain.sha256


def test_images_stand_in_the_order_of_torchvision(tree: Path) -> None:
    (tree / "pets" / "train" / "a" / "deep").mkdir()
    source = tree / "pets" / "train" / "a" / "3.png"
    source.rename(tree / "pets" / "train" / "a" / "deep" / "3.PNG")
    theirs = torchvision().datasets.ImageFolder(str(tree / "pets" / "train"))
    ours, classes = data._samples(tree / "pets" / "train")
    assert ours == theirs.samples and classes == theirs.classes


PIXELS = np.random.default_rng(1).integers(0, 256, (8, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_grey_palette_and_opaque_images_are_converted(tree: Path, mode: str) -> None:
    picture = Image.fromarray(PIXELS).convert("L" if mode == "LA" else mode)
    picture = picture.convert(mode)
    picture.save(tree / "pets" / "val" / "a" / "0.png")
    expected = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    assert expected.tobytes() in keys(every(tree).test.images)


def test_an_image_that_lies_on_its_side_is_turned(tree: Path) -> None:
    side = Image.fromarray(np.rot90(PIXELS).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    side.save(tree / "pets" / "val" / "a" / "0.png", exif=exif)
    assert PIXELS.transpose(2, 0, 1).tobytes() in keys(every(tree).test.images)


def transparent() -> Image.Image:
    picture = Image.fromarray(PIXELS).convert("RGBA")
    picture.putpixel((0, 0), (1, 2, 3, 0))
    return picture


@pytest.mark.parametrize(
    ("name", "picture", "words"),
    [
        ("0.tif", Image.fromarray(PIXELS).convert("CMYK"), "mode CMYK"),
        ("0.png", Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257), "mode I;16"),
        ("0.tif", Image.fromarray(PIXELS[..., 0].astype(np.float32)), "mode F"),
        ("0.png", transparent(), "not opaque"),
        ("0.png", Image.fromarray(PIXELS[:1, :1]), "1 x 1 pixels"),
        ("0.png", Image.fromarray(PIXELS[:, :1]), "1 x 8 pixels"),
    ],
)
def test_images_without_one_right_reading_are_refused(
    tree: Path, name: str, picture: Image.Image, words: str
) -> None:
    (tree / "pets" / "val" / "a" / "0.png").unlink()
    picture.save(tree / "pets" / "val" / "a" / name)
    with pytest.raises(data.DataError, match=rf"a/{name} is damaged or not an image \(.*{words}"):
        every(tree)


def test_animations_bombs_and_fragments_are_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tree / "pets" / "val" / "a" / "0.webp"
    frames = [Image.fromarray(np.roll(PIXELS, k)) for k in range(3)]
    frames[0].save(target, save_all=True, append_images=frames[1:])
    with pytest.raises(data.DataError, match="0.webp is damaged or not an image .it has 3 frames"):
        load(DataConfig("imagefolder:pets", 12, 0, 7), root=tree)
    target.unlink()
    for fragment in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"P6 2 2 255\n1"):
        (tree / "pets" / "val" / "a" / "0.png").write_bytes(fragment)
        with pytest.raises(data.DataError, match="0.png is damaged or not an image"):
            every(tree)
    Image.fromarray(PIXELS).save(tree / "pets" / "val" / "a" / "0.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # 96 pixels are more than twice as many
    with pytest.raises(data.DataError, match="decompression bomb"):
        every(tree)


def test_folders_that_are_no_image_folders_are_refused(tree: Path) -> None:
    pets = tree / "pets"
    broken: list[tuple[str, object]] = [
        ("image files must end in", lambda: (pets / "val" / "a" / "0.gif").write_bytes(b"GIF89a")),
        ("image files must end in", lambda: (pets / "val" / "a" / "readme.txt").write_text("")),
        ("every class folder must hold an image", lambda: (pets / "val" / "c").mkdir()),
        ("names must be printable", lambda: (pets / "val" / "a" / "0\n1.png").write_bytes(b"")),
        (
            "is not a file",
            lambda: (pets / "val" / "a" / "f.png").mkdir() or os.mkfifo(pets / "val" / "a" / "g.png"),
        ),
    ]
    for number, (words, damage) in enumerate(broken):
        before = set(pets.rglob("*"))
        damage()  # type: ignore[operator]
        with pytest.raises(data.DataError, match=words) as caught:
            every(tree)
        assert "\n" not in str(caught.value), number
        for path in sorted(set(pets.rglob("*")) - before, reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    for half in ("train", "val"):
        for path in (pets / half / "b").iterdir():
            path.unlink()
        (pets / half / "b").rmdir()
    with pytest.raises(data.DataError, match=r"must have at least two class folders, got \['a'\]"):
        every(tree)


def test_a_tilde_is_the_home_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree.parent))
    found = load(DataConfig("imagefolder:pets", 2, 0, 2), root=f"~/{tree.name}")
    assert found.classes == ("a", "border collie")
    monkeypatch.setenv("SNNCORE_DATA", f"~/{tree.name}")
    assert data_root() == tree
    assert load(DataConfig("imagefolder:pets", 2, 0, 2)).sha256 == found.sha256


def test_a_part_has_a_label_for_each_image() -> None:
    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    for labels, words in (
        (torch.arange(2), "labels must be as many as images, got 2 for images of shape"),
        (torch.arange(3.0), "labels must be int64 of shape"),
        (torch.arange(3).view(3, 1), "labels must be int64 of shape"),
        (torch.arange(3, dtype=torch.uint8), "labels must be int64 of shape"),
    ):
        with pytest.raises(ValueError, match=words):
            Part(images, labels)


def test_what_is_handed_out_shares_no_memory_with_the_part() -> None:
    part = Part(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64))
    for generator in (None, seeded()):
        for images, labels in batches(part, 2, generator=generator):
            images.fill_(9)
            labels.fill_(9)
    assert not part.images.any() and not part.labels.any()


# CIFAR-10 --------------------------------------------------------------------------------------------------


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


# refusals --------------------------------------------------------------------------------------------------


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


# pixels, augmentation, batches -----------------------------------------------------------------------------


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


# torchvision beside a CPU-only torch -----------------------------------------------------------------------


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
