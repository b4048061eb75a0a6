"""Training: input codes, schedules, optimisers and what a recipe refuses."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from training_cases import SHORT, build, fit

from snncore import coding
from snncore.training import CODES, InputConfig, TrainingConfig

PIXELS = torch.tensor([[[[0, 51], [204, 255]]]], dtype=torch.uint8)  # 0, 0.2, 0.8, 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_every_code_by_hand(code, signed):
    x = torch.tensor([[[[0, 0.2], [0.8, 1]]]])
    if signed:
        x = torch.tensor([[[[-1, -0.6], [0.6, 1]]]])
    if signed and code == "latency":
        with pytest.raises(ValueError, match="signed must be False for code 'latency', got True"):
            InputConfig(code, signed=True, steps=6)
        return
    coder = InputConfig(code, signed=signed, steps=None if code == "real" else 6)
    found, steps = coder(PIXELS, generator=torch.Generator().manual_seed(3))
    assert steps == (6 if code == "direct" else None)
    if code in ("real", "direct"):
        expected = x
    elif code == "latency":
        expected = torch.zeros(6, 1, 1, 2, 2)
        for step, row, column in ((5, 0, 0), (4, 0, 1), (1, 1, 0), (0, 1, 1)):
            expected[step, 0, 0, row, column] = 1
    else:
        expected = coding.poisson(x, 6, generator=torch.Generator().manual_seed(3), signed=signed)
        expected = expected.mean(0) if code == "poisson-mean" else expected
    assert torch.allclose(found, expected) and found.shape == expected.shape and found.dtype == torch.float32


def test_spikes_have_the_pixels_as_their_mean():
    found, _ = InputConfig("poisson-mean", signed=True, steps=4000)(PIXELS, generator=torch.Generator())
    assert torch.allclose(found, torch.tensor([[[[-1, -0.6], [0.6, 1]]]]), atol=0.06)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"code": "rate", "steps": 3}, "code must be one of 'real', 'poisson', 'poisson-mean'"),
        ({"code": "real", "steps": 3}, "steps must be None for code 'real', got 3"),
        *(({"code": code}, "steps must be a whole number of at least 1, got None") for code in CODES[1:]),
        ({"code": "poisson", "steps": 0}, "steps must be a whole number"),
    ],
)
def test_wrong_input_configurations(options, words):
    with pytest.raises(ValueError, match=words):
        InputConfig(**options)


@pytest.mark.parametrize(
    "options, rates",
    [
        ({"schedule": "constant"}, {0: 0.8, 4: 0.8, 7.9: 0.8}),
        ({"schedule": "cosine"}, {0: 0.8, 4: 0.4, 8 / 3: 0.6, 8: 0.0}),
        ({"schedule": "step"}, {0: 0.8, 3.99: 0.8, 4: 0.08, 5.99: 0.08, 6: 0.008}),
        ({"schedule": "constant", "warmup": 2.0}, {0: 0.0, 0.5: 0.2, 1: 0.4, 2: 0.8}),
        ({"schedule": "step", "warmup": 5.0}, {2.5: 0.4, 4.5: 0.072}),
    ],
)
def test_schedules_by_hand(options, rates):
    config = TrainingConfig(epochs=8, learning_rate=0.8, **options)
    for progress, rate in rates.items():
        assert config.rate(progress) == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize(
    "field, wrong",
    [
        ("epochs", -1),
        ("epochs", 1.5),
        ("batch_size", 0),
        ("optimizer", "lion"),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("weight_decay", -0.1),
        ("weight_decay", math.inf),
        ("schedule", "linear"),
        ("warmup", -1.0),
        ("warmup", 9.0),
        ("warmup", math.nan),
        ("clip", 0.0),
        ("augment", None),
        ("mixed_precision", "bf16"),
    ],
)
def test_wrong_recipes(field, wrong):
    with pytest.raises(ValueError, match=f"^{field} must .* got {wrong!r}$"):
        TrainingConfig(epochs=wrong) if field == "epochs" else TrainingConfig(**{field: wrong})


class Recorder:
    """Learning rates and gradients as the optimizer sees them, through its own hook."""

    def __init__(self, monkeypatch):
        self.rates, self.norms = [], []

        def seen(optimizer, *_):
            grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
            self.norms.append(torch.stack([g.square().sum() for g in grads]).sum().sqrt().item())
            self.rates.append([group["lr"] for group in optimizer.param_groups])

        for kind in (torch.optim.Adam, torch.optim.SGD):
            plain = kind.step
            monkeypatch.setattr(kind, "step", lambda self, plain=plain: (seen(self), plain(self))[1])


def test_the_rate_follows_the_schedule_batch_by_batch(few, monkeypatch):
    seen = Recorder(monkeypatch)
    config = TrainingConfig(epochs=2, batch_size=16, learning_rate=0.01)
    fit(build(), few, config=config)
    expected = [[config.rate(progress)] * 2 for progress in (0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3)]
    assert torch.allclose(torch.tensor(seen.rates), torch.tensor(expected))


def test_gradients_are_clipped_and_their_norm_is_logged_before(few, monkeypatch):
    seen = Recorder(monkeypatch)
    free = fit(build(), few, config=TrainingConfig(epochs=1, batch_size=16, clip=None))
    before, seen.norms = seen.norms, []
    held = fit(build(), few, config=TrainingConfig(epochs=1, batch_size=16, clip=0.01))
    assert min(before) > 0.01 and seen.norms == pytest.approx([0.01] * 3, rel=1e-3)
    assert free[0]["gradient_norm"] == pytest.approx(sum(before) / 3, rel=1e-5)
    assert held[0]["gradient_norm"] > 0.01


def test_plain_descent_by_hand(few):
    """One batch of all images: w - rate (gradient + decay w) for weights, without decay for the bias."""
    net, twin = build("F8 F10", neuron="relu"), build("F8 F10", neuron="relu")
    config = TrainingConfig(
        epochs=1,
        batch_size=40,
        optimizer="sgd",
        learning_rate=0.1,
        weight_decay=0.5,
        schedule="constant",
        clip=None,
    )
    curve = fit(net, few, InputConfig(), config)
    loss = F.cross_entropy(twin(few.train.images / 255), few.train.labels)
    loss.backward()
    for (name, p), after in zip(twin.named_parameters(), net.parameters(), strict=True):
        decay = 0.0 if name.endswith("bias") else 0.5
        assert torch.allclose(after, p - 0.1 * (p.grad + decay * p), atol=1e-6), name
    assert curve[0]["train_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_momentum_by_hand(few):
    """Two epochs of one batch of all images each: v = 0.9 v + gradient, w - rate v."""
    net, twin = build("F8 F10", neuron="relu"), build("F8 F10", neuron="relu")
    config = TrainingConfig(
        epochs=2, batch_size=40, optimizer="sgd", learning_rate=0.1, schedule="constant", clip=None
    )
    fit(net, few, InputConfig(), config)
    speed = [torch.zeros_like(p) for p in twin.parameters()]
    for _ in range(2):
        gradients = torch.autograd.grad(
            F.cross_entropy(twin(few.train.images / 255), few.train.labels), list(twin.parameters())
        )
        with torch.no_grad():
            for p, v, g in zip(twin.parameters(), speed, gradients, strict=True):
                p -= 0.1 * v.mul_(0.9).add_(g)
    for one, other in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_adam_adds_the_decay_to_the_gradient(few):
    """The first step is w - rate g / (|g| + 1e-8), with g the gradient plus decay w: not AdamW, which decays w by itself."""
    net, twin = build("F8 F10", neuron="relu"), build("F8 F10", neuron="relu")
    config = TrainingConfig(
        epochs=1, batch_size=40, learning_rate=0.1, weight_decay=0.5, schedule="constant", clip=None
    )
    fit(net, few, InputConfig(), config)
    F.cross_entropy(twin(few.train.images / 255), few.train.labels).backward()
    for (name, p), after in zip(twin.named_parameters(), net.parameters(), strict=True):
        g = p.grad + (0.0 if name.endswith("bias") else 0.5) * p
        assert torch.allclose(after, p - 0.1 * g / (g.abs() + 1e-8), atol=1e-4), name


def test_augmentation_reaches_the_network(few, monkeypatch):
    config = replace(SHORT, epochs=1)
    curves = {on: fit(build(), few, config=replace(config, augment=on)) for on in (True, False)}
    assert curves[True] != curves[False]
    seen = []
    monkeypatch.setattr(
        "snncore.training.augment", lambda images, *, generator: seen.append(images) or images
    )
    assert (
        fit(build(), few, config=replace(config, augment=True)) == curves[False]
    )  # images that stay what they are
    assert sum(map(len, seen)) == 40
