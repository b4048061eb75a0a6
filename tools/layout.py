"""Layout checks of the built pages in a real browser, wide and narrow, light and dark: does everything fit, is all text legible?

    python -m tools.layout [PAGE.html ...]

Each rule returns sentences; any sentence fails the build. Without a browser the gate says that the layout was not checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from tools.browser import View, Visit, visit
from tools.inputs import ROOT

HTML = ROOT / "_build" / "html"

#: Fitting does not depend on the theme, and legibility does not depend on the width, so two views are enough.
VIEWS = (View("light, 1280 px", 1280, 900), View("dark, 390 px", 390, 844, dark=True))

#: Limits of the start page and of a chapter's flow.
START_WORDS, CHAPTER_WORDS, CHAPTER_EXHIBITS = 250, 2000, 5

#: contrast(element): contrast of its text with the background (WCAG 2.2, 1.4.3: at least 4.5).
CONTRAST = """
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return {rgb: [r, g, b], a}; };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const {rgb, a} = parse(getComputedStyle(e).backgroundColor);
      if (a > 0.5) return rgb;
    }
    return [255, 255, 255];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (element) => {
    const [a, b] = [light(parse(getComputedStyle(element).color).rgb), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const faint = (selector) => [...document.querySelectorAll(selector)]
    .filter((e) => e.checkVisibility() && e.textContent.trim() && contrast(e) < 4.5)
    .map((e) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 30)} ${contrast(e).toFixed(1)}`);
"""

#: All folds are opened first; then the script waits for hints to appear.
SCRIPT = f"""(async () => {{ {CONTRAST}
  const main = document.querySelector('main') ?? document.body;
  const home = document.querySelector('.snn-home');
  const bottom = home ? home.getBoundingClientRect().bottom + scrollY : 0;
  document.querySelectorAll('main details').forEach((d) => {{ d.open = true; }});
  await new Promise((done) => setTimeout(done, 150));
  const shown = [...main.querySelectorAll('*')]
    .filter((e) => !e.closest('svg, mjx-container, script, style') && e.checkVisibility());
  const name = (e) => `<${{e.tagName.toLowerCase()}} class="${{e.className}}"> "${{e.textContent.trim().slice(0, 40)}}"`;
  const hinted = (e) => e.nextElementSibling?.classList.contains('snn-more-hint');
  const clipped = shown.filter((e) => {{
    const flow = getComputedStyle(e).overflowX;
    const fits = flow === 'visible' || e.scrollWidth <= e.clientWidth + (e.matches('span.math') ? 8 : 2) || e.clientWidth < 2;
    if (fits || e.matches('div.math, input, textarea')) return false;
    return flow === 'hidden' || flow === 'clip' || !hinted(e);
  }}).map(name);
  const written = shown.filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .filter((e) => !e.matches('.headerlink, option, [disabled]'));
  const pale = written.filter((e) => contrast(e) < 4.5).map((e) => `${{name(e)}} ${{contrast(e).toFixed(1)}}`);
  const some = (found) => [...new Set(found)].slice(0, 5);
  return {{wide: document.documentElement.scrollWidth - innerWidth, clipped: some(clipped), pale: some(pale), bottom}};
}})()"""


def words(page: BeautifulSoup) -> int:
    """Number of words in the flow of a page: outside folds, tables, figures, code and navigation."""
    body = BeautifulSoup(str(page.select_one("article") or page.select_one("main") or page), "html.parser")
    useless = "details, table, figure, svg, script, style, pre, .headerlink, nav, footer, div.math, .snn-strip, mjx-container"
    for piece in body.select(useless):
        piece.decompose()
    return len(re.findall(r"\S*\w\S*", body.get_text(" ")))


def visible_words(page: BeautifulSoup) -> int:
    """Number of words on the start page, including its plot. The plot for phones repeats the other one and is not counted."""
    body = BeautifulSoup(str(page.select_one("article") or page), "html.parser")
    for piece in body.select("script, style, title, .snn-narrow, .headerlink, [hidden]"):
        piece.decompose()
    return len(re.findall(r"\S*[^\W\d]\S*", body.get_text(" ")))


def exhibits(page: BeautifulSoup) -> list[str]:
    """Names of the exhibits in the flow of a page."""
    found = page.select("article figure.snn-exhibit") or page.select("figure.snn-exhibit")
    return [str(figure["data-exhibit"]) for figure in found if figure.find_parent("details") is None]


def chapter_limits(page: BeautifulSoup) -> Iterator[str]:
    """Limits of a chapter, which should be readable in one sitting."""
    if (count := words(page)) > CHAPTER_WORDS:
        yield f"the text has {count:,} words outside of folds; at most {CHAPTER_WORDS:,} are allowed"
    if len(shown := exhibits(page)) > CHAPTER_EXHIBITS:
        yield f"{len(shown)} exhibits stand outside of folds ({', '.join(shown)}); at most {CHAPTER_EXHIBITS} are allowed"


def limits(html: Path = HTML) -> list[str]:
    """Pages that are too long: the start page and the chapters."""
    faults = []
    start = html / "book" / "index.html"
    if start.is_file() and (count := visible_words(_soup(start))) > START_WORDS:
        faults.append(f"book/index.html: the start page has {count} words; at most {START_WORDS} are allowed")
    for file in sorted(html.glob("executed/*.html")):
        faults += [f"executed/{file.name}: {sentence}" for sentence in chapter_limits(_soup(file))]
    return faults


def _soup(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text("utf-8"), "html.parser")


def complaints(seen: Visit) -> Iterator[str]:
    """Faults of one page in one view."""
    found: dict[str, Any] = seen.values
    yield from (f"asks for {address}" for address in seen.requests)
    yield from (f"error: {error}" for error in seen.errors)
    if found["wide"] > 0:
        yield f"the page is {found['wide']} pixels wider than the window"
    for piece in found["clipped"]:
        yield f"cut off without a hint: {piece}"
    for piece in found["pale"]:
        yield f"hardly legible: {piece}"
    if found["bottom"] and seen.view.width > 1000 and found["bottom"] > seen.view.height:
        yield f"the start page needs {found['bottom']:.0f} pixels of height; {seen.view.height} are one screen"


def pages(html: Path = HTML) -> list[Path]:
    """Chapters, pages of text, the search, and one page for all of the API."""
    api = sorted(html.glob("book/_generated/api/*.html"))[:1]
    return [
        *sorted(html.glob("executed/*.html")),
        *sorted(html.glob("book/*.html")),
        *api,
        html / "search.html",
    ]


def check(files: Sequence[Path] | None = None, *, html: Path = HTML) -> list[str]:
    """Every fault as one sentence that begins with the page and the view."""
    chosen = pages(html) if files is None else list(files)
    faults = []
    for seen in visit(chosen, VIEWS, script=SCRIPT):
        page = Path(seen.page)
        name = page.relative_to(html) if page.is_relative_to(html) else page.name
        faults += [f"{name} ({seen.view.name}): {sentence}" for sentence in complaints(seen)]
    return faults


def main() -> int:
    files = [Path(name).resolve() for name in sys.argv[1:]] or None
    faults = [*limits(), *check(files)]
    for sentence in faults:
        print(sentence, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
