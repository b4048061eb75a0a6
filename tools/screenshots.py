"""Check the built pages in a browser: pictures in light, dark and on a phone, and the browser's complaints.

python -m tools.screenshots [PAGE.html ...] [--to _build/screenshots]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.browser import VIEWS, View, visit
from tools.inputs import ROOT

HTML = ROOT / "_build" / "html"
#: wide: the whole page scrolls sideways. raw: mathematics was not typeset.
SCRIPT = """(() => {
  const folded = [...document.querySelectorAll('details:not([open])')];
  folded.forEach((one) => { one.open = true; });  // what is folded away must fit too
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  folded.forEach((one) => { one.open = false; });
  return {wide, raw: document.querySelectorAll('.math:not(:has(mjx-container))').length};
})()"""


def complaints(pages: list[Path], *, views: Sequence[View] = VIEWS, to: Path | None = None) -> list[str]:
    """Faults of the pages, one sentence each. Pictures are written to ``to``."""
    found = []
    for seen in visit(pages, views, script=SCRIPT, picture=to is not None):
        name = Path(seen.page).relative_to(HTML).with_suffix("").as_posix().replace("/", "-")
        here = f"{name} ({seen.view.name})"
        found += [f"{here}: asked for {address}" for address in seen.requests]
        found += [f"{here}: {error}" for error in seen.errors]
        if seen.values["wide"] > 0:
            found.append(f"{here}: the page is {seen.values['wide']} pixels wider than the window")
        if seen.values["raw"]:
            found.append(f"{here}: {seen.values['raw']} formulas were not typeset")
        if to is not None:
            to.mkdir(parents=True, exist_ok=True)
            (to / f"{name}-{seen.view.name}.png").write_bytes(seen.image)
    return found


def all_pages() -> list[Path]:
    """The pages of the book, chapters and the text around them."""
    return sorted([*HTML.glob("book/**/*.html"), *HTML.glob("executed/*.html")])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "screenshots")
    given = parser.parse_args()
    found = complaints([p.resolve() for p in given.pages] or all_pages(), to=given.to)
    for sentence in found:
        print(sentence, file=sys.stderr)
    print(f"pictures are in {given.to}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
