"""Diagrams drawn from the network objects: Figures 1, 4, 5 and 6, and any other network of the registry.

Every box is one ``Pass`` of a plan, so shapes, neurons, parameters and unrolling come from the network itself.
Passes that share weights have one colour and print their parameters once, so the printed numbers add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor
from torch.nn import functional as F

from panda2020.exhibits.style import PALETTE
from snncore.network import Network, NetworkConfig
from snncore.topology import Pass, as_ann

WIDTH, HEIGHT, GAP, LINE = 1.8, 1.3, 0.62, 2.4  # of a box; between boxes; between lines of boxes

_SHARED = [PALETTE[name] for name in ("sky", "amber", "green", "purple", "blue", "orange")]

_NEURON = {
    "relu": ("ReLU", PALETTE["blue"]),
    "lif": ("LIF", PALETTE["orange"]),
    "if": ("IF", PALETTE["orange"]),
    "none": ("scores", PALETTE["grey"]),
}

_FORWARD: dict[str, Any] = {
    "arrowstyle": "-|>",
    "mutation_scale": 9,
    "linewidth": 1.1,
    "color": PALETTE["black"],
}

_BACKWARD: dict[str, Any] = {**_FORWARD, "color": PALETTE["purple"], "linestyle": (0, (3, 2))}

_CARRIED: dict[str, Any] = {**_FORWARD, "color": PALETTE["orange"]}

_BACKRES: dict[str, Any] = {**_FORWARD, "color": PALETTE["green"], "linewidth": 1.8}


@dataclass(frozen=True)
class Place:
    """Position of a box: its left and lower edge."""

    x: float
    y: float

    def at(self, across: float, up: float) -> tuple[float, float]:
        """A point of the box, given as shares of its width and height."""
        return self.x + across * WIDTH, self.y + up * HEIGHT


def shape_text(shape: Sequence[int]) -> str:
    """ "64 × 16 × 16"."""
    return " × ".join(map(str, shape))


def describe(passes: Sequence[Pass]) -> str:
    """A plan as a sentence: the alternative text of its diagram."""
    parts = [f"an input of {shape_text(passes[0].source_shapes[0])}"]
    for p in passes:
        pooled = f"average pooling by {p.pool}, then " if p.pool > 1 else ""
        again = f" again, with the same weights (pass {p.unroll} of {p.unrolls})" if p.unroll > 1 else ""
        summed = f", reading the sum of {' and '.join(p.sources)}" if len(p.sources) > 1 else ""
        parts.append(f"{pooled}{p.layer}{again} ({_NEURON[p.neuron][0]}, {shape_text(p.out_shape)}){summed}")
    return "From left to right: " + "; ".join(parts) + "."


def draw_network(passes: Sequence[Pass], *, title: str = "", columns: int = 8) -> Figure:
    """One network, ``columns`` boxes to a line."""
    return draw_networks({title: passes}, columns=columns)


def draw_networks(networks: Mapping[str, Sequence[Pass]], *, columns: int = 8) -> Figure:
    """Several networks below each other, each under its title.

    Raises:
        ValueError: no network.
    """
    if not networks:
        raise ValueError("networks must hold at least one plan, got none")
    lines = [math.ceil((len(passes) + 1) / columns) for passes in networks.values()]
    width = max(min(len(passes) + 1, columns) for passes in networks.values())
    heads = sum(0.75 for title in networks if title)
    margin = 0.1 if max(lines) == 1 else 1.0
    figure, axes = _canvas(width * (WIDTH + GAP) - GAP + 0.2, sum(lines) * LINE + heads, margin=margin)
    top = sum(lines) * LINE + heads
    for (title, passes), count in zip(networks.items(), lines, strict=True):
        if title:
            unique = sum({p.layer: p.weights for p in passes}.values())
            axes.text(0, top - 0.3, title, fontsize=10.5, fontweight="bold", va="center")
            axes.text(
                width * (WIDTH + GAP) - GAP,
                top - 0.3,
                f"{unique:,} parameters, {len(passes)} layers deep",
                fontsize=9,
                ha="right",
                va="center",
            )
            top -= 0.75
        _chain(axes, passes, 0.0, top - HEIGHT - 0.55, columns)
        top -= count * LINE
    return figure


def draw_conversion(
    ann: Sequence[Pass], snn: Sequence[Pass], *, thresholds: Mapping[str, float] | None = None
) -> Figure:
    """Figure 4: the ReLU network above, the converted one below, with a threshold for each unrolling step.

    Args:
        ann: plan of the ReLU network.
        snn: plan of the converted network.
        thresholds: balanced threshold by site, printed below the box beside its symbol.

    Raises:
        ValueError: the two plans have different sites, or a threshold's site is unknown.
    """
    if [p.site for p in ann] != [p.site for p in snn]:
        raise ValueError(f"snn must have the sites of ann, got {[p.site for p in snn]}")
    for site in thresholds or {}:
        if site not in {p.site for p in snn}:
            raise ValueError(f"thresholds must name sites of snn, got {site!r}")
    figure, axes = _canvas((len(snn) + 1) * (WIDTH + GAP), 2 * LINE + 2.0)
    axes.text(0, 2 * LINE + 1.7, "ANN, trained", fontsize=10.5, fontweight="bold", va="center")
    upper = _chain(axes, ann, 0.0, LINE + 1.5 + 0.2, len(ann) + 1)
    axes.text(0, LINE + 0.6, "SNN, converted", fontsize=10.5, fontweight="bold", va="center")
    lower = _chain(axes, snn, 0.0, 0.75, len(snn) + 1, counted=False)
    for p in snn:
        if p.neuron not in ("lif", "if"):
            continue
        step = f",{p.unroll}" if p.unrolls > 1 else ""
        symbol = rf"$v_{{\mathrm{{thresh}}}}^{{\mathrm{{{p.layer}}}{step}}}$"
        value = f" = {thresholds[p.site]:.3g}" if thresholds and p.site in thresholds else ""
        axes.text(*lower[p.site].at(0.5, -0.28), symbol + value, ha="center", va="center", fontsize=10)
        start, end = upper[p.site].at(0.5, -0.04), lower[p.site].at(0.5, 1.36)
        axes.add_patch(
            FancyArrowPatch(start, end, **{**_FORWARD, "linestyle": ":", "color": PALETTE["grey"]})
        )
    return figure


def draw_gradients(passes: Sequence[Pass]) -> Figure:
    """Figure 5: the forward pass and the chain rule backwards; shared weights collect one gradient per unrolling step.

    Raises:
        ValueError: a network without a BackRes block.
    """
    shared = [p for p in passes if p.unrolls > 1]
    if not shared:
        raise ValueError("passes must hold a BackRes block, got none")
    figure, axes = _canvas((len(passes) + 1) * (WIDTH + GAP) - GAP + 0.3, LINE + 2.3)
    places = _chain(axes, passes, 0.0, 2.45, len(passes) + 1)
    sites = [p.site for p in passes]
    for site, before in zip(sites[1:], sites[:-1], strict=True):  # the loss flows back from box to box
        _line(axes, places[site].at(0.2, -0.15), places[before].at(0.8, -0.15), _BACKWARD)
    axes.text(
        *places[sites[-1]].at(0.5, -0.15),
        "∂L",
        color=PALETTE["purple"],
        ha="center",
        va="center",
        fontsize=10,
    )
    layers = list(dict.fromkeys(p.layer for p in shared))
    middle = sum(places[p.site].x for p in shared) / len(shared) + WIDTH / 2
    for index, layer in enumerate(layers):
        centre = middle + (index - (len(layers) - 1) / 2) * 5.2
        colour = _colours(passes)[layer]
        steps = [p for p in shared if p.layer == layer]
        for p in steps:
            x, y = places[p.site].at(0.5, -0.04)
            end = (centre + (x - centre) * 0.3, 0.78)
            _line(axes, (x, y), end, _BACKWARD)
            axes.text(
                x + (end[0] - x) * 0.25,
                y + (end[1] - y) * 0.25,
                (r"$\partial L/\partial w$, " if len(layers) == 1 else "") + f"n = {p.unroll}",
                fontsize=9,
                ha="center",
                va="center",
                color=PALETTE["purple"],
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
        axes.add_patch(
            FancyBboxPatch(
                (centre - 2.4, 0.15),
                4.8,
                0.6,
                boxstyle="round,pad=0,rounding_size=0.08",
                facecolor=colour + "55",
                edgecolor=colour,
                linewidth=1.2,
            )
        )
        text = f"{layer}: one set of weights, {len(steps)} gradients"
        axes.text(centre, 0.45, text, ha="center", va="center", fontsize=8.5)
    return figure


def draw_hybrid(passes: Sequence[Pass], *, steps: int = 3) -> Figure:
    """Figure 6: the ANN block runs once; the SNN block reads the same real X at each of ``steps`` time steps.

    Raises:
        ValueError: a plan other than ReLU layers, then spiking layers, then the classifier.
    """
    ann = [p for p in passes if p.neuron == "relu" and p.static]
    snn = [p for p in passes if p.neuron in ("lif", "if")]
    if not ann or not snn or [*ann, *snn] != list(passes[:-1]):
        order = ", ".join(p.neuron for p in passes)
        raise ValueError(f"passes must be relu, then lif or if, then the classifier, got {order}")
    pitch, width = HEIGHT + 0.6, WIDTH + GAP
    left = (1 + len(ann)) * width + 0.9  # of the SNN block
    height = steps * pitch + 1.5
    middle = 0.6 + (steps * pitch - 0.6) / 2 - HEIGHT / 2
    figure, axes = _canvas(left + (len(snn) + 1) * width + 0.4, height)
    places = _chain(axes, ann, 0.0, middle, len(ann) + 1)
    colours = _colours(passes)
    x_out = places[ann[-1].site].at(1.0, 0.5)
    scores = Place(left + len(snn) * width + 0.5, middle)
    _box(axes, passes[-1], scores, colours, count=True)
    above: dict[str, Place] = {}
    for t in range(steps):
        row = {p.site: Place(left + i * width, 0.6 + (steps - 1 - t) * pitch) for i, p in enumerate(snn)}
        for before, p in zip([None, *snn[:-1]], snn, strict=True):
            _box(axes, p, row[p.site], colours, count=t == 0 and p.unroll == 1)
            if before is None:
                _line(axes, x_out, row[p.site].at(0.0, 0.5), _FORWARD)
                if t == steps // 2:  # the same pooling for all
                    _pool(axes, p, row[p.site].x - GAP / 2, row[p.site].y + HEIGHT / 2)
                _line(axes, row[p.site].at(0.0, 0.25), (x_out[0], x_out[1] - 0.3), _BACKWARD)
            else:
                _line(axes, row[before.site].at(1.0, 0.5), row[p.site].at(0.0, 0.5), _FORWARD)
                _line(axes, row[p.site].at(0.0, 0.25), row[before.site].at(1.0, 0.25), _BACKWARD)
                _pool(axes, p, row[p.site].x - GAP / 2, row[p.site].y + HEIGHT / 2)
            if above:
                _line(axes, above[p.site].at(0.6, 0.0), row[p.site].at(0.6, 1.0), _CARRIED)
                _line(axes, row[p.site].at(0.4, 1.0), above[p.site].at(0.4, 0.0), _BACKWARD)
        axes.text(*row[snn[0].site].at(0.0, 1.12), f"t = {t + 1}", fontsize=9, ha="left", va="center")
        _line(axes, row[snn[-1].site].at(1.0, 0.5), scores.at(0.0, 0.5), _FORWARD)
        _line(axes, scores.at(0.0, 0.25), row[snn[-1].site].at(1.0, 0.25), _BACKWARD)
        above = row
    axes.text(x_out[0] + 0.1, x_out[1] + 0.3, "X", fontsize=11, fontweight="bold")
    for x, text in ((0, "ANN block: once per image"), (left, "SNN block: every time step reads the same X")):
        axes.text(x, height - 0.35, text, fontsize=10, fontweight="bold", va="center")
    axes.text(0, 0.2, "orange: membrane carried on", fontsize=8.5, color=PALETTE["orange"], va="center")
    axes.text(left, 0.2, "dashed: gradient of the loss", fontsize=8.5, color=PALETTE["purple"], va="center")
    return figure


def similarity(
    topology: str, *, seeds: Iterable[int], images: int = 16, input_shape: tuple[int, int, int] = (3, 16, 16)
) -> list[float]:
    """Mean cosine between the activities of two random images after each convolution pass, untrained.

    One all-ReLU network per seed. The list has one value per pass, averaged over pairs of images and seeds.
    """
    x = torch.rand(images, *input_shape, generator=torch.Generator().manual_seed(0))
    runs = []
    for seed in seeds:
        outputs: list[Tensor] = []

        def keep(site: str, values: Tensor, *, timed: bool, outputs: list[Tensor] = outputs) -> None:
            if site.startswith("conv"):
                outputs.append(F.normalize(values.flatten(1), dim=1))

        net = Network(
            as_ann(topology),
            input_shape=input_shape,
            config=NetworkConfig(neuron="relu"),
            generator=torch.Generator().manual_seed(seed),
        )
        with torch.no_grad():
            net(x, probe=keep)
        pairs = images * (images - 1)
        runs.append([float(((v @ v.T).sum() - images) / pairs) for v in outputs])
    return [sum(column) / len(column) for column in zip(*runs, strict=True)]


def draw_similarity(similar: Mapping[str, Sequence[float]]) -> Figure:
    """``similarity`` of several networks over depth."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), marker in zip(similar.items(), "osd^v<>", strict=False):
        axes.plot(range(1, len(values) + 1), values, marker=marker, label=name)
    axes.set(xlabel="convolution pass", ylabel="cosine between images", ylim=(0, 1))
    axes.legend()
    return figure


def _canvas(width: float, height: float, *, margin: float = 0.1) -> tuple[Figure, Axes]:
    """A figure in units of box sizes, without axes."""
    figure = Figure(figsize=((width + margin) * 0.52, height * 0.52))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, width), ylim=(0, height))
    axes.set_aspect("equal")
    axes.axis("off")
    return figure, axes


def _colours(passes: Sequence[Pass]) -> dict[str, str]:
    """Layer -> colour; layers that run once are grey."""
    shared = list(dict.fromkeys(p.layer for p in passes if p.unrolls > 1))
    colours = {layer: _SHARED[i % len(_SHARED)] for i, layer in enumerate(shared)}
    return {p.layer: colours.get(p.layer, "#999999") for p in passes}


def _chain(
    axes: Axes, passes: Sequence[Pass], x: float, y: float, columns: int, *, counted: bool = True
) -> dict[str, Place]:
    """The input and all passes in order, wrapped after ``columns`` boxes. Returns the position of every site."""
    pitch = WIDTH + GAP
    places = {
        site: Place(x + (i % columns) * pitch, y - (i // columns) * LINE)
        for i, site in enumerate(["input", *(p.site for p in passes)])
    }
    colours = _colours(passes)
    _frame(axes, places["input"], "#ffffff", "#999999")
    axes.text(
        *places["input"].at(0.5, 0.68), "input", ha="center", va="center", fontsize=9, fontweight="bold"
    )
    axes.text(
        *places["input"].at(0.5, 0.4),
        shape_text(passes[0].source_shapes[0]),
        ha="center",
        va="center",
        fontsize=7.5,
    )
    before = "input"
    spiking = {p.site for p in passes if p.neuron in ("lif", "if")}
    for p in passes:
        here, there = places[p.site], places[before]
        _box(axes, p, here, colours, count=counted and p.unroll == 1)
        if here.y == there.y:
            axes.add_patch(
                FancyArrowPatch(there.at(1.0, 0.5), here.at(0.0, 0.5), shrinkA=0, shrinkB=0, **_FORWARD)
            )
            _pool(axes, p, (there.x + WIDTH + here.x) / 2, here.y + HEIGHT / 2)
        else:
            axes.add_patch(
                FancyArrowPatch(here.at(-0.35, 0.5), here.at(0.0, 0.5), shrinkA=0, shrinkB=0, **_FORWARD)
            )
            axes.text(*here.at(-0.35, 0.5), "…", ha="right", va="center", fontsize=10)
            _pool(axes, p, here.x - GAP / 2, here.y + HEIGHT / 2)
        if p.static and spiking.intersection(p.sources):
            axes.text((there.x + WIDTH + here.x) / 2, here.y + HEIGHT * 0.82, "M", ha="center", fontsize=9)
        for source in p.sources:
            site = source.split(":")[0]
            if site != before and site in places and places[site].y == here.y:
                _arc(axes, places[site].at(0.7, 0.0), here.at(0.25, 0.0), _FORWARD, above=False)
        if (
            p.unroll > 1
            and next(q for q in passes if q.site == before).unroll == p.unroll - 1
            and here.y == there.y
        ):
            label = f"n = {p.unroll}" + (f"\n{p.sources[0].split(':')[1]}" if ":" in p.sources[0] else "")
            _arc(axes, there.at(0.55, 1.0), here.at(0.45, 1.0), _BACKRES)
            axes.text(
                (there.x + WIDTH + here.x) / 2,
                here.y + HEIGHT + 0.45,
                label,
                ha="center",
                va="bottom",
                fontsize=8,
                color=PALETTE["green"],
                linespacing=0.9,
            )
        before = p.site
    return places


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float], look: Mapping[str, Any]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def _arc(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    look: Mapping[str, Any],
    *,
    above: bool = True,
) -> None:
    """A curved arrow whose curvature falls with its length."""
    bend = min(0.35, 0.85 / math.dist(start, end)) * (-1 if above else 1)
    axes.add_patch(
        FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0, **look)
    )


def _pool(axes: Axes, p: Pass, x: float, y: float) -> None:
    if p.pool > 1:
        axes.text(x, y + 0.12, f"P÷{p.pool}", ha="center", va="bottom", fontsize=7, color=PALETTE["black"])


def _frame(axes: Axes, place: Place, face: str, edge: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (place.x, place.y),
            WIDTH,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=face,
            edgecolor=edge,
            linewidth=1.2,
        )
    )


def _box(axes: Axes, p: Pass, place: Place, colours: Mapping[str, str], *, count: bool) -> None:
    """One pass: layer, shape, parameters (only at the first use of its weights), and its neuron."""
    colour = colours[p.layer]
    _frame(axes, place, colour + ("55" if p.unrolls > 1 else "22"), colour)
    centred: dict[str, Any] = {"ha": "center", "va": "center"}
    axes.text(*place.at(0.5, 0.84), p.layer, fontsize=9, fontweight="bold", **centred)
    axes.text(*place.at(0.5, 0.62), shape_text(p.out_shape), fontsize=7.5, **centred)
    if count:
        axes.text(*place.at(0.5, 0.42), f"{p.weights:,}", fontsize=7.5, gid="parameters", **centred)
    else:
        axes.text(*place.at(0.5, 0.42), "same weights", fontsize=7, style="italic", **centred)
    word, neuron = _NEURON[p.neuron]
    axes.text(*place.at(0.5, 0.15), word, fontsize=8, fontweight="bold", color=neuron, **centred)
