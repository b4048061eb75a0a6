"""Eq. 7 written out, seeded logits and short configurations for the tests of stochmax."""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

from snncore.stochmax import StochmaxConfig

PATHS = ("straight-through", "concrete", "local", "exact")
DRAWN = StochmaxConfig(target_kept=False, psi_gradient="local")
BARE = {"kl": 0.0, "entropy": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def eq7(o: list[float], z: tuple[int, ...], target: int, eps: float) -> float:
    """Eq. 7 as printed, negative log."""
    weights = [(keep + eps) * math.exp(score) for keep, score in zip(z, o, strict=True)]
    return -math.log(weights[target] / sum(weights))


def expected(o: list[float], psi: list[float], target: int, eps: float, target_kept: bool) -> float:
    """Mean of Eq. 7 over all masks, one loop at a time."""
    total = 0.0
    for z in product((0, 1), repeat=len(o)):
        chance = 1.0
        for k, keep in enumerate(z):
            rho = 1.0 if target_kept and k == target else 1 / (1 + math.exp(-psi[k]))
            chance *= rho if keep else 1 - rho
        total += chance * eq7(o, z, target, eps)
    return total
