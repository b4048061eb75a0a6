"""Event-driven balancing and simulation on a CPU: the results of ``stepper``, in time proportional to the number of spikes.

Converted networks are silent most of the time, so the weighted sums are not computed as matrix products: every spike
adds its weights to the potentials it reaches (``_event_loops``). The sums are the same except for the order of their
float32 additions. Each image needs only its own spikes, so numbers do not depend on batches, chunks or threads.
``conversion`` and ``simulation`` use the dense operations of ``stepper`` on a GPU, without Numba, for weights that are
not float32, and for coded input of more than five channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from . import kernels
from .network import Network
from .topology import Pass

_CHANNELS = 5  # limit for coded input: the signed spikes of one pixel are one uint8 below 3^5


def usable(network: Network) -> bool:
    """Return whether the event loops can run a network made by ``conversion.spiking``."""
    weights = [p for p in network.layers.parameters() if p.dim() > 1]
    return (
        kernels.path("cpu") == "numba"
        and all(w.device.type == "cpu" and w.dtype == torch.float32 for w in weights)
        and (network.plan[0].static or network.input_shape[0] <= _CHANNELS)
    )


class Codes:
    """Encode the spikes of one pixel as one number.

    Each channel is one digit: base 2, or base 3 if the spikes are signed.
    """

    def __init__(self, channels: int, *, signed: bool) -> None:
        self.channels, self.base = channels, 3 if signed else 2
        self.count = self.base**channels

    def encode(self, spikes: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Encode spikes (T, N, C, H, W).

        Returns:
            The codes, uint8 (N, T, H W), and the number of spikes, int32 (N, C, H, W).
        """
        steps, images, channels, *size = spikes.shape
        codes = np.empty((images, steps, math.prod(size)), np.uint8)
        seen = np.zeros((images, channels, math.prod(size)), np.int32)
        _loops().code_input(spikes.contiguous().flatten(3).numpy(), self.base, codes, seen)
        return codes, seen

    def signs(self) -> Tensor:
        """The spike of each channel for every code, (codes, channels)."""
        code = torch.arange(self.count)
        digits = torch.stack([code // self.base**c % self.base for c in range(self.channels)], 1)
        return torch.where(digits == 2, -1.0, digits.float())


class Connection:
    """One pass in the form that the loops need: ``table`` (columns of ``_event_loops``) and flat float32 ``weights``."""

    def __init__(self, network: Network, p: Pass, codes: Codes) -> None:
        loops = _loops()
        self.site, self.source, self.shape = p.site, p.sources[0].partition(":")[0], p.out_shape
        high, wide = p.out_shape[1:] if len(p.out_shape) == 3 else (1, 1)
        self.maps = _padded(p.out_shape[0])
        self.positions = (high, wide)
        self.neurons = high * wide * self.maps
        self.words = self.neurons // loops.LANES
        self.table = np.zeros(loops.COLUMNS, np.int64)
        self.table[[loops.HIGH, loops.WIDE, loops.MAPS]] = high, wide, self.maps
        self.weights = _NOTHING
        if p.static:
            self.table[loops.SOURCE] = loops.CONSTANT
            return
        coded = self.source == "input"
        made = {q.site: q.out_shape for q in network.plan} | {"input": network.input_shape}
        channels, height, width = (*made[self.source], 1, 1)[:3]  # before matching and pooling
        kinds = codes.count if coded else _padded(channels)  # inputs at one position
        self.table[loops.SOURCE] = loops.CODES if coded else loops.SPIKES
        self.table[[loops.HEIGHT, loops.WIDTH, loops.KINDS]] = height, width, kinds
        self.table[[loops.POOL, loops.DENSE]] = p.pool, p.kind == "dense"
        self.table[loops.KERNEL] = p.kernel if p.kind == "conv" else 1
        weight = network.layers[p.layer].weight.detach() / p.pool**2  # type: ignore[operator]
        if p.kind == "dense":
            weight = weight.unflatten(1, (-1, height // p.pool, width // p.pool))
        by_input = weight.transpose(0, 1)  # (inputs, outputs, rows, columns)
        match = getattr(network, f"match_{p.layer}", None)
        if match is not None and p.unroll > 1:  # effect of matching on each channel
            shares = match(torch.eye(channels)[:, :, None, None]).flatten(1)
            by_input = torch.einsum("ci,ioyx->coyx", shares, by_input)
        if coded:
            by_input = torch.einsum("ci,ioyx->coyx", codes.signs(), by_input)
        else:
            by_input = F.pad(by_input, (0, 0, 0, 0, 0, 0, 0, kinds - channels))
        by_input = F.pad(by_input, (0, 0, 0, 0, 0, self.maps - p.out_shape[0]))
        # flipped: the neuron in the row above an input sees it in the last row of its window
        laid = by_input.permute(2, 3, 0, 1) if p.kind == "dense" else by_input.permute(0, 2, 3, 1).flip(1, 2)
        self.weights = laid.contiguous().flatten().numpy()

    def constant(self, current: Tensor) -> np.ndarray:
        """Convert a current (N, ...) to (N, neurons), the layout of the loops."""
        padded = F.pad(current.movedim(1, -1), (0, self.maps - self.shape[0]))
        return padded.contiguous().flatten(1).numpy()

    def values(self, flat: np.ndarray) -> Tensor:
        """Convert values (N, neurons) of the loops to float32 (N, ...) in the layer's shape."""
        shaped = torch.from_numpy(flat).unflatten(1, (*self.positions, self.maps))[..., : self.shape[0]]
        return shaped.movedim(-1, 1).float().reshape(len(flat), *self.shape)


class Simulation:
    """A converted network in the form that the loops need; ``start`` makes the state of one batch of images."""

    def __init__(self, network: Network, *, signed: bool) -> None:
        loops = _loops()
        neurons = dict(network.sites())
        self.codes = Codes(network.input_shape[0], signed=signed)
        self.connections = [Connection(network, p, self.codes) for p in network.plan if p.site in neurons]
        self.thresholds = np.array([neurons[c.site].threshold for c in self.connections], np.float32)
        potentials, words, weights = (
            np.cumsum([0, *sizes])
            for sizes in zip(*((c.neurons, c.words, len(c.weights)) for c in self.connections), strict=True)
        )
        self.neurons, self.words = int(potentials[-1]), int(words[-1])
        self.places = {
            c.site: slice(*pair)
            for c, pair in zip(self.connections, pairwise(potentials.tolist()), strict=True)
        }
        first_word = {c.site: first for c, first in zip(self.connections, words.tolist(), strict=False)}
        self.table = np.stack([c.table for c in self.connections])
        self.table[:, loops.NEURONS], self.table[:, loops.BITS] = potentials[:-1], words[:-1]
        self.table[:, loops.WEIGHTS] = weights[:-1]
        self.table[:, loops.READ] = [first_word.get(c.source, 0) for c in self.connections]
        self.weights = torch.cat([torch.from_numpy(c.weights) for c in self.connections]).numpy()

    def start(self, count: int, constants: Mapping[str, Tensor]) -> SimulationState:
        """The state of ``count`` images at rest.

        Args:
            count: number of images.
            constants: currents (N, ...) of the sites whose input does not change over time.
        """
        return SimulationState(self, count, constants)


class SimulationState:
    """One batch of images during its simulation."""

    def __init__(self, simulation: Simulation, count: int, constants: Mapping[str, Tensor]) -> None:
        self.simulation = simulation
        # allocated by torch, which aligns memory to cache lines
        self.potential = torch.zeros(count, simulation.neurons).numpy()
        self.fired = torch.zeros(count, simulation.neurons, dtype=torch.int32).numpy()
        self.bits = np.zeros((count, simulation.words), np.uint16)
        self.constants = torch.zeros(count, simulation.neurons if constants else 0).numpy()
        for c in simulation.connections:
            if c.site in constants:
                self.constants[:, simulation.places[c.site]] = c.constant(constants[c.site])
        self.input: Tensor | None = None  # spikes counted, of either sign

    def advance(self, x: Tensor | None, steps: int) -> None:
        """Simulate ``steps`` more steps of input spikes (T, N, C, H, W), or None if the input does not change over time."""
        s = self.simulation
        count = len(self.potential)
        codes = np.zeros((count, steps, 0), np.uint8)
        if x is not None:
            codes, found = s.codes.encode(x)
            seen = torch.from_numpy(found).float().view(x.shape[1:])
            self.input = seen if self.input is None else self.input.add_(seen)
        _share(
            count,
            lambda start, stop: _loops().run(
                s.table, s.thresholds, s.weights, codes, self.constants, self.potential, self.fired, self.bits,
                start, stop,
            ),
        )  # fmt: skip

    def potentials(self) -> Iterator[tuple[str, Tensor]]:
        """Potentials after the reset, by site. They are NaN if a weight is not finite, even if no spike has used it."""
        for c in self.simulation.connections:
            whole = bool(np.isfinite(c.weights).all())
            yield (
                c.site,
                c.values(self.potential[:, self.simulation.places[c.site]])
                if whole
                else torch.tensor(math.nan),
            )

    def counts(self) -> dict[str, Tensor]:
        """Number of spikes so far by site, float32 (N, ...)."""
        found = {} if self.input is None else {"input": self.input.clone()}
        for c in self.simulation.connections:
            found[c.site] = c.values(self.fired[:, self.simulation.places[c.site]])
        return found


class Balancing:
    """Balancing of one pass. ``sources`` holds the pass's inputs by image: codes or bits (T, ...)."""

    def __init__(self, network: Network, *, signed: bool) -> None:
        self.network, self.codes = network, Codes(network.input_shape[0], signed=signed)
        self._last: Connection | None = None

    def peak(self, p: Pass, sources: list[np.ndarray]) -> float:
        """The largest weighted sum."""
        c, found = self._connection(p), np.full(len(sources), -np.inf, np.float32)

        def work(start: int, stop: int) -> None:
            for i in range(start, stop):
                found[i] = _loops().peak(c.table, c.weights, sources[i], found[max(i - 1, start)])

        _share(len(sources), work)
        return float(found.max())

    def currents(self, p: Pass, sources: list[np.ndarray]) -> Iterator[Tensor]:
        """All weighted sums, in chunks (steps, positions, channels) of one image."""
        c = self._connection(p)
        chunk = max(1, (1 << 20) // c.neurons)
        for source in sources:
            for begin in range(0, len(source), chunk):
                out = np.empty((min(chunk, len(source) - begin), c.neurons), np.float32)
                _loops().currents(c.table, c.weights, source[begin:], out)
                yield torch.from_numpy(out).view(len(out), -1, c.maps)[..., : c.shape[0]]

    def fire(self, p: Pass, sources: list[np.ndarray], threshold: float) -> list[np.ndarray]:
        """Spikes as bits (T, words), by image."""
        c = self._connection(p)
        return self._fire(c, sources, [_NOTHING] * len(sources), threshold)

    def fire_constant(self, p: Pass, current: Tensor, steps: int, threshold: float) -> list[np.ndarray]:
        """``fire`` for a current (N, ...) that does not change over time."""
        c = self._connection(p)
        nothing = np.zeros((steps, 0), np.uint16)
        return self._fire(c, [nothing] * len(current), list(c.constant(current)), threshold)

    def _fire(
        self, c: Connection, sources: list[np.ndarray], constants: list[np.ndarray], threshold: float
    ) -> list[np.ndarray]:
        out = [np.empty((len(source), c.words), np.uint16) for source in sources]

        def work(start: int, stop: int) -> None:
            for i in range(start, stop):
                _loops().spike_bits(
                    c.table, c.weights, sources[i], constants[i], np.float32(threshold), out[i]
                )

        _share(len(sources), work)
        return out

    def _connection(self, p: Pass) -> Connection:
        if self._last is None or self._last.site != p.site:
            self._last = Connection(self.network, p, self.codes)
        return self._last


def bytes_of_spikes(p: Pass) -> int:
    """Bytes that the spikes of one pass take, for one image and one step."""
    high, wide = p.out_shape[1:] if len(p.out_shape) == 3 else (1, 1)
    return high * wide * _padded(p.out_shape[0]) // 8


_NOTHING = np.zeros(0, np.float32)


def _loops() -> Any:
    from . import _event_loops  # its import compiles, so only on use

    return _event_loops


def _padded(channels: int) -> int:
    """Number of channels, rounded up to whole groups."""
    lanes = int(_loops().LANES)
    return -(-channels // lanes) * lanes


def _share(count: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(start, stop)`` on parts of ``count`` images, in as many threads as torch uses."""
    size = -(-count // min(torch.get_num_threads(), count))
    pieces = [(start, min(start + size, count)) for start in range(0, count, size)]
    if len(pieces) == 1:
        work(*pieces[0])
        return
    with ThreadPoolExecutor(len(pieces)) as pool:
        for job in [pool.submit(work, *piece) for piece in pieces]:
            job.result()
