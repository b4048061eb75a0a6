"""A bare STDP rule, random spikes and an untrained stack for the tests of STDP."""

from __future__ import annotations

import torch

from snncore.stdp import StdpConfig
from snncore.stdp_layers import (
    Trained,
    spiking_convolutions,
)
from snncore.topology import plan

PLAIN = StdpConfig(
    offset_unit="absolute", offset=0.4, competition="none", adaptation=0.0, average="positions"
)


IMAGES = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(3))


def stack(topology: str, shape: tuple[int, int, int], config: StdpConfig, *, seed: int = 0) -> Trained:
    """An untrained float64 stack with random weights."""
    passes, reader = spiking_convolutions(plan(topology, shape))
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for p in passes:
        size = (p.out_shape[0], p.in_shape[0], p.kernel, p.kernel)
        weights.setdefault(p.layer, torch.rand(size, generator=generator, dtype=torch.float64) - 0.3)
    thresholds = {
        p.site: torch.full((p.out_shape[0],), config.neuron.threshold, dtype=torch.float64) for p in passes
    }
    return Trained(config, passes, reader, weights, dict(weights), thresholds)


def noise(*shape: int, rate: float = 0.3, seed: int = 0) -> torch.Tensor:
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < rate
    ).double()
