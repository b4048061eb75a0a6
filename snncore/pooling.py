"""2x2 average pooling whose gradient is made in one pass if channels are innermost in memory.

PyTorch fills the gradient with zeros and then adds a quarter of each value to four places. The windows do not
overlap, so every place can be written once, with a quarter of the value. The bits are the same and the
time is half. If channels are outermost, PyTorch's own operation is faster and is used.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def average_pool(x: Tensor) -> Tensor:
    """Average over 2x2 positions.

    Args:
        x: (N, C, H, W), H and W even.

    Returns:
        (N, C, H/2, W/2).
    """
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
