"""The tables of "beyond the paper" on made-up records, every number worked out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from panda2020.agd.figures import passes_of
from panda2020.agd.grid import table8
from panda2020.beyond import figures
from panda2020.beyond import grid as beyond_grid
from panda2020.beyond import tables as beyond_tables
from panda2020.runs import Record, to_dict
from panda2020.runs.spec import task_of

pytestmark = pytest.mark.usefixtures("stated_energies")


def bits(right):
    text = "".join("1" if hit else "0" for hit in right)
    return f"{int(text.ljust(-(-len(text) // 4) * 4, '0'), 2):0{-(-len(text) // 4)}x}"


def record(entry, right, **more):
    result = {
        "accuracy": sum(right) / len(right),
        "correct": sum(right),
        "total": len(right),
        "hits": bits(right),
        **more,
    }
    data = {
        "key": f"{entry.role}-{entry.spec.seed}",
        "task": task_of(entry.spec),
        "spec": to_dict(entry.spec),
        "result": result,
    }
    return Record(data, Path("made.json"), "recorded", entry.labels)


def spiking(
    role,
    right,
    *,
    rate=0.2,
    entering=0.5,
    seed=0,
    energy=100.0,
    table=beyond_grid.latency_coded,
    network="VGG5",
):
    entry = next(e for e in table("laptop", seeds=[seed], names=[network]) if e.role == role)
    sites = {p.site: rate for p in passes_of(entry.spec)[:-1]} | {"input": entering}
    return record(
        entry,
        right,
        steps=entry.spec.input.steps,
        events={},
        activity={site: {"kind": "spikes", "rate": r, "nonzero": r} for site, r in sites.items()},
        energy={"paper/int32": {"efficiency": 1000 / energy}, "full/int32": {"snn_pj": 1000 * energy}},
    )


RATE = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]  # 5 of 10
LATE = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]  # 7 of 10, none of them lost


def test_one_pair_of_codes():
    runs = [spiking("snn", RATE), spiking("snn-latency", LATE, rate=0.05, entering=0.04, energy=25.0)]
    base, row = beyond_tables.role_table(runs).to_dict("records")
    assert (row["network"], row["T"], row["role"], row["accuracy"], row["reference"]) == (
        "VGG5",
        25,
        "snn-latency",
        0.7,
        0.5,
    )
    assert (
        row["difference"] == pytest.approx(20)
        and row["difference over"] == "test images alone"
        and row["pairs"] == 1
    )
    assert (row["EE"], row["EE ratio"]) == (pytest.approx(40), pytest.approx(4))
    assert (row["energy (nJ)"], row["energy ratio"]) == (pytest.approx(25), pytest.approx(0.25))
    neurons = sum(np.prod(p.out_shape) for p in passes_of(runs[0].spec)[:-1])
    assert base["spikes per image"] == pytest.approx(25 * 0.2 * neurons) and row[
        "spike ratio"
    ] == pytest.approx(0.25)
    assert row["input spikes"] == pytest.approx(25 * 0.04 * 3 * 32 * 32)  # once per pixel
    assert pd.isna(base["difference"]) and row["origin"] == "■ recorded"
    for view in (beyond_tables.ACCURACY, beyond_tables.ENERGY):
        assert set(view) <= set(beyond_tables.role_table(runs))


def test_other_answers_are_drawn_beside_the_noise_of_seeds():
    runs = [
        spiking(role, right, seed=seed, table=beyond_grid.unstated)
        for seed in (0, 1)
        for role, right in (("snn", RATE), ("snn-gain", LATE), ("snn-signed", RATE))
    ]
    table = beyond_tables.role_table(runs)
    axes = figures.draw_roles(table, noise=3.0).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["larger first weights", "signed input spikes"]
    assert (axes.patches[0].get_x(), axes.patches[0].get_width()) == (-6.0, 12.0)
    assert not figures.draw_roles(table, noise=None).axes[0].patches
    said = figures.role_sentence(table, noise=3.0)
    assert said.startswith(
        "0 of 2 other answers change the accuracy beyond their interval, 1 by more than two runs"
    )
    assert "(6.0 points)" in said and said.endswith(
        "0.0 points (signed input spikes) to +20.0 (larger first weights)."
    )
    assert "usually" not in figures.role_sentence(table, noise=None)
    assert (
        figures.role_sentence(table[:1], noise=None) == "No other answer is recorded beside the default yet."
    )


def test_pairs_are_by_seed_and_silence_gives_no_ratio():
    runs = [spiking("snn", RATE, seed=s, rate=0.0) for s in (0, 1)] + [spiking("snn-latency", LATE, seed=1)]
    row = beyond_tables.role_table(runs).to_dict("records")[1]
    assert row["pairs"] == 1 and np.isnan(row["spike ratio"])


def test_refusals():
    one = spiking("snn", RATE)
    with pytest.raises(ValueError, match="twice"):
        beyond_tables.role_table([one, spiking("snn", LATE)])
    other = spiking("snn", RATE)
    with pytest.raises(ValueError, match="records must be of one profile, got laptop, paper"):
        beyond_tables.role_table([one, other.tagged("recorded", {**other.labels, "profile": "paper"})])


def binary(network, role, right, *, seed=0):
    entry = next(
        e for e in beyond_grid.binary_networks("laptop", seeds=[seed], names=[network]) if e.role == role
    )
    sites = {"input": 0.5, "conv1": 0.2, "conv2": 0.4}
    return record(
        entry,
        right,
        steps=1,
        binary_parameters=800,
        activity={site: {"kind": "spikes", "rate": r, "nonzero": r} for site, r in sites.items()},
    )


def test_binary_networks():
    runs = [
        binary("VGG5", "binary", RATE),
        binary("VGG3x2-v2", "binary", LATE),
        binary("VGG5", "binary-stochmax", RATE),
        binary("VGG3x2-v2", "binary-stochmax", [1] * 9 + [0]),
        binary("VGG7-agd", "binary", [1] + [0] * 9),
    ]
    table = beyond_tables.binary_table(runs).set_index(["network", "role"])
    row = table.loc[("VGG5", "binary")]
    parameters = sum({p.layer: p.weights for p in passes_of(runs[0].spec)}.values())
    assert row["weights (kB)"] == pytest.approx((800 / 8 + (parameters - 800) * 4) / 1000)
    assert row["all real (kB)"] == pytest.approx(4 * parameters / 1000)
    assert (
        row["active neurons"] == pytest.approx(0.3)
        and row["learnt"] == 1
        and table.loc[("VGG7-agd", "binary"), "learnt"] == 0
    )
    (row,) = beyond_tables.added_layout(runs).to_dict("records")  # nothing of the deeper pair
    assert (row["plain network"], row["with BackRes"]) == ("VGG5", "VGG3x2-v2")
    added = [row[f"{what} adds, points"].ours.mean for what in ("BackRes", "stochmax", "both")]
    assert added == pytest.approx([20, 0, 40])
    assert beyond_tables.added_layout(runs[1:2]).empty
    alone = beyond_tables.added_layout(runs[:2]).iloc[0]
    assert alone["both adds, points"].ours is None and alone["BackRes adds, points"].ours is not None


def test_accuracies_of_binary_networks_stand_beside_their_anns():
    table = figures.accuracy_table(
        [binary("VGG5", "binary", RATE), binary("VGG7-agd", "binary", LATE), ann()]
    )
    assert table[["network", "role", "accuracy"]].values.tolist() == [
        ["VGG5", "binary", 0.5], ["VGG7", "binary", 0.7], ["VGG5", "ann", 0.5],
    ]  # fmt: skip
    assert figures.accuracy_sentences(table)[1] == "Binary, softmax: 50.0% to 70.0% of the test images."
    axes = figures.draw_accuracies(table).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["VGG5", "VGG7"]
    marks = [line for line in axes.lines if line.get_marker() in ("s", "o")]
    assert [float(mark.get_ydata()[0]) for mark in marks] == pytest.approx([0.5, 0.5, 0.7])


def test_spikes_of_a_code_are_drawn_by_pixel():
    spikes = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # (T, pixels)
    left, right = figures.draw_codes([0.9, 0.1], {"often": spikes, "never": 0 * spikes}).axes
    assert (
        left.get_title(loc="left") == "often: 3 spikes" and right.get_title(loc="left") == "never: 0 spikes"
    )
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["pixel 0.9", "pixel 0.1"]


def test_the_layout_of_codes_is_paired():
    runs = [spiking("snn", RATE), spiking("snn-latency", LATE, rate=0.05, entering=0.05, energy=25.0)]
    (row,) = beyond_tables.codes_layout(runs).to_dict("records")
    assert row["latency − Poisson, points"].ours.mean == pytest.approx(20)
    ratios = [row[f"{what}, times"] for what in ("input spikes", "other spikes", "energy")]
    assert ratios == pytest.approx([0.1, 0.25, 0.25])
    assert beyond_tables.code_sentence(runs) == (
        "A latency code changes accuracy by +20.0 points, the spikes inside the network to 0.25 times and its energy to 0.25 "
        "times those of a Poisson code (networks of Table 8 at their first T)."
    )
    assert beyond_tables.codes_layout(runs[:1]).empty and beyond_tables.code_sentence(runs[:1]) == ""


def ann(seed=0):
    entry = next(e for e in table8("laptop", seeds=[seed], names=["VGG5"]) if e.role == "ann")
    sites = {p.site: 0.5 for p in passes_of(entry.spec)[:-1]} | {"input": 0.5}
    return record(
        entry, RATE, activity={site: {"kind": "real", "rate": r, "nonzero": r} for site, r in sites.items()}
    )


def test_what_the_convention_hides():
    snn = spiking("snn", RATE, rate=0.1)
    table = beyond_tables.hidden_table([snn, ann(), spiking("snn", RATE, seed=1)])  # seed 1 has no ANN
    (row,) = table.to_dict("records")
    m = beyond_tables.energy_tables.measured(snn, ann())
    full, counted = m.report("full"), m.report("full", memory=beyond_tables.SRAM)
    assert (row["seeds"], row["accuracy"], row["T"]) == (1, 0.5, 25)
    assert row["full"] == pytest.approx(full.efficiency) and row["full + memory"] == pytest.approx(
        counted.efficiency
    )
    assert row["memory / none"] == pytest.approx(row["full + memory"] / row["full"])
    extra = counted.ann - full.ann
    assert row["same memory"] == pytest.approx((full.ann + extra) / (full.snn + extra))
    assert 0 < row["spikes' share"] < 1
    said = beyond_tables.hidden_finding(table)
    assert f"{row['memory / none']:.2f}" in said[0] and f"{row['full'] / row['paper']:.2f}" in said[2]
    assert row["paper, 95 %"] is None  # of one seed
    axes = figures.draw_hidden(table).axes[0]
    assert axes.lines[1].get_ydata() == pytest.approx([row[stage] for stage in beyond_tables.STAGES])
    two = beyond_tables.hidden_table([snn, ann(), spiking("snn", RATE, rate=0.2, seed=1), ann(1)]).iloc[0]
    assert two["paper, 95 %"].low < two["paper"] < two["paper, 95 %"].high
    assert beyond_tables.hidden_table([snn]).empty
    assert beyond_tables.hidden_finding(beyond_tables.hidden_table([snn])) == [
        "No spiking network is recorded beside its ANN."
    ]


def test_gradients_in_words():
    rows = [
        {
            "network": "N",
            "epoch": e,
            "to the other steps": 0.1 * (e + 1),
            "to itself": 0.3,
            "others, other batches": 0.05,
        }
        for e in (0, 2)
    ]
    learnt, dead = (
        {"N": SimpleNamespace(result={"curve": [{"validation_accuracy": share}]})} for share in (0.3, 0.1)
    )
    (said,) = beyond_tables.gradient_finding(pd.DataFrame(rows), learnt)
    assert said.startswith(
        "N after 2 epochs (30.0% on validation images): cosine between different steps 0.30"
    )
    assert "more like itself (0.30)" in said
    (flat,) = beyond_tables.gradient_finding(pd.DataFrame([{**rows[0], "to itself": 0.05}]), learnt)
    assert "no more like itself" in flat
    (silent,) = beyond_tables.gradient_finding(pd.DataFrame(rows), dead)
    assert silent == "N after 2 epochs: at chance (10.0% on validation images), so its gradients say nothing."
