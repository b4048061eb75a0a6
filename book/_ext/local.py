"""Sphinx extension of this book: offline mathematics, scripts only on the pages that use them, no repeated scripts."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

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
    """Drop the second copy of an inline script that the theme and sphinx-thebe both add, which is a console error."""
    seen: set[str] = set()
    kept = []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body")
        if body and body in seen:
            continue
        seen.add(body)
        kept.append(script)
    context["script_files"] = kept


#: CSS class on a page -> the scripts that it needs.
SCRIPTS = {
    "snn-ledger": ("ledger.js",),
    "snn-home": ("home.js",),
    "snn-sliders": ("energy.js", "sliders.js"),
    "snn-tolerance": ("tolerance.js",),
}


def bring_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add each script to the pages that use it."""
    for css, scripts in SCRIPTS.items():
        if re.search(rf'class="[^"]*\b{css}\b', context.get("body", "")):
            for script in scripts:
                app.add_js_file(script, loading_method="defer")


def skip_aliases(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out fields of a NamedTuple that have no text of their own: its signature lists them."""
    return True if (getattr(member, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Any) -> dict[str, Any]:
    app.config.mathjax_path = "mathjax/tex-svg.js"
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("html-page-context", bring_scripts)
    app.connect("build-finished", bring_mathjax)
    app.connect("autodoc-skip-member", skip_aliases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
