"""Memory of a pass over images that stay on disk: ``python -m bench.folder_memory --images 10000 100000 --folder DIR``.

Makes folders of small JPEG files and reads each twice, in processes of their own: once with the listing of the folder, once
from the manifest. Prints how far the reading process rises above what its imports take, and the peak of its largest worker:
neither grows with the images, but for their names.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 100


def make(folder: Path, images: int) -> None:
    """Make ``images`` training and 200 test images of 16x16 pixels in ``CLASSES`` classes; existing ones stay."""
    draw = np.random.default_rng(0)
    for half, count in (("train", images), ("val", 200)):
        for k in range(count):
            file = folder / half / f"class-{k % CLASSES:03d}" / f"{k:07d}.jpg"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file, quality=30)


def measure(folder: Path, images: int, workers: int) -> dict[str, float]:
    """Read every training image once; MiB and seconds."""
    import torch

    from snncore._torchvision import torchvision
    from snncore.data import DataConfig, batches
    from snncore.folders import open_folder

    torchvision()
    before = _peak(resource.RUSAGE_SELF)
    start = time.perf_counter()
    config = DataConfig(f"imagefolder:{folder.name}", images, 0, 200, size=16)
    splits = open_folder(config, root=folder.parent, workers=workers)
    opened = time.perf_counter()
    seen = 0
    for pixels, labels in batches(splits.train, 256, generator=torch.Generator().manual_seed(0)):
        assert pixels.shape[1:] == (3, 16, 16)
        seen += len(labels)
    assert seen == images
    return {
        "images": images,
        "open_s": round(opened - start, 2),
        "read_s": round(time.perf_counter() - opened, 1),
        "process_MiB": round(_peak(resource.RUSAGE_SELF) - before, 1),
        "largest_worker_MiB": round(_peak(resource.RUSAGE_CHILDREN), 1),
    }


def _peak(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.folder_memory", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="where to make the files and leave them (default: a temporary one)"
    )
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.folder, asked.measure, asked.workers)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        for images in asked.images:
            folder = (asked.folder or Path(temporary)) / f"images-{images}"
            make(folder, images)
            (folder / "train" / ".snncore-manifest").unlink(missing_ok=True)
            for how in ("listed", "from the manifest"):
                command = [sys.executable, "-m", "bench.folder_memory", "--measure", str(images)]
                options = ["--folder", str(folder), "--workers", str(asked.workers)]
                found = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
                print(how, found.stdout.strip(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
