"""Simulation of a converted network: image-steps per second, compared with SpikingJelly's integrate-and-fire neurons.

Networks made by SpikingJelly's ``ann2snn`` run in single-step mode, one time step of one batch at a time.
Multi-step mode with channels last is a faster way to run the same modules, and is timed as well. All draw the same Poisson
spikes, have the same weights and thresholds, and count the spikes of the last hidden layer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from snncore.conversion import ConversionConfig, convert
from snncore.data import Part
from snncore.network import Network, NetworkConfig
from snncore.simulation import simulate
from snncore.stepper import encode
from snncore.streams import stream
from snncore.training import InputConfig

from .report import Aim, Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "Simulating a converted network"

TOPOLOGIES = {
    "full": "16C3 P 16C3 16C3 16C3 16C3 P F256 F10",
    "small": "2C3 P 2C3 F4 F3",
}  # VGG7-conv, width 1/4

SHAPES = {"full": (3, 32, 32), "small": (1, 8, 8)}

IMAGES = {"full": 50, "small": 3}

STEPS = {"full": 100, "small": 40}

CHUNK = 10  # time steps of one call in multi-step mode: all their values are in memory at once

AIM = Aim("at least", 3.0)

CODER = InputConfig("poisson", steps=1)


def run(options: Options) -> Topic:
    """Time a simulation; check that SpikingJelly's modules have the same firing rates."""
    size = options.size
    shape, count, steps = SHAPES[size], IMAGES[size], STEPS[size]
    ann = Network(
        TOPOLOGIES[size],
        input_shape=shape,
        config=NetworkConfig(neuron="relu", gain=1.4),
        generator=stream(0, "weights"),
    ).eval()
    images = _images(count, shape)
    net, _ = convert(
        ann, images, CODER, ConversionConfig(images=count, steps=steps), generator=stream(0, "calibration")
    )
    part = Part(images, torch.zeros(count, dtype=torch.int64))
    timed: dict[str, Callable[[], Any]] = {
        "snncore": lambda: simulate(net, part, CODER, steps, seed=0, batch_size=count)[steps]
    }
    checks = []
    if "spikingjelly" in options.peers:
        timed["spikingjelly, step by step"] = _spikingjelly(net, images, steps, chunk=1, layout="contiguous")
        timed["spikingjelly, multi-step channels_last"] = _spikingjelly(
            net, images, steps, chunk=CHUNK, layout="channels_last"
        )
        site = net.plan[-2].site
        mine = timed["snncore"]().sites[site].rate
        for name in list(timed)[1:]:
            rate = float(timed[name]().mean()) / steps
            checks.append(
                Check(
                    f"{site} fires as often in {name}",
                    f"{rate:.6f} and {mine:.6f} spikes per neuron and step",
                    abs(rate - mine) <= 1e-3 * mine + 1e-9,
                )
            )
    timings = interleaved(timed, repeats=options.repeats, clock=options.clock)
    aims = {"spikingjelly, step by step": options.judged(AIM)}
    ratios = [
        Ratio.between(f"{name} / snncore", timings[name], timings["snncore"], aims.get(name))
        for name in list(timed)[1:]
    ]
    rates = ", ".join(f"{site} {found.rate:.3f}" for site, found in timed["snncore"]().sites.items())
    return Topic(
        {"topology": TOPOLOGIES[size], "images": count, "steps": steps},
        tuple(timings.values()),
        ratios=tuple(ratios),
        checks=tuple(checks),
        notes=(f"spikes per neuron and step: {rates}",),
    )


def _images(count: int, shape: tuple[int, int, int]) -> Tensor:
    """Coarse patterns, uint8, in which neighbouring pixels are similar, as in photographs."""
    channels, height, width = shape
    coarse = torch.rand(count, channels, 4, 4, generator=stream(0, "images"))
    fine = nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (255 * fine).to(torch.uint8)


def _spikingjelly(
    net: Network, images: Tensor, steps: int, *, chunk: int, layout: str
) -> Callable[[], Tensor]:
    """A function that returns the spike counts (N, F) of the last hidden layer. chunk: 1 for single-step mode."""
    ab = "spikingjelly.activation_based"
    layer, functional, neuron = (
        importlib.import_module(f"{ab}.{name}") for name in ("layer", "functional", "neuron")
    )
    thresholds = {site: own.threshold for site, own in net.sites()}
    modules: list[nn.Module] = []
    flat = False
    for p in net.plan[:-1]:
        if p.pool > 1:
            modules.append(layer.AvgPool2d(p.pool, p.pool))
        if p.kind == "conv":
            modules.append(layer.Conv2d(p.in_shape[0], p.out_shape[0], 3, padding=1, bias=False))
        else:
            if not flat:
                modules.append(layer.Flatten())
            flat = True
            modules.append(layer.Linear(p.weights // p.out_shape[0], p.out_shape[0], bias=False))
        modules[-1].weight.data.copy_(net.layers[p.layer].weight)  # type: ignore[arg-type, operator, union-attr]
        modules.append(neuron.IFNode(v_threshold=thresholds[p.site], v_reset=None))
    model = nn.Sequential(*modules)
    if layout == "channels_last":
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    functional.set_step_mode(model, "s" if chunk == 1 else "m")

    def simulation() -> Tensor:
        functional.reset_net(model)
        generator = stream(0, "evaluation")
        counts = torch.zeros(())
        with torch.no_grad():
            for start in range(0, steps, chunk):
                spikes = encode(CODER, images, min(chunk, steps - start), generator)
                out = model(spikes[0]) if chunk == 1 else model(spikes).sum(0)
                counts = counts + out
        return counts

    return simulation
