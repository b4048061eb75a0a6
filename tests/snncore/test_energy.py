"""Energy: hand-computed numbers per convention, counts against real forward passes, border-exact events."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from snncore.activity import ActivityProbe, SiteActivity
from snncore.energy import (
    CONVENTIONS,
    DRAM_WEIGHTS,
    FLOAT32,
    INT32,
    MEMORIES,
    SRAM,
    Memory,
    Prices,
    event_count,
    macs,
    report,
)
from snncore.network import Network, NetworkConfig
from snncore.topology import plan


def spikes(rate, positions=None):
    return SiteActivity("spikes", rate, rate, positions)


def real(nonzero, mean=0.5):
    return SiteActivity("real", mean, nonzero, None)


# 4 maps of 4x4, pooled to 2x2, 6 features, 3 classes: macs 4*4*1*9*4 = 576, 16*6 = 96, 18
TINY = "4C3 P F6 F3"
SHAPE = (1, 4, 4)
ACTIVITY = {"input": spikes(0.5), "conv1": spikes(0.25), "fc1": spikes(0.1)}


def test_macs_by_hand():
    assert [macs(p) for p in plan(TINY, SHAPE)] == [576, 96, 18]


def test_prices_are_the_tabulated_ones():
    assert (INT32.mac, INT32.ac, FLOAT32.mac, FLOAT32.ac) == (3.2, 0.1, 4.6, 0.9)
    assert INT32.multiply == pytest.approx(3.1) and FLOAT32.multiply == pytest.approx(3.7)
    assert (SRAM.weight, DRAM_WEIGHTS.weight, DRAM_WEIGHTS.membrane) == (5.0, 640.0, 5.0)
    assert all(name == memory.name for name, memory in MEMORIES.items())


def test_paper_convention_by_hand():
    found = report(plan(TINY, SHAPE), ACTIVITY, 10)
    # own rate: 576*0.25*10 and 96*0.1*10 accumulates, the classifier 18 MAC
    assert [row.operations for row in found.rows] == pytest.approx([1440, 96, 18])
    assert [row.unit for row in found.rows] == ["AC", "AC", "MAC"]
    assert found.snn == pytest.approx(144.0 + 9.6 + 57.6)
    assert found.ann == pytest.approx((576 + 96 + 18) * 3.2)
    assert found.efficiency == pytest.approx(2208 / 211.2)
    assert found.spiking_efficiency == pytest.approx((576 + 96) * 3.2 / 153.6)


def test_physical_convention_by_hand():
    found = report(plan(TINY, SHAPE), ACTIVITY, 10, convention="physical", prices=FLOAT32)
    # entering spikes: 0.5*16 per step, each to 9*4 neurons; 0.25*64 (before the pool), each to 6 neurons
    assert [row.ac_operations for row in found.rows] == pytest.approx([8 * 36 * 10, 16 * 6 * 10, 0])
    assert found.snn == pytest.approx((2880 + 960) * 0.9 + 18 * 4.6)


@pytest.mark.parametrize(("neuron", "one"), [("lif", 3.1 + 0.2), ("if", 0.2)])
def test_full_convention_adds_neuron_updates(neuron, one):
    physical = report(plan(TINY, SHAPE, neuron), ACTIVITY, 10, convention="physical")
    found = report(plan(TINY, SHAPE, neuron), ACTIVITY, 10, convention="full")
    assert [row.update_pj for row in found.rows] == pytest.approx([64 * 10 * one, 6 * 10 * one, 0])
    assert found.snn - physical.snn == pytest.approx(70 * 10 * one)


def test_memory_by_hand():
    memory = Memory("made up", weight=1.0, activation=10.0, membrane=100.0)
    found = report(plan(TINY, SHAPE), ACTIVITY, 10, convention="full", memory=memory)
    conv, dense, classifier = found.rows
    # accumulates (weight, membrane twice), updates (membrane twice), spikes written (16), read (8) per step
    assert conv.memory_pj == pytest.approx(2880 * 201 + 640 * 200 + (16 + 8) * 10 * 10)
    assert dense.memory_pj == pytest.approx(960 * 201 + 60 * 200 + (0.6 + 16) * 10 * 10)
    assert classifier.memory_pj == pytest.approx(18 * 11 + 3 * 10)
    assert conv.ann_pj == pytest.approx(576 * (3.2 + 11) + 64 * 10)


def test_hybrid_splits_mac_and_ac():
    text = "2C3:relu 2C3 P M F4:relu F3"
    activity = {"input": real(1.0), "conv1": real(0.5), "conv2": spikes(0.2), "fc1": real(0.7)}
    passes = plan(text, SHAPE)
    by_macs = [288, 576, 32, 12]
    assert [macs(p) for p in passes] == by_macs
    paper = report(passes, activity, 5)
    assert [row.mac_operations for row in paper.rows] == [288, 0, 32, 12]
    assert paper.rows[1].ac_operations == pytest.approx(576 * 0.2 * 5)
    # the first spiking layer reads constant real values: one MAC pass; what follows M is computed once
    for steps in (1, 5, 50):
        physical = report(passes, activity, steps, convention="physical")
        assert [row.mac_operations for row in physical.rows] == by_macs
        assert physical.efficiency == pytest.approx(1.0)


def test_zero_skipping_baseline():
    ann = {"input": real(1.0), "conv1": real(0.5), "fc1": real(0.25)}
    found = report(plan(TINY, SHAPE), ACTIVITY, 10, ann_activity=ann)
    # a pooled cell is zero only where four values are: 1 - 0.5**4
    assert [row.skipping_pj for row in found.rows] == pytest.approx(
        [576 * 3.2, 96 * 3.2 * 0.9375, 18 * 3.2 * 0.25]
    )
    assert found.zero_skipping_efficiency == pytest.approx(found.zero_skipping / found.snn)
    assert found.zero_skipping < found.ann
    assert report(plan(TINY, SHAPE), ACTIVITY, 10).zero_skipping is None


def test_residual_sums_bring_the_spikes_of_all_sources():
    passes = plan("2C3 2C3+ 2C3 F3", SHAPE)
    activity = {"input": spikes(0.0), "conv1": spikes(0.5), "conv2": spikes(0.25), "conv3": spikes(0.0)}
    found = report(passes, activity, 1, convention="physical")
    assert found.rows[2].ac_operations == pytest.approx((0.5 + 0.25) * 32 * 9 * 2)


def test_a_silent_network_still_pays_its_classifier():
    silent = {site: spikes(0.0) for site in ACTIVITY}
    for convention in ("paper", "physical"):
        found = report(plan(TINY, SHAPE), silent, 100, convention=convention)
        assert found.snn == pytest.approx(18 * 3.2)
        assert found.efficiency == pytest.approx(690 / 18)
        assert found.spiking_efficiency == math.inf
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["spiking_efficiency"] == "infinite"
    assert report(plan("2C3 F3", SHAPE, "relu"), {}, 1).spiking_efficiency is None


def test_to_dict_is_json_and_complete():
    found = report(plan(TINY, SHAPE), ACTIVITY, 10, convention="full", memory=SRAM)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["efficiency"] == found.efficiency and data["memory"]["weight"] == 5.0
    assert [row["site"] for row in data["rows"]] == ["conv1", "fc1", "fc2"]
    assert sum(row["snn_pj"] for row in data["rows"]) == pytest.approx(data["snn_pj"])


# --- against real forward passes ------------------------------------------------------------------

NETS = (
    "4C3 P [4C3]x3 P F8 F5",
    "4C3 (4C3 4C3)+ P F8 F5",
    "6C5 P [4C3 6C3]x2 F5",
    "2C3 [4C3]x3:average P P F5",
)


@pytest.mark.parametrize("text", NETS)
@pytest.mark.parametrize("neuron", ["relu", "lif"])
def test_dense_counts_agree_with_a_counted_forward_pass(text, neuron):
    net = Network(
        text,
        input_shape=(3, 8, 8),
        config=NetworkConfig(neuron=neuron),
        generator=torch.Generator().manual_seed(0),
    )
    images, steps = 2, 3
    timed = neuron == "lif"
    x = torch.ones(*((steps,) if timed else ()), images, 3, 8, 8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    classifier = macs(net.plan[-1])  # reads the accumulated spikes, once
    expected = (sum(map(macs, net.plan)) - classifier) * (steps if timed else 1) + classifier
    assert counter.get_total_flops() == 2 * images * expected


def test_static_layers_run_once_in_a_counted_hybrid():
    net = Network(
        "4C3:relu 4C3 P 6C3 M F5:relu F5",
        input_shape=(3, 8, 8),
        config=NetworkConfig(),
        generator=torch.Generator().manual_seed(0),
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.ones(2, 3, 8, 8), steps=7)
    expected = sum(macs(p) * (1 if p.static or p.once else 7) for p in net.plan)
    assert [p.static or p.once for p in net.plan] == [True, True, False, True, True]
    assert counter.get_total_flops() == 2 * 2 * expected


def measured(text, steps=4, images=3, size=8):
    generator = torch.Generator().manual_seed(1)
    net = Network(
        text, input_shape=(3, size, size), config=NetworkConfig(threshold=0.5, gain=1.5), generator=generator
    )
    x = (torch.rand(steps, images, 3, size, size, generator=generator) < 0.4).float()
    probe, outputs = ActivityProbe(positions=True), {}

    def both(site, values, *, timed):
        outputs[site] = values.clone()
        probe(site, values, timed=timed)

    with torch.no_grad():
        net(x, probe=both)
    return net, probe.result(), outputs


@pytest.mark.parametrize(
    "text", ["4C3 P [4C3]x3 P F8 F5", "4C5 4C3+ 4C3 P P 6C3 F5", "4C3 [8C3]x2:drop P 3C1 F5"]
)
def test_event_counts_equal_brute_force(text):
    steps, images = 4, 3
    net, activity, outputs = measured(text, steps, images)
    for p in net.plan[:-1]:
        # each spike as a one, summed over sources, pooled by summing, convolved with ones: the accumulates
        events = 0.0
        for source in p.sources:
            ones = outputs[source].abs().flatten(0, 1).double()
            ones = F.avg_pool2d(ones, p.pool) * p.pool**2
            if p.kind == "conv":
                kernel = torch.ones(p.out_shape[0], ones.shape[1], p.kernel, p.kernel, dtype=torch.float64)
                events += float(F.conv2d(ones, kernel, padding=p.kernel // 2).sum())
            else:
                events += float(ones.sum()) * p.out_shape[0]
        assert event_count(p, activity) == pytest.approx(events / (steps * images), rel=1e-9)


def test_events_stay_below_the_dense_count_and_meet_it_without_borders():
    net, activity, _ = measured("4C3 P [4C3]x3 P 5C1 F5")
    found = report(net.plan, activity, 4, convention="physical")
    for p, row in zip(net.plan[:-1], found.rows[:-1], strict=True):
        assert row.ac_operations > 0
        if p.kernel == 1:
            assert row.events == pytest.approx(row.ac_operations)
        else:
            assert row.events < row.ac_operations
    assert found.rows[-1].events is None


def test_events_are_none_without_positions():
    assert [row.events for row in report(plan(TINY, SHAPE), ACTIVITY, 2).rows] == [None, 192, None]


def test_every_convention_reads_what_the_probe_measured():
    net, activity, _ = measured("4C3 P [4C3 4C3]x2 P F8 F5")
    for convention in CONVENTIONS:
        found = report(net.plan, activity, 4, convention=convention)
        assert len(found.rows) == len(net.plan) and found.snn > 0


# --- properties -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    steps=st.integers(1, 500),
    factor=st.integers(2, 9),
    rate=st.floats(1e-4, 1.0),
    convention=st.sampled_from(CONVENTIONS),
)
def test_spiking_energy_is_proportional_to_time(steps, factor, rate, convention):
    activity = {site: spikes(rate) for site in ACTIVITY}
    one = report(plan(TINY, SHAPE), activity, steps, convention=convention)
    more = report(plan(TINY, SHAPE), activity, steps * factor, convention=convention)
    assert more.spiking_efficiency == pytest.approx(one.spiking_efficiency / factor)
    assert more.efficiency < one.efficiency


@settings(deadline=None, max_examples=40)
@given(low=st.floats(0, 0.5), high=st.floats(0.5, 1.0), steps=st.integers(1, 50))
def test_fewer_spikes_never_cost_more_and_full_never_less(low, high, steps):
    few, many = ({site: spikes(rate) for site in ACTIVITY} for rate in (low, high))
    for convention in CONVENTIONS:
        assert (
            report(plan(TINY, SHAPE), few, steps, convention=convention).snn
            <= report(plan(TINY, SHAPE), many, steps, convention=convention).snn
        )
    physical, full = (report(plan(TINY, SHAPE), few, steps, convention=c).snn for c in ("physical", "full"))
    assert physical < full


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"convention": "true"}, "convention must be one of 'paper', 'physical', 'full', got 'true'"),
        ({"memory": SRAM}, "memory needs convention 'full', got convention 'paper'"),
        ({"plan": ()}, "plan must hold at least one pass, got none"),
        ({"activity": {"conv1": spikes(0.1)}}, "activity must hold site 'fc1', got conv1"),
        ({"activity": {}}, "activity must hold site 'conv1', got nothing"),
        ({"activity": {"conv1": real(0.1)}}, "activity of 'conv1' must be of kind 'spikes', got 'real'"),
        ({"ann_activity": {}}, "ann_activity must hold site 'input', got nothing"),
        (
            {"activity": {**ACTIVITY, "input": SiteActivity("spikes", 0.4, 0.9)}, "convention": "physical"},
            "activity of 'input' must be spikes of size 1, got rate 0.4",
        ),
    ],
)
def test_bad_input_is_named(change, words):
    given_ = {"plan": plan(TINY, SHAPE), "activity": ACTIVITY, "steps": 5} | change
    with pytest.raises(ValueError, match=words):
        report(given_.pop("plan"), given_.pop("activity"), given_.pop("steps"), **given_)


def test_bad_prices_are_named():
    with pytest.raises(ValueError, match=r"prices\.ac must be a finite number above 0, got 0"):
        Prices("free", mac=1.0, ac=0.0)
    with pytest.raises(ValueError, match=r"prices\.mac must be at least prices\.ac \(2\.0\), got 1\.0"):
        Prices("odd", mac=1.0, ac=2.0)
    with pytest.raises(ValueError, match=r"memory\.membrane must be a finite number above 0, got -1"):
        Memory("odd", weight=1.0, activation=1.0, membrane=-1)
