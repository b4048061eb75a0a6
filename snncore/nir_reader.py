"""Import networks from NIR graphs of any origin; the table in ``nir`` gives the correspondence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ._check import flag, one_of, positive, whole
from .network import READOUTS, Network, NetworkConfig
from .neurons import LIF
from .nir import package
from .topology import Block, Node, Skip, _write, as_ann, parse

if TYPE_CHECKING:
    import nir

Array = np.ndarray[Any, Any]


def from_nir(graph: nir.NIRGraph, *, dt: float | None = None) -> Network:
    """Build the network that a NIR graph describes.

    Args:
        graph: a chain of convolutions, fully connected layers and 2x2 average pools. Each weighted layer is followed by its
            neurons; residual sums are allowed; the last layer is fully connected and has no neurons.
        dt: length of a step in seconds; None reads it from the graph's metadata, as ``to_nir`` writes it.

    Returns:
        A network with the same spikes. If the metadata name a topology, as ``to_nir``'s do, blocks share their weights
        again; any other graph becomes a network without blocks, with readout "mean".

    Raises:
        ImportError: the package ``nir`` is not installed.
        ValueError: a node, parameter or connection that our networks do not have (named); metadata that name a topology
            other than the graph's; no ``dt``.
    """
    nir = package()
    if not isinstance(graph, nir.NIRGraph):
        raise ValueError(f"graph must be a nir.NIRGraph, got {type(graph).__name__}")
    try:
        return _network(graph, dt)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        what = (str(error).splitlines() or [""])[0][:200]
        raise ValueError(
            f"graph must hold what NIR defines, got one that fails with {type(error).__name__}: {what}"
        ) from error


def _network(graph: nir.NIRGraph, dt: float | None) -> Network:
    known = _metadata(graph)
    if dt is None and "dt" not in known:
        raise ValueError("dt must be given for a graph whose metadata do not hold it, got None")
    found = _Reader(graph, positive("dt", known["dt"] if dt is None else dt)).read()
    text = " ".join([*found.tokens, f"F{len(found.bias)}"])
    shared = parse(known.get("topology", text))
    if parse(text).text != _unrolled(shared.text):
        raise ValueError(
            f"metadata must name a topology that unrolls to the graph's, {text!r}, got {shared.text!r}"
        )
    readout = one_of("readout of the metadata", known.get("readout", "mean"), READOUTS)
    network = Network(
        shared,
        input_shape=found.input_shape,
        config=NetworkConfig(neuron=known.get("neuron", "lif"), readout=readout),
        generator=torch.Generator().manual_seed(0),  # every weight is overwritten
        static_input=flag("static_input of the metadata", known.get("static_input", False)),
    )
    steps = whole("steps of the metadata", known.get("steps", 0)) if readout == "sum" else 1
    with torch.no_grad():
        for p, (weight, neuron) in zip(network.plan, found.layers, strict=False):
            parameter: Any = network.layers[p.layer].weight
            values = torch.from_numpy(np.array(weight)).reshape(parameter.shape)
            if p.unroll > 1 and not torch.equal(parameter, values.to(parameter.dtype)):
                raise ValueError(
                    f"weights of one block must be equal in every pass, got different ones at {p.site}"
                )
            parameter.copy_(values)
            network.set_neuron(p.site, neuron)
        head: Any = network.head.classify
        head.weight.copy_(torch.from_numpy(np.array(found.classifier)))
        head.bias.copy_(torch.from_numpy(np.array(found.bias)) * steps)
    return network.eval()


class _Found(NamedTuple):
    """The contents of a graph: the topology's tokens without the classifier, (weights, neuron) per pass, and the classifier."""

    tokens: list[str]
    layers: list[tuple[Array, LIF]]
    classifier: Array
    bias: Array
    input_shape: tuple[int, ...]


class _Reader:
    """Follows a graph from its input. A value is a set of nodes whose outputs are added."""

    def __init__(self, graph: nir.NIRGraph, dt: float) -> None:
        nir = package()
        self.nodes, self.dt = graph.nodes, dt
        edges = set(graph.edges)
        if lost := sorted({name for edge in edges for name in edge} - self.nodes.keys()):
            raise ValueError(f"edges must join nodes of the graph, got {', '.join(map(repr, lost))}")
        # nodes that return spikes to their own membrane are removed, so that the graph is a chain
        self.resets = {
            scale: (spikes, membrane)
            for spikes, scale in edges
            for other, membrane in edges
            if scale == other
            and isinstance(self.nodes[scale], nir.Scale)
            and isinstance(self.nodes[spikes], nir.Threshold)
            and (membrane, spikes) in edges
        }
        self.into: dict[str, set[str]] = {name: set() for name in self.nodes}
        for source, target in edges:
            if source not in self.resets and target not in self.resets:
                self.into[target].add(source)
        self.tokens: list[str] = []
        self.places: dict[frozenset[str], int] = {}  # token index of each value

    def read(self) -> _Found:
        nir = package()
        inputs = [name for name, node in self.nodes.items() if isinstance(node, nir.Input)]
        if len(inputs) != 1:
            raise ValueError(f"graph must have one input, got {len(inputs)}")
        shape = tuple(int(n) for n in self.nodes[inputs[0]].input_type["input"])
        if len(shape) != 3:
            raise ValueError(f"graph must have an input of shape (channels, height, width), got {shape}")
        layers: list[tuple[Array, LIF]] = []
        waiting: _Weights | None = None  # for their neurons
        seen = {*inputs, *self.resets}
        here = frozenset(inputs)
        while True:
            if waiting is None:
                self.places[here] = len(self.tokens)
            name = self._next(here)
            node = self.nodes[name]
            seen.add(name)
            here = frozenset([name])
            if isinstance(node, nir.Conv2d | nir.Linear | nir.Affine) and waiting is None:
                waiting = _weights(name, node)
            elif isinstance(node, nir.LIF | nir.IF | nir.LI | nir.I) and waiting is not None:
                if waiting.bias.any():
                    raise ValueError(f"hidden layers must have no bias, got one before {name!r}")
                neuron, gain, spikes = self._neuron(name, node)
                seen.add(spikes)
                here = frozenset([spikes])
                layers.append((waiting.values * np.asarray(gain, waiting.values.dtype), neuron))
                self.tokens.append(waiting.token)
                waiting = None
            elif isinstance(node, nir.AvgPool2d) and waiting is None:
                _check_pool(name, node)
                self.tokens.append("P")
            elif isinstance(node, nir.Output) and waiting is not None:
                break
            elif not isinstance(node, nir.Flatten) or waiting is not None:
                raise ValueError(
                    f"graph must hold weighted layers, each followed by its neurons, 2x2 average pools and a last "
                    f"weighted layer, got {type(node).__name__} as {name!r} after {len(layers)} layers of neurons"
                )
        if set(self.nodes) != seen:
            raise ValueError(f"graph must be one chain, got {min(set(self.nodes) - seen)!r} beside it")
        if waiting.values.ndim != 2:
            raise ValueError(f"graph must end in a fully connected layer, got {waiting.token}")
        return _Found(self.tokens, layers, waiting.values, waiting.bias, shape)

    def _next(self, here: frozenset[str]) -> str:
        """The node that reads the value ``here``, or its sum with earlier values; the groups of those values are then closed."""
        while True:
            following = [name for name, sources in self.into.items() if sources == here]
            if len(following) > 1:
                raise ValueError(
                    f"one node must follow {', '.join(sorted(here))}, got {', '.join(following)}"
                )
            if following:
                return following[0]
            earlier = [
                value
                for value in self.places
                if not value & here and any(value | here <= sources for sources in self.into.values())
            ]
            if not earlier:
                raise ValueError(f"graph must go on to an output, got an end at {', '.join(sorted(here))}")
            nearest = max(earlier, key=lambda value: self.places[value])
            begin = self.places[nearest]
            self.tokens[begin:] = [f"({' '.join(self.tokens[begin:])})+"]
            self.places = {value: place for value, place in self.places.items() if place <= begin}
            here = here | nearest
            self.places[here] = len(self.tokens)

    def _neuron(self, name: str, node: Any) -> tuple[LIF, float, str]:
        """The neurons at a node, the factor on their current, and the node that outputs their spikes."""
        nir = package()
        alpha, gain = 1.0, self.dt * _one(name, "r", node.r)
        if isinstance(node, nir.LIF | nir.LI):
            rate = self.dt / _one(name, "tau", node.tau)
            # twelve digits, more than float32 has, so that 0.95 is read back as 0.95
            alpha, gain = round(1 - rate, 12), rate * _one(name, "r", node.r)
            _zero(name, "v_leak", node.v_leak)
        gain = 1.0 if abs(gain - 1) < 1e-6 else gain
        if isinstance(node, nir.LIF | nir.IF):
            _zero(name, "v_reset", node.v_reset)
            known = _metadata(node)
            reset = one_of(
                f"reset in the metadata of {name!r}", known.get("reset", "zero"), ("zero", "subtract")
            )
            order = known.get("order", "reset-then-leak")
            threshold = _one(name, "v_threshold", node.v_threshold)
            return _lif(known, alpha, threshold, "hard" if reset == "zero" else "soft", order), gain, name
        scales = [(scale, spikes) for scale, (spikes, membrane) in self.resets.items() if membrane == name]
        if len(scales) != 1:
            raise ValueError(
                f"a membrane must have one Threshold that resets it, got {len(scales)} at {name!r}"
            )
        scale, spikes = scales[0]
        known = _metadata(self.nodes[spikes])
        threshold = _one(spikes, "threshold", self.nodes[spikes].threshold)
        amount = -_one(scale, "scale", self.nodes[scale].scale) * gain
        fits = [
            order
            for order, factor in (("leak-then-reset", 1.0), ("reset-then-leak", alpha))
            if abs(amount - factor * threshold) <= 1e-6 * threshold
        ]
        if not fits:
            raise ValueError(
                f"scale of {scale!r} must subtract the threshold, {threshold:g}, or the threshold after one step's leak, got "
                f"{amount:g}"
            )
        order = known.get("order", fits[0])
        return _lif(known, alpha, threshold, "soft", order if order in fits else fits[0]), gain, spikes


class _Weights(NamedTuple):
    """A weighted layer: its token in the notation, its weights and bias."""

    token: str
    values: Array
    bias: Array


def _weights(name: str, node: Any) -> _Weights:
    nir = package()
    values = np.asarray(node.weight)
    if not isinstance(node, nir.Conv2d):
        if values.ndim != 2:
            raise ValueError(f"weight of {name!r} must be (out, in), got shape {values.shape}")
        bias = np.asarray(node.bias) if isinstance(node, nir.Affine) else np.zeros(len(values), values.dtype)
        return _Weights(f"F{len(values)}", values, bias)
    size = values.shape[-1]
    half = size // 2
    padding = {"same": half, "valid": 0}[node.padding] if isinstance(node.padding, str) else node.padding
    for option, value, wanted in (
        ("kernel", values.shape[2:], size | 1),
        ("stride", node.stride, 1),
        ("padding", padding, half),
        ("dilation", node.dilation, 1),
        ("groups", node.groups, 1),
    ):
        found = np.unique(value).tolist()
        if found != [wanted]:
            raise ValueError(f"{option} of {name!r} must be {wanted}, got {found}")
    return _Weights(f"{len(values)}C{size}", values, np.asarray(node.bias))


def _check_pool(name: str, node: Any) -> None:
    for option, wanted in (("kernel_size", 2), ("stride", 2), ("padding", 0)):
        found = np.unique(getattr(node, option)).tolist()
        if found != [wanted]:
            raise ValueError(f"{option} of {name!r} must be {wanted}, got {found}")


def _lif(known: dict[str, Any], alpha: float, threshold: float, reset: str, order: str) -> LIF:
    """Neurons, with the surrogate gradient's parameters from the metadata if they hold them."""
    training = {key: known[key] for key in ("gamma", "detach_reset") if key in known}
    return LIF(alpha, threshold, reset=reset, order=order, **training)


def _one(name: str, parameter: str, values: Any) -> float:
    """The common value of all neurons of a node."""
    distinct = np.unique(np.asarray(values))
    if len(distinct) != 1 or not np.isfinite(distinct).all():
        raise ValueError(
            f"{parameter} of {name!r} must be one finite number for all neurons, got {distinct[:3]}"
        )
    return float(distinct[0])


def _zero(name: str, parameter: str, values: Any) -> None:
    if (value := _one(name, parameter, values)) != 0:
        raise ValueError(f"{parameter} of {name!r} must be 0, got {value:g}")


def _metadata(node: Any) -> dict[str, Any]:
    """A node's metadata as plain Python values: a file gives NumPy's."""
    return {
        key: value.item() if isinstance(value, np.generic) else value for key, value in node.metadata.items()
    }


def _unrolled(text: str) -> str:
    """The topology with every block written out, as a graph holds it, without neuron suffixes."""

    def flat(nodes: tuple[Node, ...]) -> list[Node]:
        found: list[Node] = []
        for node in nodes:
            if isinstance(node, Block):
                found += flat(node.body) * node.repeats
            elif isinstance(node, Skip):
                found.append(Skip(tuple(flat(node.body))))
            else:
                found.append(node)
        return found

    return " ".join(map(_write, flat(parse(as_ann(text)).nodes)))
