"""The tables of chapter 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from panda2020.networks import PaperNetwork, network, plain_of
from snncore.energy import macs
from snncore.topology import Pass, parameter_count, plan

#: Columns of ``topology_table`` that describe a network, and those that justify it.
SHOWN = (
    "network",
    "reading",
    "unrolled",
    "logical depth",
    "unique layers",
    "parameters",
    "conv parameters",
    "compression",
    "MACs",
)

REASONS = ("network", "reading", "topology", "fixed by", "chosen")

LABELS = {"relu": "ReLU", "lif": "LIF", "if": "IF", "none": ""}


def unrolled(passes: Sequence[Pass]) -> str:
    """Describe a plan in words, one entry per pass: ``conv1 64 · P · conv2 64 · conv2 64 · fc1 10``.

    Neurons are named if they differ within the network; "M" is the mean over time.
    """
    mixed = len({p.neuron for p in passes[:-1]}) > 1
    spiking = {p.site for p in passes if p.neuron in ("lif", "if")}
    parts: list[str] = []
    for p in passes:
        if p.static and spiking.intersection(p.sources):
            parts.append("M")
        parts += ["P"] * (p.pool.bit_length() - 1)
        sum_ = f" (reads {' + '.join(p.sources)})" if len(p.sources) > 1 else ""
        neuron = f" {LABELS[p.neuron]}" if mixed and p.neuron != "none" else ""
        parts.append(f"{p.layer} {p.out_shape[0]}{neuron}{sum_}")
    return " · ".join(parts)


def topology_table(
    networks: Iterable[PaperNetwork | str], *, input_shape: tuple[int, int, int] | None = None
) -> pd.DataFrame:
    """A table of networks with everything that follows from their topology strings.

    Columns: parameters (weights, and the classifier's bias), and those of the convolutions alone; compression,
    the parameters of the plain network of equal logical depth divided by these; MACs of one ANN inference (Eq. 8);
    unique layers and logical depth, both with the classifier; what fixes the topology and what is chosen.

    Args:
        networks: entries of ``networks.REGISTRY``, or names (reading "A").
        input_shape: (C, H, W) in place of the networks' own.
    """
    rows = []
    for net in networks:
        net = network(net) if isinstance(net, str) else net
        shape = input_shape or net.input_shape
        passes = plan(net.topology, shape, net.neuron)
        count = parameter_count(net.topology, shape)
        rows.append(
            {
                "network": net.name,
                "reading": net.reading,
                "topology": net.topology,
                "unrolled": unrolled(passes),
                "parameters": count,
                "conv parameters": sum({p.layer: p.weights for p in passes if p.kind == "conv"}.values()),
                "compression": _plain_parameters(net, shape) / count,
                "MACs": sum(map(macs, passes)),
                "unique layers": len({p.layer for p in passes}),
                "logical depth": len(passes),
                "fixed by": "; ".join(net.fixed_by),
                "chosen": "; ".join(net.chosen),
            }
        )
    return pd.DataFrame(rows)


def _plain_parameters(net: PaperNetwork, shape: tuple[int, int, int]) -> float:
    plain = plain_of(net)
    return float("nan") if plain is None else float(parameter_count(plain.topology, shape))
