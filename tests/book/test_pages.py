"""The pages a reader opens: the furniture, the exhibits and the way between them, on a small book built from the real sources.

It is built once for all workers. The whole book, where one is built, is looked at by test_browser.py and the gate.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tiny_book
import yaml
from bs4 import BeautifulSoup

from panda2020.runs.store import seal
from panda2020.runs.verifications import FIELDS, append
from tools.browser import VIEWS, View, executable, visit
from tools.check_book import check_pages
from tools.generate import verified
from tools.layout import CONTRAST

LIGHT, DARK, PHONE = VIEWS
CHAPTERS = tiny_book.chapters()
FIRST, TITLE = next(iter(CHAPTERS.items()))  # the one with exhibits
PRINTED = View("print", 720, 1000, dark=True, media="print")
looked_at = [
    pytest.mark.browser,
    pytest.mark.skipif(
        executable() is None, reason="no Chromium here: the pages were not looked at in a browser"
    ),
]


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the small book."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root = shared / "tiny-book"
    with (shared / "tiny-book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "outcome").exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            outcome = ""
            try:
                tiny_book.build(root)
            except RuntimeError as error:
                outcome = str(error)
            (root / "outcome").write_text(outcome)
        if problem := (root / "outcome").read_text():
            pytest.fail(problem)
    return root / "_build" / "html"


def pages(html: Path) -> list[Path]:
    return sorted([*html.glob("book/**/*.html"), *html.glob("executed/*.html")])


@cache
def soup(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text("utf-8"), "html.parser")


def test_the_gate_finds_no_fault(html: Path) -> None:
    assert len(pages(html)) > 10 and check_pages(html) == []


def test_previous_and_next_lead_through_every_page(html: Path) -> None:
    contents = yaml.safe_load((html.parents[1] / "book" / "_toc.yml").read_text("utf-8"))
    order = [contents["root"]]
    for part in contents["parts"]:
        for entry in part["chapters"]:
            order += [entry["file"]] if "file" in entry else [f"executed/{name}" for name in CHAPTERS]
    for i, name in enumerate(order):
        file = html / f"{name}.html"
        for css, want in (
            ("a.left-prev", order[i - 1] if i else None),
            ("a.right-next", [*order, None][i + 1]),
        ):
            link = soup(file).select_one(css)
            found = None if link is None else os.path.relpath(file.parent / str(link["href"]), html)
            assert found == (None if want is None else f"{want}.html"), (name, css)


def test_downloads_hold_what_they_say(html: Path) -> None:
    page = html / "executed" / f"{FIRST}.html"
    links = {str(a["download"]): str(a["href"]) for a in soup(page).select(".snn-downloads a")}
    assert set(links) == {"table-8.csv", "figure-5.svg", "figure-5.csv", f"{FIRST}.ipynb"}

    def content(name: str) -> str:
        return base64.b64decode(links[name].partition("base64,")[2]).decode()

    assert (
        content("table-8.csv").startswith("a rather long heading 0,")
        and content("figure-5.csv") == "x\n0\n1\n"
    )
    assert content("figure-5.svg").rstrip().endswith("</svg>")
    notebook = json.loads((page.parent / links[f"{FIRST}.ipynb"]).read_text("utf-8"))
    assert notebook["cells"] == tiny_book.chapter(FIRST, TITLE)["cells"]


def test_every_picture_says_what_it_shows_and_tables_have_headings(html: Path) -> None:
    for file in pages(html):
        for image in soup(file).select("main img"):
            assert len(str(image["alt"])) > 10, file.name
        for table in soup(file).select("main table.snn-table"):
            assert all(th.get("scope") for th in table.select("th")), file.name


class TestBrowser:
    pytestmark = looked_at

    def test_no_page_is_wider_than_a_phone_or_asks_for_anything(self, html: Path) -> None:
        script = """(document.querySelectorAll('details').forEach((d) => { d.open = true; }),
            [document.documentElement.scrollWidth - innerWidth,
             document.querySelectorAll('.math:not(:has(mjx-container))').length])"""
        shown = [
            p for p in pages(html) if p.parent.name != "executed" or p.stem == FIRST
        ]  # the others are empty here
        seen = visit([*shown, html / "search.html"], [PHONE], script=script, as_reader=True)
        assert [(Path(v.page).name, v.requests, v.errors) for v in seen if v.requests or v.errors] == []
        assert [(Path(v.page).name, v.values) for v in seen if v.values[0] > 0 or v.values[1]] == []

    def test_captions_tables_and_links_are_legible_in_the_dark(self, html: Path) -> None:
        script = f"""(() => {{ {CONTRAST}
            document.querySelectorAll('details').forEach((d) => {{ d.open = true; }});
            return [document.documentElement.dataset.theme, document.querySelectorAll('main caption, main figcaption').length,
                    faint('main p, main a, main li, main caption, main figcaption, main th, main td, main label, main code, ' +
                          'main summary, main button, main legend, main dt, main dd, main .snn-badge, main h1, main h2')];
        }})()"""
        shown = [
            html / "executed" / f"{FIRST}.html",
            *(html / "book" / f"{n}.html" for n in ("calculator", "reading", "rerun")),
        ]
        seen = visit(shown, [DARK], script=script)
        assert (
            [v.values[0] for v in seen] == ["dark"] * 4 and seen[0].values[1] == 2 and seen[1].values[1] == 1
        )
        assert [(Path(v.page).name, v.values[2]) for v in seen if v.values[2]] == []

    def test_everything_that_can_be_used_is_reached_by_keyboard(self, html: Path) -> None:
        script = """(() => {
            document.querySelectorAll('details').forEach((d) => { d.open = true; });
            const usable = '.snn-downloads a, .snn-copy, .snn-scroll, main summary, .prev-next-footer a';
            const some = [...document.querySelectorAll(usable)];
            const missed = some.filter((e) => { e.focus(); return document.activeElement !== e || e.tabIndex < 0; });
            return [some.length, missed.map((e) => e.outerHTML.slice(0, 80))];
        })()"""
        count, missed = visit([html / "executed" / f"{FIRST}.html"], [LIGHT], script=script)[0].values
        assert count > 10 and missed == []

    def test_search_finds_a_chapter_from_disk(self, html: Path) -> None:
        script = """(async () => {
            for (let i = 0; i < 100; i += 1) {
                if (document.querySelector('#search-results')?.textContent.includes('found')) break;
                await new Promise((done) => setTimeout(done, 100));
            }
            return [...document.querySelectorAll('#search-results li a')].map((a) => a.textContent);
        })()"""
        seen = visit(
            [f"{(html / 'search.html').as_uri()}?q=thresholds"], [LIGHT], script=script, as_reader=True
        )[0]
        assert any(TITLE in found for found in seen.values) and (seen.requests, seen.errors) == ([], [])

    def test_paper_gets_the_text_and_no_furniture(self, html: Path) -> None:
        script = f"""(() => {{ {CONTRAST}
            const furniture = '.bd-sidebar-primary, .bd-header-article, .prev-next-footer, .snn-downloads, .snn-copy';
            return [[...document.querySelectorAll(furniture)].filter((e) => e.checkVisibility()).map((e) => e.className),
                    faint('main p, main figcaption, main th, main td, main h1'), behind(document.querySelector('main p')),
                    getComputedStyle(document.querySelector('.snn-scroll')).overflowX];
        }})()"""
        furniture, faint, paper, overflow = visit(
            [html / "executed" / f"{FIRST}.html"], [PRINTED], script=script
        )[0].values
        assert (furniture, faint, paper, overflow) == ([], [], [255, 255, 255], "visible")


# The list of verifications ----------------------------------------------------------------------------------


def logged(**change: Any) -> dict[str, Any]:
    line = {
        **dict.fromkeys(FIELDS, "of the run"),
        "schema": 2,
        "date": "2026-01-02T03:04:05+00:00",
        "key": "0" * 16,
        "record_sha256": "1" * 64,
        "commit": "c" * 40,
        "dirty": False,
        "sources": "current",
        "exact": True,
        "differing": [],
        "agrees": True,
        "differences": [],
        "machine": {"device_name": "a CPU", "threads": 1, "versions": {"torch": "2.0"}},
    }
    return seal({**line, **change})


def test_an_empty_log_is_said_to_be_empty(tmp_path: Path) -> None:
    text = verified(tmp_path / "none.jsonl", [tiny_book.RECORD])
    assert "The log is empty" in text and "may differ by 0.05 + 10% of itself" in text and "|" not in text


def test_the_log_is_listed_with_what_differs(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append(log, logged())
    append(
        log,
        logged(date="2026-02-02T00:00:00+00:00", exact=False, differing=["cpu"], dirty=True, sources="older"),
    )
    append(
        log,
        logged(
            date="2026-03-02T00:00:00+00:00",
            agrees=False,
            record_sha256="2" * 64,
            commit=None,
            dirty=None,
            differences=["curve[0].loss was 1 and is 2", "a", "b"],
        ),
    )
    append(log, logged(date="2026-04-02T00:00:00+00:00", key="9" * 16))
    text = verified(log, [tiny_book.RECORD])
    assert "4 comparisons, of 1 of the 1 recorded runs. 2 agree bit for bit, 1 within the tolerance" in text
    assert "another kind of machine, and 1 differ." in text
    rows = [row.strip("|").split(" | ") for row in text.splitlines() if row.startswith("| 2026")]
    assert [row[0].strip() for row in rows] == ["2026-04-02", "2026-03-02", "2026-02-02", "2026-01-02"]
    assert [row[1] for row in rows] == [
        f"`{'9' * 16}`, no longer here",
        f"`{'0' * 16}` VGG5 snn, laptop, whose content has changed since",
        *[f"`{'0' * 16}` VGG5 snn, laptop"] * 2,
    ]
    assert [row[2] for row in rows] == [
        "✓ agrees bit for bit",
        "✗ differs, compared bit for bit: curve[0].loss was 1 and is 2 and 2 more",
        "✓ agrees within tolerance, as cpu differ",
        "✓ agrees bit for bit",
    ]
    assert rows[1][3] == "an unknown commit, not known whether clean"
    assert rows[2][3] == "commit `cccccccccc`+dirty, sources other than the record's"
    assert rows[3][4].strip() == "a CPU, 1 threads, torch 2.0"


def test_a_torn_log_stops_the_build_and_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append(log, logged())
    log.write_text(log.read_text() + "{")
    with pytest.raises(SystemExit, match=re.escape("log.jsonl line 2 is torn")):
        verified(log, [tiny_book.RECORD])
