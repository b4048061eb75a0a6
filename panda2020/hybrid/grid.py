"""The runs behind Tables 14 and 16: ReLU layers followed by spiking layers, and variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from panda2020 import variants
from panda2020.planning import Place, grid
from panda2020.runs import Entry

TABLE_14 = ("VGG9", "VGG8x2")

TABLE_16 = ("VGG13",)

SWEPT = "VGG9"  # its first layers are made ReLU, one after the other

RELU_LAYERS = (0, 1, 2, 4, 6)

SPIKING_LAYERS = (4, 6, 8)  # of VGG13's ten convolutions, besides the two of Table 16

ROLES_14 = ("ann", "ann-bn", "hybrid-stochmax", "hybrid-rate", "hybrid-softmax")


@grid("14", networks=TABLE_14, steps="14", sweep=lambda p: ROLES_14)
def table14(at: Place) -> Iterator[Entry]:
    """Table 14: hybrids with either classifier, and their ANNs; then rate-coded X[t] in place of X (section 6).

    Roles: "hybrid-stochmax" (the paper's), "hybrid-softmax", "hybrid-rate" (stochmax, X[t]), "ann" (without "any batch
    normalization or other regularization"), "ann-bn" ("including batch normalization and dropout", the recipe of "ann").
    """
    role = at.sweep
    if role.startswith("hybrid"):
        text = variants.rate_coded(at.net.topology) if role == "hybrid-rate" else None
        yield at.snn(role, head="softmax" if role == "hybrid-softmax" else "stochmax", topology=text)
    elif at.first:
        regular = replace(at.p.ann_network, batch_norm=True, dropout=at.p.dropout)
        yield at.ann(role, network=regular if role == "ann-bn" else None)


@grid("14-relu", networks=(SWEPT,), steps="14", first_steps=True)
def relu_sweep(at: Place) -> Iterator[Entry]:
    """How many first convolutions of VGG9 must be ReLU? Softmax; roles "relu-0" and so on; "relu-2" is Table 14's hybrid."""
    for count in RELU_LAYERS:
        yield at.snn(f"relu-{count}", topology=variants.relu_front(at.net.topology, count))


@grid("14-recipe", networks=(SWEPT,), steps="14", first_steps=True)
def vgg9_recipes(at: Place) -> Iterator[Entry]:
    """VGG9 at the learning rate of the other networks, because its own was chosen on fewer images. Not in the protocol.

    Roles "ann-usual-rate" and "hybrid-usual-rate" (stochmax).
    """
    yield at.ann("ann-usual-rate", training=replace(at.p.deep_ann, learning_rate=at.p.ann.learning_rate))
    usual = replace(at.p.deep_snn, learning_rate=at.p.snn.learning_rate)
    yield at.snn("hybrid-usual-rate", head="stochmax", training=usual)


@grid("16", networks=TABLE_16, steps="16", by_network=True)
def table16(at: Place) -> Iterator[Entry]:
    """Table 16: VGG13 with its middle two layers spiking, and its ANN; then variants with more spiking layers or BackRes.

    Roles: "hybrid", "ann"; "hybrid-lif4" and so on by the number of spiking convolutions; "hybrid-backres", whose second
    spiking layer is computed twice.
    """
    text = at.net.topology
    if at.first:
        yield at.ann()
    yield at.snn("hybrid")
    for count in SPIKING_LAYERS:
        yield at.snn(f"hybrid-lif{count}", topology=variants.spiking_middle(text, count))
    yield at.snn("hybrid-backres", topology=variants.unrolled_middle(text, 2))


@grid("16-readings", networks=TABLE_16, steps="16", interpretations="others")
def vgg13_readings(at: Place) -> Iterator[Entry]:
    """Table 16's hybrid with the other readings of "the middle two layers"."""
    yield at.snn("hybrid")


@grid("16-recipe", networks=TABLE_16, steps="16", by_network=True)
def vgg13_recipes(at: Place) -> Iterator[Entry]:
    """Table 16's pair with other recipes, because VGG13 was not tuned itself.

    Roles "ann-tuned-rate", "hybrid-tuned-rate": at the learning rate chosen on VGG9 and CIFAR-10. "hybrid-low-gain": at the
    gain of the wholly spiking networks, with which less current reaches the spiking layers after ReLU layers.
    """
    if at.first:
        yield at.ann("ann-tuned-rate", training=at.p.deep_ann)
    yield at.snn("hybrid-tuned-rate", training=at.p.deep_snn)
    yield at.snn("hybrid-low-gain", network=replace(at.p.deep_network, gain=at.p.snn_network.gain))
