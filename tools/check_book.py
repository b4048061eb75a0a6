"""The gate: faults in executed notebooks and built pages that do not fail a build.

    python -m tools.check_book

Jupyter Book publishes tracebacks, stale numbers and missing figures without a warning. Each rule below is one
function that returns sentences; any sentence fails the build.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag

from panda2020.runs.store import seal
from tools import check_shown, generate, layout
from tools.browser import executable
from tools.execute import assigned, declared
from tools.inputs import ROOT, notebook_hash, outputs_hash, shared_inputs

EXTERNAL = re.compile(r"\s*(https?:|ftp:|//)", re.IGNORECASE)
IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?\s*((?:https?:|ftp:|//)[^"')\s]*)""", re.IGNORECASE)
LOADED_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}
BRACKETS = str.maketrans("", "", "[]")
IMAGE_FILE = re.compile(r"\S*\.(?:png|svg|jpe?g|gif|webp)|_images/\S*", re.IGNORECASE)
FIGURE = re.compile(r'<figure class="snn-exhibit".*?</figure>', re.DOTALL)
FAILED_GLUE = re.compile(
    r"<(?:Figure size|AxesSubplot|Axes:|IPython\.core|pandas\.)|\{glue[:}]|\{numref\}|\{cite[:}]"
)


# Executed notebooks -----------------------------------------------------------------------------------------


def error_outputs(notebook: dict[str, Any]) -> Iterator[str]:
    """Cells that failed."""
    for number, cell in code_cells(notebook):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                yield f"cell {number} ended in {output['ename']}: {output['evalue']}"


def execution_counts(notebook: dict[str, Any]) -> Iterator[str]:
    """Code cells that were not executed."""
    for number, cell in code_cells(notebook):
        if "".join(cell["source"]).strip() and cell.get("execution_count") is None:
            yield f"cell {number} was not executed"


def undeclared_parameters(notebook: dict[str, Any]) -> Iterator[str]:
    """Injected parameters that the parameters cell does not declare."""
    allowed = declared(notebook)
    for _, cell in code_cells(notebook):
        if "injected-parameters" in cell["metadata"].get("tags", []):
            for name in assigned("".join(cell["source"])):
                if name not in allowed:
                    yield f"papermill injected {name!r}, which the parameters cell does not declare"


def staleness(notebook: dict[str, Any], source: Path, inputs: dict[str, str]) -> Iterator[str]:
    """Inputs or outputs that changed after the execution."""
    noted = notebook["metadata"].get("snncore")
    if noted is None:
        yield "it does not say what it was made from: execute it with tools.execute"
        return
    now = {"notebook": notebook_hash(source), **inputs}
    words = {"notebook": "the notebook", "sources": "the package", "results": "the recorded results"}
    for name, word in words.items():
        if noted["inputs"].get(name) != now[name]:
            yield f"{word} changed after it was executed: make notebooks"
    if noted["outputs"] != outputs_hash(notebook):
        yield "its outputs were changed after it was executed"


def machine_paths(notebook: dict[str, Any], root: Path) -> Iterator[str]:
    """Shown paths of the machine that built the book."""
    for number, cell in code_cells(notebook):
        if str(root) in json.dumps(cell["outputs"]):
            yield f"cell {number} shows a path of this machine ({root}), perhaps in a warning"


def code_cells(notebook: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((i, cell) for i, cell in enumerate(notebook["cells"], 1) if cell["cell_type"] == "code")


def exhibits_of(notebook: dict[str, Any]) -> list[str]:
    """The exhibits that a notebook displays, as HTML."""
    found = []
    for _, cell in code_cells(notebook):
        for output in cell["outputs"]:
            found += FIGURE.findall("".join(output.get("data", {}).get("text/html", "")))
    return found


# Built pages ------------------------------------------------------------------------------------------------


def external_requests(page: BeautifulSoup) -> Iterator[str]:
    """Network requests on loading a page. Plain links are allowed."""
    for tag in page.find_all(True):
        for address in loaded_by(tag):
            if EXTERNAL.match(address):
                yield f"<{tag.name}> loads {address.strip()}"
        text = tag.string or "" if tag.name == "style" else str(tag.get("style") or "")
        yield from css_requests(text)


def loaded_by(tag: Tag) -> Iterator[str]:
    """Addresses that a browser fetches by itself for ``tag``."""
    if tag.name == "a":
        return
    if tag.name == "link":
        if LOADED_LINKS.intersection(word.lower() for word in tag.get("rel") or []):
            yield str(tag.get("href") or "")
        return
    for attribute in ("src", "data", "poster", "background"):
        if tag.get(attribute):
            yield str(tag[attribute])
    yield from str(tag.get("srcset") or "").split(",")
    if tag.name in ("image", "use"):
        yield str(tag.get("href") or tag.get("xlink:href") or "")


def css_requests(sheet: str) -> Iterator[str]:
    """Fonts, images or other sheets that a style sheet loads from the network."""
    yield from (f"a style sheet loads {address}" for address in IN_CSS.findall(sheet))


def missing_alt(page: BeautifulSoup) -> Iterator[str]:
    """Images without a description in words; a file name is not a description."""
    for image in page.find_all(["img", "svg", "object", "embed", "input"]):
        if image.name == "input" and image.get("type") != "image":
            continue
        if image.get("aria-hidden") == "true" or image.find_parent(attrs={"aria-hidden": "true"}):
            continue
        inside = image.title.get_text() if image.name == "svg" and image.title else ""
        inside = image.get_text() if image.name == "object" else inside
        text = str(image.get("alt") or image.get("aria-label") or inside).strip()
        where = str(image.get("src") or image.get("data") or f"<{image.name}>")[:60]
        if not text and not image.get("aria-labelledby"):
            yield f"an image has no alt text: {where}"
        elif IMAGE_FILE.fullmatch(text) or text == Path(where).stem:
            yield f"an image has a file's name as its alt text: {text[:60]}"


def unresolved(page: BeautifulSoup) -> Iterator[str]:
    """Text of an object in place of a figure, a value or a reference."""
    body = page.find("main") or page
    text = " ".join(
        s for s in body.find_all(string=True) if s.find_parent(["script", "style", "code", "pre"]) is None
    )
    shown = " ".join(p.get_text() for p in body.select("div.output pre"))
    for match in FAILED_GLUE.findall(text) + FAILED_GLUE.findall(shown):
        yield f"something did not resolve: the page reads {match!r}"


def broken_links(page: BeautifulSoup, folder: Path) -> Iterator[str]:
    """Local files that a page links or loads but that do not exist."""
    for tag in page.find_all(True):
        found_in = {"a": [str(tag.get("href") or "")], "link": loaded_by(tag)}
        for found in found_in.get(tag.name, [str(tag.get("src") or "")]):
            address = found.strip().split("#")[0].split("?")[0]
            local = address and not re.match(r"[a-z][a-z0-9+.-]*:|//", address, re.IGNORECASE)
            if local and not (folder / address).exists():
                what = "a link leads nowhere" if tag.name == "a" else f"<{tag.name}> loads what is not there"
                yield f"{what}: {address}"


def name_of(piece: BeautifulSoup) -> str:
    """The name of the parsed exhibit ``piece``."""
    figure = piece.figure
    return "an exhibit without a figure" if figure is None else str(figure["data-exhibit"])


def table_against_csv(exhibit: str) -> Iterator[str]:
    """Cells of an exhibit's table that differ from the values of its CSV download by more than rounding."""
    piece = BeautifulSoup(exhibit, "html.parser")
    name = name_of(piece)
    table = piece.select_one("table.snn-table:not(.snn-runs)")
    if table is None:
        return
    link = piece.select_one('a[download$=".csv"]')
    if link is None:
        yield f"{name} has a table and no CSV"
        return
    rows = list(csv.reader(io.StringIO(base64.b64decode(str(link["href"]).split(",", 1)[1]).decode())))
    shown = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
    if [len(row) for row in shown] != [len(row) for row in rows[1:]]:
        yield f"{name}: the table and its CSV have different shapes"
        return
    for seen, kept in zip(shown, rows[1:], strict=True):
        for one, other in zip(seen, kept, strict=True):
            if not same_value(one, other):
                yield f"{name} shows {one!r} where its CSV has {other!r}"


def ledger_against_csv(exhibit: str) -> Iterator[str]:
    """Claims of a ledger whose shown or filtered verdicts differ from those of its CSV download."""
    piece = BeautifulSoup(exhibit, "html.parser")
    claims = {str(body["data-claim"]): body for body in piece.select("tbody[data-claim]")}
    if not claims:
        return
    kept = ledger_rows(piece)
    if claims.keys() != kept.keys():
        yield f"{name_of(piece)} and its CSV have different claims"
        return
    for claim, body in claims.items():
        shown = [
            mark.select("span")[-1].get_text() for mark in body.select(":scope > tr:first-of-type .snn-mark")
        ]
        if not shown == str(body["data-verdict"]).split("|") == list(kept[claim].values()):
            yield f"{name_of(piece)} shows {', '.join(shown)} for {claim}, which is not what its CSV has"


def ledger_rows(piece: BeautifulSoup) -> dict[str, dict[str, str]]:
    """The verdicts in a ledger's CSV download: claim -> profile -> verdict."""
    link = piece.select_one('a[download$=".csv"]')
    text = base64.b64decode(str(link["href"]).split(",", 1)[1]).decode() if link else ""
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        found.setdefault(row["claim"], {})[row["profile"]] = row["verdict"]
    return found


def start_page_against_ledger(page: BeautifulSoup, exhibit: str) -> Iterator[str]:
    """Verdicts of the start page that differ from the ledger's."""
    kept = ledger_rows(BeautifulSoup(exhibit, "html.parser"))
    for row in page.select("svg.snn-forest a[data-claim]"):
        claim, verdict = str(row["data-claim"]), str(row["data-verdict"])
        if verdict not in kept.get(claim, {}).values():
            yield f"the start page says {verdict} of {claim}, which the ledger does not"


def same_value(shown: str, kept: str) -> bool:
    """Return whether ``shown`` is ``kept`` except for typesetting, or its number or interval rounded to the same digits."""
    typed = str.maketrans({"−": "-", "\u00a0": " ", "`": None})
    if shown.translate(typed) == kept.translate(typed) or (shown == "–" and kept == ""):
        return True
    ends, values = shown.translate(typed).split(" to "), kept.split(" to ")
    if len(ends) == len(values) == 2 and "[" not in shown:  # an interval
        return all(map(same_value, ends, values))
    words, others = (text.translate(typed).translate(BRACKETS).split() for text in (shown, kept))
    if len(words) == len(others) > 1:  # a cell of several parts: our value, its interval, the article's
        return all(map(same_value, words, others))
    plain = shown.replace(",", "").replace("−", "-").rstrip("%")
    try:
        a, b = float(plain), float(kept)
    except ValueError:
        return False
    if shown.endswith("%"):
        b *= 100
    mantissa, _, exponent = plain.lower().partition("e")
    step = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(a - b) <= 0.5 * step * (1 + 1e-9) + abs(b) * 1e-12


def records_behind(exhibit: str, root: Path) -> Iterator[str]:
    """Runs named by an exhibit that are missing on disk or changed since the exhibit was made."""
    piece = BeautifulSoup(exhibit, "html.parser")
    for row in piece.select("[data-key]"):
        key = str(row["data-key"])
        files = [p for p in (root / "results" / f"{key}.json", root / "runs" / f"{key}.json") if p.is_file()]
        if not files:
            yield f"{name_of(piece)} rests on run {key}, which is neither in results/ nor in runs/"
        elif not any(sha_of(p) == row["data-sha"] for p in files):
            yield f"{name_of(piece)} shows another content of run {key} than the record has"


def sha_of(record: Path) -> str | None:
    """The hash of a record's content, None if it is torn."""
    try:
        return str(seal(json.loads(record.read_text("utf-8")))["sha256"])
    except (ValueError, TypeError, AttributeError):
        return None


# All of it --------------------------------------------------------------------------------------------------


def check_notebooks(root: Path) -> list[str]:
    """Faults of the executed notebooks under ``root``."""
    faults: list[str] = []
    notebooks: dict[str, dict[str, Any]] = {}
    for source in sorted((root / "notebooks").glob("*.ipynb")):
        name = f"executed/{source.name}"
        if not (root / name).is_file():
            faults.append(f"{name}: missing: make notebooks")
            continue
        notebook = json.loads((root / name).read_text("utf-8"))
        params = json.loads(notebook["metadata"].get("snncore", {}).get("inputs", {}).get("params", "{}"))
        rules = [
            error_outputs(notebook),
            execution_counts(notebook),
            undeclared_parameters(notebook),
            staleness(notebook, source, shared_inputs(root, params)),
            machine_paths(notebook, root),
        ]
        page = root / "_build" / "html" / "executed" / f"{source.stem}.html"
        text = page.read_text("utf-8") if page.is_file() else ""
        notebooks[source.stem] = notebook
        rules.append(check_shown.chapter(notebook, json.loads(source.read_text("utf-8")), text))
        faults += [f"{name}: {sentence}" for rule in rules for sentence in rule]
        exhibits = exhibits_of(notebook)
        for exhibit in exhibits:
            found = (
                *table_against_csv(exhibit),
                *ledger_against_csv(exhibit),
                *records_behind(exhibit, root),
            )
            faults += [f"{name}: {sentence}" for sentence in found]
            start = root / "_build" / "html" / "book" / "index.html"
            if "data-claim=" in exhibit and start.is_file():
                front = BeautifulSoup(start.read_text("utf-8"), "html.parser")
                faults += [f"book/index.html: {s}" for s in start_page_against_ledger(front, exhibit)]
        faults += [
            f"{name}: an exhibit of it is not on its page" for exhibit in exhibits if exhibit not in text
        ]
    faults += check_shown.other_parameters(notebooks)
    faults += check_shown.missing_exhibits(notebooks, root)
    return faults


def check_pages(html: Path) -> list[str]:
    """Faults of the built pages in ``html``."""
    faults = []
    for file in sorted(html.rglob("*.html")):
        if "_static" in file.relative_to(html).parts:
            continue
        page = BeautifulSoup(file.read_text("utf-8"), "html.parser")
        rules = [
            external_requests(page),
            missing_alt(page),
            unresolved(page),
            broken_links(page, file.parent),
        ]
        faults += [f"{file.relative_to(html)}: {sentence}" for rule in rules for sentence in rule]
    for file in sorted(html.rglob("*.css")):
        faults += [
            f"{file.relative_to(html)}: {s}" for s in css_requests(file.read_text("utf-8", errors="replace"))
        ]
    return faults


def check(root: Path = ROOT) -> list[str]:
    """Every fault found, each in one sentence that begins with the file."""
    html = root / "_build" / "html"
    if not (html / "index.html").is_file():
        return ["_build/html: there is no built book: make book"]
    faults = check_notebooks(root) + check_pages(html) + layout.limits(html)
    if (root / "book" / "_generated").is_dir():
        faults += check_shown.fragments(root, generate.texts(root))
    if executable() is None:
        print("check_book: no browser here, so nobody looked at how the pages are laid out", file=sys.stderr)
        return faults
    return faults + layout.check(html=html)


def main() -> int:
    faults = check()
    for sentence in faults:
        print(sentence, file=sys.stderr)
    if not faults:
        print("check_book: no fault in the executed notebooks and the built pages")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
