"""The tables of "beyond the paper" on made-up records, every number worked out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from panda2020.agd.figures import passes_of
from panda2020.agd.grid import table8
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
    entry = next(e for e in table("first", seeds=[seed], names=[network]) if e.role == role)
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
    (said,) = beyond_tables.role_finding(beyond_tables.role_table(runs))
    assert (
        said.startswith("VGG5, T = 25, snn-latency: +20.0 points")
        and "over test images alone, 1 seed)" in said
    )
    assert said.endswith("0.25 times the spikes, 0.25 times the energy.")


def test_pairs_are_by_seed_and_silence_gives_no_ratio():
    runs = [spiking("snn", RATE, seed=s, rate=0.0) for s in (0, 1)] + [spiking("snn-latency", LATE, seed=1)]
    row = beyond_tables.role_table(runs).to_dict("records")[1]
    assert row["pairs"] == 1 and np.isnan(row["spike ratio"])
    assert "can be compared yet" in beyond_tables.role_finding(beyond_tables.role_table(runs[:2]))[0]
    two = [
        spiking(role, right, seed=s) for s in (0, 1) for role, right in (("snn", LATE), ("snn-latency", RATE))
    ]
    assert (
        "less accurate" in beyond_tables.role_finding(beyond_tables.role_table(two))[0]
    )  # the same loss in both: over seeds, for sure


def test_refusals():
    one = spiking("snn", RATE)
    with pytest.raises(ValueError, match="twice"):
        beyond_tables.role_table([one, spiking("snn", LATE)])
    other = spiking("snn", RATE)
    with pytest.raises(ValueError, match="records must be of one profile, got first, paper"):
        beyond_tables.role_table([one, other.tagged("recorded", {**other.labels, "profile": "paper"})])


def binary(network, role, right, *, seed=0):
    entry = next(
        e for e in beyond_grid.binary_networks("first", seeds=[seed], names=[network]) if e.role == role
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
    found = beyond_tables.binary_differences(runs)  # nothing of the deeper pair
    assert found["added"].tolist() == ["BackRes", "stochmax", "both"] and set(found["against"]) == {"VGG5"}
    assert found["difference"].tolist() == pytest.approx([20, 0, 40])
    assert beyond_tables.binary_differences(runs[1:2]).empty


def ann(seed=0):
    entry = next(e for e in table8("first", seeds=[seed], names=["VGG5"]) if e.role == "ann")
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
    axes = beyond_tables.draw_hidden(table).axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx(
        [row[s] for s in ("paper", "physical", "full", "full + memory")]
    )
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
