"""Claims at the end of a chapter: estimates without verdicts, and what has none is named."""

from __future__ import annotations

import pytest
from made_up import World

from panda2020.ledger import in_chapters, ledger

pytestmark = pytest.mark.usefixtures("stated_energies")


def estimates(monkeypatch, names, changes, **options):
    found = World(changes).evidence(**options)
    monkeypatch.setattr(ledger, "evidence", lambda *args, **kwargs: found)
    return in_chapters.claim_table(names)


def test_rows_hold_what_the_estimators_find(monkeypatch):
    changes = {("acc", "VGG7-agd"): 0.1, ("acc", "VGG3x4"): 0.62}
    table, runs, open_ = estimates(monkeypatch, ["agd-vgg7-fails", "agd-vgg3x4-trains"], changes)
    assert list(table.columns) == list(in_chapters.COLUMNS)
    assert set(table["claim"]) == {"agd-vgg7-fails", "agd-vgg3x4-trains"}
    lead = table[(table["claim"] == "agd-vgg3x4-trains") & table["quantity"].str.contains("minus")].iloc[0]
    assert lead["our estimate"] == "52 points" and lead["seeds"] == 3
    assert lead["interval over"] == "seeds and test images"
    assert "fails to train" in table.iloc[0]["the paper"]
    assert [text.partition(": ")[0] for text in open_] == ["agd-vgg7-fails"]
    assert "Whether VGG7 fails hangs on what the article does not state" in open_[0]
    assert {run.labels["network"] for run in runs} >= {"VGG7-agd", "VGG3x4"}
    assert not any(
        word in str(cell) for word in ("supported", "contradicted") for cell in table.to_numpy().flatten()
    )


def test_one_seed_has_the_interval_of_its_test_images(monkeypatch):
    table, _, _ = estimates(monkeypatch, ["conv-lossless"], {}, seeds=(0,))
    assert table.iloc[0]["interval over"] == "test images alone" and " to " in table.iloc[0]["interval"]


def test_what_has_no_estimate_is_named(tmp_path):
    table, runs, open_ = in_chapters.claim_table(["hybrid-real-input"], results=tmp_path)
    assert table.empty and not runs
    assert (
        open_ and all(text.startswith("hybrid-real-input: ") for text in open_) and "not recorded" in open_[0]
    )
    with pytest.raises(ValueError):
        in_chapters.claim_table(["hybrid-none"])
