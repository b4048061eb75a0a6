"""The recorded check of a GPU (``bench.gpu_check``), for the chapter on cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from panda2020.exhibits.numbers import number
from panda2020.records import shown_name
from panda2020.runs import Record
from panda2020.runs.executing import RECORDED
from panda2020.runs.store import seal

#: Fields that a file must have.
_FIELDS = {"date", "command", "commit", "dirty", "rows"}


@dataclass(frozen=True)
class Check:
    """A recorded check: ``data`` as in the file that ``bench.gpu_check`` writes."""

    data: Mapping[str, Any]
    path: Path

    def rows(self, part: str) -> Iterator[dict[str, Any]]:
        """The results of a part that was measured."""
        return (
            row
            for row in self.data["rows"]
            if row["part"].split()[0] == part and not {"skipped", "failed"} & row.keys()
        )

    @property
    def machine(self) -> dict[str, Any]:
        return next(self.rows("machine"))

    @property
    def sound(self) -> bool:
        """Whether no part failed and every comparison holds."""
        return not any("failed" in row or row.get("holds") is False for row in self.data["rows"])

    @property
    def record(self) -> Record:
        """The check as a record for exhibits."""
        made, machine = self.data, self.machine
        body = {
            "key": self.path.stem,
            "sha256": seal(dict(made))["sha256"],
            "spec": {},
            "labels": {"network": "GPU check", "role": "speed", "profile": machine["device_name"]},
            "result": {},
            "provenance": {
                **{name: made[name] for name in ("commit", "dirty", "date", "command")},
                **{name: machine[name] for name in ("versions", "device_name", "threads")},
                "data_sha256": "none",
                "seconds": max(row.get("at", 0.0) for row in made["rows"]),
            },
            "artifacts": {},
        }
        return Record(body, self.path, RECORDED)


def load(path: str | Path) -> Check:
    """Read a recorded check; ``ValueError`` for another file."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(data, dict) or not data.keys() >= _FIELDS:
        raise ValueError(f"path must be a file that bench.gpu_check wrote, got {path}")
    return Check(data, Path(path))


def steps_table(check: Check) -> pd.DataFrame:
    """One training step of each network, in bfloat16, beside its convolutions alone."""
    rows = []
    for row in check.rows("step"):
        _, name, _, width, _, batch = row["part"].split()
        rows.append(
            {
                "network": shown_name(name),
                "width": float(width),
                "batch": int(batch),
                "step (ms)": row["ms"],
                "over convolutions": row["over_conv_only"],
                "images per second": row["images_per_s"],
                "epoch of 45,000 images (s)": row["epoch_of_45000_s"],
                "peak (GB)": row["peak_gb"],
            }
        )
    return pd.DataFrame(rows)


def right_table(check: Check) -> pd.DataFrame:
    """What was compared, and how far the device is from the reference."""
    rows = [
        {
            "compared with": "`fire_reference`, every option",
            "in": row["dtype"].removeprefix("torch."),
            "unequal spikes": number(row["unequal_spikes"], "d"),
            "largest difference of the gradient": number(row["gradient_error"], ".1e"),
            "holds": "yes" if row["holds"] else "no",
        }
        for row in check.rows("neurons")
        if "dtype" in row
    ]
    rows += [
        {
            "compared with": "PyTorch's scan on the device",
            "in": "float32",
            "unequal spikes": number(row["share_unequal_to_scan"], ".1e"),
            "largest difference of the gradient": number(row["gradient_error"], ".1e"),
            "holds": "yes" if row["holds"] else "no",
        }
        for row in check.rows("neurons")
        if "dtype" not in row
    ]
    rows += [
        {
            "compared with": "the same short training on a CPU: its loss",
            "in": "float32",
            "unequal spikes": "",
            "largest difference of the gradient": f"{row['off']:.1e} (of the loss)",
            "holds": "yes" if row["holds"] else "no",
        }
        for row in check.rows("training")
    ]
    return pd.DataFrame(rows)


def sentences(check: Check) -> list[str]:
    """The check in a few sentences: device, correctness, steps, the layer, conversion, the peer's backends."""
    device = check.machine["device_name"]
    steps = list(check.rows("step"))
    ratios = [row["over_conv_only"] for row in steps]
    said = [
        f"On one {device}, " + ("every comparison with the CPU and the reference holds. " if check.sound else "a check FAILED. ")
        + f"A training step takes {min(ratios):.2f} to {max(ratios):.2f} times as long as its convolutions alone; "
        "small networks with small batches wait for the launch of kernels, so their ratios are the largest."
    ]  # fmt: skip
    layer = {row["dtype"]: row for row in check.rows("layer")}
    if layer:
        parts = [
            f"{row['over_copy']:.1f} copies of its current in {name.removeprefix('torch.')}"
            for name, row in layer.items()
        ]
        said.append(f"A layer of neurons, forward and backward, takes as long as {' and '.join(parts)}.")
    said += [
        f"The converted VGG7 at width {row['width']:g} is simulated at {row['image_steps_per_s']:,.0f} image-steps per second."
        for row in check.rows("conversion")
    ]
    said += _beside_spikingjelly(list(check.rows("peers")))
    if "note" in check.data:
        said.append(check.data["note"])
    return said


def peers_table(check: Check) -> pd.DataFrame:
    """The benchmark's training step beside SpikingJelly's, by precision and layout."""
    return pd.DataFrame(
        {
            "library": _LIBRARIES[row["contender"]] + (f" {row['version']}" if row["version"] else ""),
            "precision": row["precision"],
            "layout": row["layout"].replace("_", " "),
            "step (ms)": row["ms"],
            "device busy (ms)": row["busy_ms"],
        }
        for row in check.rows("peers")
    )


_LIBRARIES = {"snncore": "snncore", "spikingjelly": "SpikingJelly"}


def _beside_spikingjelly(rows: list[dict[str, Any]]) -> list[str]:
    """The fastest setting of each library, and why the other precision of SpikingJelly is slow."""
    best = {
        name: min(mine, key=lambda row: row["ms"])
        for name in _LIBRARIES
        if (mine := [row for row in rows if row["contender"] == name])
    }
    if len(best) < 2:
        return []
    ours, peer = best["snncore"], best["spikingjelly"]
    said = [
        f"The training step of the benchmark takes {ours['ms']:.1f} ms in {ours['precision']}, and SpikingJelly "
        f"{peer['version']}'s takes {peer['ms']:.1f} ms in {peer['precision']}, the fastest setting of each. "
        "Both wait for the launch of kernels most of that time: the device computes for "
        f"{ours['busy_ms']:.1f} and {peer['busy_ms']:.1f} ms."
    ]
    stepwise = [
        row
        for row in rows
        if row["contender"] == "spikingjelly" and row.get("subtractions", 0) > row["steps"]
    ]
    if stepwise:
        slowest = max(stepwise, key=lambda row: row["ms"])
        said.append(
            f"In {slowest['precision']} SpikingJelly takes {slowest['ms']:.0f} ms, because its kernels need a "
            "float32 membrane and autocast gives it another: its PyTorch reference runs instead, step by step."
        )
    return said
