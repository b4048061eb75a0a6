"""The softmax and stochmax heads: by hand, by enumeration, and properties for random logits."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stochmax_cases import BARE, DRAWN, PATHS, eq7, expected, generator, normal
from torch import nn

from snncore.stochmax import DROPMAX, Softmax, Stochmax, StochmaxConfig, collapsed, make_head, sampled_loss

# --- the softmax head and the factory


def test_softmax_loss_by_hand() -> None:
    head = Softmax(2, 2, generator=generator())
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.classify.bias.copy_(torch.tensor([0.5, 0.0]))
    h = torch.tensor([[1.0, 1.0]])
    assert head(h).tolist() == [[1.5, 2.0]]
    loss, log = head.loss(h, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(0.5)), abs=1e-6)
    assert log == {"cross_entropy": loss.item()}


@pytest.mark.parametrize("name", ["softmax", "stochmax"])
def test_weights_come_from_the_generator_alone(name: str) -> None:
    torch.manual_seed(1)
    one = make_head(name, 16, 5, generator=generator(3))
    torch.manual_seed(2)
    before = torch.get_rng_state()
    two = make_head(name, 16, 5, generator=generator(3))
    assert torch.equal(before, torch.get_rng_state())
    for (_, p), (_, q) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        assert torch.equal(p, q)
        assert p.abs().max() <= 0.25
    assert one.classify.weight.std().item() == pytest.approx(0.25 / 3**0.5, rel=0.2)


def test_softmax_and_stochmax_share_the_weights_of_the_logits() -> None:
    one, two = (make_head(name, 16, 5, generator=generator(3)) for name in ("softmax", "stochmax"))
    assert torch.equal(one.classify.weight, two.classify.weight)
    assert torch.equal(one.classify.bias, two.classify.bias)
    assert not torch.equal(two.classify.weight, two.retain.weight)


def test_config_goes_through_make_head() -> None:
    head = make_head("stochmax", 4, 3, generator=generator(), **asdict(DROPMAX))
    assert isinstance(head, Stochmax)
    assert head.config == DROPMAX


# --- the value of the loss


@pytest.mark.parametrize("target_kept", [True, False])
@pytest.mark.parametrize("eps", [1e-20, 1e-3])
def test_exact_loss_is_the_mean_of_eq7_over_masks(target_kept: bool, eps: float) -> None:
    o, psi = [0.3, -1.2, 2.0, 0.1], [0.5, -0.7, 1.5, -2.0]
    config = StochmaxConfig(psi_gradient="exact", target_kept=target_kept, epsilon=eps)
    for target in range(4):
        loss, kept = sampled_loss(
            torch.tensor([o], dtype=torch.float64),
            torch.tensor([psi], dtype=torch.float64),
            torch.tensor([target]),
            config=config,
        )
        assert loss.item() == pytest.approx(expected(o, psi, target, eps, target_kept), rel=1e-12)
        rho = [1.0 if target_kept and k == target else 1 / (1 + math.exp(-p)) for k, p in enumerate(psi)]
        assert kept.item() == pytest.approx(sum(rho) / 4, rel=1e-12)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", [0, 2])
@pytest.mark.parametrize("eps", [1e-3, 1e-6])
def test_given_masks_give_eq7(path: str, target: int, eps: float) -> None:
    """rho at 0 or 1 leaves one mask; every path then computes Eq. 7 of that mask."""
    o = [0.3, -1.2, 2.0, 0.1]
    for z in product((0, 1), repeat=4):
        config = StochmaxConfig(psi_gradient=path, target_kept=False, epsilon=eps)
        psi = torch.tensor([[1e4 if keep else -1e4 for keep in z]], dtype=torch.float64)
        scores = torch.tensor([o], dtype=torch.float64)
        loss, kept = sampled_loss(scores, psi, torch.tensor([target]), config=config, generator=generator())
        assert loss.item() == pytest.approx(eq7(o, z, target, eps), rel=1e-9)
        assert kept.item() == sum(z) / 4


@pytest.mark.parametrize("path", PATHS)
def test_all_kept_is_softmax(path: str) -> None:
    config = StochmaxConfig(psi_gradient=path, **BARE)
    stochmax = Stochmax(6, 4, generator=generator(1), config=config)
    softmax = Softmax(6, 4, generator=generator(1))
    with torch.no_grad():
        stochmax.retain.weight.zero_()
        stochmax.retain.bias.fill_(200.0)
    h, target = normal(9, 6).float().requires_grad_(), torch.arange(9) % 4
    one, log = stochmax.loss(h, target, generator=generator())
    two, _ = softmax.loss(h, target)
    assert one.item() == pytest.approx(two.item(), abs=1e-6)
    assert log["kept"] == 1.0
    assert torch.allclose(torch.autograd.grad(one, h)[0], torch.autograd.grad(two, h)[0], atol=1e-7)
    assert torch.allclose(stochmax(h), softmax(h), atol=1e-6)


def test_straight_through_and_local_show_the_loss_of_the_same_draw() -> None:
    scores, psi, target = normal(50, 7, seed=1), normal(50, 7, seed=2), torch.arange(50) % 7
    values = [
        sampled_loss(scores, psi, target, config=StochmaxConfig(psi_gradient=path), generator=generator(5))
        for path in ("straight-through", "local")
    ]
    assert values[0][0].item() == pytest.approx(values[1][0].item(), rel=1e-12)
    assert values[0][1].item() == values[1][1].item()


def test_masks_follow_rho() -> None:
    psi = torch.tensor([-2.0, 0.0, 1.0], dtype=torch.float64)
    for k, rho in enumerate(psi.sigmoid().tolist()):
        column = psi[k].expand(20_000, 2)
        target = torch.zeros(20_000, dtype=torch.int64)
        _, kept = sampled_loss(column, column, target, config=DRAWN, generator=generator(k))
        assert kept.item() == pytest.approx(rho, abs=5 * (rho * (1 - rho) / 40_000) ** 0.5)


def test_one_seed_one_draw() -> None:
    head = Stochmax(6, 4, generator=generator())
    h, target = normal(8, 6).float(), torch.arange(8) % 4
    one, two, other = (head.loss(h, target, generator=generator(s))[0].item() for s in (1, 1, 2))
    assert one == two
    assert one != other


# --- DropMax's terms


def test_terms_by_hand_separate() -> None:
    head = Stochmax(1, 2, generator=generator(), config=replace(DROPMAX, psi_gradient="exact"))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.classify.bias.copy_(torch.tensor([1.0, 0.0]))
        head.retain.bias.copy_(torch.tensor([0.4, -0.3]))
        head.posterior.bias.copy_(torch.tensor([0.2, 0.7]))
    loss, log = head.loss(torch.zeros(1, 1), torch.tensor([0]))

    def s(v: float) -> float:
        return 1 / (1 + math.exp(-v))

    p, r, q = (s(0.4), s(-0.3)), (s(0.2), s(0.7)), s(-0.3 + 0.7)
    kl = -math.log(p[0]) + q * math.log(q / p[1]) + (1 - q) * math.log((1 - q) / (1 - p[1]))
    auxiliary = -math.log(r[0]) - math.log(1 - r[1])
    entropy = sum(v * math.log(v) + (1 - v) * math.log(1 - v) for v in p)
    cross_entropy = q * math.log(1 + math.exp(-1))  # without the rival it is 0
    assert log["kl"] == pytest.approx(kl, rel=1e-5)
    assert log["auxiliary"] == pytest.approx(auxiliary, rel=1e-5)
    assert log["entropy"] == pytest.approx(entropy, rel=1e-5)
    assert log["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-5)
    assert log["rho_target"] == pytest.approx(p[0], rel=1e-6)
    assert log["rho_others"] == pytest.approx(p[1], rel=1e-6)
    assert log["kept"] == pytest.approx((1 + q) / 2, rel=1e-6)
    assert loss.item() == pytest.approx(cross_entropy + kl + auxiliary + entropy, rel=1e-5)


def test_kl_with_q_equal_p() -> None:
    h, target = normal(5, 3).float(), torch.tensor([0, 1, 2, 3, 0])
    kept = Stochmax(3, 4, generator=generator())
    _, log = kept.loss(h, target, generator=generator())
    rho = kept.rho(h).gather(1, target[:, None])
    assert log["kl"] == pytest.approx(-rho.log().mean().item(), rel=1e-5)
    assert log["auxiliary"] == 0.0
    drawn = Stochmax(3, 4, generator=generator(), config=DRAWN)
    assert drawn.loss(h, target, generator=generator())[1]["kl"] == 0.0


def test_weights_of_the_terms() -> None:
    h, target = normal(5, 3).float(), torch.tensor([0, 1, 2, 3, 0])
    config = replace(DROPMAX, kl=0.5, auxiliary=2.0, entropy=3.0)
    loss, log = Stochmax(3, 4, generator=generator(), config=config).loss(h, target, generator=generator())
    total = log["cross_entropy"] + 0.5 * log["kl"] + 2 * log["auxiliary"] + 3 * log["entropy"]
    assert loss.item() == pytest.approx(total, rel=1e-5)


def test_cross_entropy_reaches_psi_only_where_q_is_p() -> None:
    h, target = normal(6, 3).float(), torch.arange(6) % 4
    for config, reaches in (
        (StochmaxConfig(**BARE), True),
        (StochmaxConfig(posterior="separate", **BARE), False),
    ):
        head = Stochmax(3, 4, generator=generator(), config=config)
        head.loss(h, target, generator=generator())[0].backward()
        gradient = head.retain.weight.grad
        assert (gradient is not None and bool(gradient.any())) is reaches
        if head.posterior is not None:
            assert bool(head.posterior.weight.grad.any())


@pytest.mark.parametrize("config", [StochmaxConfig(), DROPMAX], ids=["prior", "separate"])
def test_detach_psi_stops_the_gradient_into_the_network(config: StochmaxConfig) -> None:
    target = torch.arange(6) % 4
    for detach in (False, True):
        head = Stochmax(3, 4, generator=generator(), config=replace(config, detach_psi=detach))
        nn.init.zeros_(head.classify.weight)  # leaves psi and r as the only ways to h
        h = normal(6, 3).float().requires_grad_()
        head.loss(h, target, generator=generator())[0].backward()
        assert bool(h.grad.any()) is not detach
        assert bool(head.retain.weight.grad.any())


# --- inference


def test_inference_rules() -> None:
    h = normal(20, 3).float()
    by_rho = Stochmax(3, 4, generator=generator())
    by_logits = Stochmax(3, 4, generator=generator(), config=StochmaxConfig(inference="logits"))
    o, rho = by_rho.classify(h), by_rho.rho(h)
    assert torch.equal(by_logits(h), o)
    weights = rho * o.exp()
    assert torch.allclose(by_rho(h).softmax(1), weights / weights.sum(1, keepdim=True), atol=1e-6)
    assert torch.equal(by_rho(h), by_rho(h))  # nothing is drawn


def test_a_class_whose_rho_is_zero_keeps_epsilon_at_inference() -> None:
    head = Stochmax(1, 2, generator=generator(), config=StochmaxConfig(epsilon=1e-3))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.retain.bias.copy_(torch.tensor([-1e4, 0.0]))
    assert head(torch.zeros(1, 1))[0].exp().tolist() == pytest.approx([1e-3, 0.5 + 1e-3], rel=1e-5)


# --- whatever the numbers


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-10, 10), st.booleans()), min_size=2, max_size=6),
    st.data(),
)
def test_probabilities_sum_to_one_over_kept_classes(
    classes: list[tuple[float, bool]], data: st.DataObject
) -> None:
    """exp(-loss) over every kept target sums to 1, and a dropped target has none of it."""
    o = torch.tensor([[score for score, _ in classes]], dtype=torch.float64)
    z = [keep for _, keep in classes]
    z[data.draw(st.integers(0, len(z) - 1))] = True
    psi = torch.tensor([[1e4 if keep else -1e4 for keep in z]], dtype=torch.float64)
    p = [
        math.exp(-sampled_loss(o, psi, torch.tensor([t]), config=DRAWN, generator=generator())[0].item())
        for t in range(len(z))
    ]
    assert sum(v for v, keep in zip(p, z, strict=True) if keep) == pytest.approx(1, abs=1e-9)
    assert sum(v for v, keep in zip(p, z, strict=True) if not keep) < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000), st.floats(-50, 50), st.sampled_from(PATHS))
def test_a_common_shift_of_the_logits_changes_nothing(k: int, seed: int, shift: float, path: str) -> None:
    o, psi, target = normal(3, k, seed=seed), normal(3, k, seed=seed + 1), torch.arange(3) % k
    config = StochmaxConfig(psi_gradient=path)
    one, two = (
        sampled_loss(v, psi, target, config=config, generator=generator(seed))[0].item()
        for v in (o, o + shift)
    )
    assert one == pytest.approx(two, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_a_kept_target_never_loses_by_dropping_rivals(k: int, seed: int) -> None:
    o, psi, target = normal(3, k, seed=seed, scale=3), normal(3, k, seed=seed + 1), torch.arange(3) % k
    config = StochmaxConfig(psi_gradient="local")
    sampled = sampled_loss(o, psi, target, config=config, generator=generator(seed))[0].item()
    assert -1e-12 <= sampled <= nn.functional.cross_entropy(o, target).item() + 1e-12


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize(
    "config",
    [
        *(StochmaxConfig(psi_gradient=path) for path in PATHS),
        replace(DRAWN, psi_gradient="straight-through", epsilon=1e-6),
        replace(DRAWN, psi_gradient="concrete"),
        DRAWN,
        replace(DRAWN, psi_gradient="exact"),
        DROPMAX,
        StochmaxConfig(epsilon=1e-30),
    ],
    ids=str,
)
def test_nothing_overflows(config: StochmaxConfig, size: float) -> None:
    """Logits and psi of +-1e4 in float32: all signs over four classes, each class as target."""
    h = torch.tensor(list(product((-1.0, 1.0), repeat=8))).repeat(4, 1)  # (1024, 8): o and psi
    target = torch.arange(4).repeat_interleave(256)
    head = Stochmax(8, 4, generator=generator(), config=config)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.classify.weight[:, :4] = size * torch.eye(4)
        head.retain.weight[:, 4:] = size * torch.eye(4)
        if head.posterior is not None:
            head.posterior.weight[:, 4:] = -2 * size * torch.eye(4)
    h.requires_grad_()
    loss, log = head.loss(h, target, generator=generator())
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(math.isfinite(v) for v in log.values())
    assert bool(h.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in head.parameters() if p.grad is not None)
    assert bool(head(h).isfinite().all())


# --- collapse


@pytest.mark.parametrize(
    ("target", "others", "verdict"),
    [
        (0.0, 0.0, "dropped"),
        (0.9, 0.01, "dropped"),
        (1.0, 1.0, "kept"),
        (0.5, 0.99, "kept"),
        (0.005, 0.5, "target dropped"),
        (0.74, 0.5, None),
        (1.0, 0.3, None),
        (0.02, 0.02, None),
    ],
)
def test_collapsed(target: float, others: float, verdict: str | None) -> None:
    assert collapsed({"rho_target": target, "rho_others": others}) == verdict
