"""Activity of a network's layers: spikes per neuron and step, by site, averaged over images.

A site is one pass of one layer, so a BackRes block reports each unrolling step separately. Sums are kept
in float64 and updated batch by batch, so memory does not grow with the number of images or time steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ._check import flag, floating


@dataclass(frozen=True)
class SiteActivity:
    """Mean activity of one site over images.

    Attributes:
        kind: "spikes" (values over time) or "real" (one value per image, of a ReLU layer or the image itself).
        rate: spikes per neuron and time step; for real values, the mean absolute value. Signed spikes count by magnitude.
        nonzero: share of entries that are not zero, per step: the part that a zero-skipping accelerator computes.
        positions: (H, W) spikes per step at each position, summed over maps; None if the site has no positions.
        unit: True if every value is 0, 1 or -1, as for spikes; False for real values that are repeated over time.
    """

    kind: str
    rate: float
    nonzero: float
    positions: tuple[tuple[float, ...], ...] | None = None
    unit: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain values. ``unit`` is included only if it is False."""
        return {name: value for name, value in asdict(self).items() if name != "unit" or not value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SiteActivity:
        positions = data.get("positions")
        return cls(
            data["kind"],
            data["rate"],
            data["nonzero"],
            None if positions is None else tuple(tuple(row) for row in positions),
            data.get("unit", True),
        )


class ActivityProbe:
    """Measure activity: pass it as ``probe`` to ``Network.forward``, then call ``result()``.

    Spikes have time as their first dimension; the network marks them with ``timed=True``. Real values that are repeated over
    time, as from ``coding.direct``, are also timed but are not spikes of size 1 (``unit`` is False), and the energy model
    refuses them. To count energy, give the images once, to a network with ``static_input=True``.

    Args:
        positions: also keep the (H, W) sums that border-exact event counts need. Off by default because it costs a reduction.
    """

    def __init__(self, *, positions: bool = False) -> None:
        self._positions = positions
        self._kind: dict[str, str] = {}
        self._sums: dict[str, list[float]] = {}  # values, non-zeros, entries, (steps x images)
        self._maps: dict[str, Tensor] = {}
        self._real: set[str] = set()  # sites with values other than 0, 1 and -1

    def __call__(self, site: str, values: Tensor, *, timed: bool) -> None:
        lead = 2 if flag("timed", timed) else 1  # (T, N, ...) or (N, ...)
        values = floating("values", values).detach()
        if values.dim() < lead:
            wanted = "(T, N, ...)" if timed else "(N, ...)"
            raise ValueError(f"values of {site} must have shape {wanted}, got {tuple(values.shape)}")
        if self._kind.get(site, self._called(timed)) != self._called(timed):
            raise ValueError(
                f"values of {site} must be {self._kind[site]} as before, got {self._called(timed)} values"
            )
        count = values.shape[:lead].numel()
        nonzero = int(torch.count_nonzero(values))
        sums = self._sums.setdefault(site, [0.0, 0, 0, 0])
        self._kind[site] = self._called(timed)
        total = float(
            torch.linalg.vector_norm(values, 1, dtype=torch.float64)
        )  # for spikes, their exact number
        if total != nonzero or (nonzero and float(torch.linalg.vector_norm(values, torch.inf)) > 1):
            self._real.add(site)
        sums[0] += total
        sums[1] += nonzero
        sums[2] += values.numel()
        sums[3] += count
        if self._positions and values.dim() == lead + 3:
            wide = torch.promote_types(values.dtype, torch.float32)
            maps = values.abs().sum(lead, dtype=wide)  # over C: (T, N, H, W) or (N, H, W)
            grid = maps.sum(tuple(range(lead)), dtype=torch.float64)  # (H, W)
            self._maps[site] = grid if site not in self._maps else self._maps[site] + grid

    @staticmethod
    def _called(timed: bool) -> str:
        return "spikes" if timed else "real"

    def result(self) -> dict[str, SiteActivity]:
        """Mean activity per site, in the order of first use.

        Raises:
            ValueError: a site with no image.
            FloatingPointError: a sum that is not finite.
        """
        found = {}
        for site, (values, nonzero, entries, count) in self._sums.items():
            if not entries:
                raise ValueError(f"values of {site} must be those of at least one image, got none")
            if not math.isfinite(values):
                raise FloatingPointError(f"values of {site} must be finite, got a sum of {values}")
            grid = self._maps.get(site)
            positions = None if grid is None else tuple(tuple(row) for row in (grid / count).tolist())
            unit = self._kind[site] != "spikes" or site not in self._real
            found[site] = SiteActivity(self._kind[site], values / entries, nonzero / entries, positions, unit)
        return found
