"""Turn images into input over time: Poisson rate coding, direct coding, latency coding.

Every coder takes static images ``(N, ...)`` and a number of time steps ``T`` and returns ``(T, N, ...)``, in
the images' dtype and on their device. Panda et al. 2020 use Poisson rate coding (section 3.1 and footnote 1):
"real-valued pixel data is converted to a Poisson-distribution based spike train with the spiking frequency
proportional to the pixel value". With at most one spike per step this is one Bernoulli trial per pixel and
step, with the pixel value as its probability. The paper's hybrid nets read the pixels themselves (direct coding).
Section 9.1 suggests latency coding as future work.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._check import between, drawn_by, one_of, time_steps

CODERS = ("poisson", "signed-poisson", "direct", "latency")


def poisson(images: Tensor, steps: int, *, generator: torch.Generator, signed: bool = False) -> Tensor:
    """Rate coding: at every step a pixel of value x spikes with probability \\|x\\|, with the sign of x.

    .. math:: S[t] = \\mathrm{sign}(x)\\; [\\, u[t] < |x| \\,], \\qquad u[t] \\sim \\mathrm{Uniform}[0, 1)

    A pixel of 0 never spikes and a pixel of 1 always does, because u lies in [0, 1).

    Args:
        images: ``(N, ...)``, floating point, in [0, 1], or in [-1, 1] when ``signed``.
        steps: T, at least 1.
        generator: the only source of randomness, on the device of ``images``. Numbers are drawn time step by
            time step, so coding T1 and then T2 steps with one generator equals coding T1 + T2 steps at once.
        signed: allow negative pixels (images with their mean removed), which send spikes of -1.

    Returns:
        ``(T, N, ...)`` spikes: 0 or 1, or -1, 0, 1 when ``signed``.

    Raises:
        ValueError: steps below 1, images that are not floating point, out of range or NaN, or a generator
            that is missing or on another device.
    """
    steps = time_steps("steps", steps)
    _require_range("images", images, -1.0 if signed else 0.0, 1.0)
    drawn_by(generator, images)
    rate = images.abs() if signed else images
    spikes = torch.empty((steps, *images.shape), dtype=images.dtype, device=images.device)
    # Half precision is too coarse to draw from (bfloat16 has only 128 values between 0.5 and 1).
    precision = torch.promote_types(images.dtype, torch.float32)
    # One small buffer that stays in cache is about 1.5 times faster than one draw for all steps.
    draw = torch.empty(images.shape, dtype=precision, device=images.device)
    for t in range(steps):
        torch.rand(images.shape, generator=generator, out=draw)
        torch.lt(draw, rate, out=spikes[t])
    return spikes.mul_(images.sign()) if signed else spikes


def direct(images: Tensor, steps: int) -> Tensor:
    """Direct coding: the real-valued image is the input at every time step, :math:`I[t] = x`.

    Args:
        images: ``(N, ...)``, floating point, finite; any range.
        steps: T, at least 1.

    Returns:
        ``(T, N, ...)``, a view that repeats ``images`` without a copy, so do not write to it. An ``ActivityProbe``
        would count these values as spikes. To count energy, give ``images`` themselves to a network with ``static_input=True``.

    Raises:
        ValueError: steps below 1, or images that are not floating point or not finite.
    """
    steps = time_steps("steps", steps)
    _require_floating("images", images)
    if not bool(images.isfinite().all()):
        raise ValueError("images must be finite, got NaN or infinite values")
    return images.unsqueeze(0).expand(steps, *images.shape)


def latency(images: Tensor, steps: int, *, silent_below: float = 0.0) -> Tensor:
    """Latency (time to first spike) coding: each pixel spikes once; brighter pixels spike earlier.

    .. math:: t(x) = \\mathrm{round}\\big((1 - x)(T - 1)\\big), \\qquad S[t] = [\\, t = t(x) \\,]

    A pixel of 1 spikes at step 0 and a pixel of 0 at the last step, T - 1 (ties round to the even step).

    Args:
        images: ``(N, ...)``, floating point, in [0, 1].
        steps: T, at least 1.
        silent_below: pixels darker than this never spike; with 0 every pixel spikes exactly once.

    Returns:
        ``(T, N, ...)`` spikes, 0 or 1.

    Raises:
        ValueError: steps below 1, images that are not floating point, out of range or NaN, or
            ``silent_below`` outside [0, 1].
    """
    steps = time_steps("steps", steps)
    silent_below = between("silent_below", silent_below, 0.0, 1.0)
    _require_range("images", images, 0.0, 1.0)
    exact = images.to(torch.promote_types(images.dtype, torch.float32))
    when = ((1.0 - exact) * (steps - 1)).round().to(torch.int64).unsqueeze(0)  # (1, N, ...)
    fires = (images >= silent_below).to(images.dtype).unsqueeze(0)  # (1, N, ...)
    silence = torch.zeros((steps, *images.shape), dtype=images.dtype, device=images.device)
    return silence.scatter_(0, when, fires)


def encode(name: str, images: Tensor, steps: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Code ``images`` with the coder called ``name``.

    Args:
        name: "poisson", "signed-poisson", "direct" or "latency".
        images: ``(N, ...)`` in the range of that coder.
        steps: T, at least 1.
        generator: needed by the two Poisson coders; the other two draw no random numbers.

    Returns:
        ``(T, N, ...)``.

    Raises:
        ValueError: an unknown name, or any error of the chosen coder.
    """
    one_of("name", name, CODERS)
    if name == "direct":
        return direct(images, steps)
    if name == "latency":
        return latency(images, steps)
    if generator is None:
        raise ValueError(f"generator must be a torch.Generator for {name!r} coding, got None")
    return poisson(images, steps, generator=generator, signed=name == "signed-poisson")


def _require_floating(name: str, images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"{name} must be a floating-point tensor (see snncore.data.to_unit), got {kind}")


def _require_range(name: str, images: Tensor, low: float, high: float) -> None:
    _require_floating(name, images)
    if images.numel() == 0:
        return
    darkest, brightest = (float(v) for v in images.detach().aminmax())
    # NaN compares as false, so this form refuses it too.
    if not (low <= darkest and brightest <= high):
        raise ValueError(
            f"{name} must lie between {low} and {high}, got values from {darkest} to {brightest}"
        )
