"""Topology tables and diagrams say what the networks are: sums of parameters, depths, unrolling."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from panda2020.energy.tables import price_table
from panda2020.exhibits import style
from panda2020.networks import exhibit, network
from panda2020.topologies.diagrams import (
    describe,
    draw_conversion,
    draw_gradients,
    draw_hybrid,
    draw_network,
    draw_networks,
    draw_similarity,
    similarity,
)
from panda2020.topologies.tables import REASONS, SHOWN, topology_table, unrolled
from snncore.network import Network, NetworkConfig
from snncore.topology import plan

BLOCK = "64C3 P [64C3]x2 P F10"
SHAPE = (3, 32, 32)
SMALL = ("VGG2x4", "VGG3x2-v1", "VGG8x2", "ResNet2x2", "ResNet7", "VGG2x4-wide-drop", "VGG2x4-wide-average")


def drawn_parameters(figure) -> int:
    """The parameters printed in a diagram's boxes, added up."""
    texts = [text for axes in figure.axes for text in axes.texts if text.get_gid() == "parameters"]
    return sum(int(text.get_text().replace(",", "")) for text in texts)


def passes_of(name):
    net = network(name)
    return plan(net.topology, net.input_shape, net.neuron)


def built(text, shape=SHAPE):
    return Network(
        text, input_shape=shape, config=NetworkConfig(), generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("columns", [4, 20])
def test_drawn_parameters_are_the_networks(name, columns):
    net = built(network(name).topology)
    total = sum(p.numel() for p in net.parameters())
    figure = draw_network(net.plan, title=name, columns=columns)
    assert drawn_parameters(figure) == total
    titles = [text.get_text() for text in figure.axes[0].texts]
    assert f"{total:,} parameters, {len(net.plan)} layers deep" in titles
    assert titles.count("same weights") == sum(p.unroll > 1 for p in net.plan)


def test_the_other_drawings_count_every_weight_once():
    relu, spiking = plan(BLOCK, SHAPE, "relu"), plan(BLOCK, SHAPE, "if")
    total = sum(p.numel() for p in built(BLOCK).parameters())
    assert drawn_parameters(draw_conversion(relu, spiking)) == total
    assert drawn_parameters(draw_gradients(spiking)) == total
    hybrid = built("8C3:relu P 8C3 [8C3]x2 P F10")
    for steps in (1, 4):
        figure = draw_hybrid(hybrid.plan, steps=steps)
        assert drawn_parameters(figure) == sum(p.numel() for p in hybrid.parameters())
        assert sum(text.get_text().startswith("t = ") for text in figure.axes[0].texts) == steps
    both = draw_networks({"A": plan(BLOCK, SHAPE), "B": plan("64C3 P F10", SHAPE)})
    assert drawn_parameters(both) == total + sum(p.weights for p in plan("64C3 P F10", SHAPE))


def test_conversion_prints_a_threshold_per_unrolling_step():
    relu, spiking = plan(BLOCK, SHAPE, "relu"), plan(BLOCK, SHAPE, "if")
    figure = draw_conversion(relu, spiking, thresholds={"conv2.1": 1.25, "conv2.2": 2.5})
    values = [
        text.get_text().rsplit("= ", 1)[-1] for text in figure.axes[0].texts if "thresh" in text.get_text()
    ]
    assert values[1:] == ["1.25", "2.5"] and len(values) == 3


def test_figures_draw_the_same_bytes_twice_and_touch_no_open_figure():
    before = plt.get_fignums()
    one, two = (style.svg(draw_network(passes_of("VGG2x4"))) for _ in range(2))
    assert one == two and plt.get_fignums() == before
    draw_gradients(passes_of("VGG3x2-v1")).savefig(io.BytesIO())


def test_describe_names_every_pass():
    text = describe(passes_of("ResNet2x2"))
    assert text.startswith("From left to right: an input of 3 × 32 × 32; conv1 (LIF, 36 × 32 × 32)")
    assert "conv2 again, with the same weights (pass 2 of 2)" in text
    assert "reading the sum of conv2.1 and conv1" in text and "average pooling by 2, then fc1" in text


def test_drawings_refuse_what_they_cannot_show():
    plain = plan("4C3 F10", SHAPE)
    with pytest.raises(ValueError, match="networks must hold at least one plan, got none"):
        draw_networks({})
    with pytest.raises(ValueError, match="passes must hold a BackRes block, got none"):
        draw_gradients(plain)
    with pytest.raises(ValueError, match=r"snn must have the sites of ann, got \['conv1', 'fc1'\]"):
        draw_conversion(plan(BLOCK, SHAPE, "relu"), plain)
    with pytest.raises(ValueError, match="thresholds must name sites of snn, got 'conv9'"):
        draw_conversion(plan("4C3 F10", SHAPE, "relu"), plain, thresholds={"conv9": 1.0})
    with pytest.raises(
        ValueError, match="passes must be relu, then lif or if, then the classifier, got lif, none"
    ):
        draw_hybrid(plain)


def test_price_table_adds_up():
    table = price_table().set_index("operation")
    for column in table:
        assert table.loc["MAC = multiply + add", column] == pytest.approx(
            table.loc["add = AC", column] + table.loc["multiply", column]
        )
    assert table.loc["MAC / AC"].tolist() == [32.0, 5.11]


def test_topology_table():
    table = topology_table(exhibit("Table 3")).set_index("network")
    assert table["logical depth"].tolist() == [7, 7, 7]
    assert table["unique layers"].tolist() == [7, 4, 5]
    assert table["MACs"].nunique() == 1  # the same computations, fewer weights
    assert table["conv parameters"].tolist() == [1728 + n * 36864 for n in (4, 1, 2)]
    assert {*SHOWN, *REASONS} == {"network", *table.columns}
    assert pd.isna(table.loc["VGG7-conv", "compression"])
    assert table.loc["VGG2x4", "compression"] == pytest.approx(4353738 / 4243146)
    assert table.loc["VGG2x4", "parameters"] == sum(
        p.numel() for p in built(network("VGG2x4").topology).parameters()
    )
    small = topology_table(["VGG2x4"], input_shape=(1, 8, 8))
    assert small["parameters"][0] == 64 * 9 + 64 * 64 * 9 + 64 * 4 * 1024 + 10250
    assert topology_table([network("VGG3x4", "B")])["compression"][0] == pytest.approx(8916682 / 8549770)


def test_unrolled_words():
    assert unrolled(passes_of("VGG3x2-v1")) == (
        "conv1 64 · P · conv2 64 · conv3 64 · conv2 64 · conv3 64 · P · fc1 1024 · fc2 10"
    )
    assert "conv2 36 LIF (reads conv2.1 + conv1) · M · P · fc1 1024 ReLU" in unrolled(passes_of("ResNet2x2"))


def test_similarity_by_hand():
    values = similarity("4C3 [4C3]x2 P F3", seeds=[3], images=3, input_shape=(1, 4, 4))
    net = Network(
        "4C3 [4C3]x2 P F3",
        input_shape=(1, 4, 4),
        config=NetworkConfig(neuron="relu"),
        generator=torch.Generator().manual_seed(3),
    )
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    first = torch.relu(torch.nn.functional.conv2d(x, net.layers["conv1"].weight, padding=1)).flatten(1)
    pairs = [torch.cosine_similarity(first[i], first[j], dim=0).item() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert len(values) == 3
    assert values[0] == pytest.approx(sum(pairs) / 3, rel=1e-5)
    assert len(draw_similarity({"a": values, "b": values}).axes[0].lines) == 2
