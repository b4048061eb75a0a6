"""The specification curve on made-up runs: which network trains under which recipe, and what is said and drawn of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020.agd import recipes


def run(name, accuracy, *, optimizer="adam", readout="sum"):
    training = SimpleNamespace(
        optimizer=optimizer, learning_rate=0.01, clip=1.0 if optimizer == "adam" else None
    )
    network = SimpleNamespace(readout=readout, gain=1.0, alpha=0.95)
    result = {"data": {"validation": 2000}, "curve": [{"validation_accuracy": accuracy}]}
    return SimpleNamespace(
        labels={"network": name}, spec=SimpleNamespace(training=training, network=network), result=result
    )


RUNS = [
    *(run(name, value) for name, value in (("VGG5", 0.5), ("VGG7-agd", 0.1), ("VGG3x4", 0.4))),
    *(run(name, 0.1, optimizer="sgd") for name in ("VGG5", "VGG7-agd", "VGG3x4")),
    *(run(name, 0.3, readout="mean") for name in ("VGG5", "VGG7-agd", "VGG3x4")),
    run("VGG5", 0.5, optimizer="sgd", readout="mean"),  # not recorded for the others
]


def test_a_run_trains_where_its_interval_is_above_chance():
    table = recipes.recipe_table([run("VGG5", 0.16), run("VGG5", 0.18)])
    assert table["trains"].tolist() == [False, True]  # 0.16 of 2,000 images reaches down to 0.145
    assert table["optimiser"].tolist() == ["adam 0.01, clipped"] * 2
    assert recipes.recipe_table([run("VGG5", 0.5, optimizer="sgd")])["optimiser"][0] == "sgd 0.01, unclipped"


def test_recipes_are_counted_where_every_network_is_recorded():
    said = recipes.recipe_sentences(recipes.recipe_table(RUNS))
    assert said == [
        "Of 3 recipes, 1 train every network and 1 train none.",
        "Under 1 of them VGG7 alone fails while VGG5, VGG3x4 train.",
        "If a network fails below 20 % and trains from 30 %, as the protocol says of claims, that number is 1: "
        "optimiser adam 0.01, clipped, readout sum, gain 1, leak 0.95.",
    ]
    assert recipes.recipe_sentences(recipes.recipe_table(RUNS[:1])) == []


def test_the_words_of_the_protocol_count_a_network_that_barely_leaves_chance_as_failing():
    three = [run("VGG5", 0.45), run("VGG7-agd", 0.18), run("VGG3x4", 0.3)]  # 0.18: 15 % at the lower end
    said = recipes.recipe_sentences(recipes.recipe_table(three))
    assert said[1].startswith("Under 0 of them") and "that number is 1: optimiser adam" in said[2]
    three[2] = run("VGG3x4", 0.29)
    assert recipes.recipe_sentences(recipes.recipe_table(three))[2].endswith("that number is 0.")


def test_recipes_rise_and_are_filled_where_they_train():
    table = recipes.recipe_table(RUNS)
    figure = recipes.draw_recipes(table)
    above, below = figure.axes
    assert recipes.by_recipe(table, "validation")["VGG5"].tolist() == [0.1, 0.3, 0.5, 0.5]
    filled = [
        line
        for line in above.lines
        if line.get_linestyle() == "None" and line.get_markerfacecolor() != "white"
    ]
    assert sorted(len(line.get_xdata()) for line in filled) == [1, 2, 3]  # VGG7, VGG3x4, VGG5
    assert [t.get_text() for t in below.get_yticklabels()] == [
        "optimiser adam 0.01, clipped", "optimiser sgd 0.01, unclipped", "readout mean", "readout sum", "gain 1", "leak 0.95",
    ]  # fmt: skip
    assert above.get_ylim()[0] == pytest.approx(0)


def test_each_choice_has_a_row_per_value_and_counts_where_networks_train():
    table = recipes.choice_table(recipes.recipe_table(RUNS)).set_index(["choice", "value"])
    adam = table.loc[("optimiser", "adam 0.01, clipped")]
    assert adam.tolist() == [2, 2, 1, 2, 1]  # recipes; VGG5, VGG7, VGG3x4 train; VGG7 alone fails
    assert table.loc[("readout", "mean")].tolist() == [1, 1, 1, 1, 0]
    assert table.loc[("gain", "1"), "recipes"] == 3  # of which every network is recorded
    assert table.columns.tolist()[1:4] == ["VGG5 trains", "VGG7 trains", "VGG3x4 trains"]
    assert recipes.choice_table(recipes.recipe_table(RUNS[:2])).empty
    assert recipes.choice_table(recipes.recipe_table([])).empty


def test_the_protocols_rule_is_said_in_words():
    assert recipes.verdict_sentences(recipes.recipe_table(RUNS))[-1].startswith(
        "So VGG7 fails under these recipes"
    )
    without = recipes.verdict_sentences(recipes.recipe_table(RUNS[3:]))
    assert without[-1] == "So the recipe decides and not the depth: whether VGG7 fails stays open."
    assert recipes.verdict_sentences(recipes.recipe_table(RUNS[:2])) == []


def test_missing_runs_are_said_in_one_sentence():
    assert recipes.progress_sentence(72, 0) == ""
    assert recipes.progress_sentence(0, 72).startswith("None of the 72 runs")
    assert recipes.progress_sentence(30, 42).startswith("30 of the 72 runs")
