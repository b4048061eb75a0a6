"""Numbers behind Figures 2 and 3: hand-computed vectors, exact binomial moments; and every figure draws."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from panda2020.exhibits.style import svg
from panda2020.neurons import figures
from snncore.coding import latency
from snncore.neurons import IF, LIF, fire


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_images(n: int = 30, channels: int = 1) -> torch.Tensor:
    return torch.rand(n, channels, 8, 8, generator=seeded(1234))


# Numbers ---------------------------------------------------------------------------------------------------


def test_worked_table_by_hand() -> None:
    table = figures.worked_table()
    first, second, hard = (table[family] for family in figures.FAMILIES)
    assert first["U"].tolist() == pytest.approx([0.6, 1.14, 0.626, 0.5634, 2.00706, 0.806354])
    assert second["U"].tolist() == pytest.approx([0.6, 1.14, 0.726, 0.6534, 2.08806, 0.979254])
    assert hard["U"].tolist() == pytest.approx([0.6, 1.14, 0.6, 0.54, 1.986, 0.0])
    for family in (first, second, hard):
        assert family["S"].tolist() == [0, 1, 0, 0, 1, 0]
    assert table.index.tolist() == [1, 2, 3, 4, 5, 6]


def test_trace_is_fire_seen_step_by_step() -> None:
    current = torch.rand(40, 3, generator=seeded(), dtype=torch.float64)
    neuron = LIF(alpha=0.8, refractory=2)
    potential, spikes = figures.trace(current, neuron)
    whole, end = fire(current, neuron)
    assert torch.equal(spikes, whole) and torch.equal(potential[-1], end.membrane)
    assert spikes.sum() > 0


def test_time_constants_by_hand() -> None:
    row = figures.time_constants([math.exp(-1 / 20)]).iloc[0]
    assert row["tau in steps"] == pytest.approx(20)
    assert row["half-life in steps"] == pytest.approx(20 * math.log(2))


def test_rate_images_look_at_one_stream() -> None:
    images = some_images()
    means = figures.rate_images(images, [2, 5], generator=seeded(3))
    alone = figures.rate_images(images, [5], generator=seeded(3))
    assert torch.equal(means[5], alone[5])
    assert ((means[2] * 2).round() == means[2] * 2).all()  # counts of two steps
    assert ((means[5] * 5 - means[2] * 2) > -1e-5).all()  # counts never fall


@pytest.mark.parametrize("timesteps", [[], [5, 2], [2, 2]])
def test_rate_images_need_increasing_steps(timesteps: list[int]) -> None:
    with pytest.raises(ValueError, match="timesteps must increase, got"):
        figures.rate_images(some_images(), timesteps, generator=seeded())


def test_rate_images_refuse_no_steps() -> None:
    with pytest.raises(ValueError, match="timesteps must be a whole number of at least 1, got 0"):
        figures.rate_images(some_images(), [0, 1], generator=seeded())


def test_coding_error_against_all_outcomes() -> None:
    """Two pixels, three steps: expectation and spread of the mean square error by listing all 64 outcomes."""
    pixels, steps = (0.3, 0.8), 3
    chances, errors = [], []
    for draws in itertools.product([0, 1], repeat=2 * steps):
        counts = (sum(draws[:steps]), sum(draws[steps:]))
        chances.append(math.prod(p**k * (1 - p) ** (steps - k) for p, k in zip(pixels, counts, strict=True)))
        errors.append(sum((k / steps - p) ** 2 for p, k in zip(pixels, counts, strict=True)) / 2)
    mean = sum(c * e for c, e in zip(chances, errors, strict=True))
    spread = math.sqrt(sum(c * (e - mean) ** 2 for c, e in zip(chances, errors, strict=True)))

    images = torch.tensor(pixels, dtype=torch.float64)
    shown = torch.tensor([1 / 3, 1.0], dtype=torch.float64)
    row = figures.coding_error(images, {steps: shown}).loc[steps]
    measured = ((1 / 3 - 0.3) ** 2 + 0.2**2) / 2
    assert row["error"] == pytest.approx(measured**0.5)
    assert row["expected error"] == pytest.approx(mean**0.5)
    assert row["deviation (sd)"] == pytest.approx((measured - mean) / spread)
    assert row["correlation"] == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_poisson_coding_converges(seed: int) -> None:
    images = some_images()
    errors = figures.coding_error(images, figures.rate_images(images, [1, 10, 100], generator=seeded(seed)))
    assert figures.converges(errors)


def test_other_codings_do_not_converge_to_the_pixels() -> None:
    images = some_images()
    means = figures.rate_images(images, [1, 10, 100], generator=seeded())
    squared = {steps: mean**2 for steps, mean in means.items()}
    stuck = dict.fromkeys(means, means[1])
    exact = dict.fromkeys(means, images)
    for wrong in (squared, stuck, exact):
        assert not figures.converges(figures.coding_error(images, wrong))
    assert not figures.converges(figures.coding_error(images, {10: means[10]}))  # one T shows no trend


@pytest.mark.parametrize("neuron", [LIF(alpha=0.9), IF(threshold=2.0), LIF(alpha=0.7, detach_reset=False)])
def test_input_gradient_follows_the_formula(neuron: LIF) -> None:
    current = torch.linspace(0.2, 0.6, 25, dtype=torch.float64)
    measured, formula, potential = figures.input_gradient(current, neuron)
    assert measured[-1] > 0 and (potential > neuron.threshold).any()
    assert torch.allclose(measured, formula, rtol=1e-12, atol=0)


# Figures ---------------------------------------------------------------------------------------------------


def every_figure() -> dict[str, Figure]:
    images = some_images(3, channels=3)
    means = figures.rate_images(images, [1, 10], generator=seeded())
    inputs = (torch.rand(40, 4, generator=seeded()) < 0.4).float()
    weights = torch.tensor([0.5, -0.3, 0.4, 0.3])
    current = torch.full((12,), 0.3)
    return {
        "lif": figures.draw_lif(inputs, weights, LIF(refractory=2)),
        "hard": figures.draw_lif(inputs, weights, LIF(reset="hard")),
        "silent": figures.draw_lif(torch.zeros(10, 2), torch.ones(2), LIF()),
        "rate": figures.draw_rate_images(means, images),
        "error": figures.draw_coding_error(figures.coding_error(images, means)),
        "latency": figures.draw_latency(images[0], latency(images[0], 6, silent_below=0.2), [0, 2, 5]),
        "unrolled": figures.draw_unrolled(3),
        "surrogate": figures.draw_surrogate(LIF(threshold=2.0), (0.1, 1.0)),
        "gradient": figures.draw_input_gradient(*figures.input_gradient(current, LIF()), LIF()),
    }


def test_every_figure_draws() -> None:
    for figure in every_figure().values():
        figure.draw_without_rendering()


def test_a_figure_is_the_same_twice() -> None:
    first, second = (svg(figures.draw_unrolled(2)) for _ in range(2))
    assert first.startswith("<?xml") and first == second


def test_figure_2a_marks_the_spikes_of_the_neuron() -> None:
    inputs = torch.ones(6, 1)
    figure = figures.draw_lif(inputs, torch.tensor([0.6]), LIF(alpha=1.0))
    marks = figure.axes[2].lines[-1]  # U = .6 1.2 .8 1.4 1.0 .6 ... after each reset of 1
    _, spikes = figures.trace(torch.full((6, 1), 0.6), LIF(alpha=1.0))
    assert marks.get_xdata().tolist() == spikes[:, 0].nonzero().flatten().tolist()
    assert marks.get_ydata().tolist()[0] == pytest.approx(1.2)


def test_figure_3b_is_equation_4() -> None:
    figure = figures.draw_surrogate(LIF(threshold=2.0, gamma=0.3))
    curve = figure.axes[1].lines[0]
    values = pd.Series(curve.get_ydata(), index=curve.get_xdata())
    assert values.index[values.argmax()] == pytest.approx(2.0) and values.max() == pytest.approx(0.3 / 2)
    assert values[values.index >= 4].max() == 0 and values[values.index <= 0].max() == 0


def test_unrolled_graph_needs_two_steps() -> None:
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        figures.draw_unrolled(1)
