r"""Export networks as graphs of NIR, the neuromorphic intermediate representation (Pedersen et al. 2024, package ``nir``).

NIR states neurons as differential equations; a reader chooses a time step ``dt``. The graphs written here equal our
recurrences for a reader that uses forward Euler, sends the spikes of a step within the same step, and delays a loop in
the graph by one step::

    v <- v + dt/tau (v_leak - v + r I)      tau = dt / (1 - alpha),  r = 1 / (1 - alpha),  v_leak = 0
    v <- v + dt r I                         without leak: r = 1 / dt

=================================  ==============================================================================
snncore                            in the graph
=================================  ==============================================================================
hard reset                         ``LIF`` or ``IF`` with ``v_reset = 0``: NIR's own reset
soft reset, ``soft_reset="loop"``  ``LI`` or ``I``, then ``Threshold``, whose spikes return through
                                   ``Scale(-threshold)``, or ``Scale(-alpha threshold)`` for reset-then-leak
soft reset, ``soft_reset="node"``  ``LIF`` or ``IF`` with metadata ``reset: subtract``, for readers that always
                                   subtract, although in NIR's equations the potential goes to ``v_reset``
BackRes block                      unrolled: one copy of the weights and one threshold per pass
residual sum                       two edges into one node, which NIR adds up
classifier                         ``Affine`` at every step; the scores are the mean of its output over time
                                   (readout "sum": the sum over ``steps``, with the bias divided by ``steps``)
=================================  ==============================================================================

The graph's metadata hold what NIR cannot express: the topology with its shared weights, the readout, ``dt``, and whether
the input is one image for all steps. A neuron's metadata hold its surrogate gradient. Dropout is omitted, because it only
acts in training.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ._check import one_of, positive, whole
from .network import Network
from .neurons import LIF
from .topology import SPIKING, Block, Conv, Dense, Node, Pass, Pool, Skip, _write

if TYPE_CHECKING:
    import nir

Array = np.ndarray[Any, Any]

SOFT_RESETS = ("loop", "node")


def package() -> ModuleType:
    """Import the package ``nir``.

    Raises:
        ImportError: it is not installed; the message says how to install it.
    """
    try:
        import nir
    except ImportError as error:
        raise ImportError("NIR needs the package nir: pip install 'snncore[nir]'") from error
    return nir


def to_nir(
    network: Network, *, dt: float = 1e-4, steps: int | None = None, soft_reset: str = "loop"
) -> nir.NIRGraph:
    """Convert a spiking network to a NIR graph, for another simulator or a chip's compiler.

    Args:
        network: any network in which all hidden layers spike.
        dt: length of a step in seconds; readers with a fixed step mostly use 1e-4.
        steps: T, by which the classifier's bias is divided for readout "sum"; None for readout "mean".
        soft_reset: how a soft reset is written, "loop" or "node" (see the module's table).

    Returns:
        A graph that ``nir.write`` can save. Node names are the site names, with ``_`` for a dot.

    Raises:
        ImportError: the package ``nir`` is not installed.
        ValueError: a part that NIR cannot express: ReLU layers, ``M``, ``R``, channel matching, stochmax, a refractory
            period, firing at equality, a sum of a value with itself; ``soft_reset="node"`` for leak-then-reset neurons that
            leak; ``steps`` missing for readout "sum" or given for "mean"; a weight that is not finite.
    """
    nir = package()
    if not isinstance(network, Network):
        raise ValueError(f"network must be a Network, got {type(network).__name__}")
    dt = positive("dt", dt)
    one_of("soft_reset", soft_reset, SOFT_RESETS)
    readout = network.config.readout
    if readout == "sum":
        whole("steps", steps)
    elif steps is not None:
        raise ValueError(f"steps must be None for readout 'mean', got {steps!r}")
    if network.config.head != "softmax":
        raise ValueError(f"head must be 'softmax', as NIR has no other, got {network.config.head!r}")
    for p in network.plan[:-1]:
        if p.neuron not in SPIKING:
            raise ValueError(f"layers must spike, as NIR has no ReLU, got {p.neuron!r} at {p.site}")
    writer = _Writer(network, dt, soft_reset, {}, [])
    writer.nodes["input"] = nir.Input(input_type=np.array(network.input_shape))
    sources = writer.walk(network.topology.nodes[:-1], (), ("input",), 1)
    last = network.plan[-1]
    if len(last.in_shape) > 1:
        sources = writer.add(f"flatten_{last.site}", _flatten(last.in_shape), sources)
    head = network.head.classify
    weight, bias = _finite(head.weight, last.site), _finite(head.bias, last.site)  # type: ignore[union-attr, arg-type]
    sources = writer.add(last.site, nir.Affine(weight, bias / (steps or 1)), sources)
    writer.add("output", nir.Output(output_type=np.array(last.out_shape)), sources)
    metadata = {
        "topology": network.topology.text,
        "neuron": network.config.neuron,
        "readout": readout,
        "dt": dt,
        "static_input": network.plan[0].static,
        **({} if steps is None else {"steps": steps}),
    }
    return nir.NIRGraph(writer.nodes, writer.edges, metadata=metadata)


class _Writer(NamedTuple):
    network: Network
    dt: float
    soft_reset: str
    nodes: dict[str, Any]
    edges: list[tuple[str, str]]

    def add(self, name: str, node: Any, sources: tuple[str, ...]) -> tuple[str, ...]:
        self.nodes[name] = node
        if len(set(sources)) < len(sources):
            raise ValueError(
                f"a residual sum must not add a value to itself, as NIR joins two nodes by one edge, got "
                f"{self.network.topology.text!r}"
            )
        self.edges.extend((source, name) for source in sources)
        return (name,)

    def walk(
        self, nodes: tuple[Node, ...], path: tuple[int, ...], sources: tuple[str, ...], unroll: int
    ) -> tuple[str, ...]:
        """Add the nodes of a part of the topology; return the names whose sum comes out of it."""
        nir = package()
        for index, node in enumerate(nodes):
            here = (*path, index)
            if isinstance(node, Conv | Dense):
                sources = self.layer(self.network._names[here], sources, unroll)
            elif isinstance(node, Pool):
                two, zero = np.array([2, 2]), np.array([0, 0])
                name = "_".join(["pool", *map(str, here), *([str(unroll)] if path else [])])
                sources = self.add(name, nir.AvgPool2d(kernel_size=two, stride=two, padding=zero), sources)
            elif isinstance(node, Skip):
                sources = (*self.walk(node.body, here, sources, unroll), *sources)
            elif isinstance(node, Block):
                for k in range(1, node.repeats + 1):
                    if k == 2 and hasattr(self.network, f"match_{self.network._ends(here)[0]}"):
                        raise ValueError(
                            f"topology must have no channel matching, which NIR has no node for, got {node.match!r} in "
                            f"{self.network.topology.text!r}"
                        )
                    sources = self.walk(node.body, here, sources, k if node.repeats > 1 else unroll)
            else:  # M or R
                raise ValueError(f"topology must not hold {_write(node)}, got {self.network.topology.text!r}")
        return sources

    def layer(self, name: str, sources: tuple[str, ...], unroll: int) -> tuple[str, ...]:
        nir = package()
        layer: Any = self.network._layer(name)
        p: Pass = layer.passes[unroll - 1]
        site = p.site.replace(".", "_")
        weight = _finite(layer.weight, p.site)
        if p.kind == "conv":
            half = (p.kernel // 2, p.kernel // 2)
            zeros = np.zeros(len(weight), weight.dtype)
            maps = nir.Conv2d(p.in_shape[1:], weight, (1, 1), half, (1, 1), 1, zeros)
            sources = self.add(site, maps, sources)
        else:
            if len(p.in_shape) > 1:
                sources = self.add(f"flatten_{site}", _flatten(p.in_shape), sources)
            sources = self.add(site, nir.Linear(weight), sources)
        return self.fire(site, p, layer.neurons[unroll - 1], sources)

    def fire(self, site: str, p: Pass, neuron: LIF, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Add one pass's neurons; the last node's output is their spikes."""
        nir = package()
        for option, value in (("refractory", 0), ("fire_at_equality", False)):
            if getattr(neuron, option) != value:
                raise ValueError(
                    f"{option} must be {value}, as NIR has no other, got {getattr(neuron, option)} at {p.site}"
                )

        def full(value: float) -> Array:
            return np.full(p.out_shape, value)

        kept = {"gamma": neuron.gamma, "detach_reset": neuron.detach_reset, "order": neuron.order}
        leak = 1 - neuron.alpha
        threshold = full(neuron.threshold)
        if neuron.reset == "soft" and self.soft_reset == "loop":
            if leak:
                charge = nir.LI(tau=full(self.dt / leak), r=full(1 / leak), v_leak=full(0.0))
            else:
                charge = nir.I(r=full(1 / self.dt))
            factor = 1.0 if neuron.order == "leak-then-reset" else neuron.alpha
            back = nir.Scale(scale=full(-factor * neuron.threshold))
            self.add(f"{site}_membrane", charge, (*sources, f"{site}_reset"))
            self.add(f"{site}_spikes", nir.Threshold(threshold, metadata=kept), (f"{site}_membrane",))
            self.add(f"{site}_reset", back, (f"{site}_spikes",))
            return (f"{site}_spikes",)
        if neuron.reset == "soft":
            if leak and neuron.order == "leak-then-reset":
                raise ValueError(
                    f"soft_reset must be 'loop' for neurons that leak before their reset, got 'node' at {p.site}"
                )
            kept["reset"] = "subtract"
        if leak:
            both = {"tau": full(self.dt / leak), "r": full(1 / leak), "v_leak": full(0.0)}
            node = nir.LIF(**both, v_threshold=threshold, v_reset=full(0.0), metadata=kept)
        else:
            node = nir.IF(full(1 / self.dt), threshold, full(0.0), metadata=kept)
        return self.add(f"{site}_spikes", node, sources)


def _flatten(shape: tuple[int, ...]) -> Any:
    return package().Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


def _finite(values: torch.Tensor, site: str) -> Array:
    array = values.detach().cpu().float().contiguous().numpy()
    if not np.isfinite(array).all():
        raise ValueError(f"weights must be finite, got {array[~np.isfinite(array)][0]} at {site}")
    return array.copy()
