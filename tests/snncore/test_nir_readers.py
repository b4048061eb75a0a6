"""Other libraries read our graphs and give our spikes, where their semantics are those of NIR's equations.

What snnTorch 1.0 and NIRTorch 2.6 do, checked here: snnTorch takes ``dt = 1e-4``, resets every LIF to zero, and flattens
the batch as well, so it is fed one image at a time; its IF leaks by 0.9, so networks without leak need another reader. It
has no ``Threshold``, so soft resets are run by NIRTorch, which delays the edges that close a loop by one step, with
snnTorch's ``Leaky`` without reset as the membrane.

norse 1.1.0 and sinabs 3.1.3 do not load the graph: both raise ``KeyError`` at the average pooling, and sinabs raises
``ValueError`` at time constants that are given per neuron.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from snncore import coding
from snncore.network import Network, NetworkConfig

nir = pytest.importorskip("nir")
snntorch = pytest.importorskip("snntorch")
nirtorch = pytest.importorskip("nirtorch")
from snntorch.import_nir import import_from_nir  # noqa: E402

from snncore.nir import to_nir  # noqa: E402

STEPS, IMAGES = 8, 3


def network(**config) -> Network:
    return Network(
        "6C3 P [6C3]x3 P F12 F10",
        input_shape=(1, 8, 8),
        config=NetworkConfig(gain=1.5, **config),
        generator=torch.Generator().manual_seed(0),
    ).eval()


def digits() -> torch.Tensor:
    images = torch.from_numpy(load_digits().images[:IMAGES] / 16).float()[:, None]
    return coding.poisson(images, STEPS, generator=torch.Generator().manual_seed(3))


def our_spikes(net: Network, x: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    found = {}
    with torch.no_grad():
        scores = net(x, probe=lambda site, values, *, timed: found.update({site: values}))
    return found, scores


def compare(net: Network, x: torch.Tensor, executor) -> int:
    """Run one image after another; hold every site's spikes and the mean output to ours. Returns how many fired."""
    ours, scores = our_spikes(net, x)
    fired = 0
    for n in range(x.shape[1]):
        caught: dict[str, list[torch.Tensor]] = {}
        model = executor()
        for site, _ in net.sites():
            steps = caught[site] = []
            module = getattr(model, site.replace(".", "_") + "_spikes")
            module.register_forward_hook(
                lambda _, __, out, steps=steps: steps.append(out[0] if isinstance(out, tuple) else out)
            )
        state, outputs = None, []
        with torch.no_grad():
            for step in x[:, n]:
                out, state = model(step, state)
                outputs.append(out)
        for site, steps in caught.items():
            theirs = torch.stack(steps).reshape(STEPS, -1)
            assert torch.equal(theirs.float(), ours[site][:, n].reshape(STEPS, -1)), site
            fired += int(theirs.sum())
        assert torch.allclose(torch.stack(outputs).mean(0).float().flatten(), scores[n], atol=1e-5)
    return fired


def test_snntorch_gives_the_same_spikes_for_a_hard_reset():
    net = network(reset="hard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compare(net, digits(), lambda: import_from_nir(to_nir(net))) > 200


class Membrane(torch.nn.Module):
    """snnTorch's Leaky without its reset; what comes out is the potential."""

    def __init__(self, node) -> None:
        super().__init__()
        beta = 1 - 1e-4 / float(node.tau.flat[0]) if isinstance(node, nir.LI) else 1.0
        self.leaky = snntorch.Leaky(beta=beta, reset_mechanism="none")
        gain = node.r / (node.tau if isinstance(node, nir.LI) else 1.0) * 1e-4
        assert np.allclose(gain, 1.0)

    def forward(self, x, state=None):
        _, membrane = self.leaky(x, state if state is not None else torch.zeros_like(x))
        return membrane, membrane


class Heaviside(torch.nn.Module):
    def __init__(self, node) -> None:
        super().__init__()
        self.threshold = torch.from_numpy(node.threshold).float()

    def forward(self, x):
        return (x > self.threshold).float()


class Scale(torch.nn.Module):
    def __init__(self, node) -> None:
        super().__init__()
        self.scale = torch.from_numpy(node.scale).float()

    def forward(self, x):
        return x * self.scale


@pytest.mark.parametrize(
    "config", [{}, {"neuron": "if"}, {"order": "reset-then-leak", "alpha": 0.8}], ids=str
)
def test_nirtorch_runs_the_loop_of_a_soft_reset(config):
    net = network(**config)
    readers = {
        nir.LI: Membrane,
        nir.I: Membrane,
        nir.Threshold: Heaviside,
        nir.Scale: Scale,
        nir.Affine: affine,
    }
    assert compare(net, digits(), lambda: nirtorch.nir_to_torch(to_nir(net), readers)) > 200


def affine(node) -> torch.nn.Linear:
    """NIRTorch 2.6 leaves out the bias of an Affine."""
    module = torch.nn.Linear(node.weight.shape[1], node.weight.shape[0])
    module.weight.data, module.bias.data = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
    return module
