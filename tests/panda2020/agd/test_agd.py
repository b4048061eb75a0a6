"""Estimates beside the paper's sentences, and findings in words, from made-up records."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from test_tables import ANN, SNN, ann, run

from panda2020.agd import grid as agd_grid
from panda2020.agd import tables as agd_tables
from panda2020.exhibits.numbers import interval

pytestmark = pytest.mark.usefixtures("stated_energies")


def with_specs(records):
    """The records with specs from which ``scale`` can tell the data."""
    for record in records:
        entry = agd_grid.table8("first", seeds=[record.spec.seed], timesteps=[25], names=["VGG5"])[0]
        record.spec = entry.spec
    return records


def test_finding_in_words():
    records = with_specs(
        [ann(), run("snn", SNN, steps=25, ee=12.0), run("snn", ANN, steps=25, seed=1, ee=99.0)]
    )
    text, behind = agd_tables.finding(records, "VGG5", 25)
    assert behind == records[:2]  # seed 1 has no ANN
    span = interval(agd_tables.table8(records[:2])["minus ANN, 95 %"][1], "+.1f")
    assert text == (
        "VGG5 trained with spikes (AGD, T = 25) reaches 50.0%, 20.0 points below its ANN at 70.0% (difference "
        f"{span} points, 95 % over test images alone; 1 seed), with EE 12.0 under convention paper. Profile first: CIFAR-10, "
        "2,000 training and 2,000 test images, networks at 1/4 of the width, 4 epochs."
    )
    assert (
        agd_tables.finding(records, "VGG5", 50) is None
        and agd_tables.finding(records, "VGG3x2-v2", 25) is None
    )
    better = with_specs(
        [ann(SNN), ann(SNN, seed=1), run("snn", ANN, steps=25, ee=2), run("snn", ANN, steps=25, seed=1, ee=4)]
    )
    text, behind = agd_tables.finding(better, "VGG5", 25)
    assert "20.0 points above its ANN" in text and "over seeds and test images; 2 seeds), with EE 3.0" in text
    assert len(behind) == 4


def test_alternative_readings_do_not_enter_a_finding():
    other = with_specs([ann(note="reading B"), run("snn", SNN, steps=25, note="reading B", ee=1)])
    assert agd_tables.finding(other, "VGG5", 25) is None
    assert isinstance(other[0], SimpleNamespace) and other[0].result["accuracy"] == pytest.approx(0.7)
