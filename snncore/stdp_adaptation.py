"""Adaptation of STDP thresholds, and what watches it (section 3.2.3).

Adaptation is a feedback loop, so it has stops: a target out of reach is refused, every threshold has bounds, a layer
that is off its target is reported, and one that is lost at the bounds ends the training.
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
