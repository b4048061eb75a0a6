"""Task "train": train an ANN or a spiking network end to end, then measure it on the test images."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from panda2020.runs import weights
from panda2020.runs.outcome import Outcome
from snncore.activity import SiteActivity
from snncore.data import DataConfig, Splits, batches, load
from snncore.layers import STATE_OF_NEURONS
from snncore.network import Network, NetworkConfig
from snncore.operations import event_count, macs
from snncore.processes import process
from snncore.streams import stream
from snncore.topology import SPIKING, Pass, plan
from snncore.training import Evaluation, InputConfig, TrainingConfig, evaluate, kept_epoch, train

SEEN = 2000  # number of training images for the training accuracy

RASTER_IMAGES, RASTER_NEURONS = 8, 64

EARLY = (
    5,
    10,
    15,
)  # smaller T at which a network trained on Poisson spikes is also read, to see how few steps are enough


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of a training run.

    Attributes:
        topology: network string, at the width of the run.
        data: the images.
        network: neurons, initialisation, head.
        input: code and T.
        training: the recipe.
        seed: of weights, data order, spike code and masks, each from its own stream.
    """

    topology: str
    data: DataConfig
    network: NetworkConfig
    input: InputConfig
    training: TrainingConfig
    seed: int = 0


def build(spec: Spec, splits: Splits) -> Network:
    """The untrained network of a run."""
    shape = tuple(splits.train.images.shape[1:])
    return Network(
        spec.topology,
        input_shape=shape,
        config=spec.network,
        generator=stream(spec.seed, "weights"),
        static_input=spec.input.code in ("real", "poisson-mean", "direct"),
    )


def train_or_load(
    spec: Spec, splits: Splits, *, work: Path, device: str, progress: bool
) -> tuple[Network, list[dict[str, Any]]]:
    """The run's network after training, and its learning curve, from stored weights of an earlier run if there are any."""
    network = build(spec, splits).to(device)
    kept = weights.weights_file(spec, work)
    if kept.exists():
        found = torch.load(kept, weights_only=True, map_location=device)
        network.load_state_dict(found["network"])
        network.eval()
        return network, found["curve"]
    curve = train(
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


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    """Train, evaluate on the test images, and count spikes and the accumulates they trigger."""
    splits = load(spec.data)
    network, curve = train_or_load(spec, splits, work=work, device=device, progress=progress)
    tested = evaluate(network, splits.test, spec.input, seed=spec.seed, device=device, positions=True)
    seen = evaluate(network, _first(splits, SEEN), spec.input, seed=spec.seed, device=device, activity=False)
    result = {
        **counts(tested),
        "train_accuracy": seen.accuracy,
        "kept_epoch": kept_epoch(curve, spec.training),
        "curve": curve,
        **measure_sites(network.plan, tested.sites, spec.input.steps),
        "data": {
            "sha256": splits.sha256,
            "train": len(splits.train.labels),
            "validation": len(splits.validation.labels),
            "test": len(splits.test.labels),
        },
        "weights_sha256": fingerprint(network),
    }
    if early := read_early(network, splits, spec, device=device):
        result["early"] = early
    if spec.network.head == "stochmax":
        result["rho"] = mean_retain(network, splits, spec, device=device)
    spikes = raster(network, splits, spec, device=device)
    return Outcome(result, {"raster": spikes} if spikes else {})


def read_early(network: Network, splits: Splits, spec: Spec, *, device: str) -> dict[str, dict[str, Any]]:
    """Accuracy on the test images after fewer steps than in training, by T; empty without Poisson spikes."""
    if spec.input.code != "poisson":
        return {}
    found = {}
    for T in EARLY:
        if T < (spec.input.steps or 0):
            fewer = replace(spec.input, steps=T)
            tested = evaluate(network, splits.test, fewer, seed=spec.seed, device=device, activity=False)
            found[str(T)] = counts(tested)
    return found


def raster(network: Network, splits: Splits, spec: Spec, *, device: str) -> dict[str, np.ndarray]:
    """Spikes of the first test images by site, uint8 (images, T, neurons): 64 neurons of each site, evenly spaced.

    Signed spikes are 255 for -1. Sites without time steps are omitted, so an ANN has none.
    """
    found: dict[str, np.ndarray] = {}

    def probe(site: str, values: torch.Tensor, *, timed: bool) -> None:
        if timed:
            flat = values.detach().flatten(2)  # (T, N, neurons)
            index = torch.linspace(0, flat.shape[2] - 1, min(RASTER_NEURONS, flat.shape[2])).long()
            chosen = flat[..., index.to(flat.device)].transpose(0, 1)
            found[site] = chosen.round().to(torch.int8).cpu().numpy().view(np.uint8)

    generator = stream(spec.seed, "raster", device=device)
    with torch.no_grad():
        x, steps = spec.input(splits.test.images[:RASTER_IMAGES].to(device), generator=generator)
        network(x, steps=steps, probe=probe, generator=generator)
    return found


def first_epoch(spec: Spec, *, work: Path, device: str, progress: bool) -> dict[str, Any]:
    """The first entry of the learning curve, from scratch."""
    splits = load(spec.data)
    network = build(spec, splits).to(device)
    return train(
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
    """Estimated wall time on two CPU cores, from the multiply-accumulates of all images, steps and epochs."""
    channels, size = _shape(spec.data)
    steps = spec.input.steps if spec.input.code != "poisson-mean" else None
    static = spec.input.code in ("real", "poisson-mean", "direct")
    passes = plan(spec.topology, (channels, size, size), spec.network.neuron, static_input=static)
    # forward and backward cost three forward passes
    work = updates = 0.0
    for p in passes:
        repeats = 1 if p.static or steps is None else steps
        work += macs(p) * repeats
        updates += torch.Size(p.out_shape).numel() * (1 if p.once or steps is None else steps)
    images = (
        3 * spec.data.train * spec.training.epochs
        + spec.data.validation * spec.training.epochs
        + spec.data.test
    )
    return images * (work / 4e10 + updates / 8e8) / 60 + 0.02


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB: libraries, images, weights, and what a batch keeps for the backward pass."""
    channels, size = _shape(spec.data)
    shape = (channels, size, size)
    steps = 1 if spec.input.code in ("real", "poisson-mean") else spec.input.steps or 1
    static = spec.input.code in ("real", "poisson-mean", "direct")
    passes = plan(spec.topology, shape, spec.network.neuron, static_input=static)
    values = math.prod(shape) * (1 if static else steps)
    values += sum(math.prod(p.out_shape) * (1 if p.once else steps) for p in passes)
    weights = sum({p.layer: p.weights for p in passes}.values())
    images = spec.data.train + spec.data.validation + spec.data.test
    batch = max(spec.training.batch_size, 50)  # 50 in an evaluation
    return 700 + (3 * images * math.prod(shape) + 16 * weights + 12 * batch * values) / 2**20


def counts(tested: Evaluation) -> dict[str, Any]:
    """Accuracy, its counts, and which test images were right (hexadecimal, first image first) for pairing."""
    bits = "".join("1" if hit else "0" for hit in tested.hits.tolist())
    padded = bits.ljust(-(-len(bits) // 4) * 4, "0")
    return {
        "accuracy": tested.accuracy,
        "correct": tested.correct,
        "total": tested.total,
        "loss": tested.loss,
        "hits": f"{int(padded, 2):0{len(padded) // 4}x}",
    }


def measure_sites(
    plan: tuple[Pass, ...], sites: dict[str, SiteActivity], steps: int | None
) -> dict[str, Any]:
    """Activity by site and, for a spiking network, T and border-exact accumulates, from which energies are computed."""
    activity = {
        name: {"kind": site.kind, "rate": site.rate, "nonzero": site.nonzero} for name, site in sites.items()
    }
    if not any(p.neuron in SPIKING for p in plan):
        return {"activity": activity}
    events = {p.site: event_count(p, sites) for p in plan if not p.static}
    return {"activity": activity, "events": events, "steps": steps}


def mean_retain(network: Network, splits: Splits, spec: Spec, *, device: str) -> list[list[float]]:
    """Mean retain probability (Eq. 7) of every class, a column, over the test images of each class, a row."""
    classes = len(splits.classes)
    total, count = (
        torch.zeros(classes, classes, dtype=torch.float64),
        torch.zeros(classes, dtype=torch.float64),
    )
    generator = stream(spec.seed, "evaluation", device=device)
    with torch.no_grad():
        for images, labels in batches(splits.test, 50):
            x, steps = spec.input(images.to(device), generator=generator)
            rho = network.head.rho(network.features(x, steps=steps, generator=generator)).double().cpu()  # type: ignore[operator]
            total.index_add_(0, labels, rho)
            count.index_add_(0, labels, torch.ones(len(labels), dtype=torch.float64))
    return (total / count.clamp(min=1)[:, None]).tolist()


def fingerprint(network: Network) -> str:
    """SHA-256 over all weights, in order. Two runs with the same hash are the same network, bit for bit."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        if name.endswith(STATE_OF_NEURONS):  # not a weight: the spec holds the neurons
            continue
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _first(splits: Splits, count: int):  # type: ignore[no-untyped-def]
    part = splits.train
    return type(part)(part.images[:count], part.labels[:count])


def _shape(data: DataConfig) -> tuple[int, int]:
    channels, size = {"digits": (1, 8), "cifar10": (3, 32), "imagenette-128": (3, 128)}.get(
        data.name, (3, 224)
    )
    return channels, data.size or size
