"""Simulate a converted network: accuracy, spikes and energy at many T from one simulation of the largest.

Time advances step by step and membranes are updated in place, so memory does not grow with T. At each requested
T the spikes counted so far are read out. One step of one batch is always computed by the same operations,
so the numbers do not depend on how time is divided into chunks.

``Agreement`` shows where accuracy is lost: how far each layer's rates are from the activations they
represent, and how accurate the network would be if it continued as the ANN after this layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from . import events
from ._check import whole
from .activity import ActivityProbe, SiteActivity
from .balancing import check_coder
from .conversion import BalancedHead, scales
from .network import Network
from .stepper import Coder, Neurons, Stepper, encode
from .streams import stream
from .topology import Pass

_TOGETHER = 16  # images whose neurons are updated together on a CPU, so that their state stays in the cache

_TOGETHER_ON_GPU = 1 << 26  # neurons that a GPU updates at once; the 50 images of a batch do not fill it


class Labelled(Protocol):
    """The part of ``data.Part`` that this module needs: uint8 images (N, C, H, W) and int64 labels (N,)."""

    @property
    def images(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...


@dataclass(frozen=True)
class Agreement:
    """How well one site's spike rates at T represent the ANN's activations, over all images and neurons.

    The expected rate of a neuron is its activation divided by the site's scale (``conversion.scales``).

    Attributes:
        correlation: Pearson's correlation of measured and expected rates; None if either does not vary.
        error: mean of ``|rate - expected|`` relative to the mean expected rate; None if that is 0.
        bias: mean of ``rate - expected`` relative to the mean expected rate; None if that is 0.
        saturated: share of neurons whose expected rate is above 1, the largest possible rate.
        accuracy: accuracy of the ANN that continues after this site, from these rates.
        correct: number of images that this ANN classifies correctly.
        points: (P, 2) float32, expected and measured rate of neurons drawn at random from the first batch.
    """

    correlation: float | None
    error: float | None
    bias: float | None
    saturated: float
    correct: int
    total: int
    points: Tensor

    @property
    def accuracy(self) -> float:
        return self.correct / self.total


@dataclass(frozen=True)
class Snapshot:
    """Results of a network after T = ``steps`` steps (None for an ANN): ``scores`` (N, K) and ``labels`` (N,)."""

    steps: int | None
    scores: Tensor
    labels: Tensor
    sites: Mapping[str, SiteActivity]
    plan: tuple[Pass, ...]
    agreement: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def hits(self) -> Tensor:
        """Whether each image is classified correctly, bool (N,)."""
        return self.scores.argmax(1) == self.labels

    @property
    def correct(self) -> int:
        return int(self.hits.sum())

    @property
    def total(self) -> int:
        return len(self.labels)

    @property
    def accuracy(self) -> float:
        return self.correct / self.total

    @property
    def loss(self) -> float:
        """Mean cross-entropy, nats."""
        return F.cross_entropy(self.scores.double(), self.labels).item()

    def top(self, k: int) -> int:
        """Number of images whose label is among the ``k`` best scores."""
        best = self.scores.topk(min(whole("k", k), self.scores.shape[1]), dim=1).indices
        return int((best == self.labels[:, None]).any(1).sum())


def simulate(
    network: Network,
    part: Labelled,
    coder: Coder,
    steps: int,
    *,
    at: tuple[int, ...] = (),
    seed: int,
    batch_size: int = 50,
    time_chunk: int | None = None,
    points: int | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[int], None] | None = None,
) -> dict[int, Snapshot]:
    """Run a converted network for ``steps`` time steps and read it out after each T in ``at`` and at the end.

    Args:
        network: made by ``conversion.convert``, in evaluation mode.
        part: uint8 images (N, C, H, W) and their labels.
        coder: as for ``conversion.convert``.
        steps: T of the whole simulation.
        at: further T, up to ``steps``, at which to read out.
        seed: its stream "evaluation" draws the spike code, batch by batch. On a GPU, whose generator gives different numbers
            than a CPU's, a batch holds a multiple of ``batch_size``, up to 67 million neurons.
        batch_size: images coded together.
        time_chunk: number of input steps coded at once; affects only memory, not the result.
        points: also compare rates with activations (``Snapshot.agreement``) and keep this many pairs per site.
        device: where to compute.
        progress: called with the number of image-steps done since the last call.

    Returns:
        A ``Snapshot`` for each T. It shares no memory with ``part`` or the simulation.

    Raises:
        ValueError: no step, a T outside 1 .. ``steps``, an empty part, images or labels that do not fit the network, a
            network that is not balanced, or a coder that does not fit it.
        FloatingPointError: NaN or infinity, checked at each T that is read out; names the site.
    """
    steps = whole("steps", steps)
    marks = sorted({*(whole("at", T) for T in at), steps})
    if marks[-1] > steps:
        raise ValueError(f"at must lie between 1 and steps = {steps}, got {marks[-1]}")
    _require_part(network, part)
    batch_size = whole("batch_size", batch_size)
    if torch.device(device).type == "cuda":
        batch_size *= _batches_at_once(network, batch_size)
    scale = scales(network)
    check_coder(network, coder)
    spike_by_spike = torch.device(device).type == "cpu" and events.usable(network)
    if network.training:
        raise ValueError("network must be in evaluation mode, got training mode")
    if time_chunk is None:  # about a million input values
        time_chunk = max(1, (1 << 20) // (min(batch_size, len(part.labels)) * math.prod(network.input_shape)))
    whole("time_chunk", time_chunk)
    generator = stream(seed, "evaluation", device=device)
    by_events = events.Simulation(network, signed=coder.signed) if spike_by_spike else None
    tallies = {T: _Tally(network, T, scale, points, seed) for T in marks}
    with torch.no_grad():
        for start in range(0, len(part.labels), batch_size):
            images = part.images[start : start + batch_size].to(device)
            labels = part.labels[start : start + batch_size]
            expected = None if points is None else _activations(network, coder, images)
            batch = _Batch(network, coder, images, generator, by_events)
            for T in marks:
                while batch.done < T:
                    chunk = min(time_chunk, T - batch.done)
                    batch.advance(chunk)
                    if progress is not None:
                        progress(chunk * len(images))
                batch.require_finite()
                tallies[T].add(batch.read(), batch.real, labels, expected)
    return {T: tally.snapshot() for T, tally in tallies.items()}


def _batches_at_once(network: Network, batch_size: int) -> int:
    """The number of batches that a GPU codes and updates together."""
    neurons = sum(math.prod(p.out_shape) for p in _spiking(network))
    return max(1, _TOGETHER_ON_GPU // (neurons * batch_size))


def classify(
    ann: Network,
    part: Labelled,
    coder: Coder,
    *,
    seed: int,
    batch_size: int = 50,
    device: str | torch.device = "cpu",
) -> Snapshot:
    """Classify images with an ANN, as a ``Snapshot`` like those of ``simulate``.

    Put the network in evaluation mode first. This is not checked; in training mode, batch normalisation would use and change
    the statistics of the batch.

    Args:
        ann: the network.
        part: uint8 images (N, C, H, W) and their labels.
        coder: gives real values.
        seed: as for ``simulate``.
        batch_size: images computed together.
        device: where to compute.

    Raises:
        ValueError: an empty part, or images and labels that do not fit the network.
        FloatingPointError: scores that are not finite.
    """
    _require_part(ann, part)
    whole("batch_size", batch_size)
    probe, scores = ActivityProbe(positions=True), []
    generator = stream(seed, "evaluation", device=device)
    with torch.no_grad():
        for images in part.images.split(batch_size):
            x, _ = coder(images.to(device), generator=generator)
            scores.append(ann(x, probe=probe).cpu())
    together = torch.cat(scores)
    _require_finite("scores", together)
    return Snapshot(None, together, part.labels.cpu().clone(), probe.result(), ann.plan)


def _require_part(network: Network, part: Labelled) -> None:
    images, labels, classes = part.images, part.labels, network.topology.classes
    if len(labels) == 0:
        raise ValueError("part must hold at least one image, got none")
    if tuple(images.shape) != (len(labels), *network.input_shape):
        raise ValueError(
            f"images must have shape {(len(labels), *network.input_shape)}, one for each label, got {tuple(images.shape)}"
        )
    low, high = (int(value) for value in labels.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(f"labels must lie between 0 and {classes - 1}, got labels from {low} to {high}")


def _require_finite(what: str, values: Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise FloatingPointError(f"{what} must be finite, got NaN or infinity")


class _Batch:
    """One batch of images during its simulation: membranes and spike counts, all updated in place."""

    def __init__(
        self,
        network: Network,
        coder: Coder,
        images: Tensor,
        generator: torch.Generator,
        by_events: events.Simulation | None,
    ) -> None:
        self.coder, self.images, self.generator = coder, images, generator
        self.done = 0
        self.real: dict[str, Tensor] = {}  # values that do not change over time: the image and ReLU layers
        stepper = Stepper(network)
        if network.plan[0].static:
            self.real["input"] = encode(coder, images, 1, generator)
            for p in network.plan[:-1]:
                if p.neuron == "relu":
                    self.real[p.site] = F.relu(stepper.current(p, self.real))
        if by_events is not None:
            constants = {p.site: stepper.current(p, self.real) for p in _spiking(network) if p.static}
            self.parts: list[tuple[slice, _Part | events.SimulationState]] = [
                (slice(None), by_events.start(len(images), constants))
            ]
            return
        size = _TOGETHER if images.device.type == "cpu" else len(images)
        slices = [slice(start, start + size) for start in range(0, len(images), size)]
        self.parts = [
            (rows, _Part(stepper, {site: x[rows] for site, x in self.real.items()})) for rows in slices
        ]

    def advance(self, steps: int) -> None:
        x = None if self.real else encode(self.coder, self.images, steps, self.generator)  # (T, N, C, H, W)
        for rows, part in self.parts:
            part.advance(None if x is None else x[:, rows], steps)
        self.done += steps

    def require_finite(self) -> None:
        """Raise ``FloatingPointError``, naming the site, if a potential is NaN or infinite. Such a potential never recovers."""
        for _, part in self.parts:
            for site, potential in part.potentials():
                _require_finite(f"potentials of {site} after {self.done} steps", potential)

    def read(self) -> dict[str, Tensor]:
        """Spikes counted so far, by site, (N, ...)."""
        counts = [part.counts() for _, part in self.parts]
        return {site: torch.cat([found[site] for found in counts]) for site in counts[0]}


def _spiking(network: Network) -> list[Pass]:
    sites = dict(network.sites())
    return [p for p in network.plan if p.site in sites]


class _Part:
    """Part of a batch's images, computed by dense operations."""

    def __init__(self, stepper: Stepper, real: dict[str, Tensor]) -> None:
        self.stepper = stepper
        neurons = dict(stepper.network.sites())
        self.passes = [(p, Neurons(neurons[p.site].threshold)) for p in _spiking(stepper.network)]
        self.values = dict(real)
        self.constant = {p.site: stepper.current(p, real) for p, _ in self.passes if p.static}
        self.fired: dict[str, Tensor] = {}

    def advance(self, x: Tensor | None, steps: int) -> None:
        for t in range(steps):
            self._step(None if x is None else x[t].contiguous(memory_format=torch.channels_last))

    def potentials(self) -> Iterator[tuple[str, Tensor]]:
        return ((p.site, neurons.membrane) for p, neurons in self.passes if neurons.membrane is not None)

    def counts(self) -> dict[str, Tensor]:
        return self.fired

    def _step(self, x: Tensor | None) -> None:
        if x is not None:
            self.values["input"] = x
            self._count("input", x.abs())
        for p, neurons in self.passes:
            current = self.constant[p.site] if p.static else self.stepper.current(p, self.values)
            self.values[p.site] = neurons(current)
            self._count(p.site, self.values[p.site])

    def _count(self, site: str, spikes: Tensor) -> None:
        if site in self.fired:
            self.fired[site].add_(spikes)  # float32 counts exactly up to 2^24
        else:
            self.fired[site] = spikes.clone()


def _activations(network: Network, coder: Coder, images: Tensor) -> dict[str, Tensor]:
    """The ANN's activations by site, (N, ...), for the expectation of the code as input."""
    generator = torch.Generator(device=images.device)  # nothing is drawn
    values = {"input": _real(coder)(images, generator=generator)[0]}
    for p, x in _relu(network, network.plan[:-1], values):
        values[p.site] = x
    return values


def _real(coder: Coder) -> Coder:
    return replace(coder, code="real", steps=None)  # type: ignore[type-var]


def _relu(
    network: Network, passes: tuple[Pass, ...], values: dict[str, Tensor]
) -> Iterator[tuple[Pass, Tensor]]:
    """The network with ReLU in every layer, pass by pass."""
    stepper, seen = Stepper(network), dict(values)
    for p in passes:
        seen[p.site] = F.relu(stepper.current(p, seen))
        yield p, seen[p.site]


class _Tally:
    """Sums over batches at one T, in float64."""

    def __init__(
        self, network: Network, steps: int, scale: Mapping[str, float], points: int | None, seed: int
    ) -> None:
        self.network, self.steps, self.scale = network, steps, scale
        self.stepper = Stepper(network)
        self.probe = ActivityProbe(positions=True)
        self.sums: dict[str, float] = {}
        self.maps: dict[str, Tensor] = {}
        self.neurons: dict[str, int] = {}
        self.scores: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.pairs = {site: _Pairs(points, seed) for site in scale} if points is not None else {}

    def add(
        self,
        counts: dict[str, Tensor],
        real: dict[str, Tensor],
        labels: Tensor,
        expected: dict[str, Tensor] | None,
    ) -> None:
        last = self.network.plan[-1]
        features = self.stepper.enter(last, counts).flatten(1) / self.steps
        scores = self.network.head(features).cpu()
        _require_finite(f"scores after {self.steps} steps", scores)
        self.scores.append(scores)
        self.labels.append(labels.cpu())
        for site, values in real.items():
            self.probe(site, values, timed=False)
        shown = dict(counts)
        for p in self.network.plan:
            if ":" in p.sources[0]:  # the spikes after channel matching
                shown[p.sources[0]] = self.stepper.matched(p, counts)
        for site, count in shown.items():
            self.sums[site] = self.sums.get(site, 0.0) + count.sum(dtype=torch.float64).item()
            self.neurons[site] = count[0].numel()
            if count.dim() == 4:
                grid = count.sum((0, 1), dtype=torch.float64)
                self.maps[site] = self.maps[site] + grid if site in self.maps else grid
        if expected is not None:
            for site in self.pairs:
                rate = counts[site] / self.steps
                right = self._take_over(site, rate, labels)
                self.pairs[site].add(expected[site] / self.scale[site], rate, right)

    def _take_over(self, site: str, rate: Tensor, labels: Tensor) -> int:
        """Number of images that the ANN classifies correctly if it continues from this site's rates."""
        plan = self.network.plan
        index = next(i for i, p in enumerate(plan) if p.site == site)
        values = {site: rate * self.scale[site]}
        for p, x in _relu(self.network, plan[index + 1 : -1], values):
            values[p.site] = x
        assert isinstance(self.network.head, BalancedHead)
        scores = self.network.head.head(self.stepper.enter(plan[-1], values).flatten(1))
        return int((scores.argmax(1).cpu() == labels.cpu()).sum())

    def snapshot(self) -> Snapshot:
        labels = torch.cat(self.labels)
        steps = len(labels) * self.steps
        sites = self.probe.result()
        for site, total in self.sums.items():
            grid = self.maps.get(site)
            positions = None if grid is None else tuple(tuple(row) for row in (grid / steps).tolist())
            rate = total / (steps * self.neurons[site])
            sites[site] = SiteActivity("spikes", rate, rate, positions)
        agreement = {site: pairs.result(len(labels)) for site, pairs in self.pairs.items()}
        return Snapshot(self.steps, torch.cat(self.scores), labels, sites, self.network.plan, agreement)


class _Pairs:
    """Sums over pairs of expected and measured rates."""

    def __init__(self, points: int | None, seed: int) -> None:
        self.count, self.wanted, self.seed = 0, whole("points", points, least=0), seed
        self.sums = torch.zeros(7, dtype=torch.float64)
        self.correct = 0
        self.points = torch.zeros(0, 2)

    def add(self, expected: Tensor, rate: Tensor, correct: int) -> None:
        a, b = expected.double(), rate.double()
        self.sums += torch.stack(
            [
                a.sum(),
                b.sum(),
                (a * a).sum(),
                (b * b).sum(),
                (a * b).sum(),
                (b - a).abs().sum(),
                (a > 1).sum(),
            ]
        ).cpu()
        if self.count == 0 and self.wanted:
            index = torch.randint(a.numel(), (self.wanted,), generator=stream(self.seed, "points"))
            pairs = [x.flatten()[index.to(x.device)] for x in (expected, rate)]
            self.points = torch.stack(pairs, 1).float().cpu()
        self.count += a.numel()
        self.correct += correct

    def result(self, total: int) -> Agreement:
        a, b, aa, bb, ab, difference, above = (value.item() / self.count for value in self.sums)
        spread = math.sqrt(max(aa - a * a, 0.0) * max(bb - b * b, 0.0))
        correlation = (ab - a * b) / spread if spread > 0 else None
        error, bias = (difference / a, (b - a) / a) if a > 0 else (None, None)
        return Agreement(correlation, error, bias, above, self.correct, total, self.points)
