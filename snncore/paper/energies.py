"""Energy, computed when it is read: a run holds what its neurons did, and prices and formulas are those of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._check import one_of
from ..activity import SiteActivity
from ..energy import PRICES, EnergyReport, report
from ..network import SPIKING

if TYPE_CHECKING:
    from .evidence import Sample


def energy_of(
    sample: Sample, convention: str = "paper", prices: str = "int32", *, spiking_only: bool = False
) -> EnergyReport:
    """Energy per image of what one run measured at one T, next to that of the ANN of the same shape.

    spiking_only: of the LIF and IF layers alone (EE_Conv of Table 6). Raises ``ValueError`` for an unknown convention or price
    list, and for an ANN, which has no T.
    """
    one_of("prices", prices, PRICES)
    activity = {site: SiteActivity.from_dict(values) for site, values in sample.measured["activity"].items()}
    passes = [p for p in sample.passes if p.neuron in SPIKING or not spiking_only]
    return report(passes, activity, sample.steps, prices=PRICES[prices], convention=convention)  # type: ignore[arg-type]
