r"""Layer-wise, mini-batch, convolutional STDP (paper: Eq. 5, sections 3.2.3, 4.3 and 8.1).

A post-synaptic spike at time ``t_post`` changes the weight from a pre-synaptic neuron that fired at ``t_pre`` by ::

    dw = eta (exp((t_pre - t_post) / tau) - offset)                                               (Eq. 5)

The exponential is kept as a trace per pre-synaptic neuron: set to 1 by a spike ("last"; the form of Eq. 5, which looks
at the last spike) or raised by 1 ("additive"; the sum over all earlier spikes), times exp(-1/tau) per step. A spike
of the same step counts, with t_pre = t_post. A residual sum of 0, 1, 2 ... is that many spikes at once. Then the update
of a shared kernel, for spikes ``S`` at the positions ``q`` of image ``i`` and kernel position ``r``, is ::

    dw[m, c, r] = eta/norm * sum_i sum_q S[i, m, q] (trace[i, c, q + r] - offset)

which is the weight gradient of a convolution with input ``trace - offset`` and output gradient ``S``. Zero padding is
exact: a pixel outside the image is no neuron and takes part in no pair.

One layer is trained at a time, on the spikes of the layers below, which stay as they were trained. A layer with n
BackRes passes updates its weights in every one of them (k x n updates, section 4.3): the output of pass 1 is the
pre-synaptic activity of pass 2. What the paper names without a formula (uniform threshold adaptation, dropout,
averaging) is chosen here; ``StdpConfig`` says how.

Thresholds work through the weights: a neuron with threshold theta and weights w fires as one with threshold 1 and
weights w/theta, so ``neurons.fire`` does all the firing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

from ._check import between, one_of, positive, whole
from .coding import poisson
from .network import SPIKING, Pass, Topology, plan
from .neurons import IF, LIF, NeuronState, fire

TRACES = ("last", "additive")
OFFSET_UNITS = ("absolute", "trace", "pairs")
AVERAGES = ("positions", "spikes")
UPDATES = ("step", "presentation")
COMPETITIONS = ("none", "winner", "inhibit")
SCOPES = ("layer", "map")


@dataclass(frozen=True)
class StdpConfig:
    """The learning rule, the competition between maps, and how images are presented.

    The rule (Eq. 5)
        eta: learning rate, >= 0; 0 leaves the weights alone and adapts thresholds only (the untrained control).
        tau: time constant of the trace in steps, > 0. trace: "last" or "additive", see the module's text.
        offset, offset_unit: the trace at which a weight neither rises nor falls, in units of 1 ("absolute", Eq. 5 as
            written), of the mean trace of all pre-synaptic neurons ("trace"), or of the mean trace over the pairs of
            the map itself ("pairs": with offset 1 a kernel's changes sum to zero, so it learns contrast, not
            brightness). A constant below the traces that meet post spikes drives every weight to ``high``, one above
            them to ``low``.
        low, high: bounds of the weights. start: range of the uniform initial weights.
        weight_dependence: multiply dw by (w - low)(high - w), which slows weights down near their bounds.
        average: "positions" divides by the images and positions of the mini-batch (a map learns the faster the more it
            fires); "spikes" by the map's own post spikes (every map that fires moves by its mean pair).
        update: "step" changes the weights at every time step with a post spike, k <= T times per presentation and pass
            (the paper); "presentation" adds the same terms up and applies them once at its end, so that all T steps
            see the same weights and the bounds clip the sum. Both count the same k.

    Competition
        competition: "none"; "winner": where several maps fire at one position in one step, only the one with the
            highest potential learns; "inhibit": it is also the only one to fire, and the others are set back to rest.
        adaptation: speed of threshold adaptation, in [0, 1]. After each presentation a threshold is multiplied by
            (rate / target) ** adaptation, the ratio clipped to [1/2, 2].
        adapt: "layer": one threshold for all maps of a pass, ``rate`` is that of its most active map (uniform
            adaptation); "map": one threshold per map, by its own rate.
        target: spikes per neuron and step that adaptation aims at, in (0, 1]; with M competing maps there is room for
            1/M at most.
        settle: mini-batches after a layer's training in which only its thresholds adapt, without competition and
            dropout: they are needed to bring the activity back to ``target``, since later layers and features see the
            layer without competition.
        dropout: share of maps silenced while the layer is trained, one draw per image and pass held over all T steps.

    Presentation
        neuron: the LIF neuron; its ``threshold`` is where adaptation starts.
        steps, batch, epochs: T; images per mini-batch; times every image is shown to each layer.
        input_rate: spikes per step of a pixel of value 1, in (0, 1].
        pool_threshold: of the IF neurons behind an average pooling.
        low_pass: time constant in steps of the filter that makes features from spikes; None takes the mean over T.

    Raises ``ValueError`` on a value outside these ranges.
    """

    eta: float = 0.01
    tau: float = 5.0
    trace: str = "last"
    offset: float = 1.0
    offset_unit: str = "pairs"
    low: float = -1.0
    high: float = 1.0
    start: tuple[float, float] = (-0.1, 0.1)
    weight_dependence: bool = False
    average: str = "spikes"
    update: str = "step"
    competition: str = "inhibit"
    adaptation: float = 0.5
    adapt: str = "map"
    target: float = 0.03
    settle: int = 20
    dropout: float = 0.0
    neuron: LIF = field(default_factory=LIF)
    steps: int = 100
    batch: int = 16
    epochs: int = 1
    input_rate: float = 1.0
    pool_threshold: float = 0.25
    low_pass: float | None = None

    def __post_init__(self) -> None:
        _finite("eta", self.eta)
        positive("tau", self.tau)
        _finite("offset", self.offset)
        one_of("offset_unit", self.offset_unit, OFFSET_UNITS)
        one_of("trace", self.trace, TRACES)
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"low must be below high, got low={self.low!r} and high={self.high!r}")
        if len(self.start) != 2 or not self.low <= self.start[0] <= self.start[1] <= self.high:
            raise ValueError(f"start must be a range within [{self.low}, {self.high}], got {self.start!r}")
        one_of("average", self.average, AVERAGES)
        one_of("update", self.update, UPDATES)
        one_of("competition", self.competition, COMPETITIONS)
        between("adaptation", self.adaptation, 0.0, 1.0)
        one_of("adapt", self.adapt, SCOPES)
        positive("target", between("target", self.target, 0.0, 1.0))
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout!r}")
        whole("settle", self.settle, least=0)
        whole("steps", self.steps)
        whole("batch", self.batch)
        whole("epochs", self.epochs)
        positive("input_rate", between("input_rate", self.input_rate, 0.0, 1.0))
        positive("pool_threshold", self.pool_threshold)
        if self.low_pass is not None:
            positive("low_pass", self.low_pass)


def _finite(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


# The rule


def advance_trace(trace: Tensor, spikes: Tensor, *, tau: float, kind: str = "last") -> Tensor:
    """One step of the pre-synaptic trace, in place: decay by exp(-1/tau), then this step's spikes.

    trace, spikes: any one shape; spikes are counts 0, 1, 2 ... Where c > 0 spikes arrive, "last" sets the trace to c
    and "additive" adds c.
    """
    trace.mul_(math.exp(-1.0 / tau))
    if kind == "additive":
        return trace.add_(spikes)
    return torch.where(spikes > 0, spikes, trace, out=trace)


def pair_sum(trace: Tensor, post: Tensor, *, kernel: int) -> Tensor:
    """Sum of the trace over all pairs of a post spike and a pre-synaptic neuron that share a weight.

    trace: (N, C, H, W), post: (N, M, H, W) spikes of a same-padded convolution. Returns (M, C, kernel, kernel).
    """
    shape = (post.shape[1], trace.shape[1], kernel, kernel)
    return conv2d_weight(trace, shape, post, padding=kernel // 2)


def _offset_unit(trace: Tensor, total: Tensor, pairs: Tensor, unit: str) -> float | Tensor:
    """What ``offset`` multiplies: 1, the mean trace of all neurons, or of each map's own pairs (M, 1, 1, 1)."""
    if unit == "absolute":
        return 1.0
    if unit == "trace":
        return float(trace.mean())
    return total.sum((1, 2, 3), keepdim=True) / (pairs.sum((1, 2, 3), keepdim=True) * total.shape[1]).clamp_(min=1)


def weight_change(trace: Tensor, post: Tensor, weight: Tensor, config: StdpConfig) -> Tensor:
    """Eq. 5 for one time step: what to add to ``weight`` (M, C, k, k), before clipping to its bounds.

    trace: (N, C, H, W) after this step's pre spikes; post: (N, M, H, W) spikes that learn.
    Averaged as ``config.average`` says; a map without a spike does not change.
    """
    kernel = weight.shape[-1]
    change = pair_sum(trace, post, kernel=kernel)  # (M, C, k, k)
    pairs = pair_sum(torch.ones_like(trace[:, :1]), post, kernel=kernel)  # (M, 1, k, k): how many pairs these are
    offset = config.offset * _offset_unit(trace, change, pairs, config.offset_unit)
    change -= offset * pairs
    if config.average == "spikes":
        change /= post.sum((0, 2, 3)).clamp_(min=1).view(-1, 1, 1, 1)
        change *= config.eta
    else:
        change *= config.eta / (post.shape[0] * post.shape[2] * post.shape[3])
    if config.weight_dependence:
        change *= (weight - config.low) * (config.high - weight)
    return change


def compete(spikes: Tensor, membrane: Tensor, kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Let the maps compete at every position: returns the spikes that go on, those that learn, and the membrane.

    spikes, membrane: (N, M, H, W) of one time step; the winner of a position is the firing map with the highest
    membrane (maps that tie exactly all win).
    """
    if kind == "none":
        return spikes, spikes, membrane
    score = membrane * spikes  # a firing neuron is above its threshold, so above 0
    best = score.amax(1, keepdim=True)  # (N, 1, H, W); 0 where no map fires
    winners = spikes * (score == best)
    if kind == "winner":
        return spikes, winners, membrane
    return winners, winners, torch.where((best > 0) & (winners == 0), 0.0, membrane)


# Spiking convolutions, pass by pass


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
    change: mean absolute weight change; at_low, at_high: share of weights at a bound.
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


@dataclass(frozen=True)
class Alarm:
    """A layer that went silent, saturated, or ran to one bound of its weights."""

    layer: str
    site: str
    kind: str  # "silent" | "saturated" | "weights"
    value: float  # spikes per neuron and step, or share of weights at the bound
    seen: int

    def __str__(self) -> str:
        what = {
            "silent": f"is silent: {self.value:.2g} spikes per neuron and step",
            "saturated": f"saturates: {self.value:.2g} spikes per neuron and step",
            "weights": f"has {self.value:.0%} of its weights at one bound",
        }[self.kind]
        return f"layer {self.layer} ({self.site}) {what} after {self.seen} images"


class StdpWarning(UserWarning):
    """A layer goes silent, saturates, or loses its contrast while it is trained."""


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
            raise ValueError(f"topology must have spiking convolutions only, got {p.layer} with neuron {p.neuron!r}")
        if any(":" in source for source in p.sources):
            raise ValueError(f"topology must not match channels between passes for STDP, got {p.site} in a block that does")
    order = [p.layer for p in stack]
    for at, layer in enumerate(order[1:], 1):
        if layer in order[: at - 1] and order[at - 1] != layer:
            raise ValueError(f"topology must not repeat several layers in one BackRes block, got {' '.join(order)}")
    return tuple(stack), passes[len(stack)]


class _Stack:
    """Potentials, traces and outputs of the passes during one presentation; a new one for every mini-batch."""

    def __init__(self, config: StdpConfig, weights: Mapping[str, Tensor], thresholds: Mapping[str, Tensor]) -> None:
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
        current = F.conv2d(pre.flatten(0, 1), weight.contiguous(memory_format=torch.channels_last), padding="same")
        if keep is not None:
            current.mul_(keep.repeat(len(pre), 1, 1, 1))
        neuron = replace(self.neuron, leak=1.0) if p.neuron == "if" else self.neuron
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

    keep: per site of the layer, (N, M, 1, 1) of 0 and 1: maps that dropout leaves, held over all T steps.

    Returns the layer's new weights, its sites' new thresholds, and what happened. Nothing given is changed. The result
    does not depend on the order of the images (up to floating-point summation).
    Raises ``ValueError`` for an empty batch or negative spikes.
    """
    config = trained.config
    one_of("layer", layer, tuple(trained.weights))
    if spikes.dim() != 5 or spikes.shape[0] < 1 or spikes.shape[1] < 1:
        raise ValueError(f"spikes must be (T, N, C, H, W) with at least one step and image, got {tuple(spikes.shape)}")
    if bool((spikes < 0).any()):
        raise ValueError(f"spikes must be counts of at least 0, got {float(spikes.min())}")
    mine = [p for p in trained.passes if p.layer == layer]
    below = trained.passes[: trained.passes.index(mine[0])]
    before = trained.weights[layer]
    weight = before.clone()
    stack = _Stack(config, {**trained.weights, layer: weight}, trained.thresholds)  # `weight` changes in place
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
    )
    return weight, thresholds, happened


def _adapt(threshold: Tensor, rate: Tensor, config: StdpConfig) -> Tensor:
    """New thresholds (M,) after a presentation in which the maps fired at ``rate`` (M,)."""
    if config.adapt == "layer":
        rate = rate.max().expand_as(rate)
    return threshold * (rate / config.target).clamp(0.5, 2.0) ** config.adaptation


# Training, one layer after the other


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

    images: (N, C, H, W), floating point in [0, 1], no labels; each layer sees all of them ``config.epochs`` times.
    generator: draws the seeds of four streams (weights, order of images, input spikes, dropout).
    snapshots: numbers of images seen at which to keep a copy of the kernels.
    stop_after: leave the first layer after this many images, and the others untrained (to verify a run by its start).
    progress: called after every mini-batch.

    Returns the ``Trained`` stack. A layer that is silent or saturated, or whose weights all stand at one bound, for a few
    mini-batches in a row is reported as an ``StdpWarning`` and kept in ``alarms``. Raises ``ValueError`` for images that are
    empty, negative or above 1, or a topology without a spiking convolution.
    """
    config = StdpConfig() if config is None else config
    _require_images(images)
    passes, reader = spiking_convolutions(plan(topology, tuple(images.shape[1:])))
    weights_from, order_from, spikes_from, dropout_from = (_child(generator, images.device) for _ in range(4))
    trained = _untrained(passes, reader, config, weights_from, images)
    history: list[Presentation] = []
    alarms: list[Alarm] = []
    kept: dict[str, dict[int, Tensor]] = {}
    for layer in trained.weights:
        mine = [p for p in passes if p.layer == layer]
        seen, watch = 0, _Watch(layer, config)
        kept[layer] = {0: trained.weights[layer]} if 0 in snapshots else {}
        for learning, chosen in _schedule(len(images), config, order_from, images.device):
            spikes = poisson(images[chosen] * config.input_rate, config.steps, generator=spikes_from)
            spikes = spikes.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, spikes.shape[:2])
            keep = None
            if config.dropout and learning:
                keep = {p.site: _mask(len(chosen), p.out_shape[0], config, dropout_from, spikes) for p in mine}
            setting = config if learning else replace(config, eta=0.0, competition="none")
            weight, thresholds, happened = present(replace(trained, config=setting), layer, spikes, keep=keep)
            earlier, seen = seen, seen + len(chosen) * learning
            happened = replace(happened, seen=seen, learning=learning)
            trained = replace(
                trained,
                weights={**trained.weights, layer: weight},
                thresholds={**trained.thresholds, **thresholds},
            )
            history.append(happened)
            kept[layer].update({at: weight for at in snapshots if earlier < at <= seen})
            for alarm in watch.alarms(happened):
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
    return Trained(config, passes, reader, weights, dict(weights), thresholds)


def _child(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A stream of its own, seeded by ``generator``, on the device of the images."""
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return torch.Generator(device=device).manual_seed(int(seed))


def _mask(images: int, maps: int, config: StdpConfig, generator: torch.Generator, like: Tensor) -> Tensor:
    draw = torch.rand((images, maps, 1, 1), generator=generator, device=like.device)
    return (draw >= config.dropout).to(like.dtype)


class _Watch:
    """Reports a site that has been silent or saturated for ``PATIENCE`` mini-batches in a row, once until it recovers."""

    PATIENCE = 5  # adaptation needs a few mini-batches to find the threshold

    def __init__(self, layer: str, config: StdpConfig) -> None:
        self.layer, self.config = layer, config
        self.streak: dict[tuple[str, str], int] = {}

    def alarms(self, happened: Presentation) -> list[Alarm]:
        found = []
        for site, rate in happened.rate.items():
            found.append((site, "silent", rate, happened.peak[site] < 0.01 * self.config.target))
            found.append((site, "saturated", rate, rate > 0.5))
        bound = max(happened.at_low, happened.at_high)
        found.append((next(iter(happened.rate)), "weights", bound, bound > 0.95))
        alarms = []
        for site, kind, value, wrong in found:
            streak = self.streak.get((site, kind), 0) + 1 if wrong else 0
            self.streak[site, kind] = streak
            if streak == self.PATIENCE:
                alarms.append(Alarm(self.layer, site, kind, value, happened.seen))
        return alarms


# Features


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

    images: (N, C, H, W) in [0, 1], presented as in training, but without competition, dropout and learning.
    The reader's sources are added up, average pooled as the topology says, and drive IF neurons. With the filter's
    time constant ``config.low_pass`` = tau the feature is sum_t exp(-(T-1-t)/tau) S[t], divided by the same sum over
    a spike at every step; None gives the mean over T. Without pooling the residual sum itself is filtered.
    probe: called as ``probe(site, spikes, timed=True)`` with one step (1, N, ...) at a time, "input" first.

    Raises ``ValueError`` for an empty batch or images outside [0, 1].
    """
    _require_images(images)
    config = trained.config
    decay = 1.0 if config.low_pass is None else math.exp(-1.0 / config.low_pass)
    gain = sum(decay**t for t in range(config.steps))
    out = []
    for part in images.split(whole("batch", batch)):
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


def _require_images(images: Tensor) -> None:
    if images.dim() != 4 or len(images) == 0:
        raise ValueError(f"images must be (N, C, H, W) with at least one image, got shape {tuple(images.shape)}")
    darkest, brightest = (float(v) for v in images.aminmax())
    if darkest < 0:
        raise ValueError(f"images must not be negative, a rate of spikes cannot be: got {darkest}")
    if not brightest <= 1:  # NaN too
        raise ValueError(f"images must lie between 0 and 1, got values up to {brightest}")
