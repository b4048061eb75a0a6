"""Backward residual connections: one block computed n times with shared weights (Fig 1, sections 2.1 and 4).

.. code-block:: text

    x_1 = block(x),   x_k = block(x_{k-1})   for k = 2 .. n

The block reads the original input once; every later pass reads the block's own output. In a spiking block each pass
acts as a separate layer: its neurons keep their own membrane (and, after conversion, their own threshold) per pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ._check import one_of, whole

MATCHES = ("drop", "top", "top-fixed", "average")

_MOMENTUM = 0.1  # of the running mean that "top-fixed" chooses by, as in batch normalisation


def unroll_block(body: Any, x: Any, repeats: int, *, match: Any = None, **context: Any) -> Any:
    """Apply any callable ``repeats`` times; see ``BackRes`` for the arguments."""
    for unroll in range(1, repeats + 1):
        if unroll > 1 and match is not None:
            x = match(x, unroll=unroll, **context)
        x = body(x, unroll=unroll, **context)
    return x


class BackRes(nn.Module):
    """A block unrolled ``repeats`` times (Fig 1A).

    Args:
        body: module called as ``body(x, unroll=k, **context)`` with k = 1 .. repeats.
        repeats: number of passes, at least 1.
        match: module called in the same way before every pass but the first, for a block with more output than input
            channels; see ``ChannelMatch``.

    Raises:
        ValueError: ``repeats`` below 1.
    """

    def __init__(self, body: nn.Module, repeats: int, *, match: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.repeats, self.match = body, whole("repeats", repeats), match

    def forward(self, x, **context):  # type: ignore[no-untyped-def]
        return unroll_block(self.body, x, self.repeats, match=self.match, **context)


class ChannelMatch(nn.Module):
    """Reduce a block's output to the number of channels that the block reads (the three rules of section 4).

    Input is (..., C, H, W) with C = ``channels``, output the same with C = ``keep``. For a sequence the first two
    dimensions are (T, N).

    Args:
        rule: "drop" keeps ``keep`` randomly chosen channels, the same at every pass, image and step. "top" keeps, for each
            image, the ``keep`` channels with the highest mean activity over all steps. "top-fixed" keeps the same channels for
            all images, those with the highest running mean of activity over the training batches. "average" averages groups
            of ``channels / keep`` neighbouring channels.
        channels: number of input channels.
        keep: number of output channels.
        generator: chooses the channels that "drop" keeps; only that rule needs it.

    Raises:
        ValueError: an unknown rule, ``keep`` above ``channels``, groups of unequal size, "drop" without a generator, or
            input with a different number of channels.
    """

    kept: Tensor
    activity: Tensor  # (C,), running mean; only training changes it

    def __init__(
        self, rule: str, channels: int, keep: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.rule, self.channels, self.keep = one_of("rule", rule, MATCHES), whole("channels", channels), keep
        if whole("keep", keep) > channels:
            raise ValueError(f"keep must be at most channels = {channels}, got {keep}")
        if rule == "average" and channels % keep:
            raise ValueError(f"keep must divide the {channels} channels for rule 'average', got {keep}")
        if rule == "drop":
            if generator is None:
                raise ValueError("generator must be given for rule 'drop', got None")
            order = torch.randperm(channels, generator=generator)
            self.register_buffer("kept", order[:keep].sort().values)
        elif rule == "top-fixed":
            self.register_buffer("activity", torch.zeros(channels))

    def forward(self, x: Tensor, *, unroll: int | None = None) -> Tensor:
        if x.dim() not in (4, 5) or x.shape[-3] != self.channels:
            raise ValueError(
                f"x must have shape (N, C, H, W) or (T, N, C, H, W) with C = {self.channels}, "
                f"got {tuple(x.shape)}"
            )
        if self.rule == "drop":
            return x.index_select(-3, self.kept)
        if self.rule == "average":
            return x.unflatten(x.dim() - 3, (self.keep, self.channels // self.keep)).mean(-3)
        activity = x.detach().mean((-2, -1))  # (..., C)
        if self.rule == "top-fixed":
            if self.training:
                self.activity.lerp_(activity.flatten(0, -2).mean(0).to(self.activity), _MOMENTUM)
            return x.index_select(-3, self.activity.topk(self.keep).indices.sort().values)
        # "top": activity per image and channel, over time (all dimensions but N and C)
        if activity.dim() == 3:
            activity = activity.mean(0)  # (N, C)
        chosen = activity.topk(self.keep, dim=-1).indices.sort(-1).values  # (N, keep)
        index = chosen[..., None, None].expand(*chosen.shape, *x.shape[-2:])
        return x.gather(-3, index.expand(*x.shape[:-3], *index.shape[-3:]) if x.dim() == 5 else index)
