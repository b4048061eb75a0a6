"""Intervals of a chapter's exhibits are those of the ledger: the recorded runs, with variances pooled over their families."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from panda2020.agd.grid import table8
from panda2020.conversion import layout
from panda2020.conversion.grid import table2
from panda2020.ledger.chapter import judged, recorded
from panda2020.records import accuracy_estimate, by_place, difference_estimate, efficiency_estimate
from panda2020.runs import Record
from panda2020.statistics import Estimate
from panda2020.stdp import tables as stdp_tables
from panda2020.stdp.grid import table6

RESULTS = Path(__file__).parents[3] / "results"


def of_ledger(claim: str, what: str) -> Estimate:
    """The estimate of one quantity of a claim."""
    parts = judged((claim,), results=RESULTS)[claim].conclusion.parts
    (found,) = (part.estimate for part in parts if part.quantity.what == what)
    assert found is not None and found.pool is not None
    return found


def same(one: Estimate | None, other: Estimate) -> None:
    assert one is not None and one.interval is not None and other.interval is not None
    assert (one.mean, *one.interval) == pytest.approx((other.mean, *other.interval))


@pytest.fixture(scope="module")
def eight() -> dict[tuple[str, str], dict[int, Record]]:
    """Table 8's runs at its first T, by network and role."""
    places = by_place(recorded(table8("laptop"), results=RESULTS)[0])
    return {
        (p.network, p.role): runs for p, runs in places.items() if p.reading == "A" and p.steps in (None, 25)
    }


def test_trained_networks(eight: dict[tuple[str, str], dict[int, Record]]) -> None:
    snn, ann = eight["VGG3x4", "snn"], eight["VGG3x4", "ann"]
    name = "SNN VGG3x4, T = 25"
    same(difference_estimate(snn, ann), of_ledger("agd-vgg3x4-beats-ann", f"{name} minus ANN VGG3x4"))
    same(accuracy_estimate(snn), of_ledger("agd-vgg3x4-trains", f"accuracy of {name}"))
    same(efficiency_estimate(eight["VGG5", "snn"]), of_ledger("agd-ee", "EE of SNN VGG5, T = 25"))


def test_every_kind_of_features_of_stdp_runs() -> None:
    runs, _ = recorded(table6("laptop"), results=RESULTS)
    table = stdp_tables.classifier_table(runs)
    assert set(table["features"]) == set(stdp_tables.SOURCES.values()) and (table["seeds"] >= 1).all()
    places = by_place(runs)
    (stdp,), (ann,) = (
        [found for p, found in places.items() if (p.network, p.role) == ("ResNet2", role)]
        for role in ("stdp", "ann")
    )
    assert all(found is not None for found in stdp_tables.gaps(stdp, ann, "fc").values())


def test_converted_networks() -> None:
    kept, _ = recorded(table2("laptop"), results=RESULTS)
    groups = {(p.network, p.role): runs for p, runs in by_place(kept).items() if p.reading == "A"}
    runs = groups["VGG2x4", "converted"]
    what = "converted VGG2x4, T = 2500 minus ANN VGG2x4"
    same(layout.loss_at(runs, 2500), of_ledger("conv-lossless", what))
    seven = layout.figure7(kept).set_index("network")
    found = of_ledger("backres-ee-range", "EE of converted VGG2x4 at a loss of 1 point")
    assert found.interval is not None
    assert tuple(seven.loc["VGG2x4", ["EE", "EE low", "EE high"]]) == pytest.approx(
        (found.mean, *found.interval)
    )
    between = "converted VGG2x4, T = 2500 minus converted VGG7-conv, T = 2500"
    base = groups["VGG7-conv", "converted"]
    same(layout.loss_at(runs, 2500, other=base), of_ledger("conv-backres-snn", between))


def test_without_the_ledger_a_row_has_only_its_own_seeds(
    eight: dict[tuple[str, str], dict[int, Record]],
) -> None:
    alone = {seed: replace(run, family=None) for seed, run in eight["VGG3x4", "snn"].items()}
    found = accuracy_estimate(alone)
    assert found is not None and found.pool is None and found.interval is not None
