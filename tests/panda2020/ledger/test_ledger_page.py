"""The ledger's HTML: every claim with what it rests on, whatever is missing or wrong named, no script needed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from made_up import MADE, World

from panda2020 import contents
from panda2020.claims.claims import KINDS, claim
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.exhibits import style
from panda2020.ledger import words
from panda2020.ledger.ledger import Ledger, ledger
from panda2020.ledger.page import (
    columns_shown,
    count_sentences,
    frame,
    ledger_html,
    missing_table,
    problems,
    problems_html,
)
from panda2020.runs import Store
from tools.check_book import ledger_against_csv, missing_alt, start_page_against_ledger, table_against_csv

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")

#: supported, contradicted, by construction, not recorded
IDS = ("agd-loss", "backres-limit", "conv-params-minimal", "backres-channels")


def made(
    profile: str = FIRST, ids: tuple[str, ...] = IDS, *, seeds: tuple[int, ...] = (0, 1, 2), **more: Any
) -> Ledger:
    known = {name: claim(name) for name in ids}
    world = World({("acc", "VGG2x8", "ann"): 0.55}).evidence(profile=profile, seeds=seeds)
    recorded = Evidence(profile, tuple(run for run in world.runs if run.entry.network != "VGG8"))
    found = more.pop("found", recorded)
    only = {name: estimator for name, estimator in contents.estimators().items() if name in ids}
    return ledger(profile, known=known, estimators=more.pop("estimators", only), found=found)


def page(*ledgers: Ledger) -> BeautifulSoup:
    style.use()
    return BeautifulSoup(ledger_html(ledgers, name="Table N12-1", caption="Claims."), "html.parser")


def body(found: BeautifulSoup, name: str) -> Tag:
    tag = found.find(id=f"claim-{name}")
    assert isinstance(tag, Tag)
    return tag


@pytest.fixture(scope="module")
def laptop() -> Ledger:
    return made()


@pytest.fixture(scope="module")
def html(laptop: Ledger) -> BeautifulSoup:
    return page(laptop)


def test_claims_stand_by_kind_and_are_counted(laptop: Ledger, html: BeautifulSoup):
    kinds = [laptop.judgements[tag["data-claim"]].claim.kind for tag in html.select("tbody[data-claim]")]
    assert kinds == sorted(kinds, key=["central", "secondary", "by-construction"].index)
    heads = [tag.get_text() for tag in html.select("tbody.snn-kind")]
    assert len(heads) == len(set(kinds)) and sum(
        int(re.search(r"\((\d+)\)", head)[1]) for head in heads
    ) == len(IDS)
    said = " ".join(count_sentences(laptop))
    assert sum(int(number) for number in re.findall(r"(\d+) (?:central|other) statements", said)) == len(IDS)


def test_every_claim_has_its_row_sign_word_and_filter_values(laptop: Ledger, html: BeautifulSoup):
    assert [tag["data-claim"] for tag in html.select("tbody[data-claim]")] == sorted(
        IDS, key=lambda name: KINDS.index(laptop.judgements[name].claim.kind)
    )
    verdicts = ("supported", "contradicted", "by construction", "not recorded")
    for name, verdict in zip(IDS, verdicts, strict=True):
        row, judged = body(html, name), laptop.judgements[name]
        assert judged.verdict == verdict == row["data-verdict"] and row["data-method"] == judged.claim.method
        assert row.tr.select_one(".snn-mark").get_text() == words.signed(verdict)
        assert (
            f"“{judged.claim.quote}”" in row.tr.get_text() and words.place(judged.claim) in row.tr.get_text()
        )
        assert row.select_one(f'a[href="#claim-{name}"]')
        assert words.plain(words.found(judged)) in row.tr.get_text()
    ids = [tag["id"] for tag in html.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_a_claim_opens_to_quote_estimate_tolerance_runs_and_command(laptop: Ledger, html: BeautifulSoup):
    judged, details = laptop.judgements["agd-loss"], body(html, "agd-loss").details
    text = details.get_text(" ")
    assert details.blockquote.get_text() == f"“{judged.claim.quote}”"
    assert judged.claim.expects in text and judged.method in text and judged.conclusion.reason in text
    rows = details.select(".snn-parts tbody tr")
    assert len(rows) == len(judged.conclusion.parts) == 4
    for row, one in zip(rows, judged.conclusion.parts, strict=True):
        for said in (
            one.quantity.what,
            words.estimate(one),
            words.claimed(one),
            words.bounds(one),
            one.verdict,
        ):
            assert said in row.get_text(" ")
    assert "shown beside" in rows[1].get_text() and "shown beside" not in rows[0].get_text()
    runs = details.select(".snn-behind tbody tr")
    assert {row["data-key"] for row in runs} == {record.key for record in judged.records} and len(runs) == 18
    cells = [cell.get_text() for cell in runs[0].find_all("td")]
    assert "■ recorded" in cells and MADE["commit"][:10] in cells and "0" in cells
    assert (
        details.select("code.snn-command")[-1].get_text()
        == f"python -m panda2020 claims agd-loss --profile {FIRST}"
    )


def test_a_drawing_where_there_is_a_number_and_words_for_it(html: BeautifulSoup):
    drawn = {name: len(body(html, name).select("svg.snn-figure")) for name in IDS}
    assert drawn == {"agd-loss": 1, "backres-limit": 1, "conv-params-minimal": 1, "backres-channels": 0}
    assert list(missing_alt(html)) == []
    alt = body(html, "agd-loss").select_one("svg.snn-figure")["aria-label"]
    assert "SNN VGG5, T = 25 minus ANN VGG5 0.000 points" in alt and "at least −4" in alt


def test_without_a_script_all_is_there_and_the_filter_is_not(html: BeautifulSoup):
    assert html.form.has_attr("hidden") and not html.select("tbody[hidden], script")
    offered = {
        select["name"]: [option["value"] for option in select.find_all("option")]
        for select in html.find_all("select")
    }
    assert offered["verdict"] == ["", "supported", "contradicted", "not recorded", "by construction"]
    assert offered["method"] == ["", "conversion", "AGD", "BackRes"]
    assert html.output["aria-live"] == "polite" and html.output.get_text() == "4 of 4 claims shown"
    assert all(label.select("select, input") for label in html.find_all("label"))


def test_two_scales_stand_side_by_side(laptop: Ledger):
    paper = made("paper", seeds=(0,))
    found = page(laptop, paper)
    assert [tag.get_text() for tag in found.select(".snn-claims > thead th")][:2] == [
        f"Verdict, {FIRST}",
        "Verdict, paper",
    ]
    row = body(found, "agd-loss")
    assert row["data-verdict"] == "supported|open"  # one seed at the larger scale
    assert "test images alone, one seed" in row.get_text() and "--profile paper" in row.get_text()


def test_only_scales_with_recorded_runs_are_shown(laptop: Ledger):
    nothing = made("paper", found=Evidence("paper", ()))
    assert columns_shown([laptop, nothing]) == [laptop]
    assert columns_shown([nothing]) == [nothing]
    assert columns_shown([laptop, made("paper", seeds=(0,))])[1].profile == "paper"


def test_a_claim_without_estimator_is_named():
    found = made(ids=("agd-loss",), estimators={})
    text = page(found).get_text(" ")
    assert "no estimator is written for this claim" in text and "not recorded" in text
    assert "agd-loss has no estimator" in problems_html(problems([found], results="none"))


def test_a_record_that_must_not_be_used_is_named():
    runs = World({}).evidence().runs
    bad = next(run for run in runs if run.entry.network == "VGG5" and run.entry.role == "ann")
    torn = replace(bad, record=None, error="results/abc.json is torn")
    found = made(ids=("agd-loss",), found=Evidence(FIRST, tuple(torn if run is bad else run for run in runs)))
    assert "results/abc.json is torn" in body(page(found), "agd-loss").get_text()
    assert problems([found], results="none") == ["results/abc.json is torn"]


def test_a_torn_record_that_no_claim_asks_for_is_named(tmp_path: Path, laptop: Ledger):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / f"{'0' * 16}.json").write_text("{")
    assert problems([laptop], results=folder)[0].startswith(f"results/{'0' * 16}.json is torn")
    assert Store(folder).all_keys() and "Nothing" in problems_html([])


def test_missing_runs_are_named_with_their_time_and_command(tmp_path: Path):
    found = ledger(
        FIRST,
        results=tmp_path,
        known={"agd-vanishing": claim("agd-vanishing")},
        estimators={"agd-vanishing": contents.estimators()["agd-vanishing"]},
    )
    text = body(page(found), "agd-vanishing").get_text(" ")
    assert "planned runs are not recorded" in text and "SNN VGG7-agd, T = 25: seeds 0, 1, 2, 3, 4" in text
    assert f"python -m panda2020 record --profile {FIRST} --table 8" in text
    table = missing_table([found])
    assert list(table["claims"]) == [1] and list(table["runs"]) == [
        len(found.judgements["agd-vanishing"].missing)
    ]
    assert table["hours"][0] == pytest.approx(found.judgements["agd-vanishing"].minutes / 60)
    assert missing_table([made(ids=("agd-loss",))]).empty


def test_the_gate_compares_page_and_csv(laptop: Ledger):
    whole = ledger_html([laptop], name="Table N12-1", caption="Claims.")
    assert list(ledger_against_csv(whole)) == list(table_against_csv(whole)) == []
    edited = whole.replace('data-verdict="contradicted"', 'data-verdict="supported"')
    assert list(ledger_against_csv(edited)) == [
        "Table N12-1 shows contradicted for backres-limit, which is not what its CSV has"
    ]
    row = r'(<tr role="row"><td role="cell"><span class="snn-mark snn-supported".*?)supported'
    edited = re.sub(row, r"\1contradicted", whole, count=1)
    assert "shows contradicted for agd-loss" in next(ledger_against_csv(edited))
    assert "different claims" in next(
        ledger_against_csv(whole.replace('data-claim="agd-loss"', 'data-claim="agd-lost"'))
    )
    assert list(frame([laptop])["verdict"]) == [j.verdict for j in laptop.judgements.values()]


def test_the_gate_compares_start_page_and_ledger(laptop: Ledger):
    whole = ledger_html([laptop], name="Table N12-1", caption="Claims.")
    verdict = laptop.judgements["agd-loss"].verdict
    start = (
        f'<main><svg class="snn-forest"><a data-claim="agd-loss" data-verdict="{verdict}"></a></svg></main>'
    )
    assert list(start_page_against_ledger(BeautifulSoup(start, "html.parser"), whole)) == []
    for old, new in ((verdict, "contradicted"), ("agd-loss", "agd-lost")):
        (said,) = start_page_against_ledger(BeautifulSoup(start.replace(old, new), "html.parser"), whole)
        assert new in said


def test_a_statement_that_two_claims_make_is_counted_once():
    found = made(ids=("conv-lossless", "conv-bounded"))
    assert (
        found.counts["supported"] == 1 and [j.verdict for j in found.judgements.values()] == ["supported"] * 2
    )
    whole = ledger_html([found], name="Table N12-1", caption="Claims.")
    row = "".join(f"<td>{count}</td>" for count in (1, 0, 0, 0, 0, 0, 0))
    start = f"<main><table><tr><td>{FIRST}</td>{row}</tr></table></main>"
    assert list(start_page_against_ledger(BeautifulSoup(start, "html.parser"), whole)) == []


def test_q_and_power_stand_beside_a_central_claim():
    text = body(page(made(ids=("conv-lossless",))), "conv-lossless").get_text(" ")
    assert "q among central claims" in text and "could have shown" in text and "shown by a mean of" in text
    alone = body(page(made(ids=("agd-ee",), seeds=(0,))), "agd-ee").get_text(" ")
    assert "no outcome of these runs could have supported it, for any of its quantities" in alone


def test_the_same_ledger_is_the_same_page(laptop: Ledger):
    one, two = (ledger_html([laptop], name="Table N12-1", caption="Claims.") for _ in range(2))
    assert one == two


def test_ledgers_of_different_claims_are_refused(laptop: Ledger):
    for wrong in ([], [laptop, made(ids=("agd-loss",))]):
        with pytest.raises(ValueError, match="ledgers must be at least one and hold the same claims"):
            ledger_html(wrong, name="Table N12-1", caption="Claims.")


def test_runs_of_one_net_are_one_line():
    runs = World({}).evidence(seeds=(0, 2)).runs
    entries = [run.entry for run in runs if run.entry.network == "VGG5" and run.entry.role in ("ann", "snn")]
    assert words.planned(entries) == [
        "SNN VGG5, T = 25: seeds 0, 2",
        "SNN VGG5, T = 50: seeds 0, 2",
        "ANN VGG5: seeds 0, 2",
    ]


@pytest.mark.parametrize(
    "reason, short",
    [
        ("one", "one"),
        ("one; two", "one; two"),
        ("one; two; three; four", "one; two; and 2 more"),
    ],
)
def test_long_reasons_are_shortened(reason: str, short: str):
    assert words.shortened(reason) == short


def test_a_duration_in_words():
    found = [words.duration(minutes) for minutes in (0.5, 40, 192, 600000)]
    assert found == ["0.5 minutes", "40 minutes", "3.2 hours", "10,000 hours"]


def test_scale_in_words():
    assert "networks at 1/4 of the width" in words.scale(FIRST) and "full width" in words.scale("paper")
