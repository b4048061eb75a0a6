"""Training and evaluation: ANNs and spiking networks (AGD, section 3.2.2) share one loop.

Approximate gradient descent (AGD) is ordinary back-propagation through the unrolled network, with Eq. 4 in place of
the derivative of the step function. The loop does not depend on the kind of network.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import coding
from ._check import between, flag, one_of, positive, whole
from .activity import ActivityProbe, SiteActivity
from .data import Part, Splits, augment, batches, to_unit
from .network import Network
from .processes import (
    check_shares,
    first_says,
    gather,
    process,
    processes,
    same_everywhere,
    share,
    wait_for_all,
    wrap,
)
from .streams import stream

CODES = ("real", "poisson", "poisson-mean", "direct", "latency")

OPTIMIZERS = ("adam", "sgd")

_RESIDENT = 8 << 30  # up to this many bytes, the pixels are kept on the device

SCHEDULES = ("constant", "cosine", "step")

KEPT = ("last", "best")


@dataclass(frozen=True)
class InputConfig:
    """Input code: how images become the network's input.

    Attributes:
        code: "real" values (ANNs); "poisson" spikes; "poisson-mean", the mean of T Poisson spikes as a real value
            (an ANN with the same input as an SNN); "direct", the real image at every step; "latency", one spike per pixel.
        signed: pixels in [-1, 1] instead of [0, 1], and spikes of either sign. An ANN then trains on 2 x - 1, the
            expectation of that code.
        steps: T; required for every code except "real".
    """

    code: str = "real"
    signed: bool = False
    steps: int | None = None

    def __post_init__(self) -> None:
        one_of("code", self.code, CODES)
        flag("signed", self.signed)
        if self.code == "real":
            if self.steps is not None:
                raise ValueError(f"steps must be None for code 'real', got {self.steps!r}")
        else:
            whole("steps", self.steps)
        if self.signed and self.code == "latency":
            raise ValueError("signed must be False for code 'latency', got True")

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> tuple[Tensor, int | None]:
        """(x, steps) for ``Network.forward``, from uint8 images (N, C, H, W)."""
        x = to_unit(images)
        if self.signed:
            x = 2 * x - 1
        if self.code == "real":
            return x, None
        assert self.steps is not None
        if self.code == "direct":
            return x, self.steps
        if self.code == "latency":
            return coding.latency(x, self.steps), None
        spikes = coding.poisson(x, self.steps, generator=generator, signed=self.signed)
        return (spikes.mean(0) if self.code == "poisson-mean" else spikes), None


@dataclass(frozen=True)
class TrainingConfig:
    """One training recipe.

    Attributes:
        epochs: number of passes over the training images.
        batch_size: images per batch.
        optimizer: "adam", or "sgd" with momentum 0.9.
        learning_rate: initial learning rate, after the warm-up.
        weight_decay: added to the gradient, also by Adam; not for biases or batch normalisation.
        schedule: "constant", "cosine" to zero over all epochs, or "step": divided by 10 at half and at three quarters.
        warmup: number of epochs of linear increase from zero.
        clip: largest gradient norm; None for no clipping.
        augment: random crops (padding 4) and horizontal flips.
        mixed_precision: bfloat16 convolutions under autocast during training; membranes and evaluation stay float32.
        keep: which weights the training returns: those of the "last" epoch, or of the "best" epoch by validation accuracy
            (the first of several equal ones; ``kept_epoch``).
    """

    epochs: int = 8
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.0
    clip: float | None = 1.0
    augment: bool = False
    mixed_precision: bool = False
    keep: str = "last"

    def __post_init__(self) -> None:
        whole("epochs", self.epochs, least=0)
        whole("batch_size", self.batch_size)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        positive("learning_rate", self.learning_rate)
        between("weight_decay", self.weight_decay, 0.0, 1.0)
        one_of("schedule", self.schedule, SCHEDULES)
        between("warmup", self.warmup, 0.0, self.epochs)
        if self.clip is not None:
            positive("clip", self.clip)
        for name in ("augment", "mixed_precision"):
            flag(name, getattr(self, name))
        one_of("keep", self.keep, KEPT)

    def rate(self, progress: float) -> float:
        """Learning rate after ``progress`` epochs (the fraction is the share of batches done)."""
        factor = 1.0
        if self.schedule == "cosine":
            factor = 0.5 * (1 + math.cos(math.pi * min(1.0, progress / max(1, self.epochs))))
        elif self.schedule == "step":
            factor = 0.1 ** ((progress >= self.epochs / 2) + (progress >= 3 * self.epochs / 4))
        if progress < self.warmup:
            factor *= progress / self.warmup
        return self.learning_rate * factor


@dataclass(frozen=True)
class Evaluation:
    """Result on one part of the data: counts, mean loss (nats), which images were correct, activity by site."""

    correct: int
    total: int
    loss: float
    hits: Tensor  # bool (total,)
    sites: dict[str, SiteActivity]

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly."""
        return self.correct / self.total


def evaluate(
    network: Network,
    part: Part,
    coder: InputConfig,
    *,
    seed: int,
    batch_size: int = 50,
    device: str | torch.device = "cpu",
    activity: bool = True,
    positions: bool = False,
) -> Evaluation:
    """Accuracy, loss and (with ``activity``) spikes per site of a network on one part of the data.

    Args:
        network: a ``Network`` or a wrapper around one.
        part: images and labels.
        coder: the input code, drawn from the stream "evaluation" of ``seed``; the same at every call with one ``batch_size``.
        batch_size: images per batch.
        seed: see ``coder``.
        device: where to compute.
        activity: measure spikes per site.
        positions: also record the sums per position that border-exact event counts need.

    Raises:
        ValueError: an empty part, or labels that do not fit the network.
        FloatingPointError: scores that are not finite.
    """
    network = unwrapped(network)
    _check_part("part", part, network)
    generator = stream(seed, "evaluation", device=device)
    probe = ActivityProbe(positions=positions) if activity else None
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    hits: list[Tensor] = []
    loss = 0.0
    try:
        with torch.no_grad():
            for images, labels in batches(part, batch_size):
                images, labels = images.to(device), labels.to(device)
                x, steps = coder(images, generator=generator)
                scores = network(_as_weights(x, network), steps=steps, probe=probe, generator=generator)
                if not torch.isfinite(scores).all():  # else NaN would count as a prediction
                    wrong = scores[~torch.isfinite(scores)][0].item()
                    raise FloatingPointError(f"scores must be finite, got {wrong} in batch {len(hits) + 1}")
                hits.append((scores.argmax(1) == labels).cpu())
                loss += nn.functional.cross_entropy(scores, labels, reduction="sum").item()
    finally:
        for module, training in modes:
            module.training = training
    right = torch.cat(hits)
    return Evaluation(int(right.sum()), len(right), loss / len(right), right, probe.result() if probe else {})


def train(
    network: Network,
    splits: Splits,
    coder: InputConfig,
    config: TrainingConfig,
    *,
    seed: int,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    progress: bool = True,
    stop_after: int | None = None,
    on_epoch: Callable[[int, Network], dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Train ``network`` in place and return its learning curve, one dict per epoch.

    A curve entry holds epoch, train_loss, train_accuracy, validation_accuracy, validation_loss, gradient_norm
    (mean before clipping), the values that the head logs, and the values of ``on_epoch``. No entry depends on the clock.

    If ``torch.distributed`` has a group of several processes, as under ``torchrun``, each of them calls this function with the
    same arguments. They share every batch, exchange gradients, and return the curve of the first process. It equals that of a
    single process except for rounding, and dropout and ``R`` draw different numbers in each process. The first process writes
    the checkpoint, and all must be able to read it.

    Args:
        network: a ``Network`` or a wrapper around one.
        splits: training and validation images.
        config: the recipe.
        coder: the input code.
        seed: of all random streams.
        device: where to compute.
        checkpoint: file written after every epoch. If it exists, training continues from it as if it had never stopped.
        stop_after: stop after this many epochs of the schedule (to verify a run by its first epoch), with the weights of
            the last of them, for any ``config.keep``.
        on_epoch: called after every epoch; the values it returns are added to the curve.
        progress: show a progress bar.

    Raises:
        FloatingPointError: loss or gradient is no longer finite; names epoch and batch. The last checkpoint is kept.
        ValueError: a part without images, a checkpoint of another recipe, coder, seed, network or data set, or batches that
            the processes cannot share.
    """
    wrapped: nn.Module = network
    network = unwrapped(network)
    for name, part in (("train", splits.train), ("validation", splits.validation)):
        if len(part) == 0:
            raise ValueError(f"splits must hold at least one {name} image, got none")
        _check_part(f"splits.{name}", part, network)
    _check_last_batch(network, len(splits.train), config.batch_size)
    check_shares(len(splits.train), config.batch_size, batch_norm=network.config.batch_norm)
    if stop_after is not None:
        whole("stop_after", stop_after, least=0)
    if not any(p.requires_grad for p in network.parameters()):
        raise ValueError("network must have weights that require a gradient, got none: requires_grad_(True)")
    checkpoint = None if checkpoint is None else Path(checkpoint)
    device = torch.device(device)
    decay = [p for p in network.parameters() if p.dim() > 1]
    plain = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = (
        torch.optim.Adam(groups, lr=config.learning_rate)
        if config.optimizer == "adam"
        else torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9)
    )
    streams = {
        name: stream(seed, name, device="cpu" if name in ("order", "augment") else device)
        for name in ("order", "augment", "coding", "masks")
    }
    curve: list[dict[str, Any]] = []
    best: dict[str, Tensor] | None = None
    recipe = f"{config} {coder} {network.topology.text} {network.config} seed={seed} data={splits.sha256}"
    if checkpoint is not None and checkpoint.exists():
        curve, best = _restore(checkpoint, network, optimizer, streams, recipe)
    if not same_everywhere(len(curve)):
        raise ValueError(f"checkpoint must be a file that all processes see, got {checkpoint}")
    module = wrap(wrapped)
    training, validation = splits.train, splits.validation
    if training.images.numel() + validation.images.numel() <= _RESIDENT:
        training, validation = training.to(device), validation.to(device)
    last = config.epochs if stop_after is None else min(stop_after, config.epochs)
    for epoch in range(len(curve), last):
        network.train()  # in each epoch, because on_epoch may change the mode
        layers = streams["masks"]
        if processes() > 1:  # layers see a share of a batch, the head all of it
            layers = stream(seed, f"layers of process {process()} in epoch {epoch}", device=device)
        drawn = {**streams, "layers": layers}
        entry = _epoch(module, training, coder, config, epoch, optimizer, drawn, device, progress)
        checked = evaluate(
            network,
            validation,
            coder,
            seed=seed,
            device=device,
            activity=False,
            batch_size=config.batch_size,
        )
        entry |= {"validation_accuracy": checked.accuracy, "validation_loss": checked.loss}
        if on_epoch is not None:
            entry |= _storable(on_epoch(epoch, network), taken=entry)
        curve.append(first_says(entry))  # every process must keep the same weights
        if config.keep == "best" and kept_epoch(curve, config) == len(curve):
            best = {name: value.detach().clone() for name, value in network.state_dict().items()}
        if checkpoint is not None and process() == 0:
            _save(checkpoint, network, optimizer, streams, curve, best, recipe)
    wait_for_all()  # until the checkpoint is written, because the next call reads it
    if best is not None and len(curve) == config.epochs:
        network.load_state_dict(best)
    network.eval()
    return curve


def kept_epoch(curve: list[dict[str, Any]], config: TrainingConfig) -> int:
    """The epoch, from 1, whose weights a training with this curve returns; 0 for an empty curve."""
    if config.keep == "last" or not curve:
        return len(curve)
    accuracies = [entry["validation_accuracy"] for entry in curve]
    return accuracies.index(max(accuracies)) + 1


def unwrapped(network: nn.Module) -> Network:
    """The network inside ``DistributedDataParallel``, ``DataParallel`` or ``torch.compile``; ``ValueError`` if there is none."""
    inner = network
    while not isinstance(inner, Network):
        inside = (
            inner._modules.get("module", inner._modules.get("_orig_mod"))
            if isinstance(inner, nn.Module)
            else None
        )
        if inside is None:
            raise ValueError(
                f"network must be a Network or a wrapper around one, got {type(network).__name__}"
            )
        inner = inside
    return inner


def _check_part(name: str, part: Part, network: Network) -> None:
    if len(part.labels) == 0:
        raise ValueError(f"{name} must hold at least one image, got none")
    low, high = (int(label) for label in part.labels.aminmax())
    if low < 0 or high >= network.topology.classes:
        raise ValueError(
            f"{name} must hold labels from 0 to {network.topology.classes - 1}, got labels from {low} to {high}"
        )


def _check_last_batch(network: Network, images: int, batch_size: int) -> None:
    """Batch normalisation needs two values per map, so 1x1 maps need two images."""
    for p in network.plan:
        normalised = network.config.batch_norm and p.kind == "conv" and p.neuron == "relu"
        if normalised and p.out_shape[1:] == (1, 1) and (images % batch_size or batch_size) == 1:
            raise ValueError(
                f"batch_size must not leave a batch of one image for the batch normalisation of the 1x1 maps of "
                f"{p.site}, got {batch_size} for {images} images"
            )


def _as_weights(x: Tensor, network: Network) -> Tensor:
    """x in the dtype of the network's weights: float32 as coded, half precision for a network in half precision."""
    return x.to(next(network.parameters()).dtype)


def _storable(found: Any, *, taken: dict[str, Any]) -> dict[str, Any]:
    """Check the return value of ``on_epoch``; raise ``ValueError`` for a value that a checkpoint cannot restore."""
    if not isinstance(found, dict):
        raise ValueError(f"on_epoch must return a dict, got {type(found).__name__}")
    for key in found:
        if key in taken:
            raise ValueError(f"on_epoch must return new keys, got {key!r}, which the curve already has")

    def check(key: str, value: Any) -> None:
        if type(value) in (list, tuple):
            for item in value:
                check(key, item)
        elif type(value) is dict:
            for name, item in value.items():
                check(f"{key}.{name}", name)
                check(f"{key}.{name}", item)
        elif value is not None and type(value) not in (bool, int, float, str):
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            raise ValueError(f"on_epoch must return numbers, strings, lists and dicts, got {kind} at {key!r}")

    for key, value in found.items():
        if type(key) is not str:
            raise ValueError(f"on_epoch must return a dict with keys of type str, got {key!r}")
        check(key, value)
    return found


def _epoch(wrapped, part, coder, config, epoch, optimizer, streams, device, progress) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    """One pass over the training images; returns its curve entry.

    Features are computed through the wrapper, if there is one, because its ``forward`` prepares the exchange of gradients.
    """
    network = unwrapped(wrapped)
    count = math.ceil(len(part.labels) / config.batch_size)
    logs: dict[str, float] = {}
    correct = seen = 0
    norms = 0.0
    bar = tqdm(
        _numbered(part, config.batch_size, streams["order"]),
        total=count,
        disable=not progress or process() > 0,
        desc=f"epoch {epoch + 1}/{config.epochs}",
        leave=False,
    )
    for index, (images, labels) in bar:
        for group in optimizer.param_groups:
            group["lr"] = config.rate(epoch + index / count)
        if config.augment:
            images = augment(images, generator=streams["augment"])
        images, labels = images.to(device), labels.to(device)
        x, steps = coder(images, generator=streams["coding"])
        if processes() > 1:
            x = x[..., share(len(labels)), :, :, :]  # (T, N, C, H, W) or (N, C, H, W)
        where = f"in epoch {epoch + 1}, batch {index + 1}"
        try:
            with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision):
                x = _as_weights(x, network)
                features = wrapped(x, steps=steps, generator=streams["layers"], features=True)
        except FloatingPointError as error:  # errors of spiking layers name the step but not the batch
            raise FloatingPointError(f"{error} {where}") from error
        features = gather(features.to(next(network.head.parameters()).dtype), len(labels))
        loss, log = network.head.loss(features, labels, generator=streams["masks"])
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss must stay finite, got {loss.item()} {where}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip or math.inf)
        if not torch.isfinite(norm):  # else clipping would turn an infinite gradient into NaN weights
            raise FloatingPointError(f"gradient must stay finite, got a norm of {norm.item()} {where}")
        optimizer.step()
        with torch.no_grad():
            correct += int((network.head(features).argmax(1) == labels).sum())
        seen += len(labels)
        norms += norm.item()
        for name, value in (log | {"train_loss": loss.item()}).items():
            logs[name] = logs.get(name, 0.0) + value * len(labels)
        bar.set_postfix(loss=f"{loss.item():.3f}", accuracy=f"{correct / seen:.3f}")
    return {
        "epoch": epoch + 1,
        "train_accuracy": correct / seen,
        "gradient_norm": norms / count,
        **{name: total / seen for name, total in sorted(logs.items())},
    }


def _numbered(part: Part, size: int, order: torch.Generator) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    return enumerate(batches(part, size, generator=order))


def _save(path: Path, network, optimizer, streams, curve, best, recipe: str) -> None:  # type: ignore[no-untyped-def]
    """Write the checkpoint atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "curve": curve,
            "best": best,
            "streams": {name: generator.get_state() for name, generator in streams.items()},
            "recipe": recipe,
        },
        part,
    )
    os.replace(part, path)


def _restore(  # type: ignore[no-untyped-def]
    path: Path, network, optimizer, streams, recipe: str
) -> tuple[list[dict[str, Any]], dict[str, Tensor] | None]:
    """Read a checkpoint. A file that is not a checkpoint, or belongs to another recipe, raises an error with its name."""
    try:
        kept = torch.load(path, weights_only=True, map_location="cpu")
        if kept["recipe"] != recipe:
            raise ValueError(f"it was trained by {kept['recipe']}, not {recipe}")
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        for name, generator in streams.items():
            generator.set_state(kept["streams"][name])
        return list(kept["curve"]), kept["best"]
    except Exception as error:
        raise ValueError(f"checkpoint must be one that this run wrote, got {path} ({error})") from error
