"""Compilation of the loops in ``_loops`` and ``_event_loops``."""

from __future__ import annotations

from typing import Any

import numba


def compiled(function: Any) -> Any:
    """Compile with the interpreter lock released. Cache the machine code on disk if a cache folder is writable."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "no locator available": there is no writable cache folder
        return numba.njit(nogil=True)(function)
