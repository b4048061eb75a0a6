"""Pages made from records: the article's numbers, every run, what is missing, the summary, the API, how to cite."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from made_up import World

from panda2020 import contents
from panda2020.claims.stated import stated
from panda2020.ledger import home
from panda2020.ledger.ledger import ledger
from panda2020.runs import Store, key
from tools import calculator, generate, pages

pytestmark = pytest.mark.usefixtures("stated_energies")


@pytest.fixture(scope="module")
def judged():
    return ledger("laptop", found=World({}).evidence(), readings=False)


def table(page: str) -> list[list[str]]:
    soup = BeautifulSoup(page.partition("\n")[2].rpartition("```")[0], "html.parser")
    return [
        [cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in soup.select("tbody tr")
    ]


def test_every_number_of_the_article_has_a_row_beside_ours(judged) -> None:
    rows = table(pages.numbers(judged.judgements))
    said = [row[0] for row in rows]
    alone = [n.says for s in stated().values() for n in s.numbers if len(s.numbers) == 1]
    assert set(alone) <= set(said) and len(rows) >= len(alone)
    loss = next(row for row in rows if row[0] == "~2 - 3%")
    assert "SNN VGG5" in loss[2] and "points" in loss[2] and judged.judgements["agd-loss"].verdict in loss[3]


def test_every_run_is_listed_with_its_key() -> None:
    records = calculator.results()
    page = pages.recorded(records)
    assert all(page.count(record.key) == 1 for record in records)
    folded = BeautifulSoup(page, "html.parser").select("details.snn-fold")
    assert folded and all("open" not in fold.attrs for fold in folded)
    assert pages.recorded([]) == "No run is recorded.\n"


def test_a_run_is_listed_under_the_profile_that_plans_it() -> None:
    found = {r.key: r for r in generate.labelled(calculator.results(), Store(generate.ROOT / "results"))}
    planned = {key(entry.spec) for entry in contents.entries("laptop")} & found.keys()
    assert planned and {found[name].labels["profile"] for name in planned} == {"laptop"}
    assert "laptop, exhibit 8: " in pages.recorded(list(found.values()))


def test_the_summary_counts_verdicts_at_every_scale_that_has_runs(judged, monkeypatch) -> None:
    monkeypatch.setattr(
        pages, "scale_sentence", lambda found: "Small networks."
    )  # made-up records have no specs
    groups = {g: tuple(j for j in judged.judgements.values() if j.claim.group == g) for g in home.GROUPS}
    text = pages.results(home.Home(groups), [judged], [])
    counts = [int(n) for n in re.findall(r"^\| \S+ [a-z ]+ \| (\d+) \|$", text, re.MULTILINE)]
    assert counts == list(judged.counts.values()) and "Computing time of the 0 recorded runs" in text


def test_what_is_missing_is_listed_by_command() -> None:
    empty = ledger("laptop", found=World({}).evidence(), readings=False)
    assert pages.missing([empty]).startswith("Every planned run")


def test_progress_counts_the_runs_of_every_stage() -> None:
    assert list(pages.STAGE_TITLES) == list(contents.STAGES)
    pilot = {key(entry.spec) for entry in contents.stage("quick", "pilot")}
    some = sorted(pilot)[:5]
    rows = table(pages.progress("quick", {*some, "of another profile"}))
    assert [row[0].partition(":")[0] for row in rows] == list(contents.STAGES)
    assert rows[0][1] == f"5 of {len(pilot)}" and float(rows[0][2]) >= 0
    done = table(pages.progress("quick", pilot))[0]
    assert done[1:] == [f"{len(pilot)} of {len(pilot)}", "–"]


def test_every_public_module_has_a_place_in_the_api() -> None:
    found = generate.api()
    text = "".join(found.values())
    names = generate.modules()
    assert len(names) > 80 and all(text.count(f".. automodule:: {name}\n") == 1 for name in names)
    index = generate.api_index(found)
    assert (
        index.count("- [`") == len(found)
        and "[`snncore.energy`](../_generated/api/snncore.energy.md)" in index
    )


def test_the_citation_is_that_of_the_file() -> None:
    said = generate.cite()
    assert said.startswith("> The snncore authors. *snncore:") and "MIT licence" in said


def test_runs_on_two_machines_stand_side_by_side():
    again = Store(generate.ROOT / "results" / "twice").read_all()[0]
    rows = table(pages.twice(calculator.results(), again))
    assert len(rows) == len(again) > 0
    for row in rows:
        assert sum("H100" in cell for cell in row) == sum("EPYC" in cell for cell in row) == 1
    assert pages.twice([], []) == "No run was recorded on two machines.\n"
