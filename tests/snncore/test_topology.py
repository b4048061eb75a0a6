"""The notation of networks and the plan that is made from it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore import topology
from snncore.backres import MATCHES
from snncore.network import Network, NetworkConfig
from snncore.topology import (
    Block,
    Conv,
    Dense,
    Mean,
    Pool,
    Skip,
    as_ann,
    parameter_count,
    parse,
    plan,
    scale_width,
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


def test_a_string_becomes_a_tree():
    found = parse("  64C3:relu P  M (8C5 8C5)+ 36C3+ [12C1 F7:if]x4:top F1024:lif\nF10")
    assert found.nodes == (
        Conv(64, 3, "relu"),
        Pool(),
        Mean(),
        Skip((Conv(8, 5), Conv(8, 5))),
        Skip((Conv(36, 3),)),
        Block((Conv(12, 1), Dense(7, "if")), 4, "top"),
        Dense(1024, "lif"),
        Dense(10),
    )
    assert found.text == str(found) == "64C3:relu P M (8C5 8C5)+ 36C3+ [12C1 F7:if]x4:top F1024:lif F10"
    assert found.classes == 10
    assert parse(found) is found


def test_the_normal_form_has_one_spelling():
    assert parse("64C3P[(8C3)+]x2F10").text == "64C3 P [8C3+]x2 F10"


neurons = st.sampled_from([None, *topology.NEURONS])


leaves = st.one_of(
    st.builds(Conv, st.integers(1, 512), st.sampled_from([1, 3, 5, 7]), neurons),
    st.builds(Dense, st.integers(1, 4096), neurons),
    st.just(Pool()),
)


bodies = (
    st.lists(leaves, min_size=1, max_size=3).filter(lambda body: any(n != Pool() for n in body)).map(tuple)
)


skips = st.builds(Skip, bodies)


inner = (
    st.lists(st.one_of(leaves, skips), min_size=1, max_size=3)
    .filter(lambda body: any(n != Pool() for n in body))
    .map(tuple)
)


blocks = st.builds(Block, inner, st.integers(1, 9), st.sampled_from([None, *MATCHES]))


topologies = st.builds(
    lambda nodes, classes: (*nodes, Dense(classes)),
    st.lists(st.one_of(leaves, skips, blocks, st.just(Mean())), max_size=6),
    st.integers(1, 1000),
)


def written(nodes):
    return " ".join(map(topology._write, nodes))


@settings(deadline=None)
@given(topologies)
def test_what_is_written_reads_back(nodes):
    assert parse(written(nodes)).nodes == nodes
    assert parse(written(nodes)).text == written(nodes)


@settings(deadline=None)
@given(topologies)
def test_scaling_by_one_and_the_ann_of_an_ann_change_nothing(nodes):
    text = written(nodes)
    assert scale_width(text, 1) == text
    assert as_ann(as_ann(text)) == as_ann(text)
    assert not any(word in as_ann(text) for word in (":relu", ":lif", ":if", "M"))


def test_scaling_by_hand():
    assert scale_width("64C3 P (6C3 30C5:if)+ [128C3]x4:top F1024 F10", 0.25) == (
        "16C3 P (2C3 8C5:if)+ [32C3]x4:top F256 F10"
    )
    assert scale_width("3C3 F10", 0.01) == "1C3 F10"


def test_the_ann_baseline_by_hand():
    assert as_ann("8C3:relu 8C3:lif [8C3:if+]x2 M F9:relu F10") == "8C3 8C3 [8C3+]x2 F9 F10"


@pytest.mark.parametrize(
    "text, words",
    [
        (5, "topology must be a string such as .* got 5"),
        ("64C3 Q F10", r"topology must be made of .* got 'Q' in topology '64C3 Q F10'"),
        ("64C3 64 F10", "got '64'"),
        ("4C2 F10", "kernel must be odd for same padding, got '4C2'"),
        ("4C0 F10", "kernel must be odd"),
        ("0C3 F10", "a layer must have at least one map or feature, got '0C3'"),
        ("F0 F10", "a layer must have at least one map or feature, got 'F0'"),
        ("4C3:tanh F10", "neuron must be one of 'relu', 'lif', 'if', got 'tanh'"),
        ("F4:LIF F10", "neuron must be one of"),
        (
            "[4C3]x2:first F10",
            "channel matching must be one of 'drop', 'top', 'top-fixed', 'average', got 'first'",
        ),
        ("[4C3]x0 F10", "repeats must be a whole number of at least 1, got 0"),
        ("[4C3 F10", r"topology must close every '\[', got an open one"),
        ("(4C3 F10", r"topology must close every '\('"),
        ("4C3]x2 F10", r"topology must open '\[' before '\]x2', got none"),
        ("(4C3]x2 F10", r"topology must open '\['"),
        ("[4C3)+ F10", r"topology must open '\(' before '\)\+'"),
        ("[4C3] F10", r"got '\]'"),
        ("(4C3) F10", r"got '\)'"),
        ("[P]x2 F10", r"brackets must hold at least one layer, got none before '\]x2'"),
        ("()+ F10", "brackets must hold at least one layer"),
        ("[4C3 M]x2 F10", "M must be outside brackets"),
        ("+ 4C3 F10", r"'\+' must follow a layer or a group in parentheses, got ''|got '\+'"),
        ("4C3 P + F10", r"'\+' must follow a layer"),
        ("4C3++ F10", r"'\+' must follow a layer"),
        ("", "topology must end in a classifier such as F10 without neurons, got ''"),
        ("4C3", "topology must end in a classifier"),
        ("4C3 F10 P", "topology must end in a classifier"),
        ("4C3 F10+", "topology must end in a classifier"),
        ("4C3 F10:lif", "topology must end in a classifier"),
    ],
)
def test_unreadable_strings(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


def brief(p):
    return (p.site, p.neuron, p.in_shape, p.out_shape, p.sources, p.pool, p.static, p.once, p.weights)


def test_the_plan_of_a_backres_network_by_hand():
    found = plan("64C3 P [64C3]x2 P F1024 F10", (3, 32, 32))
    assert [brief(p) for p in found] == [
        ("conv1", "lif", (3, 32, 32), (64, 32, 32), ("input",), 1, False, False, 1728),
        ("conv2.1", "lif", (64, 16, 16), (64, 16, 16), ("conv1",), 2, False, False, 36864),
        ("conv2.2", "lif", (64, 16, 16), (64, 16, 16), ("conv2.1",), 1, False, False, 36864),
        ("fc1", "lif", (64, 8, 8), (1024,), ("conv2.2",), 2, False, False, 4194304),
        ("fc2", "none", (1024,), (10,), ("fc1",), 1, False, True, 10250),
    ]
    assert [(p.layer, p.kind, p.kernel, p.unroll, p.unrolls) for p in found] == [
        ("conv1", "conv", 3, 1, 1),
        ("conv2", "conv", 3, 1, 2),
        ("conv2", "conv", 3, 2, 2),
        ("fc1", "dense", 1, 1, 1),
        ("fc2", "dense", 1, 1, 1),
    ]
    assert [p.source_shapes for p in found] == [
        ((3, 32, 32),),
        ((64, 32, 32),),
        ((64, 16, 16),),
        ((64, 16, 16),),
        ((1024,),),
    ]
    assert parameter_count("64C3 P [64C3]x2 P F1024 F10", (3, 32, 32)) == 1728 + 36864 + 4194304 + 10250


def test_the_plan_of_two_pools_and_a_kernel_of_five():
    found = plan("4C5 P P F6", (1, 8, 8), "relu")
    assert [brief(p) for p in found] == [
        ("conv1", "relu", (1, 8, 8), (4, 8, 8), ("input",), 1, True, True, 100),
        ("fc1", "none", (4, 2, 2), (6,), ("conv1",), 4, True, True, 102),
    ]


def test_residual_sums_have_several_sources():
    found = plan("6C3 6C3+ (6C3 6C3)+ F10", (1, 4, 4))
    assert [p.sources for p in found] == [
        ("input",),
        ("conv1",),
        ("conv2", "conv1"),
        ("conv3",),
        ("conv4", "conv2", "conv1"),
    ]
    unrolled = plan("6C3 [6C3+]x2 F10", (1, 4, 4))
    assert [p.sources for p in unrolled][2:] == [("conv2.1", "conv1"), ("conv2.2", "conv2.1", "conv1")]


def test_hybrids_by_hand():
    found = plan("4C3:relu 4C3 M F8:relu F3", (1, 4, 4))
    assert [(p.site, p.neuron, p.static, p.once) for p in found] == [
        ("conv1", "relu", True, True),
        ("conv2", "lif", True, False),
        ("fc1", "relu", True, True),
        ("fc2", "none", True, True),
    ]


def test_blocks_of_two_layers_alternate_and_a_single_pass_has_no_number():
    assert [p.site for p in plan("[4C3 4C3]x2 [4C3]x1 F2", (4, 2, 2))] == [
        "conv1.1",
        "conv2.1",
        "conv1.2",
        "conv2.2",
        "conv3",
        "fc1",
    ]


@pytest.mark.parametrize(
    "rule, source, shape",
    [
        ("drop", "conv1.1:drop", (2, 4, 4)),
        ("top", "conv1.1:top", (2, 4, 4)),
        ("average", "conv1.1", (4, 4, 4)),
    ],
)
def test_matching_in_the_plan(rule, source, shape):
    second = plan(f"[4C3]x2:{rule} F3", (2, 4, 4))[1]
    assert (second.sources, second.source_shapes, second.in_shape) == ((source,), (shape,), (2, 4, 4))


def test_who_reads_the_image_itself():
    assert [plan("4C3 F3", (1, 2, 2), neuron)[0].static for neuron in topology.NEURONS] == [
        True,
        False,
        False,
    ]
    assert plan("4C3 F3", (1, 2, 2), "lif", static_input=True)[0].static
    assert not plan("4C3:lif F3", (1, 2, 2), "relu")[0].static


@pytest.mark.parametrize(
    "text, options, words",
    [
        ("4C3 F3", {"neuron": "tanh"}, "neuron must be one of"),
        ("4C3 F3", {"input_shape": (4, 4)}, r"input_shape must be \(channels, height, width\), got \(4, 4\)"),
        ("4C3 F3", {"input_shape": (0, 4, 4)}, "input_shape must be a whole number"),
        ("P P P F3", {}, r"P must follow maps of even height and width, got \(2, 1, 1\)"),
        ("F4 P F3", {}, "P must follow maps"),
        ("4C3 M F3", {"neuron": "relu"}, "M must follow spikes"),
        ("4C3 M M F3", {}, "M must follow spikes"),
        ("4C3+ F3", {}, r"a residual sum must join equal shapes, got \(2, 4, 4\) and \(4, 4, 4\) at '4C3\+'"),
        ("(2C3 P)+ F3", {}, "a residual sum must join equal shapes"),
        ("2C3:relu 2C3:lif+ F3", {}, "a residual sum must join spikes with spikes or reals with reals"),
        ("4C3 P 4C3+ F3", {}, "a residual sum must not contain a pooling layer"),
        ("[2C3 [2C3]x2]x2 F3", {}, "a BackRes block must not contain another"),
        (
            "[4C3]x2 F3",
            {},
            r"a BackRes block must output the shape it reads, \(2, 4, 4\), or .* got \(4, 4, 4",
        ),
        ("[1C3]x2:drop F3", {}, "a BackRes block must output the shape it reads"),
        ("[2C3 P]x2 F3", {}, "a BackRes block must output the shape it reads"),
        ("[F32]x2:top F3", {}, "a BackRes block must output the shape it reads"),
        ("[5C3]x2:average F3", {}, ":average must have a multiple of 2 channels, got 5"),
        ("[4C3 4C3+]x2:drop F3", {}, ":drop must read one layer, got a residual sum"),
        ("4C3:lif 4C3:relu F3", {}, "a ReLU layer must not read spikes: put M before conv2"),
        ("[2C3:relu 2C3:lif]x2 F3", {}, "a ReLU layer must not read spikes: put M before conv1.2"),
        ("4C3 M 4C3:lif F3", {}, "a spiking layer must not follow M, got conv2"),
        ("F4 4C3 F3", {}, r"a convolution must read maps, got \(4,\) at conv1"),
    ],
)
def test_networks_that_cannot_be(text, options, words):
    with pytest.raises(ValueError, match=words):
        plan(text, **{"input_shape": (2, 4, 4), **options})
    with pytest.raises(ValueError):
        build(text, options.get("input_shape", (2, 4, 4)), neuron=options.get("neuron", "lif"))
