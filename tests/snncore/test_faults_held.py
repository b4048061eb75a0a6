"""Faults that other libraries' users met and that were never there: held, so that they do not come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_networks import BAD, PART, SPIKES, build, g
from torch import nn
from torch.nn import functional as F

from snncore import coding
from snncore.conversion import check_convertible
from snncore.neurons import LIF, fire, surrogate
from snncore.stdp import StdpConfig
from snncore.stdp_layers import features, train_layerwise

ROOT = Path(__file__).parents[2]


class Functional(nn.Module):
    """A ReLU that no module tells of."""

    def __init__(self) -> None:
        super().__init__()
        self.convolve, self.classify = nn.Conv2d(1, 4, 3), nn.Linear(144, 10)

    def forward(self, x):
        return self.classify(F.relu(self.convolve(x)).flatten(1))


def test_a_relu_that_is_a_function_is_not_converted():
    with pytest.raises(ValueError, match="ann must be a snncore Network, got Functional"):
        check_convertible(Functional())


@pytest.mark.parametrize("module", ["snncore.training", "panda2020.contents", "panda2020.exhibits.notebook"])
def test_nothing_needs_locks_that_windows_lacks(module):
    code = f"import sys\nsys.modules['fcntl'] = None\nimport {module}"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_surrogate_is_zero_far_from_the_threshold(dtype):
    far = torch.tensor([-1e30, -5.0, 5.0, 1e30, float("inf"), -float("inf")], dtype=dtype)
    assert not surrogate(far, threshold=1.0, gamma=0.3).any()
    current = torch.full((3, 2), 1e30, dtype=torch.float64, requires_grad=True)
    fire(current, LIF())[0].sum().backward()
    assert not current.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["poisson", "signed-poisson", "direct", "latency"])
def test_every_coder_keeps_the_dtype(name, dtype):
    image = torch.rand(2, 1, 4, 4, generator=g()).to(dtype)
    if name == "signed-poisson":
        spikes = coding.poisson(-image, 3, generator=g(1), signed=True)
    else:
        spikes = coding.encode(name, image, 3, generator=g(1))
    assert spikes.dtype == dtype and spikes.shape == (3, 2, 1, 4, 4)


def test_reading_features_changes_neither_weights_nor_thresholds():
    images = PART.images / 255
    config = StdpConfig(steps=5, epochs=1, target=0.05)
    trained = train_layerwise("4C3 P F10", images, config, generator=g())
    kept = [{k: v.clone() for k, v in d.items()} for d in (trained.weights, trained.thresholds)]
    first = features(trained, images, generator=g(3))
    assert first.any() and torch.equal(features(trained, images, generator=g(3)), first)
    for before, now in zip(kept, (trained.weights, trained.thresholds), strict=True):
        assert all(torch.equal(before[name], now[name]) for name in now)


def test_half_of_a_soft_reset_is_the_threshold_before_the_leak_or_after_it():
    current = torch.tensor([[1.5], [0.2]], dtype=torch.float64)
    after = fire(current, LIF(alpha=0.5, order="leak-then-reset"))[1].membrane
    before = fire(current, LIF(alpha=0.5, order="reset-then-leak"))[1].membrane
    assert after.item() == pytest.approx(0.5 * 1.5 + 0.2 - 1)
    assert before.item() == pytest.approx(0.5 * (1.5 - 1) + 0.2)


@pytest.mark.parametrize("bad", BAD)
def test_scores_never_look_ordinary_after_numbers_that_are_not(bad):
    for neuron in ("lif", "if", "relu"):
        for name in ("layers.conv1.weight", "head.classify.weight"):
            net = build(neuron=neuron, gain=2.0)
            with torch.no_grad():
                net.get_parameter(name).view(-1)[0] = bad
            try:
                scores = net(SPIKES if neuron != "relu" else SPIKES.mean(0))
            except FloatingPointError as error:
                assert "must be finite" in str(error)
            else:
                assert not scores.isfinite().all()
