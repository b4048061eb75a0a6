"""Tables 10 and 11 and the pictures of rho on made-up records, every number worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import bits

from panda2020.agd.figures import passes_of
from panda2020.runs import Record, to_dict
from panda2020.samples import Sample
from panda2020.stochmax import figures as stochmax_figures
from panda2020.stochmax import grid as stochmax_grid
from panda2020.stochmax import tables

pytestmark = pytest.mark.usefixtures("stated_energies")


def made(role, right, *, network="VGG3", steps=5, seed=0, ee=10.0, rate=0.2, profile="laptop"):
    """A record of Table 10 or 11 whose every site spikes at ``rate`` (or at the rates of a list)."""
    table = stochmax_grid.table10 if network == "VGG3" else stochmax_grid.table11
    entry = next(
        e for e in table(profile, seeds=[seed], timesteps=[steps], names=[network]) if e.role == role
    )
    sites = [p.site for p in passes_of(entry.spec)[:-1]]
    rates = rate if isinstance(rate, list) else [rate] * len(sites)
    result = {
        "accuracy": sum(right) / len(right),
        "correct": sum(right),
        "total": len(right),
        "hits": bits(right),
        "steps": steps,
        "energy": {
            f"{c}/int32": {"efficiency": ee * f} for c, f in (("paper", 1), ("physical", 0.5), ("full", 0.25))
        },
        "activity": {
            site: {"kind": "spikes", "rate": r, "nonzero": r} for site, r in zip(sites, rates, strict=True)
        },
        "curve": [{"rho_target": 0.9, "rho_others": 0.5, "kept": 0.6, "cross_entropy": 1.0}],
    }
    if role == "snn-stochmax":
        result["rho"] = [[1.0, 0.2], [0.4, 0.8]]
    data = {"key": f"{seed:016x}", "task": "train", "spec": to_dict(entry.spec), "result": result}
    return Record(data, Path("made.json"), "recorded", entry.labels)


SOFT = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]  # 5 of 10
STOCH = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]  # 7 of 10, none of them lost


def test_one_pair():
    table = tables.heads_table(
        [made("snn", SOFT, ee=8.0, rate=0.2), made("snn-stochmax", STOCH, ee=12.0, rate=0.1)]
    )
    (row,) = table.to_dict("records")
    assert (row["network"], row["T"], row["softmax"], row["stochmax"], row["pairs"]) == (
        "VGG3",
        5,
        0.5,
        0.7,
        1,
    )
    assert row["difference"] == pytest.approx(20) and row["difference over"] == "test images alone"
    assert row["McNemar p"] == pytest.approx(0.5)  # two coins that fall alike
    assert row["EE ratio"] == pytest.approx(1.5) == row["EE ratio full"]
    assert row["rate ratio"] == pytest.approx(0.5) and row["origin"] == "■ recorded"
    for view in (tables.ACCURACY, tables.ENERGY):
        assert set(view) <= set(table)


def test_seeds_without_a_partner_count_for_nothing_where_others_have_one():
    records = [
        made("snn", STOCH, seed=0, ee=90.0),
        made("snn", SOFT, seed=1),
        made("snn-stochmax", STOCH, seed=1, ee=20.0),
    ]
    (row,) = tables.heads_table(records).to_dict("records")
    assert row["softmax"] == 0.5 and row["pairs"] == 1 and row["EE ratio"] == pytest.approx(2)
    assert row["difference"] == pytest.approx(100 * (row["stochmax"] - row["softmax"]))
    assert row["EE stochmax"] / row["EE softmax"] == pytest.approx(row["EE ratio"])
    (alone,) = tables.heads_table(records[:2]).to_dict("records")
    assert alone["stochmax"] is None and alone["difference"] is None and alone["pairs"] == 0


def test_no_spikes_give_no_ratio_of_rates():
    (row,) = tables.heads_table([made("snn", SOFT, rate=0.0), made("snn-stochmax", STOCH)]).to_dict("records")
    assert row["rate ratio"] is None


def test_refusals():
    one = made("snn", SOFT)
    with pytest.raises(ValueError, match="twice"):
        tables.heads_table([one, made("snn", STOCH)])
    with pytest.raises(ValueError, match="one profile"):
        tables.heads_table([one, made("snn-stochmax", STOCH, profile="paper")])
    one.labels["role"] = "ann"
    with pytest.raises(ValueError, match="role of a record must be one of snn, snn-stochmax"):
        tables.heads_table([one])
    for wrong in ([], [one]):
        with pytest.raises(ValueError, match="stochmax runs"):
            tables.rho(wrong)


def test_equal_accuracy_takes_the_smallest_t_that_is_as_good():
    def row(steps, soft, stoch, ee, pairs=1):
        return {
            "network": "VGG5",
            "reading": "A",
            "T": steps,
            "softmax": soft,
            "stochmax": stoch,
            "EE softmax": ee,
            "EE stochmax": ee,
            "pairs": pairs,
        }

    table = pd.DataFrame([row(25, 0.5, 0.55, 20.0), row(50, 0.55, 0.6, 10.0)])
    (found,) = tables.equal_accuracy(table).to_dict("records")
    assert (found["T softmax"], found["T stochmax"], found["EE ratio"]) == (50, 25, 2)
    table = pd.DataFrame([row(25, 0.5, 0.4, 20.0), row(50, 0.55, 0.5, 10.0)])
    assert tables.equal_accuracy(table)["T stochmax"].tolist() == ["not reached"]
    assert tables.equal_accuracy(table.assign(stochmax=np.nan)).empty
    (fewer,) = tables.equal_accuracy(
        pd.DataFrame([row(25, 0.5, 0.55, 20.0, 3), row(50, 0.55, 0.6, 10.0)])
    ).to_dict("records")
    assert (fewer["T softmax"], fewer["T stochmax"]) == (25, 25)  # one seed at T = 50 against three


def test_layer_rates_are_paired_and_drawn():
    records = [
        made("snn", SOFT, rate=[0.4, 0.2, 0.1]),
        made("snn-stochmax", STOCH, rate=[0.3, 0.2, 0.05]),
        made("snn", SOFT, steps=10),
    ]
    rates = tables.layer_rates(records)
    assert rates["site"].tolist() == ["conv1", "conv2", "fc1"] and set(rates["T"]) == {5}
    assert rates["sparser"].tolist() == [True, False, True]
    axes = stochmax_figures.draw_layer_rates(rates).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [0.4, 0.2, 0.1]
    assert tables.layer_rates(records[2:]).empty
    weights = [np.prod(p.out_shape) for p in passes_of(records[0].spec)[:-1]]
    expected = np.dot(weights, [0.4, 0.2, 0.1]) / sum(weights)
    assert Sample(records[0], 5, records[0].result).mean_rate == pytest.approx(expected)


def test_rho_is_averaged_and_pairs_are_ranked_by_both_directions():
    one, two = made("snn-stochmax", STOCH), made("snn-stochmax", STOCH, seed=1)
    two.result["rho"] = [[1.0, 0.6], [0.4, 0.8]]
    assert tables.rho([one, two]).tolist() == [[1.0, 0.4], [0.4, 0.8]]
    matrix = np.array([[1, 0.9, 0.0], [0.1, 1, 0.2], [0.4, 0.6, 1]])
    found = tables.class_pairs(matrix, ("a", "b", "c"), count=1)
    assert found.to_dict("records") == [
        {"kept": "most", "pair": "b and a", "rho": 0.5},
        {"kept": "least", "pair": "c and a", "rho": pytest.approx(0.2)},
    ]
    figure = stochmax_figures.draw_rho({"x": matrix, "y": matrix.T}, ("a", "b", "c"))
    assert figure.axes[0].images[0].get_array().tolist() == matrix.tolist()


def test_health_says_when_a_run_has_collapsed():
    healthy, dead = made("snn-stochmax", STOCH), made("snn-stochmax", STOCH, seed=1)
    dead.result["curve"] = [{"rho_target": 0.5, "rho_others": 0.5, "kept": 0.5}]
    dead.result["curve"] += [{"rho_target": 0.0, "rho_others": 0.001, "kept": 0.1}]
    table = tables.health_table([made("snn", SOFT), healthy, dead])
    assert table["collapsed"].tolist() == ["no", "dropped"] and table["seed"].tolist() == [0, 1]


def test_toy_table_and_figure():
    curves = pd.DataFrame(
        [{"reading": "softmax", "epoch": e, "accuracy_logits": 90.0} for e in (1, 2)]
        + [
            {
                "reading": "DropMax",
                "epoch": e,
                "accuracy_logits": 80.0,
                "accuracy_rho": 85.0 + e,
                "rho_target": 0.8,
                "rho_others": 0.4,
                "kept": 0.5,
                "collapsed": "no",
            }
            for e in (1, 2)
        ]
    )
    table = tables.readings_table(curves)
    assert table["accuracy, rho"].isna().tolist() == [True, False] and table["accuracy, rho"][1] == 87.0
    assert table["collapsed"][1] == "no" and table["accuracy, logits"].tolist() == [90.0, 80.0]
    left, right = stochmax_figures.draw_toy(curves).axes
    assert len(left.lines) == 2 and right.lines[1].get_ydata().tolist() == [86.0, 87.0]


# --- what Eq. 7 leaves open, on validation images -----------------------------------------------------------


def variant(role, validation, *, others=0.5, target=0.9):
    entry = next(e for e in stochmax_grid.stochmax_variants("laptop") if e.role == role)
    last = {"validation_accuracy": validation, "rho_target": target, "rho_others": others, "kept": 0.6}
    before = {"validation_accuracy": 0.1, "rho_target": 0, "rho_others": 0, "kept": 0}
    result = {"curve": [before, last], "data": {"validation": 500}}
    task = "train" if role.startswith("snn") else "train-head"
    data = {"key": role, "task": task, "spec": to_dict(entry.spec), "result": result}
    return Record(data, Path("made.json"), "recorded", entry.labels)


def test_every_variant_of_the_grid_has_words():
    assert list(tables.VARIANTS) == ["snn", "snn-stochmax", *stochmax_grid.STOCHMAX_VARIANTS]


def test_variants_are_told_apart_on_validation_images():
    runs = [
        variant("variant-exact", 0.42),
        variant("variant-alone-kept", 0.45, others=0.001, target=0.001),
        variant("snn", 0.5),
        variant("snn-stochmax", 0.40),
    ]
    table = tables.variant_table(runs)
    order = ("snn", "snn-stochmax", "variant-alone-kept", "variant-exact")
    assert table["reading"].tolist() == [tables.VARIANTS[role] for role in order]
    assert table["collapsed"].tolist() == ["–", "no", "dropped", "no"]
    assert [*table["95 % interval"][0]] == pytest.approx([45.6, 54.4], abs=0.05)
    assert table["rho of other classes"].isna().tolist() == [True, False, False, False]
    alone, best = tables.variant_sentences(table)
    assert alone.startswith(
        "cross-entropy alone, target kept has collapsed (dropped): rho of other classes 0.001"
    )
    # two shares of 500: sqrt(0.42 0.58 / 500 + 0.4 0.6 / 500) = 3.1 points
    assert (
        "gradient of psi: exact, 2.0 points above the default; that is less than two standard errors (6.2 points)"
        in best
    )
    better = tables.variant_sentences(
        tables.variant_table([*runs[1:3], variant("snn-stochmax", 0.43), runs[0]])
    )
    assert (
        better[-1] == "of the 2 that have not collapsed, none is better on validation images than the default"
    )
    far = tables.variant_sentences(tables.variant_table([variant("snn-stochmax", 0.3), runs[0]]))
    assert far[-1].endswith("that is more than two standard errors (6.0 points), from one seed")
    alive = tables.variant_sentences(tables.variant_table([variant("variant-alone-drawn", 0.4, others=0.7)]))
    assert len(alive) == 1 and "has not collapsed: rho of other classes 0.700" in alive[0]
    with pytest.raises(ValueError, match="role of a record must be one of snn, snn-stochmax"):
        tables.variant_table(
            [Record(runs[0].data, runs[0].path, "recorded", {**runs[0].labels, "role": "ann"})]
        )
