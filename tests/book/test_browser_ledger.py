"""The ledger in a real browser: filter, opening a claim, deep links, print, phone; and without its script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim
from panda2020.claims.evidence import Evidence
from panda2020.exhibits import style
from panda2020.ledger.ledger import ledger
from panda2020.ledger.page import ledger_html
from tools.browser import VIEWS, executable, visit
from tools.inputs import ROOT

pytestmark = [
    pytest.mark.usefixtures("stated_energies"),
    pytest.mark.browser,
    pytest.mark.skipif(
        executable() is None, reason="no Chromium here: the ledger was not looked at in a browser"
    ),
]
LIGHT, DARK, PHONE = VIEWS
#: In the order of the page: central, secondary, by construction.
IDS = ("agd-vgg7-fails", "agd-loss", "backres-channels", "conv-params-minimal")

#: What is shown and open, and what the page says it shows.
STATE = """({
  shown: [...document.querySelectorAll('tbody[data-claim]')].filter(one => one.offsetParent).map(one => one.dataset.claim),
  open: [...document.querySelectorAll('tbody[data-claim] details[open]')].map(one => one.closest('tbody').dataset.claim),
  said: document.querySelector('.snn-filter output').textContent,
  filter: Boolean(document.querySelector('.snn-filter').offsetParent),
})"""
#: Choose, type or press as a keyboard does, and let the page answer.
ACT = """
const form = document.querySelector('.snn-filter'), wait = () => new Promise(done => setTimeout(done, 50));
const set = async (name, value) => { const field = form.elements[name]; field.focus(); field.value = value;
  field.dispatchEvent(new InputEvent('input', {bubbles: true})); await wait(); return document.activeElement === field; };
const press = async (what) => { const button = form.querySelector(what); button.focus(); button.click(); await wait(); };
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page from disk, with the script beside it as the book has it, and once without."""
    style.use()
    runs = tuple(run for run in World({}).evidence(seeds=(0, 1)).runs if run.entry.network != "VGG8")
    found = ledger(
        "laptop",
        known={name: claim(name) for name in IDS},
        found=Evidence("laptop", runs),
        estimators={name: contents.estimators()[name] for name in IDS},
    )
    body = ledger_html([found], name="Table N12-1", caption="Claims.")
    root = tmp_path_factory.mktemp("ledger")
    (root / "ledger.js").write_text((ROOT / "book" / "_static" / "ledger.js").read_text("utf-8"))
    for name, script in (("with", '<script src="ledger.js"></script>'), ("without", "")):
        (root / f"{name}.html").write_text(
            '<!doctype html><html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            # as the book's theme has it
            "<style>.bd-content { max-width: 44rem; } .bd-content div.output table { table-layout: auto; }</style>"
            f'<body>{script}<div class="bd-content"><div class="output">{body}</div></div><p style="height: 200em"></p>'
        )
    return root


def look(page: Path, script: str, view: Any = LIGHT) -> Any:
    seen = visit([page], [view], script=f"(async () => {{ {ACT} {script} }})()")[0]
    assert (seen.requests, seen.errors) == ([], [])
    return seen.values


def test_filter_by_method_verdict_and_words(folder: Path):
    states = look(
        folder / "with.html",
        f"""
        const seen = [{STATE}];
        for (const [name, value] of [['method', 'AGD'], ['verdict', 'open'], ['words', 'no such words']]) {{
          if (!await set(name, value)) throw Error(name + ' takes no focus');
          seen.push({STATE});
        }}
        await press('[type=reset]'); seen.push({STATE});
        await set('words', 'CHANNELS drop'); seen.push({STATE});
        return seen;
    """,
    )
    shown = [
        list(IDS),
        ["agd-vgg7-fails", "agd-loss"],
        ["agd-vgg7-fails"],
        [],
        list(IDS),
        ["backres-channels"],
    ]
    assert [state["shown"] for state in states] == shown
    assert [state["said"] for state in states] == [f"{len(ids)} of 4 claims shown" for ids in shown]
    assert all(state["filter"] and state["open"] == [] for state in states)


def test_a_claim_opens_and_shows_what_it_rests_on(folder: Path):
    found = look(
        folder / "with.html",
        """
        const claim = document.getElementById('claim-agd-loss'), summary = claim.querySelector('summary');
        const before = claim.querySelector('blockquote').checkVisibility();
        summary.focus(); summary.click(); await wait();
        const image = claim.querySelector('svg.snn-figure');
        return {before, focus: document.activeElement === summary, drawn: image.getBoundingClientRect().width > 200,
          after: ['blockquote', 'dl', '.snn-parts', 'svg.snn-figure', '.snn-behind', '.snn-command'].map(
            what => claim.querySelector(what).checkVisibility())};
    """,
    )
    assert found == {"before": False, "focus": True, "drawn": True, "after": [True] * 6}


def test_open_all_opens_what_is_shown(folder: Path):
    states = look(
        folder / "with.html",
        f"""
        await set('method', 'AGD'); await press('[name=open]'); const first = {STATE};
        await press('[name=close]'); return [first, {STATE}];
    """,
    )
    assert [state["open"] for state in states] == [["agd-vgg7-fails", "agd-loss"], []]


def test_a_link_to_a_claim_opens_it_even_where_the_filter_hid_it(folder: Path):
    state, top = look(
        folder / "with.html",
        f"""
        await set('method', 'AGD'); location.hash = '#claim-conv-params-minimal'; await wait(); await wait();
        return [{STATE}, document.getElementById('claim-conv-params-minimal').getBoundingClientRect().top];
    """,
    )
    assert (state["open"], state["shown"]) == (["conv-params-minimal"], list(IDS))
    assert 0 <= top < LIGHT.height / 2


def test_on_paper_everything_shown_is_open(folder: Path):
    states = look(
        folder / "with.html",
        f"""
        dispatchEvent(new Event('beforeprint')); const printing = {STATE};
        dispatchEvent(new Event('afterprint')); return [printing, {STATE}];
    """,
    )
    assert [state["open"] for state in states] == [list(IDS), []]


def test_without_the_script_it_is_a_full_table(folder: Path):
    state = look(folder / "without.html", f"return {STATE}")
    assert state == {"shown": list(IDS), "open": [], "said": "4 of 4 claims shown", "filter": False}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_all_open_it_fits_the_window(folder: Path, view: Any):
    wide, over = look(
        folder / "with.html",
        """
        await press('[name=open]');
        const right = document.querySelector('.snn-ledger').getBoundingClientRect().right;
        const inside = [...document.querySelectorAll('.snn-ledger *')].filter(
          one => !one.parentElement.closest('.snn-scroll, code'));
        return [document.documentElement.scrollWidth - innerWidth,
          inside.filter(one => one.getBoundingClientRect().right > right + 1).map(one => one.outerHTML.slice(0, 90))];
    """,
        view,
    )
    assert wide <= 0 and over == []  # what is wider scrolls in its own box


#: Contrast of every verdict's sign and word with what lies behind it, as WCAG defines it.
CONTRAST = """
const part = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const light = (c) => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b); };
return [...document.querySelectorAll('.snn-mark')].map(one => { const s = getComputedStyle(one);
  const [a, b] = [light(s.color), light(s.backgroundColor)].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); });
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_verdicts_can_be_read_in_both_themes(folder: Path, theme: str):
    found = look(
        folder / "with.html", f"document.documentElement.dataset.theme = '{theme}'; await wait(); {CONTRAST}"
    )
    assert len(found) > 4 and min(found) >= 4.5
