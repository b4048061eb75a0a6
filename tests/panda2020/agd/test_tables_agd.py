"""The baselines of Table 8 and the map behind it, on made-up records."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import bits

from panda2020.agd import grid as agd_grid
from panda2020.agd import tables
from panda2020.hybrid import grid as hybrid_grid
from panda2020.runs import Record, to_dict

RIGHT = {
    "snn": [1, 1, 1, 1, 0, 0, 0, 0],
    "ann": [1, 1, 1, 1, 1, 1, 0, 0],
    "ann-tuned": [1] * 8,
    "ann-poisson": [1, 1, 0, 0, 0, 0, 0, 0],
}


def record(entry, **result):
    data = {"key": entry.role, "task": "train", "spec": to_dict(entry.spec), "result": result}
    return Record(data, Path("made.json"), "recorded", entry.labels)


def one(entries, role, steps=None):
    entry = next(e for e in entries if e.role == role and e.spec.input.steps == steps)
    hits, time = RIGHT[role], {"steps": steps} if steps else {}
    return record(entry, accuracy=sum(hits) / 8, correct=sum(hits), total=8, hits=bits(hits), **time)


def test_every_baseline_is_compared_image_by_image():
    plain = agd_grid.table8("first", seeds=[0], names=["VGG5"])
    extra = agd_grid.baselines("first", seeds=[0], names=["VGG5"])
    runs = [one(plain, "snn", 25), one(plain, "ann"), one(extra, "ann-tuned"), one(extra, "ann-poisson", 25)]
    table = tables.baseline_table(
        [*runs, one(extra, "ann-poisson", 50)]
    )  # the last has no spiking network beside it
    assert table["ANN"].tolist() == ["plain", "longer training, dropout", "fed with Poisson input"]
    assert table["SNN minus ANN"].tolist() == pytest.approx([-25.0, -50.0, 25.0])
    assert table["T"].tolist() == [25] * 3 and table["pairs"].tolist() == [1] * 3
    assert table["McNemar p"].tolist() == pytest.approx([0.5, 0.125, 0.5])  # 2, 4 and 2 coins that fall alike
    assert tables.baseline_table(runs[1:]).empty
    with pytest.raises(ValueError, match="role of a record must be one of snn"):
        tables.baseline_table(
            [record(next(e for e in hybrid_grid.table14("first", seeds=[0]) if e.role == "ann-bn"))]
        )


def mapped(accuracies):
    """The map's first runs with these validation accuracies on 100 images."""
    found = agd_grid.map_runs("first")
    return [
        record(entry, curve=[{"validation_accuracy": value}], data={"validation": 100})
        for entry, value in zip(found, accuracies, strict=False)
    ]


def test_map_tells_who_trains_where():
    table = tables.map_table(mapped([0.10, 0.60, 0.20, 0.50, 0.40, 0.30]))
    assert table["network"].tolist() == ["VGG7-agd", "VGG3x4"] * 3
    assert table["trains"].tolist() == [
        False,
        True,
        False,
        True,
        True,
        True,
    ]  # 20 of 100 are 13 to 29 %: not above 15 %
    first, second, *alone = tables.map_sentences(table)
    point = agd_grid.map_runs("first")[4].spec.network
    assert first == (
        f"VGG7 trains at 1 of 3 points; best 40% on validation images, with gain {point.gain:g}, "
        f"gamma {point.gamma:g}, leak {point.alpha:g}"
    )
    assert second.startswith("VGG3x4 trains at 3 of 3 points; best 60%")
    assert alone == [
        "VGG7 alone trains at 0 of the 3 points that are recorded for every network",
        "VGG3x4 alone trains at 2 of the 3 points that are recorded for every network",
    ]
    assert tables.map_table([]).empty and tables.map_sentences(tables.map_table([])) == []


def test_map_is_drawn_with_a_number_per_run_and_bold_where_it_trains():
    figure = tables.draw_map(tables.map_table(mapped([0.10, 0.60, 0.20])))
    texts = {t.get_text(): t.get_fontweight() for axes in figure.axes for t in axes.texts}
    assert texts == {"10%": "normal", "60%": "bold", "20%": "normal"}
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "VGG7, leak 0.95",
        "VGG3x4, leak 0.95",
    ]
