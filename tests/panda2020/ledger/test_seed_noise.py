"""Noise of seeds beside stated differences, every number worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up import World

from panda2020.claims.claims import claim
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.ledger import seed_noise
from panda2020.ledger.ledger import ledger
from panda2020.statistics import mean_over_seeds

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("stochmax-acc", (3, 4)),
        ("agd-loss", (2, 3)),
        ("conv-backres-ann-loss", (1, 2)),
        ("hybrid-stdp-gap", (3, 3)),
        ("hybrid-beats-ann", (1, 1)),
        ("imagenet-conv-loss", (1, 1)),
        ("agd-vgg3x4-beats-ann", (5.48, 5.48)),
        ("hybrid-acc", (1, 1)),
        ("conv-lossless", None),
        ("agd-ee", None),
        ("hybrid-stdp-acc", None),
    ],
)
def test_stated_size(name, size):
    assert seed_noise.stated(claim(name)) == (None if size is None else pytest.approx(size))


def varied() -> Evidence:
    """VGG5 with 50, 52 and 54 % over three seeds, every other run 50 %."""
    base, runs = World({}).evidence(), []
    for run in base.runs:
        if (run.entry.network, run.entry.role) == ("VGG5", "snn"):
            seed = run.entry.spec.seed
            world = World({("acc", "VGG5", "snn"): 0.5 + 0.02 * seed})
            runs += world.runs(FIRST, "VGG5", "snn", (run.entry.spec.input.steps,), seed)
        else:
            runs.append(run)
    return Evidence(FIRST, tuple(runs))


def test_spread_of_a_series():
    table = seed_noise.spread_table(FIRST, found=varied()).set_index("series")
    row = table.loc["SNN VGG5, T = 25"]
    assert row["seeds"] == 3 and row["accuracy"] == pytest.approx(0.52)
    assert row["sd"] == pytest.approx(2) and row["range"] == pytest.approx(4)
    assert row["pair"] == pytest.approx(2 * 2**0.5)
    # 2, 2 and 4 % of 10,000 nested images differ between two of the seeds; two images are added
    errors = [(((d + 1) / 10_002 - (d / 10_002) ** 2) / 10_002) ** 0.5 for d in (200, 200, 400)]
    assert row["test images"] == pytest.approx(100 * sum(errors) / 3)
    assert table.loc["ANN VGG5", "sd"] == 0
    spread = table.reset_index()
    assert seed_noise.pair_noise(spread, "SNN VGG5, T = 25") == pytest.approx(2 * 2**0.5)
    assert seed_noise.pair_noise(spread, "no such series") is None


def test_one_seed_has_no_spread():
    table = seed_noise.spread_table(FIRST, found=World({}).evidence(seeds=[0]))
    assert table["sd"].isna().all() and table["pair"].isna().all() and (table["seeds"] == 1).all()
    said = seed_noise.finding(
        table, seed_noise.difference_table(ledger(FIRST, found=World({}).evidence(seeds=[0])))
    )
    assert "none with more than one seed, so the noise of seeds is not known" in said[0]
    assert seed_noise.spread_table(FIRST, found=Evidence(FIRST, ())).empty


def test_differences_beside_their_stated_size():
    one = ledger(FIRST, found=varied())
    table = seed_noise.difference_table(one)
    (row,) = table[
        (table["claim"] == "agd-loss") & table["quantity"].str.contains("SNN VGG5, T = 25")
    ].to_dict("records")
    part = next(
        j for j in one.judgements["agd-loss"].conclusion.parts if "SNN VGG5, T = 25" in j.quantity.what
    )
    assert row["stated"] == "2 to 3" and row["seeds"] == 3
    assert abs(row["ours"]) == pytest.approx(2) and np.isclose(
        row["± over seeds"], 4.303 * 2 / 3**0.5, rtol=1e-3
    )
    assert (
        row["resolved"] == "no" and mean_over_seeds(part.quantity.values).interval.half == row["± over seeds"]
    )  # 2 points are less than 5
    (still,) = table[
        (table["claim"] == "agd-loss") & table["quantity"].str.contains("SNN VGG3x2-v2, T = 25")
    ].to_dict("records")
    assert still["± over seeds"] == 0 and still["resolved"] == "yes"
    said = seed_noise.finding(seed_noise.spread_table(FIRST, found=varied()), table)
    assert f"{len(table)} differences" in said[1]
    assert table.loc[table["claim"] == "agd-vgg3x4-beats-ann", "quantity"].tolist() == [
        "SNN VGG3x4, T = 25 minus ANN VGG3x4"
    ]
    assert (
        not table["quantity"].str.contains("convnn, learned minus").any()
    )  # ConvNN's gain has no size in the sentence
    single = seed_noise.difference_table(ledger(FIRST, found=World({}).evidence(seeds=[0])))
    assert set(single["resolved"]) == {"–"} and single["± over seeds"].isna().all()


def test_drawing():
    one = ledger(FIRST, found=varied())
    axes = seed_noise.draw_differences(one).axes[0]
    assert len(axes.get_yticklabels()) == len(seed_noise.difference_table(one))
    empty = replace(one, judgements={})
    assert seed_noise.difference_table(empty).empty
    with pytest.raises(ValueError, match="ledger must hold a measured difference in points, got none"):
        seed_noise.draw_differences(empty)
