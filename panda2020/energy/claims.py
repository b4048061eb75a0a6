"""The claims on the energy model and how each is estimated."""

from __future__ import annotations

from panda2020.claims.evidence import Case
from panda2020.claims.protocol import same
from panda2020.claims.registry import Finding, estimates
from panda2020.claims.verdicts import Quantity
from panda2020.networks import network, readings
from panda2020.samples import uniform_activity
from snncore.energy import SRAM, report
from snncore.topology import plan

RATES = (0.01, 0.1)  # spikes per neuron and step, what networks of this book do at most and at least, about

STEPS = 25


@estimates("energy-memory-invariant", tables=())
def memory(case: Case) -> Finding:
    """EE with memory accesses divided by EE without, for VGG5 and VGG3x2-v2 at spike rates of 0.01 and 0.1 and T = 25. In
    one case both sides spend the energy of one read per MAC of the ANN on memory ("memory access energy remains same");
    in the other, each side's accesses to on-chip SRAM are counted one by one.
    """
    parts = []
    for name in ("VGG5", "VGG3x2-v2"):
        reading = case.conditions.reading if case.conditions.reading in readings(name) else "A"
        net = network(name, reading)
        passes = plan(net.topology, net.input_shape, net.neuron)
        for rate in RATES:
            plain = report(passes, uniform_activity(passes, rate), STEPS, convention="full")
            counted = report(passes, uniform_activity(passes, rate), STEPS, convention="full", memory=SRAM)
            shared = sum(row.macs for row in plain.rows) * SRAM.weight
            equal = (plain.ann + shared) / (plain.snn + shared) / plain.efficiency
            for how, value in (
                ("the same energy on both sides", equal),
                ("accesses counted", counted.efficiency / plain.efficiency),
            ):
                parts.append(
                    Quantity(
                        f"EE with over EE without memory, {name}, rate {rate:g}: {how}",
                        "×",
                        size=same(),
                        values=(value,),
                        computed=True,
                    )
                )
    return Finding(
        parts,
        caveat="It holds in a third reading, in which memory multiplies the energy of both sides by the same factor "
        "(chapter 2).",
    )
