"""Small ANNs, images, converted networks and an independent loop for the tests of conversion."""

from __future__ import annotations

import dataclasses

import torch
from torch.nn import functional as F

from snncore.conversion import (
    ConversionConfig,
    convert,
)
from snncore.data import Part
from snncore.network import Network, NetworkConfig
from snncore.streams import stream
from snncore.training import InputConfig

PLAIN = "4C3 P 3C3 P F8 F3"
UNROLLED = "4C3 P [4C3 4C3]x2 P F8 F3"
SHAPE = (2, 8, 8)
POISSON = InputConfig("poisson", steps=1)
REAL = InputConfig("real")


def dyadic(network):
    """Weights in multiples of 1/64: every sum of spikes is exact, whatever its order."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 64).round() / 64)
    return network


def ann(topology=PLAIN, seed=0, **options):
    return dyadic(
        Network(
            topology,
            input_shape=SHAPE,
            config=NetworkConfig(neuron="relu", **options),
            generator=stream(seed, "weights"),
        )
    ).eval()


def pictures(count=6, seed=0):
    return torch.randint(0, 256, (count, *SHAPE), generator=stream(seed, "pictures"), dtype=torch.uint8)


def part(count=6, seed=0):
    return Part(pictures(count, seed), torch.randint(0, 3, (count,), generator=stream(seed, "labels")))


def config(**options):
    return ConversionConfig(**{"images": 6, "steps": 30, **options})


def converted(topology=PLAIN, *, coder=POISSON, seed=0, options=None, **network):
    return convert(
        ann(topology, seed, **network),
        pictures(),
        coder,
        config(**(options or {})),
        generator=stream(0, "calibration"),
    )


def loop(net, coder, steps, generator):
    """Balancing written down again: float64, whole layers at once, nothing packed; membranes as running sums."""
    x = dataclasses.replace(coder, steps=steps)(pictures(), generator=generator)[0].double()
    values, found = {"input": x}, {}
    for p in net.plan[:-1]:
        source = values[p.sources[0]]
        lead = source.shape[:2]
        folded = source.flatten(0, 1)
        if p.pool > 1:
            folded = F.avg_pool2d(folded, p.pool)
        weight = net.layers[p.layer].weight.double()
        current = F.conv2d(folded, weight, padding=1) if p.kind == "conv" else folded.flatten(1) @ weight.T
        current = current.unflatten(0, lead)
        found[p.site] = threshold = current.max().item()
        # soft reset: spikes so far times the threshold is what has been taken from the integral
        integral, count, spikes = current.cumsum(0), torch.zeros_like(current[0]), []
        for total in integral:
            spike = (total - count * threshold > threshold).double()
            count = count + spike
            spikes.append(spike)
        values[p.site] = torch.stack(spikes)
    return found, values
