r"""Leaky integrate-and-fire neurons as one scan over time (paper: Eq. 1-4, sections 3.1 and 3.2.2).

The membrane potential before the reset, ``U``, and the spikes, ``S``, follow one of three recurrences::

    leak-then-reset, soft   U[t] = alpha U[t-1] + I[t] - threshold S[t-1]       (Eq. 2-3, Neftci et al. 2019)
    reset-then-leak, soft   U[t] = alpha (U[t-1] - threshold S[t-1]) + I[t]
    hard (either order)     U[t] = alpha U[t-1] (1 - S[t-1]) + I[t]

    S[t] = 1 where U[t] > threshold (or >= with fire_at_equality), else 0.

During a refractory period of ``r`` steps after a spike the potential keeps its value after the reset: the neuron
does not integrate, leak or fire (section 3.1: "membrane potential is not affected").
An integrate-and-fire neuron has ``alpha = 1``; then both soft recurrences agree.

The derivative of the step function is replaced by Eq. 4, ``dS/dU = gamma/threshold max(0, 1 - |U/threshold - 1|)``.

The library uses ``fire``: one autograd function over all time steps that keeps only ``U``. Soft resets run
in compiled loops (``kernels``); all other cases run on PyTorch's operations (``_Scan``).
``fire_reference`` is the same mathematics as a readable loop that autograd differentiates; tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from . import kernels
from ._check import between, flag, floating, one_of, positive, time_steps, whole

RESETS = ("soft", "hard")
ORDERS = ("leak-then-reset", "reset-then-leak")

MOST_HELD = 2**15 - 1  # refractory steps are counted in int16


@dataclass(frozen=True)
class LIF:
    """Parameters of a leaky integrate-and-fire neuron (Eq. 2-4). All are dimensionless; one step is one time unit.

    Attributes:
        alpha: leak factor on the potential per step, in [0, 1]. The paper uses 0.95 to 0.99; 1 does not leak (an IF neuron).
        threshold: potential above which the neuron fires, > 0.
        gamma: damping of the surrogate derivative, > 0; the paper sets 0.3.
        reset: "soft" subtracts the threshold, "hard" sets the potential to zero.
        order: "leak-then-reset" or "reset-then-leak", for soft resets; see the module's equations.
        refractory: number of steps after a spike in which the neuron neither integrates nor fires.
        fire_at_equality: also fire at ``U == threshold``.
        detach_reset: treat the reset as a constant in the backward pass.

    Raises:
        ValueError: a value outside these ranges.
    """

    alpha: float = 0.95
    threshold: float = 1.0
    gamma: float = 0.3
    reset: str = "soft"
    order: str = "leak-then-reset"
    refractory: int = 0
    fire_at_equality: bool = False
    detach_reset: bool = True

    def __post_init__(self) -> None:
        between("alpha", self.alpha, 0.0, 1.0)
        positive("threshold", self.threshold)
        positive("gamma", self.gamma)
        one_of("reset", self.reset, RESETS)
        one_of("order", self.order, ORDERS)
        if whole("refractory", self.refractory, least=0) > MOST_HELD:
            raise ValueError(f"refractory must be at most {MOST_HELD:,} steps, got {self.refractory!r}")
        flag("fire_at_equality", self.fire_at_equality)
        flag("detach_reset", self.detach_reset)


def IF(**options) -> LIF:  # type: ignore[no-untyped-def]
    """An integrate-and-fire neuron: ``LIF`` with ``alpha=1``; accepts every other option of ``LIF``."""
    return LIF(alpha=1.0, **options)


class NeuronState(NamedTuple):
    """The state of a layer of neurons between two chunks of time; every field has shape (N, ...)."""

    membrane: Tensor  # U of the last step, before its reset
    spikes: Tensor  # S of the last step
    held: Tensor | None  # refractory steps left (int16; -1: the last has just passed), None without

    def detach(self) -> NeuronState:
        """The same values, detached from the graph, for truncated back-propagation."""
        return self._replace(membrane=self.membrane.detach())


def surrogate(membrane: Tensor, *, threshold: float = 1.0, gamma: float = 0.3) -> Tensor:
    """The surrogate derivative that replaces dS/dU (Eq. 4): ``gamma/threshold * max(0, 1 - |U/threshold - 1|)``.

    Args:
        membrane: U, any shape.
        threshold: firing threshold.
        gamma: damping.

    Returns:
        The derivative, in the shape of ``membrane``.
    """
    positive("threshold", threshold)
    positive("gamma", gamma)
    floating("membrane", membrane)
    return (1 - (membrane / threshold - 1).abs()).clamp_(min=0).mul_(gamma / threshold)


def fire(
    current: Tensor, neuron: LIF, *, steps: int | None = None, state: NeuronState | None = None
) -> tuple[Tensor, NeuronState]:
    """Run neurons over time and return their spikes and final state.

    Args:
        current: input current, shape (T, N, ...); with ``steps=T`` shape (N, ...), the same current at every step.
        neuron: parameters.
        state: final state of an earlier chunk of time; None starts from rest. Gradients flow through its membrane.
        steps: T for a constant current.

    Returns:
        Spikes of shape (T, N, ...), values 0 and 1, in the dtype of ``current``, and in its memory format if each step is
        one dense block; and the ``NeuronState`` after the last step. The membrane is at least float32.

    Raises:
        ValueError: no time step, a state of another shape, or (on a CPU) a state with spikes other than 0 and 1.
        FloatingPointError: NaN or infinity; on a CPU, it names the first step (from 0) with such a current. On other
            devices the last spikes become NaN instead, because a check would have to wait for the device.
        RuntimeError: a second derivative.
    """
    floating("current", current)
    if not isinstance(neuron, LIF):
        raise ValueError(f"neuron must be a LIF, got {type(neuron).__name__}")
    constant = steps is not None
    if constant:
        time_steps("steps", steps)
    elif current.dim() < 1 or current.shape[0] < 1:
        raise ValueError(f"current must have at least one time step, got shape {tuple(current.shape)}")
    shape = current.shape if constant else current.shape[1:]
    if state is not None:
        _check_state(state, shape)
    if torch.compiler.is_exporting():  # a program for other machines holds only plain operations
        return fire_reference(current, neuron, steps=steps, state=state)
    if (
        torch.compiler.is_dynamo_compiling()
    ):  # cannot trace the compiled loops; imported here because it takes seconds
        return torch.compiler.disable(_scan)(current, neuron, steps, state)
    return _scan(current, neuron, steps, state)


def _scan(
    current: Tensor, neuron: LIF, steps: int | None, state: NeuronState | None
) -> tuple[Tensor, NeuronState]:
    membrane, before, held = (None, None, None) if state is None else state
    if before is not None and before.device.type == "cpu" and (before * (1 - before)).any():  # or NaN
        raise ValueError("state must have spikes of 0 and 1 alone, got other values")
    differentiable = torch.is_grad_enabled() and any(
        x is not None and x.requires_grad for x in (current, membrane)
    )
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        return fire_reference(current, neuron, steps=steps, state=state)
    # torch.compile cannot trace compiled loops; PyTorch's operations give the same bits
    if not torch.compiler.is_compiling() and kernels.take(current, neuron, membrane):
        spikes, last_membrane = _Kernel.apply(current, membrane, before, neuron, steps, differentiable)
        last_held = None
    else:
        wide = current.float() if current.dtype in (torch.float16, torch.bfloat16) else current
        for x in (membrane, before):
            if x is not None and torch.promote_types(x.dtype, wide.dtype) != wide.dtype:
                raise ValueError(f"state must be of {wide.dtype} at most, as the current, got {x.dtype}")
        spikes, last_membrane, left = _Scan.apply(wide, membrane, before, held, neuron, steps, differentiable)
        spikes, last_held = spikes.to(current.dtype), left if neuron.refractory else None
    # a copy, so that in-place changes of the output do not change the state
    return spikes, NeuronState(last_membrane, spikes[-1].detach().clone(), last_held)


def _check_state(state: NeuronState, shape: torch.Size) -> None:
    if not isinstance(state, NeuronState):
        raise ValueError(f"state must be a NeuronState, got {type(state).__name__}")
    floating("state's membrane", state.membrane)
    floating("state's spikes", state.spikes)
    if state.held is not None and getattr(state.held, "dtype", None) != torch.int16:
        raise ValueError(
            f"state must hold steps as int16 or None, got {getattr(state.held, 'dtype', type(state.held).__name__)}"
        )
    for x in state:
        if x is not None and x.shape != shape:
            raise ValueError(f"state must have the shape {tuple(shape)} of one step, got {tuple(x.shape)}")


class _Kernel(torch.autograd.Function):
    """All time steps of one layer in compiled loops. It keeps U, in the dtype of the current."""

    @staticmethod
    def forward(ctx, current, membrane, before, neuron: LIF, steps, differentiable):  # type: ignore[no-untyped-def, override]
        scanned = kernels.forward(
            current, neuron, steps=steps, membrane=membrane, spikes=before, keep=differentiable
        )
        if not scanned.finite:
            raise _not_finite(current, membrane, steps)
        ctx.neuron, ctx.constant = neuron, steps is not None
        if differentiable:
            ctx.save_for_backward(scanned.potential, membrane)
        ctx.set_materialize_grads(False)
        return scanned.spikes, scanned.membrane

    @staticmethod
    def backward(ctx, grad_spikes, grad_membrane):  # type: ignore[no-untyped-def, override]
        _refuse_second_derivative()
        potential, membrane = ctx.saved_tensors
        grad_current, first = kernels.backward(
            potential, grad_spikes, grad_membrane, ctx.neuron, summed=ctx.constant
        )
        carry = None if membrane is None else _pull_back(first, membrane, ctx.neuron, None, None, None)
        return grad_current, carry, None, None, None, None


class _Scan(torch.autograd.Function):
    """All time steps of one layer. The forward pass keeps only U; the backward pass recomputes S and dS/dU from it.

    Without ``differentiable`` only two steps of U exist at a time.
    """

    @staticmethod
    def forward(ctx, current, membrane, before, held, neuron: LIF, steps, differentiable):  # type: ignore[no-untyped-def, override]
        constant = steps is not None
        T = steps if constant else current.shape[0]
        if constant:
            spikes = current.new_empty((T, *current.shape))
        else:  # keeps the convolution's memory format, such as channels_last
            spikes = torch.empty_like(current)
        kept = T if differentiable else min(T, 2)
        potential = torch.empty_like(spikes[:kept])
        holding = torch.zeros_like(potential, dtype=torch.bool) if neuron.refractory else None
        left = None
        if neuron.refractory:
            left = torch.zeros_like(spikes[0], dtype=torch.int16) if held is None else held.clone()
        fires = torch.ge if neuron.fire_at_equality else torch.gt
        U, S = membrane, before
        for t in range(T):
            now = potential[t % kept]
            drive = current if constant else current[t]
            if U is None:
                now.copy_(drive)
            else:
                _charge(drive, U, S, neuron, out=now)
            if left is None:
                fires(now, neuron.threshold, out=spikes[t])
            else:
                blocked = torch.gt(left, 0, out=holding[t % kept])  # type: ignore[index]
                if U is not None:
                    torch.where(blocked, _after_reset(U, S, neuron), now, out=now)
                torch.logical_and(fires(now, neuron.threshold), ~blocked, out=spikes[t])
                left = _count_down(left, spikes[t], neuron)
            U, S = now, spikes[t]
        ctx.neuron, ctx.constant, ctx.started = neuron, constant, membrane is not None
        if differentiable:
            ctx.save_for_backward(potential, holding, membrane, before, held)
        last_membrane = potential[(T - 1) % kept].clone()
        _meet_non_finite(current, membrane, steps, neuron, spikes, last_membrane)
        last_held = current.new_zeros(0, dtype=torch.int16) if left is None else left
        ctx.mark_non_differentiable(last_held)
        ctx.set_materialize_grads(False)
        return spikes, last_membrane, last_held

    @staticmethod
    def backward(ctx, grad_spikes, grad_membrane, _):  # type: ignore[no-untyped-def, override]
        _refuse_second_derivative()
        potential, holding, membrane, before, held = ctx.saved_tensors
        neuron: LIF = ctx.neuron
        T = potential.shape[0]
        if grad_spikes is not None and grad_spikes.stride() != potential.stride():
            grad_spikes = torch.empty_like(potential).copy_(grad_spikes)
        out = torch.empty_like(potential[0]) if ctx.constant else torch.empty_like(potential)
        spare = torch.empty_like(potential[0])
        total = None  # dL/dI summed over time, for a constant current
        carry = grad_membrane  # dL/dU[t] through the future of the membrane
        for t in range(T - 1, -1, -1):
            U = potential[t]
            # dL/dU[t] = dL/dS[t] dS/dU[t] + the gradient from later steps; `here` is a view of the result
            here = spare if ctx.constant else out[t]
            if grad_spikes is None:
                here.zero_()
            else:
                _surrogate_into(U, neuron, here).mul_(grad_spikes[t])
                if holding is not None:  # a held neuron cannot fire
                    here.masked_fill_(holding[t], 0)
            if carry is not None:
                here.add_(carry)
            if t > 0 or ctx.started:
                U_before = potential[t - 1] if t > 0 else membrane
                now_held, held_before = None, None
                if holding is not None:
                    now_held = holding[t]
                    held_before = holding[t - 1] if t > 0 else (held != 0) & (before == 0)
                carry = _pull_back(here, U_before, neuron, now_held, held_before, before if t == 0 else None)
            else:
                carry = None
            if holding is not None:  # a held neuron does not integrate
                here.masked_fill_(holding[t], 0)
            if ctx.constant:
                total = here.clone() if total is None else total.add_(here)
        grad_current = total if ctx.constant else out
        return grad_current, carry, None, None, None, None, None


def _refuse_second_derivative() -> None:
    if torch.is_grad_enabled():
        raise RuntimeError(
            "fire must be differentiated only once, got create_graph=True; fire_reference has higher derivatives"
        )


def _meet_non_finite(current, membrane, steps, neuron: LIF, spikes, last):  # type: ignore[no-untyped-def]
    """Raise ``FloatingPointError`` for NaN or infinity on a CPU; otherwise write NaN into the last spikes.

    With a soft reset they stay in the membrane to the end, even with leak factor 0, where infinity becomes NaN. A hard
    reset removes an infinite potential and a refractory neuron ignores its current, so in these cases all currents are checked.
    """
    watched = [last] if neuron.reset == "soft" and not neuron.refractory else [last, current]
    if current.device.type != "cpu":
        _leave_nan(spikes[-1], watched)
    elif not all(bool(torch.isfinite(x).all()) for x in watched):
        raise _not_finite(current, membrane, steps)


def _leave_nan(spikes: Tensor, watched: list[Tensor]) -> None:
    """Write NaN into one step's spikes where a potential, or a current at any step, is not finite."""
    for x in watched:
        zero = x * 0  # or NaN
        spikes += zero if x.shape == spikes.shape else zero.sum(0)


def _not_finite(current: Tensor, membrane: Tensor | None, steps: int | None) -> FloatingPointError:
    """The error that names the first non-finite value: the state, the current, or the potential they add up to."""
    if membrane is not None and not torch.isfinite(membrane).all():
        return FloatingPointError(f"state must have a finite membrane, got {_first_not_finite(membrane)[1]}")
    drive = current if steps is None else current[None]
    if torch.isfinite(drive).all():
        return FloatingPointError(
            f"current must keep the membrane finite, got up to {drive.abs().max().item():g}"
        )
    step, value = _first_not_finite(drive)
    return FloatingPointError(f"current must be finite, got {value} at step {step}")


def _first_not_finite(x: Tensor) -> tuple[int, float]:
    """Index along the first dimension, and value."""
    place = (~torch.isfinite(x)).nonzero()[0].tolist()
    return place[0] if place else 0, x[tuple(place)].item()


def _charge(drive: Tensor, U: Tensor, S: Tensor, neuron: LIF, *, out: Tensor) -> None:
    """U[t] of the module's equations from U[t-1], S[t-1] and I[t], written into ``out``."""
    if neuron.reset == "hard":
        torch.mul(U, neuron.alpha, out=out).masked_fill_(S > 0, 0).add_(drive)
        return
    reset = neuron.threshold if neuron.order == "leak-then-reset" else neuron.alpha * neuron.threshold
    torch.add(drive, U, alpha=neuron.alpha, out=out)
    out.sub_(S, alpha=reset)


def _after_reset(U: Tensor, S: Tensor, neuron: LIF) -> Tensor:
    """The potential that a refractory neuron keeps: after its reset, before any leak."""
    return torch.where(S > 0, 0.0, U) if neuron.reset == "hard" else U - neuron.threshold * S


def _surrogate_into(U: Tensor, neuron: LIF, out: Tensor) -> Tensor:
    """Eq. 4, written into ``out`` without a temporary."""
    height = neuron.gamma / neuron.threshold
    torch.sub(U, neuron.threshold, out=out)
    return out.abs_().mul_(-height / neuron.threshold).add_(height).clamp_(min=0)


def _count_down(left: Tensor, spikes: Tensor, neuron: LIF) -> Tensor:
    """Number of refractory steps left after this one; -1 marks a neuron whose last one this was."""
    passed = torch.where(left > 0, torch.where(left == 1, -1, left - 1), 0)
    return torch.where(spikes > 0, neuron.refractory, passed).to(torch.int16)


def _pull_back(grad, U, neuron: LIF, held, held_before, spikes_before):  # type: ignore[no-untyped-def]
    """dL/dU[t-1] from dL/dU[t]: the derivative of ``_charge`` (or of a refractory step) with respect to U[t-1].

    U is U[t-1]. held and held_before mark the neurons that were refractory at t and at t-1 (None without a period).
    spikes_before is S[t-1] if it cannot be recomputed from U, at the start of a chunk.
    """
    pulled = grad * neuron.alpha if held is None else torch.where(held, grad, grad * neuron.alpha)
    if neuron.reset == "hard":
        S = spikes_before
        if S is None:
            S = U >= neuron.threshold if neuron.fire_at_equality else U > neuron.threshold
            if held_before is not None:
                S = S & ~held_before
        pulled = pulled.masked_fill(S > 0, 0)
    if neuron.detach_reset:
        return pulled
    slope = surrogate(U, threshold=neuron.threshold, gamma=neuron.gamma)
    if held_before is not None:
        slope = slope.masked_fill(held_before, 0)
    if neuron.reset == "hard":
        jump, held_jump = U * neuron.alpha, U
    else:
        leaked = neuron.threshold * (1.0 if neuron.order == "leak-then-reset" else neuron.alpha)
        jump, held_jump = torch.full_like(U, leaked), torch.full_like(U, neuron.threshold)
    return pulled - grad * slope * (jump if held is None else torch.where(held, held_jump, jump))


class _Spike(torch.autograd.Function):
    """Heaviside step function with Eq. 4 as its derivative, for the reference loop."""

    @staticmethod
    def forward(ctx, U, neuron: LIF):  # type: ignore[no-untyped-def, override]
        ctx.save_for_backward(U)
        ctx.neuron = neuron
        return (U >= neuron.threshold if neuron.fire_at_equality else U > neuron.threshold).to(U.dtype)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def, override]
        (U,) = ctx.saved_tensors
        return grad * surrogate(U, threshold=ctx.neuron.threshold, gamma=ctx.neuron.gamma), None


def fire_reference(
    current: Tensor, neuron: LIF, *, steps: int | None = None, state: NeuronState | None = None
) -> tuple[Tensor, NeuronState]:
    """The same neurons as ``fire``, step by step in plain differentiable operations; slow, for reading and testing."""
    sequence = current if steps is None else current.expand(whole("steps", steps), *current.shape)
    rest = torch.zeros_like(sequence[0])
    U, S, left = (rest, rest, None) if state is None else state
    if left is None:
        left = torch.zeros_like(rest, dtype=torch.int16)
    out = []
    for drive in sequence:
        R = S.detach() if neuron.detach_reset else S
        if neuron.reset == "hard":
            charged, rested = neuron.alpha * U * (1 - R) + drive, U * (1 - R)
        elif neuron.order == "leak-then-reset":
            charged, rested = neuron.alpha * U + drive - neuron.threshold * R, U - neuron.threshold * R
        else:
            charged, rested = neuron.alpha * (U - neuron.threshold * R) + drive, U - neuron.threshold * R
        blocked = left > 0
        U = torch.where(blocked, rested, charged)
        S = torch.where(blocked, torch.zeros_like(U), _Spike.apply(U, neuron))
        left = _count_down(left, S, neuron)
        out.append(S)
    return torch.stack(out), NeuronState(U, S.detach(), left if neuron.refractory else None)
