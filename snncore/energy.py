"""Inference energy of an SNN and of the ANN of the same shape (section 7, Eq. 8-11, Table 1).

.. code-block:: text

    Eq. 8    FLOPS_ANN = O^2 N k^2 M                 multiply-accumulates (MAC) of one layer, once per image
    Eq. 9    FLOPS_SNN = O^2 N k^2 M SA              accumulates (AC) of one layer, per time step
    Eq. 10   E_ANN = sum over layers FLOPS_ANN E_MAC
    Eq. 11   E_SNN = sum over layers FLOPS_SNN E_AC T
             EE = E_ANN / E_SNN

N input maps, M output maps, O x O output positions, k x k kernel, SA spikes per neuron and step, T steps.
Energies are in picojoule (pJ) per image. The equations do not say which rate SA is or what a real-valued
input costs, so there are three named conventions:

- ``paper``: SA is the layer's own firing rate. Every spiking layer is charged AC only, including the first one,
  which reads real values. ReLU layers are charged MAC; the classifier is one MAC pass.
- ``physical``: the spikes that *enter* a layer trigger its accumulates, counted before the average pool. A
  constant real input costs one MAC pass for any T. Layers after the mean over T run once, as MAC.
- ``full``: ``physical`` plus the neuron updates (leak multiply, add, compare per neuron and step; IF has no
  leak) and, if a ``Memory`` is given, memory accesses.

An efficiency means little without its T and accuracy: print them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ._check import one_of, positive, whole
from .operations import dense_count, entering, event_count, macs, site_of, spikes_of
from .topology import SPIKING

if TYPE_CHECKING:
    from .activity import SiteActivity
    from .topology import Pass


CONVENTIONS = ("paper", "physical", "full")


@dataclass(frozen=True)
class Prices:
    """Energy of one 32-bit operation in pJ, 45 nm CMOS.

    Attributes:
        mac: a multiply-accumulate, ``multiply`` + ``ac``.
        ac: an accumulate.

    Raises:
        ValueError: a value that is not a finite number above 0, or ``mac`` below ``ac``.
    """

    name: str
    mac: float
    ac: float

    def __post_init__(self) -> None:
        positive("prices.mac", self.mac)
        positive("prices.ac", self.ac)
        if self.mac < self.ac:
            raise ValueError(f"prices.mac must be at least prices.ac ({self.ac}), got {self.mac}")

    @property
    def multiply(self) -> float:
        """Energy of the multiplication alone, pJ."""
        return self.mac - self.ac


# Horowitz, ISSCC 2014, as tabulated by Han et al. 2015b (Table 1): add 0.1 and multiply 3.1 pJ as 32-bit
# integers, add 0.9 and multiply 3.7 pJ as 32-bit floats.
INT32 = Prices("int32", mac=3.2, ac=0.1)

FLOAT32 = Prices("float32", mac=4.6, ac=0.9)

PRICES = {prices.name: prices for prices in (INT32, FLOAT32)}


@dataclass(frozen=True)
class Memory:
    """Energy of one 32-bit access in pJ, counted without any reuse.

    A MAC reads a weight and an activation. An AC reads a weight, and reads and writes a membrane. A neuron
    update reads and writes a membrane. A real output is written once. A spike is written once, and read once
    by each pass it enters (one 32-bit address).
    """

    name: str
    weight: float
    activation: float
    membrane: float

    def __post_init__(self) -> None:
        for field in ("weight", "activation", "membrane"):
            positive(f"memory.{field}", getattr(self, field))


# Han et al. 2015b, Table 1 (45 nm): 32-bit SRAM cache 5 pJ, 32-bit DRAM 640 pJ.
SRAM = Memory("sram", weight=5.0, activation=5.0, membrane=5.0)

DRAM_WEIGHTS = Memory("dram weights", weight=640.0, activation=5.0, membrane=5.0)

DRAM = Memory("dram", weight=640.0, activation=640.0, membrane=640.0)

MEMORIES = {memory.name: memory for memory in (SRAM, DRAM_WEIGHTS, DRAM)}


@dataclass(frozen=True)
class Row:
    """One pass of one layer. All values are per image, energies in pJ."""

    site: str
    layer: str
    neuron: str
    macs: int  # Eq. 8, of one pass
    mac_operations: float  # charged to the SNN
    ac_operations: float
    events: float | None  # border-exact accumulates over T, shown separately; None without (mapped) spikes
    update_pj: float  # neuron updates (convention "full")
    memory_pj: float  # memory accesses of the SNN (convention "full" with a Memory)
    snn_pj: float  # all of the above
    ann_pj: float
    skipping_pj: float | None  # the ANN if it skips zero inputs; None without ann_activity

    @property
    def operations(self) -> float:
        """Operations the SNN is charged for, MAC and AC together."""
        return self.mac_operations + self.ac_operations

    @property
    def unit(self) -> str:
        """The kind of these operations, "MAC", "AC" or "MAC+AC"."""
        if self.mac_operations:
            return "MAC+AC" if self.ac_operations else "MAC"
        return "AC"


@dataclass(frozen=True)
class EnergyReport:
    """Energy per image, pass by pass. Totals are in pJ."""

    rows: tuple[Row, ...]
    steps: int
    convention: str
    prices: Prices
    memory: Memory | None = None

    @property
    def ann(self) -> float:
        """Energy of the ANN of the same shape, every layer once (Eq. 10)."""
        return sum(row.ann_pj for row in self.rows)

    @property
    def snn(self) -> float:
        """Energy of the SNN under this report's convention (Eq. 11)."""
        return sum(row.snn_pj for row in self.rows)

    @property
    def efficiency(self) -> float:
        """EE = E_ANN / E_SNN.

        A classifier is always charged, so a silent network with a classifier has a finite EE. EE is infinite if nothing is
        charged: a plan without a classifier in which all layers are silent.
        """
        return self.ann / self.snn if self.snn else math.inf

    @property
    def spiking_efficiency(self) -> float | None:
        """EE of the LIF / IF layers alone (EE_Conv of Table 6).

        None without such layers; infinite if all of them are silent and nothing else is charged to them.
        """
        spiking = [row for row in self.rows if row.neuron in SPIKING]
        if not spiking:
            return None
        return replace(self, rows=tuple(spiking)).efficiency

    @property
    def zero_skipping(self) -> float | None:
        """E_ANN if multiplications by a zero input are skipped; None without ``ann_activity``."""
        parts = [row.skipping_pj for row in self.rows if row.skipping_pj is not None]
        return sum(parts) if len(parts) == len(self.rows) else None

    @property
    def zero_skipping_efficiency(self) -> float | None:
        """EE against the zero-skipping ANN."""
        if self.zero_skipping is None:
            return None
        return self.zero_skipping / self.snn if self.snn else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; an infinite efficiency becomes the string "infinite"."""

        def plain(value: float | None) -> float | str | None:
            return "infinite" if value == math.inf else value

        return {
            "steps": self.steps,
            "convention": self.convention,
            "prices": asdict(self.prices),
            "memory": None if self.memory is None else asdict(self.memory),
            "ann_pj": self.ann,
            "snn_pj": self.snn,
            "efficiency": plain(self.efficiency),
            "spiking_efficiency": plain(self.spiking_efficiency),
            "zero_skipping_pj": self.zero_skipping,
            "zero_skipping_efficiency": plain(self.zero_skipping_efficiency),
            "rows": [{**asdict(row), "operations": row.operations, "unit": row.unit} for row in self.rows],
        }


def report(
    plan: Sequence[Pass],
    activity: Mapping[str, SiteActivity],
    steps: int,
    *,
    prices: Prices = INT32,
    convention: str = "paper",
    ann_activity: Mapping[str, SiteActivity] | None = None,
    memory: Memory | None = None,
) -> EnergyReport:
    """Energy per image of the network that ``plan`` describes, from its activity in T = ``steps`` steps.

    Args:
        plan: every pass of the network.
        activity: the ``ActivityProbe`` result, by site ("input", "conv1", "conv2.1" ...).
        steps: T, at least 1.
        convention: "paper", "physical" or "full"; see the module.
        prices: energy of a MAC and an AC.
        memory: energy of memory accesses; only for convention "full".
        ann_activity: activity of the all-ReLU network; adds the zero-skipping baseline.

    Returns:
        One row per pass, with totals.

    Raises:
        ValueError: an unknown convention, T < 1, a missing site, or activity of the wrong kind.
    """
    steps = whole("steps", steps)
    one_of("convention", convention, CONVENTIONS)
    if memory is not None and convention != "full":
        raise ValueError(f"memory needs convention 'full', got convention {convention!r}")
    if not plan:
        raise ValueError("plan must hold at least one pass, got none")
    rows = []
    for p in plan:
        mac, ac = (_paper if convention == "paper" else _physical)(p, activity, steps)
        update = _update(p, steps, prices) if convention == "full" else 0.0
        access = 0.0 if memory is None else _access(p, activity, steps, mac, ac, memory)
        one_mac = prices.mac + (0.0 if memory is None else memory.weight + memory.activation)
        written = 0.0 if memory is None else math.prod(p.out_shape) * memory.activation
        skipping = None
        if ann_activity is not None:
            skipping = macs(p) * _density(p, ann_activity) * one_mac + written
        rows.append(
            Row(
                site=p.site,
                layer=p.layer,
                neuron=p.neuron,
                macs=macs(p),
                mac_operations=mac,
                ac_operations=ac,
                events=_events(p, activity, steps),
                update_pj=update,
                memory_pj=access,
                snn_pj=mac * prices.mac + ac * prices.ac + update + access,
                ann_pj=macs(p) * one_mac + written,
                skipping_pj=skipping,
            )
        )
    return EnergyReport(tuple(rows), steps, convention, prices, memory)


def _paper(p: Pass, activity: Mapping[str, SiteActivity], steps: int) -> tuple[float, float]:
    """MAC and AC operations of one pass: Eq. 9 with the pass's own rate for a spiking layer, else one MAC pass."""
    if p.neuron in SPIKING:
        return 0.0, macs(p) * spikes_of(p.site, activity).rate * steps
    return float(macs(p)), 0.0


def _physical(p: Pass, activity: Mapping[str, SiteActivity], steps: int) -> tuple[float, float]:
    """MAC and AC operations of one pass: real constants are multiplied once, spikes add."""
    if p.static or p.once:
        return float(macs(p)), 0.0
    return 0.0, dense_count(p, activity) * steps


def _events(p: Pass, activity: Mapping[str, SiteActivity], steps: int) -> float | None:
    """Border-exact accumulates over T, or None if no spikes enter or the activity has no positions."""
    if p.static or p.once or any(name not in activity for name in p.sources):
        return None
    events = event_count(p, activity)
    return None if events is None else events * steps


def _update(p: Pass, steps: int, prices: Prices) -> float:
    """Neuron updates in pJ: add the current, compare with the threshold (an add); a LIF neuron also multiplies by its leak."""
    if p.neuron not in SPIKING:
        return 0.0
    one = 2 * prices.ac + (prices.multiply if p.neuron == "lif" else 0.0)
    return math.prod(p.out_shape) * steps * one


def _access(
    p: Pass, activity: Mapping[str, SiteActivity], steps: int, mac: float, ac: float, memory: Memory
) -> float:
    """Memory accesses of the SNN in pJ, see ``Memory``."""
    neurons = math.prod(p.out_shape)
    energy = mac * (memory.weight + memory.activation) + ac * (memory.weight + 2 * memory.membrane)
    if p.neuron not in SPIKING:
        return energy + neurons * memory.activation
    spikes = spikes_of(p.site, activity).rate * neurons + (0.0 if p.static else entering(p, activity))
    return energy + neurons * steps * 2 * memory.membrane + spikes * steps * memory.activation


def _density(p: Pass, activity: Mapping[str, SiteActivity]) -> float:
    """Share of non-zero values that the ANN's pass reads. A pooled cell or a residual sum is zero only if
    all its parts are: estimated as if they were independent (exact without pooling and sums).
    """
    zero = 1.0
    for source in p.sources:
        zero *= (1.0 - site_of(source, activity, "ann_activity").nonzero) ** (p.pool**2)
    return 1.0 - zero
