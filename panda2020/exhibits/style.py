"""One look for every figure: a colour-blind-safe palette on a white card, drawn the same way every time."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

#: Okabe & Ito's palette (distinguishable with any common colour blindness), without its yellow, too pale on white.
PALETTE = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "amber": "#E69F00",
    "sky": "#56B4E9",
    "black": "#222222",
    "grey": "#767676",
}

#: Colours with a fixed meaning throughout the book.
ROLES = {
    "ann": PALETTE["blue"],
    "snn": PALETTE["orange"],
    "hybrid": PALETTE["green"],
    "paper": PALETTE["grey"],
}

_RC: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.6),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.0,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "text.color": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
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
    """The figure as SVG text: the same figure gives the same bytes (no date, no random ids).

    slim: a third of the size, for many small figures on one page: letters are set in the reader's own sans-serif font.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "snncore", "svg.fonttype": "none" if slim else "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return _slimmed(buffer.getvalue()) if slim else buffer.getvalue()


def _slimmed(drawing: str) -> str:
    """Without metadata, comments, blanks between elements, unused ids, and digits that no eye can see."""
    for useless in (
        r"<!DOCTYPE.*?>",
        r"<metadata>.*?</metadata>",
        r"<!--.*?-->",
        r"(?<=[>\s])\s+",
        r"(?<=\.\d\d)\d+",
    ):
        drawing = re.sub(useless, "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"(font-family: [^;\"]*)", r"\1, sans-serif", drawing)
    used = set(re.findall(r"#([\w.-]+)", drawing))
    return re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", drawing)
