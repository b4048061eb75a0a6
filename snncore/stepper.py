"""Run a network of integrate-and-fire neurons one time step at a time, for balancing (``conversion``) and ``simulation``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from .network import Network
from .topology import Pass

_EVENTS = 0.04  # up to this share of non-zero inputs a dense layer adds rows instead of multiplying matrices


class Coder(Protocol):
    """The part of ``training.InputConfig`` that this module needs: a frozen dataclass that codes uint8 images."""

    @property
    def code(self) -> str: ...
    @property
    def signed(self) -> bool: ...
    def __call__(self, images: Tensor, *, generator: torch.Generator) -> tuple[Tensor, int | None]: ...


# --- one step at a time -------------------------------------------------------------------------------------


class Stepper:
    """The weighted sums of a network, one time step of one batch at a time.

    Balancing and simulation both use it, so a step gives the same bits however time is divided into chunks.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._rows: dict[str, Tensor] = {}  # dense weights by input

    def enter(self, p: Pass, values: Mapping[str, Tensor]) -> Tensor:
        """The input of a pass: its source's output after channel matching and pooling, (N, ...)."""
        x = self.matched(p, values)
        return F.avg_pool2d(x, p.pool) if p.pool > 1 else x  # exact: pooled spikes are multiples of 1/pool^2

    def matched(self, p: Pass, values: Mapping[str, Tensor]) -> Tensor:
        """The source's output after channel matching, before pooling."""
        x = values[p.sources[0].partition(":")[0]]
        match = getattr(self.network, f"match_{p.layer}", None)
        return x if match is None or p.unroll == 1 else match(x)

    def current(self, p: Pass, values: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the pass's input."""
        x = self.enter(p, values)
        layer = self.network.layers[p.layer]
        if p.kind == "conv" or x.device.type != "cpu":
            return layer.weighted(x)  # type: ignore[operator]
        x = x.flatten(1)
        if int(torch.count_nonzero(x)) > _EVENTS * x.numel():
            return layer.weighted(x)  # type: ignore[operator]
        if p.layer not in self._rows:
            self._rows[p.layer] = layer.weight.t().contiguous()  # type: ignore[operator]
        image, source = x.nonzero().unbind(1)
        first = torch.zeros(len(x), dtype=torch.int64)  # offset of each image's inputs
        torch.cumsum(torch.count_nonzero(x, 1)[:-1], 0, out=first[1:])
        return F.embedding_bag(
            source, self._rows[p.layer], first, mode="sum", per_sample_weights=x[image, source]
        )


class Neurons:
    """Integrate-and-fire neurons of one layer, updated in place; bit-identical to ``neurons.fire``."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.membrane: Tensor | None = None
        self.spikes: Tensor

    def __call__(self, current: Tensor) -> Tensor:
        """Spikes (N, ...) of one step, in a buffer that the next step overwrites."""
        if self.membrane is None:
            self.membrane = current.clone()
            self.spikes = torch.empty_like(current)
        else:
            self.membrane.add_(current).sub_(self.spikes, alpha=self.threshold)
        return torch.gt(self.membrane, self.threshold, out=self.spikes)


def encode(coder: Coder, images: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Code uint8 images for ``steps`` steps: spikes (T, N, C, H, W), or the images (N, C, H, W) if "direct"."""
    x: Tensor = replace(coder, steps=steps)(images, generator=generator)[0]  # type: ignore[type-var]
    return x
