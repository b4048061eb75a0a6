"""The gradient of a shared weight at each unrolling step (section 2.1, Fig 5).

A BackRes block computed n times equals a plain network of n layers with equal weights. So the plain network is built with
the weights of the unrolled one and differentiated. The gradient of its k-th copy is the contribution of unrolling step k to
the gradient of the shared weights:

.. code-block:: text

    dL/dw = sum over k of dL/dw_k ,   all w_k = w .
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

from ._check import whole
from .data import Part, batches
from .layers import Layer
from .network import Network
from .streams import stream
from .topology import Block, Node, Skip, Topology, parse, scale_width
from .training import InputConfig


def unrolled(topology: str | Topology) -> str:
    """The plain network of the same computation, with every BackRes block written out: ``[8C3]x2`` becomes ``8C3 8C3``.

    Args:
        topology: network string or ``Topology``.

    Raises:
        ValueError: a block with channel matching, which has no plain form.
    """
    parsed = parse(topology)

    def written_out(nodes: tuple[Node, ...]) -> Iterator[Node]:
        for node in nodes:
            if isinstance(node, Block):
                if node.match is not None:
                    raise ValueError(
                        f"topology must have no channel matching to be written out, got {parsed.text!r}"
                    )
                yield from tuple(written_out(node.body)) * node.repeats
            elif isinstance(node, Skip):
                yield replace(node, body=tuple(written_out(node.body)))
            else:
                yield node

    return scale_width(Topology("", tuple(written_out(parsed.nodes))), 1.0)  # sets the text


def untied(network: Network) -> Network:
    """A plain network that computes the same function as ``network``, with a separate copy of the shared weights per pass.

    Args:
        network: the network; it is not changed.

    Raises:
        ValueError: channel matching, batch normalisation, or parametrized weights (``torch.nn.utils.parametrize``, such
            as binary ones), whose gradient is not that of the parameters.
    """
    for name, module in network.named_modules():
        if parametrize.is_parametrized(module):
            raise ValueError(
                f"network must have plain weights to be written out, got computed ones at {name}"
            )
    if network.config.batch_norm:
        raise ValueError("network must have no batch normalisation to be written out, got batch_norm=True")
    plain = Network(
        unrolled(network.topology),
        input_shape=network.input_shape,
        config=network.config,
        generator=torch.Generator().manual_seed(0),
        static_input=network.plan[0].static,
    )
    with torch.no_grad():
        for ours, theirs in zip(plain.plan[:-1], network.plan[:-1], strict=True):
            copy, original = _layer(plain, ours.layer), _layer(network, theirs.layer)
            copy.weight.copy_(original.weight)
            if original.neurons:
                copy.neurons = [original.neurons[theirs.unroll - 1]]
    plain.head.load_state_dict(network.head.state_dict())
    return plain.to(next(network.parameters()).device).train(network.training)


def by_step(
    network: Network, part: Part, coder: InputConfig, *, batch_size: int = 32, seed: int = 0
) -> dict[str, Tensor]:
    """Gradients of the loss at each unrolling step.

    There is one gradient per batch of ``part``, computed as in training but without an optimiser step; ``network`` is not
    changed.

    Args:
        network: with a BackRes block (section 2.1).
        part: images and labels.
        coder: the input code.
        batch_size: images per batch.
        seed: draws the spikes of the input code, from a separate stream.

    Returns:
        For each shared layer, (batches, steps, weights) on the CPU.

    Raises:
        ValueError: a network without shared weights, an empty part, or any error of ``untied``.
    """
    if len(part) == 0:
        raise ValueError("part must hold at least one image, got none")
    shared: dict[str, list[str]] = {}
    plain = untied(network)
    for ours, theirs in zip(plain.plan, network.plan, strict=True):
        if theirs.unrolls > 1:
            shared.setdefault(theirs.layer, []).append(ours.layer)
    if not shared:
        raise ValueError(f"network must have a BackRes block, got {network.topology.text!r}")
    device = next(network.parameters()).device
    generator = stream(seed, "gradients", device=device)
    found: dict[str, list[Tensor]] = {layer: [] for layer in shared}
    for images, labels in batches(part, whole("batch_size", batch_size)):
        x, steps = coder(images.to(device), generator=generator)
        features = plain.features(x, steps=steps, generator=generator)
        loss, _ = plain.head.loss(features, labels.to(device), generator=generator)
        plain.zero_grad(set_to_none=True)
        loss.backward()
        for layer, copies in shared.items():
            terms = [cast(Tensor, _layer(plain, copy).weight.grad).flatten() for copy in copies]
            found[layer].append(torch.stack(terms).cpu())
    return {layer: torch.stack(gradients) for layer, gradients in found.items()}


def norms(gradients: Tensor) -> Tensor:
    """Norm of the gradient at each unrolling step, averaged over batches.

    Args:
        gradients: (batches, steps, weights).

    Returns:
        (steps,).
    """
    return gradients.norm(dim=2).mean(0)


def cosines(gradients: Tensor) -> Tensor:
    """Cosine between the gradients of two unrolling steps on the same batch, averaged over batches.

    1 means that two steps ask for the same change of the weights, 0 that their changes are unrelated.

    Args:
        gradients: (batches, steps, weights).

    Returns:
        (steps, steps).
    """
    units = normalize(gradients, dim=2)
    return torch.einsum("bkw,blw->kl", units, units) / len(units)


def cosines_between_batches(gradients: Tensor) -> Tensor:
    """Cosine between the gradients of two unrolling steps on different batches, averaged over all pairs of batches.

    The diagonal shows how well one step agrees with itself on other images.

    Args:
        gradients: (batches, steps, weights).

    Returns:
        (steps, steps).

    Raises:
        ValueError: only one batch.
    """
    if len(gradients) < 2:
        raise ValueError(f"gradients must come from at least two batches, got {len(gradients)}")
    units = normalize(gradients, dim=2)
    total = units.sum(0)
    pairs = len(units) * (len(units) - 1)
    return (total @ total.T - torch.einsum("bkw,blw->kl", units, units)) / pairs


@dataclass(frozen=True)
class Split:
    """Summary of the gradients of one shared layer over some batches.

    Attributes:
        norms: (steps,).
        cosines: (steps, steps), between unrolling steps on the same batch.
        between: (steps, steps), on two different batches.
    """

    norms: Tensor
    cosines: Tensor
    between: Tensor

    @classmethod
    def of(cls, gradients: Tensor) -> Split:
        """Summarise ``by_step``'s gradients of a layer, (batches, steps, weights), with at least two batches."""
        return cls(norms(gradients), cosines(gradients), cosines_between_batches(gradients))

    @property
    def off_diagonal(self) -> Tensor:
        """The cosine of each pair of different steps on the same batch, each pair once, (steps (steps - 1) / 2,)."""
        steps = len(self.cosines)
        first, second = torch.triu_indices(steps, steps, offset=1)
        return self.cosines[first, second]

    def to_json(self) -> dict[str, list]:
        """Plain lists, for a record."""
        return {name: getattr(self, name).tolist() for name in ("norms", "cosines", "between")}

    @classmethod
    def from_json(cls, data: dict[str, list]) -> Split:
        """Read the output of ``to_json``."""
        return cls(*(torch.tensor(data[name]) for name in ("norms", "cosines", "between")))


def _layer(network: Network, name: str) -> Layer:
    return cast(Layer, network.layers[name])
