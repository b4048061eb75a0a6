"""Activity by site, counted by hand."""

from __future__ import annotations

import json

import pytest
import torch

from snncore.activity import ActivityProbe, SiteActivity
from snncore.coding import direct
from snncore.energy import report
from snncore.network import Network
from snncore.topology import plan


def spikes():
    """T = 2, N = 1, C = 2, 1 x 3 positions; 5 spikes of 12."""
    return torch.tensor([[[[[1.0, 0, 1]], [[0, 0, 1]]]], [[[[0.0, 0, 1]], [[1, 0, 0]]]]])


def test_spikes_by_hand():
    probe = ActivityProbe(positions=True)
    probe("conv1", spikes(), timed=True)
    assert probe.result() == {"conv1": SiteActivity("spikes", 5 / 12, 5 / 12, ((2 / 2, 0.0, 3 / 2),))}


def test_signed_spikes_count_by_magnitude():
    probe = ActivityProbe(positions=True)
    probe("input", -spikes(), timed=True)
    assert probe.result()["input"] == SiteActivity("spikes", 5 / 12, 5 / 12, ((1.0, 0.0, 1.5),))


def test_real_values_repeated_over_time_are_told_from_spikes():
    net = Network("4C3 P F10", input_shape=(1, 8, 8), generator=torch.Generator().manual_seed(0))
    probe = ActivityProbe()
    with torch.no_grad():
        net(direct(torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 5), probe=probe)
    with pytest.raises(ValueError, match="use static_input=True for real values"):
        report(net.plan, probe.result(), 5, convention="physical")


def test_reals_by_hand():
    probe = ActivityProbe(positions=True)
    probe("conv1", torch.tensor([[[[0.5, -1.5]]], [[[0.0, 2.0]]]]), timed=False)  # (2, 1, 1, 2)
    assert probe.result()["conv1"] == SiteActivity("real", 1.0, 0.75, ((0.25, 1.75),))


def test_dense_sites_have_no_positions_and_none_are_kept_by_default():
    probe = ActivityProbe(positions=True)
    probe("fc1", torch.ones(2, 3, 4), timed=True)
    probe("fc2", torch.ones(3, 4), timed=False)
    assert [site.positions for site in probe.result().values()] == [None, None]
    plain = ActivityProbe()
    plain("conv1", spikes(), timed=True)
    assert plain.result()["conv1"].positions is None


def test_batches_and_chunks_of_time_add_up():
    x = (torch.rand(6, 5, 3, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    whole, parts = ActivityProbe(positions=True), ActivityProbe(positions=True)
    whole("conv1", x, timed=True)
    for batch in (x[:, :2], x[:, 2:]):
        for chunk in (batch[:1], batch[1:]):
            parts("conv1", chunk, timed=True)
    assert parts.result() == whole.result()
    found = whole.result()["conv1"]
    assert found.rate == pytest.approx(x.double().mean().item())
    assert torch.allclose(torch.tensor(found.positions), x.sum(2).mean((0, 1)))


def test_counts_stay_exact_beyond_single_precision():
    """2^24 + 1 is no float32: a running float32 sum would stay at 2^24."""
    probe = ActivityProbe(positions=True)
    full = torch.ones(1, 1, 1, 1, 1).expand(2**12, 2**12, 1, 1, 1)  # 2^24 spikes without their memory
    probe("conv1", full, timed=True)
    probe("conv1", full[:1, :1], timed=True)
    probe("conv1", torch.zeros(1, 1, 1, 1, 1), timed=True)
    site = probe.result()["conv1"]
    assert site.rate == site.nonzero == site.positions[0][0] == (2**24 + 1) / (2**24 + 2)


def test_half_precision_maps_are_summed_in_full():
    probe = ActivityProbe(positions=True)
    probe("conv1", torch.ones(1, 1, 301, 1, 1, dtype=torch.bfloat16), timed=True)  # 301 is no bfloat16
    assert probe.result()["conv1"].positions == ((301.0,),)


def test_sites_keep_the_order_they_were_seen_in_and_apart():
    probe = ActivityProbe()
    for site, value in (("input", 1.0), ("conv2.2", 0.0), ("conv2.1", 1.0)):
        probe(site, torch.full((1, 1, 2), value), timed=True)
    assert [(name, site.rate) for name, site in probe.result().items()] == [
        ("input", 1.0),
        ("conv2.2", 0.0),
        ("conv2.1", 1.0),
    ]


def test_gradients_do_not_reach_the_probe():
    x = torch.ones(1, 1, 2, 2, 2, requires_grad=True)
    probe = ActivityProbe(positions=True)
    probe("conv1", x, timed=True)
    assert not any(grid.requires_grad for grid in probe._maps.values())


@pytest.mark.parametrize(
    "site", [SiteActivity("spikes", 0.25, 0.25, ((1.0, 2.0), (0.0, 0.5))), SiteActivity("real", 1.5, 1.0)]
)
def test_a_site_survives_json(site):
    assert SiteActivity.from_dict(json.loads(json.dumps(site.to_dict()))) == site


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.0, 1.0, 1.0, 0.0], True),
        ([0.0, -1.0, 1.0, 0.0], True),
        ([0.0, 0.0, 0.0, 0.0], True),
        ([0.5, 1.5, 1.0, 1.0], False),  # a mean of 1, as of an image that was divided by its own
        ([0.0, 2.0, 0.0, 0.0], False),
        ([0.5, 0.0, 0.0, 1.0], False),
    ],
)
def test_real_values_over_time_are_no_spikes(values, unit):
    probe = ActivityProbe()
    for _ in range(2):
        probe("input", torch.tensor(values).view(2, 2, 1), timed=True)
    site = probe.result()["input"]
    assert site.unit is unit and SiteActivity.from_dict(site.to_dict()) == site
    passes = plan("4C3 F3", (2, 1, 1), "lif")
    activity = dict.fromkeys(("input", "conv1"), site)
    if unit:
        report(passes, activity, 2, convention="physical")
        return
    with pytest.raises(ValueError, match="must be spikes of size 1, got rate"):
        report(passes, activity, 2, convention="physical")


def test_what_is_no_activity_is_refused():
    probe = ActivityProbe()
    for values in (torch.ones(2, 3, dtype=torch.uint8), [1.0]):
        with pytest.raises(ValueError, match="values must be a floating-point tensor, got"):
            probe("input", values, timed=False)
    with pytest.raises(ValueError, match="timed must be True or False, got None"):
        probe("input", torch.ones(2, 3), timed=None)
    with pytest.raises(ValueError, match=r"values of input must have shape \(T, N, ...\), got \(3,\)"):
        probe("input", torch.ones(3), timed=True)
    probe("input", torch.ones(2, 3), timed=True)
    with pytest.raises(ValueError, match="values of input must be spikes as before, got real values"):
        probe("input", torch.ones(2, 3), timed=False)
    probe("empty", torch.ones(2, 0, 3), timed=True)
    with pytest.raises(ValueError, match="values of empty must be those of at least one image, got none"):
        probe.result()
