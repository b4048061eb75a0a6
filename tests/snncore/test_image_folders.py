"""Image folders as a data set: what is read, in which order, and which files are refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from snncore import data
from snncore._torchvision import torchvision
from snncore.data import DataConfig, Part, batches, data_root, load


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def keys(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


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
