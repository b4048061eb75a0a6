"""The neuron layer of a CPU in native code: all time steps in one pass over memory, forward and backward.

``neurons.fire`` calls this module for soft resets without a refractory period, in float32 and bfloat16; the
membrane is float32 in both. ``_loops`` holds the loops themselves, which Numba compiles at their first use
(about 3 s, kept on disk). This file prepares what they take: flat storage, threads, and another way where
Numba is missing. The additions are rounded as PyTorch's are, so a float32 result is the same, bit for bit,
on both paths.

Threads follow ``torch.get_num_threads()`` and come from a pool of our own: Numba's ``workqueue`` must not be
entered by two Python threads at once, and its OpenMP layer ends a forked process that enters it again.
The loops release the interpreter lock; every thread takes whole blocks of neurons, which never meet.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .neurons import LIF

_ALONE = 1 << 19  # values up to which waking another thread costs more than it saves
_forced = False  # within ``pytorch_only``


def path() -> str:
    """What runs the neurons here: "numba", or "torch" where Numba cannot be used or ``pytorch_only`` holds."""
    return "torch" if _forced or _loops() is None else "numba"


@contextmanager
def pytorch_only() -> Iterator[None]:
    """Within it, ``fire`` takes PyTorch's operations, in every thread: for comparisons."""
    global _forced
    before, _forced = _forced, True
    try:
        yield
    finally:
        _forced = before


@lru_cache(maxsize=1)
def _loops() -> Any:
    """The compiled loops, tried on one neuron in both number formats; None, with one warning, if they fail."""
    try:
        loops = importlib.import_module(f"{__package__}._loops")
        for dtype in (np.float32, np.uint16):
            many, one = np.zeros((1, 1), dtype), np.zeros(1, np.float32)
            loops.forward(many, one, one, many, many, one, 0, 1, *map(np.float32, (1, 1, 1)), False)
            loops.backward(many, many, one, many, one, 0, 1, *map(np.float32, (1, 1, 1, 1, 1)))
    except Exception as error:  # whatever is wrong with Numba, the neurons still run
        warnings.warn(
            f"neurons run on PyTorch's operations, several times slower, because Numba cannot be used "
            f"({type(error).__name__}: {error}); pip install --upgrade 'numba>=0.61' brings it",
            RuntimeWarning,
        )
        return None
    return loops


def take(current: Tensor, neuron: LIF, membrane: Tensor | None) -> bool:
    """Whether these neurons run here: on a CPU, soft reset, no refractory period, float32 or bfloat16."""
    return (
        current.device.type == "cpu"
        and current.dtype in (torch.float32, torch.bfloat16)
        and (membrane is None or membrane.dtype == torch.float32)
        and neuron.reset == "soft"
        and not neuron.refractory
        and path() == "numba"
    )


class Scanned(NamedTuple):
    """What ``forward`` returns."""

    spikes: Tensor  # (T, N, ...), dtype and layout of the current
    potential: Tensor | None  # U before each reset, like the spikes, where it is kept
    membrane: Tensor  # the last U, (N, ...) float32
    finite: bool  # False: NaN or infinity reached the membrane


def forward(
    current: Tensor,
    neuron: LIF,
    *,
    steps: int | None,
    membrane: Tensor | None,
    spikes: Tensor | None,
    keep: bool,
) -> Scanned:
    """Eq. 2-3 over all time steps.

    Args:
        current: (T, N, ...), or (N, ...) with ``steps`` = T, float32 or bfloat16, in any layout.
        membrane: U of the step before the first, (N, ...); None from rest.
        spikes: S of that step.
        keep: also return every step's potential, which ``backward`` takes.
    """
    drive = _in_blocks(current if steps is None else current[None])
    step = drive[0]
    many = torch.Size((steps or len(drive), *step.shape))
    fired = _empty(many, step)
    potential = _empty(many if keep else torch.Size((0, *step.shape)), step)
    last = _empty(many[1:], step, torch.float32)
    n = step.numel()
    arrays = [
        _timed(drive, n),
        _flat(_start(membrane, step)),
        _flat(_start(spikes, step)),
        _timed(fired, n),
        _timed(potential, n),
        _flat(last),
    ]
    numbers = [np.float32(x) for x in (neuron.alpha, _taken(neuron), neuron.threshold)]
    finite = _share(
        n,
        len(fired),
        lambda start, stop: _loops().forward(*arrays, start, stop, *numbers, neuron.fire_at_equality),
    )
    return Scanned(fired, potential if keep else None, last, all(finite))


def backward(
    potential: Tensor, by_spikes: Tensor | None, by_membrane: Tensor | None, neuron: LIF, *, summed: bool
) -> tuple[Tensor, Tensor]:
    """The gradient of ``forward``, with Eq. 4 for the step function.

    Args:
        potential: as ``forward`` kept it, (T, N, ...).
        by_spikes: dL/dS, (T, N, ...), None for zero.
        by_membrane: dL/dU of the last step by what follows these T steps, (N, ...), None for zero.
        summed: the current was the same at every step.

    Returns:
        dL/dI, (T, N, ...) or, summed over time, (N, ...); and dL/dU of the first step, (N, ...) float32.
    """
    step, (steps, *shape) = potential[0], potential.shape
    if by_spikes is None:
        by_spikes = torch.zeros_like(potential)
    elif by_spikes.stride() != potential.stride() or by_spikes.dtype != potential.dtype:
        by_spikes = torch.empty_like(potential).copy_(by_spikes)
    out = _empty(torch.Size((1 if summed else steps, *shape)), step)
    first = _empty(step.shape, step, torch.float32)
    n = step.numel()
    arrays = [
        _timed(potential, n),
        _timed(by_spikes, n),
        _flat(_start(by_membrane, step)),
        _timed(out, n),
        _flat(first),
    ]
    jump = 0.0 if neuron.detach_reset else _taken(neuron)
    height = neuron.gamma / neuron.threshold
    numbers = [
        np.float32(x) for x in (neuron.alpha, jump, neuron.threshold, height, -height / neuron.threshold)
    ]
    _share(n, steps, lambda start, stop: _loops().backward(*arrays, start, stop, *numbers))
    return (out[0] if summed else out), first


def _taken(neuron: LIF) -> float:
    """What a spike takes off the next potential."""
    return neuron.threshold * (1.0 if neuron.order == "leak-then-reset" else neuron.alpha)


# --- storage: every time step is one dense block of n numbers, in whatever order of dimensions ---------------


def _in_blocks(x: Tensor) -> Tensor:
    """x itself if its time steps are such blocks, one after the other; else a contiguous copy."""
    order = sorted(range(1, x.dim()), key=x.stride, reverse=True)
    return x if x.permute(0, *order).is_contiguous() else x.contiguous()


def _empty(shape: torch.Size, step: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A new tensor of one or (with time first) many steps in the layout of ``step``."""
    time = (step.numel(),) if len(shape) > step.dim() else ()
    return torch.empty_strided(shape, (*time, *step.stride()), dtype=dtype or step.dtype)


def _start(x: Tensor | None, step: Tensor) -> Tensor:
    """What the loops begin with: x as float32 in the layout of ``step``, zeros for None."""
    if x is not None and x.dtype == torch.float32 and x.stride() == step.stride():
        return x
    begin = _empty(step.shape, step, torch.float32)
    return begin.zero_() if x is None else begin.copy_(x)


def _flat(x: Tensor) -> Any:
    """The memory of one step as an array (n,); bfloat16 as its bits."""
    flat = x.detach().as_strided((x.numel(),), (1,))
    return flat.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else flat.numpy()


def _timed(x: Tensor, n: int) -> Any:
    """The memory of steps of n numbers as an array (T, n)."""
    return _flat(x).reshape(len(x), n)


# --- threads -------------------------------------------------------------------------------------------------


def _new_pool() -> None:
    """Replace the pool: also in a forked process, which has none of its parent's threads."""
    global _pool
    _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="neurons")  # starts no thread yet


_pool: ThreadPoolExecutor
_new_pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_pool)


def _share(n: int, steps: int, work: Callable[[int, int], bool | None]) -> list[bool | None]:
    """Call ``work(start, stop)`` on pieces of n neurons, by this thread and as many others as torch would take."""
    if n == 0:
        return []
    blocks = -(-n // _loops().BLOCK)
    count = max(1, min(torch.get_num_threads(), blocks, n * steps // _ALONE))
    size = -(-blocks // count) * _loops().BLOCK
    mine, *others = [(start, min(start + size, n)) for start in range(0, n, size)]
    waiting = [_pool.submit(work, *piece) for piece in others]
    return [work(*mine), *(job.result() for job in waiting)]
