"""Networks as data: a short string per network determines its module, plan, parameters and diagrams.

.. code-block:: text

    64C3 P [64C3]x4 P F1024 F10

==============================  ==========================================================================================
``64C3``                        3x3 convolution with 64 output maps, stride 1, same padding, no bias, followed by its
                                neurons
``P``                           2x2 average pooling
``F1024``                       fully connected, no bias, followed by its neurons; the last ``F`` is the classifier, with
                                bias and without neurons
``[..]xn``                      BackRes block computed n times with shared weights (``backres``); ``[128C3]x4:top`` adds
                                channel matching between passes (``drop``, ``top``, ``top-fixed`` or ``average``), for a
                                block with more output than input maps
``+``                           after a layer, or after a group in parentheses: adds the group's input to its output (a
                                residual sum; for spikes, a count of 0, 1 or 2)
``M``                           mean over time: the following layers run once per image (needed between LIF and ReLU layers)
``R``                           rate code: the real values become Poisson spikes (``hybrid.rate_code``; Fig 6's alternative)
``:relu``, ``:lif``, ``:if``    after a layer: sets its neurons; other layers use the neurons of the configuration
==============================  ==========================================================================================

Spikes are (T, N, ...), real values (N, ...). Layers without memory fold T into the batch. A real-valued input
to a spiking layer is convolved once and integrated at every step. The classifier reads the spikes of
the last hidden layer accumulated over time (section 5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ._check import between, flag, one_of, positive, whole
from .backres import ChannelMatch, unroll_block
from .hybrid import rate_code
from .layers import Layer, Probe, State, _Run, _Signal
from .neurons import LIF, NeuronState
from .pooling import average_pool
from .stochmax import make_head
from .topology import (
    NEURONS,
    SPIKING,
    Block,
    Conv,
    Dense,
    Mean,
    Node,
    Pool,
    Recode,
    Skip,
    Topology,
    _named_layers,
    parse,
    plan,
)

READOUTS = ("mean", "sum")

_MOST_WEIGHTS = 10**10  # 40 GB in float32

# --- the module --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkConfig:
    """Everything about a network except its topology.

    Attributes:
        neuron: neurons of layers without a suffix: "relu", "lif" or "if".
        alpha: see ``neurons.LIF``; ``if`` layers always use 1.
        threshold: see ``neurons.LIF``.
        gamma: see ``neurons.LIF``.
        reset: see ``neurons.LIF``.
        order: see ``neurons.LIF``.
        refractory: see ``neurons.LIF``.
        fire_at_equality: see ``neurons.LIF``.
        detach_reset: see ``neurons.LIF``.
        gain: weights are drawn from a normal distribution with standard deviation ``gain sqrt(2 / fan_in)``.
        readout: the classifier reads the "mean" spikes per step or their "sum" over time. Both give the same function up to
            the scale of the weights, but train differently.
        batch_norm: batch normalisation after each ReLU convolution.
        dropout: share of values, 0 to 0.99, dropped before each fully connected layer except the classifier during training,
            with one mask for all time steps.
        head: "softmax", or another head of ``stochmax.make_head``.
        head_options: options of the head as (name, value) pairs.
    """

    neuron: str = "lif"
    alpha: float = 0.95
    threshold: float = 1.0
    gamma: float = 0.3
    reset: str = "soft"
    order: str = "leak-then-reset"
    refractory: int = 0
    fire_at_equality: bool = False
    detach_reset: bool = True
    gain: float = 1.0
    readout: str = "mean"
    batch_norm: bool = False
    dropout: float = 0.0
    head: str = "softmax"
    head_options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        one_of("neuron", self.neuron, NEURONS)
        one_of("readout", self.readout, READOUTS)
        positive("gain", self.gain)
        flag("batch_norm", self.batch_norm)
        between("dropout", self.dropout, 0.0, 0.99)
        self.lif("lif")

    def lif(self, neuron: str) -> LIF:
        """The parameters of this network's "lif" or "if" neurons."""
        return LIF(
            1.0 if neuron == "if" else self.alpha,
            self.threshold,
            self.gamma,
            self.reset,
            self.order,
            self.refractory,
            self.fire_at_equality,
            self.detach_reset,
        )


def detach(state: Mapping[str, NeuronState]) -> State:
    """Detach the state that ``Network.run`` returned from its graph, for truncated back-propagation.

    Args:
        state: neurons by site.

    Returns:
        The same values. ``backward`` after the next chunk of time stops here, so each chunk may have its own.
    """
    return {site: neurons.detach() for site, neurons in state.items()}


def _count(spikes: Tensor) -> Tensor:
    """Spikes (T, N, ...) summed over time, (N, F), in at least float32, because bfloat16 counts only to 256."""
    return spikes.sum(0, dtype=torch.promote_types(spikes.dtype, torch.float32)).flatten(1)


def _recode(signal: _Signal, run: _Run) -> _Signal:
    if run.steps is None or run.generator is None:
        missing = "steps" if run.steps is None else "generator"
        raise ValueError(f"{missing} must be given for R, which codes real values as spikes, got None")
    spikes = rate_code(signal.values, run.steps, generator=run.generator)
    if run.probe is not None:
        run.probe("rate-code", spikes, timed=True)
    return _Signal(spikes, True)


class Network(nn.Module):
    """A network built from a topology (see the module for the notation).

    Args:
        topology: string or ``Topology``.
        input_shape: (C, H, W) of one image.
        config: everything else.
        generator: draws all weights; the same seed gives the same network.
        static_input: see ``plan``.

    Attributes:
        plan: every ``Pass``.
        layers: ``Layer`` by name.
        head: the classifier.

    Raises:
        ValueError: any error of ``plan``.
    """

    def __init__(
        self,
        topology: str | Topology,
        *,
        input_shape: tuple[int, ...],
        config: NetworkConfig = NetworkConfig(),
        generator: torch.Generator,
        static_input: bool | None = None,
    ) -> None:
        super().__init__()
        self.topology, self.config, self.input_shape = parse(topology), config, tuple(input_shape)
        self.plan = plan(self.topology, self.input_shape, config.neuron, static_input=static_input)
        weights = sum({p.layer: p.weights for p in self.plan}.values())
        if weights > _MOST_WEIGHTS:
            raise ValueError(
                f"topology must have at most {_MOST_WEIGHTS:,} weights, got {weights:,} in {self.topology.text!r}"
            )
        self._names = {path: name for _, path, name in _named_layers(self.topology)}
        self._passes = {
            name: tuple(p for p in self.plan if p.layer == name) for name in list(self._names.values())[:-1]
        }
        self.layers = nn.ModuleDict(
            {name: Layer(passes, config, generator=generator) for name, passes in self._passes.items()}
        )
        self._add_matches(self.topology.nodes, (), generator)
        last = self.plan[-1]
        self.head = make_head(
            config.head,
            math.prod(last.in_shape),
            self.topology.classes,
            generator=generator,
            **dict(config.head_options),
        )

    def _add_matches(
        self, nodes: tuple[Node, ...], path: tuple[int, ...], generator: torch.Generator
    ) -> None:
        """Register the channel matching of every block, so that the channels it keeps are part of the network's state."""
        for index, node in enumerate(nodes):
            here = (*path, index)
            if isinstance(node, Block):
                first, last = (self._passes[name][0] for name in self._ends(here))
                if node.repeats > 1 and first.in_shape != last.out_shape:
                    rule = ChannelMatch(
                        str(node.match), last.out_shape[0], first.in_shape[0], generator=generator
                    )
                    self.add_module(f"match_{first.layer}", rule)
            if isinstance(node, Block | Skip):
                self._add_matches(node.body, here, generator)

    def _ends(self, path: tuple[int, ...]) -> tuple[str, str]:
        """Names of the first and the last layer inside a block."""
        inside = [name for where, name in self._names.items() if where[: len(path)] == path]
        return inside[0], inside[-1]

    def forward(
        self,
        x: Tensor,
        *,
        steps: int | None = None,
        probe: Probe | None = None,
        generator: torch.Generator | None = None,
        features: bool = False,
    ) -> Tensor:
        """Scores (N, classes) of spikes (T, N, C, H, W) or images (N, C, H, W).

        Time comes first. A batch-first (N, T, C, H, W) input has the same number of dimensions and cannot be detected here; it
        gives T rows of scores, which ``head.loss`` refuses unless there are T labels; ``run`` refuses its ``state`` of N neurons.

        Args:
            x: spikes or images, in the dtype of the weights.
            steps: T, if images enter spiking layers.
            probe: called as ``probe(site, values, timed=...)`` on the input and on the output of every site.
            generator: draws dropout masks during training, and the spikes of ``R``. ``torch.utils.checkpoint`` computes twice,
                so create the generator inside the checkpointed function.
            features: return the classifier's input, as ``features`` does, but through wrappers such as DDP.

        Raises:
            ValueError: input of the wrong shape, missing ``steps`` or ``generator``, or ``steps`` with an input that already
                has a time dimension.
        """
        h = self.features(x, steps=steps, probe=probe, generator=generator)
        return h if features else self.head(h.to(next(self.head.parameters(), h).dtype))

    def features(
        self,
        x: Tensor,
        *,
        steps: int | None = None,
        probe: Probe | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The classifier's input, (N, F): accumulated spikes (per step for "mean") or ReLU values."""
        signal, _ = self._compute(x, steps, None, probe, generator)
        if not signal.timed:
            return signal.values.flatten(1)
        total = _count(signal.values)
        return total / signal.values.shape[0] if self.config.readout == "mean" else total

    def run(
        self,
        x: Tensor,
        *,
        steps: int | None = None,
        state: Mapping[str, NeuronState] | None = None,
        probe: Probe | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        """Run one chunk of time of a longer simulation.

        Pass each chunk with the state returned for the previous one. The sum of the results (divided by the total number of
        steps for readout "mean") is the input of ``head``.

        Args:
            x: spikes (T, N, C, H, W) or images (N, C, H, W).
            state: neurons by site at the end of the previous chunk; None starts from rest.
            steps: as in ``forward``.
            probe: as in ``forward``.
            generator: as in ``forward``.

        Returns:
            The last hidden layer's spikes summed over the chunk, (N, F), and the state.

        Raises:
            ValueError: a network that needs the whole sequence: with real values at its classifier, or with channel matching
                "top"; a state of another shape; or any error of ``forward``.
        """
        if any(isinstance(module, ChannelMatch) and module.rule == "top" for module in self.children()):
            raise ValueError(
                f"run must not use channel matching 'top', which chooses channels over all steps, got "
                f"{self.topology.text!r}"
            )
        signal, after = self._compute(x, steps, state or {}, probe, generator)
        if not signal.timed:
            raise ValueError(
                f"run must have spikes at the classifier, got real values in {self.topology.text!r}"
            )
        return _count(signal.values), after

    def _compute(self, x, steps, state, probe, generator) -> tuple[_Signal, State]:  # type: ignore[no-untyped-def]
        timed = not self.plan[0].static
        self._check_input(x, timed)
        if steps is not None:
            whole("steps", steps)
            if timed:
                raise ValueError(f"steps must be None if x has a time dimension, got {steps}")
            if not any(p.neuron in SPIKING or p.sources == ("rate-code",) for p in self.plan):
                raise ValueError(f"steps must be None for a network without spiking layers, got {steps}")
        if state:
            self._check_state(state)
        if probe is not None:
            probe("input", x, timed=timed)
        run = _Run(steps, state, {}, probe, generator)
        return self._walk(self.topology.nodes[:-1], (), _Signal(x, timed), 1, run), run.after

    def _check_input(self, x: Tensor, timed: bool) -> None:
        wanted = ", ".join(map(str, (*(("T",) if timed else ()), "N", *self.input_shape)))
        if not isinstance(x, Tensor):
            raise ValueError(f"x must be a tensor of shape ({wanted}), got {type(x).__name__}")
        if x.dim() != 4 + timed or tuple(x.shape[-3:]) != self.input_shape:
            raise ValueError(f"x must have shape ({wanted}), got {tuple(x.shape)}")
        if x.shape[0] < 1:
            what = "time step" if timed else "image"
            raise ValueError(f"x must have at least one {what}, got shape {tuple(x.shape)}")
        if not x.is_floating_point():
            raise ValueError(f"x must be of a floating-point dtype, as the weights are, got {x.dtype}")
        weight = next(self.layers.parameters(), x)
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"x must have the weights' dtype, {weight.dtype}, got {x.dtype}")

    def _check_state(self, state: Mapping[str, NeuronState]) -> None:
        wanted = [site for site, _ in self.sites()]
        if not isinstance(state, Mapping) or set(state) != set(wanted):
            got = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"state must hold {', '.join(wanted)}, as run returned it, got {got}")
        for site, neurons in state.items():
            if not isinstance(neurons, NeuronState):
                raise ValueError(f"state of {site} must be a NeuronState, got {type(neurons).__name__}")

    def _walk(
        self, nodes: tuple[Node, ...], path: tuple[int, ...], signal: _Signal, unroll: int, run: _Run
    ) -> _Signal:
        """Compute the nodes in order. Layers are looked up by name at every call, so a replaced layer is used."""
        for index, node in enumerate(nodes):
            here = (*path, index)
            if isinstance(node, Conv | Dense):
                signal = self._layer(self._names[here])(signal, unroll=unroll, run=run)
            elif isinstance(node, Pool):
                signal = signal.fold(average_pool)
            elif isinstance(node, Mean):
                signal = _Signal(signal.values.mean(0), False)
            elif isinstance(node, Recode):
                signal = _recode(signal, run)
            elif isinstance(node, Skip):
                out = self._walk(node.body, here, signal, unroll, run)
                signal = _Signal(out.values + signal.values, out.timed)  # for spikes, their count
            else:

                def body(
                    x: _Signal, *, unroll: int, node: Block = node, here: tuple[int, ...] = here
                ) -> _Signal:
                    return self._walk(node.body, here, x, unroll, run)

                signal = unroll_block(
                    body, signal, node.repeats, match=partial(self._match, self._ends(here), run)
                )
        return signal

    def _layer(self, name: str) -> nn.Module:
        layer = self.layers[name]
        if getattr(layer, "passes", None) != self._passes[name]:
            raise ValueError(
                f"layers must hold a Layer made for {name}, or a module around it, got {type(layer).__name__}"
            )
        return layer

    def _match(self, ends: tuple[str, str], run: _Run, signal: _Signal, *, unroll: int) -> _Signal:
        """Channel matching between passes. The probe sees the remaining spikes as site "conv2.1:drop"."""
        match = getattr(self, f"match_{ends[0]}", None)
        if match is None:
            return signal
        out = _Signal(match(signal.values), signal.timed)
        if run.probe is not None and match.rule != "average":
            site = self._passes[ends[1]][unroll - 2].site
            run.probe(f"{site}:{match.rule}", out.values, timed=out.timed)
        return out

    def sites(self) -> Iterator[tuple[str, LIF]]:
        """(site, neuron parameters) of every spiking pass, in order."""
        for p in self.plan:
            if p.neuron in SPIKING:
                yield p.site, self.layers[p.layer].neurons[p.unroll - 1]  # type: ignore[index, misc]

    def set_neuron(self, site: str, neuron: LIF) -> None:
        """Set the neuron parameters of one spiking pass, such as a balanced threshold.

        Args:
            site: a spiking pass.
            neuron: its new parameters.

        Raises:
            ValueError: a site that is not a spiking pass.
        """
        for p in self.plan:
            if p.site == site and p.neuron in SPIKING:
                self.layers[p.layer].neurons[p.unroll - 1] = neuron  # type: ignore[assignment, operator]
                return
        raise ValueError(f"site must be one of {', '.join(name for name, _ in self.sites())}, got {site!r}")
