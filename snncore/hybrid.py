r"""Hybrid ReLU / LIF networks: how real values enter and leave the spiking block (Fig 6, section 6).

.. code-block:: text

    ANN block         X = relu(...), once per image
    SNN block         reads X itself at every step ("process the same real-valued input X"), or a rate code X[t]
    ReLU afterwards   reads the mean of the spikes over time

A constant input needs no code: its weighted sum is computed once and integrated T times (``neurons.fire`` with
``steps``). This module holds the alternative that the paper compares against, ``R`` in a network string:

.. code-block:: text

    X[t] ~ Bernoulli(X / max X)   with the maximum over each image's values
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._check import drawn_by, floating, time_steps


def rate_code(values: Tensor, steps: int, *, generator: torch.Generator) -> Tensor:
    """Spikes with probability ``values / max`` per image.

    In the backward pass each step contributes its gradient times 1 / max, the slope of the expectation (the maximum is treated
    as a constant); the T contributions are added. An image whose values are all zero stays silent.

    Args:
        values: (N, ...), non-negative.
        steps: T, at least 1.
        generator: draws the spikes.

    Returns:
        Spikes (T, N, ...).

    Raises:
        ValueError: fewer than one step, or values that are negative, NaN, infinite or not floating point.
    """
    time_steps("steps", steps)
    if floating("values", values).dim() < 2 or values.shape[1:].numel() == 0:
        raise ValueError(f"values must have shape (N, ...) with a value per image, got {tuple(values.shape)}")
    drawn_by(generator, values)
    if not bool(((values >= 0) & values.isfinite()).all()):
        raise ValueError(
            f"values must be finite and not negative to be rates, got {_first_that_is_no_rate(values)}"
        )
    return _RateCode.apply(values, steps, generator)


def _first_that_is_no_rate(values: Tensor) -> float:
    return values[(values < 0) | ~values.isfinite()][0].item()


class _RateCode(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, steps, generator):  # type: ignore[no-untyped-def, override]
        largest = values.flatten(1).amax(1).view(-1, *[1] * (values.dim() - 1))
        rates = values / largest.clamp(min=torch.finfo(values.dtype).tiny)
        ctx.save_for_backward(largest)
        draws = torch.rand(
            (steps, *values.shape), generator=generator, device=values.device, dtype=torch.float32
        )
        return (draws < rates).to(values.dtype)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def, override]
        (largest,) = ctx.saved_tensors
        # no gradient for an all-zero image, which never fires
        return torch.where(largest > 0, grad.sum(0) / largest, 0), None, None
