"""Launch buttons: the repository's address from one place, and the chapters where the repository has them.

The buttons are Jupyter Book's own (``launch_buttons`` and ``repository`` in ``_config.yml``). What it cannot know: a page is
the executed copy of a chapter, ``executed/NAME.ipynb``, which no repository holds. Binder opens ``notebooks/NAME.ipynb`` on
the branch that was published; Colab, which brings no environment, opens the copy on the branch ``launch`` that begins with a
cell that makes one (``tools/launch.py``).
"""

from __future__ import annotations

import os
from typing import Any

BRANCH = "launch"


def address() -> str:
    """The repository as GitHub's workflow names it; empty elsewhere."""
    server, name = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
    return f"{server}/{name}" if server and name else ""


def configure(app: Any, config: Any) -> None:
    """Give the theme the address, or take the buttons away where there is none."""
    options = config.html_theme_options
    options["repository_url"] = options.get("repository_url") or address()
    if not options["repository_url"]:
        options["launch_buttons"] = {}


def lead_to_sources(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Point the launch buttons of an executed chapter at its notebook."""
    for button in _links(context.get("header_buttons", [])):
        if button.get("text") in ("Binder", "Colab") and page.startswith("executed/"):
            button["url"] = button["url"].replace("/executed/", "/notebooks/")
            if button["text"] == "Colab":
                head, _, tail = button["url"].partition("/blob/")
                button["url"] = f"{head}/blob/{BRANCH}/{tail.partition('/')[2]}"


def _links(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All buttons, also those inside of groups."""
    found: list[dict[str, Any]] = []
    for button in buttons:
        found += [button, *_links(button.get("buttons", []))]
    return found


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("config-inited", configure)
    app.connect("html-page-context", lead_to_sources, priority=600)  # after the theme has made them
    return {"parallel_read_safe": True, "parallel_write_safe": True}
