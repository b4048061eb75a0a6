"""Stochmax in seconds: does the learnt rho degenerate, and how biased is each gradient of psi?

Eq. 7 raises these two questions and the paper does not answer them. They are tested on one hidden layer on scikit-learn's
digits and on a fixed problem whose exact answer is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

from snncore import _check
from snncore.data import DataConfig, load, to_unit
from snncore.stochmax import DROPMAX, Softmax, Stochmax, StochmaxConfig, collapsed, sampled_loss

_ALONE = StochmaxConfig(
    psi_gradient="local", kl=0.0, entropy=0.0
)  # unbiased, so the estimator cannot explain the outcome

READINGS: Mapping[str, StochmaxConfig | None] = {
    "softmax": None,
    "cross-entropy alone, target kept": _ALONE,
    "cross-entropy alone, target drawn": replace(_ALONE, target_kept=False),
    "DropMax, q = p": StochmaxConfig(),
    "DropMax, separate q": DROPMAX,
}


def toy_curves(
    readings: Mapping[str, StochmaxConfig | None] = READINGS,
    *,
    epochs: int = 40,
    hidden: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> pd.DataFrame:
    """Train ``64 -> hidden (ReLU) -> head`` on the digits for each reading, with equal weights and batches.

    Args:
        readings: a name for each head; ``None`` is softmax.
        epochs: passes over 1000 images, batches of 50.
        hidden: number of features that the head reads.
        learning_rate: of Adam.
        seed: of images, weights, batches and masks.

    Returns:
        One row per reading and epoch: ``reading, epoch``; the log of the head's loss averaged over the epoch
        (only ``cross_entropy`` for softmax); ``collapsed``, judged by these means, "no" if not; and
        ``accuracy_logits, accuracy_rho``, the test accuracy in percent (360 images) by either inference rule.

    Raises:
        ValueError: a count below 1, a learning rate that is not above 0.
    """
    _check.whole("epochs", epochs)
    _check.whole("hidden", hidden)
    _check.positive("learning_rate", learning_rate)
    data = load(DataConfig("digits", train=1000, validation=0, test=360, seed=seed))
    x, x_test = (to_unit(part.images).flatten(1) for part in (data.train, data.test))  # (N, 64)
    y, y_test = data.train.labels, data.test.labels
    rows = []
    for name, config in readings.items():
        weights, order, masks = (torch.Generator().manual_seed(3 * seed + k) for k in range(3))
        body = _layer(x.shape[1], hidden, weights)
        head: Softmax | Stochmax
        if config is None:
            head = Softmax(hidden, len(data.classes), generator=weights)
        else:
            head = Stochmax(hidden, len(data.classes), generator=weights, config=config)
        optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=learning_rate)
        for epoch in range(1, epochs + 1):
            logs = []
            for batch in torch.randperm(len(x), generator=order).split(50):
                optimizer.zero_grad()
                loss, log = head.loss(body(x[batch]).relu(), y[batch], generator=masks)
                loss.backward()
                optimizer.step()
                logs.append(log)
            row: dict[str, object] = {"reading": name, "epoch": epoch}
            means = {key: math.fsum(log[key] for log in logs) / len(logs) for key in logs[0]}
            with torch.no_grad():
                h = body(x_test).relu()
                scores = head.classify(h)
                row |= means | {"accuracy_logits": _percent(scores, y_test)}
                if isinstance(head, Stochmax):
                    weighted = scores + nn.functional.logsigmoid(head.retain(h))
                    row |= {"accuracy_rho": _percent(weighted, y_test), "collapsed": collapsed(means) or "no"}
            rows.append(row)
    return pd.DataFrame(rows)


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _percent(scores: Tensor, labels: Tensor) -> float:
    return 100.0 * (scores.argmax(1) == labels).double().mean().item()


ESTIMATORS: Mapping[str, StochmaxConfig] = {
    "straight-through": StochmaxConfig(psi_gradient="straight-through"),
    "concrete, tau 0.1": StochmaxConfig(psi_gradient="concrete", tau=0.1),
    "concrete, tau 0.5": StochmaxConfig(psi_gradient="concrete", tau=0.5),
    "concrete, tau 1": StochmaxConfig(psi_gradient="concrete", tau=1.0),
    "local": StochmaxConfig(psi_gradient="local"),
}


def estimator_bias(
    estimators: Mapping[str, StochmaxConfig] = ESTIMATORS,
    *,
    classes: int = 5,
    spread: float = 1.0,
    draws: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Gradients of the cross-entropy of Eq. 7, averaged over ``draws`` masks, against those of all 2^K masks.

    The problem: one input, target 0, logits o and psi drawn once from a normal distribution with standard deviation ``spread``,
    in float64.

    Args:
        estimators: configurations to compare; each is measured against ``"exact"`` with the same other
            fields.
        classes: K, from 2 to 10.
        spread: standard deviation of logits; large values mean a confident network.
        draws: masks per estimator, at least 2.
        seed: of problem and masks.

    Returns:
        One row per estimator. For the gradient with respect to psi: ``bias``, the length of (mean - exact) over that of
        exact; ``error``, the standard error of that bias, to separate bias from chance; ``spread``, the standard
        deviation of a single draw over the length of exact; ``cosine`` between mean and exact. And
        ``bias_logits``, ``error_logits``, the same for the gradient with respect to o.

    Raises:
        ValueError: a value outside the ranges above.
    """
    _check.between("classes", _check.whole("classes", classes, least=2), 2, 10)
    _check.positive("spread", spread)
    _check.whole("draws", draws, least=2)
    generator = torch.Generator().manual_seed(seed)
    problem = spread * torch.randn(
        2, 1, classes, generator=generator, dtype=torch.float64
    )  # o and psi, (1, K) each
    rows = []
    for name, config in estimators.items():
        exact = _gradients(problem, 1, replace(config, psi_gradient="exact"), None)  # (2, 1, K)
        sampled = _gradients(problem, draws, config, torch.Generator().manual_seed(seed + 1))  # (2, draws, K)
        logits, psi = (_compare(one, other[0]) for one, other in zip(sampled, exact, strict=True))
        rows.append(
            {"estimator": name, **psi, "bias_logits": logits["bias"], "error_logits": logits["error"]}
        )
    return pd.DataFrame(rows)


def _gradients(
    problem: Tensor, draws: int, config: StochmaxConfig, generator: torch.Generator | None
) -> Tensor:
    """Gradient of each draw with respect to o and psi, ``(2, draws, K)``, from copies in a batch; the batch mean is reversed."""
    copies = problem.expand(-1, draws, -1).clone().requires_grad_()
    target = torch.zeros(draws, dtype=torch.int64)
    loss, _ = sampled_loss(copies[0], copies[1], target, config=config, generator=generator)
    return torch.autograd.grad(loss, copies)[0] * draws


def _compare(sampled: Tensor, exact: Tensor) -> dict[str, float]:
    """Mean of ``sampled`` ``(draws, K)`` against ``exact`` ``(K,)``: lengths relative to ``exact``."""
    mean, size = sampled.mean(0), exact.norm()
    spread = sampled.var(0).sum().sqrt() / size
    return {
        "bias": ((mean - exact).norm() / size).item(),
        "error": (spread / len(sampled) ** 0.5).item(),
        "spread": spread.item(),
        "cosine": nn.functional.cosine_similarity(mean, exact, dim=0).item(),
    }
