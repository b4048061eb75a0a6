r"""Conversion of a trained ANN to a spiking network (sections 3.2.1 and 4.1, Fig 4).

The weights stay the same; every ReLU becomes an integrate-and-fire neuron with soft reset, whose threshold ``balancing``
finds. A neuron that integrates I(t) and subtracts v_th per spike fires at a rate of mean I / v_th, between 0 and 1.
So the rate of a layer represents its ReLU activation divided by the product of all thresholds up to it. The
classifier's weights and bias were trained on activations, so ``BalancedHead`` multiplies the rates by that product.
This is the same as dividing the weights of each layer by its threshold and firing at 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

import torch
from torch import Tensor, nn

from ._check import positive, whole
from .balancing import ConversionConfig as ConversionConfig
from .balancing import balance
from .layers import Layer
from .network import Network
from .neurons import IF
from .stepper import Coder
from .topology import as_ann


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


# --- conversion ---------------------------------------------------------------------------------------------


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
