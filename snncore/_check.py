"""Argument checks: one sentence that names the argument, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any, TypeVar

T = TypeVar("T")


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """Return ``value`` as an int; raise ``ValueError`` unless it is a whole number >= ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


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
