"""Adaptation of STDP thresholds, and its safeguards (section 3.2.3).

Adaptation is a feedback loop, so it has limits: a target out of reach is refused, every threshold has bounds, a layer
off its target is reported, and training stops if half of a layer's thresholds stay at the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from .stdp import THRESHOLD_RANGE, StdpConfig
from .topology import Pass


@dataclass(frozen=True)
class Presentation:
    """Statistics of one layer during one mini-batch.

    Attributes:
        learning: False while thresholds settle.
        seen: number of images the layer has learnt from so far.
        updates: number of weight updates, at most T per pass.
        rate: spikes per neuron and step over all maps, by site.
        peak: spikes per neuron and step of the most active map, by site.
        silent: share of maps that did not fire, by site.
        threshold: mean, by site.
        trace: mean pre-synaptic trace at the last step, by site.
        change: mean absolute weight change.
        at_low: share of weights at the lower bound.
        at_high: share of weights at the upper bound.
        stuck: share of thresholds that adaptation has moved to a bound, by site.
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
    """A layer that is silent, saturated, off its target, has silent maps, or has all weights at one bound."""

    layer: str
    site: str
    kind: str  # "silent" | "saturated" | "off target" | "maps" | "weights"
    value: float  # spikes per neuron and step, share of silent maps, or share of weights at the bound
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
    """A layer became silent, saturated, missed its target, or lost its contrast during training."""


class StdpError(ValueError):
    """A layer that cannot be trained as requested; the message names the layer and the mini-batch."""


def _adapt(threshold: Tensor, rate: Tensor, config: StdpConfig) -> Tensor:
    """New thresholds (M,) after a presentation in which the maps fired at ``rate`` (M,)."""
    if config.adapt == "layer":
        rate = rate.max().expand_as(rate)
    adapted = threshold * (rate / config.target).clamp(0.5, 2.0) ** config.adaptation
    return adapted.clamp(*_bounds(config))


def _bounds(config: StdpConfig) -> tuple[float, float]:
    """Bounds of the thresholds."""
    return config.neuron.threshold / THRESHOLD_RANGE, config.neuron.threshold * THRESHOLD_RANGE


def _stuck(threshold: Tensor, config: StdpConfig) -> float:
    """Share of the maps whose threshold (M,) is at a bound of its adaptation."""
    low, high = _bounds(config)
    return float(((threshold <= low * 1.001) | (threshold >= high * 0.999)).float().mean())


def _require_reachable(p: Pass, images: Tensor, config: StdpConfig) -> None:
    """Refuse a target that pass ``p`` cannot reach on ``images``: adaptation would lower its thresholds without end.

    A neuron can fire only if its receptive field contains a pixel above 0. This is checked if the pass reads the input.
    """
    if config.adaptation == 0:  # the target is not used
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
            f"target must be at most {room:.3g} for layer {p.layer}, and half of that is safer"
            f"{', as ' if why else ''}{' and '.join(why)}, got {config.target:g}"
        )


class _Watch:
    """Reports a problem that persists at a site for several mini-batches, once until it is over; stops a lost layer.

    The patience for each problem is the time adaptation needs to find a threshold: short for silence and saturation, longer
    for the way to the target. There is no patience at the layer's end.
    """

    PATIENCE: Mapping[str, int] = {"silent": 5, "saturated": 5, "weights": 5, "stuck": 5, "off target": 15}

    def __init__(self, layer: str, config: StdpConfig) -> None:
        self.layer, self.config = layer, config
        self.streak: dict[tuple[str, str], int] = {}
        self.number = 0

    def alarms(self, happened: Presentation, *, last: bool) -> list[Alarm]:
        """Problems to report after a mini-batch. Raises ``StdpError`` if the layer's thresholds are stuck."""
        self.number += 1
        alarms = []
        for site, kind, value, wrong in self._found(happened):
            streak = self.streak.get((site, kind), 0) + 1 if wrong else 0
            self.streak[site, kind] = streak
            patience = self.PATIENCE[kind]
            if kind == "stuck" and streak >= patience:
                raise StdpError(
                    f"layer {self.layer} ({site}) cannot be brought to target {self.config.target:g}: {value:.0%} of its "
                    f"thresholds are at the bounds of their adaptation in mini-batch {self.number}, at "
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
        """(site, kind, value, whether it is a problem) of one mini-batch."""
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
