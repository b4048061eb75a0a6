"""Networks as strings (notation: ``network``): the parser, and the plan of all passes of all weighted layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from ._check import one_of, positive, whole
from .backres import MATCHES

NEURONS = ("relu", "lif", "if")

SPIKING = ("lif", "if")

# --- the string --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conv:
    """``64C3``: ``maps`` output maps, kernel size ``kernel``; ``neuron`` None uses the network's neurons."""

    maps: int
    kernel: int
    neuron: str | None = None


@dataclass(frozen=True)
class Dense:
    """``F1024``: ``features`` outputs."""

    features: int
    neuron: str | None = None


@dataclass(frozen=True)
class Pool:
    """``P``: average over 2x2 positions."""


@dataclass(frozen=True)
class Mean:
    """``M``: mean over time."""


@dataclass(frozen=True)
class Recode:
    """``R``: real values become Poisson spikes."""


@dataclass(frozen=True)
class Skip:
    """``(...)+``: the input is added to the output."""

    body: tuple[Node, ...]


@dataclass(frozen=True)
class Block:
    """``[...]xn``: a BackRes block with ``repeats`` passes and an optional channel-matching rule."""

    body: tuple[Node, ...]
    repeats: int
    match: str | None = None


Node = Conv | Dense | Pool | Mean | Recode | Skip | Block


@dataclass(frozen=True)
class Topology:
    """A parsed network string: ``text`` in its normal form, and the tree of ``nodes`` with the classifier last."""

    text: str
    nodes: tuple[Node, ...]

    @property
    def classes(self) -> int:
        """Number of outputs of the classifier."""
        return self.nodes[-1].features  # type: ignore[union-attr]

    def __str__(self) -> str:
        return self.text


_TOKEN = re.compile(
    r"(?P<conv>\d+C\d+(?::\w+)?)|(?P<dense>F\d+(?::\w+)?)|(?P<pool>P)|(?P<mean>M)|(?P<recode>R)"
    r"|(?P<open>\[)|(?P<close>\]x\d+(?::[\w-]+)?)|(?P<group>\()|(?P<ungroup>\)\+)|(?P<plus>\+)|(?P<space>\s+)",
    re.ASCII,  # else "\d" and "\s" would match other scripts' digits and full-width spaces
)

# Bounds that no real network reaches, so that a typing error gives an error message at once.
_DEEPEST, _MOST_REPEATS, _WIDEST = 50, 1000, 10**5


def parse(text: str | Topology) -> Topology:
    """Parse a network string (notation: ``network``).

    Args:
        text: the string; a ``Topology`` is returned unchanged.

    Raises:
        ValueError: quotes the part that cannot be read, an unknown neuron or matching rule, an unclosed block, zero maps,
            an even kernel, or a network that does not end in a classifier ``F``.
    """
    if isinstance(text, Topology):
        return text
    if not isinstance(text, str):
        raise ValueError(f"topology must be a string such as '64C3 P F1024 F10', got {text!r}")
    where = f"in topology {text[:200]!r}" + ("..." if len(text) > 200 else "")
    stack: list[list[Node]] = [[]]
    openers: list[str] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            rest = text[position : position + 40].split(" ")[0]
            raise ValueError(
                f"topology must be made of 64C3, P, M, R, F1024, [..]x2, (..)+ and +, got {rest!r} {where}"
            )
        kind, token = str(found.lastgroup), found.group()
        position = found.end()
        if kind == "conv":
            size, neuron = _suffix(token, NEURONS, "neuron", where)
            maps, kernel = (_number(digits, token, where) for digits in size.split("C"))
            if kernel % 2 == 0:
                raise ValueError(f"kernel must be odd for same padding, got {token!r} {where}")
            stack[-1].append(Conv(_size(maps, token, where), kernel, neuron))
        elif kind == "dense":
            size, neuron = _suffix(token, NEURONS, "neuron", where)
            stack[-1].append(Dense(_size(_number(size[1:], token, where), token, where), neuron))
        elif kind == "pool":
            stack[-1].append(Pool())
        elif kind in ("mean", "recode"):
            if openers:
                raise ValueError(f"{token} must be outside brackets, got it inside {where}")
            stack[-1].append(Mean() if kind == "mean" else Recode())
        elif kind in ("open", "group"):
            openers.append(token)
            if len(openers) > _DEEPEST:
                raise ValueError(f"brackets must be at most {_DEEPEST} deep, got more {where}")
            stack.append([])
        elif kind in ("close", "ungroup"):
            want = "[" if kind == "close" else "("
            if not openers or openers.pop() != want:
                raise ValueError(f"topology must open {want!r} before {token!r}, got none {where}")
            body = tuple(stack.pop())
            if not any(isinstance(node, Conv | Dense | Block | Skip) for node in body):
                raise ValueError(f"brackets must hold at least one layer, got none before {token!r} {where}")
            if kind == "close":
                size, match = _suffix(token[2:], MATCHES, "channel matching", where)
                repeats = whole("repeats", _number(size, token, where))
                if repeats > _MOST_REPEATS:
                    raise ValueError(f"repeats must be at most {_MOST_REPEATS}, got {token!r} {where}")
                stack[-1].append(Block(body, repeats, match))
            else:
                stack[-1].append(Skip(body))
        elif kind == "plus":
            if not stack[-1] or not isinstance(stack[-1][-1], Conv | Dense):
                raise ValueError(
                    f"'+' must follow a layer or a group in parentheses, got {text[:position]!r} {where}"
                )
            stack[-1].append(Skip((stack[-1].pop(),)))
    if openers:
        raise ValueError(f"topology must close every {openers[-1]!r}, got an open one {where}")
    nodes = tuple(stack[0])
    if not nodes or not isinstance(nodes[-1], Dense) or nodes[-1].neuron is not None:
        raise ValueError(f"topology must end in a classifier such as F10 without neurons, got {text!r}")
    return Topology(" ".join(map(_write, nodes)), nodes)


def _suffix(token: str, allowed: tuple[str, ...], name: str, where: str) -> tuple[str, str | None]:
    head, _, tail = token.partition(":")
    if tail and tail not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {tail!r} {where}")
    return head, tail or None


def _number(digits: str, token: str, where: str) -> int:
    if len(digits) > len(str(_WIDEST)) or int(digits) > _WIDEST:
        raise ValueError(f"numbers must be at most {_WIDEST:,}, got {token[:40]!r} {where}")
    return int(digits)


def _size(number: int, token: str, where: str) -> int:
    if number < 1:
        raise ValueError(f"a layer must have at least one map or feature, got {token!r} {where}")
    return number


def _write(node: Node) -> str:
    """The normal form of a node."""
    if isinstance(node, Conv):
        return f"{node.maps}C{node.kernel}" + (f":{node.neuron}" if node.neuron else "")
    if isinstance(node, Dense):
        return f"F{node.features}" + (f":{node.neuron}" if node.neuron else "")
    if isinstance(node, Pool):
        return "P"
    if isinstance(node, Mean):
        return "M"
    if isinstance(node, Recode):
        return "R"
    body = " ".join(map(_write, node.body))
    if isinstance(node, Skip):
        single = len(node.body) == 1 and isinstance(node.body[0], Conv | Dense)
        return f"{body}+" if single else f"({body})+"
    return f"[{body}]x{node.repeats}" + (f":{node.match}" if node.match else "")


def scale_width(text: str | Topology, factor: float) -> str:
    """Scale all maps and features by ``factor``, rounded, to at least 1; the classifier stays the same.

    Args:
        text: the network.
        factor: width factor.

    Returns:
        The scaled network string.
    """
    positive("factor", factor)
    topology = parse(text)

    def scaled(node: Node) -> Node:
        if isinstance(node, Conv):
            return replace(node, maps=max(1, round(node.maps * factor)))
        if isinstance(node, Dense):
            return replace(node, features=max(1, round(node.features * factor)))
        if isinstance(node, Skip | Block):
            return replace(node, body=tuple(map(scaled, node.body)))
        return node

    return " ".join(map(_write, (*map(scaled, topology.nodes[:-1]), topology.nodes[-1])))


# --- the plan: every logical pass of every weighted layer ---------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """One pass of one weighted layer; energy, diagrams, conversion and tables are computed from it.

    Attributes:
        site: name of this pass: "conv1"; "conv2.1", "conv2.2" .. in a BackRes block; the last "fc" is the classifier.
        layer: name of the weights it uses, such as "conv2".
        kind: "conv" or "dense".
        neuron: "relu", "lif", "if", or "none" for the classifier.
        in_shape: (C, H, W) or (features,), as the layer reads it, after pooling and matching.
        out_shape: (C, H, W) or (features,).
        sources: sites whose outputs enter; several after a residual sum; "input" is the image.
        source_shapes: shapes of the sources before pooling.
        pool: pooling factor between the sources and this layer (1, 2, 4 ...).
        unroll: unrolling step, from 1.
        unrolls: number of unrolling steps; 1 outside BackRes blocks.
        static: the input does not change over time, so the weighted sum is computed once per image.
        once: the output does not change over time either (real values, or the classifier).
        weights: number of parameters of the layer, without bias except the classifier's.
    """

    site: str
    layer: str
    kind: str
    neuron: str
    kernel: int
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    sources: tuple[str, ...]
    source_shapes: tuple[tuple[int, ...], ...]
    pool: int
    unroll: int
    unrolls: int
    static: bool
    once: bool
    weights: int


class _Flow(NamedTuple):
    """The values between two layers, during planning."""

    shape: tuple[int, ...]
    sources: tuple[str, ...]
    source_shapes: tuple[tuple[int, ...], ...]
    pool: int
    timed: bool


def plan(
    topology: str | Topology,
    input_shape: tuple[int, ...],
    neuron: str = "lif",
    *,
    static_input: bool | None = None,
) -> tuple[Pass, ...]:
    """All passes of the network in order of computation.

    Args:
        topology: network string or ``Topology``.
        input_shape: (C, H, W) of one image.
        neuron: neurons of layers without a suffix, "relu", "lif" or "if".
        static_input: True if the image itself is the input at every step (direct coding), False for spikes; None means
            True if and only if the first layer is ReLU.

    Raises:
        ValueError: an unknown neuron, a map too small to pool, a residual sum or an unmatched
            BackRes block whose shapes differ, "drop", "top" or "top-fixed" matching of a residual sum, "average" of channels that
            do not divide, a block of several passes inside another, a convolution after a fully connected layer, a
            ReLU layer on spikes, an ``M`` without spikes before it, or a spiking layer after ``M``.
    """
    parsed = parse(topology)
    one_of("neuron", neuron, NEURONS)
    shape = tuple(whole("input_shape", n) for n in input_shape)
    if len(shape) != 3:
        raise ValueError(f"input_shape must be (channels, height, width), got {tuple(input_shape)}")
    layers = _named_layers(parsed)
    first = next(iter(layers))[0]
    if static_input is None:
        static_input = (first.neuron or neuron) == "relu"
    passes: list[Pass] = []
    done_with_time = False

    def walk(nodes: tuple[Node, ...], path: tuple[int, ...], flow: _Flow, unroll: int, unrolls: int) -> _Flow:
        nonlocal done_with_time
        for index, node in enumerate(nodes):
            here = (*path, index)
            if isinstance(node, Conv | Dense):
                flow = layer(node, layers_by_path[here], flow, unroll, unrolls)
            elif isinstance(node, Pool):
                if len(flow.shape) != 3 or flow.shape[1] % 2 or flow.shape[2] % 2:
                    raise ValueError(
                        f"P must follow maps of even height and width, got {flow.shape} in {parsed.text!r}"
                    )
                channels, height, width = flow.shape
                flow = flow._replace(shape=(channels, height // 2, width // 2), pool=2 * flow.pool)
            elif isinstance(node, Recode):
                if flow.timed or not passes or "rate-code" in flow.sources:
                    raise ValueError(
                        f"R must follow a ReLU layer, got it after other values in {parsed.text!r}"
                    )
                flow = _Flow(flow.shape, ("rate-code",), (flow.shape,), 1, True)
            elif isinstance(node, Mean):
                if not flow.timed:
                    raise ValueError(f"M must follow spikes, got values without time in {parsed.text!r}")
                flow, done_with_time = flow._replace(timed=False), True
            elif isinstance(node, Skip):
                out = walk(node.body, here, flow, unroll, unrolls)
                if out.shape != flow.shape:
                    raise ValueError(
                        f"a residual sum must join equal shapes, got {flow.shape} and "
                        f"{out.shape} at {_write(node)!r} in {parsed.text!r}"
                    )
                if out.timed != flow.timed:
                    raise ValueError(
                        f"a residual sum must join spikes with spikes or reals with reals, got "
                        f"one of each at {_write(node)!r} in {parsed.text!r}"
                    )
                if flow.pool != 1 or out.pool != 1:
                    raise ValueError(
                        f"a residual sum must not contain a pooling layer, got {_write(node)!r} "
                        f"in {parsed.text!r}"
                    )
                flow = out._replace(
                    sources=out.sources + flow.sources, source_shapes=out.source_shapes + flow.source_shapes
                )
            else:
                if unrolls > 1:
                    raise ValueError(
                        f"a BackRes block must not contain another, got {_write(node)!r} in {parsed.text!r}"
                    )
                shape_in = flow.shape
                for k in range(1, node.repeats + 1):
                    if k > 1 and flow.shape != shape_in:
                        flow = matched(node, flow, shape_in)
                    flow = walk(node.body, here, flow, k, node.repeats)
        return flow

    def matched(node: Block, flow: _Flow, shape_in: tuple[int, ...]) -> _Flow:
        where = f"at {_write(node)!r} in {parsed.text!r}"
        fits = len(shape_in) == 3 and flow.shape[1:] == shape_in[1:] and flow.shape[0] > shape_in[0]
        if node.match is None or not fits:
            raise ValueError(
                f"a BackRes block must output the shape it reads, {shape_in}, or more channels "
                f"with :drop, :top, :top-fixed or :average, got {flow.shape} {where}"
            )
        if node.match == "average":  # every spike still enters, with a smaller weight
            if flow.shape[0] % shape_in[0]:
                raise ValueError(
                    f":average must have a multiple of {shape_in[0]} channels, got {flow.shape[0]} {where}"
                )
            return flow._replace(shape=shape_in)
        if len(flow.sources) > 1:  # the probe could not tell whose spikes were kept
            raise ValueError(f":{node.match} must read one layer, got a residual sum {where}")
        return flow._replace(
            shape=shape_in, sources=(f"{flow.sources[0]}:{node.match}",), source_shapes=(shape_in,)
        )

    def layer(node: Conv | Dense, name: str, flow: _Flow, unroll: int, unrolls: int) -> _Flow:
        last = node is parsed.nodes[-1]
        kind = "none" if last else node.neuron or neuron
        site = name if unrolls == 1 else f"{name}.{unroll}"
        if kind == "relu" and flow.timed:
            raise ValueError(f"a ReLU layer must not read spikes: put M before {site} in {parsed.text!r}")
        if kind in SPIKING and done_with_time:
            raise ValueError(f"a spiking layer must not follow M, got {site} in {parsed.text!r}")
        if isinstance(node, Conv):
            if len(flow.shape) != 3:
                raise ValueError(
                    f"a convolution must read maps, got {flow.shape} at {site} in {parsed.text!r}"
                )
            out = (node.maps, *flow.shape[1:])
            weights = node.maps * flow.shape[0] * node.kernel**2
        else:
            out = (node.features,)  # type: ignore[assignment]
            features = 1
            for length in flow.shape:
                features *= length
            weights = node.features * features + (node.features if last else 0)
        # a classifier on spikes reads their sum, once
        passes.append(
            Pass(
                site,
                name,
                "conv" if isinstance(node, Conv) else "dense",
                kind,
                node.kernel if isinstance(node, Conv) else 1,
                flow.shape,
                out,
                flow.sources,
                flow.source_shapes,
                flow.pool,
                unroll,
                unrolls,
                not flow.timed,
                kind not in SPIKING,
                weights,
            )
        )
        return _Flow(out, (site,), (out,), 1, kind in SPIKING)

    layers_by_path = {path: name for _, path, name in layers}
    walk(parsed.nodes, (), _Flow(shape, ("input",), (shape,), 1, not static_input), 1, 1)
    return tuple(passes)


def _named_layers(topology: Topology) -> list[tuple[Conv | Dense, tuple[int, ...], str]]:
    """(node, path in the tree, name) of every weighted layer: conv1, conv2, .., fc1, fc2 in order."""
    found: list[tuple[Conv | Dense, tuple[int, ...], str]] = []
    counts = {"conv": 0, "fc": 0}

    def walk(nodes: tuple[Node, ...], path: tuple[int, ...]) -> None:
        for index, node in enumerate(nodes):
            if isinstance(node, Conv | Dense):
                kind = "conv" if isinstance(node, Conv) else "fc"
                counts[kind] += 1
                found.append((node, (*path, index), f"{kind}{counts[kind]}"))
            elif isinstance(node, Skip | Block):
                walk(node.body, (*path, index))

    walk(topology.nodes, ())
    return found


def parameter_count(topology: str | Topology, input_shape: tuple[int, ...]) -> int:
    """Number of unique parameters of the network: all weights, and the classifier's bias."""
    return sum({p.layer: p.weights for p in plan(as_ann(topology), input_shape, "relu")}.values())


def as_ann(topology: str | Topology) -> str:
    """The network's ANN baseline: without neuron suffixes, ``M`` or ``R``. Build it with neuron "relu"."""

    def plain(nodes: tuple[Node, ...]) -> Iterator[Node]:
        for node in nodes:
            if isinstance(node, Conv | Dense):
                yield replace(node, neuron=None)
            elif isinstance(node, Skip | Block):
                yield replace(node, body=tuple(plain(node.body)))
            elif not isinstance(node, Mean | Recode):
                yield node

    return " ".join(map(_write, plain(parse(topology).nodes)))
