"""Image folders that do not fit into memory: worker processes read them batch by batch, with ImageNet's usual transforms.

``open_folder`` takes the same ``DataConfig`` as ``data.load`` and chooses the same images, but keeps only their names, about
150 bytes each (``python -m bench.folder_memory`` measures it). Names, classes and sizes come from a manifest file. It is
written into the folder once and reused while the modification times of the directories stay the same; its hash identifies
the data. ``training.train`` and ``evaluate`` accept the result in place of images in memory.

==========  ==========================================================================================================
training    a random part of 8 to 100 % of the area, sides 3:4 to 4:3, resized to ``size``, mirrored with probability 1/2
            (torchvision's ``RandomResizedCrop`` and ``RandomHorizontalFlip``), if the order is random
otherwise   shorter side to ``size * 256 / 224``, then the centre square
==========  ==========================================================================================================
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
    """The contents of a folder of class folders, in a fixed order.

    Attributes:
        root: the folder.
        classes: names of the class folders.
        labels: class of each image, int64 ``(N,)``.
        sizes: bytes of each file, int64 ``(N,)``.
        names: all paths below ``root``, concatenated, in UTF-8. A list of strings would be copied into every worker.
        ends: end of each path in ``names``, int64 ``(N,)``.
        sha256: hash of classes, paths and sizes.
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
    """Return the manifest of a folder of class folders. The first call lists the folder; later calls read the manifest file.

    Args:
        folder: holds one folder of images per class, such as ``imagenet/train``.
        again: list the folder even if the manifest file is up to date.

    Returns:
        The manifest. Its file, ``.snncore-manifest`` in the folder, is up to date while no directory has changed. A file
        that was overwritten under the same name is detected by its size when it is read.

    Raises:
        FileNotFoundError: the folder is missing.
        DataError: an image folder that ``data.load`` refuses, or a damaged manifest file.
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
    # read the times after writing the file, because creating it changes the time of the root
    for _ in range(2):
        content = _to_bytes(body, classes, _times(root))
        part = file.with_name(f"{MANIFEST}.{os.getpid()}.part")
        try:
            part.write_bytes(content)
            os.replace(part, file)
        except OSError:  # a read-only folder is listed every time
            break
    return _parsed(root, body, classes)


def _listed(root: Path) -> tuple[bytes, list[str]]:
    """One line per image, ``label TAB bytes TAB path``, and the class names, without hidden files."""
    samples, classes = data._samples(root)
    rows = [f"{label}\t{os.stat(path).st_size}\t{os.path.relpath(path, root)}\n" for path, label in samples]
    return "".join(rows).encode(), classes


def _times(root: Path) -> dict[str, int]:
    """Modification time of each directory. The manifest file itself does not count."""
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
    """The manifest in a file; None if the folder has changed since."""
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
    """The shape of images that have not been read; used in place of a tensor of pixels."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = torch.Size(shape)

    def numel(self) -> int:
        return self.shape.numel()


@dataclass(frozen=True, eq=False)
class StreamedPart:
    """Images of a folder that are read batch by batch, on demand; used in place of ``data.Part``.

    Attributes:
        manifest: all images of the folder.
        chosen: indices of the images in this part, int64 ``(N,)``.
        size: side of the square output images.
        varied: whether batches in random order are transformed at random.
        workers: number of processes that read ahead; 0 reads in this process.
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
        """The shape of all images together. The pixels stay in the files."""
        return _Unread((len(self), 3, self.size, self.size))

    def __len__(self) -> int:
        return len(self.chosen)

    def to(self, device: torch.device | str) -> StreamedPart:
        """Return this part. Its batches come from files, on any device."""
        return self

    def batches(
        self, size: int, *, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield ``(images, labels)`` as ``data.batches`` does.

        The result does not depend on ``workers``: each image has its own seed.

        Args:
            size: images per batch.
            generator: draws the order and the random transforms; None keeps the order and transforms nothing at random.

        Raises:
            ValueError: a size below 1.
            DataError: an image that cannot be used (named).
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
            generator=torch.Generator(),  # else the loader draws from PyTorch's global generator
        )
        for batch in loader:
            if isinstance(batch, str):
                raise DataError(batch)
            yield batch

    def refused(self) -> list[str]:
        """Read every file once and return one sentence for each that cannot be used. Call it before a long run."""
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
    """A sampler that yields batches of an order as index arrays and holds no lists."""

    def __init__(self, order: Tensor, size: int) -> None:
        self.order, self.size = order, size

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self.order), self.size):
            yield self.order[start : start + self.size].tolist()

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)


class _Images(Dataset[Any]):
    """Reads one image: ``(pixels, label)``, or an error sentence if it cannot be used.

    It returns a sentence because an exception from a worker process carries the worker's whole traceback in its message.
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
        except Exception as error:  # Pillow's readers raise more than OSError on broken files
            return f"{path} is damaged or not an image that can be used ({error})"
        if self.seed is None:
            return self.transform(image), int(self.manifest.labels[which])
        # torchvision's transforms draw from PyTorch's global generator, whose state is restored afterwards
        own = torch.default_generator
        before = own.get_state()
        own.manual_seed((self.seed + which) % 2**63)
        try:
            return self.transform(image), int(self.manifest.labels[which])
        finally:
            own.set_state(before)


def _pixels(opened: Image.Image) -> data.Pixels:
    """(H, W, 3) by the rules of ``data``, but CMYK is converted, as common readers do: ImageNet holds some CMYK images."""
    return data._rgb(opened.convert("RGB") if opened.mode == "CMYK" else opened)


def _stack(items: list[tuple[Tensor, int] | str]) -> tuple[Tensor, Tensor] | str:
    for item in items:
        if isinstance(item, str):
            return item
    return torch.stack([item[0] for item in items]), torch.tensor([item[1] for item in items])  # type: ignore[misc]


def _only_errors(item: tuple[Tensor, int] | str) -> str:
    return item if isinstance(item, str) else ""


def open_folder(config: DataConfig, *, root: str | Path | None = None, workers: int = 4) -> Splits:
    """The images that ``config`` asks for, from a folder that stays on disk.

    Args:
        config: name ``imagefolder:DIR`` with ``DIR/train/CLASS/*`` and ``DIR/val/CLASS/*``; ``size`` is required.
        root: folder of the data sets; None means ``data.data_root()``.
        workers: number of processes that read ahead in each pass over the images; 0 reads in this process.

    Returns:
        ``Splits`` whose parts are ``StreamedPart``, with the same images that ``load`` would choose.
        Their sha256 covers names and sizes, not pixels. Crops are already random here, so train without ``augment``.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: another kind of data set, or no ``size``.
        DataError: fewer images than requested, or no image folder as described in ``data.load``.
    """
    kind, _, _ = config.name.partition(":")
    if kind != "imagefolder" or config.size is None:
        wrong = "name must be imagefolder:DIR" if kind != "imagefolder" else "size must be given"
        raise ValueError(f"{wrong} to stream images from disk, got {config}")
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
