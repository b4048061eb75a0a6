"""The start page and the head of README.md: sentences, plot, cards and table from one set of judgements."""

from __future__ import annotations

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from made_up import World

from panda2020.claims.claims import claims
from panda2020.claims.verdicts import CONTRADICTED, NOT_TESTABLE, OPEN, SUPPORTED
from panda2020.ledger import forest, home
from panda2020.ledger.ledger import ledger

pytestmark = pytest.mark.usefixtures("stated_energies")


@pytest.fixture(scope="module")
def found():
    judgements = ledger("laptop", found=World({}).evidence(), readings=False).judgements
    names = [name for name, one in claims().items() if one.group]
    groups = {g: tuple(judgements[n] for n in names if claims()[n].group == g) for g in home.GROUPS}
    return home.Home(groups)


def test_the_finding_counts_every_central_statement_once(found):
    said = home.finding(found)
    counts = [int(n) for n in re.findall(r"(\d+) [a-z ]+ \(", said)]
    assert sum(counts) == len(home.GROUPS) == 5
    assert all(topic in said for topic in home.TOPICS.values())


def test_the_scale_is_the_largest_and_claims_at_a_smaller_one_are_counted():
    def at(profile, images):
        data = SimpleNamespace(name="cifar10", train=images)
        record = SimpleNamespace(key=profile, labels={"profile": profile}, spec=SimpleNamespace(data=data))
        return SimpleNamespace(profile=profile, records=(record,))

    both = home.Home({"C1": (at("paper", 45_000),), "C2": (at("laptop", 10_000), at("laptop", 10_000))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "samples", lambda record: {None: SimpleNamespace(accuracy=0.5)})
        said = home.scale_sentence(both)
        alone = home.scale_sentence(home.Home({"C1": both.groups["C1"]}))
    assert "saw 90\N{NO-BREAK SPACE}% of CIFAR-10" in said
    assert said.endswith("2 of the 3 central claims still rest on smaller runs.")
    assert "rest" not in alone


def test_one_contradicted_claim_contradicts_a_statement_and_else_the_weakest_speaks():
    class Judged:
        def __init__(self, verdict):
            self.verdict = verdict

    def of(*verdicts):
        return home.verdict_of([Judged(verdict) for verdict in verdicts])

    assert of(SUPPORTED, OPEN, CONTRADICTED) == CONTRADICTED
    assert of(SUPPORTED, OPEN) == OPEN and of(SUPPORTED, OPEN, NOT_TESTABLE) == NOT_TESTABLE
    assert of(SUPPORTED, SUPPORTED) == SUPPORTED


def test_the_plot_is_made_of_links_that_tell_everything(found):
    for draw in (forest.wide, forest.narrow):
        plot = BeautifulSoup(draw(found.rows), "html.parser")
        rows = plot.select("a")
        assert {row["data-claim"] for row in rows} == {one.name for one in found.rows}
        for row in rows:
            assert (
                row["href"].endswith(f"#claim-{row['data-claim']}")
                and row.title.get_text() == row["data-told"]
            )
            assert row["data-verdict"] in row["data-told"] and "seed" in row["data-told"]
            assert row["data-command"].startswith(f"python -m panda2020 claims {row['data-claim']}")
        width = float(plot.svg["viewbox"].split()[2])
        places = [float(c["cx"]) for c in plot.select("circle")]
        assert places and all(0 <= x <= width for x in places)


def test_rows_of_the_plot_do_not_run_into_each_other(found):
    plot = BeautifulSoup(forest.wide(found.rows), "html.parser")
    tops = [float(hit["y"]) for hit in plot.select("rect.f-hit")]
    assert all(b - a >= 23 for a, b in pairwise(tops))
    longest = max(len(text.get_text()) for text in plot.select("a text:nth-of-type(2)"))
    assert longest * 6.2 < 392 - 22 - 60  # beside the article's number


def test_the_page_has_cards_buttons_and_both_sentences(found, monkeypatch):
    monkeypatch.setattr(home, "scale_sentence", lambda found: "Our networks are small.")
    page = BeautifulSoup(home.page_html(found), "html.parser")
    assert [card.strong.get_text() for card in page.select(".snn-card")] == list(home.CARDS)
    assert [a.get_text() for a in page.select(".snn-button")] == [
        "Read",
        "Check a number",
        "Run it",
        "How to cite",
    ]
    assert home.finding(found) in page.get_text() and "Our networks are small." in page.get_text()
    assert page.select_one("output.snn-details").has_attr("hidden")  # until a script fills it


def test_the_readme_has_a_row_per_central_claim(found, monkeypatch):
    monkeypatch.setattr(home, "scale_sentence", lambda found: "Our networks are small.")
    text = home.markdown(found)
    rows = [row for row in text.splitlines() if row.startswith("| C")]
    assert len(rows) == len(found.judgements) and text.startswith(f"**{home.finding(found)}**")
    assert all(row.count(" | ") >= 4 for row in rows) and "\\[" in text
