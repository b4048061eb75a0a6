"""Figures 2 and 3 of the paper, with measured curves and worked tables.

Each ``draw_*`` function takes numbers that the library computed and returns a matplotlib figure; the other
functions compute those numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch
from torch import Tensor

from panda2020.exhibits.style import PALETTE
from snncore._check import whole
from snncore.coding import poisson
from snncore.neurons import LIF, NeuronState, fire, surrogate

#: Default time steps of Figure 2B.
RATE_STEPS = (1, 5, 10, 25, 50, 100, 400)

#: An input that can be checked by hand; the two orders of leak and reset differ from its third step on.
WORKED_CURRENT = (0.6, 0.6, 0.6, 0.0, 1.5, 0.0)

WORKED_LEAK = 0.9

#: The neurons of the worked table, by column heading.
FAMILIES = {
    "leak first": LIF(alpha=WORKED_LEAK),
    "reset first": LIF(alpha=WORKED_LEAK, order="reset-then-leak"),
    "hard reset": LIF(alpha=WORKED_LEAK, reset="hard"),
}


def trace(current: Tensor, neuron: LIF) -> tuple[Tensor, Tensor]:
    """Run ``neuron`` one step at a time, to record its membrane potential at every step.

    Args:
        current: ``(T, ...)``.
        neuron: its parameters.

    Returns:
        The potential U before the reset, and the spikes S, both ``(T, ...)``.
    """
    state: NeuronState | None = None
    potentials, spikes = [], []
    for drive in current:
        fired, state = fire(drive[None], neuron, state=state)
        potentials.append(state.membrane)
        spikes.append(fired[0])
    return torch.stack(potentials), torch.stack(spikes)


def worked_table(current: Sequence[float] = WORKED_CURRENT) -> pd.DataFrame:
    """The potential U[t] before the reset and the spike S[t] of every family in :data:`FAMILIES`."""
    drive = torch.tensor(current, dtype=torch.float64)[:, None]  # (T, 1)
    columns: dict[tuple[str, str], list[float] | list[int]] = {("", "I[t]"): list(current)}
    for family, neuron in FAMILIES.items():
        potential, spikes = trace(drive, neuron)
        columns[family, "U"] = potential[:, 0].tolist()
        columns[family, "S"] = spikes[:, 0].int().tolist()
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(current) + 1, name="t"))


def time_constants(alphas: Sequence[float]) -> pd.DataFrame:
    """The time constant tau (in steps) of a leak alpha = exp(-1/tau), and its half-life."""
    alpha = np.asarray(alphas, dtype=float)
    return pd.DataFrame(
        {"leak": alpha, "tau in steps": -1 / np.log(alpha), "half-life in steps": np.log(0.5) / np.log(alpha)}
    )


def rate_images(images: Tensor, timesteps: Sequence[int], *, generator: torch.Generator) -> dict[int, Tensor]:
    """The mean of the first T spike maps for every T in ``timesteps``, all from one Poisson stream.

    Args:
        images: ``(N, ...)`` in [0, 1].
        timesteps: increasing numbers of steps.
        generator: draws the spikes.

    Returns:
        T -> ``(N, ...)`` in [0, 1].

    Raises:
        ValueError: time steps that are not whole, positive and increasing.
    """
    if not timesteps or list(timesteps) != sorted(set(timesteps)):
        raise ValueError(f"timesteps must increase, got {list(timesteps)}")
    count, done, means = torch.zeros_like(images), 0, {}
    for steps in timesteps:
        count = count + poisson(images, whole("timesteps", steps) - done, generator=generator).sum(0)
        means[steps], done = count / steps, steps
    return means


def coding_error(images: Tensor, means: dict[int, Tensor]) -> pd.DataFrame:
    r"""Distance between the mean spike image of T steps and the pixels, compared with its expectation.

    A pixel p spikes K ~ Binomial(T, p) times, so :math:`E[(K/T - p)^2] = p(1-p)/T`, and the spread of the
    mean over pixels follows from :math:`E[(K/T - p)^4] = p(1-p)\,(1 + 3 (T-2)\, p(1-p)) / T^3`.

    Args:
        images: ``(N, ...)`` in [0, 1].
        means: from :func:`rate_images`.

    Returns:
        One row per T: the root mean square error, the expected one, the deviation of the mean square error
        from its expectation in standard deviations, and the correlation with the pixels.
    """
    p = images.double()
    variance = p * (1 - p)
    rows = []
    for steps, mean in means.items():
        measured = float(((mean.double() - p) ** 2).mean())
        expected = float(variance.mean()) / steps
        fourth = variance * (1 + 3 * (steps - 2) * variance) / steps**3
        spread = float((fourth - (variance / steps) ** 2).sum().sqrt()) / p.numel()
        rows.append(
            {
                "T": steps,
                "error": measured**0.5,
                "expected error": expected**0.5,
                "deviation (sd)": (measured - expected) / spread,
                "correlation": float(
                    torch.corrcoef(torch.stack([mean.double().flatten(), p.flatten()]))[0, 1]
                ),
            }
        )
    return pd.DataFrame(rows).set_index("T")


def converges(errors: pd.DataFrame, *, within: float = 4.0) -> bool:
    """Return whether the spike image converges to the pixels at the expected speed (the claim ``coding-integrity``).

    True if at every T the error is within ``within`` standard deviations of sqrt(p(1-p)/T), so that it falls
    as 1/sqrt(T), and it is smaller at the last T than at the first.
    """
    follows = (errors["deviation (sd)"].abs() <= within).all()
    falls = errors["error"].iloc[-1] < errors["error"].iloc[0]
    return bool(follows and falls and len(errors) > 1)


def input_gradient(current: Tensor, neuron: LIF) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient of the last step's spike with respect to the input of every step, by backpropagation through time.

    With the reset held constant, Eq. 2-4 give dS[T]/dI[t] = psi(U[T]) alpha^(T-t), where psi is Eq. 4.

    Args:
        current: ``(T,)``.
        neuron: its parameters, without a refractory period.

    Returns:
        The gradient by autograd, the gradient by that formula, and the potentials, each ``(T,)``.
    """
    neuron = replace(neuron, detach_reset=True)
    drive = current.double()[:, None].requires_grad_()
    spikes, _ = fire(drive, neuron)
    (measured,) = torch.autograd.grad(spikes[-1].sum(), drive)
    potential, _ = trace(drive.detach(), neuron)
    psi = surrogate(potential[-1], threshold=neuron.threshold, gamma=neuron.gamma)
    ago = torch.arange(len(current) - 1, -1, -1, dtype=torch.float64)
    return measured[:, 0], psi * neuron.alpha**ago, potential[:, 0]


def draw_lif(inputs: Tensor, weights: Tensor, neuron: LIF) -> Figure:
    """Figure 2A: weighted spike trains into one neuron; its potential, threshold, resets and output spikes.

    Args:
        inputs: ``(T, K)`` spikes of K input neurons.
        weights: ``(K,)``.
        neuron: its parameters; refractory steps are shaded.
    """
    current = inputs @ weights  # (T,)
    potential, spikes = (x[:, 0] for x in trace(current[:, None], neuron))
    count, steps = inputs.shape[1], len(inputs)
    figure = Figure(figsize=(7.6, 4.5))
    grid = figure.add_gridspec(3, 2, width_ratios=(1, 2.6), height_ratios=(1.1, 2.4, 0.45))
    _draw_network(figure.add_subplot(grid[:, 0]), weights)

    top = figure.add_subplot(grid[0, 1])
    for k in range(count):
        top.vlines(np.flatnonzero(inputs[:, k]), k + 0.6, k + 1.4, color=PALETTE["blue"], linewidth=1.4)
    top.set(ylim=(count + 0.6, 0.4), yticks=range(1, count + 1), ylabel="input i")
    top.set_title("input spikes $I_i[t]$", loc="left")

    middle = figure.add_subplot(grid[1, 1], sharex=top)
    times, path = [], []
    for t in range(steps):
        # U[t] before and after the reset share one time, which draws a vertical drop.
        after = 0.0 if neuron.reset == "hard" else float(potential[t]) - neuron.threshold
        times += [t, t] if spikes[t] else [t]
        path += [float(potential[t]), after] if spikes[t] else [float(potential[t])]
    middle.axhline(neuron.threshold, color=PALETTE["black"], linestyle="--", linewidth=1, label="threshold")
    middle.plot(times, path, color=PALETTE["orange"], label="potential $U[t]$ and its reset")
    fired = [int(t) for t in spikes.nonzero()]
    middle.plot(fired, potential[fired], "o", color=PALETTE["orange"], markeredgecolor="white")
    for i, t in enumerate(fired):
        if neuron.refractory:
            label = "refractory" if i == 0 else None
            middle.axvspan(
                t, t + neuron.refractory, color=PALETTE["grey"], alpha=0.2, linewidth=0, label=label
            )
    middle.set_ylabel("potential")
    middle.legend(loc="upper center", ncols=3, fontsize=8.5, bbox_to_anchor=(0.5, 1.17), columnspacing=1.2)

    bottom = figure.add_subplot(grid[2, 1], sharex=top)
    bottom.vlines(fired, 0, 1, color=PALETTE["orange"], linewidth=1.8)
    bottom.set(ylim=(0, 1.1), yticks=[], xlim=(-1, steps), xlabel="time step t", ylabel="output")
    for axes in (top, middle):
        axes.tick_params(labelbottom=False)
    for axes in (top, bottom):
        axes.grid(False)
    return figure


def _draw_network(axes: Axes, weights: Tensor) -> None:
    """K inputs, their weights, and one neuron with its output."""
    count = len(weights)
    heights = np.linspace(0.85, 0.15, count)
    largest = float(weights.abs().max())
    for k, height in enumerate(heights):
        weight = float(weights[k])
        axes.add_patch(Circle((0.12, height), 0.045, facecolor=PALETTE["blue"], edgecolor="none"))
        _arrow(axes, (0.175, height), (0.585, 0.5), width=0.5 + 2 * abs(weight) / largest)
        along = 0.3  # of the way from the input to the neuron
        spot = (0.175 + along * 0.41, height + along * (0.5 - height))
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(*spot, f"{weight:+.2f}", fontsize=8, ha="center", va="center", bbox=plain)
        axes.text(0.02, height, f"{k + 1}", va="center", ha="center", fontsize=8.5)
    axes.add_patch(Circle((0.68, 0.5), 0.09, facecolor=PALETTE["orange"], edgecolor="none"))
    axes.text(0.68, 0.5, "LIF", color="white", ha="center", va="center", fontweight="bold", fontsize=9)
    _arrow(axes, (0.775, 0.5), (0.98, 0.5), width=1.5)
    axes.text(0.3, 0.98, "weights $w_i$", ha="center", fontsize=9)
    axes.text(0.87, 0.53, "$S[t]$", ha="center", fontsize=9)
    axes.set(xlim=(-0.03, 1), ylim=(0, 1.04), aspect="equal")
    axes.axis("off")


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    width: float = 1.2,
    color: str = "#555555",
    dashed: bool = False,
) -> None:
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=9,
        shrinkA=0,
        shrinkB=0,
        color=color,
        linewidth=width,
        linestyle="--" if dashed else "-",
    )
    axes.add_patch(arrow)


def draw_rate_images(means: dict[int, Tensor], images: Tensor | None = None) -> Figure:
    """Figure 2B: the mean of the first T spike maps of each image as T grows, after the image itself where it is given.

    Args:
        means: from :func:`rate_images`, T -> ``(N, C, H, W)``, C = 1 (grey) or 3 (RGB).
        images: ``(N, C, H, W)`` in [0, 1].
    """
    columns = {f"T = {steps}": mean for steps, mean in means.items()}
    if images is not None:
        columns = {"pixels": images, **columns}
    count = min(len(shown) for shown in columns.values())
    side = min(1.3, 7.4 / len(columns))
    figure = Figure(figsize=(side * len(columns), side * count + 0.3))
    grid = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, shown) in enumerate(columns.items()):
        for row in range(count):
            _show(grid[row, column], shown[row])
        grid[0, column].set_title(title, fontsize=10)
    return figure


def _show(axes: Axes, image: Tensor) -> None:
    pixels = image.permute(1, 2, 0).numpy()
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#bbbbbb", linewidth=0.6)


def draw_coding_error(errors: pd.DataFrame) -> Figure:
    """The measured error of the mean spike image over T on the curve sqrt(mean p(1-p) / T)."""
    figure = Figure(figsize=(6.4, 3.4))
    axes = figure.subplots()
    steps = errors.index.to_numpy(dtype=float)
    fine = np.geomspace(steps[0], steps[-1], 100)
    scale = float(errors["expected error"].iloc[0]) * steps[0] ** 0.5
    axes.plot(fine, scale / fine**0.5, color=PALETTE["grey"], label="expected by chance")
    axes.plot(steps, errors["error"], "o", color=PALETTE["orange"], label="measured")
    axes.set(xscale="log", yscale="log", xlabel="time steps T", ylabel="root mean square error")
    axes.set_xticks(steps, [f"{t:g}" for t in steps])
    low, high = float(errors["error"].min()), float(errors["error"].max())
    ticks = [v for v in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if low / 1.3 <= v <= high * 1.3]
    axes.set_yticks(ticks, [f"{v:g}" for v in ticks])
    axes.minorticks_off()
    axes.legend()
    return figure


def draw_latency(image: Tensor, spikes: Tensor, frames: Sequence[int]) -> Figure:
    """Latency coding of one image: the pixels, when each one spikes, and which have spiked by a few steps.

    Args:
        image: ``(C, H, W)`` in [0, 1].
        spikes: ``(T, C, H, W)`` from :func:`snncore.coding.latency`; pixels that never spike stay blank.
        frames: the steps t at which to show the spikes so far, t included.
    """
    figure = Figure(figsize=(7.8, 1.5))
    grid = figure.subplots(1, len(frames) + 2, squeeze=False)[0]
    _show(grid[0], image)
    grid[0].set_title("pixels", fontsize=10)
    when = spikes.argmax(0).double().masked_fill(spikes.sum(0) == 0, float("nan")).mean(0)  # (H, W)
    shown = grid[1].imshow(
        when.numpy(), cmap="viridis_r", vmin=0, vmax=len(spikes) - 1, interpolation="nearest"
    )
    grid[1].set(xticks=[], yticks=[])
    grid[1].set_title("spike time t" if len(image) == 1 else "mean time t", fontsize=10)  # over the colours
    grid[1].grid(False)
    figure.colorbar(shown, ax=grid[1], fraction=0.05, pad=0.04).ax.tick_params(labelsize=8)
    for axes, t in zip(grid[2:], frames, strict=True):
        _show(axes, spikes[: t + 1].sum(0))
        axes.set_title(f"by t = {t}", fontsize=10)
    return figure


def draw_unrolled(steps: int = 4) -> Figure:
    """Figure 3A: the graph of Eq. 2-3 unrolled over time: input, potential and spike of each step."""
    steps = whole("steps", steps, least=2)
    figure = Figure(figsize=(1.7 * steps + 0.6, 3.2))
    axes = figure.subplots()
    gap, rows = 1.9, {"I": 0.0, "U": 1.1, "S": 2.2}
    colors = {"I": PALETTE["blue"], "U": PALETTE["black"], "S": PALETTE["orange"]}
    for t in range(steps):
        x = gap * t
        label = "t" if t == 0 else f"t{t:+d}"
        for name, y in rows.items():
            axes.add_patch(Circle((x, y), 0.32, facecolor=colors[name], edgecolor="none", zorder=3))
            axes.text(
                x, y, f"${name}[{label}]$", color="white", ha="center", va="center", fontsize=9, zorder=4
            )
        _arrow(axes, (x, 0.33), (x, 0.77))
        _arrow(axes, (x, 1.43), (x, 1.87))
        if t == 0:
            axes.text(x - 0.08, 1.65, "$U > v_{th}$", ha="right", va="center", fontsize=9)
            axes.text(x - 0.08, 0.55, "add", ha="right", va="center", fontsize=9)
        if t < steps - 1:
            _arrow(axes, (x + 0.33, 1.1), (x + gap - 0.33, 1.1), color=PALETTE["green"], width=1.8)
            axes.text(x + gap / 2, 1.0, r"$\times\,\alpha$", ha="center", va="top")
            _arrow(
                axes,
                (x + 0.27, 2.02),
                (x + gap - 0.25, 1.31),
                color=PALETTE["purple"],
                width=1.4,
                dashed=True,
            )
            axes.text(x + gap / 2 + 0.07, 1.76, r"$-\,v_{th}$", ha="left", va="bottom")
    axes.set(xlim=(-1.05, gap * (steps - 1) + 0.5), ylim=(-0.42, 2.62), aspect="equal")
    axes.axis("off")
    return figure


def draw_surrogate(neuron: LIF, gammas: Sequence[float] = ()) -> Figure:
    """Figure 3B: the step function S(U), and its surrogate derivative (Eq. 4), also for other values of gamma."""
    figure = Figure(figsize=(7.6, 3.1))
    left, right = figure.subplots(1, 2)
    potential = torch.linspace(-0.5, 2.5, 601, dtype=torch.float64) * neuron.threshold
    spikes, _ = fire(potential[None], neuron)
    jump = int(spikes[0].argmax())
    for part in (slice(0, jump), slice(jump, None)):
        left.plot(potential[part], spikes[0, part], color=PALETTE["orange"])
    left.axvline(neuron.threshold, color=PALETTE["black"], linestyle="--", linewidth=1)
    left.set(xlabel="potential U", ylabel="spike S", yticks=[0, 1])
    left.set_title("forward: a step; its slope is 0 almost everywhere", loc="left", fontsize=9.5)
    for gamma in sorted({neuron.gamma, *gammas}):
        slope = surrogate(potential, threshold=neuron.threshold, gamma=gamma)
        ours = gamma == neuron.gamma
        color, width = (PALETTE["orange"], 2.4) if ours else (PALETTE["grey"], 1.0)
        right.plot(potential, slope, color=color, linewidth=width)
        text = rf"$\gamma$ = {gamma:g}" + (" (the paper's)" if gamma == 0.3 else "")
        right.annotate(
            text,
            (neuron.threshold, float(slope.max())),
            xytext=(5, 3),
            textcoords="offset points",
            fontsize=8.5,
        )
    right.axvline(neuron.threshold, color=PALETTE["black"], linestyle="--", linewidth=1)
    right.set(xlabel="potential U", ylabel="surrogate dS/dU")
    right.set_title("backward: Equation 4", loc="left", fontsize=9.5)
    return figure


def draw_input_gradient(measured: Tensor, formula: Tensor, potential: Tensor, neuron: LIF) -> Figure:
    """Supplement to Figure 3: the gradient that reaches each step's input, and the potentials along its path."""
    figure = Figure(figsize=(7.2, 3.8))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.2))
    steps = np.arange(1, len(potential) + 1)
    top.axhline(neuron.threshold, color=PALETTE["black"], linestyle="--", linewidth=1)
    top.plot(steps, potential, "o-", color=PALETTE["orange"], markersize=3.5)
    top.set_ylabel("U[t]")
    bottom.plot(steps, formula, color=PALETTE["grey"], label=r"Eq. 4 $\times\;\alpha^{T-t}$")
    bottom.plot(steps, measured, "o", color=PALETTE["blue"], label="backpropagation")
    bottom.set(xlabel="time step t", ylabel="dS[T] / dI[t]", ylim=(0, None))
    bottom.legend(loc="upper left")
    return figure
