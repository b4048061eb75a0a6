"""The classifier at the end of every network: softmax (Eq. 6) or stochmax (Eq. 7).

Both heads read ``h``, the spikes of the last hidden layer accumulated over time and divided by T, ``(N, F)``,
and contain the non-spiking output layer ``o(x) = W h + b`` (section 5). Stochmax drops classes at
random during training, with learnt probabilities::

    p(t | x) = (z_t + eps) exp(o_t) / sum_k (z_k + eps) exp(o_k)
    z_k ~ Ber(rho_k),    rho = sigmoid(W_psi h + b_psi)

The options of ``StochmaxConfig`` are the points that the paper leaves open. DropMax (Lee et al., 2018), on which the
paper builds, settles some of them.

In log space Eq. 7 is the softmax of ``o + log(z + eps)``. It is computed in this form, which cannot overflow.
``eps`` is as in Eq. 7. A dropped class keeps the share ``eps`` of its weight, which only matters if its logit exceeds
every kept one by ``-log eps`` (46 at 1e-20). A mask that drops all classes gives plain softmax. A dropped target costs
``-log eps`` nats, so ``eps`` sets the cost of dropping it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import _check

SURE = 1e4  # logit of a class that is always kept: its sigmoid is exactly 1, and that of -1e4 exactly 0

ENUMERABLE = 10  # "exact" visits 2^K masks


def _linear(features: int, classes: int, generator: torch.Generator) -> nn.Linear:
    """``W h + b`` with the initial distribution of ``torch.nn.Linear``, U(-1/sqrt(F), 1/sqrt(F)), drawn from ``generator``."""
    layer = nn.utils.skip_init(nn.Linear, features, classes)
    bound = features**-0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def _check_features(h: Tensor, layer: nn.Linear) -> None:
    if h.dim() != 2 or h.shape[1] != layer.in_features:
        raise ValueError(f"h must have shape (N, {layer.in_features}), got {tuple(h.shape)}")
    if h.dtype != layer.weight.dtype and not torch.is_autocast_enabled(h.device.type):
        raise ValueError(f"h must be of the weights' type, {layer.weight.dtype}, got {h.dtype}")


def _check_target(target: Tensor, count: int, classes: int) -> None:
    if tuple(target.shape) != (count,) or target.dtype != torch.int64 or count == 0:
        raise ValueError(
            f"target must be int64 of shape ({max(count, 1)},), got {target.dtype} of shape "
            f"{tuple(target.shape)}"
        )
    low, high = (int(value) for value in target.aminmax())
    if low < 0 or high >= classes:
        raise ValueError(f"target must hold labels from 0 to {classes - 1}, got labels from {low} to {high}")


def _require_finite(name: str, values: Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise FloatingPointError(f"{name} must be finite, got NaN or infinity")


class Softmax(nn.Module):
    """Softmax classifier, Eq. 6: ``p(t | x) = exp(o_t) / sum_k exp(o_k)``.

    Args:
        features: length F of ``h``.
        classes: K, at least 2.
        generator: draws ``W`` and ``b``.

    Raises:
        ValueError: fewer than one feature or two classes; when called, ``h`` or ``target`` of the wrong shape, or
            labels outside ``0 .. K-1``.
    """

    def __init__(self, features: int, classes: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.features = _check.whole("features", features)
        self.classes = _check.whole("classes", classes, least=2)
        self.classify = _linear(self.features, self.classes, generator)

    def forward(self, h: Tensor) -> Tensor:
        """Scores ``(N, K)`` of ``h`` ``(N, F)``. The largest is the prediction; their softmax is p."""
        _check_features(h, self.classify)
        return self.classify(h)

    def loss(
        self, h: Tensor, target: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Mean cross-entropy (nats) over the batch, and values to log. ``generator`` is not used."""
        scores = self(h)
        _check_target(target, len(h), self.classes)
        loss = F.cross_entropy(scores, target)
        return loss, {"cross_entropy": loss.item()}


@dataclass(frozen=True, kw_only=True)
class StochmaxConfig:
    """Options that Eq. 7 leaves open. The defaults are DropMax with q = p; ``DROPMAX`` is DropMax as published.

    Attributes:
        target_kept: set the target's ``z_t`` to 1 (DropMax), or draw it like any other (Eq. 7 as written). If it is kept,
            cross-entropy alone goes to 0 with ``rho -> 0``. If it is drawn, a dropped target costs
            ``-log epsilon`` and the loss drives ``rho -> 1``. ``kl`` and ``entropy`` prevent both.
        psi_gradient: how ``psi`` learns through the random mask.
            ``"straight-through"``: ``dz/drho := 1``; biased, with gradients up to ``1/epsilon`` at a dropped class.
            ``"concrete"``: ``z = sigmoid((logit rho + logit u) / tau)``, also soft in the forward pass (DropMax).
            ``"local"``: a sampled mask and, for each class, the loss with the class kept minus the loss with it
            dropped; unbiased, because the expected loss is linear in each ``rho_k``. Memory N K^2.
            ``"exact"``: no draw, but the expectation over all 2^K masks; the reference for K <= 10.
        tau: temperature of ``"concrete"``.
        posterior: ``"prior"`` draws masks from rho itself (DropMax's q = p). ``"separate"`` draws them from
            ``q = sigmoid(stop_gradient(psi) + r)`` with a layer for ``r``; rho learns by KL and entropy.
        kl: weight of KL(q || Ber(rho)), summed over classes. A kept target has q = 1 and costs
            ``-log rho_t``; with q = p the other classes cost nothing.
        auxiliary: weight of the binary cross-entropy of ``sigmoid(r)`` against the one-hot target, for
            ``"separate"`` only.
        entropy: weight of ``sum_k rho log rho + (1 - rho) log(1 - rho)``, which keeps rho away from 0 and 1.
        epsilon: ``eps`` of Eq. 7, from 1e-30 to 0.01; DropMax uses 1e-20.
        inference: scores at test time, which the paper does not define. ``"rho"`` uses rho in place of z,
            ``o + log(rho + epsilon)`` (DropMax); ``"logits"`` uses ``o``.
        detach_psi: stop the gradient of psi (and r) through ``h`` into the network. Off by default: in section 5
            rho is an output of the network that reads ``h``, and neither the paper nor DropMax stops a gradient.

    Raises:
        ValueError: a value that is not allowed, or two that contradict each other.
    """

    target_kept: bool = True
    psi_gradient: str = "concrete"
    tau: float = 0.1
    posterior: str = "prior"
    kl: float = 1.0
    auxiliary: float = 0.0
    entropy: float = 1.0
    epsilon: float = 1e-20
    inference: str = "rho"
    detach_psi: bool = False

    def __post_init__(self) -> None:
        for name in ("target_kept", "detach_psi"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        _check.one_of("psi_gradient", self.psi_gradient, ("straight-through", "concrete", "local", "exact"))
        _check.one_of("posterior", self.posterior, ("prior", "separate"))
        _check.one_of("inference", self.inference, ("rho", "logits"))
        _check.positive("tau", self.tau)
        for name in ("kl", "auxiliary", "entropy"):
            _check.between(name, getattr(self, name), 0.0, 1e6)
        _check.between("epsilon", self.epsilon, 1e-30, 1e-2)
        if self.posterior == "prior" and self.auxiliary > 0:
            raise ValueError(
                "auxiliary must be 0 with posterior='prior', which has no layer r to train, got "
                f"{self.auxiliary!r}"
            )
        if self.psi_gradient == "straight-through" and not self.target_kept and self.epsilon < 1e-6:
            raise ValueError(
                "epsilon must be at least 1e-06 for psi_gradient='straight-through' with target_kept=False, "
                f"where a dropped target has the gradient 1/epsilon, got {self.epsilon!r}"
            )


DROPMAX = StochmaxConfig(posterior="separate", auxiliary=1.0)


def sampled_loss(
    scores: Tensor,
    retain: Tensor,
    target: Tensor,
    *,
    config: StochmaxConfig,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of Eq. 7 for one draw of masks (the expectation over all masks for ``"exact"``).

    Args:
        scores: logits o, ``(N, K)``.
        retain: logits of the probabilities from which masks are drawn, ``(N, K)``.
        target: labels, int64 ``(N,)``.
        config: uses ``target_kept``, ``psi_gradient``, ``tau`` and ``epsilon``.
        generator: draws the masks; not needed for ``"exact"``.

    Returns:
        The mean loss in nats, and the share of classes kept, including the target (expected share for ``"exact"``).

    Raises:
        ValueError: no generator when one is needed; more than 10 classes for ``"exact"``.
        FloatingPointError: ``scores`` or ``retain`` with NaN or infinity, which would otherwise count as a dropped class.
    """
    _require_finite("scores", scores)
    _require_finite("retain", retain)
    if config.target_kept:
        retain = retain.masked_fill(F.one_hot(target, scores.shape[1]).bool(), SURE)
    if config.psi_gradient == "exact":
        return _expected_loss(scores, retain, target, config.epsilon)
    if generator is None:
        raise ValueError(f"generator must be given for psi_gradient={config.psi_gradient!r}, got None")
    log_kept, log_dropped = math.log1p(config.epsilon), math.log(config.epsilon)  # log(z + eps)
    drawn = retain + _logistic_noise(retain, generator)
    kept = drawn.detach() > 0  # P(kept) = sigmoid(retain)
    share = kept.to(scores.dtype).mean()
    if config.psi_gradient == "concrete":
        floor = torch.full_like(drawn, log_dropped)
        log_mask = torch.logaddexp(F.logsigmoid(drawn / config.tau), floor)  # log(z + eps)
        return F.cross_entropy(scores + log_mask, target), share
    log_mask = torch.full_like(scores, log_dropped).masked_fill(kept, log_kept)
    if config.psi_gradient == "straight-through":
        rho = retain.sigmoid()
        log_mask = torch.log(kept + (rho - rho.detach()) + config.epsilon)
    loss = F.cross_entropy(scores + log_mask, target)
    if config.psi_gradient == "local":
        with torch.no_grad():
            gain = _gain_of_keeping(scores, log_mask, target, log_kept, log_dropped)  # (N, K)
        expected = (retain.sigmoid() * gain).sum(1).mean()
        loss = loss + (expected - expected.detach())  # value of the draw, gradient of the expectation
    return loss, share


def _logistic_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """``logit u`` with u uniform, drawn on the device of ``generator``, so that all devices use the same masks."""
    edge = torch.finfo(like.dtype).eps / 2
    u = torch.rand(like.shape, generator=generator, device=generator.device, dtype=like.dtype)
    return torch.logit(u, eps=edge).to(like.device)


def _gain_of_keeping(
    scores: Tensor, log_mask: Tensor, target: Tensor, log_kept: float, log_dropped: float
) -> Tensor:
    """Loss with class k kept minus loss with it dropped, with every other class as drawn, ``(N, K)``."""
    classes = scores.shape[1]
    itself = torch.eye(classes, dtype=torch.bool, device=scores.device)
    others = (
        (scores + log_mask).unsqueeze(1).masked_fill(itself, -math.inf).logsumexp(2)
    )  # (N, K, K) -> (N, K)
    gain = torch.logaddexp(others, scores + log_kept) - torch.logaddexp(others, scores + log_dropped)
    return gain - (log_kept - log_dropped) * F.one_hot(target, classes)  # the target's own score changes too


def _check_enumerable(classes: int) -> None:
    if classes > ENUMERABLE:
        raise ValueError(f"classes must be at most {ENUMERABLE} for psi_gradient='exact', got {classes}")


def _expected_loss(scores: Tensor, retain: Tensor, target: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of Eq. 7 averaged over all 2^K masks, each with its probability."""
    classes = scores.shape[1]
    _check_enumerable(classes)
    masks = torch.tensor(list(product((0.0, 1.0), repeat=classes))).to(scores)  # (M, K), M = 2^K
    log_mask = masks * math.log1p(epsilon) + (1.0 - masks) * math.log(epsilon)
    probability = (F.logsigmoid(retain) @ masks.T + F.logsigmoid(-retain) @ (1.0 - masks).T).exp()  # (N, M)
    total = torch.logsumexp(scores.unsqueeze(1) + log_mask, 2)  # (N, M, K) -> (N, M)
    own = scores.gather(1, target[:, None]) + log_mask.T[target]  # (N, M)
    return (probability * (total - own)).sum(1).mean(), retain.detach().sigmoid().mean()


class Stochmax(nn.Module):
    """Stochmax classifier, Eq. 7, with the interface of ``Softmax``.

    Args:
        features: length F of ``h``.
        classes: K, at least 2 (at most 10 for ``psi_gradient="exact"``).
        generator: draws ``W, b``, then ``W_psi, b_psi``, then those of ``r`` if it is used.
        config: see ``StochmaxConfig``.

    Raises:
        ValueError: as ``Softmax``; and in ``loss`` if masks are drawn without a generator.
    """

    def __init__(
        self, features: int, classes: int, *, generator: torch.Generator, config: StochmaxConfig | None = None
    ) -> None:
        super().__init__()
        self.features = _check.whole("features", features)
        self.classes = _check.whole("classes", classes, least=2)
        self.config = config or StochmaxConfig()
        if self.config.psi_gradient == "exact":
            _check_enumerable(self.classes)
        self.classify = _linear(self.features, self.classes, generator)
        self.retain = _linear(self.features, self.classes, generator)
        separate = self.config.posterior == "separate"
        self.posterior = _linear(self.features, self.classes, generator) if separate else None

    def rho(self, h: Tensor) -> Tensor:
        """Retain probability of every class, ``(N, K)``."""
        return self._psi(h).sigmoid()

    def _psi(self, h: Tensor) -> Tensor:
        """Logits of rho, ``(N, K)``."""
        _check_features(h, self.retain)
        return self.retain(h.detach() if self.config.detach_psi else h)

    def forward(self, h: Tensor) -> Tensor:
        """Scores ``(N, K)`` of ``h`` ``(N, F)`` by ``config.inference``; their softmax is p."""
        psi = self._psi(h)
        scores = self.classify(h)
        if self.config.inference == "rho":
            floor = torch.full_like(psi, math.log(self.config.epsilon))
            scores = scores + torch.logaddexp(F.logsigmoid(psi), floor)
        return scores

    def loss(
        self, h: Tensor, target: Tensor, *, generator: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of one draw plus the weighted terms, averaged over the batch, and values to log.

        The log holds the terms before weighting (``cross_entropy``, ``kl``, ``auxiliary``, ``entropy``, in
        nats), the mean rho of the target and of the other classes (``rho_target``, ``rho_others``) and ``kept``, the
        share of classes kept, including targets.
        """
        config, psi = self.config, self._psi(h)
        _check_target(target, len(h), self.classes)
        own = F.one_hot(target, self.classes).bool()  # (N, K)
        if self.posterior is None:
            keep = psi  # q = p, and KL is 0
            divergence, auxiliary = torch.zeros_like(psi), psi.new_zeros(())
        else:
            r = self.posterior(h.detach() if config.detach_psi else h)
            keep = psi.detach() + r
            divergence = _divergence(keep, psi)
            auxiliary = -F.logsigmoid(torch.where(own, r, -r)).sum(1).mean()
        if config.target_kept:
            divergence = torch.where(own, -F.logsigmoid(psi), divergence)  # q_t = 1
        cross_entropy, kept = sampled_loss(self.classify(h), keep, target, config=config, generator=generator)
        kl = divergence.sum(1).mean()
        rho = psi.sigmoid()
        entropy = (rho * F.logsigmoid(psi) + (-psi).sigmoid() * F.logsigmoid(-psi)).sum(1).mean()
        loss = cross_entropy + config.kl * kl + config.auxiliary * auxiliary + config.entropy * entropy
        terms = {
            "cross_entropy": cross_entropy,
            "kl": kl,
            "auxiliary": auxiliary,
            "entropy": entropy,
            "rho_target": rho[own].mean(),
            "rho_others": rho[~own].mean(),
            "kept": kept,
        }
        return loss, dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))


def _divergence(q: Tensor, p: Tensor) -> Tensor:
    """KL(Ber(q) || Ber(p)) in nats from the logits of both."""
    kept = F.logsigmoid(q) - F.logsigmoid(p)
    dropped = F.logsigmoid(-q) - F.logsigmoid(-p)
    return q.sigmoid() * kept + (-q).sigmoid() * dropped


def collapsed(log: Mapping[str, float], *, margin: float = 0.01) -> str | None:
    """The way a run collapsed, from the means of its log: its choice of rival classes is no longer random.

    Args:
        log: means of the values that ``Stochmax.loss`` logs.
        margin: distance from 0 or 1 that counts as collapsed.

    Returns:
        ``"dropped"``: rho of the other classes is within ``margin`` of 0, so no rival is left and cross-entropy
        teaches nothing. ``"kept"``: it is within ``margin`` of 1, which is plain softmax. ``"target dropped"``:
        only the target's rho is within ``margin`` of 0. ``None``: no collapse.
    """
    _check.between("margin", margin, 0.0, 0.5)
    for name in ("rho_others", "rho_target"):
        _check.between(name, log[name], 0.0, 1.0)  # also refuses NaN
    if log["rho_others"] <= margin:
        return "dropped"
    if log["rho_others"] >= 1 - margin:
        return "kept"
    return "target dropped" if log["rho_target"] <= margin else None


def make_head(
    name: str, features: int, classes: int, *, generator: torch.Generator, **options: Any
) -> Softmax | Stochmax:
    """Make the head called ``"softmax"`` (no options) or ``"stochmax"`` (options: fields of ``StochmaxConfig``).

    Raises:
        ValueError: an unknown head or option, or any error of the heads.
    """
    if _check.one_of("head", name, ("softmax", "stochmax")) == "softmax":
        if options:
            raise ValueError(f"options must be empty for head 'softmax', got {', '.join(map(repr, options))}")
        return Softmax(features, classes, generator=generator)
    allowed = [field.name for field in fields(StochmaxConfig)]
    for option in options:
        _check.one_of("option", option, allowed)
    return Stochmax(features, classes, generator=generator, config=StochmaxConfig(**options))
