"""Show tables, figures and notes in notebooks: number, caption, badge, provenance, downloads, folds.

Each exhibit is one self-contained piece of HTML. So it looks the same in the book, in Jupyter and in a notebook
opened elsewhere, needs no network, and is identical to the byte if the same code shows the same numbers.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from . import notebook as nb
from . import style
from .cells import NO_VALUE as NO_VALUE
from .cells import cell, column_name, data_uri, heading, inline_html, typeset
from .printed import printed, printed_html
from .provenance import BADGES as BADGES
from .provenance import badge, kinds, profiles_of, strip_html, witnesses_of
from .provenance import command_html as command_html
from .provenance import commit_text as commit_text
from .provenance import origin as origin
from .provenance import record_tag as record_tag
from .provenance import seed_text as seed_text

if TYPE_CHECKING:
    from panda2020.runs import Record


#: A table with more rows than this scrolls in a box, below its header.
TALL = 24

#: The open folds, outermost first; each holds its pieces as HTML and as text.
_FOLDS: list[list[tuple[str, str]]] = []


def show_html(page: str, text: str, *, metadata: Mapping[str, Any] | None = None) -> None:
    """Display a piece of HTML with its plain text; inside a ``fold`` it becomes part of the fold."""
    from IPython.display import display

    if _FOLDS:
        _FOLDS[-1].append((page, text))
    else:
        display({"text/html": page, "text/plain": text}, raw=True, metadata=dict(metadata or {}))


@contextmanager
def fold(title: str) -> Iterator[None]:
    """Context whose output is folded under one line on the page: per-seed tables, self-tests, details.

    Without any output inside, nothing is shown.

    Raises:
        ValueError: an empty title.
    """
    if not title.strip():
        raise ValueError("title must not be empty, got ''")
    _FOLDS.append([])
    try:
        yield
    except BaseException:
        _FOLDS.pop()
        raise
    pieces = _FOLDS.pop()
    if pieces:
        inner = "".join(page for page, _ in pieces)
        page = f'<details class="snn snn-fold">{_style()}<summary>{inline_html(title)}</summary>{inner}</details>'
        show_html(page, "\n\n".join([f"{title}:", *(text for _, text in pieces)]))


def say(*sentences: str, kind: str = "") -> None:
    """Display sentences that code has composed, each as a paragraph. Without a sentence nothing is shown.

    Args:
        kind: "caveat" sets limitations of a result apart; "" is normal text.

    Raises:
        ValueError: another kind.
    """
    if kind not in ("", "caveat"):
        raise ValueError(f"kind must be '' or 'caveat', got {kind!r}")
    said = [typeset(text) for text in sentences if text.strip()]
    if said:
        css = f"snn snn-said snn-{kind}" if kind else "snn snn-said"
        page = f'<div class="{css}">{_style()}{"".join(f"<p>{inline_html(text)}</p>" for text in said)}</div>'
        show_html(page, "\n".join(said))


def show_table(
    df: pd.DataFrame,
    *,
    name: str,
    caption: str,
    records: Sequence[Record] = (),
    command: str | None = None,
    notebook: str | None = None,
    formats: Mapping[str, str] | None = None,
    index: bool = False,
    main: Sequence[str] = (),
) -> None:
    """Display a table.

    If ``paper_values.yml`` gives the article's cells for this name, they are shown in a separate table below. A cell with the
    text of a badge ("■ recorded") is drawn as that badge. A table of more than ``TALL`` rows scrolls in a box.

    Args:
        name: number of the table ("Table 8").
        records: the runs behind it, as returned by ``collect``; none if this notebook computed it.
        command: reproduces the table; None for this notebook's papermill command.
        notebook: linked for download; None for the notebook being executed for the book.
        formats: format by column, such as ``{"EE": ".1f"}``; the CSV has full precision.
        index: show the row labels as first columns.
        main: columns that are always visible (None: all); the reader can show the others.

    Raises:
        ValueError: an empty name, caption or table, an unknown column in ``formats`` or ``main``, or records without a tag
            of ``collect``.
    """
    page = table_html(
        df,
        name=name,
        caption=caption,
        records=records,
        command=command,
        notebook=notebook,
        formats=formats,
        index=index,
        main=main,
    )
    show_html(page, f"{name}. {caption}\n{df.to_string(index=index)}")
    if cells := printed(name):
        show_html(printed_html(cells, name), f"{name}, as printed: {cells}")


def show_figure(
    fig: Figure,
    *,
    name: str,
    caption: str,
    alt: str,
    records: Sequence[Record] = (),
    command: str | None = None,
    notebook: str | None = None,
    data: pd.DataFrame | None = None,
) -> None:
    """Display a figure as SVG, and close it. Other arguments are as in ``show_table``.

    Args:
        alt: describes the figure in words, for readers who cannot see it.
        data: the drawn values as a table, offered as a CSV download.

    Raises:
        ValueError: an empty name, caption or alt text.
    """
    import matplotlib.pyplot as plt

    page = figure_html(
        fig,
        name=name,
        caption=caption,
        alt=alt,
        records=records,
        command=command,
        notebook=notebook,
        data=data,
    )
    plt.close(fig)  # else the inline backend would show the plain figure again
    show_html(page, f"{name}. {caption}\n{alt}")


def _badges(records: Sequence[Record]) -> str:
    every = sorted({str(r.labels["profile"]) for r in records})
    return " ".join(
        badge(tag, profiles_of(records, tag) or every, witnesses_of(records, tag)) for tag in kinds(records)
    )


def table_html(
    df: pd.DataFrame,
    *,
    name: str,
    caption: str,
    records: Sequence[Record] = (),
    command: str | None = None,
    notebook: str | None = None,
    formats: Mapping[str, str] | None = None,
    index: bool = False,
    main: Sequence[str] = (),
) -> str:
    """The HTML that ``show_table`` displays."""
    if df.empty:
        raise ValueError(f"{name or 'the table'} has no rows or no columns to show")
    shown = df.reset_index() if index else df
    formats = formats or {}
    for argument, columns in (("formats", formats), ("main", main)):
        for column in columns:
            if column not in shown.columns:
                raise ValueError(
                    f"{argument} names {column!r}, which is not a column; allowed: {', '.join(map(str, shown.columns))}"
                )
    labels = df.index.nlevels if index else 1  # number of leading columns that label the row
    extra = [bool(main) and c not in main and i >= labels for i, c in enumerate(shown.columns)]
    numeric = [shown.dtypes.iloc[i].kind in "iuf" for i in range(shown.shape[1])]
    head = "".join(
        heading(column_name(c), numeric=numeric[i], extra=extra[i]) for i, c in enumerate(shown.columns)
    )
    body = []
    for row in shown.itertuples(index=False, name=None):
        cells = [
            cell(value, formats.get(column), row_label=i < labels, numeric=numeric[i], extra=extra[i])
            for i, (column, value) in enumerate(zip(shown.columns, row, strict=True))
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    tall = " snn-tall" if len(shown) > TALL else ""
    switch = ""
    if any(extra):
        box = f"all-{slug(name)}"
        switch = (
            f'<p class="snn-switch"><input type="checkbox" id="{box}"><label for="{box}">'
            f"show all {shown.shape[1]} columns</label></p>"
        )
    content = (
        f'{switch}<div class="snn-scroll{tall}" tabindex="0" role="region" aria-label="{html.escape(name)}">'
        f'<table class="snn-table"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )
    csv = shown.to_csv(index=False, lineterminator="\n", header=[column_name(c) for c in shown.columns])
    return exhibit_html(
        content,
        name=name,
        caption=caption,
        records=records,
        command=command,
        notebook=notebook,
        files={f"{slug(name)}.csv": (f"CSV ({len(shown)} rows)" if tall else "CSV", "text/csv", csv)},
    )


def figure_html(
    fig: Figure,
    *,
    name: str,
    caption: str,
    alt: str,
    records: Sequence[Record] = (),
    command: str | None = None,
    notebook: str | None = None,
    data: pd.DataFrame | None = None,
) -> str:
    """The HTML that ``show_figure`` displays."""
    if not alt.strip():
        raise ValueError(f"alt must say in words what {name or 'the figure'} shows, got {alt!r}")
    drawing = style.svg(fig)
    content = drawing_html(style.inline(fig, prefix=slug(name), alt=alt), name)
    files = {f"{slug(name)}.svg": ("SVG", "image/svg+xml", drawing)}
    if data is not None:
        files[f"{slug(name)}.csv"] = ("CSV", "text/csv", data.to_csv(index=False, lineterminator="\n"))
    return exhibit_html(
        content, name=name, caption=caption, records=records, command=command, notebook=notebook, files=files
    )


def drawing_html(drawing: str, name: str) -> str:
    """An inline drawing in a box that scrolls if the window is narrower than the drawing."""
    return (
        f'<div class="snn-scroll snn-drawing" tabindex="0" role="region" aria-label="{html.escape(name)}">'
        f"{drawing}</div>"
    )


def slug(name: str) -> str:
    """A file name made from an exhibit's number: "Table 8 (A)" -> "table-8-a"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def exhibit_html(
    content: str,
    *,
    name: str,
    caption: str,
    records: Sequence[Record],
    command: str | None,
    notebook: str | None,
    files: Mapping[str, tuple[str, str, str]],
) -> str:
    for argument, text in (("name", name), ("caption", caption)):
        if not text.strip():
            raise ValueError(f"{argument} must not be empty: every exhibit has a number and a caption")
    source = notebook or os.environ.get("SNNCORE_NOTEBOOK")
    command = command or (nb.command(source) if source else None)
    links = [
        f'<a href="{data_uri(kind, text)}" download="{file}">{word}</a>'
        for file, (word, kind, text) in files.items()
    ]
    if source:  # Jupyter Book puts the executed notebooks there
        links.append(f'<a href="../_sources/executed/{source}.ipynb" download="{source}.ipynb">notebook</a>')
    return (
        f'<figure class="snn-exhibit" id="{slug(name)}" data-exhibit="{html.escape(name)}">{_style()}'
        f'<figcaption><span class="snn-name">{html.escape(name)}.</span>{inline_html(caption)} {_badges(records)}</figcaption>'
        f'{content}<div class="snn-foot"><p class="snn-downloads">{"".join(links)}</p>{strip_html(records, command)}</div>'
        "</figure>"
    )


@cache
def _style() -> str:
    sheet = (Path(__file__).with_name("exhibits.css")).read_text(encoding="utf-8")
    return f"<style>{' '.join(sheet.split())}</style>"
