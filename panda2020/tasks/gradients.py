"""Task "gradients": the start of a training run, with the gradients of shared weights by unrolling step (Fig 5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panda2020.runs import weights
from panda2020.runs.outcome import Outcome
from snncore._check import whole
from snncore.data import DataConfig, Part, Splits, load
from snncore.gradients import Split, by_step, unrolled
from snncore.network import Network
from snncore.topology import parse
from snncore.training import InputConfig
from snncore.training import train as fit

from . import train


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of a measurement.

    Attributes:
        run: the training run whose network is measured; its seed also draws the spikes behind the gradients.
        epochs: number of the run's epochs; gradients are measured before training and after each epoch.
        images: number of first training images for the gradients, in at least two batches of the recipe's size.
    """

    run: train.Spec
    epochs: int = 2
    images: int = 160

    def __post_init__(self) -> None:
        if unrolled(self.run.topology) == parse(self.run.topology).text:
            raise ValueError(f"run.topology must have a BackRes block, got {self.run.topology!r}")
        if whole("epochs", self.epochs) > self.run.training.epochs:
            raise ValueError(
                f"epochs must be at most the {self.run.training.epochs} of the run, got {self.epochs}"
            )
        whole("images", self.images, least=self.run.training.batch_size + 1)
        if self.images > self.run.data.train:
            raise ValueError(
                f"images must be at most the {self.run.data.train} training images, got {self.images}"
            )

    @property
    def seed(self) -> int:
        """The seed of the run, which draws everything."""
        return self.run.seed

    @property
    def data(self) -> DataConfig:
        """The run's."""
        return self.run.data

    @property
    def input(self) -> InputConfig:
        """The run's."""
        return self.run.input


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    """Train for some epochs, and measure the norms and cosines of the gradients by unrolling step before and after each.

    Measuring gradients does not change the training, so the network equals the run's own. Test images are not used.
    """
    splits = load(spec.run.data)
    network = train.build(spec.run, splits).to(device)
    before = _split(spec, network, splits)
    curve = _trained(
        spec,
        network,
        splits,
        epochs=spec.epochs,
        checkpoint=work / f"{weights.key(spec)}.pt",
        device=device,
        progress=progress,
    )
    result = {
        "stages": [
            {"epoch": 0, "layers": before},
            *({"epoch": e["epoch"], "layers": e["gradients"]} for e in curve),
        ],
        "curve": curve,
        "batches": -(-spec.images // spec.run.training.batch_size),
        "steps": spec.run.input.steps,
        "data": {
            "sha256": splits.sha256,
            "train": len(splits.train.labels),
            "validation": len(splits.validation.labels),
            "test": len(splits.test.labels),
        },
        "weights_sha256": train.fingerprint(network),
    }
    return Outcome(result)


def first_epoch(spec: Spec, *, work: Path, device: str, progress: bool) -> dict[str, Any]:
    """The first entry of the learning curve, with the gradients after it, from scratch."""
    splits = load(spec.run.data)
    network = train.build(spec.run, splits).to(device)
    return _trained(spec, network, splits, epochs=1, checkpoint=None, device=device, progress=progress)[0]


def minutes(spec: Spec) -> float:
    """Estimated wall time on two CPU cores: the epochs' share of the run, and the batches whose gradients are split."""
    passes = spec.run.data.train * spec.epochs + spec.images * (spec.epochs + 1)
    return train.minutes(spec.run) * passes / (spec.run.data.train * spec.run.training.epochs)


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB, that of the run."""
    return train.memory(spec.run)


def _trained(
    spec: Spec,
    network: Network,
    splits: Splits,
    *,
    epochs: int,
    checkpoint: Path | None,
    device: str,
    progress: bool,
) -> list[dict[str, Any]]:
    return fit(
        network,
        splits,
        spec.run.input,
        spec.run.training,
        seed=spec.run.seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        stop_after=epochs,
        on_epoch=lambda _, net: {"gradients": _split(spec, net, splits)},
    )


def _split(spec: Spec, network: Network, splits: Splits) -> dict[str, dict[str, list]]:
    """``Split`` of the gradients by shared layer."""
    part = Part(splits.train.images[: spec.images], splits.train.labels[: spec.images])
    found = by_step(
        network, part, spec.run.input, batch_size=spec.run.training.batch_size, seed=spec.run.seed
    )
    return {layer: Split.of(gradients).to_json() for layer, gradients in found.items()}
