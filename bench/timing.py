"""Time several functions in turns, so that whatever else the machine does meets them all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from .report import Timing

_Key = TypeVar("_Key")

CLOCK = {"cpu": time.process_time, "wall": time.perf_counter}


def interleaved(
    functions: Mapping[_Key, Callable[[], object]], *, repeats: int, clock: str
) -> dict[_Key, Timing]:
    """Seconds of each function: one round that does not count, then ``repeats`` rounds of one call each.

    Every round starts with another function. Garbage collection waits until the end of a round.
    """
    turns = list(functions)
    seconds: dict[_Key, list[float]] = {key: [] for key in turns}
    wall: dict[_Key, list[float]] = {key: [] for key in turns}
    tick = CLOCK[clock]
    for number in range(repeats + 1):
        first = number % len(turns)
        gc.collect()
        gc.disable()
        try:
            for key in turns[first:] + turns[:first]:
                start, begin = tick(), time.perf_counter()
                functions[key]()
                spent, passed = tick() - start, time.perf_counter() - begin
                if number:
                    seconds[key].append(spent)
                    wall[key].append(passed)
        finally:
            gc.enable()
    return {key: Timing(str(key), tuple(seconds[key]), tuple(wall[key])) for key in turns}
