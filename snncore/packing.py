"""Pack spikes in few bits: eight to a byte, four if they are signed or are counts up to 3, else two.

A float32 spike takes 32 times the space of its information. Packing keeps the order of the values in memory
(also ``channels_last``), so it moves whole planes of bytes and gathers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._check import whole


@dataclass(frozen=True, eq=False)
class Packed:
    """The result of ``pack``: ``bits`` uint8 (bytes,), and the layout that ``unpack`` restores."""

    bits: Tensor
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    low: int
    width: int  # bits per value: 1, 2 or 4

    def unpack(self, out: Tensor | None = None) -> Tensor:
        """The values as float32 in their shape and memory format.

        Args:
            out: tensor of the same shape and layout to write into; None makes a new one.

        Raises:
            ValueError: an ``out`` of another shape or layout.
        """
        if out is None:
            out = torch.empty_strided(self.shape, self.stride, dtype=torch.float32, device=self.bits.device)
        elif tuple(out.shape) != self.shape or out.stride() != self.stride:
            raise ValueError(
                f"out must have shape {self.shape} and strides {self.stride}, got "
                f"{tuple(out.shape)} and {out.stride()}"
            )
        flat = out.as_strided((out.numel(),), (1,))
        size, mask = len(self.bits), (1 << self.width) - 1
        for plane in range(8 // self.width):
            part = flat[plane * size : (plane + 1) * size]
            part.copy_((self.bits[: len(part)] >> (plane * self.width)) & mask)
        return out.add_(self.low) if self.low else out


def pack(values: Tensor, *, low: int = 0, high: int = 1) -> Packed:
    """Pack whole numbers from ``low`` to ``high``, at most 16 different ones.

    Spikes are 0 .. 1, signed spikes -1 .. 1, the sum of two spikes 0 .. 2.

    Args:
        values: any shape, any dtype.
        low: smallest value.
        high: largest value.

    Raises:
        ValueError: a range that is empty or too wide, or values outside it or not whole.
    """
    count = whole("high - low", high - low) + 1
    if count > 16:
        raise ValueError(f"high - low must be at most 15, got {high - low}")
    width = 1 if count <= 2 else 2 if count <= 4 else 4
    channels_last = values.dim() == 4 and values.is_contiguous(memory_format=torch.channels_last)
    if not (values.is_contiguous() or channels_last):
        values = values.contiguous()
    flat = values.as_strided((values.numel(),), (1,))
    shifted = flat - low if low else flat
    whole_numbers = shifted.to(torch.uint8)
    if not torch.equal(whole_numbers.to(shifted.dtype), shifted) or int(whole_numbers.max()) >= count:
        raise ValueError(
            f"values must be whole numbers from {low} to {high}, got values from "
            f"{values.min().item()} to {values.max().item()}"
        )
    planes = 8 // width
    size = -(-len(flat) // planes)
    bits = torch.zeros(size, dtype=torch.uint8, device=values.device)
    for plane in range(planes):
        part = whole_numbers[plane * size : (plane + 1) * size]
        bits[: len(part)] |= part << (plane * width)
    return Packed(bits, tuple(values.shape), values.stride(), low, width)
