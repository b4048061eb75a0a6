"""What bfloat16 is worth on this processor: one convolution, forward and backward, in both number formats.

The shapes are those of the convolutions between the first and the last of a VGG. A library can gain no more from mixed precision
than its convolutions do, and where the processor has no units for bfloat16 it loses.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from .report import Options, Ratio, Topic
from .timing import interleaved

TITLE = "One convolution in float32 and in bfloat16, forward and backward"

SHAPES = {"full": ((3, 64, 32), (64, 64, 16), (128, 128, 8)), "small": ((2, 3, 4),)}  # maps in, out, side

IMAGES = {"full": 100, "small": 2}


def run(options: Options) -> Topic:
    """Time both formats, channels last, shape by shape."""
    timings, ratios = [], []
    for maps_in, maps_out, side in SHAPES[options.size]:
        label = f"{maps_in} to {maps_out} maps, {side} pixels"
        found = interleaved(
            {
                f"{label}, {name}": _convolution(IMAGES[options.size], maps_in, maps_out, side, dtype)
                for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
            },
            repeats=options.repeats,
            clock=options.clock,
        )
        float32, bfloat16 = found.values()
        timings += [float32, bfloat16]
        ratios.append(Ratio.between(f"{label}, float32 / bfloat16", float32, bfloat16))
    return Topic({"images": IMAGES[options.size], "kernel": 3}, tuple(timings), ratios=tuple(ratios))


def _convolution(
    images: int, maps_in: int, maps_out: int, side: int, dtype: torch.dtype
) -> Callable[[], None]:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(images, maps_in, side, side, generator=draw).to(dtype)
    weight = torch.randn(maps_out, maps_in, 3, 3, generator=draw).to(dtype)
    x, weight = (t.contiguous(memory_format=torch.channels_last).requires_grad_() for t in (x, weight))

    def step() -> None:
        x.grad = weight.grad = None
        out = F.conv2d(x, weight, padding=1)
        out.backward(torch.ones_like(out))

    return step
