"""Tables 6 and 12 and their figures, on made-up records."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from snncore.paper import figures_stdp, grids_stdp, tables_stdp
from snncore.paper.statistics import hits as unpack
from snncore.runs.spec import to_dict

RIGHT = {"ann": 90, "learned": 60, "random": 50, "pixels": 70}


def bits(right, total=150):
    return np.packbits(np.arange(total) < right).tobytes().hex()


def outcome_of(right):
    return {"accuracy": right / 150, "hits": bits(right), "correct": right, "total": 150}


def energy(value):
    return {"energy": {"paper/int32": {"efficiency": value}}}


def record(entry, tag="recorded"):
    labels = {"network": entry.network, "role": entry.role, "profile": entry.profile, "note": ""}
    result = outcome_of(RIGHT["ann"])
    if entry.role == "stdp":
        sources = {name: outcome_of(RIGHT[name]) for name in tables_stdp.SOURCES}
        top = {**sources, **energy(3.0), "convolutions": energy(11.0)}
        layers = {"conv1": 40, "conv2": 80}
        curve = [{"layer": name, "seen": 100, "change": 0.1, "at_low": 0.2, "at_high": 0.3} for name in layers]
        rates = {"input": 0.5, "conv1": 0.1, "conv2.1": 0.02, "conv2.2": 0.03}
        result = {"total": 150, "classifiers": {c.name: top for c in entry.spec.classifiers}, "updates": layers,
                  "curve": curve, "rates": {"learned": rates, "random": rates}}
    draw = np.random.default_rng(0)
    kernels = {f"conv1_{name}": draw.normal(size=(6, 1, 3, 3)) for name in ("before", "after", "seen0")}
    kernels["conv1_seen100"] = kernels["conv1_after"]
    return SimpleNamespace(spec=entry.spec, labels=labels, result=result, tag=tag, artifact=lambda _: kernels)


@pytest.fixture(params=["6", "12"])
def shown(request):
    make = grids_stdp.table6 if request.param == "6" else grids_stdp.table12
    return request.param, [record(e) for e in make("quick", seeds=[0])]


def test_made_up_hits_are_read_as_written():
    assert unpack(bits(60), 150).sum() == 60


def test_rows(shown):
    table, records = shown
    df = tables_stdp.stdp_table(records, table).set_index("network")
    assert list(df.index) == list(grids_stdp.NETWORKS)
    row = df.loc["ResNet2x2"]
    assert row["ANN"] == pytest.approx(0.6) and row["STDP"] == pytest.approx(0.4)
    assert row["minus ANN"] == pytest.approx(-20) and row["minus random"] == pytest.approx(100 / 15)
    assert row["minus pixels"] == pytest.approx(-100 / 15)
    assert row["EE full"] == 3.0 and row["EE conv"] == 11.0 and row["EE full at most"] > 1
    assert row["conv compression"] == pytest.approx((6 * 9 + 2 * 36 * 9) / (6 * 9 + 36 * 9))
    assert df.loc["ResNet3", "compression"] == 1 and row["compression"] > 1


def test_without_an_ann_there_is_no_difference(shown):
    table, records = shown
    df = tables_stdp.stdp_table([r for r in records if r.labels["role"] == "stdp"], table)
    assert df["minus ANN"].isna().all() and (df["pairs"] == 0).all() and df["minus random"].notna().all()


def test_no_records_make_an_empty_table_with_columns():
    df = tables_stdp.stdp_table([], "6")
    assert df.empty and set(tables_stdp.ACCURACY) <= set(df.columns)


def test_refusals(shown):
    table, records = shown
    with pytest.raises(ValueError, match="each run once"):
        tables_stdp.stdp_table([*records, record(grids_stdp.table6("quick", seeds=[0])[1])], table)
    with pytest.raises(ValueError, match="table must be one of"):
        tables_stdp.stdp_table(records, "8")
    other = record(grids_stdp.table6("laptop", seeds=[0])[1])
    with pytest.raises(ValueError, match="one profile"):
        tables_stdp.stdp_table([*records, other], table)


def test_updates_count_passes(shown):
    df = tables_stdp.update_table(shown[1])
    row = df[(df["network"] == "ResNet2x2") & (df["layer"] == "conv2")].iloc[0]
    assert row["passes"] == 2 and row["steps x passes"] == 40
    assert row["updates per mini-batch"] == pytest.approx(80 / 13)  # 200 images in batches of 16


def test_missing_runs_are_summed_over_seeds():
    df = tables_stdp.missing_table(grids_stdp.table6("laptop", seeds=[0, 1]))
    assert len(df) == 6 and set(df["runs"]) == {2} and (df["minutes"] > 0).all()
    assert set(df["seeds"]) == {"0, 1"}


def test_figures(shown):
    records = shown[1]
    drift = figures_stdp.drift_table(records)
    assert drift[drift["seen"] == 100]["cosine"].to_numpy() == pytest.approx(np.ones(3))
    kernels = records[1].artifact("kernels")
    figures = [figures_stdp.draw_convergence(drift), figures_stdp.draw_kernels(kernels),
               figures_stdp.draw_weights(kernels, low=-1, high=1),
               figures_stdp.draw_rates(tables_stdp.rate_table(records))]
    assert [len(f.axes) for f in figures] == [3, 12, 1, 3]
    assert figures_stdp.curve_table(records)["at a bound"].tolist() == pytest.approx([0.5] * 6)
    for figure in figures:
        plt.close(figure)


def test_tables_share_one_stdp_run_and_anns_share_its_images():
    six, twelve = grids_stdp.table6("laptop", seeds=[1]), grids_stdp.table12("laptop", seeds=[1])
    assert [e.spec for e in six if e.role == "stdp"] == [e.spec for e in twelve if e.role == "stdp"]
    for entry in (*six, *twelve):
        top = entry.spec.classifiers[0] if entry.role == "stdp" else entry.spec
        assert (entry.spec.data.train, entry.spec.data.seed) == (4000, 1)
        assert top.training.epochs == 8 and to_dict(entry.spec)
