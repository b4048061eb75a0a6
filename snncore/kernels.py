"""The neuron layer in native code: all time steps in one pass over memory, forward and backward.

``neurons.fire`` calls this module for soft resets without a refractory period, in float32 and bfloat16, and on a GPU
also in float16; the membrane is always float32. On a CPU Numba compiles the loops in ``_loops`` at their first use
(about 3 s, cached on disk); on a GPU Triton compiles ``triton_kernels``. This file prepares their arguments: flat
storage, threads, and the fallback if Numba or Triton is missing. Additions are rounded as in PyTorch, so on a CPU
a float32 result is bit-identical with and without Numba.

The number of threads follows ``torch.get_num_threads()``. The threads come from our own pool, because two Python threads
must not enter Numba's ``workqueue`` at once, and its OpenMP layer ends a forked process that enters it again.
The loops release the interpreter lock; every thread takes whole blocks of neurons, which do not interact.
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

_ALONE = 1 << 19  # up to this many values, waking another thread costs more than it saves
_forced = False  # within ``pytorch_only``


def path(device: str | torch.device = "cpu") -> str:
    """The implementation that runs soft-reset neurons on a device.

    Args:
        device: a torch device.

    Returns:
        "numba" on a CPU, "triton" on a GPU; "torch" if that one cannot be used, on other devices, and within ``pytorch_only``.
    """
    device = torch.device(device)
    if not _forced and device.type == "cpu" and _loops() is not None:
        return "numba"
    if not _forced and device.type == "cuda" and _triton(device) is not None:
        return "triton"
    return "torch"


@contextmanager
def pytorch_only() -> Iterator[None]:
    """Context in which ``fire`` uses PyTorch's operations, in every thread; for comparisons."""
    global _forced
    before, _forced = _forced, True
    try:
        yield
    finally:
        _forced = before


@lru_cache(maxsize=1)
def _loops() -> Any:
    """The compiled loops, tested on one neuron in both number formats; None, with one warning, if they fail."""
    try:
        loops = importlib.import_module(f"{__package__}._loops")
        for dtype in (np.float32, np.uint16):
            many, one = np.zeros((1, 1), dtype), np.zeros(1, np.float32)
            loops.forward(many, one, one, many, many, one, 0, 1, *map(np.float32, (1, 1, 1)), False)
            loops.backward(many, many, one, many, one, 0, 1, *map(np.float32, (1, 1, 1, 1, 1)))
    except Exception as error:  # any failure of Numba falls back to PyTorch
        warnings.warn(
            f"neurons run on PyTorch's operations, several times slower, because Numba cannot be used "
            f"({type(error).__name__}: {error}); pip install --upgrade 'numba>=0.61' brings it",
            RuntimeWarning,
        )
        return None
    return loops


@lru_cache(maxsize=16)
def _triton(device: torch.device) -> Any:
    """The Triton kernels, tested on one neuron whose spikes and gradient are known; None, with one warning, if they fail.

    Without the test, a kernel that writes nothing, or a zero gradient, would silently train a network to chance.
    """
    try:
        kernel = importlib.import_module(f"{__package__}.triton_kernels")
        for dtype in kernel.DTYPES:
            current = torch.tensor([[0.5], [1.0], [0.5]], dtype=dtype, device=device)
            spikes, potential, slope = (torch.full_like(current, 9) for _ in range(3))
            last, first = (torch.full((1,), 9.0, device=device) for _ in range(2))
            kernel.scan(
                current,
                None,
                None,
                spikes,
                potential,
                last,
                alpha=0.5,
                reset=1.0,
                threshold=1.0,
                at_equality=False,
            )
            kernel.scan_back(
                potential, torch.ones_like(current), last, slope, first,
                alpha=0.5, jump=0.0, threshold=1.0, gamma=1.0, summed=False,
            )  # fmt: skip
            found = [
                spikes.flatten().tolist(),
                potential.flatten().tolist(),
                slope.flatten().tolist(),
                last.tolist(),
            ]
            # U = 0.5, 1.25, 0.125; dL/dI[2] = 0.125 + U[2], dL/dI[1] = 0.75 + 0.5 dL/dI[2], dL/dI[0] likewise
            if found != [[0, 1, 0], [0.5, 1.25, 0.125], [0.9375, 0.875, 0.25], [0.125]]:
                raise ArithmeticError(f"one neuron gave {found} in {dtype}")
    except Exception as error:  # any failure of Triton falls back to PyTorch
        warnings.warn(
            f"neurons on {device} run on PyTorch's operations, several times slower, because Triton cannot be used "
            f"({type(error).__name__}: {error})",
            RuntimeWarning,
        )
        return None
    return kernel


_DTYPES = {
    "numba": (torch.float32, torch.bfloat16),
    "triton": (torch.float32, torch.bfloat16, torch.float16),
    "torch": (),
}


def take(current: Tensor, neuron: LIF, membrane: Tensor | None) -> bool:
    """Return whether this module can run these neurons: soft reset, no refractory period, a supported device and dtype."""
    return (
        neuron.reset == "soft"
        and not neuron.refractory
        and (membrane is None or membrane.dtype == torch.float32)
        and current.dtype in _DTYPES["triton"]
        and current.dtype in _DTYPES[path(current.device)]
    )


class Scanned(NamedTuple):
    """The result of ``forward``."""

    spikes: Tensor  # (T, N, ...), dtype and layout of the current
    potential: Tensor | None  # U before each reset, shaped like the spikes, if kept
    membrane: Tensor  # the last U, (N, ...) float32
    finite: bool  # False after NaN or infinity; a GPU writes NaN into the last spikes instead


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
        current: (T, N, ...), or (N, ...) with ``steps`` = T, of a dtype that ``take`` accepts, in any layout.
        neuron: parameters.
        steps: T for a constant current.
        membrane: U of the step before the first, (N, ...); None starts from rest.
        spikes: S of that step.
        keep: also return the potential of every step, which ``backward`` needs.
    """
    drive = _in_blocks(current if steps is None else current[None])
    step = drive[0]
    many = torch.Size((steps or len(drive), *step.shape))
    fired = _empty(many, step)
    potential = _empty(many if keep else torch.Size((0, *step.shape)), step)
    last = _empty(many[1:], step, torch.float32)
    n = step.numel()
    if path(current.device) == "triton":
        started = membrane is not None
        _triton(current.device).scan(
            drive,
            _start(membrane, step) if started else None,
            _start(spikes, step) if started else None,
            fired,
            potential if keep else None,
            last,
            alpha=neuron.alpha,
            reset=_taken(neuron),
            threshold=neuron.threshold,
            at_equality=neuron.fire_at_equality,
        )
        return Scanned(fired, potential if keep else None, last, True)
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
        by_membrane: dL/dU of the last step, through everything after these T steps, (N, ...); None for zero.
        neuron: parameters.
        summed: the current was the same at every step.

    Returns:
        dL/dI, (T, N, ...) or, summed over time, (N, ...); and dL/dU of the first step, (N, ...) float32.
    """
    step, (steps, *shape) = potential[0], potential.shape
    if by_spikes is not None and (
        by_spikes.stride() != potential.stride() or by_spikes.dtype != potential.dtype
    ):
        by_spikes = torch.empty_like(potential).copy_(by_spikes)
    out = _empty(torch.Size((1 if summed else steps, *shape)), step)
    first = _empty(step.shape, step, torch.float32)
    jump = 0.0 if neuron.detach_reset else _taken(neuron)
    if path(potential.device) == "triton":
        _triton(potential.device).scan_back(
            potential,
            by_spikes,
            None if by_membrane is None else _start(by_membrane, step),
            out,
            first,
            alpha=neuron.alpha,
            jump=jump,
            threshold=neuron.threshold,
            gamma=neuron.gamma,
            summed=summed,
        )
        return (out[0] if summed else out), first
    by_spikes = torch.zeros_like(potential) if by_spikes is None else by_spikes
    n = step.numel()
    arrays = [
        _timed(potential, n),
        _timed(by_spikes, n),
        _flat(_start(by_membrane, step)),
        _timed(out, n),
        _flat(first),
    ]
    height = neuron.gamma / neuron.threshold
    numbers = [
        np.float32(x) for x in (neuron.alpha, jump, neuron.threshold, height, -height / neuron.threshold)
    ]
    _share(n, steps, lambda start, stop: _loops().backward(*arrays, start, stop, *numbers))
    return (out[0] if summed else out), first


def _taken(neuron: LIF) -> float:
    """The amount that a spike subtracts from the next potential."""
    return neuron.threshold * (1.0 if neuron.order == "leak-then-reset" else neuron.alpha)


# --- storage: every time step is one dense block of n numbers, in whatever order of dimensions ---------------


def _in_blocks(x: Tensor) -> Tensor:
    """x itself if its time steps are such blocks in sequence; else a contiguous copy."""
    order = sorted(range(1, x.dim()), key=x.stride, reverse=True)
    return x if x.permute(0, *order).is_contiguous() else x.contiguous()


def _empty(shape: torch.Size, step: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A new tensor of one or (with time first) many steps in the layout of ``step``."""
    time = (step.numel(),) if len(shape) > step.dim() else ()
    return torch.empty_strided(shape, (*time, *step.stride()), dtype=dtype or step.dtype, device=step.device)


def _start(x: Tensor | None, step: Tensor) -> Tensor:
    """The initial value for the loops: x as float32 in the layout of ``step``, zeros for None."""
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
    """Replace the thread pool. A forked process needs a new one, because it has none of its parent's threads."""
    global _pool
    _pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="neurons")  # starts no thread yet


_pool: ThreadPoolExecutor
_new_pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_pool)


def _share(n: int, steps: int, work: Callable[[int, int], bool | None]) -> list[bool | None]:
    """Call ``work(start, stop)`` on parts of n neurons, in this thread and as many others as torch uses."""
    if n == 0:
        return []
    blocks = -(-n // _loops().BLOCK)
    count = max(1, min(torch.get_num_threads(), blocks, n * steps // _ALONE))
    size = -(-blocks // count) * _loops().BLOCK
    mine, *others = [(start, min(start + size, n)) for start in range(0, n, size)]
    waiting = [_pool.submit(work, *piece) for piece in others]
    return [work(*mine), *(job.result() for job in waiting)]
