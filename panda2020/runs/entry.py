"""An entry: a spec and its place in the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One run behind an exhibit. The labels are stored with the run but are not part of its key.

    Attributes:
        spec: the spec.
        network: the registry name.
        role: the purpose of the run ("ann", "snn", ...).
        tables: the exhibits that show it.
        profile: its scale ("quick" runs are never stored among the paper's results).
        note: free text for readers.
        interpretation: the reading of the paper's words that the network follows.
    """

    spec: Any
    network: str
    role: str
    profile: str
    tables: tuple[str, ...]
    note: str = ""
    interpretation: str = "A"

    @property
    def labels(self) -> dict[str, Any]:
        """The labels as a record stores them."""
        return {
            "network": self.network,
            "role": self.role,
            "profile": self.profile,
            "tables": [str(table) for table in self.tables],
            "note": self.note,
            "interpretation": self.interpretation,
        }

    @classmethod
    def labelled(cls, spec: Any, labels: Mapping[str, Any]) -> Entry:
        """The entry of a record's spec and labels."""
        return cls(spec, **{**labels, "tables": tuple(labels["tables"])})

    def __str__(self) -> str:
        seed = getattr(self.spec, "seed", None)
        return (
            f"{self.network} {self.role}" + ("" if seed is None else f" seed {seed}") + f" ({self.profile})"
        )
