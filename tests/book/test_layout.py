"""The gate's look at pages: what it counts, what it finds in a browser on pages that have a fault, and that sound ones pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from panda2020.exhibits.exhibit import _style
from tools import layout
from tools.browser import executable

STATIC = Path(__file__).parents[2] / "book" / "_static"
looked_at = pytest.mark.skipif(
    executable() is None, reason="no Chromium here: pages were not looked at in a browser"
)


def page(body: str) -> BeautifulSoup:
    return BeautifulSoup(f"<main><article>{body}</article></main>", "html.parser")


def figure(name: str) -> str:
    return (
        f'<figure class="snn-exhibit" data-exhibit="{name}"><figcaption>one two three</figcaption></figure>'
    )


def test_words_are_those_of_the_flow():
    text = "<h2>What we find<a class='headerlink'>#</a></h2><p>Two words, 36.9 % and</p>"
    folded = (
        f"<details><summary>More</summary><p>many words here</p></details>{figure('A')}<pre>code = 1</pre>"
    )
    assert layout.words(page(text + folded + "<table><tr><td>a cell</td></tr></table>")) == 3 + 4
    assert layout.words(page("")) == 0


def test_exhibits_in_folds_are_not_in_the_flow():
    soup = page(figure("Table 8") + f"<details>{figure('Table 8, energy')}</details>" + figure("Figure 5"))
    assert layout.exhibits(soup) == ["Table 8", "Figure 5"]
    assert list(layout.chapter_limits(soup)) == []


@pytest.mark.parametrize(
    "body, said",
    [
        (
            "<p>" + "word " * (layout.CHAPTER_WORDS + 1) + "</p>",
            "2,001 words outside of folds; at most 2,000",
        ),
        ("".join(figure(str(n)) for n in range(6)), "6 exhibits stand outside of folds (0, 1, 2, 3, 4, 5)"),
    ],
)
def test_a_chapter_that_is_too_long_is_named(body: str, said: str):
    (fault,) = layout.chapter_limits(page(body))
    assert said in fault


def test_limits_hold_for_the_start_page_and_for_every_chapter(tmp_path: Path):
    for folder in ("book", "executed"):
        (tmp_path / folder).mkdir()
    long = f"<article><p>{'word ' * 3000}</p></article>"
    (tmp_path / "book" / "index.html").write_text(long)
    for name in ("07_agd", "12_claims"):
        (tmp_path / "executed" / f"{name}.html").write_text(long)
    assert [fault.partition(":")[0] for fault in layout.limits(tmp_path)] == [
        "book/index.html",
        "executed/07_agd.html",
        "executed/12_claims.html",
    ]
    shown = "<article><p>word</p><svg class='snn-narrow'><text>again again</text></svg><svg><text>two 36.9</text></svg></article>"
    assert layout.visible_words(BeautifulSoup(shown, "html.parser")) == 2


def look(folder: Path, body: str, *, style: str = "") -> list[str]:
    file = folder / "page.html"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>body{{margin:8px}}{style}</style>'
    file.write_text(f"<!doctype html><html>{head}<body><main>{body}</main></body></html>")
    return layout.check([file], html=folder)


WIDE = "<table><tr>" + "".join(f"<td>column{n}</td>" for n in range(40)) + "</tr></table>"


@pytest.mark.browser
@looked_at
@pytest.mark.parametrize(
    "body, style, said",
    [
        (f"<div>{WIDE}</div>", "", "pixels wider than the window"),
        (f"<div style='overflow-x:auto'>{WIDE}</div>", "", "cut off without a hint: <div"),
        (f"<div style='overflow:hidden'>{WIDE}</div>", "", "cut off without a hint: <div"),
        (f"<details><div style='overflow:auto'>{WIDE}</div></details>", "", "cut off without a hint"),
        ("<p style='color:#999'>pale words</p>", "", 'hardly legible: <p class=""> "pale words"'),
        ("<script>throw Error('broken')</script>", "", "broken"),
        ("<img src='http://127.0.0.1:9/x.png' alt='x'>", "", "asks for http://127.0.0.1:9/x.png"),
    ],
)
def test_a_fault_is_seen(tmp_path: Path, body: str, style: str, said: str):
    assert any(said in fault for fault in look(tmp_path, body, style=style))


#: What asks for http://127.0.0.1:9/NAME without an address that a reader of the page's source would find.
REQUESTS = {
    "srcdoc": "<iframe title='x' srcdoc='&lt;img src=http://127.0.0.1:9/srcdoc&gt;'></iframe>",
    "image-set": "<p style=\"background:image-set('http://127.0.0.1:9/image-set' 1x)\">x</p>",
    "escape": "<p style='background:u\\72l(http://127.0.0.1:9/escape)'>x</p>",
    "tab": "<img src='h&#9;ttp://127.0.0.1:9/tab' alt='x'>",
    "fetch": "<script>fetch('http://127.0.0.1:9/fetch').catch(() => 0)</script>",
    "split": "<script>fetch('htt' + 'p://127.0.0.1:9/split').catch(() => 0)</script>",
    "import": "<script>import('http://127.0.0.1:9/import').catch(() => 0)</script>",
    "image": "<script>new Image().src = 'http://127.0.0.1:9/image'</script>",
    "beacon": "<script>navigator.sendBeacon('http://127.0.0.1:9/beacon')</script>",
    "events": "<script>new EventSource('http://127.0.0.1:9/events')</script>",
    "write": "<script>document.write('<img src=http://127.0.0.1:9/write>')</script>",
    "filter": "<svg width='9' height='9'><filter id='f'><feImage href='http://127.0.0.1:9/filter'/></filter>"
    "<rect width='9' height='9' filter='url(#f)'/></svg>",
    "base": "<base href='http://127.0.0.1:9/'><img src='base' alt='x'>",
}


@pytest.mark.browser
@looked_at
def test_every_way_to_ask_for_something_is_seen(tmp_path: Path):
    found = look(tmp_path, "".join(REQUESTS.values()))
    for name in REQUESTS:
        assert any(f"asks for http://127.0.0.1:9/{name}" in fault for fault in found), name
    elsewhere = look(tmp_path, "<meta http-equiv='refresh' content='0;url=http://127.0.0.1:9/refresh'>")
    assert any("asks for http://127.0.0.1:9/refresh" in fault for fault in elsewhere)


@pytest.mark.browser
@looked_at
def test_a_wide_table_with_its_hint_is_sound(tmp_path: Path):
    script = f"<script>{(STATIC / 'exhibits.js').read_text()}</script>"
    body = f"<div class='snn'>{_style()}<div class='snn-scroll'>{WIDE}</div></div>{script}<p>Text.</p>"
    assert look(tmp_path, body) == []
    narrow = f"<div class='snn'>{_style()}<div class='snn-scroll'><p>short</p></div></div>{script}"
    assert look(tmp_path, narrow) == []


@pytest.mark.browser
@looked_at
def test_a_start_page_of_more_than_one_screen_is_named(tmp_path: Path):
    (fault,) = look(tmp_path, "<div class='snn-home' style='height:1200px'>words</div>")
    assert "light, 1280 px" in fault and "900 are one screen" in fault
