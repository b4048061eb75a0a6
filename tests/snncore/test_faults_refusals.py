"""Faults of kind E: what is not understood is refused in one sentence."""

from __future__ import annotations

import pytest
import torch
from tiny_networks import BAD, PART, SPIKES, build, fit, g

from snncore import coding, energy
from snncore.activity import SiteActivity
from snncore.data import Part, Splits
from snncore.network import NetworkConfig
from snncore.neurons import LIF, NeuronState, fire, surrogate
from snncore.stdp import StdpConfig
from snncore.topology import plan
from snncore.training import InputConfig, TrainingConfig, evaluate


def test_a_state_with_other_sites_is_refused():
    net = build("8C3 8C3 P F10")
    _, state = net.run(SPIKES[:3])
    wrong = [
        {f"module.{k}": v for k, v in state.items()},
        {"conv1": state["conv1"]},
        state | {"conv9": state["conv1"]},
        list(state.values()),
    ]
    for given in wrong:
        with pytest.raises(ValueError, match="state must hold conv1, conv2, as run returned it, got"):
            net.run(SPIKES[3:], state=given)
    with pytest.raises(ValueError, match="state of conv2 must be a NeuronState, got NoneType"):
        net.run(SPIKES[3:], state=state | {"conv2": None})  # which would have meant a start from rest
    with pytest.raises(ValueError, match="state of conv1 must be a NeuronState, got Tensor"):
        net.run(SPIKES[3:], state=state | {"conv1": torch.zeros(4, 8, 8, 8)})
    with pytest.raises(ValueError, match=r"state of conv1 must have the shape \(2, 8, 8, 8\) of one step"):
        net.run(SPIKES[3:, :2], state=state)  # as for a batch in the place of time
    with pytest.raises(ValueError, match="state must have the shape"):
        fire(torch.ones(2, 3), LIF(), state=NeuronState(torch.zeros(3), torch.zeros(4), None))


def test_steps_mean_nothing_to_an_ann():
    with pytest.raises(ValueError, match="steps must be None for a network without spiking layers, got 3"):
        build(neuron="relu")(SPIKES[0], steps=3)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.complex64])
def test_spikes_must_be_floating_point(dtype):
    with pytest.raises(ValueError, match=rf"x must be of a floating-point dtype, .* got {dtype}"):
        build()(SPIKES.to(dtype))
    with pytest.raises(ValueError, match=rf"current must be a floating-point tensor, got {dtype}"):
        fire(SPIKES.to(dtype), LIF())


def test_input_of_another_precision_is_refused():
    with pytest.raises(ValueError, match=r"x must have the weights' dtype, torch.float32, got torch.float64"):
        build()(SPIKES.double())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NetworkConfig(batch_norm="no"), "batch_norm must be True or False, got 'no'"),
        (lambda: NetworkConfig(batch_norm=1), "batch_norm must be True or False, got 1"),
        (lambda: NetworkConfig(detach_reset=None), "detach_reset must be True or False"),
        (lambda: NetworkConfig(neuron=["lif"]), "neuron must be one of"),
        (lambda: NetworkConfig(neuron=torch.ones(3)), "neuron must be one of"),
        (lambda: LIF(fire_at_equality="yes"), "fire_at_equality must be True or False, got 'yes'"),
        (lambda: InputConfig(signed="yes"), "signed must be True or False, got 'yes'"),
        (lambda: TrainingConfig(augment=1), "augment must be True or False, got 1"),
        (lambda: LIF(alpha=True), "alpha must lie between"),
        (lambda: LIF(threshold="1"), "threshold must be a finite number"),
    ],
)
def test_fields_of_another_type_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (32, torch.arange(32), "labels from 0 to 9, got labels from 0 to 31"),
        (32, torch.arange(32) % 10 - 1, "labels from 0 to 9, got labels from -1 to 8"),
    ],
)
def test_labels_that_do_not_fit(images, labels, words):
    part, net = Part(PART.images[:1].expand(images, -1, -1, -1), labels), build(neuron="relu")
    with pytest.raises(ValueError, match=f"part must hold {words}"):
        evaluate(net, part, InputConfig(), seed=0)
    for name in ("train", "validation"):
        parts = {"train": PART, "validation": PART, name: part}
        with pytest.raises(ValueError, match=rf"splits\.{name} must hold {words}"):
            fit(net, Splits(parts["train"], parts["validation"], PART, tuple("0123456789"), ""))


@pytest.mark.parametrize(("images", "batch_size"), [(17, 16), (1, 16), (5, 1)])
def test_a_last_batch_of_one_names_batch_size(images, batch_size):
    few = Part(PART.images[:images], PART.labels[:images])
    splits = Splits(few, PART, PART, tuple("0123456789"), "")
    with pytest.raises(
        ValueError, match=f"batch_size must not leave a batch of one .* got {batch_size} for {images}"
    ):
        fit(build("4C3 P P P 4C3 F10", neuron="relu", batch_norm=True), splits, batch_size=batch_size)
    assert fit(
        build("4C3 P 4C3 F10", neuron="relu", batch_norm=True), splits, batch_size=batch_size, epochs=1
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[8C3]x1000000000 F10", "numbers must be at most 100,000, got ']x1000000000'"),
        ("[8C3]x2000 F10", "repeats must be at most 1000, got ']x2000'"),
        ("[" * 10**6 + "8C3" + "]x1" * 10**6 + " F10", "brackets must be at most 50 deep"),
        ("(" * 60 + "8C3" + ")+" * 60 + " F10", "brackets must be at most 50 deep"),
        ("\u0664C3 F10", "must be made of"),
        ("8C3 F\uff11\uff10", "must be made of"),
        ("8C3\u3000F10", "must be made of"),
        ("8C3 \u00a0", "must be made of"),
        (f"{'9' * 5000}C3 F10", "numbers must be at most 100,000, got '999"),
        ("8C99999999999 F10", "numbers must be at most 100,000"),
    ],
)
def test_topologies_beyond_reason(text, words):
    with pytest.raises(ValueError, match=words) as found:
        plan(text, (1, 8, 8))
    assert len(str(found.value)) < 500


def test_a_network_that_no_memory_holds_is_refused():
    with pytest.raises(ValueError, match="topology must have at most 10,000,000,000 weights, got 20,"):
        build("F100000 F100000 F100000 F10")


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, 1.1])
@pytest.mark.parametrize("site", ["input", "conv1"])
def test_rates_outside_of_0_to_1_have_no_energy(site, rate):
    fine = {name: SiteActivity("spikes", 0.5, 0.5) for name in ("input", "conv1")}
    for convention in energy.CONVENTIONS:
        if convention == "paper" and site == "input":  # not read
            continue
        with pytest.raises(ValueError, match="must lie between 0.0 and 1.0, got"):
            wrong = fine | {site: SiteActivity("spikes", rate, rate)}
            energy.report(
                build("8C3 8C3 F10").plan, wrong | {"conv2": wrong["conv1"]}, 5, convention=convention
            )


@pytest.mark.parametrize(
    "call",
    [
        lambda T: coding.poisson(torch.rand(1, 2, 2), T, generator=g()),
        lambda T: coding.direct(torch.rand(1, 2, 2), T),
        lambda T: coding.latency(torch.rand(1, 2, 2), T),
        lambda T: fire(torch.ones(2, 2), LIF(), steps=T),
        lambda T: StdpConfig(steps=T),
    ],
)
def test_time_steps_that_no_memory_holds_are_refused(call):
    with pytest.raises(ValueError, match="steps must be at most 100,000 time steps, got 1000000000"):
        call(10**9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"membrane": torch.zeros(3, dtype=torch.int64)}, "membrane must be a floating-point tensor"),
        ({"membrane": [0.0] * 3}, "membrane must be a floating-point tensor, got list"),
        ({"spikes": None}, "spikes must be a floating-point tensor, got NoneType"),
        ({"held": torch.full((3,), 1.5)}, "state must hold steps as int16 or None, got torch.float32"),
        ({"held": torch.zeros(4, dtype=torch.int16)}, "state must have the shape"),
    ],
)
def test_a_state_of_another_kind_is_refused(change, words):
    state = NeuronState(torch.zeros(3), torch.zeros(3), None)._replace(**change)
    with pytest.raises(ValueError, match=words):
        fire(torch.ones(2, 3), LIF(refractory=1), state=state)


@pytest.mark.parametrize("bad", [0.5, -1.0, 2.0, *BAD])
@pytest.mark.parametrize("neuron", [LIF(), LIF(reset="hard"), LIF(refractory=1)])
def test_a_state_whose_spikes_are_none_is_refused(neuron, bad):
    state = NeuronState(torch.zeros(3), torch.tensor([0.0, 1.0, bad]), None)
    with pytest.raises(ValueError, match="state must have spikes of 0 and 1 alone, got other values"):
        fire(torch.ones(2, 3), neuron, state=state)


def test_neurons_that_are_none_are_refused():
    with pytest.raises(ValueError, match="neuron must be a LIF, got str"):
        fire(torch.ones(2, 3), "lif")
    with pytest.raises(ValueError, match="refractory must be at most 32,767 steps, got 32768"):
        LIF(refractory=2**15)
    for wrong, words in ((0, "threshold must be"), (None, "threshold must be")):
        with pytest.raises(ValueError, match=words):
            surrogate(torch.ones(2), threshold=wrong)


def test_a_batch_in_the_place_of_time_does_not_meet_its_labels():
    net = build(gain=2.0)
    first = SPIKES.transpose(0, 1)  # (N, T, ...) as other libraries have it
    with pytest.raises(ValueError, match=r"target must be int64 of shape \(6,\), got .* of shape \(4,\)"):
        net.head.loss(net.features(first), torch.arange(4))


def test_a_state_wider_than_the_current_is_refused_where_it_cannot_be_computed():
    state = NeuronState(torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), None)
    for neuron in (LIF(refractory=1), LIF(reset="hard", refractory=2)):
        with pytest.raises(ValueError, match=r"state must be of torch.float32 at most, .* got torch.float64"):
            fire(torch.ones(2, 3), neuron, state=state)
