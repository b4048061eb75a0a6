"""One style for every figure: a colour-blind-safe palette that is legible on white and on dark pages, with reproducible output.

A figure is drawn once. Its download has the colours below on white. On a page the same drawing is inline, and each of these
colours is a variable of the style sheet (``exhibits.css``), so that it follows the page's dark mode and print style.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Seven hues that differ for common colour blindness, also in lightness; each has a contrast of at least 3 on white.
PALETTE = {
    "blue": "#0068a9",
    "orange": "#c85200",
    "green": "#007a5a",
    "purple": "#a64d86",
    "amber": "#b27a00",
    "sky": "#3c93cc",
    "black": "#222222",
    "grey": "#6b6b6b",
}

#: Colours with a fixed meaning throughout the book.
ROLES = {
    "ann": PALETTE["blue"],
    "snn": PALETTE["orange"],
    "hybrid": PALETTE["green"],
    "paper": PALETTE["grey"],
}

INK, EDGE, GRID = PALETTE["black"], "#555555", "#dddddd"

#: A colour of a drawing -> the style sheet variable that replaces it on a page.
VARIABLES = {
    **{colour: f"--f-{name}" for name, colour in PALETTE.items() if name != "black"},
    INK: "--f-ink",
    EDGE: "--f-edge",
    GRID: "--f-grid",
    "#ffffff": "--f-paper",
}

_RC: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 10.0,
    "axes.edgecolor": EDGE,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
    "legend.frameon": False,
    "image.cmap": "viridis",
    "axes.prop_cycle": cycler(
        color=[PALETTE[c] for c in ("blue", "orange", "green", "purple", "amber", "sky", "black")]
    ),
    "svg.hashsalt": "snncore",
    "svg.fonttype": "path",
}


def use() -> None:
    """Set the style for every figure drawn after this call."""
    mpl.rcParams.update(_RC)


def svg(figure: Figure, *, slim: bool = False) -> str:
    """The figure as SVG text. The same figure gives the same bytes (no date, no random ids).

    Args:
        slim: a third of the size, for many small figures on one page; text uses the reader's own sans-serif font.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "snncore", "svg.fonttype": "none" if slim else "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return _slimmed(buffer.getvalue()) if slim else buffer.getvalue()


def _slimmed(drawing: str) -> str:
    """Remove metadata, comments, blanks between elements, unused ids, and invisible digits."""
    for useless in (
        r"<!DOCTYPE.*?>",
        r"<metadata>.*?</metadata>",
        r"<!--.*?-->",
        r"(?<=[>\s])\s+",
    ):
        drawing = re.sub(useless, "", drawing, flags=re.DOTALL)
    # of coordinates only: the text of a label keeps its digits
    drawing = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(?<=\.\d\d)\d+", "", tag[0]), drawing)
    drawing = re.sub(r"(font-family: [^;\"]*)", r"\1, sans-serif", drawing)
    used = set(re.findall(r"#([\w.-]+)", drawing))
    return re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", drawing)


def inline(figure: Figure, *, prefix: str, alt: str) -> str:
    """The figure as an ``<svg>`` element of a page: in the page's colours and font, without a white box.

    Args:
        prefix: makes its ids different from those of the page's other figures.
        alt: describes the figure in words.
    """
    drawing = svg(figure, slim=True)
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(
        r"<style.*?</style>", "", drawing, flags=re.DOTALL
    )  # else it would apply to the whole page
    drawing = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}-", drawing)
    for colour, variable in VARIABLES.items():
        drawing = re.sub(rf"(?i){colour}(?![0-9a-f])", f"var({variable})", drawing)
    # white letters are on coloured cells and stay white
    drawing = re.sub(r"(<text[^>]*?)var\(--f-paper\)", r"\1#ffffff", drawing)
    width = float(re.findall(r'width="([\d.]+)pt"', drawing)[0])
    size = f'style="--w:{4 / 3 * width:.0f}px" role="img" aria-label="{html.escape(alt)}"'
    drawing = re.sub(r'(<svg[^>]*?) width="[\d.]+pt"', r"\1", drawing, count=1)
    drawing = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", drawing, count=1)
    return drawing.replace("<svg", f'<svg class="snn-figure" {size}', 1)


def label_ends(axes: Axes, labels: Mapping[str, tuple[float, float, str]], *, gap: float = 0.05) -> None:
    """Label the last points of lines, in place of a legend. Overlapping labels are moved apart, also on log axes.

    Args:
        labels: label -> (x, y, colour).
        gap: smallest distance as a share of the axis.
    """
    scale = axes.yaxis.get_transform()
    back = scale.inverted()
    low, high = scale.transform(axes.get_ylim())
    last = -math.inf
    for label, (x, y, colour) in sorted(labels.items(), key=lambda item: item[1][1]):
        last = max(float(scale.transform(y)), last + gap * (high - low))
        at = float(back.transform(last))
        axes.annotate(
            label,
            (x, y),
            xytext=(x, at),
            textcoords="data",
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
