"""Task "convert": convert an ANN to a spiking network by threshold balancing, and simulate it up to the largest T."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from panda2020.runs.outcome import Outcome
from snncore._check import whole
from snncore.conversion import ConversionConfig, check_convertible, convert, scales, spiking
from snncore.data import Part, load
from snncore.network import Network
from snncore.operations import macs
from snncore.simulation import Agreement, Snapshot, classify, simulate
from snncore.streams import stream
from snncore.topology import plan
from snncore.training import Evaluation, InputConfig, evaluate, kept_epoch

from . import train

POINTS = 300  # pairs of expected and measured rate kept per site and T

CALIBRATION_BYTES = (
    10 << 30
)  # of packed spikes: 1,000 images x 2,000 steps at a quarter of the width take 8 GiB


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of a conversion.

    Attributes:
        ann: the training run whose network is converted. Its input code is "real" or "poisson-mean", and the spiking network
            is signed if and only if it is. Its seed also draws the Poisson input.
        conversion: how thresholds are balanced, on the first training images.
        steps: every T at which accuracy and spikes are read out, in one simulation.
        test: number of first test images that are simulated; None for all.
        batch_size: images coded together.
    """

    ann: train.Spec
    conversion: ConversionConfig = field(default_factory=ConversionConfig)
    steps: tuple[int, ...] = (10, 100, 500, 1000, 2000)
    test: int | None = None
    batch_size: int = 50

    def __post_init__(self) -> None:
        if self.ann.input.code not in ("real", "poisson-mean"):
            raise ValueError(
                f"ann.input must have code 'real' or 'poisson-mean', got {self.ann.input.code!r}"
            )
        if not self.steps or list(self.steps) != sorted({whole("steps", T) for T in self.steps}):
            raise ValueError(f"steps must be at least one T, each once, rising, got {self.steps!r}")
        if self.test is not None and whole("test", self.test) > self.ann.data.test:
            raise ValueError(f"test must be at most ann.data.test = {self.ann.data.test}, got {self.test}")
        if self.conversion.images > self.ann.data.train:
            raise ValueError(
                f"conversion.images must be at most ann.data.train = {self.ann.data.train}, "
                f"got {self.conversion.images}"
            )
        whole("batch_size", self.batch_size)

    @property
    def seed(self) -> int:
        """The seed of the ANN, which also draws everything else."""
        return self.ann.seed


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    """Train the ANN or load its weights, balance, simulate, and compare with the ANN image by image."""
    splits = load(spec.ann.data)
    check_convertible(train.build(spec.ann, splits))  # before hours of training
    ann, curve = train.train_or_load(spec.ann, splits, work=work, device=device, progress=progress)
    seen = evaluate(
        ann,
        train._first(splits, train.SEEN),
        spec.ann.input,
        seed=spec.ann.seed,
        device=device,
        activity=False,
    )
    coder = _coder(spec)
    network, thresholds = convert(
        ann,
        splits.train.images,
        coder,
        spec.conversion,
        generator=stream(spec.ann.seed, "calibration", device=device),
        max_bytes=CALIBRATION_BYTES,
    )
    count = spec.ann.data.test if spec.test is None else spec.test
    part = Part(splits.test.images[:count], splits.test.labels[:count])
    real = InputConfig("real", signed=coder.signed)
    reference = classify(ann, part, real, seed=spec.ann.seed, batch_size=spec.batch_size, device=device)
    everything = classify(
        ann, splits.test, real, seed=spec.ann.seed, batch_size=spec.batch_size, device=device
    )
    with tqdm(
        total=count * spec.steps[-1], disable=not progress, desc="image-steps", unit_scale=True, leave=False
    ) as bar:
        found = simulate(
            network,
            part,
            coder,
            spec.steps[-1],
            at=spec.steps,
            seed=spec.ann.seed,
            points=POINTS,
            batch_size=spec.batch_size,
            device=device,
            progress=bar.update,
        )
    last = found[spec.steps[-1]]
    result = {
        "accuracy": last.accuracy,
        "correct": last.correct,
        "total": last.total,
        "topology": network.topology.text,
        "ann": {**_counts(reference), **train.measure_sites(ann.plan, dict(reference.sites), None)},
        "ann_all": _counts(everything),
        "snn": {str(T): _read(snapshot, reference) for T, snapshot in found.items()},
        "thresholds": thresholds,
        "scales": scales(network),
        "train_accuracy": seen.accuracy,
        "kept_epoch": kept_epoch(curve, spec.ann.training),
        "curve": curve,
        "data": {
            "sha256": splits.sha256,
            "train": len(splits.train.labels),
            "validation": len(splits.validation.labels),
            "test": count,
            "calibration": spec.conversion.images,
        },
        "weights_sha256": train.fingerprint(ann),
    }
    points = {
        f"T{T}/{site}": agreement.points.numpy()
        for T, snapshot in found.items()
        for site, agreement in snapshot.agreement.items()
    }
    return Outcome(result, {"rates": points})


def first_epoch(spec: Spec, *, work: Path, device: str, progress: bool) -> dict[str, Any]:
    """The first epoch of the ANN, from scratch."""
    return train.first_epoch(spec.ann, work=work, device=device, progress=progress)


def minutes(spec: Spec) -> float:
    """Estimated wall time on two CPU cores: training, every layer twice over the calibration, the simulation."""
    channels, size = train._shape(spec.ann.data)
    ann = Network(
        spec.ann.topology,
        input_shape=(channels, size, size),
        config=spec.ann.network,
        generator=stream(0, "plan"),
    )
    plan = spiking(ann, relu_layers=spec.conversion.relu_layers).plan
    work = sum(macs(p) for p in plan[:-1] if not p.static)
    updates = sum(math.prod(p.out_shape) for p in plan[:-1] if p.neuron == "if")
    test = spec.ann.data.test if spec.test is None else spec.test
    image_steps = 2 * spec.conversion.images * spec.conversion.steps + test * spec.steps[-1]
    return train.minutes(spec.ann) + image_steps * (work / 6e10 + updates / 3e8) / 60


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB: training, and the packed spikes of one layer during calibration."""
    channels, size = train._shape(spec.ann.data)
    values = max(math.prod(p.out_shape) for p in plan(spec.ann.topology, (channels, size, size), "if"))
    blocks = 2 if spec.conversion.shared else 1
    spikes = values * blocks * spec.conversion.images * spec.conversion.steps / 8
    return train.memory(spec.ann) + spikes / 2**20


def _coder(spec: Spec) -> InputConfig:
    """Poisson spikes, or the image itself if the first layers stay ReLU. The number of steps is set later."""
    code = "direct" if spec.conversion.relu_layers else "poisson"
    return InputConfig(code, signed=spec.ann.input.signed, steps=1)


def _counts(snapshot: Snapshot) -> dict[str, Any]:
    """Accuracy with its counts, hit bits and top-5."""
    plain = Evaluation(snapshot.correct, snapshot.total, snapshot.loss, snapshot.hits, dict(snapshot.sites))
    return {**train.counts(plain), "top5": {"correct": snapshot.top(5), "total": snapshot.total}}


def _read(snapshot: Snapshot, reference: Snapshot) -> dict[str, Any]:
    """Results at one T: accuracy, its paired difference from the ANN, activity, agreement."""
    snn, ann = snapshot.hits, reference.hits
    same = snapshot.scores.argmax(1) == reference.scores.argmax(1)
    return {
        **_counts(snapshot),
        "paired": {
            "both": int((snn & ann).sum()),
            "ann_only": int((ann & ~snn).sum()),
            "snn_only": int((snn & ~ann).sum()),
            "neither": int((~snn & ~ann).sum()),
            "same_class": int(same.sum()),
            "total": snapshot.total,
            "difference": (snapshot.correct - reference.correct) / snapshot.total,
        },
        **train.measure_sites(snapshot.plan, dict(snapshot.sites), snapshot.steps),
        "agreement": {site: _agreement(found) for site, found in snapshot.agreement.items()},
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "correlation": found.correlation,
        "error": found.error,
        "bias": found.bias,
        "saturated": found.saturated,
        "accuracy": found.accuracy,
        "correct": found.correct,
        "total": found.total,
    }
