"""The runs behind "beyond the paper": what its section 9 conjectures, Fig 5 measured, and what it leaves unstated.

Each of them differs from a run of Table 8 in the one thing it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from panda2020.agd.grid import TABLE_8, other_readout
from panda2020.planning import Place, grid
from panda2020.runs import Entry
from panda2020.tasks import binary
from snncore.training import InputConfig

BINARY = TABLE_8

BINARY_HEADS: Mapping[str, str] = {"softmax": "binary", "stochmax": "binary-stochmax"}  # head -> role

#: Gain of binary networks: the smallest of 1, 1.4, 2, 2.8 and 4 at which untrained ones fire alike at every depth.
BINARY_GAIN = 2.8

#: Epochs of binary networks, at least: one step of time costs little, and they are slow to learn (section 9.2).
BINARY_EPOCHS = 16

LATENCY = ("VGG5", "VGG3x2-v2")

UNSTATED_NETWORK = "VGG5"

#: What the paper does not state, one other answer each: role -> (fields of the network's configuration, of the input's).
UNSTATED: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "snn-reset-then-leak": ({"order": "reset-then-leak"}, {}),
    "snn-fires-at-equality": ({"fire_at_equality": True}, {}),
    "snn-signed": ({}, {"signed": True}),  # of profiles whose images are coded on [0, 1], which all are
    "snn-gain": ({"gain": 1.4}, {}),
    "snn-readout-sum": ({"readout": "sum"}, {}),
    "snn-readout-mean": ({"readout": "mean"}, {}),
}


@grid("9.2-binary", networks=BINARY)
def binary_networks(at: Place) -> Iterator[Entry]:
    """Section 9.2: Table 8's networks as binary ones, with softmax and with stochmax; same images as with spikes.

    Roles: "binary", "binary-stochmax". The recipe is that of the spiking networks, for ``BINARY_EPOCHS`` at least.
    """
    recipe = replace(at.p.snn, epochs=max(BINARY_EPOCHS, at.p.snn.epochs))
    for head, role in BINARY_HEADS.items():
        network = replace(at.p.snn_network, alpha=0.0, gain=BINARY_GAIN, head=head)
        spec = binary.Spec(at.topology, at.data, network, InputConfig("direct", steps=1), recipe, at.seed)
        yield at.entry(spec, role)


@grid("9.1-latency", networks=LATENCY, steps="8", first_steps=True)
def latency_coded(at: Place) -> Iterator[Entry]:
    """Section 9.1: Table 8's networks on latency-coded images, at its first T, beside the same on Poisson spikes.

    Roles: "snn" (the run of Table 8), "snn-latency", which differs in the input code alone.
    """
    run = at.snn().spec
    yield at.entry(run, "snn")
    yield at.entry(replace(run, input=at.p.input("latency", at.steps)), "snn-latency")


@grid("unstated", networks=(UNSTATED_NETWORK,), steps="8", first_steps=True)
def unstated(at: Place) -> Iterator[Entry]:
    """What the paper leaves unstated about the neurons: VGG5 of Table 8 at its first T with one other answer each.

    Roles: "snn" (the run of Table 8), and those of ``UNSTATED``.
    """
    run = at.snn().spec
    yield at.entry(run, "snn")
    for role, (network, code) in UNSTATED.items():
        if "readout" in network:  # it has a learning rate of its own
            continue
        changed = replace(run, network=replace(run.network, **network), input=replace(run.input, **code))
        yield at.entry(changed, role)
    yield other_readout(at)
