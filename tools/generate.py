"""Write the parts of the book that come from code into book/_generated/ (not kept in git).

headlines.md   what the executed notebooks declared as headline findings (snncore.paper.exhibits.headline)
parameters.md  the papermill parameters (snncore.paper.notebook.PARAMETERS) and which notebook takes which
times.md       seconds each notebook took in this build
api_*.md       one automodule directive per module of the package
static/        the exhibits' style sheet, for pages that explain the badges
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from snncore.paper import exhibits, notebook
from tools.execute import declared, write_if_changed
from tools.inputs import ROOT

OUT = ROOT / "book" / "_generated"


def executed() -> dict[str, dict[str, Any]]:
    """Executed notebooks by name, in reading order."""
    return {p.stem: json.loads(p.read_text("utf-8")) for p in sorted((ROOT / "executed").glob("*.ipynb"))}


def title(content: dict[str, Any]) -> str:
    """The first heading of a notebook."""
    for cell in content["cells"]:
        for row in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and row.startswith("# "):
                return row[2:].strip()
    raise SystemExit("a notebook has no '# Title' heading, which the book's table of contents needs")


def headlines(notebooks: dict[str, dict[str, Any]]) -> str:
    """The findings that notebooks computed from recorded runs, each linked to its page."""
    rows = []
    for name, content in notebooks.items():
        for cell in content["cells"]:
            for output in cell.get("outputs", []):
                found = output.get("metadata", {}).get(exhibits.HEADLINE)
                if found:
                    rows.append(f"- {found['text']} [{title(content)}](../executed/{name}.ipynb)")
    if not rows:
        return (
            "No headline finding yet: no executed notebook has derived one from a recorded `laptop` or `paper` run.\n"
            "Nothing is written here by hand.\n"
        )
    return "\n".join(rows) + "\n"


def parameters(notebooks: dict[str, dict[str, Any]]) -> str:
    """The shared table, then which notebook takes which of them."""
    rows = [notebook.table(), ""]
    if notebooks:
        rows += ["| notebook | its parameters |", "|---|---|"]
        for name, content in notebooks.items():
            taken = ", ".join(f"`{n}`" for n in declared(content)) or "none"
            rows.append(f"| [{title(content)}](../executed/{name}.ipynb) | {taken} |")
    return "\n".join(rows) + "\n"


def times(notebooks: dict[str, dict[str, Any]]) -> str:
    """Seconds per notebook in this build."""
    if not notebooks:
        return "No notebook has been executed in this build.\n"
    rows = ["| notebook | seconds in this build |", "|---|---|"]
    for name, content in notebooks.items():
        rows.append(f"| [{title(content)}](../executed/{name}.ipynb) | {content['metadata']['snncore']['seconds']} |")
    return "\n".join(rows) + "\n"


def api(package: Path = ROOT / "snncore") -> dict[str, str]:
    """For each layer of the package, the automodule directives of its public modules."""
    found: dict[str, list[str]] = {"core": [], "runs": [], "paper": []}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        if not any(part.startswith("_") for part in parts):
            found[parts[0] if parts[0] in found else "core"].append(".".join(("snncore", *parts)))
    pages = {}
    for layer, modules in found.items():
        blocks = [f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n" for name in modules]
        pages[f"api_{layer}.md"] = "\n".join(blocks) or "No module here yet.\n"
    return pages


def main() -> int:
    notebooks = executed()
    pages = {
        "headlines.md": headlines(notebooks), "parameters.md": parameters(notebooks), "times.md": times(notebooks),
        **api(),
    }
    pages["static/exhibits.css"] = (ROOT / "snncore" / "paper" / "exhibits.css").read_text("utf-8")
    for name, text in pages.items():
        write_if_changed(OUT / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
