"""Tables 6 and 12 and their figures, on made-up records."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from panda2020 import profiles
from panda2020.runs.spec import to_dict
from panda2020.statistics import Pool
from panda2020.statistics import hits as unpack
from panda2020.stdp import figures as stdp_figures
from panda2020.stdp import grid as stdp_grid
from panda2020.stdp import layout
from panda2020.stdp import tables as stdp_tables
from snncore.stdp import StdpConfig

pytestmark = pytest.mark.usefixtures("stated_energies")

HISTORY = {
    "learning": [True, True, False],
    "seen": [16, 32, 32],
    "change": [0.2, 0.1, 0.0],
    "at_low": [0.0, 0.2, 0.2],
    "at_high": [0.1, 0.3, 0.3],
}
RIGHT = {"ann": 90, "learned": 60, "random": 50, "pixels": 70}


ALARMS = {"ResNet3": ["layer conv3 (conv3) is silent: 0 spikes per neuron and step after 80 images"]}


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
        sources = {name: outcome_of(RIGHT[name]) for name in stdp_tables.SOURCES}
        top = {**sources, **energy(3.0), "convolutions": energy(11.0)}
        layers = {"conv1": 40, "conv2": 80}
        curve = [{"layer": name, "at_low": 0.2, "at_high": 0.3, "silent": {name: 0.25}} for name in layers]
        rates = {"input": 0.5, "conv1": 0.1, "conv2.1": 0.02, "conv2.2": 0.03}
        result = {
            "total": 150,
            "classifiers": {c.name: top for c in entry.spec.classifiers},
            "updates": layers,
            "curve": curve,
            "rates": {"learned": rates, "random": rates},
            "alarms": ALARMS.get(entry.network, []),
        }
    draw = np.random.default_rng(0)
    history = {
        f"{layer}_{name}": np.array(values)
        for layer in ("conv1", "conv2")
        for name, values in HISTORY.items()
    }
    kernels = {f"conv1_{name}": draw.normal(size=(6, 1, 3, 3)) for name in ("before", "after", "seen0")}
    kernels["conv1_seen100"] = kernels["conv1_after"]
    arrays = {"kernels": kernels, "history": history}
    return SimpleNamespace(
        spec=entry.spec, labels=labels, result=result, tag=tag, artifact=arrays.get, family=None
    )


@pytest.fixture(params=["6", "12"])
def shown(request):
    make = stdp_grid.table6 if request.param == "6" else stdp_grid.table12
    return request.param, [record(e) for e in make("quick", seeds=[0])]


def test_made_up_hits_are_read_as_written():
    assert unpack(bits(60), 150).sum() == 60


def test_rows(shown):
    table, records = shown
    df = stdp_tables.stdp_table(records, table).set_index("network")
    assert list(df.index) == list(stdp_grid.NETWORKS)
    row = df.loc["ResNet2x2"]
    assert row["ANN"] == pytest.approx(0.6) and row["STDP"] == pytest.approx(0.4)
    assert row["minus ANN"] == pytest.approx(-20) and row["minus random"] == pytest.approx(100 / 15)
    assert row["minus pixels"] == pytest.approx(-100 / 15)
    assert row["EE full"] == 3.0 and row["EE conv"] == 11.0 and row["EE full at most"] > 1
    assert row["conv compression"] == pytest.approx((6 * 9 + 2 * 36 * 9) / (6 * 9 + 36 * 9))
    assert df.loc["ResNet3", "compression"] == 1 and row["compression"] > 1


def test_without_an_ann_there_is_no_difference(shown):
    table, records = shown
    df = stdp_tables.stdp_table([r for r in records if r.labels["role"] == "stdp"], table)
    assert df["minus ANN"].isna().all() and (df["pairs"] == 0).all() and df["minus random"].notna().all()


def test_no_records_make_an_empty_table_with_columns():
    df = stdp_tables.stdp_table([], "6")
    assert df.empty and set(stdp_tables.ACCURACY) <= set(df.columns)


def test_refusals(shown):
    table, records = shown
    with pytest.raises(ValueError, match="each run once"):
        stdp_tables.stdp_table([*records, record(stdp_grid.table6("quick", seeds=[0])[1])], table)
    with pytest.raises(ValueError, match="table must be one of"):
        stdp_tables.stdp_table(records, "8")
    other = record(stdp_grid.table6("laptop", seeds=[0])[1])
    with pytest.raises(ValueError, match="one profile"):
        stdp_tables.stdp_table([*records, other], table)


def test_updates_count_passes(shown):
    df = stdp_tables.update_table(shown[1])
    row = df[(df["network"] == "ResNet2x2") & (df["layer"] == "conv2")].iloc[0]
    assert row["passes"] == 2 and row["steps x passes"] == 40
    assert row["updates per mini-batch"] == pytest.approx(80 / 13)  # 200 images in batches of 16


def test_figures(shown):
    records = shown[1]
    drift = stdp_figures.drift_table(records)
    assert drift[drift["seen"] == 100]["cosine"].to_numpy() == pytest.approx(np.ones(3))
    kernels = records[1].artifact("kernels")
    figures = [
        stdp_figures.draw_convergence(drift),
        stdp_figures.draw_kernels(kernels, low=-1, high=1),
        stdp_figures.draw_weights(kernels, low=-1, high=1),
        stdp_figures.draw_rates(stdp_tables.rate_table(records)),
    ]
    assert [len(f.axes) for f in figures] == [3, 12, 1, 3]
    curve = stdp_figures.curve_table(records)
    figures += [
        stdp_figures.draw_curve(curve),
        stdp_figures.draw_rule(StdpConfig(offset=0.3, offset_unit="absolute")),
        stdp_figures.draw_settings(
            {"a": kernels["conv1_before"], "b": kernels["conv1_after"][:2]}, low=-1, high=1
        ),
    ]
    assert [len(f.axes) for f in figures[4:]] == [3, 1, 12]
    for figure in figures:
        plt.close(figure)


def test_the_papers_layout_has_the_articles_words_and_one_row_of_the_same_seeds(shown):
    table, records = shown
    extra = record(stdp_grid.table6("quick", seeds=[1])[1])  # an STDP run without its ANN
    df = layout.paper_layout([*records, extra], table).set_index("network")
    assert list(df.index) == list(stdp_grid.NETWORKS) and df["seeds"].tolist() == [1, 1, 1]
    row = df.loc["ResNet2"]
    assert row["ANN, %"].ours.mean == pytest.approx(60) and row["STDP, %"].ours.mean == pytest.approx(40)
    loss = row["ANN − STDP, points"]
    assert loss.ours.mean == pytest.approx(20) and loss.ours.interval.low < 20 < loss.ours.interval.high
    assert loss.paper == {"6": ">20% loss", "12": "~3% loss"}[table]
    assert (row["EE, whole"].ours.mean, row["EE, spiking layers"].ours.mean) == pytest.approx((3, 11))
    assert df.loc["ResNet2x2", "EE, spiking layers"].paper == ("~10x" if table == "6" else "")
    alone = layout.paper_layout([r for r in records if r.labels["role"] == "stdp"], table)
    assert all(cell.ours is None for cell in alone["ANN, %"]) and len(alone) == 3


def test_every_difference_says_its_own_number_of_seeds(shown):
    table, records = shown
    make = stdp_grid.table6 if table == "6" else stdp_grid.table12
    extra = record(make("quick", seeds=[1], names=["ResNet2"])[1])
    df = layout.control_table([*records, extra], table).set_index(["network", "STDP minus"])
    assert df["points"].loc["ResNet3"].tolist() == pytest.approx([-20, 100 / 15, -100 / 15])
    assert df["seeds"].loc["ResNet2"].to_dict() == {"its ANN": 1, "random kernels": 2, "raw pixels": 2}
    said = layout.control_sentences(df.reset_index())
    assert said[0].startswith("STDP minus its ANN, in points: ResNet2 −20.0 [") and "], 1 seed;" in said[0]
    assert "], 2 seeds;" in said[1]
    figure = layout.draw_controls(df.reset_index())
    assert figure.axes[0].get_yticklabels()[0].get_text() == "ResNet2\n2 seeds"


def test_changes_are_of_mini_batches_that_learn(shown):
    curve = stdp_figures.curve_table(shown[1])
    one = curve[(curve["network"] == "ResNet2") & (curve["layer"] == "conv1")]
    assert one["seen"].tolist() == [16, 32] and one["change"].tolist() == [0.2, 0.1]
    assert one["at a bound"].tolist() == pytest.approx([0.1, 0.5])
    assert len(curve) == 3 * 2 * 2
    words = "After the last mini-batch 50% of a layer's weights are at a bound."
    assert stdp_figures.bound_sentence(curve) == words


def test_convergence_in_words_by_hand():
    drift = pd.DataFrame(
        {"seen": [0, 50, 90, 100, 0, 50, 90, 100], "cosine": [0.1, 0.8, 0.9, 1.0, -0.3, 0.7, 0.9, 1.0]}
    )
    words = stdp_figures.convergence_sentence(drift)
    assert words == (
        "After 50 of 100 images the kernels have a cosine of 0.70 to 0.80 with the final ones; at the start 0.30 "
        "at most."
    )


def test_unrolling_is_compared_by_seed(shown):
    records = shown[1]
    for run in records:
        if run.labels["network"] == "ResNet2" and run.labels["role"] == "stdp":
            run.result["updates"] = {"conv1": 40, "conv2": 39}
    df = stdp_tables.gain_table(records)
    assert df["ratio"].tolist() == pytest.approx([80 / 39]) and df["seed"].tolist() == [0]
    assert stdp_tables.gain_table([r for r in records if r.labels["network"] != "ResNet2"]).empty
    assert stdp_tables.gain_table([]).empty


def test_alarms_and_extremes_are_listed(shown):
    df = stdp_tables.alarm_table(shown[1]).set_index("network")
    assert df.loc["ResNet2", "reported"] == "nothing"
    assert df.loc["ResNet3", "reported"].startswith("layer conv3 (conv3) is silent")
    assert (
        df.loc["ResNet3", "least active"] == "conv2.1: 0.0200"
        and df.loc["ResNet3", "most active"] == "conv1: 0.1000"
    )
    assert df.loc["ResNet3", "silent maps"] == 0.25 and df.loc["ResNet3", "at one bound"] == 0.3
    assert df.loc["ResNet3", "at either bound"] == pytest.approx(0.5)


def test_more_images_are_paired_with_fewer(shown):
    records = shown[1]
    assert stdp_tables.samples_table(records).empty
    entry = stdp_grid.stdp_samples("quick", seeds=[0])[0]
    run = record(replace(entry, role="stdp"))
    run.labels["role"] = "stdp-more"
    run.result["classifiers"]["fc"]["learned"] = outcome_of(75)
    row = stdp_tables.samples_table([*records, run]).iloc[0]
    assert (row["network"], row["seeds"]) == ("ResNet2", 1)
    assert row["more minus fewer"] == pytest.approx(10) and row["accuracy on more"] == pytest.approx(0.5)
    scale = profiles.STDP_SCALES["quick"]
    assert row["images"] == f"{scale.unlabelled:,}"
    assert row["more images"] == f"{min(2 * scale.unlabelled, scale.train):,}"


def test_both_classifiers_on_the_same_features(shown):
    records = shown[1]
    run = next(r for r in records if r.labels["role"] == "stdp")
    tops = run.result["classifiers"]
    tops["convnn"] = tops["convnn"] | {"learned": outcome_of(90) | {"train_accuracy": 1.0}}
    df = stdp_tables.classifier_table([run]).set_index("features")
    assert (
        df.loc["STDP", "ConvNN minus FC"] == pytest.approx(20)
        and df.loc["raw pixels", "ConvNN minus FC"] == 0
    )
    assert df.loc["STDP", "ConvNN on training images"] == 1 and np.isnan(
        df.loc["STDP", "FC on training images"]
    )


def test_stochmax_is_paired_with_softmax(shown):
    run = next(r for r in shown[1] if r.labels["role"] == "stdp")
    run.result["classifiers"]["fc-stochmax"] = {"learned": outcome_of(63)}
    row = stdp_tables.stochmax_table([run]).iloc[0]
    assert row["difference"] == pytest.approx(2) and row["softmax"] == pytest.approx(0.4)
    assert row["McNemar p"] == pytest.approx(0.25)  # three coins that all fall alike, either way
    assert stdp_tables.stochmax_table([]).empty


def test_classifiers_on_the_same_features_pool_the_variance_of_their_family(shown, monkeypatch):
    run = next(r for r in shown[1] if r.labels["role"] == "stdp")
    views = []

    def pool(one, other, of):
        views.append((one.view, other.view))
        return Pool(0.05, 4, 3)

    alone = stdp_tables.classifier_table([run])["95 % interval"][0]
    monkeypatch.setattr(stdp_tables.families, "of_pair", pool)
    pooled = stdp_tables.classifier_table([run])["95 % interval"][0]
    assert pooled.low < alone.low <= alone.high < pooled.high
    stdp_tables.stochmax_table([run])
    assert views[0] == ("convnn/learned", "fc/learned")
    assert views[-1] == ("fc-stochmax/learned", "fc/learned")


def test_the_distance_to_the_ann_under_either_classifier():
    six, twelve = (
        [record(e) for e in make("quick", seeds=[0])] for make in (stdp_grid.table6, stdp_grid.table12)
    )
    for run in twelve:
        if run.labels["role"] == "ann-convnn":
            run.result = outcome_of(105)
    df = stdp_tables.gap_table(six, twelve)
    assert df["gap, FC1 and FC2"].tolist() == pytest.approx([20] * 3) and df[
        "change"
    ].tolist() == pytest.approx([10] * 3)
    assert stdp_tables.gap_table(six, [r for r in twelve if r.labels["role"] == "stdp"]).empty
    assert stdp_tables.gap_table([], []).empty


def test_choices_are_read_off_the_config():
    df = stdp_tables.choices_table(
        StdpConfig(tau=7, competition="winner", low_pass=9, weight_dependence=True)
    ).set_index("what")
    assert "tau = 7 steps" in df.loc["pre-synaptic trace", "chosen here"]
    assert (
        df.loc["competition", "chosen here"].endswith("learns")
        and "9 steps" in df.loc["features", "chosen here"]
    )
    assert "w_max" in df.loc["dependence on the weight", "chosen here"]


def test_tables_share_one_stdp_run_and_anns_share_its_images():
    six, twelve = stdp_grid.table6("laptop", seeds=[1]), stdp_grid.table12("laptop", seeds=[1])
    assert [e.spec for e in six if e.role == "stdp"] == [e.spec for e in twelve if e.role == "stdp"]
    for entry in (*six, *twelve):
        top = entry.spec.classifiers[0] if entry.role == "stdp" else entry.spec
        assert (entry.spec.data.train, entry.spec.data.seed) == (profiles.STDP_SCALES["laptop"].train, 1)
        assert top.training.epochs == 10 and to_dict(entry.spec)
