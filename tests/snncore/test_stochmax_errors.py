"""Argument errors of stochmax, and logits that are not finite."""

from __future__ import annotations

import math

import pytest
import torch
from stochmax_cases import PATHS, generator, normal

from snncore.stochmax import Stochmax, StochmaxConfig, collapsed, make_head, sampled_loss

# --- wrong input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_kept": 1}, "target_kept must be True or False, got 1"),
        ({"detach_psi": None}, "detach_psi must be True or False, got None"),
        ({"psi_gradient": "reinforce"}, "psi_gradient must be one of"),
        ({"posterior": "q"}, "posterior must be one of 'prior', 'separate', got 'q'"),
        ({"inference": "sample"}, "inference must be one of"),
        ({"tau": 0.0}, "tau must be a finite number above 0"),
        ({"kl": -1.0}, "kl must lie between 0"),
        ({"entropy": math.nan}, "entropy must lie between 0"),
        ({"epsilon": 0.0}, "epsilon must lie between"),
        ({"auxiliary": 1.0}, "auxiliary must be 0 with posterior='prior'"),
        ({"psi_gradient": "straight-through", "target_kept": False}, "epsilon must be at least 1e-06"),
    ],
)
def test_config_errors(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        StochmaxConfig(**changes)


@pytest.mark.parametrize("name", ["softmax", "stochmax"])
def test_head_errors(name: str) -> None:
    with pytest.raises(ValueError, match="classes must be a whole number of at least 2, got 1"):
        make_head(name, 4, 1, generator=generator())
    with pytest.raises(ValueError, match="features must be a whole number of at least 1, got 0"):
        make_head(name, 0, 3, generator=generator())
    head = make_head(name, 4, 3, generator=generator())
    good = torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"h must have shape \(N, 4\), got \(2, 5\)"):
        head(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"h must have shape \(N, 4\), got \(7, 2, 4\)"):
        head.loss(torch.zeros(7, 2, 4), torch.tensor([0, 1]), generator=generator())
    with pytest.raises(
        ValueError, match=r"target must be int64 of shape \(2,\), got torch.int64 of shape \(3,\)"
    ):
        head.loss(good, torch.tensor([0, 1, 2]), generator=generator())
    with pytest.raises(ValueError, match=r"target must be int64 of shape .* got torch.float32"):
        head.loss(good, torch.tensor([0.0, 1.0]), generator=generator())
    with pytest.raises(ValueError, match="target must hold labels from 0 to 2, got labels from 0 to 3"):
        head.loss(good, torch.tensor([0, 3]), generator=generator())
    with pytest.raises(ValueError, match="target must hold labels from 0 to 2, got labels from -1 to 1"):
        head.loss(good, torch.tensor([-1, 1]), generator=generator())
    with pytest.raises(ValueError, match="target must be int64 of shape"):
        head.loss(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), generator=generator())


def test_factory_errors() -> None:
    with pytest.raises(ValueError, match="head must be one of 'softmax', 'stochmax', got 'sparsemax'"):
        make_head("sparsemax", 4, 3, generator=generator())
    with pytest.raises(ValueError, match="options must be empty for head 'softmax', got 'tau'"):
        make_head("softmax", 4, 3, generator=generator(), tau=1.0)
    with pytest.raises(ValueError, match=r"option must be one of .* got 'temperature'"):
        make_head("stochmax", 4, 3, generator=generator(), temperature=1.0)


@pytest.mark.parametrize("path", ["straight-through", "concrete", "local"])
def test_masks_need_a_generator(path: str) -> None:
    head = Stochmax(4, 3, generator=generator(), config=StochmaxConfig(psi_gradient=path))
    with pytest.raises(ValueError, match=f"generator must be given for psi_gradient='{path}', got None"):
        head.loss(torch.zeros(2, 4), torch.tensor([0, 1]))


def test_exact_needs_few_classes_and_no_generator() -> None:
    exact = StochmaxConfig(psi_gradient="exact")
    head = Stochmax(4, 10, generator=generator(), config=exact)
    assert math.isfinite(head.loss(torch.zeros(2, 4), torch.tensor([0, 9]))[0].item())
    with pytest.raises(ValueError, match="classes must be at most 10 for psi_gradient='exact', got 11"):
        Stochmax(4, 11, generator=generator(), config=exact)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", PATHS)
def test_numbers_that_are_not_finite_draw_no_masks(path, wrong):
    config = StochmaxConfig(psi_gradient=path)
    target = torch.tensor([0, 1])
    for name in ("scores", "retain"):
        values = {"scores": normal(2, 3), "retain": normal(2, 3)}
        values[name][1, 2] = wrong
        with pytest.raises(FloatingPointError, match=f"{name} must be finite"):
            sampled_loss(**values, target=target, config=config, generator=generator())
    head = Stochmax(4, 3, generator=generator(), config=config)
    with pytest.raises(FloatingPointError, match="must be finite"):
        head.loss(torch.full((2, 4), wrong), target, generator=generator())


def test_a_log_that_is_not_finite_is_no_sign_of_health():
    with pytest.raises(ValueError, match="rho_others must lie between 0.0 and 1.0, got nan"):
        collapsed({"rho_others": math.nan, "rho_target": 0.5})
