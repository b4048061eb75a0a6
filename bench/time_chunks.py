"""Check that results do not depend on the chunks of time."""

from __future__ import annotations

import torch

from snncore.network import Network, NetworkConfig
from snncore.neurons import LIF, fire

from .report import Check, Options, Topic

TITLE = "Time in chunks gives what time in one piece gives"

TOPOLOGY = {"full": "32C3 P [32C3]x3 P F128 F10", "small": "2C3 P [2C3]x2 F4 F3"}

SIDE = {"full": 32, "small": 4}

STEPS = 24

CHUNKS = (1, 5, 8, 12)


def run(options: Options) -> Topic:
    """Inference by ``Network.run`` and gradients through ``neurons.fire``, cut after every few steps."""
    return Topic(
        {"topology": TOPOLOGY[options.size], "steps": STEPS, "chunks": list(CHUNKS)},
        checks=tuple(
            check for chunk in CHUNKS for check in (_inference(options.size, chunk), _gradient(chunk))
        ),
    )


def _inference(size: str, chunk: int) -> Check:
    """Accumulated spikes of the last hidden layer, chunk by chunk."""
    generator = torch.Generator().manual_seed(0)
    side = SIDE[size]
    net = Network(
        TOPOLOGY[size], input_shape=(3, side, side), config=NetworkConfig(gain=1.5), generator=generator
    )
    spikes = (torch.rand(STEPS, 2, 3, side, side, generator=generator) < 0.4).float()
    with torch.no_grad():
        whole, _ = net.run(spikes)
        total, state = torch.zeros_like(whole), None
        for piece in spikes.split(chunk):
            part, state = net.run(piece, state=state)
            total += part
    differing = int((total != whole).sum())
    return Check(
        f"inference in chunks of {chunk}",
        f"{differing} of {whole.numel()} spike counts differ, {int(whole.sum())} spikes",
        differing == 0,
    )


def _gradient(chunk: int) -> Check:
    """Spikes and dL/dI of a layer whose state is passed from chunk to chunk, in float64."""
    generator = torch.Generator().manual_seed(1)
    current = torch.randn(STEPS, 4, 50, generator=generator, dtype=torch.float64) * 0.5 + 0.1
    weights = torch.randn(current.shape, generator=generator, dtype=torch.float64)
    found = []
    for length in (STEPS, chunk):
        leaf = current.clone().requires_grad_()
        pieces, state = [], None
        for piece in leaf.split(length):
            out, state = fire(piece, LIF(), state=state)
            pieces.append(out)
        spikes = torch.cat(pieces)
        spikes.backward(weights)
        assert leaf.grad is not None
        found.append((spikes.detach(), leaf.grad))
    (spikes, gradient), (cut, cut_gradient) = found
    distance = float((gradient - cut_gradient).abs().max())
    return Check(
        f"gradients in chunks of {chunk}",
        f"{int((spikes != cut).sum())} spikes differ, gradients by at most {distance:.1g}",
        torch.equal(spikes, cut) and distance < 1e-12,
    )
