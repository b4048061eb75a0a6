"""A stack of convolutions trained with STDP, one layer after the other, and the features it gives (sections 4.3 and 8.1).

``stdp`` holds the rule; here are the presentation of mini-batches, the adaptation of thresholds, and what watches it.
Adaptation is a feedback loop, so it has stops: a target out of reach is refused, every threshold has bounds, and a layer
that is lost there ends the training (``train_layerwise``).
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
from .stdp import THRESHOLD_RANGE, StdpConfig, advance_trace, compete, weight_change
from .topology import SPIKING, Pass, Topology, plan


@dataclass(frozen=True)
class Trained:
    """The spiking convolutions of a network and how they came about; all that features need.

    passes: the convolution passes, in order; reader: the pass behind them, which reads the features.
    weights: kernels per layer, (M, C, k, k); initial: the same before training.
    thresholds: per site, (M,).
    history: one ``Presentation`` per mini-batch and layer; alarms: what went wrong on the way.
    snapshots: per layer, images seen -> kernels at that moment.
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
        """Weight updates ``layer`` has received."""
        return sum(p.updates for p in self.history if p.layer == layer)


@dataclass(frozen=True)
class Presentation:
    """What happened to one layer during one mini-batch.

    learning: False while thresholds settle. seen: images the layer has learnt from so far; updates: weight updates, at
    most T per pass. rate, peak: spikes per neuron and step, all maps and the most active map, per site; silent: share
    of maps that did not fire; threshold: mean per site; trace: mean pre-synaptic trace at the last step, per site.
    change: mean absolute weight change; at_low, at_high: share of weights at a bound. stuck: share of thresholds that
    adaptation has brought to a bound, per site.
    """

    layer: str
    learning: bool
    seen: int
    updates: int
    rate: Mapping[str, float]
    peak: Mapping[str, float]
    silent: Mapping[str, float]
    threshold: Mapping[str, float]
    trace: Mapping[str, float]
    change: float
    at_low: float
    at_high: float
    stuck: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Alarm:
    """A layer that went silent, saturated, missed its target, lost maps, or ran to one bound of its weights."""

    layer: str
    site: str
    kind: str  # "silent" | "saturated" | "off target" | "maps" | "weights"
    value: float  # spikes per neuron and step, share of maps that are silent, or of weights at the bound
    seen: int

    def __str__(self) -> str:
        what = {
            "silent": f"is silent: {self.value:.2g} spikes per neuron and step",
            "saturated": f"saturates: {self.value:.2g} spikes per neuron and step",
            "off target": f"is off its target by more than a factor of 2: {self.value:.2g} spikes per neuron and step",
            "maps": f"has {self.value:.0%} of its maps silent",
            "weights": f"has {self.value:.0%} of its weights at one bound",
        }[self.kind]
        return f"layer {self.layer} ({self.site}) {what} after {self.seen} images"


class StdpWarning(UserWarning):
    """A layer goes silent, saturates, misses its target, or loses its contrast while it is trained."""


class StdpError(ValueError):
    """A layer that cannot be trained as it was asked for, with its name and the mini-batch."""


def spiking_convolutions(passes: Sequence[Pass]) -> tuple[tuple[Pass, ...], Pass]:
    """Split a plan into its leading convolution passes, which STDP trains, and the pass that reads them.

    Raises ``ValueError`` where there is no spiking convolution, where a convolution with other neurons stands among
    them, and where a BackRes block has several layers or matches channels.
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
    """Potentials, traces and outputs of the passes during one presentation; a new one for every mini-batch."""

    def __init__(
        self, config: StdpConfig, weights: Mapping[str, Tensor], thresholds: Mapping[str, Tensor]
    ) -> None:
        self.weights, self.thresholds = weights, thresholds
        self.neuron = replace(config.neuron, threshold=1.0)  # potentials in units of the threshold
        self.pool_threshold = config.pool_threshold
        self.states: dict[str, NeuronState] = {}

    def read(self, p: Pass, values: Mapping[str, Tensor]) -> Tensor:
        """What pass ``p`` reads: its sources' spikes added up, and pooled to spikes where it pools; (T, N, C, H, W)."""
        total = values[p.sources[0]]
        for source in p.sources[1:]:
            total = total + values[source]
        if p.pool == 1:
            return total
        pooled = F.avg_pool2d(total.flatten(0, 1), p.pool).unflatten(0, total.shape[:2])
        return self._fire(f"pool of {p.site}", pooled, IF(threshold=self.pool_threshold))

    def spikes(self, p: Pass, pre: Tensor, *, keep: Tensor | None = None) -> Tensor:
        """Spikes (T, N, M, H, W) of pass ``p`` that reads ``pre`` (T, N, C, H, W); ``keep`` (N, M, 1, 1) mutes maps."""
        weight = self.weights[p.layer] / self.thresholds[p.site].view(-1, 1, 1, 1)
        current = F.conv2d(
            pre.flatten(0, 1), weight.contiguous(memory_format=torch.channels_last), padding="same"
        )
        if keep is not None:
            current.mul_(keep.repeat(len(pre), 1, 1, 1))
        neuron = replace(self.neuron, alpha=1.0) if p.neuron == "if" else self.neuron
        return self._fire(p.site, current.unflatten(0, pre.shape[:2]), neuron)

    def compete(self, p: Pass, spikes: Tensor, kind: str) -> tuple[Tensor, Tensor]:
        """Spikes that go on and spikes that learn, (N, M, H, W), of the time step that ``spikes`` has just made."""
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
        trained: the stack; nothing in it is changed.
        layer: name of the layer that learns.
        spikes: counts per step, (T, N, C, H, W).
        keep: per site of the layer, (N, M, 1, 1) of 0 and 1: maps that dropout leaves, held over all T steps.

    Returns:
        The layer's new weights (M, C, k, k), its sites' new thresholds (M,), and what happened. The result does not depend
        on the order of the images (up to floating-point summation).

    Raises:
        ValueError: an empty batch, negative or non-finite spikes, weights or thresholds, or an unknown layer.
        StdpError: weights or potentials that became NaN or infinite on the way.
    """
    config = trained.config
    one_of("layer", layer, tuple(trained.weights))
    if spikes.dim() != 5 or spikes.shape[0] < 1 or spikes.shape[1] < 1:
        raise ValueError(
            f"spikes must be (T, N, C, H, W) with at least one step and image, got {tuple(spikes.shape)}"
        )
    fewest, most = (float(v) for v in spikes.aminmax())
    if not 0 <= fewest <= most < math.inf:  # NaN too
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
    # a potential or weight that has become NaN stays so, and no neuron fires on it: looking once, at the end, is enough
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


def _adapt(threshold: Tensor, rate: Tensor, config: StdpConfig) -> Tensor:
    """New thresholds (M,) after a presentation in which the maps fired at ``rate`` (M,)."""
    if config.adapt == "layer":
        rate = rate.max().expand_as(rate)
    adapted = threshold * (rate / config.target).clamp(0.5, 2.0) ** config.adaptation
    return adapted.clamp(*_bounds(config))


def _bounds(config: StdpConfig) -> tuple[float, float]:
    """Between which thresholds adapt."""
    return config.neuron.threshold / THRESHOLD_RANGE, config.neuron.threshold * THRESHOLD_RANGE


def _stuck(threshold: Tensor, config: StdpConfig) -> float:
    """Share of the maps whose threshold (M,) is at a bound of its adaptation."""
    low, high = _bounds(config)
    return float(((threshold <= low * 1.001) | (threshold >= high * 0.999)).float().mean())


def _require_reachable(p: Pass, images: Tensor, config: StdpConfig) -> None:
    """Refuse a target that pass ``p`` cannot meet on ``images``: adaptation would lower its thresholds without end.

    A neuron can fire only where a pixel above 0 lies in its field, which is looked at where the pass reads the input.
    """
    if config.adaptation == 0:  # nothing aims at the target
        return
    maps, reach = p.out_shape[0], 1.0
    if p.sources == ("input",):
        lit = (images.amax(1, keepdim=True) > 0).to(images.dtype)  # (N, 1, H, W)
        if p.pool > 1:
            lit = F.max_pool2d(lit, p.pool)
        reach = float(F.max_pool2d(lit, p.kernel, stride=1, padding=p.kernel // 2).mean())
    room = reach * min(config.largest_rate(maps), config.largest_rate(maps, learning=False))
    if config.target > room:
        why = [f"{maps} maps inhibit each other"] * (
            config.competition == "inhibit" and config.adapt == "map"
        )
        why += [f"a neuron rests for {config.neuron.refractory} steps"] * (config.neuron.refractory > 0)
        why += [f"dropout is {config.dropout:g}"] * (config.dropout > 0)
        why += [f"{1 - reach:.0%} of its neurons see no pixel above 0"] * (reach < 1)
        raise StdpError(
            f"target must be at most {room:.3g} for layer {p.layer}, better half of it"
            f"{', as ' if why else ''}{' and '.join(why)}, got {config.target:g}"
        )


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
        config: rule, competition and presentation; None takes the defaults.
        generator: draws the seeds of four streams (weights, order of images, input spikes, dropout).
        snapshots: numbers of images seen at which to keep a copy of the kernels.
        stop_after: leave the first layer after this many images, and the others untrained (to verify a run by its start).
        progress: called after every mini-batch.

    Returns:
        The ``Trained`` stack. A site that for a few mini-batches in a row is silent, saturated, or off its target by a
        factor of 2, whose weights are all at one bound, or that ends with silent maps or off its target, is reported as an
        ``StdpWarning`` and kept in ``alarms``; training goes on, as thresholds may still find their place.

    Raises:
        ValueError: images that are empty, negative or above 1, or a topology without a spiking convolution.
        StdpError: a target that a layer cannot meet, before anything is trained; a layer that is dead or runs away: half of
            its thresholds have come to the bounds of their adaptation and stay there.
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
                warnings.warn(str(alarm), StdpWarning, stacklevel=3)  # past the decorator
                alarms.append(alarm)
            if progress is not None:
                progress(happened)
            if stop_after is not None and seen >= stop_after:
                return replace(trained, history=tuple(history), alarms=tuple(alarms), snapshots=kept)
    return replace(trained, history=tuple(history), alarms=tuple(alarms), snapshots=kept)


def _schedule(
    images: int, config: StdpConfig, generator: torch.Generator, device: torch.device
) -> Iterator[tuple[bool, Tensor]]:
    """Mini-batches (whether the layer learns, indices of images): all epochs, then those that settle thresholds."""
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
    """A stream of its own, seeded by ``generator``, on the device of the images."""
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return torch.Generator(device=device).manual_seed(int(seed))


def _mask(images: int, maps: int, config: StdpConfig, generator: torch.Generator, like: Tensor) -> Tensor:
    draw = torch.rand((images, maps, 1, 1), generator=generator, device=like.device)
    return (draw >= config.dropout).to(like.dtype)


class _Watch:
    """Reports what has been wrong at a site for some mini-batches in a row, once until it recovers; stops a lost layer.

    The patience of each kind is what adaptation needs to find a threshold: silence and saturation show early, the way to
    the target is longer. At the layer's end there is nothing to wait for.
    """

    PATIENCE: Mapping[str, int] = {"silent": 5, "saturated": 5, "weights": 5, "stuck": 5, "off target": 15}

    def __init__(self, layer: str, config: StdpConfig) -> None:
        self.layer, self.config = layer, config
        self.streak: dict[tuple[str, str], int] = {}
        self.number = 0

    def alarms(self, happened: Presentation, *, last: bool) -> list[Alarm]:
        """What to report of a mini-batch. Raises ``StdpError`` for a layer whose thresholds are stuck."""
        self.number += 1
        alarms = []
        for site, kind, value, wrong in self._found(happened):
            streak = self.streak.get((site, kind), 0) + 1 if wrong else 0
            self.streak[site, kind] = streak
            patience = self.PATIENCE[kind]
            if kind == "stuck" and streak >= patience:
                raise StdpError(
                    f"layer {self.layer} ({site}) cannot be brought to target {self.config.target:g}: {value:.0%} of its "
                    f"thresholds stand at the bounds of their adaptation in mini-batch {self.number}, at "
                    f"{happened.rate[site]:.2g} spikes per neuron and step"
                )
            if kind != "stuck" and (
                streak == patience or (kind == "off target" and last and 0 < streak < patience)
            ):
                alarms.append(Alarm(self.layer, site, kind, value, happened.seen))
        if last:
            alarms += [
                Alarm(self.layer, site, "maps", share, happened.seen)
                for site, share in happened.silent.items()
                if 0 < share < 1
            ]
        return alarms

    def _found(self, happened: Presentation) -> list[tuple[str, str, float, bool]]:
        """(site, kind, value, whether that is wrong) of one mini-batch."""
        target = self.config.target
        found = []
        for site, rate in happened.rate.items():
            silent, saturated = happened.peak[site] < 0.01 * target, rate > (1 + target) / 2
            aimed = happened.peak[site] if self.config.adapt == "layer" else rate
            off = self.config.adaptation > 0 and not target / 2 <= aimed <= target * 2
            found.append((site, "silent", rate, silent))
            found.append((site, "saturated", rate, saturated))
            found.append((site, "off target", aimed, off and not silent and not saturated))
            found.append((site, "stuck", happened.stuck[site], happened.stuck[site] >= 0.5))
        bound = max(happened.at_low, happened.at_high)
        found.append((next(iter(happened.rate)), "weights", bound, bound > 0.95))
        return found


@torch.no_grad()
def features(
    trained: Trained,
    images: Tensor,
    *,
    generator: torch.Generator,
    batch: int = 25,
    probe: Callable[..., None] | None = None,
) -> Tensor:
    """Spikes of the trained stack, pooled to spikes again and low-pass filtered over time: (N, C, H, W).

    The reader's sources are added up, average pooled as the topology says, and drive IF neurons. With the filter's
    time constant ``config.low_pass`` = tau the feature is sum_t exp(-(T-1-t)/tau) S[t], divided by the same sum over
    a spike at every step; None gives the mean over T. Without pooling the residual sum itself is filtered.

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
    by_events = stdp_events.Stack(trained, tuple(images.shape[1:])) if stdp_events.usable(trained) else None
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
    if images.dim() != 4 or images.numel() == 0:
        raise ValueError(
            f"images must be (N, C, H, W) with at least one image, got shape {tuple(images.shape)}"
        )
    darkest, brightest = (float(v) for v in images.aminmax())
    if darkest < 0:
        raise ValueError(f"images must not be negative, a rate of spikes cannot be: got {darkest}")
    if not brightest <= 1:  # NaN too
        raise ValueError(f"images must lie between 0 and 1, got values up to {brightest}")
