"""Running maximum and percentile of tensors; thresholds are set to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import kernels

_BINS = 1 << 16


class Peak:
    """The largest value of many tensors."""

    def __init__(self) -> None:
        self._largest: Tensor | None = None

    def __call__(self, values: Tensor) -> None:
        largest = values.amax()
        self._largest = largest if self._largest is None else torch.maximum(self._largest, largest)

    def value(self) -> float:
        assert self._largest is not None
        return self._largest.item()


class Percentile:
    """A percentile of many tensors, from a histogram of their positive values whose range doubles as needed."""

    def __init__(self, percent: float) -> None:
        self.percent, self.total, self.top = percent, 0, 0.0
        self.counts: Tensor | None = None

    def __call__(self, values: Tensor) -> None:
        self.total += values.numel()
        largest = values.amax().item()
        if largest <= 0:
            return
        if self.counts is None:
            self.counts, self.top = torch.zeros(_BINS, dtype=torch.int64, device=values.device), largest
        while largest > self.top:  # join neighbouring bins
            self.counts = torch.cat([self.counts.view(-1, 2).sum(1), self.counts.new_zeros(_BINS // 2)])
            self.top *= 2
        if kernels.path(values.device.type) == "numba" and values.dtype == torch.float32:
            from ._event_loops import count_positive  # compiles, so only where it is used

            count_positive(values.detach().flatten().numpy(), _BINS / self.top, self.counts.numpy())
            return
        index = (values[values > 0].double() * (_BINS / self.top)).long().clamp_(max=_BINS - 1)
        self.counts += torch.bincount(index, minlength=_BINS)

    def value(self) -> float:
        """The upper edge of the bin that contains the percentile; 0 if the percentile is not positive."""
        if self.counts is None:
            return 0.0
        above = self.total - math.ceil(self.total * self.percent / 100)  # number of values that may exceed it
        beyond = self.counts.flip(0).cumsum(0)  # values in the last bin, the last two ...
        bins = int((beyond <= above).sum())  # number of whole bins above it
        return 0.0 if bins == _BINS else self.top * (_BINS - bins) / _BINS
