"""Gradients split by unrolling step: they add up to the shared weight's own, whatever the network."""

from __future__ import annotations

import json

import pytest
import torch

from panda2020.agd import gradients as paper
from panda2020.agd import grid as agd_grid
from panda2020.tasks import train
from snncore import gradients as g
from snncore.binary import binarise
from snncore.data import DataConfig, Part, load
from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF
from snncore.streams import stream
from snncore.topology import plan
from snncore.training import InputConfig, TrainingConfig
from snncore.training import train as fit

SHAPE = (1, 8, 8)
RELU, SPIKES = InputConfig("real"), InputConfig("poisson", steps=4)


def images(count=12):
    found = torch.randint(
        0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    return Part(found, torch.arange(count) % 3)


def built(text, neuron="lif", **more):
    config = NetworkConfig(neuron=neuron, gain=1.5, **more)
    return Network(text, input_shape=SHAPE, config=config, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1"])
def test_computed_weights_are_refused(layer):
    network = built("4C3 [4C3]x2 P F8 F3", neuron="relu")
    torch.nn.utils.parametrizations.weight_norm(network.layers[layer])
    for call in (g.untied, lambda net: g.by_step(net, images(), RELU)):
        with pytest.raises(ValueError, match=rf"must have plain weights .* computed ones at layers.{layer}"):
            call(network)


def test_binary_networks_are_refused():
    network = binarise(built("8C3 [8C3]x2 P F10", alpha=0.0))
    with pytest.raises(ValueError, match="must have plain weights to be written out"):
        g.by_step(network, images(), InputConfig("direct", steps=1))


def test_an_empty_part_is_refused():
    with pytest.raises(ValueError, match="part must hold at least one image, got none"):
        g.by_step(built("4C3 [4C3]x2 P F3"), images(0), SPIKES)


@pytest.mark.parametrize(
    "text, plain",
    [
        ("4C3 P [4C3]x3 P F6 F3", "4C3 P 4C3 4C3 4C3 P F6 F3"),
        ("4C3 [4C3 5C1 4C3:if]x2 F3", "4C3 4C3 5C1 4C3:if 4C3 5C1 4C3:if F3"),
        ("4C3 ([4C3]x2)+ [4C3+]x2 F3", "4C3 (4C3 4C3)+ 4C3+ 4C3+ F3"),
        ("4C3 P F6 F3", "4C3 P F6 F3"),
    ],
)
def test_unrolled_is_the_plain_network_of_the_same_passes(text, plain):
    assert g.unrolled(text) == plain
    same = [(p.out_shape, p.pool, p.neuron) for p in plan(text, SHAPE)]
    assert [(p.out_shape, p.pool, p.neuron) for p in plan(plain, SHAPE)] == same


@pytest.mark.parametrize("neuron, coder", [("relu", RELU), ("lif", SPIKES)])
@pytest.mark.parametrize(
    "text", ["4C3 P [4C3]x3 P F6 F3", "4C3 P [4C3 4C3]x2 P F6 F3", "4C3 [4C3+]x2 P [4C3]x2 P F3"]
)
def test_steps_add_up_to_the_gradient_of_the_shared_weight(text, neuron, coder):
    network = built(text, neuron)
    part = images()
    split = g.by_step(network, part, coder, batch_size=len(part), seed=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    generator = stream(3, "gradients")
    x, steps = coder(part.images, generator=generator)
    loss, _ = network.head.loss(network.features(x, steps=steps), part.labels)
    loss.backward()
    shared = {p.layer: p.unrolls for p in network.plan if p.unrolls > 1}
    assert split.keys() == shared.keys()
    for layer, repeats in shared.items():
        whole = network.layers[layer].weight.grad.flatten()
        assert split[layer].shape == (1, repeats, whole.numel())
        assert whole.norm() > 1e-3  # or the comparison would say nothing
        torch.testing.assert_close(split[layer][0].sum(0), whole, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_untied_computes_the_same_with_each_pass_its_own_neurons():
    network = built("4C3 P [4C3]x2 P F6 F3")
    network.set_neuron("conv2.2", LIF(threshold=0.3))
    plain = g.untied(network)
    x, _ = SPIKES(images().images, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain(x), network(x))
    network.set_neuron("conv2.2", LIF(threshold=0.9))
    assert not torch.equal(plain(x), network(x))
    assert (
        sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in network.parameters()) + 4 * 4 * 9
    )


def test_refusals():
    with pytest.raises(
        ValueError, match="topology must have no channel matching to be written out, got '4C3"
    ):
        g.unrolled("4C3 [8C3]x2:top F3")
    with pytest.raises(ValueError, match="no batch normalisation to be written out, got batch_norm=True"):
        g.untied(built("4C3 [4C3]x2 F3", "relu", batch_norm=True))
    with pytest.raises(ValueError, match="network must have a BackRes block, got '4C3 P F3'"):
        g.by_step(built("4C3 P F3"), images(), SPIKES)
    with pytest.raises(ValueError, match="gradients must come from at least two batches, got 1"):
        g.cosines_between_batches(torch.ones(1, 2, 3))


def test_norms_and_cosines_by_hand():
    # two batches, two steps, two weights
    found = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[1.0, 0.0], [-2.0, 0.0]]])
    assert g.norms(found).tolist() == [3.0, 2.0]
    assert g.cosines(found)[0, 1].item() == pytest.approx((0.8 - 1.0) / 2)
    assert g.cosines(found).diagonal().tolist() == pytest.approx([1.0, 1.0])
    between = g.cosines_between_batches(found)
    assert between[0, 0].item() == pytest.approx(0.6)  # (3, 4)/5 . (1, 0)
    assert between[1, 1].item() == pytest.approx(0.0)
    assert between[0, 1].item() == pytest.approx((-0.6 + 0.0) / 2)  # step 1 here and step 2 there, both ways
    split = g.Split.of(found)
    assert split.off_diagonal.tolist() == pytest.approx([-0.1])
    again = g.Split.from_json(json.loads(json.dumps(split.to_json())))
    assert all(
        torch.equal(getattr(again, name), getattr(split, name)) for name in ("norms", "cosines", "between")
    )
    table = paper.gradient_table({"net": [paper.Stage(0, {"conv2": split})]})
    assert table["share"].tolist() == pytest.approx([0.6, 0.4]) and table["step"].tolist() == [1, 2]
    assert table["to the other steps"].tolist() == pytest.approx([-0.1, -0.1])
    assert table["to itself"].tolist() == pytest.approx([0.6, 0.0])


def test_following_does_not_change_the_training():
    entry = agd_grid.table8("quick", timesteps=[2], names=["VGG3x2-v2"])[1]
    data = DataConfig("digits", train=64, validation=20, test=20)
    spec = train.Spec(
        "4C3 P 4C3 [4C3]x2 P F8 F10", data, entry.spec.network, entry.spec.input, TrainingConfig(epochs=2)
    )
    network, stages = paper.followed(spec, images=64)
    assert [stage.epoch for stage in stages] == [0, 1, 2]
    assert stages[0].layers["conv3"].cosines.shape == (2, 2)
    splits = load(data)
    alone = train.build(spec, splits)
    fit(alone, splits, spec.input, spec.training, seed=spec.seed, progress=False)
    assert train.fingerprint(network) == train.fingerprint(alone)
    assert len(paper.gradient_table({"SNN": stages})) == 3 * 2
    _, shorter = paper.followed(spec, images=64, epochs=1)
    assert len(shorter) == 2 and torch.equal(
        shorter[1].layers["conv3"].norms, stages[1].layers["conv3"].norms
    )
    assert len(paper.draw_steps({"ANN": stages, "SNN": stages}).legends) == 1
    assert [len(axes.lines) for axes in paper.draw_course(paper.gradient_table({"SNN": stages})).axes] == [4]
