r"""Binary networks: weights with two values and activations of 0 or 1 (section 9.2; Courbariaux 2016, Rastegari 2016).

Activations. A LIF neuron with leak factor 0 and one time step computes ``S = 1 if I > threshold, else 0``, with Eq. 4 in
place of the derivative. This is a binary activation with a straight-through estimator that has a triangular window, so
binary networks need no neuron of their own: they use ``NetworkConfig(neuron="lif", alpha=0)`` and T = 1. The values are 0
and 1, as for spikes, and not -1 and +1 as in XNOR-Net; section 9.2 allows both ("constrained to +1 or -1 or 0").

Weights. Training changes real ("latent") weights ``w``. The network computes with

.. code-block:: text

    b = a sign(w) ,   sign(0) = +1 ,   a = mean of |w| over the weights of one output map     (XNOR-Net, Eq. 6)

or with ``a = 1`` for ``scale="none"`` (BinaryConnect). In the backward pass ``d sign(w)/dw`` is 1 if ``|w| <= 1``
and 0 otherwise (Courbariaux et al. 2016, Eq. 4). ``a`` is differentiated normally, which gives XNOR-Net's rule.

The first layer and the classifier stay real, as in both articles: the first layer reads real pixels and has few weights.
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
    """+1 if ``w >= 0``, else -1. The gradient passes if ``|w| <= 1``."""

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
    """Sign with a straight-through gradient.

    Args:
        weight: any shape.

    Returns:
        +1 where ``weight >= 0``, else -1. The gradient passes through where ``|weight| <= 1``.
    """
    return cast(Tensor, _Sign.apply(weight))


def binary_weight(weight: Tensor, *, scale: str = "mean") -> Tensor:
    """Binary weights ``a sign(w)``: two values for each output map.

    Args:
        weight: (outputs, ...), floating point.
        scale: ``a``: "mean" of ``|w|`` per output map, or "none" for 1.

    Returns:
        The binary weights, in the shape of ``weight``.

    Raises:
        ValueError: an unknown scale, a different shape, integers, or NaN or infinity.
    """
    if not weight.is_floating_point() or weight.dim() < 2:
        raise ValueError(
            f"weight must be floating point of shape (outputs, ...), got {weight.dtype} of shape {tuple(weight.shape)}"
        )
    if not bool(weight.isfinite().all()):
        raise ValueError("weight must be finite, got NaN or infinity")
    if one_of("scale", scale, SCALES) == "none":
        return sign(weight)
    size = weight.abs().mean(dim=tuple(range(1, weight.dim())), keepdim=True)
    return sign(weight) * size


class _Binary(nn.Module):
    """``binary_weight`` as a layer's parametrization; its errors name the layer."""

    def __init__(self, scale: str, layer: str) -> None:
        super().__init__()
        self.scale, self.layer = scale, layer

    def forward(self, weight: Tensor) -> Tensor:
        try:
            return binary_weight(weight, scale=self.scale)
        except ValueError as error:
            raise ValueError(f"layer {self.layer}: {error}") from error


def binary_layers(network: Network) -> tuple[str, ...]:
    """Names of the layers that ``binarise`` makes binary: all but the first and the classifier."""
    return tuple(network.layers)[1:]


def binarise(network: Network, *, scale: str = "mean") -> Network:
    """Make the weights of ``network`` binary, in place, and return it. The trained parameters stay real.

    Weights shared by BackRes passes are one binary layer.

    Args:
        network: LIF neurons with ``alpha=0``, not binary yet.
        scale: as for ``binary_weight``.

    Raises:
        ValueError: an unknown scale, a network with activations other than 0 and 1, or a network that is already binary.
    """
    one_of("scale", scale, SCALES)
    for p in network.plan[:-1]:
        if p.neuron != "lif" or network.config.alpha != 0:
            raise ValueError(
                f"network must have LIF neurons with alpha 0 to be binary, got {p.neuron!r} with alpha "
                f"{network.config.alpha:g} at {p.site}"
            )
    for name in binary_layers(network):
        layer = cast(Layer, network.layers[name])
        if parametrize.is_parametrized(layer, "weight"):
            raise ValueError(f"network must not be binary already, got a binary {name}")
        parametrize.register_parametrization(layer, "weight", _Binary(scale, name))
    return network
