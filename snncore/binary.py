r"""Binary networks: weights of two values and activations of 0 or 1 (section 9.2; Courbariaux 2016, Rastegari 2016).

Activations. A LIF neuron with leak 0 that sees one time step fires or does not: ``S = 1 where I > threshold, else 0``, with
Eq. 4 in place of the derivative. That is a binary activation with a straight-through estimator whose window is a triangle, so
binary networks need no neuron of their own: ``NetworkConfig(neuron="lif", alpha=0)`` and T = 1. Its values are 0 and 1, as
spikes are, and not -1 and +1, as in XNOR-Net: section 9.2 allows both ("constrained to +1 or -1 or 0").

Weights. Real ("latent") weights ``w`` are what is trained; the network computes with

    b = a sign(w) ,   sign(0) = +1 ,   a = mean of |w| over the weights of one output map     (XNOR-Net, Eq. 6)

or with ``a = 1`` for ``scale="none"`` (BinaryConnect). Backwards, ``d sign(w)/dw`` is taken as 1 where ``|w| <= 1``
and 0 elsewhere (Courbariaux et al. 2016, Eq. 4); ``a`` is differentiated as it stands, which gives XNOR-Net's rule.

The first layer and the classifier stay real, as both articles have it: the first reads real pixels and has few weights.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ._check import one_of
from .layers import Layer
from .network import Network

SCALES = ("mean", "none")


class _Sign(torch.autograd.Function):
    """+1 where ``w >= 0``, else -1; the gradient passes where ``|w| <= 1``."""

    @staticmethod
    def forward(ctx: Any, w: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(w)
        return torch.where(w >= 0, torch.ones_like(w), -torch.ones_like(w))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        (w,) = ctx.saved_tensors
        passes: Tensor = w.abs() <= 1
        return grad * passes


def sign(weight: Tensor) -> Tensor:
    """+1 where ``weight >= 0``, else -1, any shape; its gradient is passed through where ``|weight| <= 1``."""
    return cast(Tensor, _Sign.apply(weight))


def binary_weight(weight: Tensor, *, scale: str = "mean") -> Tensor:
    """``a sign(w)`` of weights (outputs, ...): two values for each output map. scale: "mean" of ``|w|``, or "none" for 1.

    Raises ``ValueError`` for another scale or shape, integers, and for NaN or infinity, which have no sign.
    """
    if not weight.is_floating_point() or weight.dim() < 2:
        raise ValueError(
            f"weight must be floating point of shape (outputs, ...), got {weight.dtype} of shape {tuple(weight.shape)}"
        )
    if not bool(weight.isfinite().all()):
        raise ValueError("weight must be finite to have a sign, got NaN or infinity")
    if one_of("scale", scale, SCALES) == "none":
        return sign(weight)
    size = weight.abs().mean(dim=tuple(range(1, weight.dim())), keepdim=True)
    return sign(weight) * size


class _Binary(nn.Module):
    """``binary_weight`` in the place of a layer's weight; a refusal names the layer."""

    def __init__(self, scale: str, layer: str) -> None:
        super().__init__()
        self.scale, self.layer = scale, layer

    def forward(self, weight: Tensor) -> Tensor:
        try:
            return binary_weight(weight, scale=self.scale)
        except ValueError as error:
            raise ValueError(f"layer {self.layer}: {error}") from error


def binary_layers(network: Network) -> tuple[str, ...]:
    """The layers whose weights ``binarise`` makes binary: all but the first and the classifier."""
    return tuple(network.layers)[1:]


def binarise(network: Network, *, scale: str = "mean") -> Network:
    """Make the weights of ``network`` binary, in place, and return it. The parameters that are trained stay real.

    Weights that BackRes passes share are one binary layer. Raises ``ValueError`` for an unknown scale, a network with other
    activations than 0 and 1, and one that is binary already.
    """
    one_of("scale", scale, SCALES)
    for p in network.plan[:-1]:
        if p.neuron != "lif" or network.config.alpha != 0:
            raise ValueError(
                f"network must have LIF neurons of leak 0 to be binary, got {p.neuron!r} with leak "
                f"{network.config.alpha:g} at {p.site}"
            )
    for name in binary_layers(network):
        layer = cast(Layer, network.layers[name])
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"network must not be binary already, got a binary {name}")
        parametrize.register_parametrization(layer, "weight", _Binary(scale, name))
    return network
