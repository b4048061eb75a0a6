"""Faults of kind D: what is handed out is independent of what goes on inside."""

from __future__ import annotations

import pytest
import torch
from tiny_networks import PART, SPIKES, build, fit, g

from snncore.neurons import IF, LIF, fire
from snncore.training import InputConfig, evaluate


@pytest.mark.parametrize("neuron", [LIF(), LIF(reset="hard"), LIF(refractory=1), IF()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_editing_spikes_leaves_the_state_alone(neuron, dtype):
    current = torch.rand(4, 3, 5, dtype=dtype, generator=g()) * 2
    spikes, state = fire(current, neuron)
    kept = [None if x is None else x.clone() for x in state]
    spikes.fill_(7)
    assert all(x is y or torch.equal(x, y) for x, y in zip(state, kept, strict=True))
    again, _ = fire(current, neuron, state=state)
    state.spikes.fill_(7)
    state.membrane.fill_(7)
    assert set(again.unique().tolist()) <= {0.0, 1.0}


def test_editing_what_run_returns_leaves_the_next_chunk_alone():
    net = build(gain=2.0)
    with torch.no_grad():
        _, state = net.run(SPIKES[:3])
        right, _ = net.run(SPIKES[3:], state=state)
        counted, state = net.run(SPIKES[:3])
        counted.fill_(99)
        assert torch.equal(net.run(SPIKES[3:], state=state)[0], right)


def test_training_goes_on_in_training_mode_whatever_a_callback_does():
    def curve(callback):
        net = build("8C3 P F64 F10", neuron="relu", dropout=0.5, batch_norm=True)
        return [entry["train_loss"] for entry in fit(net, epochs=3, on_epoch=callback)]

    right = curve(lambda epoch, net: {})
    assert curve(lambda epoch, net: net.eval() and {}) == right
    assert curve(lambda epoch, net: evaluate(net, PART, InputConfig(), seed=9) and {}) == right
    assert curve(lambda epoch, net: net.layers["conv1"].eval() and {}) == right


def test_evaluation_leaves_every_module_in_its_mode():
    net = build(neuron="relu", batch_norm=True).train()
    net.layers["conv1"].norm.eval()
    evaluate(net, PART, InputConfig(), seed=0)
    assert net.training and net.head.training and not net.layers["conv1"].norm.training


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"x": torch.ones(1)}, "got torch.Tensor at 'x'"),
        ({"x": {"y": [1, {2}]}}, "got set at 'x.y'"),
        ({"x": PART}, "got snncore.data.Part at 'x'"),
        ({1: 2}, "keys of type str, got 1"),
        ({"epoch": 2}, "new keys, got 'epoch'"),
        (None, "a dict, got NoneType"),
    ],
)
def test_what_a_checkpoint_cannot_give_back_is_refused(found, words, tmp_path):
    with pytest.raises(ValueError, match=f"on_epoch must return .*{words}"):
        fit(build(neuron="relu"), on_epoch=lambda *_: found, checkpoint=tmp_path / "run.pt")


def test_what_a_checkpoint_can_give_back_comes_back(tmp_path):
    found = {"a": [1, 2.5, None], "b": {"c": "d", "e": (True,)}}
    first = fit(build(neuron="relu"), on_epoch=lambda *_: found, checkpoint=tmp_path / "run.pt", stop_after=1)
    again = fit(build(neuron="relu"), on_epoch=lambda *_: found, checkpoint=str(tmp_path / "run.pt"))
    assert again[0] == first[0] and first[0]["b"] == found["b"] and len(again) == 2
