"""The runs behind "beyond the paper": what its section 9 conjectures, Fig 5 measured, and what it leaves unstated.

Each of them differs from a run of Table 8 in the one thing it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from panda2020 import networks
from panda2020.planning import repeated, spiking
from panda2020.profiles import profile
from panda2020.runs import Entry
from panda2020.tasks import binary
from snncore.network import NetworkConfig
from snncore.topology import scale_width
from snncore.training import InputConfig

BINARY = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")

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
    "snn-readout-sum": ({"readout": "sum"}, {}),
    "snn-gain": ({"gain": 1.4}, {}),
}


@repeated
def binary_networks(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Section 9.2: Table 8's networks as binary ones, with softmax and with stochmax; same images as with spikes.

    Roles: "binary", "binary-stochmax". The recipe is that of the spiking networks, for ``BINARY_EPOCHS`` at least.
    """
    p = profile(profile_name)
    recipe = replace(p.snn, epochs=max(BINARY_EPOCHS, p.snn.epochs))
    found = []
    for seed in seeds or p.seeds:
        for name in names or BINARY:
            for head, role in BINARY_HEADS.items():
                spec = binary.Spec(
                    scale_width(networks.network(name).topology, p.width),
                    p.data_for(seed),
                    NetworkConfig(neuron="lif", alpha=0.0, gain=BINARY_GAIN, head=head),
                    InputConfig("direct", steps=1),
                    recipe,
                    seed,
                )
                found.append(Entry(spec, name, role, p.name, ("9.2-binary",)))
    return found


@repeated
def latency_coded(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Section 9.1: Table 8's networks on latency-coded images, at its first T, beside the same on Poisson spikes.

    Roles: "snn" (the run of Table 8), "snn-latency", which differs in the input code alone.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for steps in timesteps or p.steps["8"][:1]:
            for name in names or LATENCY:
                run = spiking(p, name, seed, steps)
                timed = replace(run, input=p.input("latency", steps))
                found.append(Entry(run, name, "snn", p.name, ("9.1-latency",)))
                found.append(Entry(timed, name, "snn-latency", p.name, ("9.1-latency",)))
    return found


@repeated
def unstated(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """What the paper leaves unstated about the neurons: VGG5 of Table 8 at its first T with one other answer each.

    Roles: "snn" (the run of Table 8), and those of ``UNSTATED``.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for steps in timesteps or p.steps["8"][:1]:
            for name in names or (UNSTATED_NETWORK,):
                run = spiking(p, name, seed, steps)
                found.append(Entry(run, name, "snn", p.name, ("unstated",)))
                for role, (network, code) in UNSTATED.items():
                    other = replace(
                        run, network=replace(run.network, **network), input=replace(run.input, **code)
                    )
                    found.append(Entry(other, name, role, p.name, ("unstated",)))
    return found
