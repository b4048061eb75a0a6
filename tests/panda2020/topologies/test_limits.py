"""Unrolled ANNs against plain ones: made-up runs, differences worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020.topologies import limits
from panda2020.topologies.grid import FIGURE_1


def run(network: str, right: int, seed: int = 0, role: str = "ann") -> SimpleNamespace:
    bits = f"{int('1' * right + '0' * (100 - right), 2):025x}"
    result = {"accuracy": right / 100, "correct": right, "total": 100, "hits": bits}
    labels = {"network": network, "role": role, "profile": "laptop", "note": ""}
    return SimpleNamespace(labels=labels, result=result, spec=SimpleNamespace(seed=seed), family=None)


def test_each_unrolled_network_is_compared_with_its_plain_one() -> None:
    table = limits.limit_table([run("VGG2x8", 40), run("VGG16c", 50), run("VGG2x4c", 50), run("VGG8", 60)])
    assert table[["network", "minus", "seeds"]].values.tolist() == [["VGG2x8", "VGG16c", 1]]
    assert table["points"][0] == pytest.approx(-10) and table["low"][0] < -10 < table["high"][0]
    assert limits.limit_sentence(table).startswith(
        "Unrolled minus plain, in points: one convolution run 15 times −10.0 ["
    )
    assert limits.draw_limits(table).axes[0].get_yticklabels()[0].get_text().startswith("one convolution")
    assert limits.limit_table([run("VGG2x8", 40)]).empty


def test_a_pair_with_twice_the_epochs_has_a_row_of_its_own() -> None:
    usual = [run("VGG2x4-wide-top", 40), run("VGG8", 50)]
    longer = [run("VGG2x4-wide-top", 55, role="ann-longer"), run("VGG8", 60, role="ann-longer")]
    table = limits.limit_table(usual + longer)
    assert table["what"].tolist() == [
        "most active channels, by image",
        "most active channels, by image, twice the epochs",
    ]
    assert table["points"].tolist() == pytest.approx([-10, -5])


def test_the_pairs_are_of_the_planned_networks() -> None:
    assert set(limits.PAIRS) | {plain for plain, _ in limits.PAIRS.values()} == set(FIGURE_1)
