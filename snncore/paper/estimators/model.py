"""Statements about the model itself: energy with memory, and the rate code. Computed, without any training run."""

from __future__ import annotations

from ...activity import SiteActivity
from ...coding import poisson
from ...data import DataConfig, load, to_unit
from ...energy import SRAM, report
from ...network import Pass, plan
from ...streams import stream
from ..evidence import Case
from ..networks import network, readings
from ..verdicts import Part, around, at_most
from .registry import Finding, estimates

RATES = (0.01, 0.1)  # spikes per neuron and step, what networks of this book do at most and at least, about
STEPS = 25
SEEDS = (0, 1, 2, 3, 4)


@estimates("energy-memory-invariant", tables=())
def memory(case: Case) -> Finding:
    """EE with memory accesses over EE without, for VGG5 and VGG3x2-v2 at spike rates of 0.01 and 0.1 and T = 25: where either
    side spends the energy of one read per MAC of the ANN on memory ("memory access energy remains same"), and where each side's
    accesses to on-chip SRAM are counted one by one."""
    same = around(0.95, 1.05, '"unaffected" is read as within a twentieth')
    parts = []
    for name in ("VGG5", "VGG3x2-v2"):
        reading = case.conditions.reading if case.conditions.reading in readings(name) else "A"
        net = network(name, reading)
        passes = plan(net.topology, net.input_shape, net.neuron)
        for rate in RATES:
            plain = report(passes, _activity(passes, rate), STEPS, convention="full")
            counted = report(passes, _activity(passes, rate), STEPS, convention="full", memory=SRAM)
            shared = sum(row.macs for row in plain.rows) * SRAM.weight
            equal = (plain.ann + shared) / (plain.snn + shared) / plain.efficiency
            for how, value in (
                ("the same energy on both sides", equal),
                ("accesses counted", counted.efficiency / plain.efficiency),
            ):
                parts.append(
                    Part(
                        f"EE with over EE without memory, {name}, rate {rate:g}: {how}",
                        "×",
                        same,
                        values=(value,),
                        computed=True,
                    )
                )
    return Finding(
        parts,
        caveat="It holds in a third reading, in which memory multiplies the energy of both sides by the same factor "
        "(chapter 2).",
    )


def _activity(passes: tuple[Pass, ...], rate: float) -> dict[str, SiteActivity]:
    return {site: SiteActivity("spikes", rate, rate) for p in passes for site in (p.site, *p.sources)}


@estimates("coding-integrity", tables=())
def integrity(case: Case) -> Finding:
    """Of 50 real images (scikit-learn's digits), coded as Poisson spikes and averaged over T: root mean square error at T =
    1,000, and its ratio to that at T = 100, which is 1 over the root of 10 for independent spikes; beside them the error at T =
    25, that of most tables here. Five seeds of the code."""
    images = to_unit(load(DataConfig("digits", train=50, validation=0, test=1, size=8)).train.images)
    early, late, fall = [], [], []
    for seed in SEEDS:
        spikes = poisson(images, 1000, generator=stream(seed, "coding"))
        errors = [float((spikes[:steps].mean(0) - images).square().mean().sqrt()) for steps in (25, 100, 1000)]
        early.append(errors[0])
        late.append(errors[2])
        fall.append(errors[2] / errors[1])
    root = 10**-0.5
    unseen, unit = at_most(0.02, "a fiftieth of the brightest pixel is not seen"), "in units of the brightest pixel"
    law = around(0.95 * root, 1.05 * root, "within a twentieth of the law of independent spikes")
    return Finding(
        [
            Part(f"error at T = 1,000, {unit}", "", unseen, values=tuple(late), seeds=SEEDS),
            Part("error at T = 1,000 over that at T = 100", "×", law, values=tuple(fall), seeds=SEEDS),
            Part(f"error at T = 25, {unit}", "", unseen, values=tuple(early), seeds=SEEDS, beside=True),
        ],
        caveat='A law of chance, which no run can break. "Several time steps" is given no number: at the T of most tables '
        "the error is still seen.",
    )
