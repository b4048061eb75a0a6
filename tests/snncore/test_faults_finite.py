"""Faults of kind B: what is not finite says so, with layer and step."""

from __future__ import annotations

import pytest
import torch
from tiny_networks import BAD, PART, SPIKES, build, fit

from snncore.activity import ActivityProbe
from snncore.training import InputConfig, evaluate


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("neuron", ["lif", "if", "relu"])
def test_weights_that_are_not_finite_name_their_layer(neuron, bad):
    net = build("4C3 8C3 P F10", neuron=neuron, gain=2.0)
    x = SPIKES.mean(0) if neuron == "relu" else SPIKES
    with torch.no_grad():
        net.layers["conv2"].weight.fill_(bad)
    with pytest.raises(FloatingPointError, match="current of conv2 must be finite, got"):
        net(x)


@pytest.mark.parametrize("bad", BAD)
def test_input_that_is_not_finite_names_layer_and_step(bad):
    x = SPIKES.clone()
    x[3, 1, 0, 4, 4] = bad
    with pytest.raises(FloatingPointError, match=r"current of conv1 must be finite, got .* at step 3"):
        build()(x)
    with pytest.raises(FloatingPointError, match="current of conv1 must be finite, got"):
        build(neuron="relu")(x[3])


def test_a_state_that_is_not_finite_names_its_site():
    net = build()
    _, state = net.run(SPIKES[:3])
    state["conv1"].membrane[0, 0, 0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match="state of conv1 must have a finite membrane, got nan"):
        net.run(SPIKES[3:], state=state)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["layers.conv1.weight", "head.classify.weight", "head.classify.bias"])
def test_evaluation_and_training_refuse_what_is_not_finite(where, bad):
    coder = InputConfig("poisson", steps=3)
    net = build()
    net.train()
    with torch.no_grad():
        net.get_parameter(where).view(-1)[0] = bad
    with pytest.raises(FloatingPointError, match="must be finite, got"):
        evaluate(net, PART, coder, seed=0)
    assert net.training  # as it was
    with pytest.raises(FloatingPointError, match=r"finite, got .* in epoch 1, batch 1"):
        fit(net, coder=coder)


@pytest.mark.parametrize("bad", BAD)
def test_activity_that_is_not_finite_names_its_site(bad):
    probe = ActivityProbe()
    probe("conv1", torch.tensor([[1.0, bad]]), timed=False)
    with pytest.raises(FloatingPointError, match="values of conv1 must be finite, got a sum of"):
        probe.result()
