"""An entry: a spec and where in the paper it belongs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One run behind an exhibit. The labels are stored with the run but are no part of its key.

    ``network`` is the registry name, ``role`` what the run stands for ("ann", "snn", ...), ``tables`` the
    exhibits that show it, ``profile`` its scale ("quick" runs are never stored among the paper's results).
    """

    spec: Any
    network: str
    role: str
    profile: str
    tables: tuple[str, ...]
    note: str = ""

    @property
    def labels(self) -> dict[str, Any]:
        """The labels as a record stores them."""
        return {
            "network": self.network,
            "role": self.role,
            "profile": self.profile,
            "tables": [str(table) for table in self.tables],
            "note": self.note,
        }

    def __str__(self) -> str:
        seed = getattr(self.spec, "seed", None)
        return (
            f"{self.network} {self.role}" + ("" if seed is None else f" seed {seed}") + f" ({self.profile})"
        )
