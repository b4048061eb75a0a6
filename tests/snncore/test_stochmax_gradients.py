"""Gradients of stochmax: against finite differences, one draw by hand, and averages over draws."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from stochmax_cases import DRAWN, eq7, generator, normal
from torch import Tensor

from panda2020.stochmax.toy import estimator_bias
from snncore.stochmax import Stochmax, StochmaxConfig, sampled_loss

# --- gradients


@pytest.mark.parametrize("target_kept", [True, False])
def test_exact_gradcheck(target_kept: bool) -> None:
    config = StochmaxConfig(psi_gradient="exact", target_kept=target_kept)
    target = torch.tensor([0, 2, 1])

    def loss(o: Tensor, psi: Tensor) -> Tensor:
        return sampled_loss(o, psi, target, config=config)[0]

    inputs = (normal(3, 4, seed=1).requires_grad_(), normal(3, 4, seed=2).requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("target_kept", [True, False])
def test_concrete_gradcheck_at_fixed_noise(target_kept: bool) -> None:
    config = StochmaxConfig(psi_gradient="concrete", target_kept=target_kept, tau=0.7)
    target = torch.tensor([0, 2, 1])

    def loss(o: Tensor, psi: Tensor) -> Tensor:
        return sampled_loss(o, psi, target, config=config, generator=generator(4))[0]

    inputs = (normal(3, 4, seed=1).requires_grad_(), normal(3, 4, seed=2).requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)


def test_whole_head_gradcheck() -> None:
    """With q = p, where no gradient is stopped on the way."""
    config = StochmaxConfig(psi_gradient="exact")
    head = Stochmax(3, 4, generator=generator(), config=config).double()
    target = torch.tensor([1, 3])
    assert torch.autograd.gradcheck(lambda h: head.loss(h, target)[0], (normal(2, 3).requires_grad_(),))


@pytest.mark.parametrize("path", ["straight-through", "local"])
def test_logit_gradient_of_a_given_mask(path: str) -> None:
    """p_k - [k = t] with p of Eq. 7: nothing reaches a dropped class."""
    scores = normal(1, 5).requires_grad_()
    psi = torch.tensor([[1e4, -1e4, 1e4, -1e4, 1e4]], dtype=torch.float64)
    config = StochmaxConfig(psi_gradient=path)
    loss, _ = sampled_loss(scores, psi, torch.tensor([2]), config=config, generator=generator())
    gradient = torch.autograd.grad(loss, scores)[0][0]
    kept = torch.tensor([0, 2, 4])
    p = scores.detach()[0, kept].softmax(0)
    p[1] -= 1
    assert torch.allclose(gradient[kept], p, atol=1e-14)
    assert gradient[[1, 3]].abs().max() < 1e-15


@pytest.mark.parametrize("target_kept", [True, False])
def test_exact_gradient_is_the_mean_gain_of_keeping(target_kept: bool) -> None:
    """Loss with a class kept minus with it dropped, over all masks of the others: what "local" samples."""
    o, psi, target = normal(1, 3, seed=1), normal(1, 3, seed=2), torch.tensor([1])
    exact_psi = psi.clone().requires_grad_()
    config = StochmaxConfig(psi_gradient="exact", target_kept=target_kept)
    exact = torch.autograd.grad(sampled_loss(o, exact_psi, target, config=config)[0], exact_psi)[0][0]
    rho = psi[0].sigmoid().tolist()
    eps, kept = 1e-20, target_kept
    for k in range(3):
        total = 0.0
        for z in product((0, 1), repeat=3):
            if z[k] == 1 or (kept and k == 1):
                continue
            on = tuple(1 if j == k or (kept and j == 1) else keep for j, keep in enumerate(z))
            off = tuple(1 if kept and j == 1 else keep for j, keep in enumerate(z))
            chance = math.prod(rho[j] if z[j] else 1 - rho[j] for j in range(3) if j != k)
            total += chance * (eq7(o[0].tolist(), on, 1, eps) - eq7(o[0].tolist(), off, 1, eps))
        assert exact[k].item() == pytest.approx(total * rho[k] * (1 - rho[k]), rel=1e-9, abs=1e-15)


def test_local_gradient_of_one_draw_by_hand() -> None:
    """Two rivals, one dropped and one kept for sure; psi of a third at 0 learns from both its values."""
    o = torch.tensor([[0.2, 1.0, -0.5]], dtype=torch.float64)
    psi = torch.tensor([[0.0, 1e4, 0.0]], dtype=torch.float64, requires_grad=True)
    config = StochmaxConfig(psi_gradient="local")
    loss, _ = sampled_loss(o, psi, torch.tensor([0]), config=config, generator=generator())
    gradient = torch.autograd.grad(loss, psi)[0][0]
    a, b, c = (math.exp(v) for v in o[0].tolist())
    assert gradient[2].item() == pytest.approx(0.25 * math.log((a + b + c) / (a + b)), rel=1e-12)
    assert gradient[0].item() == 0.0  # the target is kept whatever its psi
    assert gradient[1].item() == 0.0  # and a saturated psi does not move


def test_straight_through_gradient_of_one_draw_by_hand() -> None:
    """d(-log p)/dz = exp(o_k) / sum over kept, times rho (1 - rho); 0.25 at psi = 0, whatever was drawn."""
    o = torch.tensor([[0.2, 1.0, -0.5]], dtype=torch.float64)
    for seed in range(4):
        psi = torch.tensor([[0.0, 1e4, 0.0]], dtype=torch.float64, requires_grad=True)
        config = StochmaxConfig(psi_gradient="straight-through")
        loss, kept = sampled_loss(o, psi, torch.tensor([0]), config=config, generator=generator(seed))
        gradient = torch.autograd.grad(loss, psi)[0][0]
        a, b, c = (math.exp(v) for v in o[0].tolist())
        total = a + b + (c if kept.item() == 1 else 0.0)
        assert gradient[2].item() == pytest.approx(0.25 * c / total, rel=1e-9)


def test_sampled_gradients_average_to_enumeration() -> None:
    """Logit gradients of hard masks, and psi gradients of "local", within five standard errors."""
    table = estimator_bias(draws=20_000).set_index("estimator")
    for name in ("straight-through", "local"):
        row = table.loc[name]
        assert row.bias_logits < 5 * row.error_logits
        assert row.error_logits < 0.02
    assert table.loc["local"].bias < 5 * table.loc["local"].error < 0.02


def test_target_drawn_averages_to_enumeration_too() -> None:
    row = estimator_bias({"local": DRAWN}, draws=50_000).iloc[0]
    assert row.bias < 5 * row.error
    assert row.bias_logits < 5 * row.error_logits
    assert max(row.error, row.error_logits) < 0.02
