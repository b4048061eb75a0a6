"""The baselines of Table 8 on made-up records."""

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
    plain = agd_grid.table8("laptop", seeds=[0], names=["VGG5"])
    extra = agd_grid.baselines("laptop", seeds=[0], names=["VGG5"])
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
            [record(next(e for e in hybrid_grid.table14("laptop", seeds=[0]) if e.role == "ann-bn"))]
        )
