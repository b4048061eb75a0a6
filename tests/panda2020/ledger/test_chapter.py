"""What chapters say of their claims, on made-up runs: takeaway box, rows, what would change a verdict, which scale speaks."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from made_up import World

from panda2020.claims.stated import stated
from panda2020.ledger import chapter, sanity
from panda2020.ledger.ledger import ledger

pytestmark = pytest.mark.usefixtures("stated_energies")

NAMES = ["agd-vgg7-fails", "agd-vgg3x4-beats-ann", "agd-loss", "hybrid-real-input"]


def judgements(changes=None, names=NAMES, **options):
    found = ledger("laptop", found=World(changes or {}).evidence(**options))
    return {name: found.judgements[name] for name in names}


@pytest.fixture(autouse=True)
def scale(monkeypatch):
    """Made-up records have no specs to describe."""
    monkeypatch.setattr(chapter, "scale", lambda records: "Profile laptop: made up")
    monkeypatch.setattr(chapter, "samples", lambda record: {})
    monkeypatch.setattr(sanity, "_named", lambda name, sample: name)


def test_the_box_asks_and_answers_with_a_line_per_claim():
    found = judgements({("acc", "VGG7-agd"): 0.1})
    box = BeautifulSoup(chapter.takeaway_html("Does depth help?", found), "html.parser")
    assert box.select_one(".snn-asks").get_text() == "Does depth help?"
    lines = box.select("li")
    assert [line.select_one("a")["href"] for line in lines] == [
        f"12_claims.html#claim-{name}" for name in NAMES
    ]
    assert [line.select(".snn-mark span")[-1].get_text() for line in lines] == [
        j.verdict for j in found.values()
    ]
    assert lines[0].select_one(".snn-number").get_text().startswith("10.0")
    assert "VGG7-agd" not in box.get_text() and "made up" in box.get_text()


def test_sentences_stand_below_the_claims_and_alone_where_there_are_none():
    found = judgements()
    box = BeautifulSoup(chapter.takeaway_html("?", found, also=["A latency code is `short`."]), "html.parser")
    last = box.select("li")[-1]
    assert (
        last.get_text() == "A latency code is short."
        and last.code
        and len(box.select("li")) == len(NAMES) + 1
    )
    alone = BeautifulSoup(chapter.box_html("Why?", [], {"Scale": "<small>"}), "html.parser")
    assert alone.select_one(".snn-asks").get_text() == "Why?" and "Scale. <small>" in alone.get_text()


def test_what_does_not_count_says_why_in_place_of_a_distance():
    def distance(verdict, missing=()):
        conclusion = SimpleNamespace(reason="ANN VGG7-agd has not learnt in 1 of 3 runs; another", parts=[])
        return chapter._distance(SimpleNamespace(verdict=verdict, conclusion=conclusion, missing=missing))

    assert distance("not testable") == (
        "the runs do not count yet: ANN VGG7 has not learnt in 1 of 3 runs; and 1 more"
    )
    assert "no run can change it" in distance("by construction")
    assert distance("not recorded", ["a", "b"]) == "2 planned runs are not recorded yet"
    assert distance("not recorded", ["a"]) == "1 planned run is not recorded yet"


def test_one_row_per_claim_has_the_articles_number_ours_and_a_drawing():
    found = judgements({("acc", "VGG3x4", "snn"): 0.6})
    rows = BeautifulSoup(chapter.claims_html(found), "html.parser").select("tbody tr")
    assert len(rows) == len(NAMES)
    beats = rows[1]
    assert "75% and 69.52%" in beats.get_text() and "points" in beats.select_one(".snn-value").get_text()
    assert len(beats.select("svg")) == chapter.SHOWN and beats.svg["aria-label"]
    assert stated()[NAMES[1]].short in beats.th.get_text()


def test_distances_say_by_how_much_a_value_would_have_to_move(monkeypatch):
    monkeypatch.setattr(
        chapter, "judged", lambda names, results=None: judgements({("acc", "VGG7-agd"): 0.5}, names)
    )
    (said,) = chapter.would_change(["agd-vgg7-fails"])
    assert said.startswith("The plain seven-layer VGG7 fails to train: accuracy of SNN VGG7")
    moved = re.search(r"it would have to move by ([\d.]+) points", said)
    bound = re.search(r"(?:at most|below) (\d+)", said)
    assert float(moved[1]) == pytest.approx(50 - float(bound[1]))


def test_the_largest_complete_scale_speaks():
    full = judgements()["agd-loss"]
    part = judgements(seeds=(0,))["agd-loss"]
    assert not full.missing
    incomplete = type(part)(**{**part.__dict__, "missing": ("a run",)})
    assert chapter.deciding([full, incomplete]) is full
    assert chapter.deciding([incomplete, full]) is full
    assert chapter.deciding([full, part]) is part
    assert chapter.deciding([incomplete, incomplete]) is incomplete


def test_an_exhibit_is_shown_at_the_largest_scale_whose_first_seed_is_complete(tmp_path):
    from panda2020.agd.grid import table8
    from panda2020.claims.evidence import PROFILES

    profile, kept, missing = chapter.shown_runs(table8, results=tmp_path)
    assert (profile, kept) == (PROFILES[0], []) and missing
    said = chapter.unrecorded(missing[:2])
    assert said.startswith("Not recorded yet: 2 planned runs, estimated to take ")
    assert said.endswith(" on two CPU cores (`python -m panda2020 record --profile laptop --table 8`).")
    assert "1 planned run," in chapter.unrecorded(missing[:1])


def test_an_exhibit_needs_one_T_of_every_network_and_role(monkeypatch, tmp_path):
    from panda2020.agd.grid import table8

    def recorded(entries, *, results):
        if entries[0].profile != "laptop":
            return [], list(entries)
        short = [e for e in entries if e.role == "ann" or e.spec.input.steps == 25]
        left = [e for e in short if (e.network, e.role, e.spec.seed) not in lacking]
        return [SimpleNamespace(labels=e.labels) for e in left], [e for e in entries if e not in left]

    lacking = {("VGG5", "snn", 1)}
    monkeypatch.setattr(chapter, "recorded", recorded)
    profile, kept, missing = chapter.shown_runs(table8, results=tmp_path, least=["none"])
    assert profile == "laptop" and kept and missing  # T = 50 and a later seed may be missing
    lacking.add(("VGG5", "snn", 0))
    profile, kept, missing = chapter.shown_runs(table8, results=tmp_path, least=["none"])
    assert (profile, kept) == ("laptop", []) and missing


def test_claims_without_runs_are_named_as_not_measured(tmp_path):
    (judgement,) = chapter.judged(["hybrid-real-input"], results=tmp_path).values()
    assert chapter.lead(judgement).startswith("Not measured: ")
    assert chapter.confidence([judgement]).endswith("not recorded yet.")
    assert chapter.scale_in_words([judgement]).startswith("No run of these claims is recorded.")
    assert chapter.would_change(["hybrid-real-input"], results=tmp_path) == []


def test_scales_of_one_profile_name_it_once():
    same = ["Profile laptop: CIFAR-10, 10 epochs", "Profile laptop: CIFAR-10, 15 epochs"]
    assert chapter._joined(same) == "Profile laptop: CIFAR-10, 10 epochs; CIFAR-10, 15 epochs"
    other = ["Profile laptop: CIFAR-10", "Profile paper: CIFAR-10"]
    assert chapter._joined(other) == "Profile laptop: CIFAR-10; Profile paper: CIFAR-10"


def test_an_stdp_run_counts_with_every_classifier():
    learned = {"fc": {"accuracy": 0.53, "train_accuracy": 0.9}, "convnn": {"accuracy": 0.57}}
    result = {"accuracy": 0.53, "classifiers": {name: {"learned": one} for name, one in learned.items()}}
    assert chapter._ends(SimpleNamespace(result=result)) == list(learned.values())
