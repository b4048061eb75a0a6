"""Conversion: an independent float64 loop, the equivalence with normalised weights, thresholds by step, refusals."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from snncore import conversion, kernels
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
from snncore.data import Part
from snncore.energy import report
from snncore.network import Network, NetworkConfig
from snncore.neurons import IF, LIF, fire
from snncore.peaks import Percentile
from snncore.simulation import classify, simulate
from snncore.stepper import Neurons
from snncore.streams import stream
from snncore.training import InputConfig, evaluate

PLAIN = "4C3 P 3C3 P F8 F3"
UNROLLED = "4C3 P [4C3 4C3]x2 P F8 F3"
SHAPE = (2, 8, 8)
POISSON = InputConfig("poisson", steps=1)
REAL = InputConfig("real")


def dyadic(network):
    """Weights in multiples of 1/64: every sum of spikes is exact, whatever its order."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 64).round() / 64)
    return network


def ann(topology=PLAIN, seed=0, **options):
    return dyadic(
        Network(
            topology,
            input_shape=SHAPE,
            config=NetworkConfig(neuron="relu", **options),
            generator=stream(seed, "weights"),
        )
    ).eval()


def pictures(count=6, seed=0):
    return torch.randint(0, 256, (count, *SHAPE), generator=stream(seed, "pictures"), dtype=torch.uint8)


def part(count=6, seed=0):
    return Part(pictures(count, seed), torch.randint(0, 3, (count,), generator=stream(seed, "labels")))


def config(**options):
    return ConversionConfig(**{"images": 6, "steps": 30, **options})


def converted(topology=PLAIN, *, coder=POISSON, seed=0, options=None, **network):
    return convert(
        ann(topology, seed, **network),
        pictures(),
        coder,
        config(**(options or {})),
        generator=stream(0, "calibration"),
    )


def loop(net, coder, steps, generator):
    """Balancing written down again: float64, whole layers at once, nothing packed; membranes as running sums."""
    x = dataclasses.replace(coder, steps=steps)(pictures(), generator=generator)[0].double()
    values, found = {"input": x}, {}
    for p in net.plan[:-1]:
        source = values[p.sources[0]]
        lead = source.shape[:2]
        folded = source.flatten(0, 1)
        if p.pool > 1:
            folded = F.avg_pool2d(folded, p.pool)
        weight = net.layers[p.layer].weight.double()
        current = F.conv2d(folded, weight, padding=1) if p.kind == "conv" else folded.flatten(1) @ weight.T
        current = current.unflatten(0, lead)
        found[p.site] = threshold = current.max().item()
        # soft reset: spikes so far times the threshold is what has been taken from the integral
        integral, count, spikes = current.cumsum(0), torch.zeros_like(current[0]), []
        for total in integral:
            spike = (total - count * threshold > threshold).double()
            count = count + spike
            spikes.append(spike)
        values[p.site] = torch.stack(spikes)
    return found, values


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
    blocks = conversion._blocks(net.plan[:-1])
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


# --- simulation ---------------------------------------------------------------------------------------------


def test_one_simulation_gives_every_t():
    net, _ = converted(UNROLLED)
    data = part(7)
    found = simulate(net, data, POISSON, 23, at=(5, 12), seed=3, batch_size=4)
    assert list(found) == [5, 12, 23]
    for T, snapshot in found.items():
        coder = dataclasses.replace(POISSON, steps=23)
        generator, probe, scores = stream(3, "evaluation"), ActivityProbe(positions=True), []
        for images in data.images.split(4):
            scores.append(net(coder(images, generator=generator)[0][:T], probe=probe))
        assert torch.equal(snapshot.scores, torch.cat(scores))
        for site, activity in probe.result().items():
            assert snapshot.sites[site].rate == pytest.approx(activity.rate)
            if activity.positions is not None:
                assert torch.allclose(
                    torch.tensor(snapshot.sites[site].positions), torch.tensor(activity.positions)
                )


def test_the_last_t_is_what_evaluate_finds():
    net, _ = converted(UNROLLED)
    data = part(9)
    found = simulate(net, data, POISSON, 15, seed=1, batch_size=5)[15]
    tested = evaluate(net, data, InputConfig("poisson", steps=15), seed=1, batch_size=5, positions=True)
    assert (found.correct, found.total) == (tested.correct, tested.total)
    assert torch.equal(found.hits, tested.hits)
    assert found.loss == pytest.approx(tested.loss)
    assert found.accuracy == tested.accuracy
    for convention in ("paper", "physical", "full"):
        assert report(found.plan, found.sites, found.steps, convention=convention).efficiency > 0


@pytest.mark.parametrize("coder", [POISSON, InputConfig("poisson", signed=True, steps=1)])
def test_chunks_of_time_change_nothing(coder):
    net = Network(
        UNROLLED, input_shape=SHAPE, config=NetworkConfig(neuron="relu"), generator=stream(5, "weights")
    )
    net, _ = convert(net, pictures(), coder, config(), generator=stream(0, "calibration"))
    data = part(8)
    runs = [
        simulate(net, data, coder, 40, at=(7, 20), seed=0, batch_size=3, time_chunk=chunk, points=5)
        for chunk in (None, 1, 6, 40)
    ]
    for run in runs[1:]:
        for T, snapshot in runs[0].items():
            assert torch.equal(run[T].scores, snapshot.scores)
            assert run[T].sites == snapshot.sites
            for site, agreement in snapshot.agreement.items():
                assert torch.equal(run[T].agreement[site].points, agreement.points)


def test_agreement_by_hand():
    net, _ = converted(PLAIN)
    data = part(4)
    found = simulate(net, data, POISSON, 25, seed=0, points=11)[25]
    seen, real = {}, {}
    x = dataclasses.replace(POISSON, steps=25)(data.images, generator=stream(0, "evaluation"))[0]
    net(x, probe=lambda site, spikes, timed: seen.update({site: spikes.mean(0).double()}))
    ann()(
        REAL(data.images, generator=stream(0, ""))[0],
        probe=lambda site, values, timed: real.update({site: values.double()}),
    )
    for site, agreement in found.agreement.items():
        expected = real[site] / scales(net)[site]
        pair = torch.stack([expected.flatten(), seen[site].flatten()])
        assert agreement.correlation == pytest.approx(torch.corrcoef(pair)[0, 1].item(), abs=1e-5)
        assert agreement.bias == pytest.approx((pair[1].mean() / pair[0].mean() - 1).item(), abs=1e-5)
        assert agreement.error == pytest.approx(
            ((pair[1] - pair[0]).abs().mean() / pair[0].mean()).item(), rel=1e-5
        )
        assert agreement.saturated == (pair[0] > 1).double().mean().item()
        assert agreement.points.shape == (11, 2)
    # after the last layer nothing is left to take over
    assert found.agreement["fc1"].accuracy == found.accuracy


def test_top_k():
    found = simulate(converted()[0], part(), POISSON, 10, seed=0)[10]
    assert found.top(1) == found.correct <= found.top(2) <= found.top(3) == found.total == found.top(5)


def test_progress_counts_image_steps():
    seen = []
    simulate(converted()[0], part(5), POISSON, 11, at=(4,), seed=0, batch_size=2, progress=seen.append)
    assert sum(seen) == 55


# --- refusals -----------------------------------------------------------------------------------------------


def test_simulation_refuses():
    net, data = converted()[0], part()
    for steps, at, words in (
        (0, (), "steps must be a whole number of at least 1"),
        (5, (0,), "at must be"),
        (5, (6,), "at must lie between 1 and steps = 5, got 6"),
    ):
        with pytest.raises(ValueError, match=words):
            simulate(net, data, POISSON, steps, at=at, seed=0)
    with pytest.raises(
        ValueError, match=r"network must be balanced, .* got thresholds conv1 1, conv2 1, fc1 1"
    ):
        simulate(spiking(ann()), data, POISSON, 5, seed=0)
    with pytest.raises(ValueError, match="part must hold at least one image"):
        simulate(net, Part(data.images[:0], data.labels[:0]), POISSON, 5, seed=0)
    for code in ("latency", "direct"):
        with pytest.raises(ValueError, match="coder must have code 'poisson'"):
            simulate(net, data, InputConfig(code, steps=5), 5, seed=0)
    with pytest.raises(ValueError, match="time_chunk"):
        simulate(net, data, POISSON, 5, seed=0, time_chunk=0)
    with pytest.raises(ValueError, match="evaluation mode"):
        simulate(net.train(), data, POISSON, 5, seed=0)


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


# --- numbers that are not finite, and what a simulation is given and hands out ---


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("percentile", [100.0, 99.0])
def test_weights_that_are_not_finite_are_named_when_balancing(percentile, wrong):
    net = ann()
    with torch.no_grad():
        net.layers["conv2"].weight[0] = wrong
    config = ConversionConfig(images=4, steps=5, percentile=percentile)
    with pytest.raises(ValueError, match=r"weights must give finite sums, got .* at conv2"):
        convert(net, part().images, POISSON, config, generator=stream(0, "calibration"))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("layer", "words"), [("conv1", "potentials of conv1 after 3 steps"), ("fc1", "potentials of fc1 after")]
)
def test_a_simulation_names_the_site_that_is_not_finite(layer, words, wrong):
    net, _ = converted()
    net.layers[layer].weight.fill_(wrong)
    with pytest.raises(FloatingPointError, match=f"{words}.* must be finite"):
        simulate(net, part(), POISSON, 6, at=(3,), seed=0)


def test_scores_that_are_not_finite_are_found():
    net, _ = converted()
    net.head.head.classify.bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="scores after 2 steps must be finite"):
        simulate(net, part(), POISSON, 2, seed=0)
    plain = ann()
    plain.head.classify.bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="scores must be finite"):
        classify(plain, part(), REAL, seed=0)


def test_images_and_labels_must_be_the_networks():
    net, _ = converted()
    data = part()
    for wrong, words in (
        (Part(data.images[:0], data.labels[:0]), "part must hold at least one image"),
        (Part(data.images, data.labels + 3), "labels must lie between 0 and 2, got labels from"),
        (Part(data.images, data.labels - 1), "labels must lie between 0 and 2, got labels from -1"),
        (Part(data.images[..., :7], data.labels), "images must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            simulate(net, wrong, POISSON, 3, seed=0)
        with pytest.raises(ValueError, match=words):
            classify(ann(), wrong, REAL, seed=0)


def test_readings_share_no_memory_with_each_other_or_the_part():
    data, untouched = part(), part()
    net, _ = converted()
    found = simulate(net, data, POISSON, 12, at=(4, 8), seed=0, points=3)
    again = simulate(net, untouched, POISSON, 12, at=(4, 8), seed=0, points=3)
    for T in (4, 8):
        found[T].scores.fill_(7)
        found[T].labels.fill_(7)
    assert torch.equal(found[12].scores, again[12].scores) and torch.equal(found[12].labels, untouched.labels)
    read = classify(ann(), data, REAL, seed=0)
    read.labels.fill_(7)
    assert torch.equal(data.labels, untouched.labels)


def test_training_a_converted_network_says_that_nothing_in_it_learns():
    net, _ = converted()
    h, target = torch.rand(4, net.head.head.features), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match="network must have parameters that learn, got a converted one"):
        net.train().head.loss(h, target)
    with torch.no_grad():
        net.head.loss(h, target)
    net.eval().head.loss(h, target)
    net.train().requires_grad_(True).head.loss(h, target)[0].backward()
