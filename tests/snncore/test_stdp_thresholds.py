"""STDP: competition between maps, dropout, threshold adaptation and its warnings."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_digits
from stdp_cases import IMAGES, PLAIN, noise, stack

from snncore.neurons import LIF
from snncore.stdp import THRESHOLD_RANGE, StdpConfig, compete
from snncore.stdp_layers import (
    StdpError,
    StdpWarning,
    Trained,
    features,
    present,
    train_layerwise,
)

# --- competition, dropout, thresholds ---


def test_the_highest_potential_wins_and_inhibition_sets_the_others_to_rest():
    membrane = torch.tensor([[1.5, 0.2], [1.2, 0.9], [0.4, -0.3]]).view(1, 3, 1, 2)  # 3 maps, 2 positions
    spikes = (membrane > 1).float()
    onward, learning, after = compete(spikes, membrane, "inhibit")
    assert onward.flatten().tolist() == [1, 0, 0, 0, 0, 0] and torch.equal(onward, learning)
    # the winner keeps its potential for its own reset; the second position, where nobody fired, is untouched
    assert torch.allclose(after.view(3, 2), torch.tensor([[1.5, 0.2], [0.0, 0.9], [0.0, -0.3]]))
    onward, learning, after = compete(spikes, membrane, "winner")
    assert torch.equal(onward, spikes) and torch.equal(after, membrane)
    assert learning.flatten().tolist() == [1, 0, 0, 0, 0, 0]
    assert compete(spikes, membrane, "none") == (spikes, spikes, membrane)


def test_inhibition_leaves_at_most_one_spike_per_position():
    config = replace(PLAIN, neuron=LIF(threshold=0.3), competition="inhibit", eta=0.0)
    before = stack("4C3 F2", (2, 6, 6), config)
    _, _, free = present(
        replace(before, config=replace(config, competition="none")), "conv1", noise(9, 2, 2, 6, 6)
    )
    _, _, held = present(before, "conv1", noise(9, 2, 2, 6, 6))
    assert held.rate["conv1"] * 4 <= 1 < free.rate["conv1"] * 4


def test_inhibited_neurons_are_not_refractory():
    config = replace(PLAIN, neuron=LIF(threshold=0.3, refractory=3), competition="inhibit", eta=0.0)
    _, _, happened = present(stack("4C3 F2", (2, 6, 6), config), "conv1", noise(12, 2, 2, 6, 6, rate=0.9))
    # each map may fire once in four steps; the losers must be free to fire while the winner is held
    assert happened.rate["conv1"] * 4 > 0.5


def test_dropped_maps_neither_fire_nor_learn():
    config = replace(PLAIN, neuron=LIF(threshold=0.3))
    before = stack("3C3 F2", (2, 5, 5), config)
    keep = {"conv1": torch.tensor([1.0, 0.0, 1.0]).double().view(1, 3, 1, 1).repeat(2, 1, 1, 1)}
    weight, _, happened = present(before, "conv1", noise(6, 2, 2, 5, 5), keep=keep)
    assert torch.equal(weight[1], before.weights["conv1"][1])
    assert not torch.equal(weight[0], before.weights["conv1"][0])
    assert happened.silent["conv1"] == pytest.approx(1 / 3)


def test_training_with_dropout_silences_that_share_of_maps():
    config = StdpConfig(
        dropout=0.5,
        steps=5,
        batch=4,
        settle=0,
        competition="none",
        neuron=LIF(threshold=1e-3),
        start=(0.5, 0.5),
    )
    images = torch.ones(4, 1, 2, 2)
    trained = train_layerwise("50C1 F2", images, config, generator=torch.Generator().manual_seed(0))
    assert trained.history[0].rate["conv1"] == pytest.approx(0.5, abs=0.15)


def test_thresholds_follow_the_rate_of_the_layer_or_of_each_map():
    config = replace(PLAIN, eta=0.0, adaptation=1.0, target=0.1, neuron=LIF(threshold=1.0))
    before = stack("3C1 F2", (1, 2, 2), config)
    # per step the maps receive 0, .6 and 2.5: they never fire, fire sometimes, and fire at every step
    before = replace(before, weights={"conv1": torch.tensor([0.0, 0.05, 2.5]).double().view(3, 1, 1, 1)})
    spikes = torch.ones(10, 1, 1, 2, 2, dtype=torch.float64)
    _, uniform, happened = present(replace(before, config=replace(config, adapt="layer")), "conv1", spikes)
    assert happened.peak["conv1"] == 1.0
    assert uniform["conv1"].tolist() == [2.0, 2.0, 2.0]
    _, each, _ = present(replace(before, config=replace(config, adapt="map")), "conv1", spikes)
    assert each["conv1"].tolist() == [0.5, 0.5, 2.0]
    _, slow, _ = present(
        replace(before, config=replace(config, adapt="map", adaptation=0.5)), "conv1", spikes
    )
    assert slow["conv1"].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 2**0.5])


@pytest.mark.filterwarnings("ignore::snncore.stdp_layers.StdpWarning")
def test_adaptation_reaches_its_target():
    images = torch.rand(64, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    config = StdpConfig(
        eta=0.0, steps=20, batch=4, settle=0, target=0.1, neuron=LIF(threshold=20.0), competition="none"
    )
    trained = train_layerwise("6C3 F2", images, config, generator=torch.Generator().manual_seed(0))
    assert trained.history[0].rate["conv1"] < 0.01
    assert 0.07 < trained.history[-1].rate["conv1"] < 0.13


# --- the stops of threshold adaptation ---

DIGITS = torch.tensor(load_digits().images / 16, dtype=torch.float32)[:, None]


def train_on_digits(topology: str, config: StdpConfig, *, seed: int = 0, images: int = 200) -> Trained:
    return train_layerwise(topology, DIGITS[:images], config, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("topology", "options", "room"),
    [
        (
            "36C3 P F10",
            {},
            r"must be at most 0.02\d+ for layer conv1, and half of that is safer, as 36 maps inhibit each other",
        ),
        (
            "12C3 36C3 P F10",
            {},
            "must be at most 0.0278 for layer conv2, and half of that is safer, as 36 maps inhibit",
        ),
        ("6C3 [40C3]x1 F10", {}, "must be at most 0.025 for layer conv2, .*as 40 maps inhibit each other"),
        (
            "4C3 F10",
            {"target": 0.3, "neuron": LIF(refractory=3), "competition": "none"},
            "must be at most 0.2.* as a neuron rests for 3 steps",
        ),
        (
            "4C3 F10",
            {"target": 0.6, "dropout": 0.5, "competition": "none"},
            "must be at most 0.4.* dropout is 0.5",
        ),
        ("2C3 F10", {"target": 0.5}, "must be at most 0.4.* of its neurons see no pixel above 0"),
    ],
)
def test_a_target_out_of_reach_is_refused_before_training(topology, options, room):
    seen: list = []
    with pytest.raises(StdpError, match=f"target {room}"):
        train_layerwise(
            topology,
            DIGITS[:50],
            StdpConfig(steps=10, **options),
            generator=torch.Generator(),
            progress=seen.append,
        )
    assert not seen


def test_black_images_are_refused_as_input_that_reaches_no_neuron():
    with pytest.raises(
        StdpError, match="at most 0 for layer conv1.* 100% of its neurons see no pixel above 0"
    ):
        train_layerwise("2C3 F10", torch.zeros(4, 1, 8, 8), StdpConfig(), generator=torch.Generator())


def test_a_target_that_nothing_aims_at_may_be_anything():
    train_on_digits("36C3 F10", StdpConfig(steps=2, settle=0, adaptation=0.0), images=16)
    assert StdpConfig(adapt="layer").largest_rate(36) == 1  # of the most active map
    assert StdpConfig(competition="winner").largest_rate(36) == 1  # all of them fire
    assert StdpConfig().largest_rate(36) == 1 / 36 and StdpConfig().largest_rate(36, learning=False) == 1


@pytest.mark.parametrize(("maps", "target"), [(6, 0.03), (18, 0.03), (36, 1 / 72)])
def test_a_reachable_target_is_met(maps, target):
    trained = train_on_digits(f"{maps}C3 P F10", StdpConfig(steps=10, batch=8, target=target), images=400)
    assert target / 1.5 < trained.history[-1].rate["conv1"] < target * 1.5
    assert not trained.alarms


def test_a_map_that_never_fires_does_not_silence_the_others():
    # seed 26 draws a kernel without a positive weight
    config = StdpConfig(steps=5, batch=8, settle=0, epochs=2)
    with pytest.warns(StdpWarning, match="has 8% of its maps silent"):
        trained = train_on_digits("12C3 P F10", config, seed=26, images=1200)
    assert len(trained.history) == 300
    assert all(0.02 < p.rate["conv1"] < 0.06 for p in trained.history[100:])
    lowest = float(trained.thresholds["conv1"].min())
    assert lowest == 1 / THRESHOLD_RANGE and trained.history[-1].stuck["conv1"] == pytest.approx(1 / 12)


def test_nan_is_never_the_highest_potential():
    spikes = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    for other in (math.nan, -math.nan, math.inf):
        membrane = torch.tensor([2.0, other, -math.inf]).view(1, 3, 1, 1)
        onward, learning, _ = compete(spikes, membrane, "inhibit")
        assert onward.flatten().tolist() == [1, 0, 0] and torch.equal(onward, learning)
    onward, _, _ = compete(torch.ones(1, 2, 1, 1), torch.tensor([1.5, math.nan]).view(1, 2, 1, 1), "winner")
    assert onward.flatten().tolist() == [1, 1]  # in this kind all go on


@pytest.mark.filterwarnings("ignore::snncore.stdp_layers.StdpWarning")
@pytest.mark.parametrize(
    ("start", "bound"),
    [((-0.1, -0.01), 1 / THRESHOLD_RANGE), ((0.0, 0.0), 1 / THRESHOLD_RANGE)],
)
def test_a_dead_layer_stops_with_its_name_and_mini_batch(start, bound):
    config = StdpConfig(steps=2, batch=1, settle=0, start=start, neuron=LIF(threshold=1.0))
    with pytest.raises(
        StdpError,
        match=r"layer conv1 \(conv1\) cannot be brought to target 0.03: 100% .* in mini-batch 52, at 0 spikes",
    ):
        train_on_digits("4C3 F10", config)


@pytest.mark.filterwarnings("ignore::snncore.stdp_layers.StdpWarning")
def test_a_layer_that_runs_away_stops():
    # maps that undercut each other: 24 of them leave each other 0.042, the target is 0.041
    config = StdpConfig(steps=10, batch=1, settle=0, target=0.036, adaptation=1.0, eta=0.0)
    with pytest.raises(StdpError, match="layer conv1 .*thresholds are at the bounds"):
        train_on_digits("24C3 F10", config, images=400)


def test_a_rate_off_its_target_is_reported():
    config = StdpConfig(
        steps=10, batch=2, settle=0, adaptation=0.01, target=0.02, eta=0.0, neuron=LIF(threshold=0.2)
    )
    with pytest.warns(StdpWarning, match="is off its target by more than a factor of 2: 0.* after 30 images"):
        trained = train_on_digits("4C3 F10", config, images=40)
    assert [a.kind for a in trained.alarms] == ["off target"]
    with pytest.warns(StdpWarning, match="off its target"):  # at the end of a layer at once
        train_on_digits("4C3 F10", config, images=4)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(wrong):
    before = stack("3C3 4C3 F2", (2, 5, 5), PLAIN)
    spikes = noise(4, 2, 2, 5, 5)
    for change, words in (
        (
            {"weights": before.weights | {"conv2": before.weights["conv2"] * wrong}},
            "weights must be finite.*conv2",
        ),
        (
            {"thresholds": before.thresholds | {"conv1": before.thresholds["conv1"] * wrong}},
            "thresholds must be finite.*conv1",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            present(replace(before, **change), "conv1", spikes)
        with pytest.raises(ValueError, match=words):
            features(replace(before, **change), torch.rand(2, 2, 5, 5), generator=torch.Generator())
    with pytest.raises(ValueError, match="spikes must be counts of at least 0, got values from"):
        present(before, "conv1", spikes * wrong)


def test_numbers_that_overflow_on_the_way_are_found():
    config = replace(PLAIN, trace="additive", eta=1e30, low=-1e38, high=1e38, steps=4)
    before = stack("3C3 F2", (2, 5, 5), config)
    single = replace(before, weights={"conv1": before.weights["conv1"].float() * 1e38})
    single = replace(single, thresholds={"conv1": single.thresholds["conv1"].float()})
    with pytest.raises((StdpError, FloatingPointError), match="finite|infinite"):
        present(single, "conv1", noise(4, 2, 2, 5, 5, rate=0.9).float())
    with pytest.raises(StdpError, match="layer conv1 must have finite currents in mini-batch 1"):
        train_layerwise(
            "3C3 F2",
            IMAGES,
            replace(config, start=(3e37, 1e38), batch=2),
            generator=torch.Generator().manual_seed(0),
        )
