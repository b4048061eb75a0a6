"""Independent random streams from one seed, so that weights, data order, spike coding and masks do not affect each other."""

from __future__ import annotations

import hashlib

import torch

from ._check import whole


def stream(seed: int, name: str, *, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator for one purpose, such as "weights" or "order": the same numbers for the same (seed, name).

    Args:
        seed: at least 0.
        name: the purpose.
        device: device of the generator.

    Raises:
        ValueError: a negative seed.
    """
    digest = hashlib.sha256(f"{whole('seed', seed, least=0)}/{name}".encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)
