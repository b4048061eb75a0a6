"""Train a stack of convolutions with STDP, one layer after the other, and compute its features (sections 4.3 and 8.1).

``stdp`` holds the rule, ``stdp_adaptation`` the adaptation of thresholds and its safeguards. This module presents the
mini-batches.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from . import stdp_events
from ._check import one_of, whole
from .coding import _require_floating, poisson
from .neurons import IF, LIF, NeuronState, fire
from .stdp import StdpConfig, advance_trace, compete, weight_change
from .stdp_adaptation import (
    Alarm,
    Presentation,
    StdpError,
    StdpWarning,
    _adapt,
    _require_reachable,
    _stuck,
    _Watch,
)
from .topology import SPIKING, Pass, Topology, plan


@dataclass(frozen=True)
class Trained:
    """The spiking convolutions of a trained network, with everything that features need, and their training history.

    Attributes:
        passes: the convolution passes, in order.
        reader: the pass after them, which reads the features.
        weights: kernels by layer, (M, C, k, k).
        initial: kernels before training.
        thresholds: by site, (M,).
        history: one ``Presentation`` per mini-batch and layer.
        alarms: problems during training.
        snapshots: by layer, images seen -> kernels at that time.
    """

    config: StdpConfig
    passes: tuple[Pass, ...]
    reader: Pass
    weights: Mapping[str, Tensor]
    initial: Mapping[str, Tensor]
    thresholds: Mapping[str, Tensor]
    history: tuple[Presentation, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    snapshots: Mapping[str, Mapping[int, Tensor]] = field(default_factory=dict)

    def updates(self, layer: str) -> int:
        """Number of weight updates of ``layer``."""
        return sum(p.updates for p in self.history if p.layer == layer)


def spiking_convolutions(passes: Sequence[Pass]) -> tuple[tuple[Pass, ...], Pass]:
    """Split a plan into its leading convolution passes, which STDP trains, and the pass that reads them.

    Args:
        passes: the plan.

    Raises:
        ValueError: no spiking convolution, a convolution with other neurons among them, or a BackRes block with several
            layers or channel matching.
    """
    stack = []
    for p in passes:
        if p.kind != "conv":
            break
        stack.append(p)
    if not any(p.neuron in SPIKING for p in stack):
        raise ValueError("topology must have a spiking convolution for STDP to train, got none")
    for p in stack:
        if p.neuron not in SPIKING:
            raise ValueError(
                f"topology must have spiking convolutions only, got {p.layer} with neuron {p.neuron!r}"
            )
        if any(":" in source for source in p.sources):
            raise ValueError(
                f"topology must not match channels between passes for STDP, got {p.site} in a block that does"
            )
    order = [p.layer for p in stack]
    for at, layer in enumerate(order[1:], 1):
        if layer in order[: at - 1] and order[at - 1] != layer:
            raise ValueError(
                f"topology must not repeat several layers in one BackRes block, got {' '.join(order)}"
            )
    return tuple(stack), passes[len(stack)]


class _Stack:
    """Potentials, traces and outputs of the passes during one presentation; every mini-batch has a new one."""

    def __init__(
        self, config: StdpConfig, weights: Mapping[str, Tensor], thresholds: Mapping[str, Tensor]
    ) -> None:
        self.weights, self.thresholds = weights, thresholds
        self.neuron = replace(config.neuron, threshold=1.0)  # potentials in units of the threshold
        self.pool_threshold = config.pool_threshold
        self.states: dict[str, NeuronState] = {}

    def read(self, p: Pass, values: Mapping[str, Tensor]) -> Tensor:
        """The input of pass ``p``, (T, N, C, H, W): the sum of its sources' spikes, pooled to spikes if the pass pools."""
        total = values[p.sources[0]]
        for source in p.sources[1:]:
            total = total + values[source]
        if p.pool == 1:
            return total
        pooled = F.avg_pool2d(total.flatten(0, 1), p.pool).unflatten(0, total.shape[:2])
        return self._fire(f"pool of {p.site}", pooled, IF(threshold=self.pool_threshold))

    def spikes(self, p: Pass, pre: Tensor, *, keep: Tensor | None = None) -> Tensor:
        """Spikes (T, N, M, H, W) of pass ``p`` with input ``pre`` (T, N, C, H, W); ``keep`` (N, M, 1, 1) silences maps."""
        weight = self.weights[p.layer] / self.thresholds[p.site].view(-1, 1, 1, 1)
        current = F.conv2d(
            pre.flatten(0, 1), weight.contiguous(memory_format=torch.channels_last), padding="same"
        )
        if keep is not None:
            current.mul_(keep.repeat(len(pre), 1, 1, 1))
        neuron = replace(self.neuron, alpha=1.0) if p.neuron == "if" else self.neuron
        return self._fire(p.site, current.unflatten(0, pre.shape[:2]), neuron)

    def compete(self, p: Pass, spikes: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """The spikes sent on and the spikes that learn, (N, M, H, W), of the time step that ``spikes`` has just computed."""
        if kind == "none":
            return spikes, spikes
        state = self.states[p.site]
        onward, learning, membrane = compete(spikes, state.membrane, kind)
        held = state.held if state.held is None else state.held.masked_fill(spikes > onward, 0)
        self.states[p.site] = NeuronState(membrane, onward, held)
        return onward, learning

    def _fire(self, key: str, current: Tensor, neuron: LIF) -> Tensor:
        spikes, self.states[key] = fire(current, neuron, state=self.states.get(key))
        return spikes


def present(
    trained: Trained, layer: str, spikes: Tensor, *, keep: Mapping[str, Tensor] | None = None
) -> tuple[Tensor, dict[str, Tensor], Presentation]:
    """Present one mini-batch of input spikes (T, N, C, H, W) to the stack and train ``layer`` on it.

    Args:
        trained: the stack; it is not changed.
        layer: name of the layer that learns.
        spikes: counts per step, (T, N, C, H, W).
        keep: for each site of the layer, (N, M, 1, 1) of 0 and 1: maps that dropout keeps, the same for all T steps.

    Returns:
        The layer's new weights (M, C, k, k), its sites' new thresholds (M,), and statistics. The result does not depend
        on the order of the images (up to floating-point summation).

    Raises:
        ValueError: an empty batch, negative or non-finite spikes, weights or thresholds, or an unknown layer.
        StdpError: weights or potentials that became NaN or infinite.
    """
    config = trained.config
    one_of("layer", layer, tuple(trained.weights))
    if spikes.dim() != 5 or spikes.shape[0] < 1 or spikes.shape[1] < 1:
        raise ValueError(
            f"spikes must be (T, N, C, H, W) with at least one step and image, got {tuple(spikes.shape)}"
        )
    fewest, most = (float(v) for v in spikes.aminmax())
    if not 0 <= fewest <= most < math.inf:  # also refuses NaN
        raise ValueError(f"spikes must be counts of at least 0, got values from {fewest} to {most}")
    _require_finite(trained)
    mine = [p for p in trained.passes if p.layer == layer]
    below = trained.passes[: trained.passes.index(mine[0])]
    before = trained.weights[layer]
    weight = before.clone()
    stack = _Stack(
        config, {**trained.weights, layer: weight}, trained.thresholds
    )  # `weight` changes in place
    total = torch.zeros_like(weight)
    counts = {p.site: weight.new_zeros(weight.shape[0]) for p in mine}
    traces: dict[str, Tensor] = {}
    updates = 0
    for t in range(len(spikes)):
        values = {"input": spikes[t : t + 1]}
        for p in below:
            values[p.site] = stack.spikes(p, stack.read(p, values))
        for p in mine:
            pre = stack.read(p, values)
            fired = stack.spikes(p, pre, keep=None if keep is None else keep[p.site])
            onward, learning = stack.compete(p, fired[0], config.competition)
            values[p.site] = onward.unsqueeze(0)
            trace = traces.setdefault(p.site, torch.zeros_like(pre[0]))
            advance_trace(trace, pre[0], tau=config.tau, kind=config.trace)
            now = onward.sum((0, 2, 3))
            counts[p.site] += now
            if not bool(now.any()):
                continue
            updates += 1
            if config.eta == 0:
                continue
            change = weight_change(trace, learning, weight, config)
            if config.update == "step":
                weight.add_(change).clamp_(config.low, config.high)
            else:
                total += change
    if config.update == "presentation":
        weight.add_(total).clamp_(config.low, config.high)
    # a potential or weight that is NaN stays NaN and causes no spike, so one check at the end is enough
    found = {layer: weight} | {site: state.membrane for site, state in stack.states.items()}
    for site, tensor in found.items():
        if not bool(tensor.isfinite().all()):
            what = "weights" if site == layer else "potentials"
            raise StdpError(
                f"layer {layer} must have finite numbers, got NaN or infinity in the {what} of {site}"
            )
    size = len(spikes) * spikes.shape[1]
    rates = {p.site: counts[p.site] / (size * p.out_shape[1] * p.out_shape[2]) for p in mine}
    thresholds = {site: _adapt(trained.thresholds[site], rate, config) for site, rate in rates.items()}
    happened = Presentation(
        layer=layer,
        learning=True,
        seen=spikes.shape[1],
        updates=updates if config.eta > 0 else 0,
        rate={site: float(rate.mean()) for site, rate in rates.items()},
        peak={site: float(rate.max()) for site, rate in rates.items()},
        silent={site: float((rate == 0).float().mean()) for site, rate in rates.items()},
        threshold={p.site: float(trained.thresholds[p.site].mean()) for p in mine},
        trace={site: float(trace.mean()) for site, trace in traces.items()},
        change=float((weight - before).abs().mean()),
        at_low=float((weight <= config.low).float().mean()),
        at_high=float((weight >= config.high).float().mean()),
        stuck={site: _stuck(values, config) for site, values in thresholds.items()},
    )
    return weight, thresholds, happened


@torch.no_grad()
def train_layerwise(
    topology: str | Topology,
    images: Tensor,
    config: StdpConfig | None = None,
    *,
    generator: torch.Generator,
    snapshots: Sequence[int] = (),
    stop_after: int | None = None,
    progress: Callable[[Presentation], None] | None = None,
) -> Trained:
    """Train the spiking convolutions of ``topology`` with STDP, one layer after the other.

    Args:
        topology: the network; its leading convolutions are trained.
        images: (N, C, H, W), floating point in [0, 1], no labels; each layer sees all of them ``config.epochs`` times.
        config: rule, competition and presentation; None uses the defaults.
        generator: draws the seeds of four streams (weights, order of images, input spikes, dropout).
        snapshots: numbers of images seen at which to keep a copy of the kernels.
        stop_after: stop training the first layer after this many images and leave the others untrained (to verify a run by
            its start).
        progress: called after every mini-batch.

    Returns:
        The ``Trained`` stack. Problems are reported as ``StdpWarning`` and kept in ``alarms``: a site that is silent,
        saturated, or off its target by a factor of 2 for several mini-batches, whose weights are all at one bound, or that
        ends with silent maps or off its target. Training continues, because thresholds may still recover.

    Raises:
        ValueError: images that are empty, negative or above 1, or a topology without a spiking convolution.
        StdpError: a target that a layer cannot reach (before any training), or a layer that is dead or diverges: half of
            its thresholds stay at the bounds of their adaptation.
    """
    config = StdpConfig() if config is None else config
    _require_images(images)
    for at in snapshots:
        whole("snapshots", at, least=0)
    if stop_after is not None:
        whole("stop_after", stop_after)
    passes, reader = spiking_convolutions(plan(topology, tuple(images.shape[1:])))
    for p in passes:
        _require_reachable(p, images, config)
    weights_from, order_from, spikes_from, dropout_from = (_child(generator, images.device) for _ in range(4))
    trained = _untrained(passes, reader, config, weights_from, images)
    history: list[Presentation] = []
    alarms: list[Alarm] = []
    kept: dict[str, dict[int, Tensor]] = {}
    for layer in trained.weights:
        mine = [p for p in passes if p.layer == layer]
        seen, watch = 0, _Watch(layer, config)
        kept[layer] = {0: trained.weights[layer].clone()} if 0 in snapshots else {}
        batches = list(_schedule(len(images), config, order_from, images.device))
        for number, (learning, chosen) in enumerate(batches, 1):
            spikes = poisson(images[chosen] * config.input_rate, config.steps, generator=spikes_from)
            spikes = (
                spikes.flatten(0, 1)
                .contiguous(memory_format=torch.channels_last)
                .unflatten(0, spikes.shape[:2])
            )
            keep = None
            if config.dropout and learning:
                keep = {
                    p.site: _mask(len(chosen), p.out_shape[0], config, dropout_from, spikes) for p in mine
                }
            setting = config if learning else replace(config, eta=0.0, competition="none")
            try:
                weight, thresholds, happened = present(
                    replace(trained, config=setting), layer, spikes, keep=keep
                )
            except FloatingPointError as error:  # of the neurons
                raise StdpError(
                    f"layer {layer} must have finite currents in mini-batch {number}: {error}"
                ) from error
            earlier, seen = seen, seen + len(chosen) * learning
            happened = replace(happened, seen=seen, learning=learning)
            trained = replace(
                trained,
                weights={**trained.weights, layer: weight},
                thresholds={**trained.thresholds, **thresholds},
            )
            history.append(happened)
            kept[layer].update({at: weight.clone() for at in snapshots if earlier < at <= seen})
            for alarm in watch.alarms(happened, last=number == len(batches)):
                warnings.warn(str(alarm), StdpWarning, stacklevel=3)  # skips the decorator
                alarms.append(alarm)
            if progress is not None:
                progress(happened)
            if stop_after is not None and seen >= stop_after:
                return replace(trained, history=tuple(history), alarms=tuple(alarms), snapshots=kept)
    return replace(trained, history=tuple(history), alarms=tuple(alarms), snapshots=kept)


def _schedule(
    images: int, config: StdpConfig, generator: torch.Generator, device: torch.device
) -> Iterator[tuple[bool, Tensor]]:
    """Mini-batches (whether the layer learns, indices of images): all epochs, then the mini-batches that settle thresholds."""
    for _ in range(config.epochs):
        for chosen in torch.randperm(images, generator=generator, device=device).split(config.batch):
            yield True, chosen
    for _ in range(config.settle):
        yield False, torch.randint(images, (config.batch,), generator=generator, device=device)


def _untrained(
    passes: tuple[Pass, ...], reader: Pass, config: StdpConfig, generator: torch.Generator, images: Tensor
) -> Trained:
    weights: dict[str, Tensor] = {}
    low, high = config.start
    for p in passes:
        if p.layer not in weights:
            shape = (p.out_shape[0], p.in_shape[0], p.kernel, p.kernel)
            drawn = torch.rand(shape, generator=generator, device=images.device, dtype=images.dtype)
            weights[p.layer] = drawn.mul_(high - low).add_(low)
    thresholds = {p.site: images.new_full((p.out_shape[0],), config.neuron.threshold) for p in passes}
    initial = {layer: weight.clone() for layer, weight in weights.items()}
    return Trained(config, passes, reader, weights, initial, thresholds)


def _child(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A separate stream, seeded by ``generator``, on the device of the images."""
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return torch.Generator(device=device).manual_seed(int(seed))


def _mask(images: int, maps: int, config: StdpConfig, generator: torch.Generator, like: Tensor) -> Tensor:
    draw = torch.rand((images, maps, 1, 1), generator=generator, device=like.device)
    return (draw >= config.dropout).to(like.dtype)


@torch.no_grad()
def features(
    trained: Trained,
    images: Tensor,
    *,
    generator: torch.Generator,
    batch: int = 25,
    probe: Callable[..., None] | None = None,
) -> Tensor:
    """Features of the trained stack: spikes, pooled to spikes again and low-pass filtered over time.

    The reader's sources are added, average pooled as the topology says, and drive IF neurons. With the filter's
    time constant ``config.low_pass`` = tau the feature is sum_t exp(-(T-1-t)/tau) S[t], divided by the same sum for
    a spike at every step. None gives the mean over T. Without pooling the residual sum itself is filtered.

    Args:
        trained: the stack.
        images: (N, C, H, W) in [0, 1], presented as in training, but without competition, dropout and learning.
        generator: draws the input spikes.
        batch: images presented together.
        probe: called as ``probe(site, spikes, timed=True)`` with one step (1, N, ...) at a time, "input" first.

    Returns:
        Features (N, C, H, W) of the reader's input, in spikes per step.

    Raises:
        ValueError: an empty batch, images outside [0, 1], or a stack with NaN or infinity.
    """
    _require_images(images)
    _require_finite(trained)
    config = trained.config
    decay = 1.0 if config.low_pass is None else math.exp(-1.0 / config.low_pass)
    gain = sum(decay**t for t in range(config.steps))
    out = []
    by_events = stdp_events.Stack(trained, tuple(images.shape[1:])) if stdp_events.fits(trained) else None
    for part in images.split(whole("batch", batch)):
        if by_events is not None:
            spikes = poisson(part * config.input_rate, config.steps, generator=generator)
            out.append(by_events.features(spikes, decay, probe) / gain)
            continue
        stack = _Stack(config, trained.weights, trained.thresholds)
        filtered: Tensor | None = None
        for _ in range(config.steps):
            values = {"input": poisson(part * config.input_rate, 1, generator=generator)}
            for p in trained.passes:
                values[p.site] = stack.spikes(p, stack.read(p, values))
            if probe is not None:
                for site, value in values.items():
                    probe(site, value, timed=True)
            read = stack.read(trained.reader, values)[0]
            filtered = read.clone() if filtered is None else filtered.mul_(decay).add_(read)
        assert filtered is not None
        out.append(filtered / gain)
    return torch.cat(out)


def _require_finite(trained: Trained) -> None:
    for kind, tensors in (("weights", trained.weights), ("thresholds", trained.thresholds)):
        for name, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"{kind} must be finite, got NaN or infinity at {name}")


def _require_images(images: Tensor) -> None:
    _require_floating("images", images)
    if images.dtype not in (
        torch.float32,
        torch.float64,
    ):  # in which small weight changes would round to nothing
        raise ValueError(f"images must be float32 or float64 to learn from, got {images.dtype}")
    if images.dim() != 4 or images.numel() == 0:
        raise ValueError(
            f"images must be (N, C, H, W) with at least one image, got shape {tuple(images.shape)}"
        )
    darkest, brightest = (float(v) for v in images.aminmax())
    if darkest < 0:
        raise ValueError(f"images must not be negative, because they are spike rates, got {darkest}")
    if not brightest <= 1:  # also refuses NaN
        raise ValueError(f"images must lie between 0 and 1, got values up to {brightest}")
