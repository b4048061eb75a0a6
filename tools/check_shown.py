"""The gate's rules on content: a page must show what its notebook, its records and the library give.

    python -m tools.check_shown --write    # store the exhibits of the executed chapters in tools/exhibits.json

An edit that also renews the hash of a notebook's outputs would pass as an execution. So the shown content is compared with
its origin: a chapter's cells with the source, printed text and every number in prose with the page, generated fragments and
the calculator's data with the library's current output, and the exhibits with the list of required ones.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from tools.inputs import ROOT

LIST = "tools/exhibits.json"
COMPLAINT = re.compile(r"Traceback \(most recent call last\)|\b\w*(?:Warning|Error): ")
EXHIBIT = re.compile(r'<figure class="snn-exhibit"[^>]*\bdata-exhibit="([^"]*)"')
INCLUDED = re.compile(r"```\{include\} _generated/(\w+\.md)\s*```")
WORD = re.compile(r"[-+]?\d[\d.,]*\d|[^\W_]+")  # sign, point and comma inside a number are part of it
# Markdown that is shown differently: code blocks, directives, mathematics, roles, targets of links, HTML
TYPESET = re.compile(
    r"```.*?```|\$\$.*?\$\$|\$[^$]*\$|\{[\w:.-]+\}`[^`]*`|\]\([^)]*\)|<[^>]*>|&\w+;|\\.", re.DOTALL
)


def complaints(notebook: dict[str, Any]) -> Iterator[str]:
    """No cell prints a traceback or a warning."""
    for number, cell in enumerate(notebook["cells"], 1):
        for output in cell.get("outputs", []):
            text = "".join(output.get("text", "")) if output["output_type"] == "stream" else ""
            if found := COMPLAINT.search(text):
                row = text[found.start() :].splitlines()[0]
                yield f"cell {number} prints {row[:80]!r}"


def other_cells(notebook: dict[str, Any], source: dict[str, Any]) -> Iterator[str]:
    """Differences between the cells and those of the source, except for the cell that papermill injects."""
    kept = [c for c in notebook["cells"] if "injected-parameters" not in c["metadata"].get("tags", [])]
    if len(kept) != len(source["cells"]):
        yield f"it has {len(kept)} cells, its source {len(source['cells'])}"
        return
    for number, (one, other) in enumerate(zip(kept, source["cells"], strict=True), 1):
        if one["cell_type"] != other["cell_type"] or "".join(one["source"]) != "".join(other["source"]):
            yield f"cell {number} is not the one of its source"


def other_parameters(notebooks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Chapters that were executed with parameters different from the others."""
    found = {
        name: notebook["metadata"].get("snncore", {}).get("inputs", {}).get("params", "{}")
        for name, notebook in notebooks.items()
    }
    usual = max(found.values(), key=list(found.values()).count, default="{}")
    for name, params in found.items():
        if params != usual:
            yield f"executed/{name}.ipynb: it was executed with {params}, the others with {usual}"


def exhibit_names(notebooks: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The exhibits of every chapter, in order."""
    return {
        name: [
            found
            for cell in notebook["cells"]
            for output in cell.get("outputs", [])
            for found in EXHIBIT.findall("".join(output.get("data", {}).get("text/html", "")))
            if not found.endswith(", missing")  # disappears when its runs are recorded
        ]
        for name, notebook in notebooks.items()
    }


def missing_exhibits(notebooks: dict[str, dict[str, Any]], root: Path) -> Iterator[str]:
    """Differences between the chapters executed with their defaults, with their exhibits, and the list."""
    if not (root / LIST).is_file() or any(
        n["metadata"].get("snncore", {}).get("inputs", {}).get("params", "{}") != "{}"
        for n in notebooks.values()
    ):
        return
    wanted, found = json.loads((root / LIST).read_text("utf-8")), exhibit_names(notebooks)
    how = "python -m tools.check_shown --write after a change that is meant"
    for name in sorted({*wanted, *found}):
        if name not in found or name not in wanted:
            yield f"executed/{name}.ipynb: a chapter {'is missing' if name in wanted else 'is new'}: {how}"
        elif found[name] != wanted[name]:
            lost = [one for one in wanted[name] if one not in found[name]]
            more = [one for one in found[name] if one not in wanted[name]]
            what = f"lacks {', '.join(lost)}" if lost else f"has {', '.join(more) or 'another order'}"
            yield f"executed/{name}.ipynb: the list of exhibits {LIST} differs, the chapter {what}: {how}"


def words(text: str) -> str:
    """The words and numbers of a text, without punctuation."""
    return " ".join(WORD.findall(text.replace("−", "-")))


def numbers_in(markdown: str) -> Iterator[str]:
    """The pieces of Markdown text that contain a number and are shown unchanged."""
    for piece in re.split(r"\n\s*\n|\n\s*[-*#|>]|\||(?<=[.:;])\s", TYPESET.sub("\n\n", markdown)):
        found = words(piece.replace("*", ""))  # emphasis
        if re.search(r"\d", found) and len(found.split()) > 1:
            yield found


def shown(page: BeautifulSoup) -> str:
    """The words of a page's article."""
    article = page.select_one("article") or page.find("main") or page
    for hidden in article.find_all(["script", "style"]):
        hidden.decompose()
    return words(article.get_text(" "))


def numbers_on_page(markdown: str, page: str) -> Iterator[str]:
    """Numbers of a text that are not on the page with the words around them."""
    for piece in numbers_in(markdown):
        if piece.replace(" ", "") not in page.replace(" ", ""):
            yield f"its page does not say {piece.strip()[:100]!r}"


def outputs_on_page(notebook: dict[str, Any], page: str, text: str) -> Iterator[str]:
    """Printed lines and sentences with a number that are not in ``text``, and HTML outputs that are not in ``page``."""
    for number, cell in enumerate(notebook["cells"], 1):
        if {"remove-output", "remove-cell"}.intersection(cell["metadata"].get("tags", [])):
            continue
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for row in "".join(output.get("text", "")).splitlines():
                found = words(row)
                if re.search(r"\d", found) and found.replace(" ", "") not in text.replace(" ", ""):
                    yield f"its page does not show the printed line {row.strip()[:100]!r}"
            if "text/html" in data and "".join(data["text/html"]).strip() not in page:
                yield f"its page does not show what cell {number} displays"
            elif "text/html" not in data and "text/markdown" in data:
                yield from numbers_on_page("".join(data["text/markdown"]), text)


def chapter(notebook: dict[str, Any], source: dict[str, Any], page: str) -> Iterator[str]:
    """All rules for one executed chapter; ``page`` is its HTML, empty if there is none."""
    yield from complaints(notebook)
    yield from other_cells(notebook, source)
    if page:
        text = shown(BeautifulSoup(page, "html.parser"))
        yield from outputs_on_page(notebook, page, text)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                yield from numbers_on_page("".join(cell["source"]), text)


def fragments(root: Path, generated: dict[str, str]) -> Iterator[str]:
    """Pages that do not show the numbers of a generated fragment as generated now, and outdated calculator scripts."""
    html = root / "_build" / "html"
    for source in sorted((root / "book").glob("*.md")):
        page = html / "book" / f"{source.stem}.html"
        names = INCLUDED.findall(source.read_text("utf-8"))
        if not names or not page.is_file():
            continue
        text = shown(BeautifulSoup(page.read_text("utf-8"), "html.parser"))
        for name in names:
            if name != "times.md":  # differs in every build
                faults = numbers_on_page(generated.get(name, ""), text)
                yield from (f"book/{source.stem}.html: {name}: {fault}" for fault in faults)
    for name, text in generated.items():
        file = html / "_static" / Path(name).name
        if name.startswith("static/") and file.is_file() and file.read_text("utf-8") != text:
            yield f"_static/{file.name}: it is not what tools.generate gives"


def main() -> int:
    executed = {p.stem: json.loads(p.read_text("utf-8")) for p in sorted((ROOT / "executed").glob("*.ipynb"))}
    if sys.argv[1:] != ["--write"]:
        print("usage: python -m tools.check_shown --write", file=sys.stderr)
        return 2
    text = json.dumps(exhibit_names(executed), indent=1, ensure_ascii=False) + "\n"
    (ROOT / LIST).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
