"""Table 8 and the tuning table on made-up records, every shown number worked out by hand; the laptop recipe."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from panda2020.agd import grid as agd_grid
from panda2020.agd import tables as agd_tables
from panda2020.records import reading_of, recorded, scale
from panda2020.statistics import image_error, wilson

pytestmark = pytest.mark.usefixtures("stated_energies")


def bits(right):
    text = "".join("1" if hit else "0" for hit in right)
    return f"{int(text.ljust(-(-len(text) // 4) * 4, '0'), 2):0{-(-len(text) // 4)}x}"


class Run(SimpleNamespace):
    """What the tables read of a record."""

    family = None

    def __getitem__(self, name):
        return self.made[name]


def run(
    role,
    right,
    *,
    network="VGG5",
    steps=None,
    seed=0,
    profile="laptop",
    note="reading A",
    tag="recorded",
    ee=None,
):
    energy = {
        f"{c}/int32": {"efficiency": ee * factor}
        for c, factor in (("paper", 1), ("physical", 0.5), ("full", 0.25))
    }
    result = {
        "accuracy": sum(right) / len(right),
        "correct": sum(right),
        "total": len(right),
        "hits": bits(right),
        "energy": energy,
    }
    if steps:
        result["steps"] = steps
    labels = {"network": network, "role": role, "profile": profile, "note": note}
    data = {"name": "digits", "train": 10, "validation": 1, "test": len(right), "size": None, "seed": seed}
    made = {"task": "train", "spec": {"topology": "4C3 P F10", "data": data}}
    return Run(
        labels=labels, result=result, spec=SimpleNamespace(seed=seed), tag=tag, key=f"{seed:016x}", made=made
    )


ANN = [1, 1, 1, 0, 1, 1, 0, 0, 1, 1]  # 7 of 10
SNN = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]  # 5 of 10; 1 right by the SNN alone, 3 by the ANN alone


def ann(right=ANN, **more):
    record = run("ann", right, ee=1, **more)
    record.result["energy"] = {"int32": {"ann_pj": 1.0}}
    return record


def test_one_seed():
    table = agd_tables.table8([run("snn", SNN, steps=25, ee=12.0), ann()])
    assert table["role"].tolist() == ["ANN", "SNN"] and table["T"].tolist() == [None, 25]
    first, second = (table.iloc[i] for i in range(2))
    assert second["accuracy"] == 0.5 and second["ANN accuracy"] == 0.7 and second["seeds"] == 1
    assert second["over"] == second["minus ANN over"] == "test images alone"
    z2 = 3.841459
    half = math.sqrt(z2 / 40 + z2**2 / 400) / (1 + z2 / 10)
    assert [*second["95 % interval"]] == pytest.approx([100 * (0.5 - half), 100 * (0.5 + half)], rel=1e-6)
    error = math.sqrt((5 / 12 - (2 / 12) ** 2) / 12)  # 4 of 10 images differ, and two are added
    assert second["minus ANN"] == pytest.approx(-20)
    expected = [100 * (-0.2 - 1.959964 * error), 100 * (-0.2 + 1.959964 * error)]
    assert [*second["minus ANN, 95 %"]] == pytest.approx(expected, rel=1e-6)
    assert (second["only SNN right"], second["only ANN right"], second["pairs"]) == (1, 3, 1)
    assert second["McNemar p"] == pytest.approx(10 / 16)
    assert [second[f"EE {c}"] for c in ("paper", "physical", "full")] == [12, 6, 3]
    assert second["parameters"] == 4 * 9 + 4 * 4 * 4 * 10 + 10 and second["origin"] == "■ recorded"
    assert (
        "“minimal accuracy loss (~2 - 3%)” (8.1)" in second["paper says"] and "~15x" in second["paper says"]
    )
    assert first[["ANN accuracy", "minus ANN", "McNemar p", "EE paper"]].isna().all()
    assert first["paper says"] == "not in our source"
    for view in (agd_tables.ACCURACY, agd_tables.DIFFERENCE, agd_tables.ENERGY):
        assert set(view) <= set(table) and {"T", "accuracy"} <= set(view)


def test_several_seeds_are_paired_where_both_are_there():
    flipped = ANN[::-1]  # 7 of 10 as well
    records = [
        ann(),
        ann(flipped, seed=1),
        run("snn", SNN, steps=25, ee=10),
        run("snn", flipped, steps=25, seed=1, ee=20),
    ]
    records += [run("snn", [1] * 10, steps=25, seed=2, ee=30)]
    row = agd_tables.table8(records).iloc[1]
    assert row["seeds"] == 3 and row["pairs"] == 2
    assert row["accuracy"] == pytest.approx((0.5 + 0.7 + 1.0) / 3)
    spread = 4.302653 * np.std([0.5, 0.7, 1.0], ddof=1) / math.sqrt(3)
    under = 100 * (row["accuracy"] - wilson(22 / 3, 10).low)  # errors are added as squares
    assert row["95 % interval"].low == pytest.approx(100 * row["accuracy"] - math.hypot(100 * spread, under))
    assert row["over"] == row["minus ANN over"] == "seeds and test images"
    assert row["minus ANN"] == pytest.approx(100 * (-0.2 + 0.0) / 2)
    half = row["minus ANN, 95 %"].half
    images = 195.9964 * image_error(np.array([-1, 0, 0, 0, 1, 0, 1, 0, 0, 0]) / 2)
    assert half > 127.06205 and images < half
    assert row["only SNN right"] is None and math.isnan(row["McNemar p"])
    assert row["EE paper"] == pytest.approx(20)


def test_no_records_make_an_empty_table_of_the_same_columns():
    empty = agd_tables.table8([])
    assert empty.empty and list(empty) == list(
        dict.fromkeys((*agd_tables.ACCURACY, *agd_tables.DIFFERENCE, *agd_tables.ENERGY))
    )
    assert set(empty) == set(agd_tables.table8([ann()]))


def test_rows_are_not_mixed():
    records = [
        run("snn", SNN, network="VGG3x4", steps=50, ee=4),
        run("snn", SNN, network="VGG3x4", steps=25, ee=8),
        run("snn", SNN, network="VGG3x4", steps=25, note="reading B", ee=9, tag="live"),
        ann(network="VGG3x4"),
    ]
    table = agd_tables.table8(records)
    assert list(zip(table["reading"], table["role"], table["T"], strict=True)) == [
        ("A", "ANN", None),
        ("A", "SNN", 25),
        ("A", "SNN", 50),
        ("B", "SNN", 25),
    ]
    assert table["minus ANN"].notna().tolist() == [False, True, True, False]  # there is no ANN of reading B
    assert table["origin"].tolist() == ["■ recorded"] * 3 + ["▶ live"]
    assert "(75%)" in table["paper says"][0] and "trains well" in table["paper says"][1]


def test_table8_refuses_what_it_would_mix_up():
    with pytest.raises(ValueError, match="records must be of one profile, got laptop, quick"):
        agd_tables.table8([ann(), ann(profile="quick", seed=1)])
    with pytest.raises(ValueError, match="records must hold each run once, got VGG5 A ann seed 0 twice"):
        agd_tables.table8([ann(), ann()])


def test_recorded_and_missing(tmp_path):
    entries = agd_grid.table8("laptop", seeds=[0, 1], timesteps=[25], names=["VGG5"])
    found, missing = recorded(entries, results=tmp_path)
    assert found == [] and missing == entries
    assert reading_of("") == "A" and reading_of("reading B") == "B"


def test_scale_in_words():
    entries = agd_grid.table8("quick", timesteps=[5], names=["VGG5"])
    records = [SimpleNamespace(labels=entry.labels, spec=entry.spec) for entry in entries]
    assert scale(records) == (
        "Profile quick: digits at 16 pixels, 1,000 training and 300 test images, networks at 1/8 of the width, 6 epochs"
    )
    other = agd_grid.table8("laptop", seeds=[0], timesteps=[5], names=["VGG5"])[0]
    with pytest.raises(
        ValueError, match=r"records must be of one scale, got Profile laptop: .*; Profile quick: "
    ):
        scale([*records, SimpleNamespace(labels=other.labels, spec=other.spec)])
