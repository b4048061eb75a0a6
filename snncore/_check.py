"""Argument checks: one sentence that names the argument, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

MOST_STEPS = 100_000  # time steps that are held in memory together


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """Return ``value`` as an int; raise ``ValueError`` unless it is a whole number >= ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def time_steps(name: str, value: Any) -> int:
    """Return T as an int; raise ``ValueError`` unless it is a whole number from 1 to ``MOST_STEPS``."""
    if whole(name, value) > MOST_STEPS:
        raise ValueError(f"{name} must be at most {MOST_STEPS:,} time steps, got {value!r}")
    return int(value)


def floating(name: str, value: Any) -> Tensor:
    """Return ``value``; raise ``ValueError`` unless it is a floating-point tensor."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{name} must be a floating-point tensor, got {got}")
    return value


def drawn_by(generator: Any, values: Tensor) -> torch.Generator:
    """Return ``generator``; raise ``ValueError`` unless it is one on the device of ``values``."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be a torch.Generator, got {generator!r}")
    if generator.device.type != values.device.type:
        raise ValueError(
            f"generator must be on the values' device, {values.device.type}, got one on {generator.device.type}"
        )
    return generator


def positive(name: str, value: Any) -> float:
    """Return ``value`` as a float; raise ``ValueError`` unless it is a finite number > 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < float("inf"):  # type: ignore[operator]
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    return float(value)


def between(name: str, value: Any, low: float, high: float) -> float:
    """Return ``value`` as a float; raise ``ValueError`` unless ``low <= value <= high``."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{name} must lie between {low} and {high}, got {value!r}")
    return float(value)


def one_of(name: str, value: T, allowed: Collection[T]) -> T:
    """Return ``value``; raise ``ValueError`` unless it is one of ``allowed``."""
    if not any(isinstance(value, type(known)) and value == known for known in allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def flag(name: str, value: Any) -> bool:
    """Return ``value``; raise ``ValueError`` unless it is True or False itself."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value
