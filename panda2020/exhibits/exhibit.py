"""How notebooks show tables and figures: number, caption, badge, where the numbers come from, downloads.

Everything is one self-contained piece of HTML, so that an exhibit looks the same in the book, in Jupyter and in a notebook
opened anywhere else, needs no network, and is the same to the byte when the same code shows the same numbers.
"""

from __future__ import annotations

import base64
import html
import math
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from panda2020.samples import nearest
from panda2020.statistics import Interval

from . import notebook as nb
from . import style
from .numbers import interval as interval_text
from .numbers import number
from .printed import printed, printed_html

if TYPE_CHECKING:
    from panda2020.runs import Record


#: Where an output's metadata holds a headline finding, from which the start page is made.
HEADLINE = "snncore-headline"

#: tag of a record (set by ``panda2020.runs.collect``) -> css class, sign and word. Sign, word and colour all differ.
BADGES = {
    "live": ("snn-live", "▶ live"),
    "recorded": ("snn-recorded", "■ recorded"),
    "recorded-confirmed": ("snn-confirmed", "◈ recorded, code changed since, re-run agrees"),
    "recorded-by-older-sources": ("snn-older", "◆ recorded by older sources"),
}

#: What stands in a cell that has no value.
NO_VALUE = "–"

#: A table of more rows than this scrolls in a box of its own, below its header.
TALL = 24

_COPY = "navigator.clipboard.writeText(this.previousElementSibling.textContent);this.textContent='copied'"


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
) -> None:
    """Display a table.

    ``name`` is its number ("Table 8"); ``records`` are the runs it was computed from, as ``collect`` gave them, or none if
    this notebook computed it. ``command`` (default: this notebook's papermill command) makes it again; ``notebook`` (default:
    the one being executed for the book) is linked for download. ``formats`` gives a format per column, such as
    ``{"EE": ".1f"}``; the CSV has full precision. A table of more than ``TALL`` rows scrolls in a box. ``index`` shows the
    row labels as first columns. A cell that is one of the badges' texts ("■ recorded") is drawn as that badge. Cells of the
    article that ``paper_values.yml`` gives for this name are shown in a table of their own below. Raises ``ValueError`` for
    an empty name, caption or table, an unknown
    column in ``formats``, and records that ``collect`` has not tagged.
    """
    from IPython.display import display

    page = table_html(
        df,
        name=name,
        caption=caption,
        records=records,
        command=command,
        notebook=notebook,
        formats=formats,
        index=index,
    )
    display({"text/html": page, "text/plain": f"{name}. {caption}\n{df.to_string(index=index)}"}, raw=True)
    if cells := printed(name):
        display(
            {"text/html": printed_html(cells, name), "text/plain": f"{name}, as printed: {cells}"}, raw=True
        )


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
    """Display a figure as SVG, and close it.

    ``alt`` says in words what the figure shows, for readers who cannot see it. ``data``, what is drawn as a table, becomes a
    CSV download. The rest is as in ``show_table``. Raises ``ValueError`` for an empty name, caption or alt text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

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
    plt.close(fig)  # or the inline backend would show it a second time, bare
    display({"text/html": page, "text/plain": f"{name}. {caption}\n{alt}"}, raw=True)


def headline(text: str, *, records: Sequence[Record]) -> None:
    """Display a finding and have it listed on the book's start page.

    ``text`` is one sentence of Markdown, put together by code from ``records``. Raises ``ValueError`` without records, and for
    records of the ``quick`` profile, which judge nothing.
    """
    from IPython.display import display

    text = _typeset(text)
    if not records:
        raise ValueError("a headline needs the records it was computed from, got none")
    profiles = sorted({str(r.labels["profile"]) for r in records})
    if "quick" in profiles:
        raise ValueError(
            "a headline cannot rest on records of profile 'quick'; allowed: first, laptop, paper"
        )
    badges = " ".join(badge(tag, profiles, _witnesses(records, tag)) for tag in _tags(records))
    page = f'<div class="snn-exhibit">{_style()}<p><strong>{inline_html(text)}</strong> {badges}</p></div>'
    found = {"text": text, "profiles": profiles, "keys": sorted({r.key for r in records})}
    display({"text/html": page, "text/plain": text}, raw=True, metadata={HEADLINE: found})


def origin(records: Sequence[Record]) -> str:
    """The badge text of some records, for a table's own column: "■ recorded"; several kinds are joined by " + "."""
    return " + ".join(BADGES[tag][1] for tag in _tags(records))


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
) -> str:
    """The HTML that ``show_table`` displays."""
    if df.empty:
        raise ValueError(f"{name or 'the table'} has no rows or no columns to show")
    shown = df.reset_index() if index else df
    formats = formats or {}
    for column in formats:
        if column not in shown.columns:
            raise ValueError(
                f"formats names {column!r}, which is no column; allowed: {', '.join(map(str, shown.columns))}"
            )
    labels = df.index.nlevels if index else 1  # the leading columns that name the row
    head = "".join(
        _heading(_header(c), numeric=shown.dtypes.iloc[i].kind in "iuf") for i, c in enumerate(shown.columns)
    )
    body = []
    for row in shown.itertuples(index=False, name=None):
        cells = []
        for i, (column, value) in enumerate(zip(shown.columns, row, strict=True)):
            numeric = shown.dtypes.iloc[i].kind in "iuf"
            cells.append(_cell(value, formats.get(column), row_label=i < labels, numeric=numeric))
        body.append(f"<tr>{''.join(cells)}</tr>")
    tall = " snn-tall" if len(shown) > TALL else ""
    content = (
        f'<div class="snn-scroll{tall}" tabindex="0" role="region" aria-label="{html.escape(name)}"><table class="snn-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
    csv = shown.to_csv(index=False, lineterminator="\n", header=[_header(c) for c in shown.columns])
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
    content = f'<img class="snn-figure dark-light" src="{data_uri("image/svg+xml", drawing)}" alt="{html.escape(alt)}">'
    files = {f"{slug(name)}.svg": ("SVG", "image/svg+xml", drawing)}
    if data is not None:
        files[f"{slug(name)}.csv"] = ("CSV", "text/csv", data.to_csv(index=False, lineterminator="\n"))
    return exhibit_html(
        content, name=name, caption=caption, records=records, command=command, notebook=notebook, files=files
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
    profiles = sorted({str(r.labels["profile"]) for r in records})
    badges = " ".join(
        badge(tag, _profiles(records, tag) or profiles, _witnesses(records, tag)) for tag in _tags(records)
    )
    links = [
        f'<a href="{data_uri(kind, text)}" download="{file}">{word}</a>'
        for file, (word, kind, text) in files.items()
    ]
    if source:  # beside the page, where Jupyter Book puts the executed notebooks
        links.append(f'<a href="../_sources/executed/{source}.ipynb" download="{source}.ipynb">notebook</a>')
    return (
        f'<figure class="snn-exhibit" id="{slug(name)}" data-exhibit="{html.escape(name)}">{_style()}'
        f'<figcaption><span class="snn-name">{html.escape(name)}.</span>{inline_html(caption)} {badges}</figcaption>'
        f'{content}<p class="snn-downloads">{"".join(links)}</p>{_strip(records, command)}</figure>'
    )


def _strip(records: Sequence[Record], command: str | None) -> str:
    """The provenance strip: folded, one row per run."""
    from panda2020.runs.executing import command_of

    parts = ["<summary>Where these numbers come from</summary>"]
    if records:
        seeds: dict[str, set[str]] = {}
        for record in records:
            seeds.setdefault(str(record.labels["network"]), set()).add(str(seed_text(record)))
        listed = "; ".join(
            f"{html.escape(net)}: {', '.join(sorted(s, key=_natural))}" for net, s in sorted(seeds.items())
        )
        parts.append(f"<p>{len(records)} run{'s' if len(records) > 1 else ''}. Seeds: {listed}.</p>")
        columns = (
            "run",
            "kind",
            "network",
            "role",
            "seed",
            "commit",
            "data",
            "test images",
            "device",
            "threads",
            "seconds",
            "date",
        )
        rows = "".join(_row(record) for record in records)
        head = "".join(f'<th scope="col">{c}</th>' for c in columns)
        parts.append(
            '<div class="snn-scroll" tabindex="0" role="region" aria-label="runs"><table class="snn-table snn-runs">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
        if whys := dict.fromkeys(html.escape(record.why) for record in records if record.why):
            items = "".join(f"<li>{why}</li>" for why in whys)
            parts.append(
                f"<details><summary>What became of their sources</summary><ul>{items}</ul></details>"
            )
    else:
        parts.append(f"<p>Computed by this notebook itself, from no recorded run. {html.escape(_here())}</p>")
    if command:
        parts.append(f"<p>To make this exhibit again:</p>{command_html(command)}")
    if records:
        commands = "".join(command_html(text) for text in dict.fromkeys(map(command_of, records)))
        parts.append(f"<details><summary>To make its runs again, one by one</summary>{commands}</details>")
    return f'<details class="snn-origin">{"".join(parts)}</details>'


def _row(record: Record) -> str:
    made = record.provenance
    kind = badge(record_tag(record), [str(record.labels["profile"])], len(record.witnesses))
    cells = (
        record.key,
        kind,
        record.labels["network"],
        record.labels["role"],
        seed_text(record),
        commit_text(made["commit"], made["dirty"]),
        f"{_data_name(record)} {str(made['data_sha256'])[:8]}",
        record.result.get("total", "–"),
        made["device_name"],
        made["threads"],
        f"{made['seconds']:.1f}",
        str(made["date"])[:10],
    )
    text = "".join(f"<td>{c if i == 1 else html.escape(str(c))}</td>" for i, c in enumerate(cells))
    return f'<tr data-key="{record.key}" data-sha="{record["sha256"]}">{text}</tr>'


def command_html(text: str) -> str:
    return (
        f'<code class="snn-command">{html.escape(text)}</code>'
        f'<button type="button" class="snn-copy" onclick="{html.escape(_COPY)}">copy</button>'
    )


def record_tag(record: Record) -> str:
    if record.tag not in BADGES:
        raise ValueError(
            f"record {record.key} has tag {record.tag!r}; show records as panda2020.runs.collect returned them"
        )
    return record.tag


def _tags(records: Sequence[Record]) -> list[str]:
    """The kinds present, in the badges' order; what no record is behind is computed here and now."""
    present = {record_tag(record) for record in records} or {"live"}
    return [tag for tag in BADGES if tag in present]


def _profiles(records: Sequence[Record], tag: str) -> list[str]:
    return sorted({str(r.labels["profile"]) for r in records if r.tag == tag})


def _witnesses(records: Sequence[Record], tag: str | None) -> int:
    """How many witnesses stand behind the records of one kind; one that differs would have made them of another kind."""
    return len({key for record in records if record.tag == tag for key in record.witnesses})


def badge(tag: str, profiles: Sequence[str], witnesses: int = 0) -> str:
    kind, word = BADGES[tag]
    if witnesses:
        word = f"{word} ({witnesses} of {witnesses} witnesses)"
    return f'<span class="snn-badge {kind}">{" · ".join([word, *profiles])}</span>'


def seed_text(record: Record) -> Any:
    found = nearest(record["spec"], "seed")
    return "none" if found is None else found


def _data_name(record: Record) -> str:
    data = nearest(record["spec"], "data")
    return str(data.get("name", "")) if isinstance(data, Mapping) else str(data or "")


def commit_text(sha: str | None, dirty: bool | None) -> str:
    if sha is None:
        return "no commit"
    return sha[:10] + {True: "+dirty", False: "", None: " (not known whether clean)"}[dirty]


@cache
def _here() -> str:
    """Commit, libraries and processor of the running notebook."""
    from panda2020.runs import provenance

    commit = provenance.commit()
    libraries = ", ".join(f"{name} {version}" for name, version in provenance.versions().items() if version)
    return f"Commit {commit_text(commit.sha, commit.dirty)}; {provenance.cpu_model()}; {libraries}."


@cache
def _style() -> str:
    sheet = (Path(__file__).with_name("exhibits.css")).read_text(encoding="utf-8")
    return f"<style>{' '.join(sheet.split())}</style>"


def data_uri(kind: str, text: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def inline_html(text: str) -> str:
    """Escaped text, in which `code` is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _header(column: Any) -> str:
    return " / ".join(str(part) for part in column if str(part)) if isinstance(column, tuple) else str(column)


def _heading(text: str, *, numeric: bool) -> str:
    css = " ".join(name for name, holds in (("snn-num", numeric), ("snn-wordy", len(text) > 16)) if holds)
    attribute = f' class="{css}"' if css else ""
    return f'<th scope="col"{attribute}>{inline_html(text)}</th>'


def _cell(value: Any, spec: str | None, *, row_label: bool, numeric: bool) -> str:
    for css, word in BADGES.values():
        if value == word:
            return f'<td><span class="snn-badge {css}">{word}</span></td>'
    text = _text(value, spec)
    if not re.search(r"[^\W\d_]", re.sub(r"\bto\b", "", text)):  # words are left as they were said
        text = _typeset(text)
    kinds = (
        ("snn-none", text == NO_VALUE),
        ("snn-num", numeric or _is_number(value)),
        ("snn-short", len(text) <= 12),
        ("snn-middle", 12 < len(text) <= 24 and " " in text),
        ("snn-long", len(text) > 24),
        ("snn-longer", len(text) > 90),
    )
    css = " ".join(name for name, holds in kinds if holds)
    attribute = f' class="{css}"' if css else ""
    return (
        f'<th scope="row"{attribute}>{inline_html(text)}</th>'
        if row_label
        else f"<td{attribute}>{inline_html(text)}</td>"
    )


def _text(value: Any, spec: str | None) -> str:
    """A cell's text. Numbers keep four significant digits unless ``spec`` says otherwise."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NO_VALUE
    if isinstance(value, Interval):
        return interval_text(value, spec or ".1f")
    if not _is_number(value):
        return str(value)
    if spec is not None:
        return number(value, spec)
    return f"{int(value):,}" if isinstance(value, Integral) else f"{float(value):.4g}"


def _typeset(text: str) -> str:
    """A minus where ``format`` writes a hyphen, and intervals that are not broken over lines."""
    text = re.sub(r"(?<![^ (\[])-(?=[\d.])", "−", text)
    return re.sub(r"(?<=[\d%]) to (?=[−+\d])", "\u00a0to\u00a0", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _natural(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (1 << 30, text)
