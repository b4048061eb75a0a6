r"""Layer-wise, mini-batch, convolutional STDP (paper: Eq. 5, sections 3.2.3, 4.3 and 8.1).

A post-synaptic spike at time ``t_post`` changes the weight from a pre-synaptic neuron that fired at ``t_pre`` by ::

    dw = eta (exp((t_pre - t_post) / tau) - offset)                                               (Eq. 5)

The exponential is kept as a trace per pre-synaptic neuron. A spike sets it to 1 ("last", the form of Eq. 5, which uses
the last spike) or raises it by 1 ("additive", the sum over all earlier spikes); each step multiplies it by exp(-1/tau).
A spike of the same step counts, with t_pre = t_post. A residual sum of 0, 1, 2 ... is that many spikes at once. Then the
update of a shared kernel, for spikes ``S`` at the positions ``q`` of image ``i`` and kernel position ``r``, is ::

    dw[m, c, r] = eta/norm * sum_i sum_q S[i, m, q] (trace[i, c, q + r] - offset)

This is the weight gradient of a convolution with input ``trace - offset`` and output gradient ``S``. Zero padding is
exact: a pixel outside the image is not a neuron and takes part in no pair.

One layer is trained at a time, on the spikes of the layers below, whose weights no longer change. A layer with n
BackRes passes updates its weights in each of them (k x n updates, section 4.3): the output of pass 1 is the
pre-synaptic activity of pass 2. The paper names uniform threshold adaptation, dropout and averaging without a formula;
``StdpConfig`` documents our choices.

Thresholds act through the weights: a neuron with threshold theta and weights w fires like one with threshold 1 and
weights w/theta, so ``neurons.fire`` computes all spikes.
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

#: Adaptation keeps every threshold within this factor of its initial value, ``StdpConfig.neuron.threshold``. A map that
#: never fires reaches the bound in 48 mini-batches at the default speed. Without a bound, weights / threshold would overflow.
THRESHOLD_RANGE = 2.0**24


@dataclass(frozen=True)
class StdpConfig:
    """The learning rule, the competition between maps, and the presentation of images.

    Attributes:
        eta: learning rate of the rule (Eq. 5), >= 0; 0 keeps the weights and adapts only thresholds (the untrained control).
        tau: time constant of the trace in steps, > 0.
        trace: "last" or "additive"; see the module.
        offset: the trace at which a weight neither rises nor falls, in units of ``offset_unit``.
        offset_unit: 1 ("absolute", Eq. 5 as written), the mean trace of all pre-synaptic neurons ("trace"), or the mean trace
            over the pairs of the map itself ("pairs": with offset 1 a kernel's changes sum to zero, so it learns contrast,
            not brightness). An absolute offset below the traces at post spikes drives every weight to ``high``, one above
            them to ``low``.
        low: lower bound of the weights.
        high: upper bound of the weights.
        start: range of the uniform initial weights.
        weight_dependence: multiply dw by (w - low)(high - w), which slows weights down near their bounds.
        average: "positions" divides by the images and positions of the mini-batch (a map that fires more learns faster);
            "spikes" divides by the map's own post spikes (every map that fires moves by its mean pair).
        update: "step" changes the weights at every time step with a post spike, k <= T times per presentation and pass
            (the paper). "presentation" adds the same terms and applies them once at the end, so that all T steps
            use the same weights and the bounds clip the sum. Both count the same k.
        competition: "none"; "winner": if several maps fire at one position in one step, only the one with the highest
            potential learns; "inhibit": it is also the only one that fires, and the others are reset.
        adaptation: speed of threshold adaptation (homeostasis), in [0, 1]. After each presentation a threshold is multiplied
            by (rate / target) ** adaptation, with the ratio clipped to [1/2, 2]; it stays within a factor ``THRESHOLD_RANGE``
            of its start. 0 keeps thresholds fixed.
        adapt: "layer": one threshold for all maps of a pass, with the ``rate`` of the most active map (uniform
            adaptation); "map": one threshold per map, with the map's own rate.
        target: target rate of adaptation in spikes per neuron and step, in (0, 1]. ``largest_rate`` gives the highest possible
            rate; a target above it is refused. If M maps inhibit each other, use half of 1/M: closer to 1/M
            the maps undercut each other's thresholds.
        settle: number of mini-batches after a layer's training in which only its thresholds adapt, without competition and
            dropout. They bring the activity back to ``target``, because later layers and features use the layer without
            competition.
        dropout: share of maps silenced while the layer is trained, drawn once per image and pass for all T steps.
        neuron: the LIF neuron; its ``threshold`` is the initial value of adaptation.
        steps: T.
        batch: images per mini-batch.
        epochs: number of times every image is presented to each layer.
        input_rate: spikes per step of a pixel of value 1, in (0, 1].
        pool_threshold: threshold of the IF neurons after an average pooling.
        low_pass: time constant in steps of the filter that makes features from spikes; None averages over T.

    Raises:
        ValueError: a value outside these ranges.
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
        """The highest rate that a layer can reach, for any input; an upper bound for ``target``.

        A neuron that rests for r steps after a spike fires at most once in r + 1 steps. While a layer learns, dropout silences
        its share of maps, and of M maps that inhibit each other at most one fires at a position, so each reaches 1/M.

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
    """Advance the pre-synaptic trace by one step, in place: decay by exp(-1/tau), then add this step's spikes.

    Args:
        trace: any shape, changed in place.
        spikes: counts 0, 1, 2 ..., same shape. For a count c > 0, "last" sets the trace to c and "additive" adds c.
        tau: time constant in steps.
        kind: "last" or "additive".
    """
    trace.mul_(math.exp(-1.0 / tau))
    if kind == "additive":
        return trace.add_(spikes)
    return torch.where(spikes > 0, spikes, trace, out=trace)


def pair_sum(trace: Tensor, post: Tensor, *, kernel: int) -> Tensor:
    """Sum of the trace over all pairs of a post spike and a pre-synaptic neuron that share a weight.

    Args:
        trace: (N, C, H, W).
        post: (N, M, H, W) spikes of a same-padded convolution.
        kernel: kernel size.

    Returns:
        (M, C, kernel, kernel).
    """
    shape = (post.shape[1], trace.shape[1], kernel, kernel)
    return conv2d_weight(trace, shape, post, padding=kernel // 2)


def _offset_unit(trace: Tensor, total: Tensor, pairs: Tensor, unit: str) -> float | Tensor:
    """The factor of ``offset``: 1, the mean trace of all neurons, or the mean trace of each map's own pairs (M, 1, 1, 1)."""
    if unit == "absolute":
        return 1.0
    if unit == "trace":
        return float(trace.mean())
    return total.sum((1, 2, 3), keepdim=True) / (pairs.sum((1, 2, 3), keepdim=True) * total.shape[1]).clamp_(
        min=1
    )


def weight_change(trace: Tensor, post: Tensor, weight: Tensor, config: StdpConfig) -> Tensor:
    """Weight change of one time step (Eq. 5), before clipping to the bounds.

    Args:
        trace: (N, C, H, W), after this step's pre spikes.
        post: (N, M, H, W), the spikes that learn.
        weight: (M, C, k, k).
        config: rule and average.

    Returns:
        The change, (M, C, k, k). A map without a spike does not change.
    """
    kernel = weight.shape[-1]
    change = pair_sum(trace, post, kernel=kernel)  # (M, C, k, k)
    pairs = pair_sum(
        torch.ones_like(trace[:, :1]), post, kernel=kernel
    )  # (M, 1, k, k): number of these pairs
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
    """Competition between the maps at every position, for one time step.

    The winner of a position is the firing map with the highest membrane; exact ties all win. A map whose membrane is NaN
    never wins.

    Args:
        spikes: (N, M, H, W).
        membrane: (N, M, H, W).
        kind: ``StdpConfig.competition``.

    Returns:
        The spikes sent to later layers, the spikes that learn, and the membrane.
    """
    if kind == "none":
        return spikes, spikes, membrane
    score = (membrane * spikes).nan_to_num_(0.0)  # above 0 for a firing neuron, which is above its threshold
    best = score.amax(1, keepdim=True)  # (N, 1, H, W); 0 where no map fires
    winners = spikes * (score == best)
    if kind == "winner":
        return spikes, winners, membrane
    return winners, winners, torch.where((best > 0) & (winners == 0), 0.0, membrane)
