"""The classifier at the end of every network: softmax (Eq. 6).

Both heads read ``h``, the spikes of the last hidden layer accumulated over time and divided by T, ``(N, F)``, and hold
the non-spiking output layer ``o(x) = W h + b`` (section 5) themselves.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snncore import _check


def _linear(features: int, classes: int, generator: torch.Generator) -> nn.Linear:
    """``W h + b`` drawn as ``torch.nn.Linear`` draws it, U(-1/sqrt(F), 1/sqrt(F)), but from ``generator``."""
    layer = nn.utils.skip_init(nn.Linear, features, classes)
    bound = features**-0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def _check_features(h: Tensor, features: int) -> None:
    if h.dim() != 2 or h.shape[1] != features:
        raise ValueError(f"h must have shape (N, {features}), got {tuple(h.shape)}")


def _check_target(target: Tensor, count: int, classes: int) -> None:
    if tuple(target.shape) != (count,) or target.dtype != torch.int64 or count == 0:
        raise ValueError(
            f"target must be int64 of shape ({max(count, 1)},), got {target.dtype} of shape {tuple(target.shape)}"
        )
    low, high = (int(value) for value in target.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(f"target must hold labels from 0 to {classes - 1}, got labels from {low} to {high}")


class Softmax(nn.Module):
    """Softmax classifier, Eq. 6: ``p(t | x) = exp(o_t) / sum_k exp(o_k)``.

    Args:
        features: length F of ``h``.
        classes: K, at least 2.
        generator: draws ``W`` and ``b``.

    Raises:
        ValueError: fewer than one feature or two classes; later, ``h`` or ``target`` of the wrong shape, labels outside
            ``0 .. K-1``.
    """

    def __init__(self, features: int, classes: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.features = _check.whole("features", features)
        self.classes = _check.whole("classes", classes, least=2)
        self.classify = _linear(self.features, self.classes, generator)

    def forward(self, h: Tensor) -> Tensor:
        """Scores ``(N, K)`` of ``h`` ``(N, F)``: the largest is the prediction, their softmax the probabilities."""
        _check_features(h, self.features)
        return self.classify(h)

    def loss(
        self, h: Tensor, target: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Mean cross-entropy (nats) over the batch, and what to log; ``generator`` is unused, nothing is random here."""
        scores = self(h)
        _check_target(target, len(h), self.classes)
        loss = F.cross_entropy(scores, target)
        return loss, {"cross_entropy": loss.item()}


HEADS: dict[str, type[nn.Module]] = {"softmax": Softmax}


def make_head(name: str, features: int, classes: int, *, generator: torch.Generator, **options: Any) -> nn.Module:
    """The head called ``name`` (``"softmax"``), drawn from ``generator``; ``options`` are the head's own."""
    return HEADS[_check.one_of("head", name, HEADS)](features, classes, generator=generator, **options)
