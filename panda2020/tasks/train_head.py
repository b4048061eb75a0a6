"""Task "train-head": a run of task "train" whose classifier has options (``NetworkConfig.head_options``).

Options of a head may have any type, which a spec cannot hold; here they are numbers, words and switches.
"""

from __future__ import annotations

from dataclasses import dataclass

from snncore import stochmax
from snncore.network import NetworkConfig

from . import train

execute, first_epoch, minutes = train.execute, train.first_epoch, train.minutes


@dataclass(frozen=True)
class HeadConfig(NetworkConfig):
    """A network configuration with a stochmax head, and its options as (name, value) pairs sorted by name."""

    head: str = "stochmax"
    head_options: tuple[tuple[str, bool | float | str], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [name for name, _ in self.head_options]
        if names != sorted(set(names)):  # one choice, one key
            raise ValueError(f"head_options must be sorted by name, each name once, got {', '.join(names)}")
        if self.head != "stochmax":
            raise ValueError(f"head must be 'stochmax', which alone has options, got {self.head!r}")
        stochmax.StochmaxConfig(**dict(self.head_options))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Spec(train.Spec):
    """``train.Spec`` with a ``HeadConfig`` for ``network``."""

    network: HeadConfig


def memory(spec: Spec) -> float:
    """Estimated peak memory in MiB, as for a run with any head."""
    return train.memory(spec)
