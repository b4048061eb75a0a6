"""One STDP update of a convolution's shared weights: traces, all pairs of a time step, the weights.

SpikingJelly's ``STDPLearner`` also has the pre-triggered half that Eq. 5 lacks (a pre-synaptic spike after a post-synaptic one
lowers the weight), with additive traces that decay by 1 - 1/tau. So our side is timed twice: with Eq. 5, and with both
halves, which equals the learner's computation; that is checked. Only the update is timed: the learner's monitors are given
the spikes, and no layer runs.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from snncore.stdp import StdpConfig, advance_trace, pair_sum, weight_change

from .report import Aim, Check, Options, Ratio, Topic
from .timing import interleaved

TITLE = "One STDP update of a convolution's weights"

SHAPES = {"full": (16, 16, 36, 28, 5), "small": (2, 2, 3, 6, 3)}  # images, maps in, maps out, side, kernel

AIM = Aim("at least", 15.0)

STEPS = 4  # time steps of different spikes, one per call, again and again

TAU = 20.0

ETA = 1e-3

RULE = StdpConfig(eta=ETA, tau=TAU)

_DECAY = -1 / math.log(1 - 1 / TAU)  # the tau whose exp(-1/tau) is the learner's 1 - 1/tau

Update = Callable[[], Tensor]


def run(options: Options) -> Topic:
    """Time one update of each kind on the same spikes; check the learner's against ours with both halves."""
    images, maps_in, maps_out, side, kernel = SHAPES[options.size]
    generator = torch.Generator().manual_seed(0)
    pre = (torch.rand(STEPS, images, maps_in, side, side, generator=generator) < 0.2).float()
    post = (torch.rand(STEPS, images, maps_out, side, side, generator=generator) < 0.05).float()
    weight = torch.rand(maps_out, maps_in, kernel, kernel, generator=generator) - 0.5
    timed: dict[str, Update] = {
        "snncore": eq5(pre, post, weight),
        "snncore, both halves": both_halves(pre, post, weight),
    }
    checks = []
    if "spikingjelly" in options.peers:
        found, mine = (_after(make(pre, post, weight)) for make in (learner, both_halves))
        distance = float((found - mine).abs().max() / (mine - weight).abs().max())
        checks.append(
            Check(
                "weights equal spikingjelly's, both halves",
                f"largest difference {distance:.1g} of the largest change",
                distance < 1e-3,
            )
        )
        timed["spikingjelly"] = learner(pre, post, weight)
    timings = interleaved(timed, repeats=options.repeats, clock=options.clock)
    ratios = []
    if "spikingjelly" in timings:
        ratios = [
            Ratio.between(
                f"spikingjelly / {name}", timings["spikingjelly"], timings[name], options.judged(AIM)
            )
            for name in ("snncore", "snncore, both halves")
        ]
    setting = {"images": images, "maps": f"{maps_in} to {maps_out}", "side": side, "kernel": kernel}
    return Topic(setting, tuple(timings.values()), ratios=tuple(ratios), checks=tuple(checks))


def _after(update: Update) -> Tensor:
    """The weights after all time steps; after only the first, both halves cancel."""
    for _ in range(STEPS - 1):
        update()
    return update()


def eq5(pre: Tensor, post: Tensor, weight: Tensor) -> Update:
    """An update as in ``stdp.present``.

    Spikes are (STEPS, N, maps, H, W). Every call is one time step, and returns the weights.
    """
    trace, own = torch.zeros_like(pre[0]), weight.clone()
    times = itertools.cycle(zip(pre, post, strict=True))

    def step() -> Tensor:
        before, after = next(times)
        advance_trace(trace, before, tau=RULE.tau, kind=RULE.trace)
        return own.add_(weight_change(trace, after, own, RULE)).clamp_(RULE.low, RULE.high)

    return step


def both_halves(pre: Tensor, post: Tensor, weight: Tensor) -> Update:
    """The learner's computation with our operations: two correlations, with additive traces of both sides."""
    traces, own = (torch.zeros_like(pre[0]), torch.zeros_like(post[0])), weight.clone()
    times, kernel = itertools.cycle(zip(pre, post, strict=True)), weight.shape[-1]

    def step() -> Tensor:
        spikes = next(times)
        for trace, now in zip(traces, spikes, strict=True):
            advance_trace(trace, now, tau=_DECAY, kind="additive")
        change = pair_sum(traces[0], spikes[1], kernel=kernel) - pair_sum(spikes[0], traces[1], kernel=kernel)
        return own.add_(change, alpha=ETA).clamp_(RULE.low, RULE.high)

    return step


def learner(pre: Tensor, post: Tensor, weight: Tensor) -> Update:
    """SpikingJelly's update, in single-step mode, without weight dependence (its default multiplies by the weight)."""
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding="same", bias=False)
    convolution.weight.data.copy_(weight)
    neuron = nn.Identity()
    made = importlib.import_module("spikingjelly.activation_based.learning").STDPLearner(
        step_mode="s",
        synapse=convolution,
        sn=neuron,
        tau_pre=TAU,
        tau_post=TAU,
        f_pre=torch.ones_like,
        f_post=torch.ones_like,
    )
    times = itertools.cycle(zip(pre, post, strict=True))

    def step() -> Tensor:
        before, after = next(times)
        made.in_spike_monitor.records.append(before)
        made.out_spike_monitor.records.append(after)
        return convolution.weight.data.add_(made.step(on_grad=False, scale=ETA)).clamp_(RULE.low, RULE.high)

    return step
