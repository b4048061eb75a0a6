"""Pages in a real browser: that the look at them notices faults, that exhibits have none, and the built book if there is one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pandas as pd
import pytest

from panda2020.exhibits.exhibit import table_html
from tools import browser, screenshots
from tools.browser import VIEWS, View, executable, visit

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        executable() is None, reason="no Chromium here: pages were not looked at in a browser"
    ),
]
LIGHT, DARK, PHONE = VIEWS


def write(folder: Path, body: str) -> Path:
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><html><meta name="viewport" content="width=device-width"><body>{body}</body></html>'
    )
    return page


def test_requests_and_errors_are_noticed(tmp_path: Path) -> None:
    body = "<script src='http://127.0.0.1:9/x.js'></script><script>console.error('bad'); throw Error('worse')</script>"
    seen = visit([write(tmp_path, body)], [LIGHT])[0]
    assert "http://127.0.0.1:9/x.js" in seen.requests
    assert any("bad" in error for error in seen.errors)
    assert any("worse" in error for error in seen.errors)


def test_a_quiet_page_is_quiet_and_views_differ(tmp_path: Path) -> None:
    script = "[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
    seen = visit([write(tmp_path, "<p>hello</p>")], VIEWS, script=script, picture=True)
    assert [(v.requests, v.errors) for v in seen] == [([], [])] * 3
    assert [v.values for v in seen] == [[1280, False], [1280, True], [390, False]]
    assert all(v.image.startswith(b"\x89PNG") for v in seen)


def test_an_exhibit_asks_for_nothing_and_fits_a_phone(tmp_path: Path) -> None:
    table = pd.DataFrame({f"a rather long heading {i}": ["words " * 8] for i in range(8)})
    page = write(tmp_path, table_html(table, name="Table 8", caption="Wide. " * 30, command="x " * 200))
    script = """(document.querySelector('details').open = true,
        [document.documentElement.scrollWidth, document.querySelector('.snn-scroll').scrollWidth])"""
    seen = visit([page], [PHONE], script=script)[0]
    assert (seen.requests, seen.errors) == ([], [])
    assert seen.values[0] <= 390 < seen.values[1]  # the table scrolls inside its own box, the page does not


@pytest.mark.skipif(
    not screenshots.HTML.joinpath(".checked").exists(),
    reason="no book is built: its pages were not looked at",
)
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_built_book_is_clean(view: View) -> None:
    assert screenshots.complaints(screenshots.all_pages(), views=[view]) == []


def test_a_script_is_tried_again_on_a_page_that_leaves_by_itself():
    said = ["Inspected target navigated or closed"] * 2

    class Leaving(browser._Tab):
        def __init__(self):
            pass

        async def call(self, method, **params):
            if said:
                raise RuntimeError(f"{method}: {said.pop()}")
            return {"result": {"value": 7}}

    assert asyncio.run(Leaving().evaluate("7")) == 7
    said += ["Inspected target navigated or closed"] * 9
    with pytest.raises(RuntimeError, match="navigated"):
        asyncio.run(Leaving().evaluate("7"))
    said[:] = ["no such thing"] * 2
    with pytest.raises(RuntimeError, match="no such thing"):
        asyncio.run(Leaving().evaluate("7"))
    assert len(said) == 1
