"""The STDP rule against hand-computed cases and a float64 reference that visits every pair of spikes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stdp_cases import PLAIN, noise, stack

from snncore.activity import ActivityProbe
from snncore.network import Network, NetworkConfig
from snncore.neurons import IF, LIF
from snncore.stdp import StdpConfig, advance_trace, pair_sum, weight_change
from snncore.stdp_layers import (
    Trained,
    present,
    train_layerwise,
)

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
