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
from dataclasses import dataclass, field
from numbers import Real

import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from ._check import between, one_of, positive, time_steps, whole
from .neurons import LIF

TRACES = ("last", "additive")

OFFSET_UNITS = ("absolute", "trace", "pairs")

AVERAGES = ("positions", "spikes")

UPDATES = ("step", "presentation")

COMPETITIONS = ("none", "winner", "inhibit")

SCOPES = ("layer", "map")

#: Adaptation keeps every threshold within this factor of where it starts, ``StdpConfig.neuron.threshold``. A map that
#: never fires gets there in 48 mini-batches at the default speed; without a bound its weights over its threshold overflow.
THRESHOLD_RANGE = 2.0**24


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
            (rate / target) ** adaptation, the ratio clipped to [1/2, 2]; it stays within a factor ``THRESHOLD_RANGE`` of
            its start. 0 leaves thresholds as they are.
        adapt: "layer": one threshold for all maps of a pass, ``rate`` is that of its most active map (uniform
            adaptation); "map": one threshold per map, by its own rate.
        target: spikes per neuron and step that adaptation aims at, in (0, 1]. ``largest_rate`` says how much there is
            room for; a layer with less is refused. Where M maps inhibit each other, aim at half of their 1/M: nearer to
            it the maps undercut each other's thresholds.
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
        if not isinstance(self.dropout, Real) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout!r}")
        whole("settle", self.settle, least=0)
        time_steps("steps", self.steps)
        whole("batch", self.batch)
        whole("epochs", self.epochs)
        positive("input_rate", between("input_rate", self.input_rate, 0.0, 1.0))
        positive("pool_threshold", self.pool_threshold)
        if self.low_pass is not None:
            positive("low_pass", self.low_pass)

    def largest_rate(self, maps: int, *, learning: bool = True) -> float:
        """The most that ``target`` can ask of a layer, whatever its input.

        A neuron that rests for r steps after a spike fires at most once in r + 1. While a layer learns, dropout mutes
        its share of maps, and of M maps that inhibit each other one at most fires at a position: each has 1/M.

        Args:
            maps: M, the layer's output maps, at least 1.
            learning: False for mini-batches in which thresholds settle, without competition and dropout.

        Returns:
            Spikes per neuron and step, in (0, 1]; with ``adapt="layer"`` of the most active map.
        """
        rate = math.ceil(self.steps / (self.neuron.refractory + 1)) / self.steps
        if learning:
            rate *= 1.0 - self.dropout
            if self.competition == "inhibit" and self.adapt == "map":
                rate = min(rate, 1.0 / whole("maps", maps))
        return rate


def _finite(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


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
    return total.sum((1, 2, 3), keepdim=True) / (pairs.sum((1, 2, 3), keepdim=True) * total.shape[1]).clamp_(
        min=1
    )


def weight_change(trace: Tensor, post: Tensor, weight: Tensor, config: StdpConfig) -> Tensor:
    """Eq. 5 for one time step: what to add to ``weight`` (M, C, k, k), before clipping to its bounds.

    trace: (N, C, H, W) after this step's pre spikes; post: (N, M, H, W) spikes that learn.
    Averaged as ``config.average`` says; a map without a spike does not change.
    """
    kernel = weight.shape[-1]
    change = pair_sum(trace, post, kernel=kernel)  # (M, C, k, k)
    pairs = pair_sum(
        torch.ones_like(trace[:, :1]), post, kernel=kernel
    )  # (M, 1, k, k): how many pairs these are
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
    membrane (maps that tie exactly all win). A map whose membrane is NaN never wins.
    """
    if kind == "none":
        return spikes, spikes, membrane
    score = (membrane * spikes).nan_to_num_(0.0)  # a firing neuron is above its threshold, so above 0
    best = score.amax(1, keepdim=True)  # (N, 1, H, W); 0 where no map fires
    winners = spikes * (score == best)
    if kind == "winner":
        return spikes, winners, membrane
    return winners, winners, torch.where((best > 0) & (winners == 0), 0.0, membrane)
