"""The neuron layer of a GPU: all time steps of a block of neurons in one Triton program, forward and backward.

``kernels`` prepares the storage and calls this file, which is imported only if Triton is installed. The arithmetic is that
of ``_loops``: a float32 membrane in registers, every input read once, every output written once; spikes and potentials in
the dtype of the current. Neurons do not interact, so nothing is summed over programs and the bits do not depend on the grid.

A check for finite potentials would wait for the device at every layer. Instead, if a neuron's potential is not finite, its
last spikes are NaN, which reaches the loss (see ``neurons.fire``).

``TRITON_INTERPRET=1`` runs the same functions on a CPU, slowly; the tests use it. T is a compile-time constant, because the
interpreter cannot loop to a run-time bound.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16)

_MANY = 1 << 18  # from this many neurons on, blocks of 1,024 fill all multiprocessors of a large GPU


@triton.jit
def _scan(  # type: ignore[no-untyped-def]
    current,
    membrane,
    before,
    spikes,
    potential,
    last,
    n,
    alpha,
    reset,
    threshold,
    STEPS: tl.constexpr,
    CONSTANT: tl.constexpr,
    AT_EQUALITY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Eq. 2-3. membrane and before: U and S before the first step, None from rest. potential: None if it is not kept."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < n
    U = tl.zeros((BLOCK,), tl.float32)
    taken = tl.zeros((BLOCK,), tl.float32)
    leak = tl.zeros((BLOCK,), tl.float32) + alpha
    if membrane is not None:
        U = tl.load(membrane + place, mask=inside, other=0.0)
        taken = tl.load(before + place, mask=inside, other=0.0) * reset
    drive = tl.zeros((BLOCK,), tl.float32)
    if CONSTANT:
        drive = tl.load(current + place, mask=inside, other=0.0).to(tl.float32)
    for t in range(STEPS):
        if not CONSTANT:
            drive = tl.load(current + place, mask=inside, other=0.0).to(tl.float32)
            current += n
        U = tl.fma(leak, U, drive) - taken  # one rounding, as PyTorch's addition with a factor
        if AT_EQUALITY:
            fires = U >= threshold
        else:
            fires = U > threshold
        taken = tl.where(fires, reset, 0.0)
        sound = (tl.abs(U) < float("inf")) | (
            t < STEPS - 1
        )  # with a soft reset, NaN and infinity stay until the end
        fired = tl.where(sound, tl.where(fires, 1.0, 0.0), float("nan"))
        tl.store(spikes + place, fired.to(spikes.dtype.element_ty), mask=inside)
        spikes += n
        if potential is not None:
            tl.store(potential + place, U.to(potential.dtype.element_ty), mask=inside)
            potential += n
    tl.store(last + place, U, mask=inside)


@triton.jit
def _scan_back(  # type: ignore[no-untyped-def]
    potential,
    by_spikes,
    by_last,
    out,
    by_first,
    n,
    behind,
    alpha,
    jump,
    threshold,
    height,
    fall,
    STEPS: tl.constexpr,
    SUMMED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradient through time (Eq. 4). behind: (STEPS - 1) n. by_spikes, by_last: None for zero. jump: None if detached."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < n
    G = tl.zeros((BLOCK,), tl.float32)  # dL/dU[t+1]; initially what later steps send to U[T-1]
    if by_last is not None:
        G = tl.load(by_last + place, mask=inside, other=0.0)
    total = tl.zeros((BLOCK,), tl.float32)
    potential += behind
    if by_spikes is not None:
        by_spikes += behind
    if not SUMMED:
        out += behind
    for back in range(STEPS):
        U = tl.load(potential + place, mask=inside, other=0.0).to(tl.float32)
        potential -= n
        slope = tl.maximum(tl.abs(U - threshold) * fall + height, 0.0)
        carry = G * tl.where(back == 0, 1.0, alpha)
        if jump is not None:
            carry -= G * slope * tl.where(back == 0, 0.0, jump)
        G = carry
        if by_spikes is not None:
            G += slope * tl.load(by_spikes + place, mask=inside, other=0.0).to(tl.float32)
            by_spikes -= n
        if SUMMED:
            total += G
        else:
            tl.store(out + place, G.to(out.dtype.element_ty), mask=inside)
            out -= n
    tl.store(by_first + place, G, mask=inside)
    if SUMMED:
        tl.store(out + place, total.to(out.dtype.element_ty), mask=inside)


def scan(
    current: Tensor,
    membrane: Tensor | None,
    before: Tensor | None,
    spikes: Tensor,
    potential: Tensor | None,
    last: Tensor,
    *,
    alpha: float,
    reset: float,
    threshold: float,
    at_equality: bool,
) -> None:
    """Write spikes, potentials and the last membrane.

    Every tensor is dense by time steps, with the same order of neurons. ``current`` of one step is constant.

    Args:
        current: (T, ...) or (1, ...).
        membrane: U of the step before the first, (...) float32; None from rest.
        before: spikes of that step, (...) float32; None from rest.
        spikes: (T, ...), written.
        potential: (T, ...), written; None if it is not kept.
        last: (...) float32, written.
        alpha: the leak factor.
        reset: amount that a spike subtracts from the next potential.
        threshold: firing threshold.
        at_equality: whether a neuron fires at ``U == threshold``.
    """
    n, steps = last.numel(), len(spikes)
    if n == 0:
        return
    grid, options = _launch(n)
    with torch.cuda.device_of(current):
        _scan[grid](
            current,
            membrane,
            before,
            spikes,
            potential,
            last,
            n,
            alpha,
            reset,
            threshold,
            STEPS=steps,
            CONSTANT=len(current) < steps,
            AT_EQUALITY=at_equality,
            **options,
        )


def scan_back(
    potential: Tensor,
    by_spikes: Tensor | None,
    by_last: Tensor | None,
    out: Tensor,
    by_first: Tensor,
    *,
    alpha: float,
    jump: float,
    threshold: float,
    gamma: float,
    summed: bool,
) -> None:
    """Write dL/dI into ``out``, (T, ...), or (1, ...) if ``summed`` over time, and dL/dU of the first step, (...) float32.

    Args:
        potential: (T, ...).
        by_spikes: dL/dS, (T, ...).
        by_last: dL/dU of the last step, through everything after it, (...) float32.
        jump: the derivative of the reset with respect to its spike; 0 if the reset is treated as a constant.
    """
    n, steps = by_first.numel(), len(potential)
    if n == 0:
        return
    grid, options = _launch(n)
    height = gamma / threshold
    with torch.cuda.device_of(potential):
        _scan_back[grid](
            potential,
            by_spikes,
            by_last,
            out,
            by_first,
            n,
            (steps - 1) * n,
            alpha,
            jump or None,
            threshold,
            height,
            -height / threshold,
            STEPS=steps,
            SUMMED=summed,
            **options,
        )


def _launch(n: int) -> tuple[tuple[int], dict[str, int]]:
    """The grid and block: eight neurons per thread if there are many, so that a thread reads 16 bytes of bfloat16 at once."""
    block, warps = (1024, 4) if n >= _MANY else (128, 2)
    return (triton.cdiv(n, block),), {"BLOCK": block, "num_warps": warps}
