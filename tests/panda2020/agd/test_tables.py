"""Table 8 and the tuning table on made-up records, every shown number worked out by hand; the laptop recipe."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from panda2020 import contents
from panda2020.agd import grid as agd_grid
from panda2020.agd import tables as agd_tables
from panda2020.hybrid import grid as hybrid_grid
from panda2020.profiles import profile
from panda2020.records import missing_table, reading_of, recorded, scale
from panda2020.runs import Store, key, results_directory
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
    profile="first",
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
    with pytest.raises(ValueError, match="records must be of one profile, got first, quick"):
        agd_tables.table8([ann(), ann(profile="quick", seed=1)])
    with pytest.raises(ValueError, match="records must hold each run once, got VGG5 A ann seed 0 twice"):
        agd_tables.table8([ann(), ann()])


def tried(role, rate, gain, accuracy, loss=1.0):
    spec = SimpleNamespace(
        training=SimpleNamespace(learning_rate=rate),
        network=SimpleNamespace(gain=gain),
        data=SimpleNamespace(validation=400),
    )
    curve = [
        {"validation_accuracy": 0.99, "validation_loss": 0.0},
        {"validation_accuracy": accuracy, "validation_loss": loss},
    ]
    return SimpleNamespace(
        labels={"role": f"tuning-{role}"}, spec=spec, result={"curve": curve, "accuracy": 1 - accuracy}
    )


def test_tuning_table_marks_the_best_on_validation_at_the_end():
    records = [
        tried("ann", 1e-3, 1.0, 0.3),
        tried("ann", 3e-3, 1.0, 0.4, loss=2.0),
        tried("ann", 3e-3, 0.7, 0.4, loss=1.9),  # as accurate, and surer
        tried("snn", 1e-3, 1.0, 0.35),
        tried("snn", 3e-3, 1.0, 0.1),
    ]
    table = agd_tables.tuning_table(records)
    points = list(zip(table["learning rate"], table["gain"], strict=True))
    assert points == [(1e-3, 1.0), (3e-3, 0.7), (3e-3, 1.0)]
    assert table["ANN validation"].tolist() == [0.3, 0.4, 0.4]
    assert table["SNN validation"][0] == 0.35 and math.isnan(table["SNN validation"][1])
    assert table["chosen"].tolist() == ["SNN", "ANN", ""]
    with pytest.raises(ValueError, match="records must have role tuning-ann or tuning-snn, got 'snn'"):
        bad = tried("ann", 1e-3, 1.0, 0.3)
        bad.labels["role"] = "snn"
        agd_tables.tuning_table([bad])


def test_within_one_standard_error_of_the_best_the_smaller_learning_rate_is_chosen():
    error = math.sqrt(0.4 * 0.6 / 400)
    points = ((3e-3, 1.0, 0.4), (1e-3, 1.0, 0.4 - error + 1e-6), (1e-3, 1.4, 0.4 - error + 1e-5))
    close = [tried("snn", *point) for point in points]
    assert agd_tables.tuning_point(agd_tables.tuned(close)["SNN"]) == (1e-3, 1.4)
    far = [close[0], tried("snn", 1e-3, 1.0, 0.4 - error - 1e-6)]
    assert agd_tables.tuning_point(agd_tables.tuned(far)["SNN"]) == (3e-3, 1.0)
    assert agd_tables.most_accurate(close) is close[0]


@pytest.mark.parametrize(
    "best, ending",
    [
        ((1e-3, 1.0), ""),  # in the middle of both
        ((1e-3, 1.4), " The chosen point of the SNN lies at the edge of the grid."),
        ((3e-4, 0.7), " The chosen point of the SNN lies at the edge of the grid."),
    ],
)
def test_tuning_caption(best, ending):
    grid = [(rate, gain) for rate in (3e-4, 1e-3, 3e-3) for gain in (0.7, 1.0, 1.4)]
    records = [tried("snn", *point, 0.36 if point == best else 0.2) for point in grid]
    for record in records:
        record.labels["network"] = "VGG5"
        record.spec.training.epochs, record.spec.input = 3, SimpleNamespace(steps=10)
        record.spec.data = SimpleNamespace(train=1000, validation=400, name="cifar10")
    text = agd_tables.tuning_caption(records)
    assert text.startswith("VGG5 after 3 epochs on 1,000 images of CIFAR-10") and "with T = 10." in text
    error = "one standard error is about 2.4 points"  # sqrt(.36 .64 / 400)
    chosen = "Chosen: the smallest learning rate within one standard error of the best point."
    assert text.endswith(f"on 400 validation images, where {error}. {chosen}{ending}")


@pytest.mark.parametrize(
    "grid, table, recipe",
    [
        (agd_grid.tuning, "tuning", lambda p: (p.ann, p.ann_network, p.snn, p.snn_network)),
        (
            hybrid_grid.tuning_hybrid,
            "14-tuning",
            lambda p: (p.deep_ann, p.ann_network, p.deep_snn, p.deep_network),
        ),
    ],
)
def test_the_laptop_recipe_is_the_chosen_recorded_tuning_point(grid, table, recipe):
    """As many points for ANN and SNN, all recorded, and the profile uses what is chosen of each."""
    entries = grid("first")
    store = Store(results_directory())
    records = [store.read(key(entry.spec)) for entry in entries]
    assert None not in records, (
        f"tuning runs are not recorded: python -m panda2020 record --profile first --table {table}"
    )
    assert sum(entry.role == "tuning-ann" for entry in entries) * 2 == len(entries)
    best = {role: agd_tables.tuning_point(record) for role, record in agd_tables.tuned(records).items()}
    ann, ann_network, snn, snn_network = recipe(profile("first"))
    assert best == {
        "ANN": (ann.learning_rate, ann_network.gain),
        "SNN": (snn.learning_rate, snn_network.gain),
    }


def test_the_recipe_of_networks_alone_is_the_best_recorded_point():
    store = Store(results_directory())
    records = [store.read(key(entry.spec)) for entry in agd_grid.tuning_alone("first")]
    assert None not in records, "python -m panda2020 record --profile first --table alone-tuning"
    alone = profile("first").alone
    best = agd_tables.tuning_point(agd_tables.most_accurate(records))
    assert best == (alone.training.learning_rate, alone.network.gain)


def test_recorded_and_missing(tmp_path):
    entries = agd_grid.table8("first", seeds=[0, 1], timesteps=[25], names=["VGG5"])
    found, missing = recorded(entries, results=tmp_path)
    assert found == [] and missing == entries
    table = missing_table([*missing, *missing[:0]])
    assert table["role"].tolist() == ["ANN", "SNN"] and table["T"].tolist() == [None, 25]
    assert table["seeds"].tolist() == ["0, 1", "0, 1"] and table["runs"].tolist() == [2, 2]
    assert table["reading"].tolist() == ["A", "A"] and (table["minutes"] > 0).all()
    assert list(missing_table([])) == list(table)
    converted = missing_table(
        contents.stochmax_converted("first", seeds=[3])
    )  # its seed is that of its ANN, and it has every T
    assert converted["seeds"].tolist() == ["3"] and converted["T"].tolist() == [None]
    assert reading_of("") == "A" and reading_of("reading B") == "B"


def test_scale_in_words():
    entries = agd_grid.table8("quick", timesteps=[5], names=["VGG5"])
    records = [SimpleNamespace(labels=entry.labels, spec=entry.spec) for entry in entries]
    assert scale(records) == (
        "Profile quick: digits at 16 pixels, 1,000 training and 300 test images, networks at 1/8 of the width, 6 epochs"
    )
    other = agd_grid.table8("first", seeds=[0], timesteps=[5], names=["VGG5"])[0]
    with pytest.raises(
        ValueError, match=r"records must be of one scale, got Profile first: .*; Profile quick: "
    ):
        scale([*records, SimpleNamespace(labels=other.labels, spec=other.spec)])
