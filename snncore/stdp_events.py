"""Event-driven features of a stack trained with STDP, on a CPU: the results of ``stdp_layers.features``.

At the rates that thresholds adapt to, about one neuron in seventy spikes in a step, and adding weights only where spikes
arrive takes a tenth of the time (``events``). The sums are the same except for the order of their float32 additions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import kernels
from .activity import ActivityProbe
from .events import Codes, _padded, _share

if TYPE_CHECKING:
    from .stdp_layers import Trained
    from .topology import Pass

_CHANNELS = 8  # limit for the input: a pixel's spikes are the bits of one byte


def fits(trained: Trained) -> bool:
    """Return whether the loops can run a stack: on a CPU with Numba, float32, soft reset, no refractory period."""
    neuron = trained.config.neuron
    weights = list(trained.weights.values())
    return (
        kernels.path("cpu") == "numba"
        and all(w.device.type == "cpu" and w.dtype == torch.float32 for w in weights)
        and neuron.reset == "soft"
        and not neuron.refractory
        and not neuron.fire_at_equality
        and weights[0].shape[1] <= _CHANNELS
    )


class Stack:
    """A trained stack, with the pooling neurons before its passes and its reader, in the form that the loops need."""

    def __init__(self, trained: Trained, image: tuple[int, ...]) -> None:
        self.trained = trained
        self.codes = Codes(image[0], signed=False)
        self.neurons: list[list[int]] = []
        self.numbers: list[list[float]] = []
        self.links: list[np.ndarray] = []
        self.weights: list[Tensor] = []
        self.shapes: dict[str, tuple[int, ...]] = {"input": image}
        self.words: dict[str, int] = {}
        self.potentials = self.length = self.filtered = 0
        self.reads: list[tuple[str, int]] = []  # site and offset of its filtered spikes
        config = trained.config
        for p in trained.passes:
            leak = 1.0 if p.neuron == "if" else config.neuron.alpha
            taken = leak if config.neuron.order == "reset-then-leak" else 1.0  # in units of the threshold
            weight = trained.weights[p.layer] / trained.thresholds[p.site].view(-1, 1, 1, 1)
            self._add(p.site, self._pooled(p), weight, 1, (1.0, leak, taken))
        for site in self._pooled(trained.reader):
            self._filter(site)

    def _pooled(self, p: Pass) -> tuple[str, ...]:
        """The sites that a pass reads; if it pools, the neurons that make spikes of the pooled values."""
        if p.pool == 1:
            return p.sources
        site, threshold = f"pool of {p.site}", self.trained.config.pool_threshold
        channels = self.shapes[p.sources[0]][0]
        alike = torch.eye(channels)[:, :, None, None]
        self._add(site, p.sources, alike, p.pool, (threshold, 1.0, threshold))
        return (site,)

    def _add(
        self,
        site: str,
        sources: tuple[str, ...],
        weight: Tensor,
        pool: int,
        numbers: tuple[float, float, float],
    ) -> None:
        """Add neurons that read the sum of some sites through ``weight`` (M, C, k, k), after pooling."""
        loops = _loops()
        _, high, wide = self.shapes[sources[0]]
        maps, shape = _padded(len(weight)), (len(weight), high // pool, wide // pool)
        size = maps * shape[1] * shape[2]
        begin = len(self.links)
        for source in sources:
            coded, channels = source == "input", weight.shape[1]
            kinds = self.codes.count if coded else _padded(channels)
            by_input = (
                (weight / pool**2).permute(1, 2, 3, 0).flip(1, 2)
            )  # (C, k, k, M), see events.Connection
            if coded:
                by_input = torch.einsum("kc,cyxm->kyxm", self.codes.signs(), by_input)
            else:
                by_input = F.pad(by_input, (0, 0, 0, 0, 0, 0, 0, kinds - channels))
            link = np.zeros(loops.COLUMNS, np.int64)
            link[[loops.SOURCE, loops.HEIGHT, loops.WIDTH, loops.KINDS, loops.POOL]] = (
                loops.CODES if coded else loops.SPIKES, high, wide, kinds, pool,
            )  # fmt: skip
            link[[loops.HIGH, loops.WIDE, loops.MAPS, loops.KERNEL]] = *shape[1:], maps, weight.shape[-1]
            link[loops.WEIGHTS] = sum(w.numel() for w in self.weights)
            link[loops.READ] = 0 if coded else self.words[source]
            self.links.append(link)
            self.weights.append(F.pad(by_input, (0, maps - len(weight))).flatten())
        self.neurons.append([self.potentials, size, self.length, begin, len(self.links), -1])
        self.numbers.append(list(numbers))
        self.shapes[site], self.words[site] = shape, self.length
        self.potentials += size
        self.length += size // loops.LANES

    def _filter(self, site: str) -> None:
        """Use the spikes of a site as features; more than one site is a sum."""
        index = list(self.words).index(site)
        self.neurons[index][-1] = self.filtered
        self.reads.append((site, self.filtered))
        self.filtered += self.neurons[index][1]

    def features(self, spikes: Tensor, decay: float, probe: Callable[..., None] | None) -> Tensor:
        """Filtered spikes (N, C, H, W) of input spikes (T, N, C, H, W), before division by the filter's gain."""
        from . import _stdp_loops

        steps, count = spikes.shape[:2]
        codes, _ = self.codes.encode(spikes)
        # allocated by torch, which aligns memory to cache lines
        potential = torch.zeros(count, self.potentials).numpy()
        filtered = torch.zeros(count, self.filtered)
        bits = np.zeros((count, self.length), np.uint16)
        kept = np.zeros((count, steps if probe is not None else 0, self.length), np.uint16)
        arrays = (np.array(self.neurons), np.stack(self.links), np.array(self.numbers, np.float32))
        weights = torch.cat(self.weights).numpy()
        _share(
            count,
            lambda start, stop: _stdp_loops.run_stack(
                *arrays,
                weights,
                codes,
                potential,
                bits,
                filtered.numpy(),
                np.float32(decay),
                kept,
                start,
                stop,
            ),
        )
        if not np.isfinite(potential).all():
            raise FloatingPointError("potentials must be finite, got NaN or infinity")
        if isinstance(probe, ActivityProbe):
            self._count(probe, spikes, kept)
        elif probe is not None:
            for t, values in enumerate(self._steps(kept)):
                probe("input", spikes[t : t + 1], timed=True)
                for site, value in values.items():
                    probe(site, value, timed=True)
        total = torch.zeros(())
        for site, begin in self.reads:
            total = total + self._shaped(filtered[:, begin : begin + self._size(site)], site)
        return total

    def _count(self, probe: ActivityProbe, spikes: Tensor, kept: np.ndarray) -> None:
        """Add to the sums of a probe what all its calls would add, from the number of set bits: a tenth of the time."""
        count = kept.shape[0] * kept.shape[1]
        grids = {"input": spikes.sum((0, 1, 2), dtype=torch.float64)}
        ones = _ones()[kept].sum((0, 1), dtype=np.int64)  # (words,)
        for p in self.trained.passes:
            word, (_, high, wide) = self.words[p.site], self.shapes[p.site]
            own = ones[word : word + self._size(p.site) // _loops().LANES]
            grids[p.site] = torch.from_numpy(own).view(high, wide, -1).sum(-1).double()
        for site, grid in grids.items():
            probe._kind[site] = "spikes"
            sums = probe._sums.setdefault(site, [0.0, 0, 0, 0])
            for i, more in enumerate(
                (float(grid.sum()), int(grid.sum()), count * math.prod(self.shapes[site]), count)
            ):
                sums[i] += more
            if probe._positions:
                probe._maps[site] = grid if site not in probe._maps else probe._maps[site] + grid

    def _size(self, site: str) -> int:
        maps, high, wide = self.shapes[site]
        return _padded(maps) * high * wide

    def _shaped(self, flat: Tensor, site: str) -> Tensor:
        """Reshape (N, neurons) of the loops to (N, M, H, W)."""
        maps, high, wide = self.shapes[site]
        return flat.view(len(flat), high, wide, -1)[..., :maps].permute(0, 3, 1, 2)

    def _steps(self, kept: np.ndarray) -> Iterator[dict[str, Tensor]]:
        """Yield the spikes (1, N, M, H, W) of every trained site, step by step."""
        lanes = _loops().LANES
        for t in range(kept.shape[1]):
            found = {}
            for p in self.trained.passes:
                word = self.words[p.site]
                bits = np.ascontiguousarray(kept[:, t, word : word + self._size(p.site) // lanes])
                ones = np.unpackbits(bits.astype("<u2").view(np.uint8), axis=1, bitorder="little")
                found[p.site] = self._shaped(torch.from_numpy(ones).float(), p.site)[None]
            yield found


@lru_cache(maxsize=1)
def _ones() -> np.ndarray:
    """The number of set bits of every 16-bit word."""
    return np.array([word.bit_count() for word in range(1 << 16)], np.uint8)


def _loops() -> Any:
    from . import _event_loops  # its import compiles, so only on use

    return _event_loops
