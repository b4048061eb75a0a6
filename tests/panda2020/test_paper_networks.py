"""The registry of the paper's networks: known counts, depths that the text states, and clear errors."""

from __future__ import annotations

import pytest

from panda2020.networks import REGISTRY, exhibit, names, network, plain_of, readings
from snncore.topology import as_ann, parameter_count, parse, plan

NETS = list(REGISTRY.values())
IDS = [f"{net.name}-{net.reading}" for net in NETS]


def weights(name, reading="A"):
    """Parameters without the classifier's bias."""
    net = network(name, reading)
    return parameter_count(net.topology, net.input_shape) - net.classes


@pytest.mark.parametrize("net", NETS, ids=IDS)
def test_every_entry_parses_and_says_what_fixes_it(net):
    topology = parse(net.topology)
    assert topology.text == net.topology and topology.classes == net.classes
    assert net.fixed_by and all(net.fixed_by) and net.exhibit
    passes = plan(net.topology, net.input_shape, net.neuron)
    ann = plan(as_ann(net.topology), net.input_shape, "relu")
    assert [p.site for p in ann] == [p.site for p in passes]
    assert all(p.neuron in ("relu", "none") for p in ann)


@pytest.mark.parametrize(
    "net", [net for net in NETS if "[" in net.topology], ids=lambda net: f"{net.name}-{net.reading}"
)
def test_backres_networks_have_the_logical_depth_of_their_plain_network(net):
    other = plain_of(net)
    assert other.reading == (
        net.reading if net.name.startswith("VGG3x") and net.exhibit == "Table 9" else "A"
    )
    ours, theirs = (plan(n.topology, n.input_shape, n.neuron) for n in (net, other))
    assert len(ours) == len(theirs)
    assert len({p.layer for p in ours}) < len({p.layer for p in theirs})
    assert parameter_count(net.topology, net.input_shape) < parameter_count(other.topology, other.input_shape)


def test_only_backres_networks_name_a_plain_one():
    for net in NETS:
        assert (net.plain is not None) == ("[" in net.topology)


def test_parameter_counts_that_are_known():
    assert weights("VGG16") == 138_344_128  # the standard VGG16 has 138,357,544 with 13,416 biases
    assert weights("VGG13") == weights("VGG13", "B") == weights("VGG13", "C") == 133_035_712
    assert weights("VGG11x2", "B") == 132_851_392  # the standard VGG11
    assert round(weights("VGG11x2") / 1e6, 1) == 113.9
    # 3*64*9 + 4*64*64*9 + 64*8*8*1024 + 1024*10
    assert weights("VGG7-conv") == 1728 + 4 * 36864 + 4194304 + 10240
    assert 0.02 < 1 - weights("VGG2x4") / weights("VGG7-conv") < 0.03  # "minimal"


@pytest.mark.parametrize(
    ("name", "reading", "depth", "unique"),
    [
        ("VGG7-conv", "A", 7, 7),
        ("VGG2x4", "A", 7, 4),
        ("VGG3x2-v1", "A", 7, 5),
        ("VGG16", "A", 16, 16),
        ("VGG11x2", "A", 16, 11),
        ("VGG11x2", "B", 16, 11),
        ("VGG5", "A", 6, 6),
        ("VGG5", "B", 5, 5),
        ("VGG7-agd", "A", 8, 8),
        ("VGG7-agd", "B", 7, 7),
        ("VGG3x4", "A", 8, 5),
        ("VGG3x4", "B", 7, 4),
        ("VGG9", "A", 9, 9),
        ("VGG8x2", "A", 9, 8),
        ("VGG13", "A", 13, 13),
        ("VGG16c", "A", 18, 18),
        ("VGG2x8", "A", 18, 4),
        ("VGG2x4c", "A", 10, 4),
    ],
)
def test_logical_and_real_depths(name, reading, depth, unique):
    net = network(name, reading)
    passes = plan(net.topology, net.input_shape, net.neuron)
    assert (len(passes), len({p.layer for p in passes})) == (depth, unique)


def test_hybrids_have_the_neurons_the_text_names():
    passes = {p.site: p.neuron for p in plan(network("VGG9").topology, (3, 32, 32))}
    assert [site for site, neuron in passes.items() if neuron == "relu"] == ["conv1", "conv2"]
    for reading, spiking in (("A", ["conv5", "conv6"]), ("B", ["conv6", "conv7"]), ("C", ["conv7", "conv8"])):
        net = network("VGG13", reading)
        found = plan(net.topology, net.input_shape)
        assert [p.site for p in found if p.neuron == "lif"] == spiking
    stdp = plan(network("ResNet2x2").topology, (3, 32, 32))
    assert [p.neuron for p in stdp] == ["lif", "lif", "lif", "relu", "none"]
    assert stdp[2].sources == ("conv2.1", "conv1")


def test_names_are_unique_and_complete():
    assert len(names()) == len(set(names()))
    assert len({(net.name, net.reading) for net in NETS}) == len(NETS)
    assert all("A" in readings(name) for name in names())
    for title in (3, 5, 7, 9, 10, 13, 15, 17):
        assert exhibit(f"Table {title}")


def test_with_classes_changes_the_classifier_alone():
    net = network("VGG16").with_classes(10)
    assert net.classes == 10 and net.topology.endswith(" F4096 F10")
    assert net.topology.split()[:-1] == network("VGG16").topology.split()[:-1]
    with pytest.raises(ValueError, match="classes must be a whole number of at least 1, got 0"):
        net.with_classes(0)


def test_unknown_names_readings_and_exhibits_are_named():
    with pytest.raises(ValueError, match=r"name must be one of VGG7-conv, .*, got 'VGG7'"):
        network("VGG7")
    with pytest.raises(ValueError, match="reading of VGG9 must be one of A, got 'B'"):
        network("VGG9", "B")
    with pytest.raises(ValueError, match=r"title must be one of Table 3, .*, got 'Table 1'"):
        exhibit("Table 1")
