"""The claims on input coding and how each is estimated."""

from __future__ import annotations

from panda2020.claims.evidence import Case
from panda2020.claims.protocol import about
from panda2020.claims.ranges import below
from panda2020.claims.registry import Finding, estimates
from panda2020.claims.verdicts import Quantity
from snncore.coding import poisson
from snncore.data import DataConfig, load, to_unit
from snncore.streams import stream

SEEDS = (0, 1, 2, 3, 4)


@estimates("coding-integrity", tables=())
def integrity(case: Case) -> Finding:
    """50 real images (scikit-learn's digits), coded as Poisson spikes and averaged over T: root mean square error at T =
    1,000 divided by that at T = 100, which is 1 over the root of 10 for independent spikes. Also shown: the same ratio
    from T = 25, the T of most tables here, to T = 100. Five seeds of the code.
    """
    images = to_unit(load(DataConfig("digits", train=50, validation=0, test=1, size=8)).train.images)
    late, early = [], []
    for seed in SEEDS:
        spikes = poisson(images, 1000, generator=stream(seed, "coding"))
        errors = [
            float((spikes[:steps].mean(0) - images).square().mean().sqrt()) for steps in (25, 100, 1000)
        ]
        late.append(errors[2] / errors[1])
        early.append(errors[1] / errors[0])

    def falls(what: str, times: float, values: list[float], *, beside: bool) -> Quantity:
        law = about(times**-0.5)
        return Quantity(what, "×", below(1), law, values=tuple(values), seeds=SEEDS, beside=beside)

    return Finding(
        [
            falls("error at T = 1,000 over that at T = 100", 10, late, beside=False),
            falls("error at T = 100 over that at T = 25", 4, early, beside=True),
        ],
        caveat='A law of chance, which no run can break. "Several time steps" is given no number: at the T of most tables '
        "the error is still seen.",
    )
