"""Conversion: an independent float64 loop, the equivalence with normalised weights, thresholds by step, argument errors."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from conversion_cases import (
    PLAIN,
    POISSON,
    REAL,
    SHAPE,
    UNROLLED,
    ann,
    config,
    converted,
    loop,
    part,
    pictures,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from snncore import balancing, kernels
from snncore.activity import ActivityProbe
from snncore.conversion import (
    BalancedHead,
    ConversionConfig,
    balance,
    check_convertible,
    convert,
    scales,
    set_thresholds,
    spiking,
    thresholds_of,
)
from snncore.network import Network, NetworkConfig
from snncore.neurons import IF, LIF, fire
from snncore.peaks import Percentile
from snncore.simulation import classify, simulate
from snncore.stepper import Neurons
from snncore.streams import stream
from snncore.training import InputConfig


@pytest.mark.parametrize("coder", [POISSON, InputConfig("poisson", signed=True, steps=1)])
@pytest.mark.parametrize("topology", [PLAIN, UNROLLED])
def test_thresholds_agree_with_an_independent_loop(topology, coder):
    net, thresholds = converted(topology, coder=coder)
    expected, _ = loop(net, coder, 30, stream(0, "calibration"))
    assert list(thresholds) == list(expected)
    assert thresholds == pytest.approx(expected, rel=1e-6)
    assert thresholds_of(net) == thresholds


def test_spikes_agree_with_an_independent_loop():
    net, _ = converted(UNROLLED)
    _, values = loop(net, POISSON, 30, stream(0, "calibration"))
    data = part()
    # the same spikes: one batch, and the calibration's stream in place of the evaluation's
    seen = {}
    x = dataclasses.replace(POISSON, steps=30)(data.images, generator=stream(0, "calibration"))[0]
    net(x, probe=lambda site, spikes, timed: seen.update({site: spikes}))
    for site, spikes in values.items():
        assert torch.equal(seen[site].double(), spikes), site


def test_balanced_thresholds_are_normalised_weights_spike_for_spike():
    net, thresholds = converted("4C3 P 3C3 4C3 P F8 F3")
    power = {site: 2.0 ** round(math.log2(value)) for site, value in thresholds.items()}  # exact divisions
    set_thresholds(net, power)
    normal = spiking(ann("4C3 P 3C3 4C3 P F8 F3"))
    with torch.no_grad():
        for p in normal.plan[:-1]:
            normal.layers[p.layer].weight /= power[p.site]
    x = dataclasses.replace(POISSON, steps=40)(pictures(), generator=stream(1, "spikes"))[0]
    found = []
    for network in (net, normal):
        seen = {}
        network(x, probe=lambda site, spikes, timed, seen=seen: seen.update({site: spikes.clone()}))
        found.append(seen)
    assert all(torch.equal(found[0][site], found[1][site]) for site in found[0])
    assert found[0]["fc1"].sum() > 0


def test_neurons_in_place_are_fire_bit_for_bit():
    current = torch.randn(50, 7, generator=stream(0, "current")) + 0.2
    spikes, state = fire(current, IF(threshold=0.7))
    neurons = Neurons(0.7)
    assert torch.equal(torch.stack([neurons(step).clone() for step in current]), spikes)
    assert torch.equal(neurons.membrane, state.membrane)


MODES = [
    LIF(alpha=0.9, reset=reset, order=order, refractory=refractory)
    for (reset, order), refractory in itertools.product(
        (("soft", "leak-then-reset"), ("soft", "reset-then-leak"), ("hard", "leak-then-reset")), (0, 2)
    )
]


@pytest.mark.parametrize("neuron", MODES)
@pytest.mark.parametrize("constant", [False, True])
def test_fire_without_gradients_is_fire(neuron, constant):
    current = torch.randn(*(() if constant else (9,)), 40, generator=stream(0, "current")) + 0.4
    steps = 9 if constant else None
    kept, end = fire(current.clone().requires_grad_(), neuron, steps=steps)
    with torch.no_grad():
        free, last = fire(current, neuron, steps=steps)
    assert torch.equal(kept, free) and torch.equal(end.membrane, last.membrane)
    assert (end.held is None and last.held is None) or torch.equal(end.held, last.held)


def test_every_unrolling_step_has_its_own_threshold():
    net, thresholds = converted("4C3 P [4C3]x3 P F8 F3")
    assert list(thresholds) == ["conv1", "conv2.1", "conv2.2", "conv2.3", "fc1"]
    assert len(set(thresholds.values())) == 5
    assert scales(net)["conv2.2"] == pytest.approx(
        thresholds["conv1"] * thresholds["conv2.1"] * thresholds["conv2.2"]
    )
    assert scales(net)["fc1"] == pytest.approx(math.prod(thresholds.values()))
    assert net.head.scale.item() == pytest.approx(math.prod(thresholds.values()))


@pytest.mark.parametrize("topology", [UNROLLED, "4C3 P [4C3]x2 [4C3]x3 P F8 F3", "4C3 P [4C3]x3 P F3"])
def test_a_shared_threshold_is_the_largest_of_the_steps_of_its_layer(topology):
    _, apart = converted(topology, options={"steps": 100})
    net, shared = converted(topology, options={"shared": True, "steps": 100})
    first = net.plan[1].layer  # before the first block nothing changes
    for p in net.plan[:-1]:
        if p.unrolls > 1:
            assert shared[p.site] == max(shared[q.site] for q in net.plan if q.layer == p.layer)
            assert len({shared[q.site] for q in net.plan if q.layer == p.layer}) == 1
            if p.layer == first:
                assert shared[p.site] == max(apart[q.site] for q in net.plan if q.layer == first)
    assert shared["conv1"] == apart["conv1"]


def test_blocks_are_found_in_every_arrangement():
    net = ann("4C3 [4C3 4C3]x2 [4C3]x3 [4C3]x2 4C3 P P F8 F3")
    blocks = balancing._blocks(net.plan[:-1])
    assert [len(block) for block in blocks] == [1, 4, 3, 2, 1, 1]


@pytest.mark.parametrize(("how", "of"), [("first", lambda v: v[0]), ("mean", lambda v: sum(v) / len(v))])
def test_a_shared_threshold_may_be_that_of_the_first_step_or_their_mean(how, of):
    text = "4C3 P [4C3]x3 P F8 F3"
    net, apart = converted(text, options={"steps": 100})
    _, shared = converted(text, options={"shared": True, "shared_as": how, "steps": 100})
    passes = [p.site for p in net.plan if p.layer == "conv2"]
    assert len(passes) == 3 and len({apart[site] for site in passes}) == 3
    assert [shared[site] for site in passes] == pytest.approx([of([apart[site] for site in passes])] * 3)
    with pytest.raises(ValueError, match="shared_as must be one of 'max', 'first', 'mean', got 'last'"):
        ConversionConfig(shared_as="last")


def test_what_follows_a_block_is_balanced_against_the_shared_threshold():
    net, shared = converted("4C3 P [4C3]x3 P F8 F3", options={"shared": True})
    x = dataclasses.replace(POISSON, steps=30)(pictures(), generator=stream(0, "calibration"))[0]
    seen = {}
    net(x, probe=lambda site, spikes, timed: seen.update({site: spikes}))
    pooled = F.avg_pool2d(seen["conv2.3"].flatten(0, 1), 2)
    assert shared["fc1"] == pytest.approx(net.layers["fc1"].weighted(pooled).max().item())


def test_percentiles_lie_below_the_maximum_and_match_a_sort():
    values = (
        torch.randn(5, 3000, generator=stream(0, "values"), dtype=torch.float64) * torch.arange(1, 6)[:, None]
    )
    for percent in (60.0, 90.0, 99.0, 99.9):
        found = Percentile(percent)
        for chunk in values:  # the range grows from chunk to chunk
            found(chunk)
        rank = math.ceil(values.numel() * percent / 100)
        exact = values.flatten().kthvalue(rank).values.item()
        assert exact <= found.value() <= exact + values.max().item() / 16384
    most, lower = converted()[1], converted(options={"percentile": 99.0})[1]
    assert lower["conv1"] < most["conv1"]
    assert Percentile(10.0).value() == 0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-3, 12), min_size=1, max_size=30), st.sampled_from([1.0, 50.0, 90.0]))
def test_percentiles_of_any_whole_numbers(numbers, percent):
    values = torch.tensor(numbers, dtype=torch.float64)
    found = Percentile(percent)
    found(values)
    exact = values.kthvalue(math.ceil(len(numbers) * percent / 100)).values.item()
    assert found.value() == pytest.approx(max(exact, 0.0), abs=12 / 16384)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.floats(-4, 1e4, width=32), min_size=1, max_size=40), min_size=1, max_size=4))
def test_the_compiled_histogram_is_that_of_pytorch(chunks):
    assume(kernels.path("cpu") == "numba")
    loop, torch_ = Percentile(90.0), Percentile(90.0)
    for chunk in chunks:
        values = torch.tensor(chunk, dtype=torch.float32)
        loop(values)
        with kernels.pytorch_only():
            torch_(values)
    assert loop.value() == torch_.value() and loop.top == torch_.top
    assert (loop.counts is None) == (torch_.counts is None)
    assert loop.counts is None or torch.equal(loop.counts, torch_.counts)


def test_scale_multiplies_all_thresholds():
    plain, scaled = converted()[1], converted(options={"scale": 0.5})[1]
    assert scaled == {site: value / 2 for site, value in plain.items()}


def test_first_layers_may_stay_relu():
    coder = InputConfig("direct", steps=1)
    net, thresholds = converted("4C3 P [4C3]x2 P F8 F3", coder=coder, options={"relu_layers": 1})
    assert net.topology.text == "4C3:relu P [4C3]x2 P F8 F3"
    assert list(thresholds) == ["conv2.1", "conv2.2", "fc1"]
    x = REAL(pictures(), generator=stream(0, ""))[0]
    entering = F.avg_pool2d(F.relu(net.layers["conv1"].weighted(x)), 2)
    assert thresholds["conv2.1"] == pytest.approx(net.layers["conv2"].weighted(entering).max().item())
    # constant input: rates reach the activations as fast as 1/T
    data = part()
    found = simulate(net, data, coder, 2000, seed=0, points=50)[2000]
    reference = classify(ann("4C3 P [4C3]x2 P F8 F3"), data, REAL, seed=0)
    assert torch.allclose(found.scores, reference.scores, atol=0.02)
    assert found.agreement["conv2.1"].error < 0.02
    assert found.sites["conv1"].kind == "real" and found.sites["fc1"].kind == "spikes"
    with pytest.raises(ValueError, match="relu_layers must be below 3"):
        spiking(ann(), relu_layers=3)


@pytest.mark.parametrize("head", ["softmax", "stochmax"])
def test_scores_approach_the_anns(head):
    net, _ = converted(UNROLLED, head=head, coder=InputConfig("poisson", signed=True, steps=1))
    original = ann(UNROLLED, head=head)
    data = part()
    reference = classify(original, data, InputConfig("real", signed=True), seed=0)
    found = simulate(net, data, InputConfig("poisson", signed=True, steps=1), 3000, at=(30, 300), seed=0)
    errors = [(snapshot.scores - reference.scores).abs().mean().item() for snapshot in found.values()]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.05


@pytest.mark.parametrize("rule", ["drop", "average"])
def test_channel_matching_is_kept(rule):
    net, thresholds = converted(f"4C3 P [8C3]x2:{rule} P F8 F3")
    assert list(thresholds) == ["conv1", "conv2.1", "conv2.2", "fc1"]
    data, probe = part(), ActivityProbe(positions=True)
    found = simulate(net, data, POISSON, 20, seed=0)[20]
    x = dataclasses.replace(POISSON, steps=20)(data.images, generator=stream(0, "evaluation"))[0]
    net(x, probe=probe)
    assert found.sites.keys() == probe.result().keys()
    for site, activity in probe.result().items():
        assert found.sites[site].rate == pytest.approx(activity.rate), site


def test_the_ann_is_left_alone():
    original = ann()
    before = {name: value.clone() for name, value in original.state_dict().items()}
    net, _ = convert(original, pictures(), POISSON, config(), generator=stream(0, "calibration"))
    assert all(torch.equal(before[name], value) for name, value in original.state_dict().items())
    assert all(p.neuron in ("relu", "none") for p in original.plan)
    weights = {f"layers.{name}.weight": layer.weight for name, layer in net.layers.items()}
    assert all(torch.equal(before[name], value) for name, value in weights.items())
    assert not any(p.requires_grad for p in net.parameters())


def test_conversion_refuses_data():
    with pytest.raises(ValueError, match=r"images must hold at least config.images = 7, got 6"):
        converted(options={"images": 7})
    with pytest.raises(ValueError, match="coder must have code 'direct' for '4C3:relu"):
        converted(options={"relu_layers": 1})
    with pytest.raises(ValueError, match="max_bytes must be at least"):
        balance(spiking(ann()), pictures(), POISSON, config(), generator=stream(0, "c"), max_bytes=100)
    for name, value in (
        ("images", 0),
        ("steps", 0),
        ("percentile", 0.0),
        ("percentile", 101.0),
        ("scale", 0.0),
        ("shared", 2),
        ("relu_layers", -1),
    ):
        with pytest.raises(ValueError, match=name):
            ConversionConfig(**{name: value})


def test_a_dead_layer_is_named():
    net = ann("4C3 P [4C3]x2 P F8 F3")
    with torch.no_grad():
        net.layers["conv2"].weight.clamp_(max=0)
    with pytest.raises(ValueError, match=r"got a threshold of 0 at conv2.1: the layer is dead"):
        convert(net, pictures(), POISSON, config(), generator=stream(0, "calibration"))
    with torch.no_grad():
        net.layers["conv1"].weight.fill_(math.inf)
    with pytest.raises(ValueError, match=r"weights must give finite sums, got .* at conv1"):
        convert(net, pictures(), POISSON, config(), generator=stream(0, "calibration"))


def test_networks_that_cannot_be_converted():
    with pytest.raises(ValueError, match="no batch normalisation, got it at conv1"):
        check_convertible(ann(batch_norm=True))
    with pytest.raises(ValueError, match=r"no residual sum, .* conv2 \+ conv1 at fc1"):
        check_convertible(ann("4C3 4C3+ P F8 F3"))
    with pytest.raises(ValueError, match=r"'top', .* at conv2.2"):
        check_convertible(ann("4C3 P [8C3]x2:top P F8 F3"))
    lif = Network(PLAIN, input_shape=SHAPE, config=NetworkConfig(), generator=stream(0, "weights"))
    with pytest.raises(ValueError, match="ReLU neurons in every layer, got 'lif' at conv1"):
        check_convertible(lif)
    replaced = ann()
    replaced.layers["conv2"] = nn.Conv2d(4, 3, 3)
    with pytest.raises(ValueError, match="got Conv2d with a bias at conv2"):
        check_convertible(replaced)
    added = ann()
    added.layers["conv2"].bias = nn.Parameter(torch.zeros(3))
    with pytest.raises(ValueError, match="weights alone, got bias at conv2"):
        check_convertible(added)
    check_convertible(ann(UNROLLED))


def test_other_modules_cannot_be_converted():
    relu = nn.ReLU()
    for model in (nn.Sequential(nn.Conv2d(2, 4, 3), relu, nn.Conv2d(4, 4, 3), relu), relu, None):
        with pytest.raises(ValueError, match="ann must be a snncore Network, got"):
            check_convertible(model)


def test_thresholds_that_do_not_fit():
    net = spiking(ann("4C3 P [4C3]x3 P F8 F3"))
    good = {"conv1": 1.0, "conv2.1": 2.0, "conv2.2": 3.0, "conv2.3": 4.0, "fc1": 5.0}

    def refused(words, **changes):
        names = {name.replace("_", "."): value for name, value in changes.items()}
        with pytest.raises(ValueError, match=words):
            set_thresholds(net, {name: v for name, v in {**good, **names}.items() if v is not None})

    refused("each of the 3 unrolling steps of conv2 .*got conv2.1, conv2.2$", conv2_3=None)
    refused("3 unrolling steps of conv2 .* got conv2.1, .*conv2.4", conv2_4=1.0)
    refused("one for fc1, got conv1", fc1=None)
    refused("the network's spiking sites, got conv9", conv9=1.0)
    for bad in (0.0, -1.0, math.nan, math.inf):
        refused("threshold of fc1 must be a finite number above 0", fc1=bad)
    with pytest.raises(ValueError, match="network must be balanced"):
        scales(net)
    set_thresholds(net, good)
    set_thresholds(net, good)  # once more: the head is scaled, not its scale
    assert isinstance(net.head, BalancedHead) and not isinstance(net.head.head, BalancedHead)
    assert net.head.scale.item() == 120
    leaky = Network(PLAIN, input_shape=SHAPE, config=NetworkConfig(), generator=stream(0, "weights"))
    with pytest.raises(ValueError, match=r"integrate-and-fire neurons with soft reset, got .* at conv1"):
        set_thresholds(leaky, {})


def test_the_balanced_head_scales_what_it_reads():
    head = ann().head
    h, target = torch.rand(4, 8, generator=stream(0, "h")), torch.tensor([0, 1, 2, 0])
    balanced = BalancedHead(head, 3.0)
    assert torch.equal(balanced(h), head(3 * h))
    assert torch.equal(balanced.loss(h, target)[0], head.loss(3 * h, target)[0])


# --- numbers that are not finite, and training a converted network ---


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("percentile", [100.0, 99.0])
def test_weights_that_are_not_finite_are_named_when_balancing(percentile, wrong):
    net = ann()
    with torch.no_grad():
        net.layers["conv2"].weight[0] = wrong
    config = ConversionConfig(images=4, steps=5, percentile=percentile)
    with pytest.raises(ValueError, match=r"weights must give finite sums, got .* at conv2"):
        convert(net, part().images, POISSON, config, generator=stream(0, "calibration"))


def test_training_a_converted_network_says_that_nothing_in_it_learns():
    net, _ = converted()
    h, target = torch.rand(4, net.head.head.features), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(
        ValueError, match="network must have parameters that require a gradient, got a converted one"
    ):
        net.train().head.loss(h, target)
    with torch.no_grad():
        net.head.loss(h, target)
    net.eval().head.loss(h, target)
    net.train().requires_grad_(True).head.loss(h, target)[0].backward()
