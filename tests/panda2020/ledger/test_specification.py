"""What a recipe says of depth, by hand."""

from __future__ import annotations

import pytest

from panda2020.ledger import specification as s


class Made(dict):
    """A short run of one network under one recipe."""

    def __init__(self, network: str, accuracy: float, **choice):
        net = {"readout": "sum", "gain": 1.0, "alpha": 0.95} | {
            k: v for k, v in choice.items() if k in ("readout", "gain", "alpha")
        }
        training = {"optimizer": choice.get("optimizer", "adam"), "learning_rate": 1e-3, "clip": 1.0}
        super().__init__(task="train", spec={"network": net, "training": training})
        self.labels, self.result = {"network": network}, {"accuracy": accuracy, "steps": 25}


def recipe(vgg5: float, vgg3x4: float, vgg7: float, **choice):
    return [Made("VGG5", vgg5, **choice), Made("VGG3x4", vgg3x4, **choice), Made("VGG7-agd", vgg7, **choice)]


@pytest.mark.parametrize(
    "accuracies, said",
    [
        ((0.5, 0.4, 0.1), s.DEPTH),
        ((0.5, 0.4, 0.2), s.NONE_FAILS),  # 20 % is no failure
        ((0.5, 0.4, 0.45), s.NONE_FAILS),
        ((0.1, 0.1, 0.1), s.ALL_FAIL),
        ((0.5, 0.1, 0.1), s.OTHERWISE),
        ((0.1, 0.5, 0.5), s.OTHERWISE),
    ],
)
def test_depth_decides_where_vgg7_alone_fails(accuracies, said):
    table = s.specification_table(recipe(*accuracies))
    assert table["says"].tolist() == [said]


def test_a_row_per_recipe_with_its_choices():
    table = s.specification_table(
        [
            *recipe(0.5, 0.4, 0.1),
            *recipe(0.5, 0.4, 0.45, readout="mean", gain=1.4),
            *recipe(0.1, 0.1, 0.1, optimizer="sgd")[:2],
        ]
    )
    assert table["says"].tolist() == [s.DEPTH, s.NONE_FAILS, s.UNKNOWN]
    assert table.loc[1, list(s.CHOICES)].tolist() == ["mean", 1.4, 0.95, "adam", 1e-3, 1.0]
    assert s.finding(table) == f"Of 3 recipes: {s.DEPTH}: 1; {s.NONE_FAILS}: 1; {s.UNKNOWN}: 1."
    assert s.specification_table([]).empty and "No recipe" in s.finding(s.specification_table([]))
    with pytest.raises(ValueError, match="records must hold each run once, got VGG5 under"):
        s.specification_table([*recipe(0.5, 0.4, 0.1), *recipe(0.5, 0.4, 0.1)])
