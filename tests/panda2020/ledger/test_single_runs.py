"""What one run would have said: made-up worlds in which seeds agree, disagree, or change a verdict."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up import World

from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.claims.verdicts import VERDICTS
from panda2020.ledger import single_runs
from panda2020.planning import seed_of

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")


def made(accuracies, network="VGG7-agd", role="snn"):
    """One network's accuracy by seed, every other run 50 %."""
    base, runs = World({}).evidence(seeds=range(len(accuracies))), []
    for run in base.runs:
        if (run.entry.network, run.entry.role) == (network, role):
            world = World({("acc", network, role): accuracies[seed_of(run.entry)]})
            runs += world.runs(FIRST, network, role, (run.entry.spec.input.steps,), seed_of(run.entry))
        else:
            runs.append(run)
    return Evidence(FIRST, tuple(runs))


def test_a_ledger_for_every_number_of_seeds_up_to_the_last_recorded():
    found = made((0.5, 0.5, 0.5))
    ledgers = single_runs.by_seeds(FIRST, found=found)
    assert list(ledgers) == [1, 2, 3]
    assert {number: ledgers[number].judgements["agd-vgg7-fails"].conclusion.parts[0].quantity.seeds for number in ledgers} == {
        1: (0,), 2: (0, 1), 3: (0, 1, 2),
    }  # fmt: skip
    assert single_runs.by_seeds(FIRST, found=Evidence(FIRST, ())) == {}


def test_a_verdict_that_more_seeds_overturn_is_counted_and_listed():
    steady = single_runs.by_seeds(FIRST, found=made((0.55, 0.55, 0.55), "VGG2x8", "ann"))
    assert (
        steady[2].judgements["backres-limit"].verdict
        == steady[3].judgements["backres-limit"].verdict
        == "contradicted"
    )
    assert single_runs.course_table(steady)["of them not kept"].iloc[-1] == 0
    ledgers = single_runs.by_seeds(FIRST, found=made((0.55, 0.55, 0.3), "VGG2x8", "ann"))
    assert ledgers[3].judgements["backres-limit"].verdict == "open"
    course, moved = single_runs.course_table(ledgers), single_runs.moved_table(ledgers).set_index("claim")
    assert course["seeds"].tolist() == [1, 2, 3] and course[list(VERDICTS)].sum(axis=1).nunique() == 1
    assert course["of them not kept"].iloc[1] == moved["2 seeds"].ne(moved["3 seeds"]).sum() >= 1
    assert moved.loc["backres-limit", ["2 seeds", "3 seeds"]].tolist() == ["contradicted", "open"]
    assert "conv-lossless" not in moved.index  # its verdict is the same from the first seed on


def test_single_seeds_are_taken_at_their_word():
    last = single_runs.by_seeds(FIRST, found=made((0.5, 0.1, 0.1)))[3]
    table = single_runs.lone_table(last)
    row = table[table["claim"] == "agd-vgg7-fails"].iloc[0]
    assert row["in the range"] == "2 of 3" and row["seeds disagree"] == "yes"  # the claim: it fails to train
    assert (row["smallest"], row["largest"]) == (pytest.approx(10), pytest.approx(50))
    assert table["seeds disagree"].tolist() == sorted(table["seeds disagree"], reverse=True)
    assert single_runs.lone_table(single_runs.by_seeds(FIRST, found=made((0.5,)))[1]).empty


def test_finding():
    ledgers = single_runs.by_seeds(FIRST, found=made((0.5, 0.1, 0.1)))
    course, lone = single_runs.course_table(ledgers), single_runs.lone_table(ledgers[3])
    first, second = single_runs.finding(course, lone)
    assert (
        f"{course['decided'].iloc[0]} of {course[list(VERDICTS)].iloc[0].sum()} claims would have a verdict"
        in first
    )
    assert f"On {(lone['seeds disagree'] == 'yes').sum()} of {len(lone)} quantities" in second
    assert single_runs.finding(pd.DataFrame(), pd.DataFrame()) == [
        "No quantity is recorded with more than one seed."
    ]
