"""The ledger from records on disk: nothing that stands in a verdict's way is skipped in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_up import IMAGES, PROVENANCE, World, hits

from panda2020 import contents
from panda2020.claims.claims import claim, claims
from panda2020.claims.evidence import PROFILES, Evidence, Run
from panda2020.claims.registry import Estimator, Finding
from panda2020.claims.verdicts import BY_CONSTRUCTION, NOT_RECORDED, NOT_TESTABLE, SUPPORTED, VERDICTS
from panda2020.ledger.ledger import Ledger, evidence, ledger
from panda2020.planning import total_minutes as minutes
from panda2020.runs import Entry, Record, Store, executing, key, to_dict
from panda2020.runs.scheduling import record_commands
from panda2020.samples import Conditions, Sample

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")

LOSS = {"agd-loss": claim("agd-loss")}
ENERGY = {
    f"{convention}/{prices}": {"efficiency": 15.0, "snn_pj": 1.0}
    for convention in ("paper", "physical", "full")
    for prices in ("int32", "float32")
}


def record(entry: Entry, results: Path, correct: int = 5000) -> Record:
    """A made-up result of a planned run, stored as a real one."""
    steps = entry.spec.input.steps
    result: dict[str, Any] = {
        "accuracy": correct / IMAGES,
        "correct": correct,
        "total": IMAGES,
        "hits": hits(correct),
        "curve": [{"epoch": 1}],
        "train_accuracy": 0.9,
        "data": {"sha256": "d" * 64},
        "energy": ENERGY,
        "activity": {},
    }
    return Store(results).write(
        {
            "key": key(entry.spec),
            "task": "train",
            "spec": to_dict(entry.spec),
            "labels": entry.labels,
            "result": result | ({} if steps is None else {"steps": steps}),
            "provenance": PROVENANCE,
        }
    )


@pytest.fixture
def planned() -> list[Entry]:
    """The runs of VGG5 and VGG3x2-v2 that agd-loss counts."""
    return [
        e
        for e in contents.entries(FIRST, ["8"])
        if e.network in ("VGG5", "VGG3x2-v2") and e.spec.input.steps in (None, 25)
    ]


@pytest.fixture
def results(tmp_path: Path, planned: list[Entry]) -> Path:
    for entry in planned:
        record(entry, tmp_path / "results", 5000 - 50 * (entry.role == "snn"))
    return tmp_path / "results"


def loss(results: Path, **more: Any) -> Ledger:
    return ledger(
        FIRST,
        results=results,
        known=LOSS,
        estimators={"agd-loss": contents.estimators()["agd-loss"]},
        **more,
    )


def test_recorded_runs_are_found_and_missing_ones_named(results: Path):
    found = loss(results).judgements["agd-loss"]
    assert (found.verdict, found.seeds, len(found.records)) == (SUPPORTED, 3, 12)
    assert {entry.spec.input.steps for entry in found.missing} == {50}
    assert found.minutes == pytest.approx(sum(executing.minutes(entry.spec) for entry in found.missing))
    assert found.commands == (f"python -m panda2020 record --profile {FIRST} --table 8",)


def test_all_planned_seeds_decide_or_none(results: Path, planned: list[Entry]):
    for entry in planned:
        if entry.spec.seed == 2 and entry.role == "ann":
            (results / f"{key(entry.spec)}.json").unlink()
    found = loss(results).judgements["agd-loss"]
    assert (found.verdict, found.seeds) == (NOT_RECORDED, 2)
    assert "ANN VGG5 lacks seed 2 of those planned" in found.conclusion.reason
    assert found.conclusion.parts[0].estimate is not None


def test_nothing_is_recorded(tmp_path: Path):
    every = ledger(FIRST, results=tmp_path)
    assert list(every.judgements) == list(claims()) and len(every.judgements) == 60
    assert not every.problems and sum(every.counts.values()) == 57 and list(every.counts) == list(VERDICTS)
    found = every.judgements["agd-loss"]
    assert found.verdict == NOT_RECORDED and "SNN VGG5, T = 25 is not recorded" in found.conclusion.reason
    assert found.missing and found.commands and found.minutes > 0
    for judgement in every.judgements.values():
        assert judgement.conclusion.reason and judgement.method
        assert judgement.computed == (judgement.verdict in (BY_CONSTRUCTION, NOT_TESTABLE))


def test_every_run_an_estimator_asks_for_is_planned(tmp_path: Path):
    """Or its exhibit is not planned at all, which the ledger says too."""
    for profile in (FIRST, "paper"):
        for name, found in ledger(profile, results=tmp_path).judgements.items():
            assert "is planned for profile" not in found.conclusion.reason or found.unplanned, (
                name,
                found.conclusion.reason,
            )


def test_two_records_that_disagree_are_named(results: Path, planned: list[Entry]):
    entry = planned[0]
    twin = json.loads((results / f"{key(entry.spec)}.json").read_text())
    (results / f"{key(entry.spec)}.conflict-12345678.json").write_text(json.dumps(twin))
    found = loss(results)
    assert any("disagree about the same run" in text and key(entry.spec) in text for text in found.problems)
    assert found.judgements["agd-loss"].problems == found.problems[:1]
    assert found.judgements["agd-loss"].seeds == 2  # the disputed seed is set aside
    assert str(results) not in "".join(found.problems)


def test_torn_and_edited_records_are_named(results: Path, planned: list[Entry]):
    torn, edited, *_ = (results / f"{key(e.spec)}.json" for e in planned if e.spec.seed == 1)
    torn.write_text(torn.read_text()[:200])
    edited.write_text(
        edited.read_text().replace('"correct": 4', '"correct": 5').replace('"correct": 50', '"correct": 51')
    )
    problems = " ".join(loss(results).problems)
    assert (
        f"{torn.name} is torn" in problems and f"{edited.name} was changed after it was written" in problems
    )


def test_where_all_records_are_disputed_the_reason_says_so(results: Path, planned: list[Entry]):
    for entry in planned:
        (results / f"{key(entry.spec)}.json").write_text("{")
    found = loss(results).judgements["agd-loss"]
    assert found.verdict == NOT_RECORDED and "is torn" in found.conclusion.reason


def test_a_claim_without_estimator_is_named(results: Path):
    found = ledger(FIRST, results=results, known=LOSS, estimators={})
    assert found.judgements["agd-loss"].verdict == NOT_RECORDED
    assert found.judgements["agd-loss"].conclusion.reason == "no estimator is written for this claim"
    assert found.problems == ("agd-loss has no estimator",)


def test_an_estimator_without_claim_is_refused(results: Path):
    stray = {"agd-lost": Estimator(lambda case: Finding([]), "None.", ())}
    with pytest.raises(ValueError, match="estimators must estimate known claims, got agd-lost"):
        ledger(FIRST, results=results, known=LOSS, estimators=stray)


def test_quick_runs_never_count(results: Path):
    for call in (lambda: ledger("quick"), lambda: evidence("quick"), lambda: Evidence("quick", ())):
        with pytest.raises(ValueError, match="profile must be one of .*, got 'quick'"):
            call()
    entry = contents.entries("quick", ["8"])[0]
    with pytest.raises(ValueError, match=r"\(quick\) may not judge a claim"):
        Evidence(FIRST, (Run(entry, "0" * 16),))
    # a quick record under the name of a laptop run, as only a hand could put it there
    laptop = next(run for run in evidence(FIRST, results=results).runs if run.record)
    quick = {**laptop.record.data, "labels": {**laptop.record.labels, "profile": "quick"}}
    with pytest.raises(ValueError, match="may not judge a claim"):
        Evidence(FIRST, (Run(laptop.entry, laptop.key, Record(quick, laptop.record.path)),))


def test_conditions_choose_convention_prices_and_reading():
    changes = {("ee", name, "snn"): 15.0 for name in ("VGG5", "VGG3x2-v2")}
    runs = World(changes).evidence()
    for run in runs.runs:
        for measured in (run.record.result, *run.record.result.get("snn", {}).values()):
            if "energy" in measured:
                measured["energy"]["full/float32"] = {"efficiency": 0.5, "snn_pj": 1.0}
    ee = {
        "estimators": {"agd-ee": contents.estimators()["agd-ee"]},
        "known": {"agd-ee": claim("agd-ee")},
        "found": runs,
    }
    assert ledger(FIRST, **ee).judgements["agd-ee"].verdict == SUPPORTED
    other = ledger(FIRST, conditions=Conditions("full", "float32"), **ee)
    assert other.judgements["agd-ee"].verdict == "contradicted" and other.conditions.prices == "float32"


def test_another_reading_takes_its_own_runs(results: Path):
    other = [e for e in contents.entries(FIRST, ["8-readings"]) if e.network in ("VGG5", "VGG3x2-v2")]
    for entry in other:
        record(entry, results, 3000)
    default, alternative = loss(results), loss(results, conditions=Conditions(reading="B"))
    means = [one.judgements["agd-loss"].conclusion.parts[0].estimate.mean for one in (default, alternative)]
    assert means == pytest.approx([-0.5, 0.0])
    both = ({r.key for r in one.judgements["agd-loss"].records} for one in (default, alternative))
    assert not set.intersection(*both)


def test_one_seed_is_told_apart(tmp_path: Path, planned: list[Entry]):
    for entry in planned:
        if entry.spec.seed == 0:
            record(entry, tmp_path, 5000)
    found = loss(tmp_path).judgements["agd-loss"]
    assert found.verdict == NOT_RECORDED and found.seeds == 1
    assert "lacks seeds 1, 2 of those planned" in found.conclusion.reason


def test_efficiency_of_one_seed_stays_open(tmp_path: Path, planned: list[Entry]):
    for entry in planned:
        if entry.spec.seed == 0:
            record(entry, tmp_path, 5000)
    ee = {"agd-ee": claim("agd-ee")}
    found = ledger(
        FIRST, results=tmp_path, known=ee, estimators={"agd-ee": contents.estimators()["agd-ee"]}
    ).judgements["agd-ee"]
    assert found.verdict == NOT_RECORDED and found.conclusion.parts[0].estimate.interval is None


def test_commands_and_minutes(planned: list[Entry]):
    assert record_commands([]) == () and minutes([]) == 0
    assert record_commands(planned) == (f"python -m panda2020 record --profile {FIRST} --table 8",)
    assert minutes(planned) == pytest.approx(sum(executing.minutes(entry.spec) for entry in planned))


def test_a_sample_knows_its_chance():
    run = next(r for r in World({}).evidence(seeds=[0]).runs if r.entry.network == "VGG5")
    sample = Sample(run.record, 25, {**run.record.result, "accuracy": 0.15})
    assert sample.chance == 0.1 and sample.at_chance
    assert not Sample(run.record, 25, {**run.record.result, "accuracy": 0.151}).at_chance
