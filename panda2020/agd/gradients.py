"""Fig 5, measured: the gradients of a shared weight by unrolling step, during the training of the paper's networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from panda2020.exhibits.style import PALETTE, ROLES
from panda2020.runs import Record
from panda2020.tasks import train
from snncore.data import Part, load
from snncore.gradients import Split, by_step
from snncore.network import Network
from snncore.training import train as fit


@dataclass(frozen=True)
class Stage:
    """Gradients after a number of epochs, by shared layer; 0 is before training."""

    epoch: int
    layers: dict[str, Split]


def recorded(record: Record) -> list[Stage]:
    """The stages that a run of task "gradients" recorded."""
    return [
        Stage(stage["epoch"], {layer: Split.from_json(found) for layer, found in stage["layers"].items()})
        for stage in record.result["stages"]
    ]


def followed(
    spec: train.Spec, *, images: int = 160, epochs: int | None = None
) -> tuple[Network, list[Stage]]:
    """Train a run's network and measure its gradients by unrolling step, before training and after each epoch.

    The gradients are those of the first ``images`` training images, in batches of the recipe's size. Measuring them does not
    change the training, so the network equals the run's own.

    Args:
        epochs: stop after this many epochs of the recipe; None for all of them.
    """
    splits = load(spec.data)
    network = train.build(spec, splits)
    first = Part(splits.train.images[:images], splits.train.labels[:images])
    stages = []

    def split(epoch: int) -> dict[str, Any]:
        found = by_step(network, first, spec.input, batch_size=spec.training.batch_size, seed=spec.seed)
        stages.append(Stage(epoch, {layer: Split.of(gradients) for layer, gradients in found.items()}))
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
    """Norm, share of the total norm, and cosines of the gradient, by network, shared layer, epoch and unrolling step.

    - "to the other steps": mean cosine to the other steps on the same batch;
    - "to itself": cosine to the same step on other batches;
    - "others, other batches": mean cosine to the other steps on other batches.
    """
    rows = []
    for name, course in stages.items():
        for stage in course:
            for layer, split in stage.layers.items():
                size, same, other = split.norms, split.cosines, split.between
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

    Args:
        stages: results of ``followed`` or ``recorded``, by name ("ANN", "SNN", "VGG3x4"); the first shared layer of each is
            drawn.
    """
    panels = [(name, stage) for name, course in stages.items() for stage in (course[0], course[-1])]
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    grid = figure.add_gridspec(2, len(panels), height_ratios=[1.3, 1])
    above = figure.add_subplot(grid[0, :])
    others = iter(("orange", "green", "purple"))
    for number, (name, course) in enumerate(stages.items()):
        colour = ROLES.get(name.lower()) or PALETTE[next(others)]
        for stage, face in ((course[0], "white"), (course[-1], None)):
            size = _first_layer(stage).norms
            above.plot(
                range(1, len(size) + 1),
                (size / size.sum()).tolist(),
                marker="os^"[number % 3],
                markerfacecolor=face,
                linestyle="-" if stage.epoch else (0, (3, 2)),
                color=colour,
                label=f"{name}, epoch {stage.epoch}",
            )
    above.set(xlabel="unrolling step", ylabel="share of the gradient's norm", ylim=(0, None))
    above.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(fontsize=8.5, loc="outside upper center", ncols=4)
    for place, (name, stage) in enumerate(panels):
        axes = figure.add_subplot(grid[1, place])
        matrix = _first_layer(stage).cosines
        axes.imshow(matrix.numpy(), vmin=-1, vmax=1, cmap="RdBu")
        for i in range(len(matrix)):
            for j in range(len(matrix)):
                value = float(matrix[i, j])
                ink = "white" if abs(value) > 0.6 else "black"  # on a coloured cell, in the dark as well
                axes.text(
                    j, i, f"{value:.2f}".replace("-", "−"), ha="center", va="center", fontsize=8, color=ink
                )
        ticks = range(len(matrix))
        axes.set_xticks(ticks, [str(k + 1) for k in ticks])
        axes.set_yticks(ticks, [str(k + 1) for k in ticks])
        axes.grid(False)
        axes.set_title(f"{name}\nepoch {stage.epoch}", fontsize=9)
        axes.set_xlabel("step", fontsize=9)
        if place == 0:
            axes.set_ylabel("step", fontsize=9)
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
        axes.axhline(0, color=PALETTE["grey"], linewidth=0.8)
        axes.set(title=name, xlabel="epochs of training", ylim=(-0.3, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[0].set_ylabel("cosine between gradients")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def _first_layer(stage: Stage) -> Split:
    return next(iter(stage.layers.values()))
