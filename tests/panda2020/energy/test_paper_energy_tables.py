"""The energy chapter's tables: sums, the memory readings by hand, and records that do not belong together."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020.energy.tables import (
    Measured,
    convention_table,
    draw_over_time,
    draw_same_memory,
    efficiency_over_time,
    event_table,
    layer_table,
    measured,
    memory_table,
    silent_bounds,
)
from panda2020.networks import network
from snncore.activity import SiteActivity
from snncore.energy import CONVENTIONS, FLOAT32, event_count, macs
from snncore.network import NetworkConfig
from snncore.topology import plan

TEXT, SHAPE, SITES = "4C3 P F6 F3", (1, 8, 8), ("input", "conv1", "fc1")


def uniform(rate, size=8, maps=1):
    return SiteActivity("spikes", rate, rate, ((rate * maps,) * size,) * size)


@pytest.fixture
def m():
    passes = plan(TEXT, SHAPE)
    activity = {
        "input": uniform(0.5),
        "conv1": uniform(0.25, maps=4),
        "fc1": SiteActivity("spikes", 0.1, 0.1),
    }
    ann = {site: SiteActivity("real", 0.5, 0.5) for site in SITES}
    events = {p.site: event_count(p, activity) for p in passes}
    return Measured(passes, activity, ann, 10, 0.9, 0.95, events)


def test_convention_table_is_the_reports(m):
    table = convention_table(m)
    assert table["convention"].tolist() == [*CONVENTIONS, *CONVENTIONS]
    assert table["EE"].tolist() == pytest.approx((table["ANN (nJ)"] / table["SNN (nJ)"]).tolist())
    assert table["EE"][4] == pytest.approx(m.report("physical", FLOAT32).efficiency)
    assert set(table["T"]) == {10} and set(table["SNN accuracy"]) == {0.9}
    assert (table["EE skipping"] < table["EE"]).all()


def test_layer_table_adds_up(m):
    found = m.report("full")
    table = layer_table(found)
    assert table["SNN (nJ)"].sum() == pytest.approx(found.snn / 1000)
    assert table["ANN skipping zeros (nJ)"].sum() == pytest.approx(found.zero_skipping / 1000)
    assert table["unit"].tolist() == ["AC", "AC", "MAC"]


def test_event_table_by_hand(m):
    table = event_table(m).set_index("pass")
    # 0.5 spikes at each of 8x8: a row of 8 reaches 3*8 - 2 = 22 positions, so 22*22 of 24*24 remain
    assert table.loc["conv1", "dense count"] == pytest.approx(0.5 * 64 * 36)
    assert table.loc["conv1", "border-exact"] == pytest.approx(0.5 * 22 * 22 * 4)
    assert table.loc["fc1", "exact / dense"] == pytest.approx(1.0)


def test_memory_table_by_hand(m):
    table = memory_table(m).set_index("memory")
    plain = m.report("full")
    assert table["EE / EE without"].iloc[:2].tolist() == pytest.approx([1.0, 1.0])
    same = table["EE"].iloc[3]
    assert same == pytest.approx(11 * plain.ann / (plain.snn + 10 * plain.ann))
    distances = [abs(ee - 1) for ee in (same, table["EE"].iloc[2], plain.efficiency)]
    assert distances == sorted(distances) and distances[0] < distances[-1]  # towards 1
    assert len(table) == 7 and set(table["T"]) == {10}


def test_efficiency_over_time(m):
    table = efficiency_over_time(m, [5, 10, 1000])
    assert table.loc[10, "paper"] == pytest.approx(m.report("paper").efficiency)
    assert (table.loc[5] > table.loc[1000]).all()
    assert len(draw_over_time(table, at=10).axes[0].lines) == 5
    lines = draw_same_memory(m).axes[0].lines
    assert [line.get_ydata()[-1] for line in lines[:3]] == pytest.approx([1, 1, 1], abs=0.01)


def record(network, role, text=TEXT, **result):
    spec = SimpleNamespace(
        topology=text,
        data=SimpleNamespace(name="digits", size=None),
        network=NetworkConfig(),
        input=SimpleNamespace(code="poisson"),
    )
    activity = {site: {"kind": "spikes", "rate": 0.1, "nonzero": 0.1} for site in SITES}
    result = {"activity": activity, "accuracy": 0.5, "events": {}, **result}
    return SimpleNamespace(labels={"network": network, "role": role}, spec=spec, result=result)


def test_measured_reads_two_records_of_one_network():
    found = measured(record("VGG3", "snn", steps=4), record("VGG3", "ann"))
    assert found.steps == 4 and found.activity["conv1"].rate == 0.1 and len(found.plan) == 3
    for snn, ann in (
        (record("VGG3", "snn", steps=4), record("VGG5", "ann")),
        (record("VGG3", "ann"), record("VGG3", "ann")),
        (record("VGG3", "snn", steps=4), record("VGG3", "snn", steps=4)),
    ):
        with pytest.raises(
            ValueError, match="snn and ann must be records of a spiking network and of its ANN, got"
        ):
            measured(snn, ann)


def test_bounds_are_the_macs_that_remain():
    table = silent_bounds([network("VGG9"), network("VGG13")])
    passes = {p.site: macs(p) for p in plan(network("VGG9").topology, (3, 32, 32))}
    relu = passes["conv1"] + passes["conv2"] + passes["fc2"]
    assert table["paper at most"][0] == pytest.approx(sum(passes.values()) / relu)
    assert table["physical at most"][0] == pytest.approx(sum(passes.values()) / (relu + passes["conv3"]))
    assert table["spiking"].tolist() == ["conv3 to fc1", "conv5 to conv6"]


def test_one_network_is_counted_in_six_ways_with_intervals_over_seeds(monkeypatch):
    from panda2020.energy import tables

    found = {0: 2.0, 1: 8.0}
    monkeypatch.setattr(
        tables,
        "sample_of",
        lambda seed: SimpleNamespace(
            report=lambda convention, prices: SimpleNamespace(
                efficiency=found[seed] * (10 if prices == "int32" else 1)
            )
        ),
    )
    table = tables.efficiency_table([0, 1])
    assert table["convention"].tolist() == list(CONVENTIONS) and table.shape == (3, 3)
    means = [cell.ours.mean for cell in table.iloc[0, 1:]]
    assert sorted(means) == pytest.approx([4, 40])  # geometric means
    assert (
        table.iloc[0, 1].ours.interval is not None
        and tables.efficiency_table([0]).iloc[0, 1].ours.interval is None
    )
    axes = tables.draw_efficiencies(table).axes[0]
    assert axes.get_xscale() == "log" and [t.get_text() for t in axes.get_yticklabels()] == list(CONVENTIONS)
    with pytest.raises(ValueError, match="at least one run, got none"):
        tables.efficiency_table([])
