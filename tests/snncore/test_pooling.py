"""Average pooling: PyTorch's own values and gradients, bit for bit, in every layout."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from snncore import pooling
from snncore.pooling import average_pool


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("arriving", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (1, 1, 2, 2), (2, 1, 4, 4), (2, 7, 2, 2), (0, 3, 4, 4)])
def test_values_and_gradients_are_pytorchs(shape, dtype, layout, arriving):
    x = draw(*shape).to(dtype).contiguous(memory_format=layout)
    grad = draw(*shape[:2], shape[2] // 2, shape[3] // 2, seed=1).to(dtype).contiguous(memory_format=arriving)
    found = []
    for pool in (average_pool, lambda leaf: F.avg_pool2d(leaf, 2)):
        leaf = x.clone().requires_grad_()
        out = pool(leaf)
        out.backward(grad)
        found.append((out.detach(), leaf.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert found[0][1].stride() == found[1][1].stride()


def test_channels_last_takes_the_way_of_its_own(monkeypatch):
    taken, repeat = [], F.interpolate
    monkeypatch.setattr(
        pooling.F, "interpolate", lambda *args, **options: (taken.append(1), repeat(*args, **options))[1]
    )
    x = draw(2, 3, 4, 4)
    average_pool(x.requires_grad_()).sum().backward()
    assert not taken
    average_pool(x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()).sum().backward()
    assert taken


def test_second_derivatives_are_those_of_a_linear_map():
    x = draw(2, 3, 4, 4).double().contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradgradcheck(average_pool, x)
