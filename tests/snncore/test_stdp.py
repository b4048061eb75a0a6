"""STDP against hand-computed cases and a float64 reference that visits every pair of spikes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from snncore.activity import ActivityProbe
from snncore.network import Network, NetworkConfig
from snncore.neurons import IF, LIF
from snncore.stdp import THRESHOLD_RANGE, StdpConfig, advance_trace, compete, pair_sum, weight_change
from snncore.stdp_layers import (
    StdpError,
    StdpWarning,
    Trained,
    features,
    present,
    spiking_convolutions,
    train_layerwise,
)
from snncore.topology import plan

PLAIN = StdpConfig(
    offset_unit="absolute", offset=0.4, competition="none", adaptation=0.0, average="positions"
)


IMAGES = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(3))


def stack(topology: str, shape: tuple[int, int, int], config: StdpConfig, *, seed: int = 0) -> Trained:
    """An untrained float64 stack with random weights."""
    passes, reader = spiking_convolutions(plan(topology, shape))
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for p in passes:
        size = (p.out_shape[0], p.in_shape[0], p.kernel, p.kernel)
        weights.setdefault(p.layer, torch.rand(size, generator=generator, dtype=torch.float64) - 0.3)
    thresholds = {
        p.site: torch.full((p.out_shape[0],), config.neuron.threshold, dtype=torch.float64) for p in passes
    }
    return Trained(config, passes, reader, weights, dict(weights), thresholds)


def noise(*shape: int, rate: float = 0.3, seed: int = 0) -> torch.Tensor:
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < rate
    ).double()


# --- the rule ---


def test_last_spike_trace_is_the_exponential_of_the_time_since_the_last_spike():
    trace = torch.zeros(3, dtype=torch.float64)
    spikes = torch.tensor([[1.0, 0, 2], [0, 0, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    for now in spikes:
        advance_trace(trace, now, tau=5.0)
    assert torch.allclose(trace, torch.tensor([math.exp(-1 / 5), 0.0, 1.0], dtype=torch.float64))


def test_additive_trace_sums_all_earlier_spikes():
    trace = torch.zeros(1, dtype=torch.float64)
    for now in (1.0, 0.0, 2.0, 1.0):
        advance_trace(trace, torch.tensor([now], dtype=torch.float64), tau=2.0, kind="additive")
    assert trace.item() == pytest.approx(math.exp(-3 / 2) + 2 * math.exp(-1 / 2) + 1)


def test_two_spikes_at_once_count_twice_in_either_trace():
    for kind in ("last", "additive"):
        trace = torch.zeros(1)
        advance_trace(trace, torch.tensor([2.0]), tau=5.0, kind=kind)
        advance_trace(trace, torch.tensor([0.0]), tau=5.0, kind=kind)
        assert trace.item() == pytest.approx(2 * math.exp(-1 / 5))


def test_one_post_spike_by_hand():
    # Three pre-synaptic neurons, one post; IF, threshold 1. The first fires at 0 and 1, the second at 0, the third never:
    # U = .6 + .1 at t=0 and 1.3 at t=1, so the only post spike comes at t=1 and U is .3 after it.
    config = replace(PLAIN, neuron=IF(), eta=0.1, tau=4.0, update="presentation", steps=3)
    before = stack("1C1 F2", (3, 1, 1), config)
    before = replace(
        before, weights={"conv1": torch.tensor([0.6, 0.1, 0.2], dtype=torch.float64).view(1, 3, 1, 1)}
    )
    spikes = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.float64).view(3, 1, 3, 1, 1)
    weight, _, happened = present(before, "conv1", spikes)
    change = (weight - before.weights["conv1"]).flatten().tolist()
    assert change == pytest.approx([0.1 * (1 - 0.4), 0.1 * (math.exp(-1 / 4) - 0.4), -0.1 * 0.4])
    assert happened.updates == 1 and happened.rate["conv1"] == pytest.approx(1 / 3)


def test_pairs_with_neurons_outside_the_image_do_not_exist():
    trace = torch.full((1, 1, 2, 2), 0.5)
    post = torch.zeros(1, 1, 2, 2)
    post[0, 0, 0, 0] = 1  # the corner sees the lower right 2x2 of its 3x3 kernel
    change = weight_change(
        trace, post, torch.zeros(1, 1, 3, 3), replace(PLAIN, average="spikes", eta=1.0, offset=0.2)
    )
    expected = torch.tensor([[0, 0, 0], [0, 1, 1], [0, 1, 1]]) * 0.3
    assert torch.allclose(change[0, 0], expected)


def test_offset_in_pairs_keeps_the_sum_of_each_kernel():
    trace, post = noise(3, 4, 6, 6), noise(3, 5, 6, 6, rate=0.1, seed=1)
    config = replace(PLAIN, offset=1.0, offset_unit="pairs")
    change = weight_change(trace, post, torch.zeros(5, 4, 3, 3), config)
    assert change.abs().max() > 1e-6
    assert torch.allclose(change.sum((1, 2, 3)), torch.zeros(5, dtype=torch.float64), atol=1e-12)


def test_offset_in_traces_is_the_mean_trace():
    trace, post = noise(2, 3, 5, 5), noise(2, 4, 5, 5, seed=1)
    relative = weight_change(
        trace, post, torch.zeros(4, 3, 3, 3), replace(PLAIN, offset=1.5, offset_unit="trace")
    )
    absolute = weight_change(
        trace, post, torch.zeros(4, 3, 3, 3), replace(PLAIN, offset=1.5 * float(trace.mean()))
    )
    assert torch.allclose(relative, absolute)


def test_weight_dependence_vanishes_at_the_bounds():
    trace, post = noise(2, 1, 4, 4), noise(2, 3, 4, 4, seed=1)
    weight = torch.tensor([-1.0, 0.5, 1.0]).view(3, 1, 1, 1).double()
    free = weight_change(trace, post, weight, PLAIN)
    held = weight_change(trace, post, weight, replace(PLAIN, weight_dependence=True))
    assert held.flatten().tolist() == pytest.approx([0.0, float(free[1]) * 1.5 * 0.5, 0.0])


@pytest.mark.parametrize(
    ("n", "c", "m", "kernel", "size"), [(2, 3, 4, 3, 5), (1, 2, 2, 5, 6), (3, 1, 2, 1, 4)]
)
def test_pair_sum_visits_every_pair(n, c, m, kernel, size):
    trace = torch.rand(n, c, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    post = noise(n, m, size, size)
    expected = torch.zeros(m, c, kernel, kernel, dtype=torch.float64)
    half = kernel // 2
    for i, k, y, x in post.nonzero().tolist():
        for d, dy, dx in itertools.product(range(c), range(kernel), range(kernel)):
            py, px = y + dy - half, x + dx - half
            if 0 <= py < size and 0 <= px < size:
                expected[k, d, dy, dx] += trace[i, d, py, px]
    assert torch.allclose(pair_sum(trace, post, kernel=kernel), expected, atol=1e-12)


# --- a whole presentation against explicit spike pairs ---


def reference(trained: Trained, layer: str, spikes: torch.Tensor) -> torch.Tensor:
    """The layer's weights after a presentation, from Eq. 5 for every pair of spike times; nothing but Python loops.

    Knows both traces, an absolute offset, learning by all or by the winners alone, and fixed thresholds.
    """
    config, passes = trained.config, trained.passes
    weights = {name: w.clone() for name, w in trained.weights.items()}
    steps, images = spikes.shape[:2]
    seen: dict[str, torch.Tensor] = {"input": spikes}
    potential: dict[str, torch.Tensor] = {}
    total = torch.zeros_like(weights[layer])
    for p in passes:
        seen[p.site] = torch.zeros(steps, images, *p.out_shape, dtype=torch.float64)
        potential[p.site] = torch.zeros(images, *p.out_shape, dtype=torch.float64)
    for t in range(steps):
        for p in passes:
            if [q.layer for q in passes].index(p.layer) > [q.layer for q in passes].index(layer):
                continue
            pre = sum(seen[source] for source in p.sources)  # (T, N, C, H, W), final up to step t
            change = torch.zeros_like(weights[p.layer])
            (channels, height, width), half = p.in_shape, p.kernel // 2
            pairs: dict[
                tuple[int, int, int], list
            ] = {}  # place -> (potential, map, taps) of the maps that fire there
            places = itertools.product(range(images), range(p.out_shape[0]), range(height), range(width))
            for i, m, y, x in places:
                taps = [
                    (c, dy, dx, y + dy - half, x + dx - half)
                    for c, dy, dx in itertools.product(range(channels), range(p.kernel), range(p.kernel))
                    if 0 <= y + dy - half < height and 0 <= x + dx - half < width
                ]
                theta = float(trained.thresholds[p.site][m])
                drive = sum(
                    float(weights[p.layer][m, c, dy, dx] * pre[t, i, c, py, px]) for c, dy, dx, py, px in taps
                )
                before = float(seen[p.site][t - 1, i, m, y, x]) if t else 0.0
                u = config.neuron.alpha * float(potential[p.site][i, m, y, x]) + drive - theta * before
                potential[p.site][i, m, y, x] = u
                if u <= theta:
                    continue
                seen[p.site][t, i, m, y, x] = 1
                pairs.setdefault((i, y, x), []).append((u, m, taps))
            for (i, _, _), fired in pairs.items():
                for _, m, taps in (
                    [max(fired, key=lambda one: one[0])] if config.competition == "winner" else fired
                ):
                    for c, dy, dx, py, px in taps:
                        before = [s for s in range(t + 1) if pre[s, i, c, py, px] > 0]
                        counted = before if config.trace == "additive" else before[-1:]
                        closeness = sum(
                            float(pre[s, i, c, py, px]) * math.exp((s - t) / config.tau) for s in counted
                        )
                        change[m, c, dy, dx] += closeness - config.offset
            if p.layer != layer:
                continue
            post = seen[p.site][t]
            if config.average == "spikes":
                change /= post.sum((0, 2, 3)).clamp(min=1).view(-1, 1, 1, 1)
            else:
                change /= images * height * width
            change *= config.eta
            if config.update == "step":
                weights[layer] = (weights[layer] + change).clamp(config.low, config.high)
            else:
                total += change
    if config.update == "presentation":
        weights[layer] = (weights[layer] + total).clamp(config.low, config.high)
    return weights[layer]


@pytest.mark.parametrize("update", ["step", "presentation"])
@pytest.mark.parametrize("average", ["positions", "spikes"])
@pytest.mark.parametrize(
    ("topology", "layer"), [("3C3 F2", "conv1"), ("2C3 [2C3+]x2 F2", "conv2"), ("2C3 2C3+ 2C3+ F2", "conv2")]
)
def test_presentation_agrees_with_explicit_spike_pairs(topology, layer, average, update):
    config = replace(PLAIN, eta=0.3, average=average, update=update, neuron=LIF(alpha=0.9, threshold=0.8))
    before = stack(topology, (2, 3, 4), config)
    spikes = noise(6, 2, 2, 3, 4)
    weight, _, happened = present(before, layer, spikes)
    assert happened.updates > 0
    assert not torch.allclose(weight, before.weights[layer], atol=1e-3)
    assert torch.allclose(weight, reference(before, layer, spikes), atol=1e-10)


@pytest.mark.parametrize(
    "options",
    [{"trace": "additive"}, {"competition": "winner"}, {"trace": "additive", "competition": "winner"}],
)
def test_other_traces_and_winners_agree_with_explicit_spike_pairs(options):
    config = replace(PLAIN, eta=0.3, neuron=LIF(alpha=0.9, threshold=0.4), **options)
    before, spikes = stack("4C3 F2", (2, 3, 4), config), noise(6, 2, 2, 3, 4, rate=0.5)
    weight, _, _ = present(before, "conv1", spikes)
    assert torch.allclose(weight, reference(before, "conv1", spikes), atol=1e-10)
    default, _, _ = present(
        replace(before, config=replace(config, trace="last", competition="none")), "conv1", spikes
    )
    assert not torch.allclose(weight, default, atol=1e-3)  # the option does something here


def test_a_layer_of_if_neurons_does_not_leak():
    config, spikes = replace(PLAIN, eta=0.3, neuron=LIF(alpha=0.5, threshold=0.8)), noise(6, 2, 2, 3, 4)
    marked, _, _ = present(stack("3C3:if F2", (2, 3, 4), config), "conv1", spikes)
    without, _, _ = present(
        stack("3C3 F2", (2, 3, 4), replace(config, neuron=LIF(alpha=1.0, threshold=0.8))), "conv1", spikes
    )
    leaking, _, _ = present(stack("3C3 F2", (2, 3, 4), config), "conv1", spikes)
    assert torch.equal(marked, without) and not torch.equal(marked, leaking)


def test_step_and_presentation_differ_only_by_when_weights_change():
    spikes = noise(8, 2, 2, 5, 5)
    changes = {}
    for update in ("step", "presentation"):
        config = replace(PLAIN, update=update, eta=1e-7)
        before = stack("3C3 F2", (2, 5, 5), config)
        weight, _, _ = present(before, "conv1", spikes)
        changes[update] = weight - before.weights["conv1"]
    assert torch.allclose(changes["step"], changes["presentation"], rtol=1e-4, atol=1e-12)


def test_spikes_are_those_of_the_network_with_the_same_weights():
    config = replace(PLAIN, eta=0.0, neuron=LIF(alpha=0.9), steps=7)
    before = stack("4C3 [4C3+]x2 P M F3:relu F2", (2, 6, 6), config)
    spikes = noise(7, 3, 2, 6, 6)
    network = Network(
        "4C3 [4C3+]x2 P M F3:relu F2",
        input_shape=(2, 6, 6),
        config=NetworkConfig(alpha=0.9),
        generator=torch.Generator().manual_seed(0),
    ).double()
    for name, weight in before.weights.items():
        network.layers[name].weight.data.copy_(weight)
    probe = ActivityProbe()
    with torch.no_grad():
        network(spikes, probe=probe)
    sites = probe.result()
    _, _, happened = present(before, "conv2", spikes)
    assert happened.rate["conv2.1"] == pytest.approx(sites["conv2.1"].rate) and sites["conv2.1"].rate > 0
    assert happened.rate["conv2.2"] == pytest.approx(sites["conv2.2"].rate) and sites["conv2.2"].rate > 0


def test_updates_do_not_depend_on_the_order_of_images():
    config = replace(PLAIN, competition="inhibit", offset=1.0, offset_unit="pairs", adaptation=0.5)
    before = stack("3C3 3C3+ F2", (2, 6, 6), config)
    spikes = noise(6, 5, 2, 6, 6)
    keep = {"conv2": (noise(5, 3, 1, 1, rate=0.6, seed=4))}
    order = torch.tensor([3, 0, 4, 1, 2])
    weight, thresholds, _ = present(before, "conv2", spikes, keep=keep)
    shuffled, other, _ = present(before, "conv2", spikes[:, order], keep={"conv2": keep["conv2"][order]})
    assert not torch.equal(weight, before.weights["conv2"])
    assert torch.allclose(weight, shuffled, atol=1e-12)
    assert torch.allclose(thresholds["conv2"], other["conv2"], atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    eta=st.floats(0, 100),
    offset=st.floats(0, 3),
    bounds=st.tuples(st.floats(-2, 2), st.floats(0.1, 2)),
    update=st.sampled_from(["step", "presentation"]),
    average=st.sampled_from(["positions", "spikes"]),
    competition=st.sampled_from(["none", "winner", "inhibit"]),
    unit=st.sampled_from(["absolute", "trace", "pairs"]),
    trace=st.sampled_from(["last", "additive"]),
    dependent=st.booleans(),
)
def test_weights_never_leave_their_bounds(
    eta, offset, bounds, update, average, competition, unit, trace, dependent
):
    low, high = bounds[0], bounds[0] + bounds[1]
    config = StdpConfig(
        eta=eta,
        offset=offset,
        low=low,
        high=high,
        start=(low, high),
        update=update,
        average=average,
        competition=competition,
        offset_unit=unit,
        trace=trace,
        weight_dependence=dependent,
        steps=4,
        batch=2,
        settle=0,
        neuron=LIF(threshold=0.2),
    )
    images = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    trained = train_layerwise("2C3 [2C3+]x2 F2", images, config, generator=torch.Generator().manual_seed(0))
    for weight in trained.weights.values():
        assert bool(torch.isfinite(weight).all())
        assert low - 1e-6 <= float(weight.min()) and float(weight.max()) <= high + 1e-6


def test_a_rare_map_learns_as_fast_as_a_busy_one_when_averaged_over_spikes():
    trace = torch.full((1, 1, 4, 4), 0.9)
    post = torch.zeros(1, 2, 4, 4)
    post[0, 0] = 1
    post[0, 1, 2, 2] = 1
    by_spikes = weight_change(trace, post, torch.zeros(2, 1, 1, 1), replace(PLAIN, average="spikes"))
    by_positions = weight_change(trace, post, torch.zeros(2, 1, 1, 1), replace(PLAIN, average="positions"))
    assert by_spikes[0].item() == pytest.approx(by_spikes[1].item())
    assert by_positions[0].item() == pytest.approx(16 * by_positions[1].item())


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
            r"must be at most 0.02\d+ for layer conv1, better half of it, as 36 maps inhibit each other",
        ),
        (
            "12C3 36C3 P F10",
            {},
            "must be at most 0.0278 for layer conv2, better half of it, as 36 maps inhibit",
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
    with pytest.raises(StdpError, match="layer conv1 .*thresholds stand at the bounds"):
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


# --- training ---

QUICK = StdpConfig(steps=6, batch=4, neuron=LIF(threshold=0.2), settle=0)


def test_the_same_generator_gives_the_same_kernels():
    runs = [
        train_layerwise("3C3 3C3+ P F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    for layer in ("conv1", "conv2"):
        assert torch.equal(runs[0].weights[layer], runs[1].weights[layer])
        assert not torch.equal(runs[0].weights[layer], runs[2].weights[layer])


def test_a_layer_is_trained_on_finished_layers_below():
    below = train_layerwise("3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(1))
    seen = []
    both = train_layerwise(
        "3C3 3C3 F2",
        IMAGES,
        QUICK,
        generator=torch.Generator().manual_seed(1),
        progress=lambda p: seen.append(p.layer),
    )
    assert torch.equal(below.weights["conv1"], both.weights["conv1"])
    assert seen == ["conv1", "conv1", "conv2", "conv2"]
    assert not torch.equal(both.weights["conv2"], both.initial["conv2"])


def test_unrolling_n_times_makes_k_times_n_updates():
    for passes in (1, 2, 3):
        trained = train_layerwise(
            f"3C3 [3C3+]x{passes} F2",
            IMAGES.clamp(min=0.8),
            replace(QUICK, neuron=LIF(threshold=0.01)),
            generator=torch.Generator().manual_seed(0),
        )
        # every step of every pass has a post spike here, so k = T = 6
        assert [p.updates for p in trained.history if p.layer == "conv2"] == [6 * passes] * 2
        assert trained.updates("conv2") == 12 * passes


def test_snapshots_epochs_and_counts():
    trained = train_layerwise(
        "3C3 F2",
        IMAGES,
        replace(QUICK, epochs=2),
        generator=torch.Generator().manual_seed(0),
        snapshots=(0, 6, 16),
    )
    assert [p.seen for p in trained.history] == [4, 8, 12, 16]
    kept = trained.snapshots["conv1"]
    assert list(kept) == [0, 6, 16]
    assert torch.equal(kept[0], trained.initial["conv1"]) and torch.equal(kept[16], trained.weights["conv1"])
    assert not torch.equal(kept[6], kept[16])


def test_settling_brings_the_activity_without_competition_to_its_target():
    images = torch.rand(64, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    config = StdpConfig(steps=20, batch=8, target=0.05, settle=15, dropout=0.5)
    trained = train_layerwise("6C3 F2", images, config, generator=torch.Generator().manual_seed(0))
    settling = [p for p in trained.history if not p.learning]
    assert len(settling) == 15 and len(trained.history) == 8 + 15
    assert all(p.change == 0 and p.updates == 0 and p.seen == 64 for p in settling)
    probe = ActivityProbe()
    features(trained, images, generator=torch.Generator().manual_seed(1), probe=probe)
    assert probe.result()["conv1"].rate == pytest.approx(0.05, abs=0.015)


def test_stopping_early_gives_the_beginning_of_the_same_run():
    full = train_layerwise("3C3 3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(0))
    start = train_layerwise(
        "3C3 3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(0), stop_after=4
    )
    assert start.history == full.history[:1]


def test_without_a_learning_rate_only_thresholds_change():
    trained = train_layerwise(
        "3C3 F2", IMAGES, replace(QUICK, eta=0.0), generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(trained.weights["conv1"], trained.initial["conv1"])
    assert trained.updates("conv1") == 0
    assert not torch.equal(trained.thresholds["conv1"], torch.full((3,), 0.2))


@pytest.mark.filterwarnings("ignore::snncore.stdp_layers.StdpWarning")
@pytest.mark.parametrize(("offset", "bound"), [(0.01, "at_high"), (3.0, "at_low")])
def test_a_constant_offset_far_from_the_trace_drives_all_weights_to_one_bound(offset, bound):
    config = StdpConfig(
        eta=0.2,
        offset=offset,
        offset_unit="absolute",
        steps=10,
        batch=1,
        settle=0,
        competition="none",
        neuron=LIF(threshold=0.05),
        start=(0.1, 0.2),
        low=0.0,
        input_rate=0.9,
    )
    images = torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(0)).clamp(min=0.5)
    with pytest.warns(StdpWarning, match="of its weights at one bound"):
        trained = train_layerwise("3C3 F2", images, config, generator=torch.Generator().manual_seed(0))
    assert getattr(trained.history[-1], bound) > 0.95
    assert any(a.kind == "weights" for a in trained.alarms)


@pytest.mark.parametrize(
    ("threshold", "kind", "words"), [(1e6, "silent", "is silent: 0 "), (1e-6, "saturated", "saturates: ")]
)
def test_a_silent_or_saturated_layer_is_reported_once_with_its_rate(threshold, kind, words):
    config = StdpConfig(
        eta=0.0,
        steps=4,
        batch=1,
        settle=0,
        adaptation=0.0,
        competition="none",
        neuron=LIF(threshold=threshold),
        start=(0.1, 0.1),
    )
    with pytest.warns(StdpWarning, match=rf"layer conv1 \(conv1\) {words}.*after 5 images") as caught:
        trained = train_layerwise("2C3 F2", IMAGES, config, generator=torch.Generator().manual_seed(0))
    assert len(caught) == 1
    assert [(a.layer, a.kind, a.seen) for a in trained.alarms] == [("conv1", kind, 5)]


def test_single_precision_matches_double():
    config = replace(PLAIN, eta=0.05, competition="inhibit", neuron=LIF(alpha=0.9))
    before = stack("3C3 F2", (2, 6, 6), config)
    single = replace(
        before,
        weights={"conv1": before.weights["conv1"].float()},
        thresholds={"conv1": before.thresholds["conv1"].float()},
    )
    spikes = noise(5, 2, 2, 6, 6)
    wide, _, _ = present(before, "conv1", spikes)
    narrow, _, _ = present(single, "conv1", spikes.float())
    assert narrow.dtype == torch.float32
    assert torch.allclose(wide.float(), narrow, atol=1e-5)


# --- features ---


def test_features_pool_to_spikes_and_average_over_time():
    # One pixel block of ones: each conv neuron receives 1 per step and fires at every step from the first above 1.
    config = replace(PLAIN, steps=4, neuron=IF(threshold=0.5), pool_threshold=0.6)
    before = stack("1C1 P F2", (1, 2, 2), config)
    before = replace(before, weights={"conv1": torch.ones(1, 1, 1, 1, dtype=torch.float64)})
    image = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64).view(1, 1, 2, 2)
    # half of the four neurons fire at every step: the pooled input is .5 per step, U = .5, 1., .9, .8
    out = features(before, image, generator=torch.Generator().manual_seed(0))
    assert out.shape == (1, 1, 1, 1) and out.item() == pytest.approx(3 / 4)
    filtered = features(
        replace(before, config=replace(config, low_pass=2.0)),
        image,
        generator=torch.Generator().manual_seed(0),
    )
    decay = math.exp(-1 / 2)
    assert filtered.item() == pytest.approx((1 + decay + decay**2) / (1 + decay + decay**2 + decay**3))


def test_features_add_residual_sums_and_show_every_site_to_the_probe():
    config = replace(QUICK, steps=5)
    trained = train_layerwise(
        "3C3 [3C3+]x2 P M F4:relu F2", IMAGES, config, generator=torch.Generator().manual_seed(0)
    )
    probe = ActivityProbe()
    out = features(trained, IMAGES, generator=torch.Generator().manual_seed(1), batch=3, probe=probe)
    assert out.shape == (8, 3, 3, 3)
    assert list(probe.result()) == ["input", "conv1", "conv2.1", "conv2.2"]
    unpooled = replace(trained, reader=replace(trained.reader, pool=1))
    probe = ActivityProbe()
    total = features(unpooled, IMAGES, generator=torch.Generator().manual_seed(1), probe=probe)
    assert total.shape == (8, 3, 6, 6)
    sites = probe.result()
    assert total.mean().item() == pytest.approx(sum(sites[s].rate for s in trained.reader.sources), rel=1e-5)


def test_features_are_the_same_for_any_batch_size_of_a_certain_input():
    images = (IMAGES > 0.5).float()  # certain spikes, so batches do not change the random numbers that matter
    trained = train_layerwise("3C3 P F2", images, QUICK, generator=torch.Generator().manual_seed(0))
    one, two = (
        features(trained, images, generator=torch.Generator().manual_seed(0), batch=b) for b in (1, 8)
    )
    assert torch.allclose(one, two)


def test_features_are_read_at_the_input_rate_of_training():
    config, generator = replace(QUICK, input_rate=0.5, steps=400), torch.Generator().manual_seed(0)
    trained = train_layerwise("3C3 P F2", IMAGES, config, generator=generator, stop_after=1)
    probe = ActivityProbe()
    features(
        trained, torch.ones(2, *IMAGES.shape[1:]), generator=torch.Generator().manual_seed(1), probe=probe
    )
    assert probe.result()["input"].rate == pytest.approx(
        0.5, abs=0.01
    )  # 28,800 draws or more: four standard deviations


# --- what is refused ---


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"eta": -0.1}, "eta must be a finite number of at least 0, got -0.1"),
        ({"tau": 0.0}, "tau must be a finite number above 0, got 0.0"),
        ({"tau": -1.0}, "tau must be a finite number above 0"),
        ({"offset": -0.1}, "offset must be a finite number of at least 0"),
        ({"offset": math.nan}, "offset must be a finite number of at least 0"),
        ({"offset_unit": "rate"}, "offset_unit must be one of"),
        ({"trace": "first"}, "trace must be one of 'last', 'additive', got 'first'"),
        ({"low": 1.0, "high": -1.0}, "low must be below high, got low=1.0 and high=-1.0"),
        ({"high": math.inf}, "low must be below high"),
        ({"start": (-2.0, 0.0)}, r"start must be a range within \[-1.0, 1.0\], got \(-2.0, 0.0\)"),
        ({"start": (0.1, 0.0)}, "start must be a range"),
        ({"average": "sum"}, "average must be one of"),
        ({"update": "epoch"}, "update must be one of"),
        ({"competition": "all"}, "competition must be one of"),
        ({"adaptation": 1.5}, "adaptation must lie between 0.0 and 1.0"),
        ({"adapt": "none"}, "adapt must be one of"),
        ({"target": 0.0}, "target must be a finite number above 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"input_rate": 0.0}, "input_rate must be a finite number above 0"),
        ({"input_rate": 1.1}, "input_rate must lie between 0.0 and 1.0"),
        ({"pool_threshold": 0.0}, "pool_threshold must be a finite number above 0"),
        ({"low_pass": 0.0}, "low_pass must be a finite number above 0"),
    ],
)
def test_config_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        StdpConfig(**wrong)


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        ("F8 F2", "must have a spiking convolution for STDP to train, got none"),
        ("4C3:relu P F2", "must have a spiking convolution for STDP to train, got none"),
        ("4C3:relu 4C3 F2", "must have spiking convolutions only, got conv1 with neuron 'relu'"),
        ("4C3 [4C3 4C3]x2 F2", "must not repeat several layers in one BackRes block"),
        ("4C3 [8C3]x2:top F2", "must not match channels between passes"),
    ],
)
def test_topology_refused(topology, words):
    with pytest.raises(ValueError, match=words):
        train_layerwise(topology, IMAGES, QUICK, generator=torch.Generator())


def test_images_and_spikes_refused():
    generator = torch.Generator()
    trained = train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator)
    for call in (
        lambda x: train_layerwise("2C3 F2", x, QUICK, generator=generator),
        lambda x: features(trained, x, generator=generator),
    ):
        with pytest.raises(ValueError, match=r"images must be \(N, C, H, W\) with at least one image"):
            call(IMAGES[:0])
        with pytest.raises(
            ValueError, match="images must not be negative, a rate of spikes cannot be: got -"
        ):
            call(IMAGES - 1)
        with pytest.raises(ValueError, match="images must lie between 0 and 1, got values up to"):
            call(IMAGES + 1)
        with pytest.raises(ValueError, match="images must lie between 0 and 1, got values up to nan"):
            call(IMAGES * math.nan)
    with pytest.raises(ValueError, match="with at least one step and image"):
        present(trained, "conv1", torch.zeros(3, 0, 1, 6, 6))
    with pytest.raises(ValueError, match="spikes must be counts of at least 0, got values from -1.0 to -1"):
        present(trained, "conv1", -torch.ones(3, 1, 1, 6, 6))
    for steps in (-1, 0, 1.5, True):
        with pytest.raises(ValueError, match="stop_after must be a whole number of at least 1"):
            train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator, stop_after=steps)
        with pytest.raises(ValueError, match="snapshots must be a whole number|^$"):
            train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator, snapshots=(-1,))
    for kind in (torch.uint8, torch.int64, torch.bool):
        with pytest.raises(ValueError, match="images must be a floating-point tensor"):
            train_layerwise("2C3 F2", IMAGES.to(kind), QUICK, generator=generator)
    for kind in (torch.float16, torch.bfloat16):  # in which weights would stand still
        with pytest.raises(ValueError, match="images must be float32 or float64 to learn from, got torch"):
            train_layerwise("2C3 F2", IMAGES.to(kind), QUICK, generator=generator)
    with pytest.raises(ValueError, match="layer must be one of 'conv1', got 'conv9'"):
        present(trained, "conv9", torch.zeros(3, 1, 1, 6, 6))
