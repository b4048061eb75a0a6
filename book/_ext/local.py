"""What this book needs from Sphinx and no package gives: offline mathematics, one clean script block, plain docstrings."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

SECTION = re.compile(r"(Args|Arguments|Attributes|Examples?|Notes?|Raises|Returns|Yields|References|Source):")

FIELD = re.compile(r"[\w`*]+(, [\w`*]+)*: \S")

MATHJAX = "sphinx-mathjax-offline"  # a package that carries MathJax 3.2.2, so that pages need no network


def bring_mathjax(app: Any, error: Exception | None) -> None:
    """Copy MathJax's one-file SVG build out of the installed package into the built pages."""
    if error is not None or app.builder.format != "html":
        return
    source = Path(str(distribution(MATHJAX).locate_file(f"{MATHJAX}/static/mathjax/tex-svg.js")))
    target = Path(app.outdir, "_static", "mathjax", "tex-svg.js")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def drop_repeated_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The theme and sphinx-thebe both add the same inline script; declared twice, it is an error in the console."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        if body and body in seen:
            continue
        seen.add(body)
        kept.append(script)
    context["script_files"] = kept


#: A class of a page's elements -> the scripts that it needs.
SCRIPTS = {
    "snn-ledger": ("ledger.js",),
    "snn-home": ("home.js",),
    "snn-sliders": ("energy.js", "sliders.js"),
    "snn-tolerance": ("tolerance.js",),
}


def bring_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Each script on the pages that have what it is for."""
    for css, scripts in SCRIPTS.items():
        if re.search(rf'class="[^"]*\b{css}\b', context.get("body", "")):
            for script in scripts:
                app.add_js_file(script, loading_method="defer")


def plain_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Above its sections (Args, Returns, Raises ...), which napoleon reads, a docstring is plain text.

    Paragraphs stay paragraphs, anything set out by indentation stays as typed.
    """
    if what in ("attribute", "property", "data") and lines and lines[0]:
        lines.insert(0, "")  # or napoleon takes what stands before a colon for a type
    first = next((n for n, line in enumerate(lines) if SECTION.fullmatch(line)), len(lines))
    head = to_rst(lines[:first])
    lines[:] = [*([""] if lines and not lines[0] else []), *head, *lines[first:]]


def to_rst(lines: list[str]) -> list[str]:
    """Plain text to reStructuredText that cannot be malformed.

    A block between blank lines becomes a list where its lines begin with a dash or with ``name: ``, a paragraph where they are
    flush left, and otherwise a literal block, which keeps equations and shapes aligned as they were typed.
    """
    out: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.split("\n")
        if not block.strip():
            continue
        if rows[0].startswith("- ") and all(row.startswith(("- ", "  ")) for row in rows):
            out += [
                "- " + escape(row[2:]) if row.startswith("- ") else "  " + escape(row.strip()) for row in rows
            ] + [""]
        elif any(row.startswith((" ", "- ", "* ", ">>>", "==")) or "  " in row.strip() for row in rows):
            out += ["::", "", *("    " + row for row in rows), ""]
        elif FIELD.match(rows[0]) and sum(bool(FIELD.match(row)) for row in rows) > 1:
            out += [("- " if FIELD.match(row) else "  ") + escape(row) for row in rows] + [""]
        else:
            out += [*(escape(row) for row in rows), ""]
    return out


def escape(row: str) -> str:
    """Escape what reStructuredText would read as markup, except `code` and ``code``, which become literals."""
    parts = re.split(r"(``[^`]+``|`[^`]+`)", row)
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = "\\ ``" + part.strip("`").strip() + "``\\ "
        else:
            parts[i] = re.sub(r"([\\*_|`:])", r"\\\1", part)
    return "".join(parts)


def setup(app: Any) -> dict[str, Any]:
    app.config.mathjax_path = "mathjax/tex-svg.js"
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("html-page-context", bring_scripts)
    app.connect("build-finished", bring_mathjax)
    app.connect("autodoc-process-docstring", plain_docstring, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
