"""Faults of kind F: what users expect is there: truncated back-propagation, precisions, compiling, export."""

from __future__ import annotations

import pytest
import torch
from tiny_networks import SPIKES, build, g

from snncore.network import detach


def test_truncated_back_propagation():
    net, state = build(gain=2.0), None
    for chunk in (SPIKES[:3], SPIKES[3:]):
        count, state = net.run(chunk, state=None if state is None else detach(state))
        net.head(count).sum().backward()
    assert net.layers["conv1"].weight.grad.isfinite().all()
    (neurons,) = state.values()
    assert neurons.membrane.requires_grad and not neurons.detach().membrane.requires_grad
    assert torch.equal(neurons.detach().membrane, neurons.membrane)


@pytest.mark.parametrize("text", ["8C3 P F10", "8C3 [8C3]x2 M F16:relu F10", "F10"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_networks_of_every_precision(text, dtype):
    net = build(text, gain=2.0).to(dtype)
    scores = net(SPIKES.to(dtype))
    assert scores.dtype == dtype and scores.isfinite().all()
    assert torch.allclose(scores.float(), build(text, gain=2.0)(SPIKES), atol=0.3)
    scores.sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_a_network_with_a_rate_code_can_be_run_chunk_by_chunk():
    net = build("4C3:relu R 4C3 P F10")
    image = torch.rand(2, 1, 8, 8, generator=g())
    count, state = net.run(image, steps=4, generator=g(3))
    assert count.shape == (2, 64) and list(state) == ["conv2"]


def test_a_compiled_network_computes_the_same_after_an_eager_call():
    net = build("4C3 [4C3]x2 P F10", gain=2.0)
    expected = net(SPIKES)
    compiled = torch.compile(net, backend="aot_eager")
    assert torch.equal(compiled(SPIKES), expected)


def test_a_network_can_be_exported():
    net = build("4C3 [4C3]x2 P F10", gain=2.0).eval()
    exported = torch.export.export(net, (SPIKES,))
    assert torch.equal(exported.module()(SPIKES), net(SPIKES))
