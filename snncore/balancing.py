r"""Threshold balancing: one threshold for every spiking layer and unrolling step (sections 3.2.1 and 4.1, Fig 4).

Layer by layer, the threshold is the largest weighted spike input that the layer receives while the layers before it
already spike with their balanced thresholds::

    v_th(l) = max over time, images and positions of  sum_i w_i x_i(t)        (not of the membrane)

A BackRes block has one threshold per unrolling step; its passes are balanced one after the other.

Balancing runs one time step of one batch at a time. The spikes of a balanced layer are kept as bits
(``packing``) until the next layer has read them, so no earlier layer has to run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import events
from ._check import between, one_of, positive, whole
from .network import Network
from .packing import Packed, pack
from .peaks import Peak, Percentile
from .stepper import Coder, Neurons, Stepper, encode
from .topology import Pass

_BATCH = {"cpu": 16, "cuda": 1000}  # images updated together: their state fits a CPU's cache, or fills a GPU

#: Functions from the thresholds of a layer's unrolling steps, in order, to one shared threshold.
_SHARED: Mapping[str, Callable[[list[float]], float]] = {"max": max, "first": lambda v: v[0], "mean": fmean}


@dataclass(frozen=True)
class ConversionConfig:
    """How thresholds are balanced.

    Attributes:
        images: number of calibration images. The threshold is an extreme value and grows with images and steps.
        steps: number of calibration time steps.
        percentile: percentile, in percent, of all weighted inputs (over time, images and positions); 100 is the maximum.
            Percentiles below 100 come from a histogram, accurate to 1/32768 of the largest input.
        scale: factor on every threshold after balancing; below 1 it raises all rates (for small T).
        shared: use one threshold for all unrolling steps of a layer instead of one per step.
        shared_as: how the shared threshold follows from those of the steps: their "max"imum, that of the "first" step, or
            their "mean".
        relu_layers: number of first layers that stay ReLU and read the image itself ("direct" input).
    """

    images: int = 64
    steps: int = 500
    percentile: float = 100.0
    scale: float = 1.0
    shared: bool = False
    relu_layers: int = 0
    shared_as: str = "max"

    def __post_init__(self) -> None:
        whole("images", self.images)
        whole("steps", self.steps)
        between("percentile", positive("percentile", self.percentile), 0.0, 100.0)
        positive("scale", self.scale)
        one_of("shared", self.shared, (False, True))
        one_of("shared_as", self.shared_as, tuple(_SHARED))
        whole("relu_layers", self.relu_layers, least=0)


def balance(
    network: Network,
    images: Tensor,
    coder: Coder,
    config: ConversionConfig,
    *,
    generator: torch.Generator,
    max_bytes: int | None = None,
) -> dict[str, float]:
    """Balanced thresholds by site of a network made by ``spiking``, which is not changed; see ``convert``."""
    if images.dim() != 4 or tuple(images.shape[1:]) != network.input_shape:
        raise ValueError(f"images must have shape {('N', *network.input_shape)}, got {tuple(images.shape)}")
    if len(images) < config.images:
        raise ValueError(f"images must hold at least config.images = {config.images}, got {len(images)}")
    check_coder(network, coder)
    needed = _bytes(network, config)
    if max_bytes is None:
        device = next(network.parameters()).device
        max_bytes = torch.cuda.mem_get_info(device)[1] * 3 // 4 if device.type == "cuda" else 4 << 30
    if needed > max_bytes:
        raise ValueError(
            f"max_bytes must be at least {needed} to hold the spikes of one layer for "
            f"{config.images} images and {config.steps} steps, got {max_bytes}"
        )
    with torch.no_grad():
        thresholds = _Balance(network, images[: config.images], coder, config, generator).run()
    return {site: threshold * config.scale for site, threshold in thresholds.items()}


def check_coder(network: Network, coder: Coder) -> None:
    """Check that the first layer can read the coder's output in chunks of time.

    Raises:
        ValueError: the coder does not fit the network.
    """
    wanted = "direct" if network.plan[0].static else "poisson"
    if coder.code != wanted:
        raise ValueError(f"coder must have code {wanted!r} for {network.topology.text!r}, got {coder.code!r}")


def _bytes(network: Network, config: ConversionConfig) -> int:
    """Peak number of bytes of packed spikes. A layer's input is freed while its output is made."""
    by_events = events.usable(network)
    kept = [
        8 * events.bytes_of_spikes(p) if by_events else math.prod(p.out_shape)
        for p in network.plan[:-2]
        if p.neuron == "if"
    ]
    blocks = 2 if config.shared else 1  # with shared thresholds a block runs again from its input
    return max(kept, default=0) * blocks * config.images * config.steps // 8


class _Balance:
    """The state of one balancing. ``held[site][batch]`` is a real tensor, or packed spikes step by step."""

    def __init__(
        self,
        network: Network,
        images: Tensor,
        coder: Coder,
        config: ConversionConfig,
        generator: torch.Generator,
    ) -> None:
        self.network, self.config, self.stepper = network, config, Stepper(network)
        device = next(network.parameters()).device
        self.events = events.Balancing(network, signed=coder.signed) if events.usable(network) else None
        self.batches = [batch.to(device) for batch in images.split(_BATCH.get(device.type, 16))]
        self.held: dict[str, list[Any]] = {"input": []}
        for batch in self.batches:
            if network.plan[0].static:
                self.held["input"].append(encode(coder, batch, 1, generator))
                continue
            chunk = max(1, (1 << 22) // batch.numel())  # about four million values at a time
            if self.events is not None:
                codes = [
                    self.events.codes.encode(
                        encode(coder, batch, min(chunk, config.steps - done), generator)
                    )[0]
                    for done in range(0, config.steps, chunk)
                ]
                self.held["input"].append(list(np.concatenate(codes, axis=1)))
                continue
            self.held["input"].append(
                [
                    pack(step, low=-1 if coder.signed else 0)
                    for done in range(0, config.steps, chunk)
                    for step in encode(coder, batch, min(chunk, config.steps - done), generator)
                ]
            )

    def run(self) -> dict[str, float]:
        thresholds: dict[str, float] = {}
        passes = self.network.plan[:-1]
        for block in _blocks(passes):
            shared = self.config.shared and len(block) > 1
            for p in block:
                if p.neuron == "relu":
                    self.held[p.site] = [
                        F.relu(self.stepper.current(p, {p.sources[0]: x})) for x in self.held[p.sources[0]]
                    ]
                    continue
                thresholds[p.site] = self._threshold(p)
                if p is not (block if shared else passes)[-1]:
                    self._fire(p, thresholds[p.site], keep=shared and p is block[0])
            if shared:
                found = {p: thresholds[p.site] for p in block}
                for p in block:
                    of_layer = [found[q] for q in block if q.layer == p.layer]
                    thresholds[p.site] = _SHARED[self.config.shared_as](of_layer)
                    if p is not passes[-1]:
                        self._fire(p, thresholds[p.site], keep=False)
        return thresholds

    def _currents(self, p: Pass, batch: int, *, keep: bool) -> Iterator[Tensor]:
        """The weighted input of one batch, step by step. The input is freed after use unless ``keep``."""
        site = p.sources[0].partition(":")[0]
        if p.static:
            current = self.stepper.current(p, {site: self.held[site][batch]})
            for _ in range(self.config.steps):
                yield current
            return
        steps, spikes = self.held[site][batch], None
        for index, packed in enumerate(steps):
            spikes = packed.unpack(spikes)
            x = spikes if site != "input" else spikes.contiguous(memory_format=torch.channels_last)
            yield self.stepper.current(p, {site: x})
            if not keep:
                steps[index] = None

    def _threshold(self, p: Pass) -> float:
        """The largest weighted input (or its percentile) of one pass."""
        peak = Peak() if self.config.percentile == 100 else Percentile(self.config.percentile)
        if self.events is not None and not p.static:
            self._peak_of_events(p, peak)
            return _positive(peak.value(), p)
        for batch in range(len(self.batches)):
            for step, current in enumerate(self._currents(p, batch, keep=True)):
                low, high = (value.item() for value in current.aminmax())
                if not -math.inf < low <= high < math.inf:  # also refuses NaN
                    raise ValueError(
                        f"weights must give finite sums, got values from {low} to {high} at {p.site} in step {step}"
                    )
                peak(current)
                if p.static:  # the same at every step
                    break
        return _positive(peak.value(), p)

    def _peak_of_events(self, p: Pass, peak: Peak | Percentile) -> None:
        """``_threshold`` for the event loops. Sums over events are finite if the sums of all absolute weights are."""
        assert self.events is not None
        largest = self.network.layers[p.layer].weight.flatten(1).abs().sum(1).max().item()  # type: ignore[operator]
        if not largest < math.inf:
            raise ValueError(f"weights must give finite sums, got absolute sums up to {largest} at {p.site}")
        for sources in self.held[p.sources[0].partition(":")[0]]:
            if isinstance(peak, Peak):
                peak(torch.tensor(self.events.peak(p, sources)))
            else:
                for currents in self.events.currents(p, sources):
                    peak(currents)

    def _fire(self, p: Pass, threshold: float, *, keep: bool) -> None:
        """Run the pass's neurons and keep their spikes as bits."""
        made: list[list[Packed] | list[np.ndarray]] = []
        source = p.sources[0].partition(":")[0]
        for batch in range(len(self.batches)):
            if self.events is not None:
                if p.static:
                    current = self.stepper.current(p, {source: self.held[source][batch]})
                    made.append(self.events.fire_constant(p, current, self.config.steps, threshold))
                    continue
                made.append(self.events.fire(p, self.held[source][batch], threshold))
                if not keep:
                    self.held[source][batch] = None
                continue
            neurons = Neurons(threshold)
            made.append([pack(neurons(current)) for current in self._currents(p, batch, keep=keep)])
        if not keep:
            del self.held[source]
        self.held[p.site] = made


def _positive(threshold: float, p: Pass) -> float:
    if threshold <= 0:
        raise ValueError(
            f"every layer must receive a weighted input above 0, got a threshold of "
            f"{threshold:g} at {p.site}: the layer is dead"
        )
    return threshold


def _blocks(passes: tuple[Pass, ...]) -> list[list[Pass]]:
    """Group the passes: each BackRes block with all its steps, every other pass alone."""
    blocks: list[list[Pass]] = []
    for p in passes:
        # a block continues with another layer of its first step, or with a later step
        if (
            blocks
            and p.unrolls > 1
            and blocks[-1][-1].unrolls > 1
            and (p.unroll > 1 or blocks[-1][-1].unroll == 1)
        ):
            blocks[-1].append(p)
        else:
            blocks.append([p])
    return blocks
