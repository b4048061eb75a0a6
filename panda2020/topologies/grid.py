"""The runs for Figure 1: how channels are matched, and the limits of unrolling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from panda2020.planning import Place, grid
from panda2020.runs import Entry

FIGURE_1 = (
    "VGG8",
    "VGG2x4-wide-drop",
    "VGG2x4-wide-top",
    "VGG2x4-wide-top-fixed",
    "VGG2x4-wide-average",
    "VGG16c",
    "VGG2x8",
    "VGG8c",
    "VGG2x4c",
)


@grid("figure-1", networks=FIGURE_1)
def figure1(at: Place) -> Iterator[Entry]:
    """ANNs for Figure 1: ways to match channels against VGG8 (section 4), and the limits of unrolling (footnote 2)."""
    yield at.entry(at.standalone_ann(), "ann")


@grid("figure-1-longer", networks=("VGG8", "VGG2x4-wide-top"))
def longer(at: Place) -> Iterator[Entry]:
    """ "Top" and its plain network with twice the epochs: is "top" worse, or only slower to learn? Not in the protocol."""
    spec = at.standalone_ann()
    training = replace(spec.training, epochs=2 * spec.training.epochs)
    yield at.entry(replace(spec, training=training), "ann-longer")
