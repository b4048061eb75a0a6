"""``torch.compile`` and ``torch.export`` of networks: what works gives the same numbers, what does not says so."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
import torch

from snncore.network import Network, NetworkConfig

T, N = 4, 3


def network(text="4C3 P [4C3]x2 F8 F10", static_input=None, **config) -> Network:
    return Network(
        text,
        input_shape=(1, 4, 4),
        config=NetworkConfig(gain=1.5, **config),
        generator=torch.Generator().manual_seed(0),
        static_input=static_input,
    ).eval()


def spikes() -> torch.Tensor:
    return torch.rand(T, N, 1, 4, 4, generator=torch.Generator().manual_seed(1)).gt(0.5).float()


def image() -> torch.Tensor:
    return torch.rand(N, 1, 4, 4, generator=torch.Generator().manual_seed(1))


KINDS = {
    "soft reset": (network(), (spikes(),), {}),
    "hard reset": (network(reset="hard"), (spikes(),), {}),
    "refractory": (network(refractory=1), (spikes(),), {}),
    "ANN": (network(neuron="relu", batch_norm=True), (image(),), {}),
    "direct input": (network(static_input=True), (image(),), {"steps": T}),
    "hybrid": (network("4C3:relu P [4C3]x2 M F8:relu F10", True), (image(),), {"steps": T}),
    "stochmax": (network(head="stochmax"), (spikes(),), {}),
    "residual sum": (network("4C3 4C3+ F10"), (spikes(),), {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_program_gives_the_networks_scores(kind):
    net, args, options = KINDS[kind]
    with torch.no_grad():
        scores = net(*args, **options)
        program = torch.export.export(net, args, options)
        assert torch.equal(program.module()(*args, **options), scores)


def test_an_exported_program_is_saved_and_takes_batches_of_any_size():
    net, (x,), _ = KINDS["soft reset"]
    batch = torch.export.Dim("batch", min=2)
    with torch.no_grad():
        program = torch.export.export(net, (x,), dynamic_shapes={"x": {1: batch}})
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        loaded = torch.export.load(file).module()
        larger = torch.cat([x, 1 - x], 1)
        assert torch.equal(loaded(larger), net(larger))


@pytest.mark.parametrize("kind", ["soft reset", "hybrid"])
def test_a_compiled_network_gives_the_same_scores_and_gradients(kind):
    net, args, options = KINDS[kind]
    torch._dynamo.reset()
    compiled = torch.compile(net, backend="aot_eager")
    found = []
    for model in (net, compiled):
        scores = model(*args, **options)
        net.zero_grad()
        scores.square().sum().backward()
        found.append((scores.detach(), [p.grad.clone() for p in net.parameters()]))
    net.zero_grad()
    assert torch.equal(found[0][0], found[1][0])
    assert all(torch.equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))


def test_one_graph_is_refused_by_torch():
    net, args, _ = KINDS["soft reset"]
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported), torch.no_grad():
        torch.compile(net, backend="eager", fullgraph=True)(*args)


def test_importing_neurons_does_not_load_the_compiler():
    code = "import sys, snncore.neurons; print('torch._dynamo' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
