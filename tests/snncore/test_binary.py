"""Binary weights and activations: values and gradients by hand, and which layers stay real."""

from __future__ import annotations

import pytest
import torch

from snncore.binary import binarise, binary_layers, binary_weight, sign
from snncore.network import Network, NetworkConfig

BINARY = NetworkConfig(neuron="lif", alpha=0.0, gain=2.8)


def built(text="4C3 P 4C3 [4C3]x2 P F6 F3", config=BINARY):
    return Network(
        text,
        input_shape=(1, 8, 8),
        config=config,
        generator=torch.Generator().manual_seed(0),
        static_input=True,
    )


def test_sign_by_hand():
    w = torch.tensor([-2.0, -1.0, -0.3, 0.0, 0.5, 1.5], requires_grad=True)
    s = sign(w)
    assert s.tolist() == [-1, -1, -1, 1, 1, 1]
    (s * torch.arange(1.0, 7)).sum().backward()
    assert w.grad.tolist() == [0, 2, 3, 4, 5, 0]  # Courbariaux et al. 2016, Eq. 4


def test_scale_is_the_mean_magnitude_of_each_output_map():
    w = torch.tensor([[1.0, -3.0], [0.5, 0.5]])
    assert binary_weight(w).tolist() == [[2, -2], [0.5, 0.5]]
    assert binary_weight(w, scale="none").tolist() == [[1, -1], [1, 1]]
    convolution = torch.tensor([0.2, -0.4, 0.6, -0.8]).reshape(2, 1, 1, 2)
    assert torch.allclose(binary_weight(convolution).flatten(), torch.tensor([0.3, -0.3, 0.7, -0.7]))


@pytest.mark.parametrize("scale", ["mean", "none"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_not_finite_has_no_sign(scale, wrong):
    with pytest.raises(ValueError, match="weight must be finite, got NaN or infinity"):
        binary_weight(torch.tensor([[1.0, wrong]]), scale=scale)
    network = binarise(built(), scale=scale)
    with torch.no_grad():
        network.layers["conv2"].parametrizations.weight.original[0] = wrong
    with pytest.raises(ValueError, match="layer conv2: weight must be finite"):
        network(torch.rand(2, 1, 8, 8), steps=1)


def test_gradient_is_xnor_nets():
    # d (a sign w_i) / d w_j = a 1[|w_i| <= 1] (i = j) + sign(w_i) sign(w_j) / n     (Rastegari et al. 2016, section 3.1)
    w = torch.tensor([[0.5, -0.25, 2.0]], requires_grad=True)
    g = torch.tensor([[1.0, 2.0, 4.0]])
    (binary_weight(w) * g).sum().backward()
    a, s = 2.75 / 3, torch.tensor([1.0, -1.0, 1.0])
    expected = g * a * torch.tensor([1.0, 1.0, 0.0]) + (g * s).sum() * s / 3
    assert torch.allclose(w.grad, expected)


def test_all_but_first_layer_and_classifier_are_binary():
    network = binarise(built())
    real = built()
    assert binary_layers(network) == ("conv2", "conv3", "fc1")
    for name in ("conv2", "conv3", "fc1"):
        weight = network.layers[name].weight
        assert all(len(row.unique()) == 2 for row in weight)  # two values per output map
        assert torch.equal(weight, binary_weight(real.layers[name].weight))
    assert torch.equal(network.layers["conv1"].weight, real.layers["conv1"].weight)
    assert all(
        torch.equal(value, real.head.state_dict()[name]) for name, value in network.head.state_dict().items()
    )
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in real.parameters())


def test_activations_are_binary_and_gradients_reach_the_real_weights():
    network = binarise(built())
    seen = {}
    x = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    scores = network(
        x, steps=1, probe=lambda site, values, timed: seen.setdefault(site, values.unique().tolist())
    )
    assert len(seen) == 6 and [0, 1] in seen.values()
    assert all(set(values) <= {0, 1} for site, values in seen.items() if site != "input")
    scores.square().sum().backward()
    shared = network.layers["conv3"].parametrizations.weight.original
    assert shared.grad.norm() > 0 and shared.shape == (4, 4, 3, 3)


def test_state_can_be_kept_and_read_back():
    network, other = binarise(built()), binarise(built("4C3 P 4C3 [4C3]x2 P F6 F3"))
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    other.load_state_dict(network.state_dict())
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(network(x, steps=1), other(x, steps=1))


def test_refusals():
    with pytest.raises(ValueError, match="scale must be one of 'mean', 'none', got 'max'"):
        binary_weight(torch.ones(2, 2), scale="max")
    with pytest.raises(
        ValueError,
        match="must have LIF neurons with alpha 0 to be binary, got 'lif' with alpha 0.95 at conv1",
    ):
        binarise(built(config=NetworkConfig(neuron="lif")))
    with pytest.raises(ValueError, match="got 'relu' with alpha 0 at conv1"):
        binarise(built(config=NetworkConfig(neuron="relu", alpha=0.0)))
    with pytest.raises(ValueError, match="network must not be binary already, got a binary conv2"):
        binarise(binarise(built()))
