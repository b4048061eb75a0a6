"""The cells of a table as HTML: rounded, typeset, with a width class for their content."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from panda2020.statistics import Estimate, Interval

from .numbers import interval as interval_text
from .numbers import number
from .provenance import BADGES

#: Text of a cell without a value.
NO_VALUE = "–"


@dataclass(frozen=True)
class Beside:
    """A cell of a table in the article's layout: our value with its interval, and the article's value if it gives one."""

    ours: Estimate | None
    paper: str = ""

    def __str__(self) -> str:
        """The cell as data, in full precision."""
        return self._joined(repr)

    def html(self, spec: str | None) -> str:
        """Three lines: our value, its interval, the article's value."""
        lines = self._lines(lambda value: number(value, spec or ".1f"))
        return " ".join(f'<span class="snn-{kind}">{html.escape(text)}</span>' for kind, text in lines)

    def _joined(self, text: Callable[[float], str]) -> str:
        return " ".join(line for _, line in self._lines(text))

    def _lines(self, text: Callable[[float], str]) -> list[tuple[str, str]]:
        found = [("ours", NO_VALUE if self.ours is None else text(float(self.ours.mean)))]
        if self.ours is not None and self.ours.interval is not None:
            low, high = self.ours.interval
            if low < high:
                found.append(("interval", f"[{text(float(low))} to {text(float(high))}]"))
        return [*found, ("paper", f"paper {self.paper}")] if self.paper else found


def data_uri(kind: str, text: str) -> str:
    """A data URI that contains the text."""
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def inline_html(text: str) -> str:
    """Escape text; text between single backticks becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def column_name(column: Any) -> str:
    """A column's heading; levels are joined."""
    return " / ".join(str(part) for part in column if str(part)) if isinstance(column, tuple) else str(column)


def heading(text: str, *, numeric: bool, extra: bool = False) -> str:
    """One heading."""
    css = " ".join(
        name
        for name, holds in (("snn-num", numeric), ("snn-wordy", len(text) > 16), ("snn-extra", extra))
        if holds
    )
    attribute = f' class="{css}"' if css else ""
    return f'<th scope="col"{attribute}>{inline_html(text)}</th>'


def cell(value: Any, spec: str | None, *, row_label: bool, numeric: bool, extra: bool = False) -> str:
    """One cell.

    Args:
        extra: hide it until the reader asks for all columns.
    """
    for css, word in BADGES.values():
        if value == word:
            kind = ' class="snn-extra"' if extra else ""
            return f'<td{kind}><span class="snn-badge {css}">{word}</span></td>'
    if isinstance(value, Beside):
        kind = "snn-beside snn-extra" if extra else "snn-beside"
        return f'<td class="{kind}">{value.html(spec)}</td>'
    text = _text(value, spec)
    if not re.search(r"[^\W\d_]", re.sub(r"\bto\b", "", text)):  # words stay unchanged
        text = typeset(text)
    kinds = (
        ("snn-none", text == NO_VALUE),
        ("snn-num", numeric or _is_number(value)),
        ("snn-short", len(text) <= 12),
        ("snn-middle", 12 < len(text) <= 24 and " " in text),
        ("snn-long", len(text) > 24),
        ("snn-longer", len(text) > 90),
        ("snn-extra", extra),
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


def typeset(text: str) -> str:
    """Replace hyphens of numbers by minus signs, and keep intervals on one line."""
    text = re.sub(r"(?<![^ (\[])-(?=[\d.])", "−", text)
    return re.sub(r"(?<=[\d%]) to (?=[−+\d])", "\u00a0to\u00a0", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
