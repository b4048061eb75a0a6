"""2x2 average pooling whose gradient is made in one pass where channels lie innermost.

PyTorch fills the gradient with zeros and then adds a quarter of each value to four places. The windows do not
overlap, so every place can be written once: a quarter of the value, repeated. The bits are the same and the
time is half. With channels outermost PyTorch's own way is faster and stays.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def average_pool(x: Tensor) -> Tensor:
    """Mean of 2x2 positions: (N, C, H, W) -> (N, C, H/2, W/2), H and W even."""
    innermost = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return _Pool.apply(x) if innermost else F.avg_pool2d(x, 2)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def, override]
        return F.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def, override]
        quarter = (grad / 4).contiguous(
            memory_format=torch.channels_last
        )  # small: a fully connected layer may follow
        return F.interpolate(quarter, scale_factor=2, mode="nearest")
