"""Task "binary": train a network of binary weights and activations end to end, then measure it (section 9.2)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from panda2020.runs import weights
from panda2020.runs.outcome import Outcome
from snncore._check import one_of
from snncore.binary import SCALES, binarise, binary_layers
from snncore.data import Splits, load
from snncore.network import Network
from snncore.processes import process
from snncore.training import evaluate
from snncore.training import train as fit

from . import train


@dataclass(frozen=True)
class Spec(train.Spec):
    """A training run with binary weights, except those of the first layer and the classifier.

    Attributes:
        network: LIF neurons with alpha 0.
        input: the image itself for one step, InputConfig("direct", steps=1). Then activations are 0 or 1, once per image.
        scale: of binary weights, see ``binary.binary_weight``.
    """

    scale: str = "mean"

    def __post_init__(self) -> None:
        one_of("scale", self.scale, SCALES)
        if self.network.neuron != "lif" or self.network.alpha != 0:
            raise ValueError(
                f"network must have neuron 'lif' and leak 0, got {self.network.neuron!r} "
                f"and {self.network.alpha:g}"
            )
        if self.input.code != "direct" or self.input.steps != 1:
            raise ValueError(
                f"input must have code 'direct' and 1 step, got {self.input.code!r} and {self.input.steps}"
            )


def build(spec: Spec, splits: Splits) -> Network:
    """The untrained network of a run. Its real weights are drawn as in a spiking run of the seed, then made binary."""
    return binarise(train.build(spec, splits), scale=spec.scale)


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    """Train, evaluate on the test images, and count active neurons and binary weights."""
    splits = load(spec.data)
    network, curve = _trained(spec, splits, work=work, device=device, progress=progress)
    tested = evaluate(network, splits.test, spec.input, seed=spec.seed, device=device)
    seen = evaluate(
        network, train._first(splits, train.SEEN), spec.input, seed=spec.seed, device=device, activity=False
    )
    unique = {p.layer: p.weights for p in network.plan}
    result = {
        **train.counts(tested),
        "train_accuracy": seen.accuracy,
        "curve": curve,
        "binary_parameters": sum(unique[name] for name in binary_layers(network)),
        "activity": {
            name: {"kind": site.kind, "rate": site.rate, "nonzero": site.nonzero}
            for name, site in tested.sites.items()
        },
        "steps": 1,
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
    """The first entry of the learning curve, from scratch."""
    splits = load(spec.data)
    network = build(spec, splits).to(device)
    return fit(
        network,
        splits,
        spec.input,
        spec.training,
        seed=spec.seed,
        device=device,
        progress=progress,
        stop_after=1,
    )[0]


def minutes(spec: Spec) -> float:
    """Estimated wall time on two CPU cores, as for a spiking run of one step."""
    return train.minutes(spec)


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB, as for a spiking run of one step."""
    return train.memory(spec)


def _trained(
    spec: Spec, splits: Splits, *, work: Path, device: str, progress: bool
) -> tuple[Network, list[dict[str, Any]]]:
    """The network after training and its learning curve, from stored weights of an earlier attempt if there are any."""
    network = build(spec, splits).to(device)
    kept = weights.weights_file(spec, work)
    if kept.exists():
        found = torch.load(kept, weights_only=True, map_location=device)
        network.load_state_dict(found["network"])
        return network.eval(), found["curve"]
    curve = fit(
        network,
        splits,
        spec.input,
        spec.training,
        seed=spec.seed,
        device=device,
        checkpoint=work / f"{weights.key(spec)}.pt",
        progress=progress,
    )
    if process() == 0:
        part = kept.with_suffix(f".{os.getpid()}.part")
        torch.save({"network": network.state_dict(), "curve": curve}, part)
        os.replace(part, kept)
    return network, curve
