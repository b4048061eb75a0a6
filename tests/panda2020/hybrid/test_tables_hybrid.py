"""Tables 14 and 16 on made-up records, and what follows from shapes alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from panda2020 import contents
from panda2020.agd.figures import passes_of
from panda2020.hybrid import figures as hybrid_figures
from panda2020.hybrid import tables
from panda2020.networks import network
from panda2020.runs import Record, to_dict
from snncore.activity import SiteActivity
from snncore.energy import macs, report
from snncore.topology import plan

pytestmark = pytest.mark.usefixtures("stated_energies")


def bits(right):
    text = "".join("1" if hit else "0" for hit in right)
    return f"{int(text.ljust(-(-len(text) // 4) * 4, '0'), 2):0{-(-len(text) // 4)}x}"


def made(table, name, role, right, *, seed=0, ee=2.0, pj=100.0, rate=0.1):
    entry = next(
        e for e in contents.TABLES[table]("laptop", seeds=[seed]) if (e.network, e.role) == (name, role)
    )
    result = {
        "accuracy": sum(right) / len(right),
        "correct": sum(right),
        "total": len(right),
        "hits": bits(right),
        "parameters": 7,
        "energy": {"int32": {"ann_pj": 1.0}},
        "activity": {
            site: {"kind": "spikes", "rate": rate, "nonzero": rate}
            for p in passes_of(entry.spec)
            for site in (p.site, *p.sources)
        },
    }
    if entry.spec.input.steps:
        result["steps"] = entry.spec.input.steps
        result["energy"] = {
            f"{c}/int32": {"efficiency": ee * f, "snn_pj": pj / f}
            for c, f in (("paper", 1), ("physical", 0.5), ("full", 0.25))
        }
    data = {"key": f"{seed:016x}", "task": "train", "spec": to_dict(entry.spec), "result": result}
    return Record(data, Path("made.json"), "recorded", entry.labels)


ANN = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
BETTER = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_rows_names_and_sentences_of_table_14():
    records = [
        made("14", "VGG9", "hybrid-stochmax", BETTER, ee=4.0),
        made("14", "VGG9", "hybrid-rate", ANN),
        made("14", "VGG9", "ann-bn", BETTER),
        made("14", "VGG9", "ann", ANN),
        made("14", "VGG8x2", "hybrid-stochmax", ANN),
    ]
    table = tables.hybrid_table(records)
    assert table["role"].tolist() == [
        "ANN",
        "ANN, batch norm, dropout",
        "hybrid, stochmax",
        "hybrid, stochmax, rate-coded X[t]",
        "hybrid, stochmax",
    ]
    row = table.iloc[2]
    assert row["minus ANN"] == pytest.approx(20) and row["EE paper"] == 4.0 and row["T"] == 25
    assert "~1% improvement in accuracy in SNN" in row["paper says"] and "“" in table["paper says"][4]
    assert table["paper says"][0] == "not in our source"
    assert table["at most"].isna().tolist() == [True, True, False, False, False]
    assert row["at most physical"] < row["at most"]
    assert table["minus ANN"].isna().tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]  # VGG8x2's own ANN is missing
    for view in (tables.ACCURACY, tables.DIFFERENCE, tables.ENERGY):
        assert set(view) <= set(table)
    records[0].labels["role"] = "snn"
    with pytest.raises(ValueError, match="role of a record must be one of ann"):
        tables.hybrid_table(records)


def test_no_records_give_an_empty_table():
    assert tables.hybrid_table([]).empty and tables.sweep_table([]).empty and tables.input_table([]).empty


def test_bound_is_that_of_silent_layers():
    row = tables.hybrid_table([made("14", "VGG9", "hybrid-stochmax", ANN)]).iloc[0]
    passes = passes_of(made("14", "VGG9", "hybrid-stochmax", ANN).spec)
    relu = sum(macs(p) for p in passes if p.neuron in ("relu", "none"))
    assert row["at most"] == pytest.approx(sum(map(macs, passes)) / relu)


def test_inputs_are_paired_by_seed():
    records = [
        made("14", "VGG9", "hybrid-stochmax", BETTER, pj=2000.0),
        made("14", "VGG9", "hybrid-stochmax", ANN, seed=1, pj=9000.0),
        made("14", "VGG9", "hybrid-rate", ANN, pj=1000.0),
    ]
    (row,) = tables.input_table(records).to_dict("records")
    assert row["pairs"] == 1 and row["accuracy X"] == 0.7 and row["X minus X[t]"] == pytest.approx(20)
    assert row["nJ X, paper"] == pytest.approx(2) and row["nJ X[t], physical"] == pytest.approx(2)
    assert row["ratio paper"] == row["ratio physical"] == pytest.approx(2)
    assert tables.input_table(records[:2]).empty


def test_sweep_counts_layers_and_is_drawn():
    records = [made("14-relu", "VGG9", f"relu-{k}", right) for k, right in ((0, ANN), (6, BETTER))]
    records[0].result["activity"]["fc1"]["rate"] = 0.02
    records += [made("14", "VGG8x2", "hybrid-stochmax", ANN), made("14", "VGG9", "ann", ANN)]
    table = tables.sweep_table(records)
    assert table[["ReLU convolutions", "LIF convolutions"]].values.tolist() == [[0, 7], [6, 1]]
    assert table["last / first rate"].tolist() == pytest.approx([0.2, 1.0])
    left, right = hybrid_figures.draw_sweep(table, by="ReLU convolutions", ann=0.6).axes
    assert left.lines[0].get_ydata().tolist() == [0.5, 0.7]
    assert right.lines[0].get_ydata().tolist() == [2.0, 2.0]


def test_full_size_follows_from_shapes():
    nets = tables.vgg13_family()
    table = tables.full_size_table(nets, steps=10).set_index("network")
    assert set(table.index) == set(nets) and len(nets) == 3 + 3 + 2
    two = table.loc["2 LIF, reading A"]
    biases = 2 * (64 + 128 + 256) + 4 * 512 + 2 * 4096
    assert (
        two["parameters"] == 133_047_848 - biases
    )  # torchvision's count, without the biases that ours leaves out
    assert two["EE at most"] == pytest.approx(1.326, abs=0.01)
    assert table.loc["8 LIF", "EE at most"] > table.loc["4 LIF", "EE at most"] > two["EE at most"]
    # at that rate, EE is the target; four spiking layers have it at any rate
    assert table.loc["4 LIF", "rate for EE 1.3"] == 1.0
    passes, rate = plan(nets["2 LIF, reading A"].topology, (3, 224, 224), "lif"), two["rate for EE 1.3"]
    sites = {s: SiteActivity("spikes", rate, rate) for p in passes for s in (p.site, *p.sources)}
    assert rate < 1 and report(passes, sites, 10).efficiency == pytest.approx(1.3)
    assert (
        tables.full_size_table(nets, steps=10, target=1.4)["rate for EE 1.4"].isna().tolist()[:3]
        == [True] * 3
    )


def test_measured_rates_at_full_size():
    record = made("16", "VGG13", "hybrid-backres", ANN, rate=0.05)
    (row,) = tables.at_full_size([record, made("16", "VGG13", "ann", ANN)]).to_dict("records")
    passes = plan(tables.vgg13_family()["2 LIF, the second computed 2 times"].topology, (3, 224, 224), "lif")
    sites = {s: SiteActivity("spikes", 0.05, 0.05) for p in passes for s in (p.site, *p.sources)}
    assert row["EE at 224 pixels, int32"] == pytest.approx(report(passes, sites, 10).efficiency)
    assert row["role"] == "hybrid, BackRes in the LIF layers" and row["EE as run, int32"] == 2.0


def test_registered_shapes_are_the_ones_of_the_family():
    assert tables.vgg13_family()["2 LIF, reading A"] == network("VGG13")
