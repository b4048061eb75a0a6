"""Energies follow from what a record measured and from the price list in use."""

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
from snncore.energy import CONVENTIONS, Prices

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


def test_an_unknown_convention_or_price_list_is_refused(records: list[Record]) -> None:
    sample = next(s for record in records for s in spiking(record))
    with pytest.raises(ValueError, match="prices must be one of 'int32', 'float32', got 'int4'"):
        energy_of(sample, prices="int4")
    with pytest.raises(
        ValueError, match=f"convention must be one of {', '.join(map(repr, CONVENTIONS))}, got 'x'"
    ):
        energy_of(sample, "x")


def test_a_third_price_list_works_everywhere_by_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evidence("laptop")
    found = replace(whole, runs=tuple(run for run in whole.runs if "8" in run.entry.tables))
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
