"""Learning curves and spike rates: the numbers behind the figures, by hand, and what is drawn."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest

from panda2020.agd import figures
from panda2020.agd import grid as agd_grid


def record(name="VGG3x2-v2", role="snn", steps=5, seed=0, rate=0.5, curve=((0.2, 0.3), (0.4, 0.5))):
    entry = agd_grid.table8("quick", seeds=[seed], timesteps=[steps], names=[name])[role == "snn"]
    sites = ["input"] + [p.site for p in figures.passes_of(entry.spec)[:-1]]
    activity = {site: {"rate": rate / 2**depth} for depth, site in enumerate(sites)}
    result = {
        "curve": [
            {"epoch": i + 1, "train_accuracy": one, "validation_accuracy": other}
            for i, (one, other) in enumerate(curve)
        ],
        "activity": dict(sorted(activity.items())),  # as a stored record has them
    }
    if role == "snn":
        result["steps"] = steps
    return SimpleNamespace(labels=entry.labels, spec=entry.spec, result=result)


def test_curve_table_and_figure():
    records = [
        record(),
        record(role="ann"),
        record(seed=1, curve=((0.4, 0.3), (0.6, 0.7))),
        record("VGG5", steps=10),
    ]
    table = figures.curve_table(records)
    assert len(table) == 8 and table["T"].tolist()[:4] == [5, 5, None, None]
    assert table["validation"].tolist()[:2] == [0.3, 0.5]
    figure = figures.draw_curves(table)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["VGG3x2-v2", "VGG5"]
    lines = {tuple(round(float(y), 6) for y in line.get_ydata()) for line in figure.axes[0].lines}
    assert (0.3, 0.5) in lines and (0.3, 0.6) in lines  # ANN validation; mean of the SNN's two seeds
    assert len(figure.axes[0].collections) == 2  # bands, of the SNN's training and validation
    assert [text.get_text() for text in figure.axes[0].texts] == ["ANN", "SNN, T = 5", "chance"]
    assert figure.axes[0].get_ylim()[0] == 0
    figure.savefig(io.BytesIO(), format="svg")


def test_rates_are_in_order_of_computation():
    table = figures.rate_table([record(role="ann"), record(rate=0.4)])
    assert table["site"].tolist() == ["input", "conv1", "conv2", "conv3.1", "conv3.2", "fc1"]
    assert table["rate"].tolist() == pytest.approx([0.4 / 2**k for k in range(6)])
    assert table["depth"].tolist() == list(range(6)) and table["step"].tolist() == [1, 1, 1, 1, 2, 1]
    assert figures.fall(table) == {("VGG3x2-v2", 5): pytest.approx(1 / 8)}  # conv3.2 over conv1
    with pytest.raises(ValueError, match="records must hold at least one spiking network, got none"):
        figures.rate_table([record(role="ann")])


def test_rate_figure():
    table = figures.rate_table([record(rate=0.4), record(rate=0.2, seed=1), record("VGG5")])
    panels = {"left": table, "right": table[table["network"] == "VGG5"]}
    figure = figures.draw_rates(panels)
    left, right = figure.axes
    assert left.lines[0].get_ydata().tolist() == pytest.approx(
        [0.3 / 2**k for k in range(6)]
    )  # mean of two seeds
    assert left.lines[0].get_linestyle() == "--" and right.lines[0].get_linestyle() == "-"
    hollow = next(line for line in left.lines if line.get_markerfacecolor() == "white")
    assert list(hollow.get_xdata()) == [4]  # the repeated pass
    assert left.get_ylim()[0] == 0
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["left", "right"]


def test_a_raster_has_a_row_for_every_recorded_neuron():
    made = record("VGG5", steps=3)
    sites = ["input", *(p.site for p in figures.passes_of(made.spec)[:-1])]
    spikes = {site: np.zeros((1, 3, 2), np.uint8) for site in sites}
    spikes["conv1"][0, 2, 1] = 1
    made.data, made.artifact = {"artifacts": {"raster": {}}}, {"raster": spikes}.__getitem__
    plain = record("VGG5")
    plain.data = {}
    assert figures.has_raster(made) and not figures.has_raster(plain)
    figure = figures.draw_raster([made, plain])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == sites
    drawn = [(x, y) for line in axes.lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]
    assert drawn == [(3, 12 + 1)]  # the third step; two input neurons and a gap of ten rows above
    with pytest.raises(ValueError, match="records must hold at least one raster, got none"):
        figures.draw_raster([plain])


def test_the_curves_say_how_many_runs_were_still_learning():
    rising, done = record(), record(curve=((0.2, 0.5), (0.4, 0.5)))
    said = figures.curve_sentences([rising, done])
    assert said[0].startswith("1 of 2 runs are most accurate on validation images in their last epoch")
    assert said[1] == "The weights of the last epoch are kept."
    rising.result["kept_epoch"], done.result["kept_epoch"] = 2, 1
    assert "on average 75% of the way" in figures.curve_sentences([rising, done])[1]
    assert figures.curve_sentences([]) == []
