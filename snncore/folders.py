"""Image folders that do not fit into memory: read by worker processes, batch by batch, with ImageNet's usual transforms.

``open_folder`` takes the same ``DataConfig`` as ``data.load`` and chooses the same images, but keeps their names alone, about
a hundred bytes each. Names, classes and sizes come from a manifest that is written once into the folder and found again by
the times of its directories; its hash stands for the data. ``training.train`` and ``evaluate`` take what comes back as they
take images in memory.

========  ==========================================================================================================
training  a random part of 8 to 100 % of the area, sides 3:4 to 4:3, resized to ``size``, mirrored half of the time
          (torchvision's ``RandomResizedCrop`` and ``RandomHorizontalFlip``), where an order is drawn
else      shorter side to ``size * 256 / 224``, then the centre square
========  ==========================================================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from . import data
from ._check import whole
from ._torchvision import torchvision
from .data import DataConfig, DataError, Splits

MANIFEST = ".snncore-manifest"

VERSION = 1


@dataclass(frozen=True, eq=False)
class Manifest:
    """What a folder of class folders holds, in a fixed order.

    Attributes:
        root: the folder.
        classes: names of the class folders.
        labels: class of each image, int64 ``(N,)``.
        sizes: bytes of each file, int64 ``(N,)``.
        names: all paths below ``root`` behind one another, UTF-8: a list of strings would be copied into every worker.
        ends: where each path ends in ``names``, int64 ``(N,)``.
        sha256: of classes, paths and sizes.
    """

    root: Path
    classes: tuple[str, ...]
    labels: np.ndarray[Any, Any]
    sizes: np.ndarray[Any, Any]
    names: bytes
    ends: np.ndarray[Any, Any]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, i: int) -> Path:
        """The file of the i-th image."""
        return self.root / self.names[int(self.ends[i - 1]) if i else 0 : int(self.ends[i])].decode()


def read_manifest(folder: str | Path, *, again: bool = False) -> Manifest:
    """The manifest of one folder of class folders, from its file or, the first time, by listing the folder.

    Args:
        folder: holds one folder of images per class, such as ``imagenet/train``.
        again: list the folder even if the manifest's file is up to date.

    Returns:
        The manifest. Its file, ``.snncore-manifest`` in the folder, is up to date while no directory has changed; a file that
        is overwritten under its name is noticed when it is read, by its size.

    Raises:
        FileNotFoundError: the folder is not there.
        DataError: what ``data.load`` refuses in an image folder, or a manifest's file that is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"no image folder {root}: put one folder of images per class there")
    file = root / MANIFEST
    if not again and file.is_file():
        found = _from_bytes(root, file)
        if found is not None:
            return found
    body, classes = _listed(root)
    # times are taken after the file is there, as making it changes that of the root
    for _ in range(2):
        content = _to_bytes(body, classes, _times(root))
        part = file.with_name(f"{MANIFEST}.{os.getpid()}.part")
        try:
            part.write_bytes(content)
            os.replace(part, file)
        except OSError:  # a folder that is only to be read is listed every time
            break
    return _parsed(root, body, classes)


def _listed(root: Path) -> tuple[bytes, list[str]]:
    """One line per image, ``label TAB bytes TAB path``, and the class names. What is hidden is left out."""
    samples, classes = data._samples(root)
    rows = [f"{label}\t{os.stat(path).st_size}\t{os.path.relpath(path, root)}\n" for path, label in samples]
    return "".join(rows).encode(), classes


def _times(root: Path) -> dict[str, int]:
    """When each directory last changed, the root's own manifest aside."""
    found = {}
    for place, folders, _ in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place != str(root):
            found[os.path.relpath(place, root)] = os.stat(place).st_mtime_ns
    return found


def _to_bytes(body: bytes, classes: list[str], times: dict[str, int]) -> bytes:
    head = {
        "version": VERSION,
        "classes": classes,
        "times": times,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n" + body


def _from_bytes(root: Path, file: Path) -> Manifest | None:
    """The manifest in a file; None where the folder has changed since."""
    try:
        first, body = file.read_bytes().split(b"\n", 1)
        head = json.loads(first)
        if head["version"] != VERSION:
            return None
        if hashlib.sha256(body).hexdigest() != head["sha256"]:
            raise ValueError("its lines have another hash")
        return _parsed(root, body, head["classes"]) if head["times"] == _times(root) else None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} is damaged ({error}): delete it, and it is made again") from error


def _parsed(root: Path, body: bytes, classes: list[str]) -> Manifest:
    count = body.count(b"\n")
    labels, sizes, ends = (np.empty(count, dtype=np.int64) for _ in range(3))
    names = bytearray()
    for i, row in enumerate(io.BytesIO(body)):  # not a list of all rows
        label, size, name = row.rstrip(b"\n").split(b"\t", 2)
        names += name
        labels[i], sizes[i], ends[i] = int(label), int(size), len(names)
    digest = hashlib.sha256(json.dumps(classes).encode() + b"\n" + body).hexdigest()
    return Manifest(root, tuple(classes), labels, sizes, bytes(names), ends, digest)


class _Unread:
    """Stands where a part in memory has its images: their shape, and no pixels."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = torch.Size(shape)

    def numel(self) -> int:
        return self.shape.numel()


@dataclass(frozen=True, eq=False)
class StreamedPart:
    """Images of a folder that are read when a batch of them is asked for; takes the place of ``data.Part``.

    Attributes:
        manifest: all images of the folder.
        chosen: which of them, int64 ``(N,)``.
        size: side of the square images that come out.
        varied: whether batches in a drawn order are transformed at random.
        workers: processes that read ahead; 0 reads in this process.
    """

    manifest: Manifest
    chosen: Tensor
    size: int
    varied: bool
    workers: int

    @property
    def labels(self) -> Tensor:
        """Classes, int64 ``(N,)``."""
        return torch.from_numpy(self.manifest.labels)[self.chosen]

    @property
    def images(self) -> _Unread:
        """The shape of all images together; their pixels are in the files."""
        return _Unread((len(self), 3, self.size, self.size))

    def __len__(self) -> int:
        return len(self.chosen)

    def to(self, device: torch.device | str) -> StreamedPart:
        """The same part: its batches come from files, whatever the device."""
        return self

    def batches(
        self, size: int, *, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """``(images, labels)`` as ``data.batches`` yields them; ``generator`` draws the order and all that is random in it.

        The result does not depend on ``workers``: each image has a seed of its own.

        Raises:
            ValueError: a size below 1.
            DataError: an image that cannot be used, by its name.
        """
        size = whole("size", size)
        order, seed = torch.arange(len(self)), None
        if generator is not None:
            order = torch.randperm(len(self), generator=generator, device=generator.device).cpu()
            drawn = torch.randint(2**62, (), generator=generator, device=generator.device)
            seed = int(drawn) if self.varied else None
        return self._read(size, order, seed)

    def _read(self, size: int, order: Tensor, seed: int | None) -> Iterator[tuple[Tensor, Tensor]]:
        images = _Images(self.manifest, self.chosen, self.size, seed)
        loader: DataLoader[Any] = DataLoader(
            images,
            batch_sampler=_Slices(order, size),
            num_workers=self.workers,
            collate_fn=_stack,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else it draws from PyTorch's own
        )
        for batch in loader:
            if isinstance(batch, str):
                raise DataError(batch)
            yield batch

    def refused(self) -> list[str]:
        """Read every file once and return a sentence for each that cannot be used: to be asked before a long run."""
        images = _Images(self.manifest, self.chosen, self.size, None)
        loader: DataLoader[Any] = DataLoader(
            images,
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_only_errors,  # type: ignore[arg-type]  # of one item, without batches
            generator=torch.Generator(),
        )
        return [said for said in loader if said]


class _Slices:
    """Batches of an order, as indices; a sampler that holds no lists."""

    def __init__(self, order: Tensor, size: int) -> None:
        self.order, self.size = order, size

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self.order), self.size):
            yield self.order[start : start + self.size].tolist()

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)


class _Images(Dataset[Any]):
    """Reads one image: ``(pixels, label)``, or a sentence where it cannot be used.

    A sentence, as an exception that crosses processes brings the worker's whole traceback into its message.
    """

    def __init__(self, manifest: Manifest, chosen: Tensor, size: int, seed: int | None) -> None:
        self.manifest, self.chosen, self.size, self.seed = manifest, chosen, size, seed
        transforms = torchvision().transforms
        if seed is None:
            side = round(size * 256 / 224)
            steps = [transforms.Resize(side, antialias=True), transforms.CenterCrop(size)]
        else:
            steps = [transforms.RandomResizedCrop(size, antialias=True), transforms.RandomHorizontalFlip()]
        self.transform = transforms.Compose([*steps, transforms.PILToTensor()])

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, i: int) -> tuple[Tensor, int] | str:
        which = int(self.chosen[i])
        path = self.manifest.path(which)
        try:
            if (found := os.stat(path).st_size) != (known := int(self.manifest.sizes[which])):
                return f"{path} must have {known} bytes as in {MANIFEST}, got {found}: read_manifest(..., again=True)"
            with Image.open(path) as opened:
                image = Image.fromarray(_pixels(opened))
        except Exception as error:  # what Pillow's readers raise on broken files is not only OSError
            return f"{path} is damaged or not an image that can be used ({error})"
        if self.seed is None:
            return self.transform(image), int(self.manifest.labels[which])
        # torchvision's transforms draw from PyTorch's own generator, which is given back as it was
        own = torch.default_generator
        before = own.get_state()
        own.manual_seed((self.seed + which) % 2**63)
        try:
            return self.transform(image), int(self.manifest.labels[which])
        finally:
            own.set_state(before)


def _pixels(opened: Image.Image) -> data.Pixels:
    """(H, W, 3) by the rules of ``data``, with CMYK converted: ImageNet holds some, and its readers all convert them."""
    return data._rgb(opened.convert("RGB") if opened.mode == "CMYK" else opened)


def _stack(items: list[tuple[Tensor, int] | str]) -> tuple[Tensor, Tensor] | str:
    for item in items:
        if isinstance(item, str):
            return item
    return torch.stack([item[0] for item in items]), torch.tensor([item[1] for item in items])  # type: ignore[misc]


def _only_errors(item: tuple[Tensor, int] | str) -> str:
    return item if isinstance(item, str) else ""


def open_folder(config: DataConfig, *, root: str | Path | None = None, workers: int = 4) -> Splits:
    """The images that ``config`` asks for, of a folder that stays on disk.

    Args:
        config: name ``imagefolder:DIR`` with ``DIR/train/CLASS/*`` and ``DIR/val/CLASS/*``; ``size`` must be given.
        root: folder of the data sets; None means ``data.data_root()``.
        workers: processes that read ahead for each pass over the images; 0 reads in this process.

    Returns:
        ``Splits`` whose parts are ``StreamedPart``, chosen by the rules of ``data``: the same images as ``load`` would take.
        Their sha256 is of names and sizes, not of pixels. Crops are random here already: train without ``augment``.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: another kind of data set, or no ``size``.
        DataError: fewer images than asked for, or no image folder as described in ``data.load``.
    """
    kind, _, _ = config.name.partition(":")
    if kind != "imagefolder" or config.size is None:
        wrong = "name must be imagefolder:DIR" if kind != "imagefolder" else "size must be given"
        raise ValueError(f"{wrong} for images that stay on disk, got {config}")
    whole("workers", workers, least=0)
    folder = (Path(root).expanduser() if root is not None else data.data_root()) / data._folder(config.name)
    train, test = read_manifest(folder / "train"), read_manifest(folder / "val")
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))
        raise DataError(
            f"train and val of {folder} must have the same class folders, got {odd} in only one of them"
        )
    for asked, wanted, pool in (
        ("train + validation", config.train + config.validation, train),
        ("test", config.test, test),
    ):
        if wanted > len(pool):
            raise DataError(
                f"{asked} must be at most {len(pool)}, all the images in {pool.root}, got {wanted}"
            )
    drawn = data._balanced_order(torch.from_numpy(train.labels), config.seed)
    fixed = data._balanced_order(torch.from_numpy(test.labels), data._FIXED_SEED)

    def part(manifest: Manifest, chosen: Tensor, varied: bool) -> Any:
        return StreamedPart(manifest, chosen.clone(), config.size or 0, varied, workers)

    digest = hashlib.sha256(f"{train.sha256} {test.sha256} {config}".encode()).hexdigest()
    return Splits(
        part(train, drawn[config.validation : config.validation + config.train], True),
        part(train, drawn[: config.validation], False),
        part(test, fixed[: config.test], False),
        train.classes,
        digest,
    )
