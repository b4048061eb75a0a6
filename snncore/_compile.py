"""How the loops of ``_loops`` and ``_event_loops`` are compiled."""

from __future__ import annotations

from typing import Any

import numba


def compiled(function: Any) -> Any:
    """Compile without the interpreter lock, and keep the machine code on disk where a folder can be written."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "no locator available": neither beside this file nor in the user's cache
        return numba.njit(nogil=True)(function)
