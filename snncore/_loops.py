"""The compiled loops of ``kernels``: part of a layer's neurons through all time steps, forward and backward.

Numba compiles this file; only ``kernels`` imports it. Arrays are flat, ``(T, n)`` or ``(n,)``, in float32, or in
uint16 if they hold the bits of bfloat16. Neurons do not interact, so any range of them can be computed alone and
the numbers do not depend on how a layer is divided.

Three things make the loops fast. A block of neurons goes through all T steps before the next block starts, so its
membrane stays in the first-level cache and every input is read once and every output written once. Each
step's row of the block is a slice with unit stride, which LLVM vectorises. And 16-bit numbers are widened and
narrowed in registers, not in passes over whole tensors.

The same loops in C++ (``g++ -O3 -march=native``) took 5 to 30 % less time for data in the cache and 20 to 35 % less
for data in memory (2 AVX-512 cores without AMX, shared with other work). That is too little to require a compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from ._compile import compiled

BLOCK = 4096  # neurons; two float32 buffers of them take 32 KiB, the size of a first-level cache


@intrinsic
def _fused(typing_context, a, b, c):  # type: ignore[no-untyped-def]
    """a * b + c rounded once, as PyTorch's addition with a factor does; plain ``a * b + c`` leaves the choice to LLVM."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), build


def _widen(stored: Any) -> Any:
    """A stored number as float32."""


def _narrow(value: Any, like: Any) -> Any:
    """A float32 in the storage of ``like``, rounded to nearest, ties to even; NaN stays NaN."""


@overload(_widen)
def _widen_for(stored):  # type: ignore[no-untyped-def]
    if stored == types.uint16:
        return lambda stored: np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32)
    return lambda stored: stored


@overload(_narrow)
def _narrow_for(value, like):  # type: ignore[no-untyped-def]
    if like != types.uint16:
        return lambda value, like: value

    def narrow(value, like):  # type: ignore[no-untyped-def]
        bits = np.float32(value).view(np.uint32)
        odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
        rounded = np.uint32(np.uint32(bits + np.uint32(0x7FFF)) + odd)
        quiet = np.uint32(bits | np.uint32(0x400000))  # rounding could turn a NaN into a number
        return np.uint16((quiet if value != value else rounded) >> np.uint32(16))

    return narrow


@compiled
def forward(  # type: ignore[no-untyped-def]
    current, membrane, before, spikes, potential, last, start, stop, alpha, reset, threshold, at_equality
):
    """Eq. 2-3 for neurons ``start`` to ``stop``.

    Args:
        current: (T, n), or (1, n) for the same current at every step.
        membrane: U of the step before the first, (n,) float32.
        before: S of the step before the first, (n,) float32.
        spikes: (T, n), written.
        potential: (T, n), written: the potential before each reset. With no rows it is not kept.
        last: (n,) float32, written: the last potential.
        start: first neuron.
        stop: one past the last neuron.
        alpha: leak factor.
        reset: amount that a spike subtracts from the next potential.
        threshold: firing threshold.
        at_equality: whether a neuron fires at ``U == threshold``.

    Returns:
        False if a last potential is not finite. With a soft reset, NaN and infinity stay in the potential to the end.
    """
    steps, rows, keep = spikes.shape[0], current.shape[0], potential.shape[0] > 0
    zero = _narrow(np.float32(0), spikes[0, 0])
    one = _narrow(np.float32(1), spikes[0, 0])
    U_block, taken_block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    finite = True
    for low in range(start, stop, BLOCK):
        size = min(BLOCK, stop - low)
        U, taken = U_block[:size], taken_block[:size]
        U_start, S_start, U_end = membrane[low : low + size], before[low : low + size], last[low : low + size]
        for i in range(size):
            U[i] = U_start[i]
            taken[i] = reset * S_start[i]
        for t in range(steps):
            drive = current[min(t, rows - 1)][low : low + size]
            fired = spikes[t][low : low + size]
            for i in range(size):
                u = _fused(alpha, U[i], _widen(drive[i])) - taken[i]
                fires = u >= threshold if at_equality else u > threshold
                U[i] = u
                taken[i] = reset if fires else np.float32(0)
                fired[i] = one if fires else zero
            if keep:
                kept = potential[t][low : low + size]
                for i in range(size):
                    kept[i] = _narrow(U[i], kept[i])
        wrong = np.uint32(0)
        for i in range(size):
            U_end[i] = U[i]
            wrong |= np.uint32(0) if abs(U[i]) < np.float32(np.inf) else np.uint32(1)
        finite = finite and wrong == 0
    return finite


@compiled
def backward(potential, by_spikes, by_last, out, by_first, start, stop, alpha, jump, threshold, height, fall):  # type: ignore[no-untyped-def]
    """The gradient of ``forward`` for neurons ``start`` to ``stop``.

    Args:
        potential: (T, n), as ``forward`` wrote it.
        by_spikes: dL/dS, (T, n).
        by_last: dL/dU of the last step, through everything after it, (n,) float32.
        out: dL/dI, written: (T, n), or (1, n), its sum over time, for a constant current.
        by_first: dL/dU of the first step, written, (n,) float32.
        start: first neuron.
        stop: one past the last neuron.
        alpha: leak factor.
        jump: derivative of the reset with respect to its spike; 0 if the reset is treated as a constant.
        threshold: firing threshold.
        height: maximum of the surrogate derivative (Eq. 4).
        fall: slope of the surrogate derivative away from the threshold, below 0.
    """
    steps, summed = potential.shape[0], out.shape[0] < potential.shape[0]
    G_block, total_block = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for low in range(start, stop, BLOCK):
        size = min(BLOCK, stop - low)
        G, total = G_block[:size], total_block[:size]
        G_end, G_start = by_last[low : low + size], by_first[low : low + size]
        for i in range(size):
            G[i] = G_end[i]
            total[i] = np.float32(0)
        for t in range(steps - 1, -1, -1):
            # G is dL/dU[t+1]; before the first iteration it is the gradient that reaches U[T-1] from later steps
            through_leak = alpha if t < steps - 1 else np.float32(1)
            through_reset = jump if t < steps - 1 else np.float32(0)
            U, by_spike = potential[t][low : low + size], by_spikes[t][low : low + size]
            for i in range(size):
                slope = abs(_widen(U[i]) - threshold) * fall + height
                slope = slope if slope > np.float32(0) else np.float32(0)
                carry = G[i] * through_leak - G[i] * slope * through_reset
                G[i] = slope * _widen(by_spike[i]) + carry
            if summed:
                for i in range(size):
                    total[i] += G[i]
            else:
                by_drive = out[t][low : low + size]
                for i in range(size):
                    by_drive[i] = _narrow(G[i], by_drive[i])
        for i in range(size):
            G_start[i] = G[i]
        if summed:
            by_drive = out[0][low : low + size]
            for i in range(size):
                by_drive[i] = _narrow(total[i], by_drive[i])
