"""What a recorded benchmark's file holds, for ``bench``, which writes it, and for this chapter, which shows it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from panda2020.runs import sources


def source(topic: str) -> str:
    """SHA-256 of the code behind a topic: its module and what that imports, comments aside."""
    module = f"bench.{topic}"
    return sources.hash_closure(sources.closure(module, sources.disk_reader("bench")))


SCHEMA = 1


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some samples; ``spread`` is their distance as a share of the median."""

    median: float
    lower: float
    upper: float

    @staticmethod
    def of(samples: Sequence[float]) -> Spread:
        """From at least one sample; one alone has no spread."""
        if len(samples) == 1:
            return Spread(samples[0], samples[0], samples[0])
        lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
        return Spread(median, lower, upper)

    @property
    def spread(self) -> float:
        return (self.upper - self.lower) / self.median
