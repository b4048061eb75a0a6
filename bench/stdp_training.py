"""Layer-wise STDP training of a network of the paper's size, from its mini-batches.

All layers of ResNet3 are trained in turn, at profile ``paper``, on a few random images. A mini-batch costs the same
however many came before, so the time of all of them follows. The first ones of a layer do not count: they adapt its
thresholds, and more or fewer spikes than the target cost more or less time.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise

import torch

from panda2020.profiles import profile
from panda2020.stdp.grid import stdp_spec
from snncore.stdp_adaptation import Presentation, StdpWarning
from snncore.stdp_layers import train_layerwise

from .report import Aim, Options, Ratio, Timing, Topic
from .timing import CLOCK

TITLE = "Layer-wise STDP training at the paper's size, per mini-batch"

NETWORK = "ResNet3"  # the deepest

AIM = Aim("at most", 1.0)

MINUTES, CORES = 20, 2  # the aim's time for all layers

WARM_UP = 8  # mini-batches


def run(options: Options) -> Topic:
    """Time ``options.repeats`` mini-batches of every layer; the ratio is all mini-batches over the aim's time."""
    spec = stdp_spec(profile("paper" if options.size == "full" else "quick"), NETWORK, 0)
    counted = options.repeats + WARM_UP
    config = replace(spec.stdp, settle=1)
    images = torch.rand(config.batch * counted, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tick, wall = CLOCK[options.clock], CLOCK["wall"]
    ends: dict[str, list[tuple[float, float]]] = {}

    def keep(now: Presentation) -> None:
        ends.setdefault(now.layer, []).append((tick(), wall()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StdpWarning)  # thresholds are still adapting
        train_layerwise(
            f"{spec.convolutions} F10",
            images,
            config,
            generator=torch.Generator().manual_seed(0),
            progress=keep,
        )
    timings = []
    for layer, times in ends.items():
        own = times[WARM_UP - 1 : counted]  # the last one only settles thresholds
        seconds, passed = (
            tuple(after[clock] - before[clock] for before, after in pairwise(own)) for clock in (0, 1)
        )
        timings.append(Timing(layer, seconds, passed))
    batches = spec.unlabelled * spec.stdp.epochs / spec.stdp.batch + spec.stdp.settle
    allowed = 60 * MINUTES * (CORES if options.clock == "cpu" else 1)
    whole = Ratio(
        f"{spec.unlabelled:,} images through {len(timings)} layers / {MINUTES} minutes on {CORES} cores",
        tuple(batches * sum(one) / allowed for one in zip(*(t.seconds for t in timings), strict=True)),
        batches * sum(min(t.seconds) for t in timings) / allowed,
        options.judged(AIM),
    )
    setting = {
        "network": NETWORK,
        "convolutions": spec.convolutions,
        "steps": config.steps,
        "batch": config.batch,
    }
    return Topic(setting, tuple(timings), ratios=(whole,))
