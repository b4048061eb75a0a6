"""Task "stdp": train convolutions with STDP, then classifiers on their features, on untrained kernels and on pixels.

One run serves Table 6 (fully connected classifier) and Table 12 (ConvNN classifier): both read the same features.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from panda2020.runs.outcome import Outcome
from snncore._check import one_of, whole
from snncore.activity import ActivityProbe, SiteActivity
from snncore.data import DataConfig, Part, Splits, load, to_unit
from snncore.network import Network, NetworkConfig
from snncore.operations import macs
from snncore.stdp import StdpConfig
from snncore.stdp_layers import Presentation, StdpWarning, Trained, features, train_layerwise
from snncore.streams import stream
from snncore.topology import SPIKING, Pass, plan
from snncore.training import InputConfig, TrainingConfig, evaluate, train

from .train import counts, measure_sites

CONTROLS = ("random", "pixels")

WINDOW = 20  # mini-batches per entry of the learning curve


@dataclass(frozen=True)
class Classifier:
    """A classifier on the features: a ReLU network by ``topology`` ("F1024 F10"), its initialisation and head, its recipe."""

    name: str
    topology: str
    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(neuron="relu"))
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", self.name):  # the name is used as a file name
            raise ValueError(f"name must consist of letters, digits, dots and dashes, got {self.name!r}")
        if self.network.neuron != "relu":
            raise ValueError(f"network must have neuron 'relu' in a classifier, got {self.network.neuron!r}")
        if self.training.augment:
            raise ValueError("training must not augment in a classifier, whose features are computed once")


@dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers of an STDP run.

    Attributes:
        convolutions: the part of the network that STDP trains, with the pooling after it: "36C3 36C3+ P".
        data: images; STDP sees the first ``unlabelled`` training images without their labels, each classifier all of them.
        unlabelled: see ``data``.
        stdp: rule, competition, T.
        classifiers: each is trained on the same features.
        controls: "random": the same kernels before training, with thresholds adapted to the same activity; "pixels": the
            image itself, pooled as the features are.
        snapshots: numbers of images seen at which kernels are kept.
        seed: of all streams of random numbers.
    """

    convolutions: str
    data: DataConfig
    stdp: StdpConfig
    classifiers: tuple[Classifier, ...]
    unlabelled: int = 5000
    controls: tuple[str, ...] = CONTROLS
    snapshots: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        whole("unlabelled", self.unlabelled)
        if self.unlabelled > self.data.train:
            raise ValueError(
                f"unlabelled must be at most the {self.data.train} training images, got {self.unlabelled}"
            )
        for control in self.controls:
            one_of("controls", control, CONTROLS)
        names = [c.name for c in self.classifiers]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"classifiers must have at least one entry and names of their own, got {names}")

    def topology(self, classifier: Classifier) -> str:
        """The whole network as one string: spiking convolutions, mean over T, ReLU classifier."""
        *hidden, last = classifier.topology.split()
        relu = [part if part in ("P",) else f"{part}:relu" for part in hidden]
        return " ".join([self.convolutions, "M", *relu, last])


def execute(spec: Spec, *, work: Path, device: str, progress: bool) -> Outcome:
    """Train kernels, extract features, and train and test every classifier on features and controls."""
    splits = load(spec.data)
    shape = tuple(splits.train.images.shape[1:])
    found = {
        source: _kept(
            work / f"{source}.pt", partial(_features, spec, splits, source, device=device, progress=progress)
        )
        for source in ("learned", *spec.controls)
    }
    learned = found["learned"]
    activity = {site: SiteActivity.from_dict(values) for site, values in learned["activity"].items()}
    results: dict[str, Any] = {}
    for classifier in spec.classifiers:
        tested = {
            source: _classify(
                spec,
                classifier,
                _parts(splits, kept),
                work / f"{classifier.name}-{source}.pt",
                device=device,
                progress=progress,
            )
            for source, kept in found.items()
        }
        whole_plan = plan(spec.topology(classifier), shape)
        results[classifier.name] = {
            **{source: numbers for source, (numbers, _) in tested.items()},
            "topology": spec.topology(classifier),
            **measure_sites(
                whole_plan, activity | _renamed(whole_plan, tested["learned"][1]), spec.stdp.steps
            ),
        }
    first = results[spec.classifiers[0].name]["learned"]
    return Outcome(
        {
            **{name: first[name] for name in ("accuracy", "correct", "total", "hits")},
            "curve": learned["curve"],
            "classifiers": results,
            "updates": learned["updates"],
            "alarms": learned["alarms"],
            "thresholds": {
                source: kept["thresholds"] for source, kept in found.items() if source != "pixels"
            },
            "feature_shape": list(learned["train"].shape[1:]),
            "feature_scale": {source: kept["scale"] for source, kept in found.items()},
            "feature_mean": {source: kept["mean"] for source, kept in found.items()},
            "rates": {
                source: {site: values["rate"] for site, values in kept["activity"].items()}
                for source, kept in found.items()
                if source != "pixels"
            },
            "data": {
                "sha256": splits.sha256,
                "unlabelled": spec.unlabelled,
                "train": len(splits.train),
                "validation": len(splits.validation),
                "test": len(splits.test),
            },
        },
        {
            "kernels": {name: values.numpy() for name, values in learned["kernels"].items()},
            "history": {name: values.numpy() for name, values in learned["history"].items()},
        },
    )


def first_epoch(spec: Spec, *, work: Path, device: str, progress: bool) -> dict[str, Any]:
    """The first entry of the learning curve: the first layer's first mini-batches, from scratch."""
    splits = load(spec.data)
    stop_after = WINDOW * spec.stdp.batch
    trained = _train(
        spec, splits, spec.stdp, spec.unlabelled, device=device, progress=progress, stop_after=stop_after
    )
    return _curve(trained.history)[0]


def minutes(spec: Spec) -> float:
    """Estimated wall time on two CPU cores: STDP and feature extraction from the work per image and step."""
    channels, size = {"digits": (1, 8), "cifar10": (3, 32)}.get(spec.data.name, (3, 128))
    size = spec.data.size or size
    passes = _convolutions(plan(spec.topology(spec.classifiers[0]), (channels, size, size)))
    work = {
        p.site: macs(p) / 2e10 + math.prod(p.out_shape) / 3e8 for p in passes
    }  # seconds per image and step
    seconds, below = 0.0, 0.0
    for layer in dict.fromkeys(p.layer for p in passes):
        own = sum(work[p.site] for p in passes if p.layer == layer)
        seconds += spec.unlabelled * spec.stdp.epochs * (below + 3 * own)
        below += own
    sources = 1 + ("random" in spec.controls)
    seconds += sources * (spec.data.train + spec.data.validation + spec.data.test) * below
    seconds *= spec.stdp.steps
    maps = passes[-1].out_shape
    for classifier in spec.classifiers:
        shape = (maps[0], maps[1] // 2, maps[2] // 2)
        one = sum(macs(p) for p in plan(classifier.topology, shape, "relu")) if min(shape[1:]) >= 4 else 0
        seconds += (1 + len(spec.controls)) * 4 * one * spec.data.train * classifier.training.epochs / 2e10
    return seconds / 60 + 0.05


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB: libraries, images, and the features of all images from every source."""
    channels, size = {"digits": (1, 8), "cifar10": (3, 32)}.get(spec.data.name, (3, 128))
    size = spec.data.size or size
    passes = _convolutions(plan(spec.topology(spec.classifiers[0]), (channels, size, size)))
    images = spec.data.train + spec.data.validation + spec.data.test
    features = images * math.prod(passes[-1].out_shape) * (2 + len(spec.controls))
    batch = 50 * spec.stdp.steps * sum(math.prod(p.out_shape) for p in passes)
    return 700 + (3 * images * channels * size**2 + 4 * features + 12 * batch) / 2**20


def _train(
    spec: Spec,
    splits: Splits,
    config: StdpConfig,
    unlabelled: int,
    *,
    device: str,
    progress: bool,
    stop_after: int | None = None,
) -> Trained:
    images = to_unit(splits.train.images[:unlabelled]).to(device)
    layers = len(
        {p.layer for p in _convolutions(plan(spec.topology(spec.classifiers[0]), tuple(images.shape[1:])))}
    )
    with tqdm(
        total=layers * config.epochs * len(images), disable=not progress, desc="STDP", leave=False
    ) as bar:

        def show(now: Presentation) -> None:
            bar.update(min(config.batch, bar.total - bar.n) if now.learning else 0)
            bar.set_postfix(layer=now.layer, rate=f"{max(now.rate.values()):.3f}", change=f"{now.change:.4f}")

        with warnings.catch_warnings():
            warnings.simplefilter("always", StdpWarning)
            return train_layerwise(
                f"{spec.convolutions} F{len(splits.classes)}",
                images,
                config,
                generator=stream(spec.seed, "stdp"),
                snapshots=spec.snapshots,
                stop_after=stop_after,
                progress=show,
            )


def _features(spec: Spec, splits: Splits, source: str, *, device: str, progress: bool) -> dict[str, Any]:
    """Features of all images as bytes, with the statistics that the record keeps about them."""
    if source == "pixels":
        pool = plan(f"{spec.convolutions} F{len(splits.classes)}", tuple(splits.train.images.shape[1:]))[
            -1
        ].pool
        values = {name: F.avg_pool2d(to_unit(part.images), pool) for name, part in _named(splits).items()}
        return _bytes(values)
    config, unlabelled = spec.stdp, spec.unlabelled
    if (
        source == "random"
    ):  # the same initial kernels; only thresholds adapt to the same target, which needs few images
        config, unlabelled = (
            replace(config, eta=0.0, competition="none"),
            min(unlabelled, WINDOW * config.batch),
        )
    trained = _train(spec, splits, config, unlabelled, device=device, progress=progress)
    probe = ActivityProbe(positions=True)
    values = {}
    for name, part in _named(splits).items():
        generator = stream(spec.seed, f"features/{name}", device=device)
        out = []
        chunks = part.images.split(100)
        for images in tqdm(chunks, disable=not progress, desc=f"{source} features, {name}", leave=False):
            out.append(
                features(
                    trained,
                    to_unit(images).to(device),
                    generator=generator,
                    probe=probe if name == "test" else None,
                ).cpu()
            )
        values[name] = torch.cat(out)
    return _bytes(values) | {
        "activity": {site: values.to_dict() for site, values in probe.result().items()},
        "thresholds": {site: values.tolist() for site, values in trained.thresholds.items()},
        "curve": _curve(trained.history),
        "updates": {layer: trained.updates(layer) for layer in trained.weights},
        "alarms": [str(alarm) for alarm in trained.alarms],
        "kernels": _kernels(trained),
        "history": _history(trained.history),
    }


def _bytes(values: Mapping[str, Tensor]) -> dict[str, Any]:
    """Features scaled to 0 to 255, with one scale for all: a thousandth of the training features lies above it."""
    flat = values["train"].flatten()
    rank = max(1, math.ceil(0.999 * len(flat)))
    scale = float(flat.kthvalue(rank).values) or 1.0
    kept = {name: (v / scale).clamp(0, 1).mul(255).round().to(torch.uint8) for name, v in values.items()}
    return {**kept, "scale": scale, "mean": float(values["train"].mean())}


def _named(splits: Splits) -> dict[str, Part]:
    return {"train": splits.train, "validation": splits.validation, "test": splits.test}


def _parts(splits: Splits, kept: Mapping[str, Any]) -> Splits:
    """The splits with features in place of images."""
    parts = {name: Part(kept[name], part.labels) for name, part in _named(splits).items()}
    return Splits(parts["train"], parts["validation"], parts["test"], splits.classes, splits.sha256)


def _kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of ``make``, from the file of an earlier attempt at this run if it exists."""
    if path.exists():
        return torch.load(path, weights_only=True)
    made = make()
    part = path.with_suffix(f".{os.getpid()}.part")
    torch.save(made, part)
    os.replace(part, path)
    return made


def _classify(
    spec: Spec, classifier: Classifier, splits: Splits, checkpoint: Path, *, device: str, progress: bool
) -> tuple[dict[str, Any], dict[str, SiteActivity]]:
    """Train one classifier on one kind of features; its test result and the activity of its sites."""
    network = Network(
        classifier.topology,
        input_shape=tuple(splits.train.images.shape[1:]),
        config=classifier.network,
        generator=stream(spec.seed, f"weights/{classifier.name}"),
    ).to(device)
    coder = InputConfig("real")
    curve = train(
        network,
        splits,
        coder,
        classifier.training,
        seed=spec.seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    tested = evaluate(network, splits.test, coder, seed=spec.seed, device=device, positions=True)
    last = curve[-1] if curve else {}
    return {
        **counts(tested),
        "validation_accuracy": last.get("validation_accuracy"),
        "train_accuracy": last.get("train_accuracy"),
        "curve": curve,
    }, tested.sites


def _convolutions(passes: Sequence[Pass]) -> tuple[Pass, ...]:
    """The spiking passes of a whole network; all passes after them are the classifier."""
    return tuple(p for p in passes if p.neuron in SPIKING)


def _renamed(passes: Sequence[Pass], sites: Mapping[str, SiteActivity]) -> dict[str, SiteActivity]:
    """The classifier's activity under the names its sites have in the whole network."""
    behind = [p.site for p in passes if p.neuron == "relu"]
    own = [site for site in sites if site != "input"]
    return {name: sites[site] for name, site in zip(behind, own, strict=True)}


def _curve(history: Sequence[Presentation]) -> list[dict[str, Any]]:
    """One entry per layer and ``WINDOW`` mini-batches: means, and the state at the end of the window."""
    curve = []
    for layer in dict.fromkeys(p.layer for p in history):
        own = [p for p in history if p.layer == layer and p.learning]
        for at in range(0, len(own), WINDOW):
            part = own[at : at + WINDOW]
            curve.append(
                {
                    "layer": layer,
                    "seen": part[-1].seen,
                    "updates": sum(p.updates for p in part),
                    "change": _mean([p.change for p in part]),
                    "rate": {site: _mean([p.rate[site] for p in part]) for site in part[0].rate},
                    "peak": {site: _mean([p.peak[site] for p in part]) for site in part[0].rate},
                    "trace": {site: _mean([p.trace[site] for p in part]) for site in part[0].rate},
                    "silent": part[-1].silent,
                    "threshold": part[-1].threshold,
                    "at_low": part[-1].at_low,
                    "at_high": part[-1].at_high,
                }
            )
    return curve


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _history(history: Sequence[Presentation]) -> dict[str, Tensor]:
    """Every mini-batch: (K,) arrays per layer or site."""
    arrays: dict[str, Tensor] = {}
    for layer in dict.fromkeys(p.layer for p in history):
        own = [p for p in history if p.layer == layer]
        for name in ("learning", "seen", "updates", "change", "at_low", "at_high"):
            arrays[f"{layer}_{name}"] = torch.tensor([getattr(p, name) for p in own])
        for name in ("rate", "peak", "silent", "threshold", "trace"):
            for site in own[0].rate:
                arrays[f"{site}_{name}"] = torch.tensor([getattr(p, name)[site] for p in own])
    return arrays


def _kernels(trained: Trained) -> dict[str, Tensor]:
    kernels: dict[str, Tensor] = {}
    for layer, weight in trained.weights.items():
        kernels[f"{layer}_before"], kernels[f"{layer}_after"] = trained.initial[layer].cpu(), weight.cpu()
        for seen, kept in trained.snapshots.get(layer, {}).items():
            kernels[f"{layer}_seen{seen}"] = kept.cpu()
    return {name: values.contiguous() for name, values in kernels.items()}
