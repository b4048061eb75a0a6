"""How ConvNN learns on each kind of features, on made-up records."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020.stdp import layout12


def run(name: str, seed: int, **ends: float) -> SimpleNamespace:
    curves = {
        source: {"curve": [
            {"epoch": 1, "train_accuracy": 0.2, "validation_accuracy": 0.1},
            {"epoch": 2, "train_accuracy": 0.9, "validation_accuracy": end},
        ]}
        for source, end in ends.items()
    }  # fmt: skip
    result = {"classifiers": {"convnn": curves}}
    return SimpleNamespace(labels={"network": name}, spec=SimpleNamespace(seed=seed), result=result)


RUNS = [run("ResNet2", 0, learned=0.4, pixels=0.3), run("ResNet2", 1, learned=0.6, pixels=0.3)]


def test_every_epoch_of_every_kind_of_features_has_a_row():
    table = layout12.course_table(RUNS)
    assert len(table) == 2 * 2 * 2 and set(table["features"]) == {"STDP", "raw pixels"}
    assert layout12.course_table([]).empty


def test_the_ends_are_said_in_words():
    said = layout12.course_sentences(layout12.course_table([*RUNS, run("ResNet3", 0, learned=0.7)]))
    assert (
        said[0]
        == "On features of STDP, ConvNN ends at 90% of its training images and 50% to 70% of the validation images."
    )
    assert said[1].startswith("On features of raw pixels, ConvNN ends at 90%")


def test_lines_are_means_and_crosses_are_training_accuracy():
    (axes,) = layout12.draw_courses(layout12.course_table(RUNS)).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["STDP"].get_ydata()[-1] == pytest.approx(0.5)
    assert [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "x"] == [
        pytest.approx(0.9)
    ] * 2
