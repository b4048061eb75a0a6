"""What a shared threshold costs, run by run: made-up runs, numbers worked out by hand."""

from __future__ import annotations

import pytest
from test_tables_conversion import run

from panda2020.conversion import sharing as conversion_sharing


def pair(seed=0, *, own=(1, 2, 4, 3, 4, 9), one=(1, 3, 4, 3, 4, 9), lost=0, weights="a", other="a"):
    """One ANN converted with a threshold per step, and with one: conv2 has 2 and 3, conv3 twice 4; ``lost`` images at T = 100."""
    both = run(seed=seed, thresholds=own), run(role="converted-shared", seed=seed, thresholds=one, snn={
        10: (range(10), 40.0, 100.0), 100: (range(49 - lost), 8.0, 500.0), 1000: (range(50), 1.0, 4000.0),
    })  # fmt: skip
    for made, sha in zip(both, (weights, other), strict=True):
        made.result["weights_sha256"] = sha
    for steps in both[1].result["snn"].values():
        steps["activity"]["conv3.2"]["rate"] /= 2
    return both


def test_slowing_is_the_product_over_all_passes_and_costs_are_points_at_settled_and_largest_t():
    (row,) = conversion_sharing.sharing_table(pair(own=(1, 2, 4, 3, 1, 9), lost=7)).to_dict("records")
    assert row["slowing"] == pytest.approx(3 / 2 * 4) and row["fewer spikes"] == pytest.approx(2)
    assert (
        row["cost at T = 100"] == pytest.approx(7) and row["cost at T = 1000"] == 0 and row["images"] == 100
    )


def test_a_silent_last_pass_has_no_ratio():
    both = pair()
    both[1].result["snn"]["1000"]["activity"]["conv3.2"]["rate"] = 0.0
    assert conversion_sharing.sharing_table(both)["fewer spikes"].isna().all()


def test_only_conversions_of_the_same_weights_are_compared():
    assert conversion_sharing.sharing_table(pair(other="b")).empty
    assert (
        conversion_sharing.sharing_table(pair()[:1]).empty
        and conversion_sharing.sharing_table(pair()[1:]).empty
    )
    assert conversion_sharing.sharing_table([*pair(0), *pair(1, other="b")])["seed"].tolist() == [0]


def test_sentences_name_the_costliest_run_and_say_no_correlation_of_a_few():
    runs = [
        one
        for seed, lost in enumerate((0, 1, 2, 3))
        for one in pair(seed, own=(1, 2, 4, 3, 4 - seed, 9), lost=lost)
    ]
    said = conversion_sharing.sharing_sentences(conversion_sharing.sharing_table(runs))
    assert said[0].startswith(
        "At T = 100: the most is lost by VGG3x2-v1 seed 3, +3.0 points at a slowing of 6.0."
    )
    more = conversion_sharing.sharing_table([*runs, *pair(4, own=(1, 2, 4, 3, 0.5, 9), lost=4)])
    assert "rank correlation with slowing +1.00 over 5 runs" in conversion_sharing.sharing_sentences(more)[0]
    assert (
        "correlation" not in conversion_sharing.sharing_sentences(more)[1]
    )  # at the largest T nobody loses anything


def test_a_panel_per_t_and_a_dot_per_run():
    table = conversion_sharing.sharing_table([*pair(0), *pair(1)])
    figure = conversion_sharing.draw_sharing(table)
    assert [axes.get_title() for axes in figure.axes] == ["T = 100", "T = 1000"]
    assert [len(axes.collections[0].get_offsets()) for axes in figure.axes] == [2, 2]


def test_costs_are_paired_by_seed_and_image_at_every_t():
    table = conversion_sharing.cost_table([*pair(0, lost=2), *pair(1, lost=0)])
    assert table["threshold"].unique().tolist() == ["the largest"] and table["seeds"].unique().tolist() == [2]
    early = table[table["T"] == 100].iloc[0]
    assert early["cost"] == pytest.approx(1.0) and early["low"] < 1 < early["high"]
    assert conversion_sharing.cost_table(pair()[:1]).empty
    figure = conversion_sharing.draw_costs(table)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["VGG3x2-v1"]
    (said,) = conversion_sharing.cost_sentences(table)
    assert said.startswith(
        "VGG3x2-v1, one threshold for all (the largest): it costs most at T = 100, 1.0 points ["
    )


def test_every_way_to_share_has_a_line_of_its_own():
    own, first = pair(0)
    other = pair(0, lost=1)[1]
    other.labels = {**other.labels, "role": "converted-shared-mean"}
    table = conversion_sharing.cost_table([own, first, other])
    figure = conversion_sharing.draw_costs(table)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "one for all: the largest",
        "one for all: their mean",
    ]
