"""Networks that equal the same layers written out by hand, in time and in real values; how they are constructed."""

from __future__ import annotations

import copy
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from snncore import topology
from snncore.activity import ActivityProbe
from snncore.network import Network, NetworkConfig
from snncore.neurons import IF, LIF, fire_reference
from snncore.stochmax import Stochmax
from snncore.topology import (
    parameter_count,
)


def build(topology, shape=(2, 4, 4), seed=0, static_input=None, **config):
    generator = torch.Generator().manual_seed(seed)
    net = Network(
        topology,
        input_shape=shape,
        config=NetworkConfig(**config),
        generator=generator,
        static_input=static_input,
    )
    return net.eval()


def events(*shape, seed=1, rate=0.5):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).double()


def record(net, x, **options):
    """Scores and what the probe saw: {site: (values, timed)}."""
    seen = {}

    def probe(site, values, *, timed):
        assert site not in seen
        seen[site] = (values, timed)

    return net(x, probe=probe, **options), seen


def lif_by_hand(current, neuron):
    return fire_reference(current, neuron)[0]


def conv_by_hand(spikes, weight):
    return torch.stack([F.conv2d(step, weight, padding=1) for step in spikes])


def pool_by_hand(x):  # (..., H, W)
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def dense_by_hand(spikes, weight):
    return torch.stack([step.flatten(1) @ weight.T for step in spikes])


@pytest.mark.parametrize(
    "options", [{}, {"reset": "hard"}, {"order": "reset-then-leak", "detach_reset": False}, {"refractory": 2}]
)
@pytest.mark.parametrize("readout", ["mean", "sum"])
def test_a_backres_network_equals_its_layers_by_hand(options, readout):
    net = build("4C3 P [4C3]x3 F6 F3", readout=readout, gain=1.5, threshold=0.6, **options).double()
    neuron = LIF(0.95, 0.6, **options)
    x = events(7, 3, 2, 4, 4)
    scores, seen = record(net, x)
    # the shared weight three times, so that each pass has its own gradient
    own = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    first, full = own["layers.conv1.weight"], own["layers.fc1.weight"]
    shared = [own["layers.conv2.weight"].detach().clone().requires_grad_() for _ in range(3)]
    spikes = lif_by_hand(conv_by_hand(x, first), neuron)
    by_hand = {"input": x, "conv1": spikes}
    spikes = pool_by_hand(spikes)
    for k, weight in enumerate(shared, start=1):
        spikes = by_hand[f"conv2.{k}"] = lif_by_hand(conv_by_hand(spikes, weight), neuron)
    spikes = by_hand["fc1"] = lif_by_hand(dense_by_hand(spikes, full), neuron)
    h = spikes.sum(0) / (7 if readout == "mean" else 1)
    expected = h @ own["head.classify.weight"].T + own["head.classify.bias"]

    assert list(seen) == list(by_hand)
    for site, values in by_hand.items():
        assert torch.equal(seen[site][0], values), site
        assert seen[site][1] and values.any()
    assert torch.allclose(scores, expected, atol=1e-12)
    target = torch.tensor([0, 1, 2])
    F.cross_entropy(scores, target).backward()
    F.cross_entropy(expected, target).backward()
    for name, p in net.named_parameters():
        wanted = sum(w.grad for w in shared) if name == "layers.conv2.weight" else own[name].grad
        assert torch.allclose(p.grad, wanted, atol=1e-12) and wanted.abs().sum() > 0, name
    assert not torch.allclose(shared[0].grad, shared[1].grad)


def test_a_relu_network_equals_its_layers_by_hand():
    net = build("4C3 P [4C3]x2 F6 F3", neuron="relu").double()
    w = dict(net.named_parameters())
    x = torch.rand(3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    h = pool_by_hand(F.conv2d(x, w["layers.conv1.weight"], padding=1).clamp(min=0))
    for _ in range(2):
        h = F.conv2d(h, w["layers.conv2.weight"], padding=1).clamp(min=0)
    h = (h.flatten(1) @ w["layers.fc1.weight"].T).clamp(min=0)
    scores, seen = record(net, x)
    assert torch.allclose(scores, h @ w["head.classify.weight"].T + w["head.classify.bias"])
    assert list(seen) == ["input", "conv1", "conv2.1", "conv2.2", "fc1"]
    assert not any(timed for _, timed in seen.values())


def test_residual_sums_are_counts_0_1_2():
    net = build("4C3 4C3+ F3", gain=2.0).double()
    x = events(6, 2, 2, 4, 4)
    seen, inputs = record(net, x)[1], []
    net.head.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    net(x)
    counts = seen["conv1"][0] + seen["conv2"][0]
    assert set(counts.unique().tolist()) == {0.0, 1.0, 2.0}
    assert torch.allclose(inputs[0], counts.mean(0).flatten(1))
    second = lif_by_hand(conv_by_hand(seen["conv1"][0], net.layers["conv2"].weight), LIF())
    assert torch.equal(second, seen["conv2"][0])


def test_a_skip_over_two_layers_inside_a_block():
    net = build("4C3 [(4C3 4C3)+]x2 F3", gain=2.0).double()
    w = dict(net.named_parameters())
    x = events(5, 2, 2, 4, 4)
    h = lif_by_hand(conv_by_hand(x, w["layers.conv1.weight"]), LIF())
    for _ in range(2):
        inside = lif_by_hand(conv_by_hand(h, w["layers.conv2.weight"]), LIF())
        h = h + lif_by_hand(conv_by_hand(inside, w["layers.conv3.weight"]), LIF())
    assert h.max() == 3  # conv1 and two passes
    assert torch.equal(net.features(x), h.sum(0).flatten(1) / 5)


@pytest.mark.parametrize("rule", ["drop", "top", "average"])
def test_channel_matching_in_a_network(rule):
    net = build(f"[4C3]x3:{rule} F3", gain=1.5, threshold=0.5).double()
    x = events(5, 3, 2, 4, 4)
    _, seen = record(net, x)
    weight = net.layers["conv1"].weight
    h, expected = x, {"input": x}
    for k in (1, 2, 3):
        h = expected[f"conv1.{k}"] = lif_by_hand(conv_by_hand(h, weight), LIF(threshold=0.5))
        if k == 3:
            break
        if rule == "average":
            h = (h[:, :, ::2] + h[:, :, 1::2]) / 2
        elif rule == "drop":
            h = expected[f"conv1.{k}:drop"] = h[:, :, net.match_conv1.kept]
        else:
            busy = h.sum((0, 3, 4))  # (N, C)
            best = [sorted(busy[n].topk(2).indices.tolist()) for n in range(3)]
            h = expected[f"conv1.{k}:top"] = torch.stack([h[:, n, best[n]] for n in range(3)], 1)
    assert set(seen) == set(expected)
    assert all(torch.equal(seen[site][0], values) for site, values in expected.items())
    # whatever the plan names as a source is something the probe sees
    assert {source for p in net.plan for source in p.sources} <= set(seen)


def test_a_block_of_one_pass_may_change_its_channels():
    assert build("2C3 [4C3]x1 F3")(events(2, 1, 2, 4, 4).float()).shape == (1, 3)


def test_a_hybrid_convolves_the_static_image_once():
    net = build("4C3:relu 4C3 4C3 F6 F3", gain=1.5).double()
    x = torch.rand(2, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    batches = []
    plain = F.conv2d

    def counted(x, *args, **options):
        batches.append(len(x))
        return plain(x, *args, **options)

    with mock.patch.object(F, "conv2d", counted):
        scores, seen = record(net, x, steps=9)
    assert batches == [2, 2, 9 * 2]  # conv1 and conv2 once, conv3 at every step
    w = dict(net.named_parameters())
    first = F.conv2d(x, w["layers.conv1.weight"], padding=1).relu()
    charge = F.conv2d(first, w["layers.conv2.weight"], padding=1)
    spikes = lif_by_hand(charge.expand(9, *charge.shape), LIF())
    assert torch.equal(seen["conv2"][0], spikes) and spikes.any()
    assert [timed for _, timed in seen.values()] == [False, False, True, True, True]
    assert scores.shape == (2, 3)


def test_the_mean_over_time_hands_real_values_on():
    net = build("4C3 M 4C3:relu F3").double()
    w = dict(net.named_parameters())
    x = events(6, 2, 2, 4, 4)
    spikes = lif_by_hand(conv_by_hand(x, w["layers.conv1.weight"]), LIF())
    h = F.conv2d(spikes.sum(0) / 6, w["layers.conv2.weight"], padding=1).relu().flatten(1)
    assert torch.allclose(net.features(x), h)
    with pytest.raises(ValueError, match="run must have spikes at the classifier, got real values"):
        net.run(x)


def test_if_neurons_do_not_leak():
    net = build("4C3:if 4C3 F3", alpha=0.5)
    assert [(site, neuron.alpha) for site, neuron in net.sites()] == [("conv1", 1.0), ("conv2", 0.5)]


@pytest.mark.parametrize("options", [{}, {"refractory": 2}, {"reset": "hard", "readout": "sum"}])
@pytest.mark.parametrize("topology", ["4C3 P [4C3]x2 4C3+ F6 F3", "[4C3]x2:drop F3", "F3"])
def test_chunks_of_time_equal_the_whole(topology, options):
    net = build(topology, gain=2.0, **options).double()
    x = events(11, 2, 2, 4, 4)
    total, state = 0, None
    for chunk in (x[:1], x[1:6], x[6:]):
        some, state = net.run(chunk, state=state)
        total = total + some
    features = total / (11 if net.config.readout == "mean" else 1)
    assert torch.equal(features, net.features(x))
    assert torch.equal(net.head(features), net(x))


def test_chunks_of_time_from_a_static_image():
    net = build("4C3:relu 4C3 F6 F3", gain=1.5).double()
    x = torch.rand(2, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one, state = net.run(x, steps=4)
    two, _ = net.run(x, steps=5, state=state)
    assert torch.equal((one + two) / 9, net.features(x, steps=9))


def test_top_matching_cannot_be_streamed():
    with pytest.raises(ValueError, match="run must not use channel matching 'top'"):
        build("[4C3]x2:top F3").run(events(2, 1, 2, 4, 4).float())


def test_each_pass_has_its_own_neurons():
    net = build("4C3 [4C3]x2 F3", gain=2.0)
    x = events(6, 2, 2, 4, 4).float()
    before = record(net, x)[1]
    net.set_neuron("conv2.2", IF(threshold=1e6))
    after = record(net, x)[1]
    assert torch.equal(before["conv2.1"][0], after["conv2.1"][0])
    assert before["conv2.2"][0].any() and not after["conv2.2"][0].any()
    assert [site for site, _ in net.sites()] == ["conv1", "conv2.1", "conv2.2"]
    for site in ("conv2", "fc1", "conv9"):
        with pytest.raises(ValueError, match=r"site must be one of conv1, conv2.1, conv2.2, got"):
            net.set_neuron(site, LIF())


def test_the_probe_counts_what_the_sites_did():
    net = build("4C3 P F6 F3", gain=2.0)
    x = events(5, 2, 2, 4, 4).float()
    probe = ActivityProbe()
    seen = record(net, x)[1]
    net(x, probe=probe)
    assert {site: found.rate for site, found in probe.result().items()} == {
        "input": x.sum().item() / 320,
        "conv1": seen["conv1"][0].sum().item() / 640,
        "fc1": seen["fc1"][0].sum().item() / 60,
    }


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([2, 4]),
    repeats=st.integers(1, 3),
    rule=st.sampled_from(["drop", "top", "average"]),
)
def test_weights_depend_on_the_seed_alone(seed, size, repeats, rule):
    text = f"4C3 [8C3]x{repeats}:{rule} F5 F3"
    one = build(text, (1, size, size), seed)
    torch.rand(3)
    two = build(text, (1, size, size), seed)
    other = build(text, (1, size, size), seed + 1)
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())
    assert not any(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))
    assert sum(p.numel() for p in one.parameters()) == parameter_count(text, (1, size, size))
    x = events(3, 2, 1, size, size).float()
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))


def test_neurons_do_not_change_the_weights():
    nets = [build("4C3 P [4C3]x2 F6 F3", neuron=neuron) for neuron in topology.NEURONS]
    assert len({tuple(p.sum().item() for p in net.parameters()) for net in nets}) == 1


def test_state_names_are_unique_and_say_what_they_are():
    assert list(build("4C3 [4C3 8C3]x2:drop F6 F3", (4, 4, 4)).state_dict()) == [
        "layers.conv1.weight",
        "layers.conv1.neuron_parameters",
        "layers.conv2.weight",
        "layers.conv2.neuron_parameters",
        "layers.conv3.weight",
        "layers.conv3.neuron_parameters",
        "layers.fc1.weight",
        "layers.fc1.neuron_parameters",
        "match_conv2.kept",
        "head.classify.weight",
        "head.classify.bias",
    ]


def test_initial_weights_have_the_deviation_promised():
    net = build("64C3 F200 F3", (4, 8, 8), gain=0.5)
    for name, fan_in in (("conv1", 36), ("fc1", 4096)):
        weight = net.layers[name].weight
        assert weight.std().item() == pytest.approx(0.5 * (2 / fan_in) ** 0.5, rel=0.1)
        assert abs(weight.mean().item()) < 0.1 * weight.std().item()


def test_a_copy_computes_with_its_own_weights():
    net = build("4C3 [4C3]x2 F3", gain=2.0)
    x = events(4, 1, 2, 4, 4).float()
    twin = copy.deepcopy(net)
    before = net(x)
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert torch.equal(net(x), before) and not twin(x).any()


def test_other_heads():
    net = build("4C3 F3", head="stochmax", head_options=(("epsilon", 1e-6),))
    assert isinstance(net.head, Stochmax) and net.head.config.epsilon == 1e-6
    with pytest.raises(ValueError, match="head must be one of"):
        build("4C3 F3", head="hardmax")


def test_batch_norm_has_statistics_per_pass_of_relu_convolutions():
    net = build("4C3 [4C3]x2 F6 F3", neuron="relu", batch_norm=True).train()
    x = torch.rand(8, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    net(x)
    one, two = net.layers["conv2"].norm
    assert not torch.allclose(one.running_mean, two.running_mean)
    assert net.layers["fc1"].norm is None and build("4C3 F3", batch_norm=True).layers["conv1"].norm is None
    assert len(net.state_dict()) == len(set(net.state_dict())) == 5 + 3 * 5


def test_dropout_holds_one_mask_over_time_and_rests_in_evaluation():
    net = build("F50:lif F3", (1, 8, 8), dropout=0.25).train()
    x = torch.ones(3, 2, 1, 8, 8)
    read = []
    plain = F.linear

    def spy(x, weight, *bias):
        read.append(x)
        return plain(x, weight, *bias)

    with mock.patch.object(F, "linear", spy):
        net(x, generator=torch.Generator().manual_seed(0))
        net.eval()(x)
    dropped, kept = read[0].view(3, 2, 64), read[2]  # what fc1 reads, by time
    assert torch.equal(dropped[0], dropped[1]) and torch.equal(dropped[0], dropped[2])
    assert not torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert 0.05 < (dropped == 0).float().mean() < 0.5
    assert [len(r) for r in read] == [6, 2, 6, 2] and torch.equal(kept, torch.ones(6, 64))
    with pytest.raises(ValueError, match="generator must be given to train with dropout, got None"):
        net.train()(x)


def test_bfloat16_counts_beyond_256():
    net = build("F3", (1, 1, 1), readout="sum")
    x = torch.ones(301, 1, 1, 1, 1, dtype=torch.bfloat16)
    assert net.features(x).tolist() == [[301.0]] and net.run(x)[0].tolist() == [[301.0]]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"neuron": "tanh"}, "neuron must be one of"),
        ({"readout": "max"}, "readout must be one of"),
        ({"gain": 0.0}, "gain must be a finite number above 0"),
        ({"dropout": 1.0}, "dropout must lie between"),
        ({"alpha": 1.1}, "alpha must lie between"),
        ({"threshold": 0}, "threshold must be"),
        ({"gamma": -1.0}, "gamma must be"),
        ({"reset": "none"}, "reset must be one of"),
        ({"order": "any"}, "order must be one of"),
        ({"refractory": -1}, "refractory must be"),
    ],
)
def test_wrong_configurations(options, words):
    with pytest.raises(ValueError, match=words):
        NetworkConfig(**options)


@pytest.mark.parametrize(
    "topology, shape, options, words",
    [
        ("4C3 F3", (1, 2, 4, 4), {}, r"x must have shape \(T, N, 2, 4, 4\), got \(1, 2, 4, 4\)"),
        ("4C3 F3", (1, 1, 2, 4, 5), {}, "x must have shape"),
        ("4C3 F3", (0, 1, 2, 4, 4), {}, "x must have at least one time step"),
        ("4C3 F3", (3, 1, 2, 4, 4), {"steps": 3}, "steps must be None if x has a time dimension, got 3"),
        ("4C3:relu 4C3 F3", (3, 1, 2, 4, 4), {}, r"x must have shape \(N, 2, 4, 4\)"),
        ("4C3:relu 4C3 F3", (0, 2, 4, 4), {"steps": 3}, "x must have at least one image"),
        (
            "4C3:relu 4C3 F3",
            (1, 2, 4, 4),
            {},
            "steps must be given for real values that enter spiking layer conv2",
        ),
        ("4C3:relu 4C3 F3", (1, 2, 4, 4), {"steps": 0}, "steps must be a whole number"),
    ],
)
def test_wrong_input(topology, shape, options, words):
    with pytest.raises(ValueError, match=words):
        build(topology)(torch.zeros(shape), **options)


def test_state_of_another_batch_is_refused():
    net = build("4C3 F3")
    _, state = net.run(torch.zeros(1, 2, 2, 4, 4))
    with pytest.raises(ValueError, match="state of conv1 must have the shape"):
        net.run(torch.zeros(1, 3, 2, 4, 4), state=state)
