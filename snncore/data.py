"""Image data: choose a run's images by seed, identify them by a hash, keep them as 8-bit pixels.

=====================  ==========================================  =========================  ============
name                   contents                                    training / test images     pixels
=====================  ==========================================  =========================  ============
``digits``             handwritten digits shipped in scikit-learn  1437 / 360                 1 x 8 x 8
``cifar10``            CIFAR-10, read by torchvision               50000 / 10000              3 x 32 x 32
``imagenette-128``     ten ImageNet classes                        6500 / 1500                3 x 128 x 128
``imagefolder:DIR``    ``DIR/train/CLASS/*``, ``DIR/val/CLASS/*``  all in the folder          RGB
=====================  ==========================================  =========================  ============

How images are split. A test subset is the beginning of one fixed order of the test images, the same for every
seed, so that two networks are always compared on the same images. Training and validation images come only from
the training set, in an order drawn by ``seed``: first the validation images, then the training images.
So a larger training subset contains the smaller one, and the validation images do not change with it. Every
order keeps the classes in proportion: any part of it is balanced to within one or two images per class.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from ._check import whole
from ._torchvision import torchvision

#: File endings that an image folder may hold.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

#: Pillow's modes whose pixels are 8 bits of grey or colour (YCbCr is how TIFF keeps colour).
_EIGHT_BIT = ("1", "L", "P", "RGB", "YCbCr")
_WITH_ALPHA = ("LA", "PA", "RGBA")

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

NAMES = ("digits", "cifar10", "imagenette-128", "imagefolder:DIR")


class DataError(ValueError):
    """The data set cannot be used: it is damaged, incomplete, or of a different kind than requested."""


# The order of the test images, and which digits are test images, never depend on a run's seed.
_FIXED_SEED = 20200619

# scikit-learn ships the 1797 digits as one set; one fifth is used as the test set.
_DIGITS_TEST = 360


@dataclass(frozen=True)
class DataConfig:
    """Which images a run uses.

    Attributes:
        name: "digits", "cifar10", "imagenette-128", or "imagefolder:DIR" with DIR a folder inside the data root.
        train: number of training images, at least 1.
        validation: number of validation images, taken from the training set; may be 0.
        test: number of test images, at least 1.
        size: side in pixels to which images are resized (the shorter side; the centre square is kept), or
            None for the original size.
        seed: draws the training and validation images.
    """

    name: str
    train: int
    validation: int
    test: int
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _folder(self.name)
        whole("train", self.train)
        whole("validation", self.validation, least=0)
        whole("test", self.test)
        whole("seed", self.seed, least=0)
        if self.size is not None:
            whole("size", self.size)


@dataclass(frozen=True, eq=False)
class Part:
    """Images and their classes.

    Attributes:
        images: uint8 ``(N, C, H, W)``.
        labels: int64 ``(N,)``.

    Raises:
        ValueError: labels of another shape or type, or a different number of labels than images.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.dim() != 1 or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 of shape (N,), got {self.labels.dtype} of shape {tuple(self.labels.shape)}"
            )
        if self.images.dim() == 0 or len(self.images) != len(self.labels):
            raise ValueError(
                f"labels must be as many as images, got {len(self.labels)} for images of shape "
                f"{tuple(self.images.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Part:
        """Return this part on ``device``."""
        return Part(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Splits:
    """The three parts of a data set, the class names in label order, and the sha256 of all pixels and labels."""

    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    sha256: str


def data_root() -> Path:
    """Return the folder of the data sets: ``$SNNCORE_DATA`` if set, else ``data`` beside the package."""
    chosen = os.environ.get("SNNCORE_DATA")
    return Path(chosen).expanduser() if chosen else Path(__file__).resolve().parents[1] / "data"


def load(config: DataConfig, *, root: str | Path | None = None, download: bool = False) -> Splits:
    """Read the images that ``config`` asks for.

    In an image folder every folder below ``train`` and ``val`` is a class, at least two, and every file below a class
    folder is an image in 8-bit grey or colour with at least two pixels a side. Names that begin with a dot are ignored. Files of
    other kinds (16 bits, CMYK, several frames, transparent pixels) are refused by name, because converting them would be a guess.

    Args:
        config: the data set and the number of images.
        root: folder of the data sets; None means :func:`data_root`.
        download: fetch CIFAR-10 if it is missing (about 170 MB). No other set is ever fetched.

    Returns:
        :class:`Splits`, the same bytes for the same ``config`` every time. All requested images are held in memory,
        one byte per pixel and channel; reading them needs about three times as much for a short time.

    Raises:
        FileNotFoundError: the data set is missing.
        DataError: the data set is damaged, has fewer images than requested, or is no image folder as described above.
    """
    folder = _folder(config.name)
    where = Path(root).expanduser() if root is not None else data_root()
    if config.name == "digits":
        train, test, classes = _digits()
    elif config.name == "cifar10":
        train, test, classes = _cifar10(where, download)
    else:
        train, test, classes = _image_folder(where / folder)

    for asked, wanted, pool, kind in (
        ("train + validation", config.train + config.validation, train, "training"),
        ("test", config.test, test, "test"),
    ):
        if wanted > len(pool.labels):
            raise DataError(
                f"{asked} must be at most {len(pool.labels)}, "
                f"all the {kind} images of {config.name}, got {wanted}"
            )

    drawn = _balanced_order(train.labels, config.seed)
    fixed = _balanced_order(test.labels, _FIXED_SEED)
    training = _take(train, drawn[config.validation : config.validation + config.train], config.size)
    validation = _take(train, drawn[: config.validation], config.size)
    testing = _take(test, fixed[: config.test], config.size)
    shape = training.images.shape[1:]
    if len(validation) == 0:
        validation = Part(torch.empty(0, *shape, dtype=torch.uint8), validation.labels)
    for part in (validation, testing):
        if part.images.shape[1:] != shape:
            _refuse_shapes(shape, part.images.shape[1:])
    return Splits(training, validation, testing, classes, _fingerprint(training, validation, testing))


def to_unit(images: Tensor) -> Tensor:
    """Return 8-bit images as float32 in [0, 1]: pixel / 255, same shape.

    Raises:
        ValueError: images that are not uint8 (they would be scaled twice).
    """
    _require_bytes(images)
    return images.to(torch.float32) / 255


def augment(images: Tensor, *, generator: torch.Generator, padding: int = 4, flip: bool = True) -> Tensor:
    """The standard augmentation of CIFAR-10: shift each image at random, and mirror it with probability 1/2.

    Args:
        images: ``(N, C, H, W)`` uint8.
        generator: the only source of randomness. It may be on a different device than the images.
        padding: number of black pixels added around the image before a window of the original size is cut out at random,
            so the image moves by up to this many pixels each way; 0 for no shift.
        flip: mirror left and right with probability 1/2. Turn it off for digits, which change meaning in a mirror.

    Returns:
        ``(N, C, H, W)`` uint8, a new tensor.

    Raises:
        ValueError: images that are not uint8 of four dimensions, or a negative padding.
    """
    _require_bytes(images)
    padding = whole("padding", padding, least=0)
    if images.ndim != 4:
        raise ValueError(f"images must be (N, C, H, W), got {images.ndim} dimensions")
    n, _, height, width = images.shape

    def draw(high: int) -> Tensor:
        return torch.randint(high, (n,), generator=generator, device=generator.device).to(images.device)

    top, left, mirrored = draw(2 * padding + 1), draw(2 * padding + 1), draw(2).bool()
    padded = torch.nn.functional.pad(images, (padding, padding, padding, padding))
    # Every window of the image's own size, as a view: (N, C, 2 padding + 1, 2 padding + 1, H, W).
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    cut = windows[torch.arange(n, device=images.device), :, top, left]  # (N, C, H, W)
    return torch.where(mirrored[:, None, None, None], cut.flip(3), cut) if flip else cut


def batches(
    part: Part, size: int, *, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ``(images, labels)`` in batches until each image was seen once. The last batch may be smaller.

    Args:
        part: the images.
        size: images per batch, at least 1.
        generator: shuffles the order, again at every call; None keeps the order of ``part``.

    Yields:
        Images and labels. They share no memory with ``part``, so the caller may write to them.

    Raises:
        ValueError: a size below 1 (at the call, before the first batch).
    """
    size = whole("size", size)
    if not isinstance(part, Part):  # images that stay on disk, ``folders.StreamedPart``
        return part.batches(size, generator=generator)
    order = None
    if generator is not None:
        order = torch.randperm(len(part), generator=generator, device=generator.device)
        order = order.to(part.labels.device)
    return _batches(part, size, order)


def _batches(part: Part, size: int, order: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(part), size):
        chosen = slice(start, start + size) if order is None else order[start : start + size]
        images, labels = part.images[chosen], part.labels[chosen]
        yield (images.clone(), labels.clone()) if order is None else (images, labels)  # a slice is a view


class _Pool(NamedTuple):
    """A whole training or test set whose pixels are read only when they are chosen."""

    labels: Tensor  # (N,)
    pixels: Callable[[int], Pixels]  # those of the i-th image: (H, W) grey or (H, W, 3)


def _balanced_order(labels: Tensor, seed: int) -> Tensor:
    """Return a random order of all images in which every part keeps the class proportions.

    The r-th image of a class of n (in random order) is placed at (r + 1/2) / n, so that each class is spread
    evenly over the whole order. The random order also breaks ties between classes.
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    classes = labels[shuffled]
    sizes = torch.bincount(classes)
    by_class = torch.argsort(classes, stable=True)
    first = torch.cumsum(sizes, 0) - sizes
    rank = torch.empty_like(classes)
    rank[by_class] = torch.arange(len(labels)) - first[classes[by_class]]
    place = (rank.double() + 0.5) / sizes[classes]
    return shuffled[torch.argsort(place, stable=True)]


def _take(pool: _Pool, chosen: Tensor, size: int | None) -> Part:
    pixels = [_resize(pool.pixels(int(i)), size) for i in chosen]
    shapes = sorted({array.shape for array in pixels})
    if len(shapes) > 1:
        _refuse_shapes(shapes[0], shapes[1])
    if not pixels:
        return Part(torch.empty(0, dtype=torch.uint8), pool.labels[chosen])
    images = torch.from_numpy(np.stack(pixels))  # (N, H, W) grey or (N, H, W, C)
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return Part(images, pool.labels[chosen])


def _refuse_shapes(one: Sequence[int], other: Sequence[int]) -> NoReturn:
    raise DataError(
        f"size must be set where images differ in shape, got None for {tuple(one)} and {tuple(other)}"
    )


def _resize(pixels: Pixels, size: int | None) -> Pixels:
    """Return the centre square in ``size`` x ``size`` pixels, antialiased, in Pillow's integer arithmetic."""
    height, width = pixels.shape[:2]
    if size is None or (height, width) == (size, size):
        return pixels
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=square))


def _fingerprint(*parts: Part) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(tuple(part.images.shape)).encode())
        digest.update(part.images.numpy().tobytes())
        digest.update(part.labels.numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def _require_bytes(images: Tensor) -> None:
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"images must be a uint8 tensor, got {kind}")


def _folder(name: str) -> str:
    """Return the folder inside the data root where the set ``name`` lives; refuse unknown names."""
    if name == "digits":
        return ""
    if name == "cifar10":
        return "cifar-10-batches-py"
    if name == "imagenette-128":
        return name
    prefix, _, folder = str(name).partition(":")
    # The name identifies the run's data, so it must mean the same on every machine: a path inside the data
    # root.
    path = PurePosixPath(folder)
    if prefix != "imagefolder" or not folder or path.is_absolute() or ".." in path.parts or "\\" in folder:
        raise ValueError(
            f"name must be one of {', '.join(NAMES)} (DIR a folder inside the data root), got {name!r}"
        )
    return folder


def _digits() -> tuple[_Pool, _Pool, tuple[str, ...]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Grey levels 0..16, the number of dark pixels in a 4 x 4 cell, spread over 0..255.
    pixels: Pixels = np.rint(digits.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    labels = torch.from_numpy(digits.target.astype(np.int64))
    order = _balanced_order(labels, _FIXED_SEED)

    def pool(members: Tensor) -> _Pool:
        return _Pool(labels[members], lambda i: pixels[int(members[i])])

    return pool(order[_DIGITS_TEST:]), pool(order[:_DIGITS_TEST]), tuple(str(k) for k in range(10))


def _cifar10(root: Path, download: bool) -> tuple[_Pool, _Pool, tuple[str, ...]]:
    datasets = torchvision().datasets
    if not download:
        _check_cifar10(root, datasets)
    train, test = (datasets.CIFAR10(str(root), train=half, download=download) for half in (True, False))

    def pool(half: Any) -> _Pool:
        return _Pool(torch.tensor(half.targets), lambda i: half.data[i])

    return pool(train), pool(test), tuple(train.classes)


def _check_cifar10(root: Path, datasets: Any) -> None:
    """Distinguish a missing CIFAR-10 from a damaged one, by the md5 sums in torchvision."""
    kind = datasets.CIFAR10
    sums = {**dict(kind.train_list), **dict(kind.test_list), kind.meta["filename"]: kind.meta["md5"]}
    folder = root / kind.base_folder
    missing = [name for name in sums if not (folder / name).is_file()]
    if missing:
        what = "CIFAR-10" if len(missing) == len(sums) else f"CIFAR-10's {missing[0]}"
        raise FileNotFoundError(
            f"{what} is not in {folder}: load(..., download=True) fetches it, "
            "and the SNNCORE_DATA environment variable names another data folder"
        )
    for name, md5 in sums.items():
        if not datasets.utils.check_integrity(str(folder / name), md5):
            raise DataError(f"{folder / name} is damaged (wrong md5 sum): delete it and fetch CIFAR-10 again")


def _image_folder(folder: Path) -> tuple[_Pool, _Pool, tuple[str, ...]]:
    for half in ("train", "val"):
        if not (folder / half).is_dir():
            raise FileNotFoundError(
                f"no image folder {folder / half}: put one folder of images per class there, or let the "
                "SNNCORE_DATA environment variable name another data folder (this set is not fetched)"
            )
    (train, train_classes), (test, test_classes) = (_samples(folder / half) for half in ("train", "val"))
    if train_classes != test_classes:
        odd = sorted(set(train_classes) ^ set(test_classes))
        raise DataError(
            f"train and val of {folder} must have the same class folders, got {odd} in only one of them"
        )
    names = {}
    if (folder / "classes.tsv").is_file():
        lines = (folder / "classes.tsv").read_text(encoding="utf-8").splitlines()
        names = dict(line.split("\t", 1) for line in lines if "\t" in line)
    classes = tuple(names.get(label, label) for label in train_classes)
    return _file_pool(train), _file_pool(test), classes


def _samples(half: Path) -> tuple[list[tuple[str, int]], list[str]]:
    """Image files of one half with their labels, in a fixed order, and the names of its class folders."""
    try:
        classes = sorted(entry.name for entry in os.scandir(half) if entry.is_dir() and entry.name[0] != ".")
        found: list[tuple[str, int]] = []
        for label, name in enumerate(classes):
            files = list(_walk(half / name))
            if not files:
                raise DataError(f"every class folder must hold an image, got none in {half / name}")
            found += [(path, label) for path in files]
    except OSError as error:
        raise DataError(f"{half} cannot be read ({error})") from error
    if len(classes) < 2:
        raise DataError(f"{half} must have at least two class folders, got {classes}")
    for path in [*classes, *(path for path, _ in found)]:
        if not path.isprintable():
            raise DataError(f"names must be printable, got {path!r} in {half}")
    return found, classes


def _walk(folder: Path) -> Iterator[str]:
    """Yield the path of every image file at or below ``folder``, without hidden files."""

    def stop(error: OSError) -> NoReturn:
        raise error

    for root, _, files in sorted(os.walk(folder, followlinks=True, onerror=stop)):
        if any(part.startswith(".") for part in Path(root).relative_to(folder).parts):
            continue
        for name in sorted(files):
            path = os.path.join(root, name)
            if name.startswith("."):
                continue
            if not name.lower().endswith(SUFFIXES):
                raise DataError(f"image files must end in {', '.join(SUFFIXES)}, got {path!r}")
            if not os.path.isfile(path):
                raise DataError(f"{path!r} is not a file")
            yield path


def _file_pool(samples: list[tuple[str, int]]) -> _Pool:
    def pixels(i: int) -> Pixels:
        path = samples[i][0]
        try:
            with Image.open(path) as opened:
                return _rgb(opened)
        except Exception as error:  # Pillow's readers raise more than OSError on broken files
            raise DataError(f"{path} is damaged or not an image ({error})") from error

    return _Pool(torch.tensor([label for _, label in samples]), pixels)


def _rgb(image: Image.Image) -> Pixels:
    """(H, W, 3) of an opened image. Images without a unique reading as 8-bit colour are refused."""
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError(f"it has {image.n_frames} frames")  # type: ignore[attr-defined]
    if min(image.size) < 2:
        raise ValueError(f"it has {image.width} x {image.height} pixels, fewer than 2 a side")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise ValueError("it has pixels that are not opaque")
    elif image.mode not in _EIGHT_BIT:
        raise ValueError(f"its pixels are of Pillow's mode {image.mode}, not 8 bits of grey or colour")
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB"))
