"""Energies and parameters follow from what a record measured, and are equal to those that older records still hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from panda2020.agd import tables as agd_tables
from panda2020.ledger import sensitivity
from panda2020.ledger.ledger import evidence, ledger
from panda2020.runs import Record, Store
from panda2020.samples import Conditions, Sample, energy_of, samples
from snncore import energy
from snncore.activity import SiteActivity
from snncore.energy import CONVENTIONS, PRICES, Prices, macs, report
from snncore.topology import as_ann, plan

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    found, errors = Store(RESULTS).read_all()
    assert errors == []
    return found


def spiking(record: Record) -> Iterator[Sample]:
    """All that a record holds of spiking networks."""
    views = [""]
    if record["task"] == "stdp":
        views = [f"{name}/learned" for name in record.result["classifiers"]]
    for view in views:
        yield from (sample for steps, sample in samples(record, view).items() if steps is not None)


def psi(sample: Sample) -> int:
    """The weights that stochmax has besides, which older records leave out."""
    classifier = plan(as_ann(sample.topology), sample.input_shape, "relu")[-1]
    return classifier.weights if sample.stochmax else 0


def near(value: float, stored: float) -> bool:
    return value == pytest.approx(stored, rel=1e-12, abs=0)


def test_energies_equal_all_that_are_stored(records: list[Record]) -> None:
    compared = 0
    for record in records:
        for sample in spiking(record) if record["task"] not in ("binary", "gradients") else ():
            for stored, alone in ((sample.measured, False), (sample.measured.get("convolutions", {}), True)):
                for name, values in stored.get("energy", {}).items():
                    found = energy_of(sample, *name.split("/"), spiking_only=alone)
                    if sample.stochmax and not alone:  # older records leave psi out
                        assert found.rows[-1].site == "psi"
                        found = replace(found, rows=found.rows[:-1])
                    assert near(found.efficiency, values["efficiency"]), (record.key, name)
                    assert near(found.snn, values["snn_pj"]) and near(found.ann, values["ann_pj"]), (
                        record.key,
                        name,
                    )
                    compared += 1
    assert compared > 500


def test_the_cost_of_an_ann_equals_what_is_stored(records: list[Record]) -> None:
    compared = 0
    for record in records:
        if record["task"] == "train" and "steps" not in record.result:
            sites = {
                site: SiteActivity.from_dict(values) for site, values in record.result["activity"].items()
            }
            passes = Sample(record, None, record.result).passes
            for name, values in record.result.get("energy", {}).items():
                found = report(
                    passes, sites, 1, prices=PRICES[name], convention="physical", ann_activity=sites
                )
                assert near(found.ann, values["ann_pj"]) and near(
                    found.zero_skipping, values["zero_skipping_pj"]
                )
                compared += 1
    assert compared > 100


def test_parameters_and_operations_equal_all_that_are_stored(records: list[Record]) -> None:
    compared = 0
    for record in records:
        if "parameters" in record.result:
            sample = Sample(record, None, record.result)
            assert sample.parameters - psi(sample) == record.result["parameters"], record.key
            if record["task"] != "binary":
                assert sum(map(macs, sample.passes)) == record.result["flops"], record.key
            compared += 1
        for name, held in record.result.get("classifiers", {}).items():
            (sample,) = samples(record, f"{name}/learned").values()
            if "parameters" in held:
                assert sample.parameters - psi(sample) == held["parameters"]
    assert compared > 100


def test_an_unknown_convention_or_price_list_is_refused(records: list[Record]) -> None:
    sample = next(s for record in records if "energy" in record.result for s in spiking(record))
    with pytest.raises(ValueError, match="prices must be one of 'int32', 'float32', got 'int4'"):
        energy_of(sample, prices="int4")
    with pytest.raises(
        ValueError, match=f"convention must be one of {', '.join(map(repr, CONVENTIONS))}, got 'x'"
    ):
        energy_of(sample, "x")


def test_a_third_price_list_works_everywhere_by_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evidence("laptop")
    default = ledger("laptop", found=found).judgements["agd-ee"].conclusion.parts[0].estimate
    monkeypatch.setitem(energy.PRICES, "7nm", Prices("7nm", mac=1.31, ac=0.38))
    choices = sensitivity.conditions()
    assert choices["prices 7nm"] == Conditions(prices="7nm")
    other = (
        ledger("laptop", conditions=choices["prices 7nm"], found=found)
        .judgements["agd-ee"]
        .conclusion.parts[0]
        .estimate
    )
    # where only accumulates are charged, EE scales with the ratio of a MAC to an AC; a classifier's MACs add little
    assert (
        default is not None
        and other is not None
        and 0 < other.mean < default.mean * (1.31 / 0.38) / (3.2 / 0.1) * 1.5
    )
    judged = sensitivity.judged("laptop", found=found)
    assert "prices 7nm" in judged.counts["choice"].tolist() and "prices 7nm" in judged.movers.columns
    assert "float32, 7nm" in sensitivity.choice_table("laptop").to_string()


def test_a_mended_price_changes_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run.record for run in evidence("laptop").runs if run.record and "8" in run.entry.tables]
    before = agd_tables.table8(runs)["EE paper"].max()
    monkeypatch.setitem(energy.PRICES, "int32", Prices("int32", mac=6.4, ac=0.1))
    assert agd_tables.table8(runs)["EE paper"].max() > 1.2 * before
