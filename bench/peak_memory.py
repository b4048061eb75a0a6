"""Peak memory of a training step, with each contender in a separate process.

``peak`` is the rise of the process's resident memory above its level with network and input in place, over
two steps: the memory that the user's machine needs, including fragmentation and the convolutions' work space. Linux records
that maximum (VmHWM) and lets a process reset it. ``kept`` is the part that autograd holds between forward
and backward, counted once per storage, without weights and input.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from .contenders import NETWORKS, PEERS, Contender, Setting, network, training_step
from .report import Aim, Amount, Options, Ratio, Topic
from .training_step import SETTINGS

TITLE = "Peak memory of a training step"

STATUS = Path("/proc/self/status")

RESTART = Path("/proc/self/clear_refs")

BELOW = {
    1: Aim("at most", 0.35),
    2: Aim("at most", 0.35),
}  # SpikingJelly's peak; by multiple of the setting's T


def run(options: Options) -> Topic:
    """Measure every contender at the setting's T and at twice that."""
    base = SETTINGS[options.size]
    names = [name for name in NETWORKS if name in ("snncore", "conv-only", *options.peers)]
    if not RESTART.exists():
        return Topic(
            {"topology": base.topology}, notes=("not measured: this needs Linux's /proc/self/clear_refs",)
        )
    amounts: list[Amount] = []
    ratios: list[Ratio] = []
    for times, aim in BELOW.items():
        setting = replace(base, steps=times * base.steps)
        found = {name: measure_apart(name, setting) for name in names}
        amounts += found.values()
        for name in names[1:]:
            ratio = found["snncore"].peak / max(1, found[name].peak)
            ratios.append(
                Ratio(
                    f"snncore / {name} at T={setting.steps}",
                    (ratio,),
                    ratio,
                    options.judged(aim) if name == "spikingjelly" else None,
                )
            )
    return Topic(
        {"topology": base.topology, "batch": base.batch, "image": base.image},
        amounts=tuple(amounts),
        ratios=tuple(ratios),
    )


def measure_apart(name: str, setting: Setting) -> Amount:
    """``measure`` in a separate process, with this process's environment and threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [__name__, "torch._dynamo", *(module for peer in PEERS.values() for module in peer)]
    )
    with context.Pool(1) as pool:
        return pool.apply(measure, (name, setting, torch.get_num_threads()))


def measure(name: str, setting: Setting, threads: int) -> Amount:
    """Peak and kept bytes of one contender in this process, channels last."""
    torch.set_num_threads(threads)
    small = SETTINGS["small"]
    training_step(
        network(name, small, layout="channels_last"), *small.spikes()
    )()  # a first step, which loads libraries
    contender = network(name, setting, layout="channels_last")
    spikes, labels = setting.spikes()
    step = training_step(contender, spikes, labels)
    before = _resident("VmRSS")
    RESTART.write_text("5")
    for _ in range(2):
        step()
    peak = _resident("VmHWM") - before
    return Amount(name, setting.steps, peak, kept(contender, spikes, labels))


def kept(contender: Contender, spikes: Tensor, labels: Tensor) -> int:
    """Bytes of the storages that autograd saves in one forward pass."""
    storages: dict[int, int] = {}
    alive: list[Tensor] = []  # a freed address could be counted for two tensors, or one tensor twice
    known = {one.untyped_storage().data_ptr() for one in (spikes, labels, *contender.parameters())}

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            storages[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        loss = F.cross_entropy(contender(spikes), labels)
    del loss
    return sum(storages.values())


def _resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
