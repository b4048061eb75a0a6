"""The article's printed table cells, if a reader has entered them in ``paper_values.yml``.

Our source of the article has no table bodies. The file belongs to the reader and is not part of the repository.
"""

from __future__ import annotations

import html
from pathlib import Path

import yaml

from .notebook import root

FILE = "paper_values.yml"


def printed(name: str, *, folder: Path | None = None) -> list[tuple[str, str, str]]:
    """(row, column, value) of every cell that the file gives for the exhibit ``name``; empty without a file.

    Raises:
        ValueError: a file that does not map table to row to column to value.
    """
    path = (root() if folder is None else folder) / FILE
    if not path.is_file():
        return []
    try:
        tables = yaml.safe_load(path.read_text("utf-8")) or {}
        cells = [
            (str(row), str(column), value)
            for row, columns in (tables.get(name) or {}).items()
            for column, value in columns.items()
        ]
    except (AttributeError, yaml.YAMLError) as error:
        raise ValueError(
            f"{FILE} must map table to row to column to value, got something else in {path.name}"
        ) from error
    wrong = next(
        (
            value
            for _, _, value in cells
            if isinstance(value, bool) or not isinstance(value, int | float | str)
        ),
        None,
    )
    if wrong is not None:
        raise ValueError(f"{FILE} must hold numbers or texts as values, got {wrong!r} under {name!r}")
    return [(row, column, str(value)) for row, column, value in cells]


def printed_html(cells: list[tuple[str, str, str]], name: str) -> str:
    """The cells as a small table that is clearly marked as not ours."""
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(part)}</td>' for part in cell)}</tr>" for cell in cells)
    return (
        f'<figure class="snn-printed"><figcaption><strong>{html.escape(name)}, as printed in the article.</strong> '
        f"Entered by a reader in <code>{FILE}</code>; not checked by this book.</figcaption>"
        f"<table><thead><tr><th>row</th><th>column</th><th>printed value</th></tr></thead><tbody>{rows}</tbody></table>"
        "</figure>"
    )
