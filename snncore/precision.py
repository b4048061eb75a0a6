"""Measure whether bfloat16 is faster on this processor: one convolution, forward and backward, in both formats.

Mixed precision is a property of a run and changes its numbers, so nothing here switches it on or off. Processors with
matrix units for bfloat16 (AMX) gain a factor of 4 to 6, those with only bfloat16 dot products between 1 and 2; others lose.
"""

from __future__ import annotations

import time
import warnings
from functools import lru_cache

import torch
from torch.nn import functional as F

_SHAPE = (64, 64, 16, 16)  # images, maps in and out, side: about ten milliseconds in float32

_ROUNDS = 5


def bfloat16_gain() -> float:
    """Speed of a convolution in bfloat16 relative to float32 on this processor, with PyTorch's current number of threads.

    Returns:
        Fastest of five float32 rounds divided by the fastest of five bfloat16 rounds; measured once per process and
        thread count.
    """
    return _gain(torch.get_num_threads())


@lru_cache(maxsize=8)
def _gain(threads: int) -> float:
    images, maps, side, _ = _SHAPE
    draw = torch.Generator().manual_seed(0)
    best = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.rand(images, maps, side, side, generator=draw).to(dtype)
        weight = torch.randn(maps, maps, 3, 3, generator=draw).to(dtype)
        x, weight = (t.contiguous(memory_format=torch.channels_last).requires_grad_() for t in (x, weight))
        seconds = []
        with torch.enable_grad():
            for _ in range(_ROUNDS + 1):  # the first one is a warm-up
                start = time.perf_counter()
                out = F.conv2d(x, weight, padding=1)
                torch.autograd.grad(out, (x, weight), torch.ones_like(out))
                seconds.append(time.perf_counter() - start)
        best[dtype] = min(seconds[1:])
    return best[torch.float32] / best[torch.bfloat16]


def warn_unless_bfloat16_pays() -> None:
    """Warn (one ``RuntimeWarning``) if mixed precision is slower than float32 on this processor."""
    gain = bfloat16_gain()
    if gain < 1:
        warnings.warn(
            f"mixed_precision makes convolutions {1 / gain:.1f} times slower on this processor, which computes in float32 "
            "faster than in bfloat16; the numbers of the run do not depend on that",
            RuntimeWarning,
            stacklevel=2,
        )
