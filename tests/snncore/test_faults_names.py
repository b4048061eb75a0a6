"""Faults of kind C: what decides the result is where PyTorch looks, in state dicts, registered modules and wrappers."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from tiny_networks import PART, SPIKES, build, fit, g
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from snncore import conversion
from snncore.layers import Layer
from snncore.neurons import IF, LIF
from snncore.training import InputConfig, evaluate


def test_thresholds_of_a_converted_network_are_part_of_its_state():
    ann = build(neuron="relu")
    poisson, settings = InputConfig("poisson", steps=1), conversion.ConversionConfig(images=16, steps=50)
    snn, found = conversion.convert(ann, PART.images, poisson, settings, generator=g())
    other = conversion.spiking(ann)
    conversion.set_thresholds(other, dict.fromkeys(found, 1.0))
    other.load_state_dict(snn.state_dict())
    assert torch.equal(other(SPIKES), snn(SPIKES)) and conversion.thresholds_of(other) == found


@pytest.mark.parametrize(
    "neuron",
    [
        IF(threshold=0.3),
        LIF(alpha=0.5, threshold=0.5),
        LIF(reset="hard", refractory=2, gamma=0.7),
        LIF(order="reset-then-leak", fire_at_equality=True, detach_reset=False),
    ],
)
def test_neurons_of_one_pass_are_part_of_the_state(neuron, tmp_path):
    one, two = build("4C3 [4C3]x2 P F10", gain=2.0), build("4C3 [4C3]x2 P F10", seed=1)
    one.set_neuron("conv2.2", neuron)
    torch.save(one.state_dict(), tmp_path / "net.pt")
    two.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    assert dict(two.sites()) == dict(one.sites()) and torch.equal(one(SPIKES), two(SPIKES))


def test_neurons_of_the_configuration_are_part_of_the_state():
    one, two = build(threshold=0.5, alpha=0.5), build()
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(SPIKES), two(SPIKES))


def test_a_state_that_does_not_say_its_neurons():
    ann, snn = build(neuron="relu"), build()
    snn.load_state_dict(ann.state_dict())  # an ANN's weights: the neurons stay as configured
    assert dict(snn.sites()) == {"conv1": LIF()}
    snn.set_neuron("conv1", LIF(threshold=2.0))
    with pytest.raises(RuntimeError, match=r'Missing key.*"layers.conv1.neuron_parameters"'):
        snn.load_state_dict(ann.state_dict())
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"layers.conv1.neuron_parameters"'):
        ann.load_state_dict(snn.state_dict())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.ones(2, 8), "got neurons for 2 passes of 1"),
        (torch.ones(1, 3), "each pass's neurons"),
        (torch.full((1, 8), -1.0), "each pass's neurons"),
        (torch.full((1, 8), float("nan")), "each pass's neurons"),
        ("nonsense", "each pass's neurons"),
    ],
)
def test_a_state_whose_neurons_cannot_be_understood(value, words):
    net = build()
    state = net.state_dict() | {"layers.conv1.neuron_parameters": value}
    with pytest.raises(RuntimeError, match=words):
        net.load_state_dict(state)
    assert dict(net.sites()) == {"conv1": LIF()}


def test_replicas_compute_with_their_own_weights():
    net = build("8C3 [8C3]x2 P F10")
    copies = {m: m._replicate_for_data_parallel() for m in net.modules()}
    for m, c in copies.items():
        for name, child in m._modules.items():
            if child is not None:
                setattr(c, name, copies[child])
        for name, p in m._parameters.items():
            if p is not None:
                setattr(c, name, torch.zeros_like(p))
    assert net.features(SPIKES).sum() > 0 and copies[net].features(SPIKES).sum() == 0
    assert copies[net](SPIKES).sum() == 0


class Halved(Layer):
    def weighted(self, x):
        return super().weighted(x) / 2


class Around(nn.Module):
    """Forwards what it does not have, as torch's own wrappers do."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def test_a_layer_put_in_anothers_place_is_used():
    net, expected = build(gain=2.0), build(gain=2.0)
    with torch.no_grad():
        expected.layers["conv1"].weight /= 2
    new = Halved(net.layers["conv1"].passes, net.config, generator=g())
    new.load_state_dict(net.layers["conv1"].state_dict())
    before = net(SPIKES)
    net.layers["conv1"] = Around(net.layers["conv1"])
    assert torch.equal(net(SPIKES), before)
    net.layers["conv1"] = new
    assert torch.equal(net(SPIKES), expected(SPIKES)) and not torch.equal(net(SPIKES), before)


@pytest.mark.parametrize("module", [nn.Identity(), nn.Conv2d(1, 8, 3), build("8C3 8C3 F10").layers["conv2"]])
def test_a_module_that_is_no_such_layer_is_refused(module):
    net = build()
    net.layers["conv1"] = module
    with pytest.raises(
        ValueError, match="layers must hold a Layer made for conv1, or a module around it, got"
    ):
        net(SPIKES)


def test_weights_swapped_by_name_are_used():
    net = build("8C3 [8C3]x2 P F10")
    zeros = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    assert not torch.func.functional_call(net, zeros, (SPIKES,)).any() and net(SPIKES).any()


def test_hooks_on_layers_run():
    net, seen = build("4C3 [4C3]x2 P F10"), []
    net.layers["conv2"].register_forward_hook(lambda module, args, out: seen.append(out.values.shape))
    net.head.register_forward_pre_hook(lambda module, args: seen.append("head"))
    net(SPIKES)
    assert seen == [(6, 4, 4, 8, 8), (6, 4, 4, 8, 8), "head"]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole_and_independent(duplicate):
    net = build("4C3 [8C3 4C3]x2 4C3+ P F10")
    net.set_neuron("conv2.2", LIF(threshold=0.4))
    twin, before = duplicate(net), net(SPIKES)
    assert torch.equal(twin(SPIKES), before)
    twin.set_neuron("conv2.2", LIF(threshold=4.0))
    with torch.no_grad():
        twin.layers["conv1"].weight.zero_()
    assert torch.equal(net(SPIKES), before)


def test_checkpointing_draws_the_same_masks_from_a_generator_made_inside():
    net = build("8C3 P F32 F10", dropout=0.5, gain=2.0).train()

    def features(x):
        return net.features(x, generator=g(5))

    def gradients(h):
        net.zero_grad()
        h.square().sum().backward()
        return [p.grad.clone() for p in net.layers.parameters()]

    plain = gradients(features(SPIKES))
    again = gradients(checkpoint(features, SPIKES, use_reentrant=False))
    assert all(map(torch.equal, plain, again)) and all(p.any() for p in plain)


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_a_wrapped_network_trains_as_it_does_alone(one_process, tmp_path):
    alone, inside = build(neuron="relu"), build(neuron="relu")
    wrapped = DistributedDataParallel(inside)
    curve = fit(wrapped, checkpoint=tmp_path / "run.pt")
    assert curve == fit(alone) and all(map(torch.equal, alone.parameters(), inside.parameters()))
    found = evaluate(wrapped, PART, InputConfig(), seed=0)
    assert found.loss == evaluate(alone, PART, InputConfig(), seed=0).loss
    assert "layers.conv1.weight" in torch.load(tmp_path / "run.pt", weights_only=True)["network"]


@pytest.mark.parametrize("network", [nn.Linear(3, 3), nn.DataParallel(nn.ReLU()), None])
def test_what_holds_no_network_is_refused(network):
    for call in (lambda: fit(network), lambda: evaluate(network, PART, InputConfig(), seed=0)):
        with pytest.raises(ValueError, match="network must be a Network or a wrapper around one, got"):
            call()


def test_a_network_without_gradients_cannot_train():
    with pytest.raises(ValueError, match="network must have weights that require a gradient, got none"):
        fit(build(neuron="relu").requires_grad_(False))
