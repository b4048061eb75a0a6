"""Make ``imagenette-128``, the ten ImageNet classes of Tables 4 and 16, from a clone of its source.

    python -m tools.imagenette CLONE data/imagenette-128

The source is github.com/thunderInfy/imagenette at commit b850f030ff0701c36a4adc8b928ea9483a46915b, 224 x 224 pixels. From every
class the first images in the order of the SHA-256 of their file names are taken, so that the choice depends on no file system.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from PIL import Image

SIZE, QUALITY = 128, 90
COUNTS = {"train": 650, "val": 150}  # images per class
CLASSES = {
    "n01440764": "tench", "n02102040": "English springer", "n02979186": "cassette player", "n03000684": "chain saw",
    "n03028079": "church", "n03394916": "French horn", "n03417042": "garbage truck", "n03425413": "gas pump",
    "n03445777": "golf ball", "n03888257": "parachute",
}  # fmt: skip


def chosen(folder: Path, count: int) -> list[Path]:
    """The first ``count`` images of a folder by the SHA-256 of their names.

    Raises:
        ValueError: the folder has fewer.
    """
    files = sorted(folder.glob("*.JPEG"), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    if len(files) < count:
        raise ValueError(f"{folder} must hold at least {count} images named *.JPEG, got {len(files)}")
    return files[:count]


def make(source: Path, target: Path) -> int:
    """Write the selection to ``target`` and return its number of images.

    Raises:
        ValueError: a source without enough images.
    """
    picked = {
        (half, name): chosen(source / half / name, count)
        for half, count in COUNTS.items()
        for name in CLASSES
    }
    for (half, name), files in picked.items():
        folder = target / half / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in files:
            with Image.open(path) as image:
                small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
            small.save(folder / path.name, "JPEG", quality=QUALITY, optimize=True, subsampling="4:2:0")
    (target / "classes.tsv").write_text(
        "".join(f"{name}\t{word}\n" for name, word in CLASSES.items()), encoding="utf-8"
    )
    return sum(map(len, picked.values()))


def main(argv: list[str] | None = None) -> int:
    """Run the command. Returns 0, or 1 for an unsuitable source."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.imagenette",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="the clone: the folder that holds train/ and val/")
    parser.add_argument("target", type=Path, help="target folder")
    given = parser.parse_args(argv)
    try:
        print(f"{make(given.source, given.target)} images in {given.target}")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
