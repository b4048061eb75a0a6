"""The gradient of a shared weight, unrolling step by unrolling step (Fig 5).

A BackRes block computed n times is a plain network of n layers with equal weights. So the plain network is built, given
the weights of the unrolled one, and differentiated: the gradient of its k-th copy is what unrolling step k contributes to
the gradient of the shared weights,

    dL/dw = sum over k of dL/dw_k ,   all w_k = w .
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from .._check import whole
from ..data import Part, batches, load
from ..network import Block, Layer, Network, Node, Skip, Topology, parse, scale_width
from ..runs.tasks import train
from ..streams import stream
from ..training import InputConfig
from ..training import train as fit
from .style import PALETTE, ROLES


def unrolled(topology: str | Topology) -> str:
    """The plain network of the same computation: every BackRes block written out, ``[8C3]x2`` as ``8C3 8C3``.

    Raises ``ValueError`` for a block with channel matching, which has no plain form.
    """
    parsed = parse(topology)

    def written_out(nodes: tuple[Node, ...]) -> Iterator[Node]:
        for node in nodes:
            if isinstance(node, Block):
                if node.match is not None:
                    raise ValueError(f"topology must have no channel matching to be written out, got {parsed.text!r}")
                yield from tuple(written_out(node.body)) * node.repeats
            elif isinstance(node, Skip):
                yield replace(node, body=tuple(written_out(node.body)))
            else:
                yield node

    return scale_width(Topology("", tuple(written_out(parsed.nodes))), 1.0)  # which writes the text


def untied(network: Network) -> Network:
    """A plain network that computes what ``network`` computes, with a copy of the shared weights for every pass.

    Raises ``ValueError`` for channel matching and for batch normalisation.
    """
    if network.config.batch_norm:
        raise ValueError("network must have no batch normalisation to be written out, got batch_norm=True")
    plain = Network(
        unrolled(network.topology),
        input_shape=network.input_shape,
        config=network.config,
        generator=torch.Generator().manual_seed(0),
        static_input=network.plan[0].static,
    )
    with torch.no_grad():
        for ours, theirs in zip(plain.plan[:-1], network.plan[:-1], strict=True):
            copy, original = _layer(plain, ours.layer), _layer(network, theirs.layer)
            copy.weight.copy_(original.weight)
            if original.neurons:
                copy.neurons = [original.neurons[theirs.step - 1]]
    plain.head.load_state_dict(network.head.state_dict())
    return plain.train(network.training)


def by_step(
    network: Network, part: Part, coder: InputConfig, *, batch_size: int = 32, seed: int = 0
) -> dict[str, Tensor]:
    """Gradients of the loss by unrolling step: shared layer -> (batches, steps, weights).

    One gradient for each batch of ``part``, as in training but without a step of the optimiser; ``network`` is left as it
    is. seed: draws the spikes of the input code, from a stream of its own. Raises ``ValueError`` for a network without
    shared weights.
    """
    shared: dict[str, list[str]] = {}
    plain = untied(network)
    for ours, theirs in zip(plain.plan, network.plan, strict=True):
        if theirs.steps > 1:
            shared.setdefault(theirs.layer, []).append(ours.layer)
    if not shared:
        raise ValueError(f"network must have a BackRes block, got {network.topology.text!r}")
    generator = stream(seed, "gradients")
    found: dict[str, list[Tensor]] = {layer: [] for layer in shared}
    for images, labels in batches(part, whole("batch_size", batch_size)):
        x, steps = coder(images, generator=generator)
        features = plain.features(x, steps=steps, generator=generator)
        loss, _ = plain.head.loss(features, labels, generator=generator)
        plain.zero_grad(set_to_none=True)
        loss.backward()
        for layer, copies in shared.items():
            terms = [cast(Tensor, _layer(plain, copy).weight.grad).flatten() for copy in copies]
            found[layer].append(torch.stack(terms))
    return {layer: torch.stack(gradients) for layer, gradients in found.items()}


def norms(gradients: Tensor) -> Tensor:
    """Norm of the gradient at each unrolling step, mean over batches: (batches, steps, weights) -> (steps,)."""
    return gradients.norm(dim=2).mean(0)


def cosines(gradients: Tensor) -> Tensor:
    """Cosine between the gradients of two unrolling steps on the same batch, mean over batches: (steps, steps).

    1 where two steps ask for the same change of the weights, 0 where they ask for unrelated ones.
    """
    units = normalize(gradients, dim=2)
    return torch.einsum("bkw,blw->kl", units, units) / len(units)


def cosines_between_batches(gradients: Tensor) -> Tensor:
    """The same on two different batches, mean over all pairs: (steps, steps). Raises ``ValueError`` for one batch.

    Its diagonal says how far one and the same step agrees with itself on other images.
    """
    if len(gradients) < 2:
        raise ValueError(f"gradients must come from at least two batches, got {len(gradients)}")
    units = normalize(gradients, dim=2)
    total = units.sum(0)
    pairs = len(units) * (len(units) - 1)
    return (total @ total.T - torch.einsum("bkw,blw->kl", units, units)) / pairs


@dataclass(frozen=True)
class Stage:
    """Gradients after a number of epochs; 0 is before training."""

    epoch: int
    gradients: dict[str, Tensor]


def followed(spec: train.Spec, *, images: int = 160, epochs: int | None = None) -> tuple[Network, list[Stage]]:
    """Train a run's network, splitting its gradients before training and after each epoch.

    epochs: stop after this many of the recipe's; None for all of them.

    The gradients are those of the first ``images`` training images, in batches of the recipe's size; taking them changes
    nothing in the training, so the network is the run's own.
    """
    splits = load(spec.data)
    network = train.build(spec, splits)
    first = Part(splits.train.images[:images], splits.train.labels[:images])
    stages = []

    def split(epoch: int) -> dict[str, Any]:
        found = by_step(network, first, spec.input, batch_size=spec.training.batch_size, seed=spec.seed)
        stages.append(Stage(epoch, found))
        return {}  # adds nothing to the learning curve

    split(0)
    fit(
        network,
        splits,
        spec.input,
        spec.training,
        seed=spec.seed,
        progress=False,
        stop_after=epochs,
        on_epoch=lambda epoch, _: split(epoch + 1),
    )
    return network, stages


def gradient_table(stages: Mapping[str, Sequence[Stage]]) -> pd.DataFrame:
    """Per network, shared layer, epoch and unrolling step: norm, its share of all, and cosines.

    "to the other steps": mean cosine to the other steps on the same batch; "to itself": to the same step on other
    batches; "others, other batches": to the other steps on other batches.
    """
    rows = []
    for name, course in stages.items():
        for stage in course:
            for layer, gradients in stage.gradients.items():
                size, same, other = norms(gradients), cosines(gradients), cosines_between_batches(gradients)
                for k in range(len(size)):
                    rest = [j for j in range(len(size)) if j != k]
                    rows.append(
                        {
                            "network": name,
                            "layer": layer,
                            "epoch": stage.epoch,
                            "step": k + 1,
                            "norm": float(size[k]),
                            "share": float(size[k] / size.sum()),
                            "to the other steps": float(same[k, rest].mean()),
                            "to itself": float(other[k, k]),
                            "others, other batches": float(other[k, rest].mean()),
                        }
                    )
    return pd.DataFrame(rows)


def draw_steps(stages: Mapping[str, Sequence[Stage]]) -> Figure:
    """Fig 5, measured: gradient norm by unrolling step, and cosines between steps, at the first and the last stage.

    stages: ``followed``'s, by name ("ANN", "SNN"); the first shared layer of each is drawn.
    """
    count = 2 * len(stages)
    figure = Figure(figsize=(3.0 + 2.0 * count, 3.3), layout="constrained")
    grid = figure.subplots(1, count + 1, width_ratios=[1.6] + [1.0] * count)
    for name, course in stages.items():
        for stage, face in ((course[0], "white"), (course[-1], None)):
            size = norms(_first_layer(stage))
            grid[0].plot(
                range(1, len(size) + 1),
                (size / size.sum()).tolist(),
                marker="os"[name == "SNN"],
                markerfacecolor=face,
                linestyle="-" if stage.epoch else (0, (3, 2)),
                color=ROLES.get(name.lower(), PALETTE["green"]),
                label=f"{name}, epoch {stage.epoch}",
            )
    grid[0].set(xlabel="unrolling step", ylabel="share of the gradient's norm", ylim=(0, None))
    grid[0].xaxis.get_major_locator().set_params(integer=True)
    grid[0].legend(fontsize=8.5)
    panels = [(name, stage) for name, course in stages.items() for stage in (course[0], course[-1])]
    for axes, (name, stage) in zip(grid[1:], panels, strict=True):
        matrix = cosines(_first_layer(stage))
        axes.imshow(matrix.numpy(), vmin=-1, vmax=1, cmap="RdBu")
        for i in range(len(matrix)):
            for j in range(len(matrix)):
                value = float(matrix[i, j])
                ink = "white" if abs(value) > 0.6 else PALETTE["black"]
                axes.text(j, i, f"{value:.2f}".replace("-", "−"), ha="center", va="center", fontsize=8, color=ink)
        ticks = range(len(matrix))
        axes.set_xticks(ticks, [str(k + 1) for k in ticks])
        axes.set_yticks(ticks, [str(k + 1) for k in ticks])
        axes.grid(False)
        axes.set_title(f"{name}, epoch {stage.epoch}", fontsize=10)
        axes.set_xlabel("step", fontsize=9)
    grid[1].set_ylabel("step", fontsize=9)
    return figure


def draw_course(table: pd.DataFrame) -> Figure:
    """``gradient_table`` over the epochs: cosine between steps, and of one step with itself on other images."""
    names = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(3.6 * len(names) + 0.6, 3.3), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    looks = (
        ("to the other steps", "different steps, same images", "-", "o"),
        ("to itself", "same step, different images", "--", "s"),
        ("others, other batches", "different steps, different images", ":", "^"),
    )
    for axes, name in zip(grid, names, strict=True):
        mean = table[table["network"] == name].groupby("epoch").mean(numeric_only=True)
        for (column, label, dashes, marker), colour in zip(looks, ("orange", "blue", "grey"), strict=True):
            axes.plot(
                mean.index,
                mean[column],
                linestyle=dashes,
                marker=marker,
                markersize=4,
                color=PALETTE[colour],
                label=label,
            )
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.set(title=name, xlabel="epochs of training", ylim=(-0.3, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[0].set_ylabel("cosine between gradients")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def _layer(network: Network, name: str) -> Layer:
    return cast(Layer, network.layers[name])


def _first_layer(stage: Stage) -> Tensor:
    return next(iter(stage.gradients.values()))
