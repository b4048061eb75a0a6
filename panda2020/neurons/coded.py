"""Figure 2B on CIFAR-10: the spikes of three test images, recorded once, so that the book shows them where the data set is not.

    python -m panda2020.neurons.coded results/figure-2b.json

The file holds numbers of spikes and no pixels.
"""

from __future__ import annotations

import base64
import datetime
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from panda2020.runs import Record
from panda2020.runs.executing import RECORDED
from panda2020.runs.provenance import commit, cpu_model, versions
from panda2020.runs.store import seal
from snncore.coding import poisson
from snncore.data import DataConfig, load, to_unit
from snncore.streams import stream

FILE = "results/figure-2b.json"

SCHEMA = "figure-2b-1"

#: A horse, a frog and a car among the first ``TEST`` test images, and the steps at which their spikes are counted.
TEST, IMAGES, STEPS = 40, (6, 25, 28), (1, 5, 25, 100, 400)


@dataclass(frozen=True)
class Coded:
    """Recorded spikes. classes: of the images. counts: T -> spikes of the first T steps, ``(N, C, H, W)``."""

    data: Mapping[str, Any]
    path: Path
    classes: tuple[str, ...]
    counts: dict[int, Tensor]

    @property
    def means(self) -> dict[int, Tensor]:
        """The mean of the first T spike maps, by T."""
        return {steps: count.float() / steps for steps, count in self.counts.items()}

    @property
    def record(self) -> Record:
        """What exhibits show of its origin."""
        made = self.data
        body = {
            "key": self.path.stem,
            "sha256": seal(made)["sha256"],
            "spec": {},  # it is no run
            "labels": {"network": "input coding", "role": "Poisson", "profile": "CIFAR-10"},
            "result": {},
            "provenance": {
                **{
                    name: made[name]
                    for name in ("commit", "dirty", "date", "command", "versions", "data_sha256")
                },
                "device_name": made["cpu"],
                "threads": 1,
                "seconds": made["seconds"],
            },
            "artifacts": {},
        }
        return Record(body, self.path, RECORDED)


def count(images: Tensor, steps: Sequence[int], *, seed: int) -> dict[int, Tensor]:
    """Spikes of each pixel in the first T steps, for every T of ``steps`` (rising), all from one Poisson stream."""
    spikes = poisson(images, max(steps), generator=stream(seed, "coding"))
    return {T: spikes[:T].sum(0).to(torch.int64) for T in steps}


def make(*, seed: int = 0) -> dict[str, Any]:
    """Code the images, and note what made the numbers. Needs CIFAR-10."""
    start = datetime.datetime.now(datetime.UTC)
    splits = load(DataConfig("cifar10", train=1, validation=0, test=TEST))
    chosen = list(IMAGES)
    counts = count(to_unit(splits.test.images[chosen]), STEPS, seed=seed)
    here = commit()
    return {
        "schema": SCHEMA,
        "command": f"python -m panda2020.neurons.coded {FILE}",
        "commit": here.sha,
        "dirty": here.dirty,
        "date": start.isoformat(timespec="seconds"),
        "versions": versions(),
        "cpu": cpu_model(),
        "seconds": (datetime.datetime.now(datetime.UTC) - start).total_seconds(),
        "seed": seed,
        "data_sha256": splits.sha256,
        "images": chosen,
        "classes": [splits.classes[int(label)] for label in splits.test.labels[chosen]],
        "shape": list(counts[STEPS[0]].shape),
        "counts": {str(T): _packed(found) for T, found in counts.items()},
    }


def read(path: str | Path) -> Coded:
    """A file that ``make`` has made. Raises ``ValueError`` for a file of another schema."""
    data = json.loads(Path(path).read_text("utf-8"))
    if data.get("schema") != SCHEMA:
        raise ValueError(
            f"path must be a file of schema {SCHEMA!r}, got {path} of schema {data.get('schema')!r}"
        )
    counts = {int(T): _unpacked(text, data["shape"]) for T, text in data["counts"].items()}
    return Coded(data, Path(path), tuple(data["classes"]), counts)


def _packed(counts: Tensor) -> str:
    return base64.b64encode(counts.numpy().astype("<u2").tobytes()).decode()


def _unpacked(text: str, shape: Sequence[int]) -> Tensor:
    flat = np.frombuffer(base64.b64decode(text), dtype="<u2").astype(np.int64)
    return torch.from_numpy(flat).reshape(*shape)


def main(arguments: Sequence[str]) -> int:
    """Write the file."""
    if len(arguments) != 1:
        print("usage: python -m panda2020.neurons.coded FILE.json", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(json.dumps(make(), indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
