"""The claims on input coding and how each is estimated."""

from __future__ import annotations

from panda2020.claims.evidence import Case
from panda2020.claims.registry import Finding, estimates
from panda2020.claims.verdicts import Quantity, around, at_most
from snncore.coding import poisson
from snncore.data import DataConfig, load, to_unit
from snncore.streams import stream

SEEDS = (0, 1, 2, 3, 4)


@estimates("coding-integrity", tables=())
def integrity(case: Case) -> Finding:
    """Of 50 real images (scikit-learn's digits), coded as Poisson spikes and averaged over T: root mean square error at T =
    1,000, and its ratio to that at T = 100, which is 1 over the root of 10 for independent spikes; beside them the error at T =
    25, that of most tables here. Five seeds of the code."""
    images = to_unit(load(DataConfig("digits", train=50, validation=0, test=1, size=8)).train.images)
    early, late, fall = [], [], []
    for seed in SEEDS:
        spikes = poisson(images, 1000, generator=stream(seed, "coding"))
        errors = [
            float((spikes[:steps].mean(0) - images).square().mean().sqrt()) for steps in (25, 100, 1000)
        ]
        early.append(errors[0])
        late.append(errors[2])
        fall.append(errors[2] / errors[1])
    root = 10**-0.5
    unseen, unit = (
        at_most(0.02, "a fiftieth of the brightest pixel is not seen"),
        "in units of the brightest pixel",
    )
    law = around(0.95 * root, 1.05 * root, "within a twentieth of the law of independent spikes")
    return Finding(
        [
            Quantity(f"error at T = 1,000, {unit}", "", unseen, values=tuple(late), seeds=SEEDS),
            Quantity("error at T = 1,000 over that at T = 100", "×", law, values=tuple(fall), seeds=SEEDS),
            Quantity(f"error at T = 25, {unit}", "", unseen, values=tuple(early), seeds=SEEDS, beside=True),
        ],
        caveat='A law of chance, which no run can break. "Several time steps" is given no number: at the T of most tables '
        "the error is still seen.",
    )
