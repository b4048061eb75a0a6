r"""Conversion of a trained ANN to a spiking network by threshold balancing (sections 3.2.1 and 4.1, Fig 4).

The weights stay the same; every ReLU becomes an integrate-and-fire neuron with soft reset. Thresholds are balanced
layer by layer: a layer's threshold is the largest weighted spike input it receives while the layers before it
already spike with their balanced thresholds::

    v_th(l) = max over time, images and positions of  sum_i w_i x_i(t)        (not of the membrane)

A BackRes block has one threshold per unrolling step; its passes are balanced one after the other.

A neuron that integrates I(t) and subtracts v_th per spike fires at a rate of mean I / v_th, between 0 and 1.
So the rate of a layer represents its ReLU activation divided by the product of all thresholds up to it. The
classifier's weights and bias were trained on activations, so ``BalancedHead`` multiplies the rates by that product.
This is the same as dividing the weights of each layer by its threshold and firing at 1.

Balancing runs one time step of one batch at a time. The spikes of a balanced layer are kept as bits
(``packing``) until the next layer has read them, so no earlier layer has to run again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import events
from ._check import between, one_of, positive, whole
from .layers import Layer
from .network import Network
from .neurons import IF
from .packing import Packed, pack
from .peaks import Peak, Percentile
from .stepper import Coder, Neurons, Stepper, encode
from .topology import Pass, as_ann

CODES = ("poisson", "direct")

_BATCH = {"cpu": 16, "cuda": 256}  # images updated together: their state fits a CPU's cache, or fills a GPU

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
        shared_as: the shared threshold: the "max"imum of those of the steps, that of the "first" step, or their "mean".
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


class BalancedHead(nn.Module):
    """The ANN's classifier applied to rates: ``head(scale h)``, where ``scale`` is the product of all thresholds."""

    scale: Tensor

    def __init__(self, head: nn.Module, scale: float) -> None:
        super().__init__()
        self.head = head
        device = next(head.parameters()).device
        self.register_buffer("scale", torch.tensor(positive("scale", scale), device=device))

    def forward(self, h: Tensor) -> Tensor:
        """Scores (N, K) of rates (N, F), in the units of the ANN's scores."""
        return self.head(h * self.scale)

    def loss(
        self, h: Tensor, target: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """The ANN head's loss of rates (N, F).

        Raises:
            ValueError: gradients are enabled but no parameter of the network requires one.
        """
        if torch.is_grad_enabled() and self.training and not any(p.requires_grad for p in self.parameters()):
            raise ValueError(
                "network must have parameters that require a gradient, got a converted one whose weights are fixed: "
                "call network.requires_grad_(True) to train it further"
            )
        return self.head.loss(h * self.scale, target, generator=generator)  # type: ignore[operator]


# --- what can be converted ----------------------------------------------------------------------------------


def check_convertible(ann: Network) -> None:
    """Check that threshold balancing can convert a network.

    It must be an ANN: ReLU in every layer, no batch normalisation, no replaced layer, no residual sum (it would
    add rates in different units), and no channel matching "top" (it chooses channels over all time steps).

    Raises:
        ValueError: names the first part of the network that cannot be converted.
    """
    if not isinstance(ann, Network):
        raise ValueError(f"ann must be a snncore Network, got {type(ann).__name__}")
    for p in ann.plan[:-1]:
        if p.neuron != "relu":
            raise ValueError(f"ann must have ReLU neurons in every layer, got {p.neuron!r} at {p.site}")
        layer = ann.layers[p.layer]
        if not isinstance(layer, Layer):
            bias = getattr(layer, "bias", None) is not None
            raise ValueError(
                f"ann must have the layers it was built with, got {type(layer).__name__}"
                f"{' with a bias' if bias else ''} at {p.layer}"
            )
        if layer.norm is not None:
            raise ValueError(f"ann must have no batch normalisation, got it at {p.layer}")
        extra = {name for name, _ in layer.named_parameters()} - {"weight"}
        if extra:
            raise ValueError(f"ann must have weights alone, got {', '.join(sorted(extra))} at {p.layer}")
    for p in ann.plan:
        if len(p.sources) > 1:
            raise ValueError(
                f"ann must have no residual sum, as it adds rates of different scales, got "
                f"{' + '.join(p.sources)} at {p.site}"
            )
        if p.sources[0].endswith(":top"):
            raise ValueError(
                f"ann must not have channel matching 'top', which chooses over all time steps, "
                f"got it at {p.site}"
            )


# --- balancing ----------------------------------------------------------------------------------------------


def convert(
    ann: Network,
    calibration_images: Tensor,
    coder: Coder,
    config: ConversionConfig = ConversionConfig(),
    *,
    generator: torch.Generator,
    max_bytes: int | None = None,
) -> tuple[Network, dict[str, float]]:
    """Convert an ANN to a spiking network.

    Args:
        ann: the trained network; see ``check_convertible``.
        calibration_images: uint8 (N, C, H, W); the first ``config.images`` of them are used.
        config: how thresholds are balanced.
        coder: ``InputConfig`` with code "poisson" (``signed`` if and only if the ANN was trained so), or "direct" if
            ``config.relu_layers`` is above 0. Its own number of steps is ignored.
        generator: draws the Poisson input, on the network's device.
        max_bytes: memory limit for the packed spikes; None means 4 GiB on a CPU and three quarters of the memory of a GPU.

    Returns:
        The spiking network with the ANN's weights and balanced thresholds, and these thresholds by site.

    Raises:
        ValueError: any error of ``check_convertible``, fewer images than ``config.images``, a coder that does not fit the
            network, spikes that need more than ``max_bytes``, or a dead layer (named).
    """
    check_convertible(ann)
    network = spiking(ann, relu_layers=config.relu_layers)
    thresholds = balance(network, calibration_images, coder, config, generator=generator, max_bytes=max_bytes)
    set_thresholds(network, thresholds)
    return network, thresholds


def spiking(ann: Network, *, relu_layers: int = 0) -> Network:
    """Replace ReLU by integrate-and-fire neurons after the first ``relu_layers`` layers, without balancing.

    Args:
        ann: the trained network; see ``check_convertible``.
        relu_layers: number of first layers that stay ReLU.

    Raises:
        ValueError: no layer is left to spike, or any error of ``check_convertible``.
    """
    hidden = len(ann.layers)
    if whole("relu_layers", relu_layers, least=0) >= hidden:
        raise ValueError(
            f"relu_layers must be below {hidden}, the layers before the classifier, got {relu_layers}"
        )
    topology = as_ann(ann.topology)
    if relu_layers:  # count=0 would mean all
        topology = re.sub(r"\d+C\d+|F\d+", r"\g<0>:relu", topology, count=relu_layers)
    config = replace(
        ann.config,
        neuron="if",
        alpha=1.0,
        threshold=1.0,
        reset="soft",
        refractory=0,
        order="leak-then-reset",
        fire_at_equality=False,
        readout="mean",
        dropout=0.0,
    )
    network = Network(
        topology,
        input_shape=ann.input_shape,
        config=config,
        static_input=relu_layers > 0,
        generator=torch.Generator(),
    )
    network.load_state_dict(ann.state_dict())
    network.to(next(ann.parameters()).device).requires_grad_(False).eval()
    return network


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
    """Raise ``ValueError`` unless the first layer can read the coder's output in chunks of time."""
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


# --- thresholds ---------------------------------------------------------------------------------------------


def set_thresholds(network: Network, thresholds: Mapping[str, float]) -> None:
    """Set the thresholds of a network made by ``spiking``. Its classifier then reads scaled rates.

    Args:
        network: the network, changed in place.
        thresholds: finite numbers above 0, by site.

    Raises:
        ValueError: neurons other than IF with soft reset, a missing or unknown site, a wrong number of unrolling steps, or
            a threshold that is not a finite number above 0.
    """
    passes = [p for p in network.plan if p.neuron not in ("relu", "none")]
    for site, neuron in network.sites():
        if replace(neuron, threshold=1.0, gamma=0.3, detach_reset=True) != IF():
            raise ValueError(
                f"network must have integrate-and-fire neurons with soft reset, got {neuron} at {site}"
            )
    for p in passes:
        named = [site for site in thresholds if site == p.layer or site.startswith(f"{p.layer}.")]
        wanted = [q.site for q in passes if q.layer == p.layer]
        if set(named) != set(wanted) and (p.unrolls > 1 or len(named) > 1):
            raise ValueError(
                f"thresholds must hold one for each of the {p.unrolls} unrolling steps of "
                f"{p.layer} ({', '.join(wanted)}), got {', '.join(named) or 'none'}"
            )
        if p.site not in thresholds:
            raise ValueError(f"thresholds must hold one for {p.site}, got {', '.join(thresholds) or 'none'}")
    unknown = set(thresholds) - {p.site for p in passes}
    if unknown:
        raise ValueError(
            f"thresholds must be of the network's spiking sites, got {', '.join(sorted(unknown))}"
        )
    values = {p.site: positive(f"threshold of {p.site}", thresholds[p.site]) for p in passes}
    for site, value in values.items():
        network.set_neuron(site, IF(threshold=value))
    head = network.head.head if isinstance(network.head, BalancedHead) else network.head
    network.add_module("head", BalancedHead(head, math.prod(values.values())))


def thresholds_of(network: Network) -> dict[str, float]:
    """The balanced thresholds of a converted network by site; ``ValueError`` for a network that is not balanced."""
    if not isinstance(network.head, BalancedHead):
        _unbalanced(network)
    return {site: neuron.threshold for site, neuron in network.sites()}


def scales(network: Network) -> dict[str, float]:
    """For each spiking site, the activation that a rate of 1 represents: the product of the thresholds up to the site."""
    product, found = 1.0, {}
    for site, threshold in thresholds_of(network).items():
        product *= threshold
        found[site] = product
    return found


def _unbalanced(network: Network) -> NoReturn:
    found = ", ".join(f"{site} {neuron.threshold:g}" for site, neuron in network.sites()) or "none"
    raise ValueError(f"network must be balanced, by convert or set_thresholds, got thresholds {found}")
