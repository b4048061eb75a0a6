"""A made-up world: runs of every kind that claims are judged by, with whatever numbers a test wants them to have."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from panda2020.claims.evidence import PROFILES, Evidence, Run
from panda2020.networks import network
from panda2020.runs import Entry, Record
from snncore.topology import as_ann, plan

IMAGES = 10_000  # as in CIFAR-10: with fewer, no difference of a point can be decided
MADE = {
    "commit": "0123456789abcdef",
    "dirty": False,
    "data_sha256": "d" * 64,
    "device_name": "a CPU",
    "threads": 1,
    "seconds": 1.0,
    "date": "2026-01-01",
    "command": "remake",
}
#: The same as a record holds it.
PROVENANCE = {
    **MADE,
    "source": {"version": 2, "sha256": "0" * 64, "modules": []},
    "device": "cpu",
    "cpu": "a CPU",
    "versions": {"torch": "2"},
}
DATA = {"name": "cifar10", "train": 100, "validation": 10, "test": IMAGES, "size": None, "seed": 0}
LONG = (10, 100, 250, 500, 2000)
CLASSIFIERS = ("fc", "fc-stochmax", "convnn")

#: network, role, T: every run that an estimator may ask for.
PLAN: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    *((name, "converted", LONG) for name in ("VGG7-conv", "VGG2x4", "VGG3x2-v1")),
    *(
        (name, f"converted-shared{how}", LONG)
        for name in ("VGG2x4", "VGG3x2-v1")
        for how in ("", "-first", "-mean")
    ),
    ("VGG7-conv", "converted-relu-2", LONG),
    ("VGG7-conv", "converted-stochmax", LONG),
    *((name, "converted", (250, 2500)) for name in ("VGG16", "VGG11x2")),
    *(
        (name, role, (100,))
        for name in ("ResNet2", "ResNet2x2", "ResNet3")
        for role in ("ann", "ann-convnn", "stdp")
    ),
    ("ResNet2", "stdp-more", (100,)),
    *((name, "snn", (25, 50)) for name in ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")),
    *((name, "ann", ()) for name in ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")),
    *((name, "snn", (25,)) for name in ("VGG4", "VGG2x2", "ResNet7")),
    *(("VGG3", role, (5, 10, 25)) for role in ("snn", "snn-stochmax")),
    *((name, "snn-stochmax", (25, 50)) for name in ("VGG5", "VGG3x2-v2")),
    *(("VGG9", role, (25,)) for role in ("hybrid-stochmax", "hybrid-rate", "hybrid-softmax", "relu-0")),
    *(("VGG9", role, ()) for role in ("ann", "ann-bn")),
    ("VGG8x2", "hybrid-stochmax", (25,)),
    *(
        ("VGG13", role, (10,))
        for role in ("hybrid", "hybrid-lif4", "hybrid-lif6", "hybrid-lif8", "hybrid-backres")
    ),
    ("VGG13", "ann", ()),
    *((name, "ann", ()) for name in ("VGG2x8", "VGG16c", "VGG2x4c", "VGG8c", "VGG8")),
    *((f"VGG2x4-wide-{rule}", "ann", ()) for rule in ("drop", "top", "top-fixed", "average")),
    *((name, "gradients", (25,)) for name in ("VGG3x2-v2", "VGG3x4")),
    *(
        (name, role, ())
        for name in ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")
        for role in ("binary", "binary-stochmax")
    ),
)

EARLY = (5, 10, 15)  # at which a network trained at one T is read as well

DEFAULTS = {
    "acc": 0.5,
    "seen": 0.9,
    "ee": 10.0,
    "conv_ee": 20.0,
    "energy": 100.0,
    "rate": 0.1,
    "threshold": 1.0,
    "updates": 1000,
    "norm": 1.0,
    "cosine": 0.2,
    "repeated": 0.3,
    "crossed": 0.05,
}


class World:
    """``changes`` maps (kind, network), (kind, network, role) or (kind, network, role, T or view) to a value; rates
    and thresholds may be lists, by spiking site and by unrolling step. noise: relative, by kind, drawn anew for every run
    and ``luck``."""

    def __init__(
        self, changes: Mapping[tuple, Any], *, noise: Mapping[str, float] | None = None, luck: int = 0
    ) -> None:
        self.changes, self.noise, self.luck = dict(changes), dict(noise or {}), luck

    def get(self, kind: str, name: str, role: str, at: Any, seed: int) -> Any:
        path = (kind, name, role, at)
        value = next((self.changes[path[:n]] for n in (4, 3, 2) if path[:n] in self.changes), DEFAULTS[kind])
        size, luck = self.noise.get(kind, 0.0), random.Random(f"{self.luck} {path} {seed}")
        several = value if isinstance(value, list) else [value]
        noisy = [v * (1 + size * luck.uniform(-1, 1)) for v in several]
        return noisy if isinstance(value, list) else noisy[0]

    def evidence(self, *, profile: str = PROFILES[0], seeds: Sequence[int] = (0, 1, 2)) -> Evidence:
        return Evidence(
            profile,
            tuple(
                run
                for name, role, times in PLAN
                for seed in seeds
                for run in self.runs(profile, name, role, times, seed)
            ),
        )

    def runs(self, profile: str, name: str, role: str, times: tuple[int, ...], seed: int) -> list[Run]:
        if role.startswith("converted"):
            return [
                self.run(
                    profile,
                    "convert",
                    name,
                    role,
                    None,
                    seed,
                    {
                        "snn": {str(T): self.measured(name, role, T, seed) for T in times},
                        "ann": self.measured(name, role, "ann", seed, spiking=False),
                        "thresholds": self.thresholds(name, role, seed),
                        "topology": network(name).with_classes(10).topology,
                        "train_accuracy": self.get("seen", name, role, None, seed),
                    },
                )
            ]
        if role.startswith("stdp"):
            return [
                self.run(
                    profile,
                    "stdp",
                    name,
                    role,
                    None,
                    seed,
                    {
                        "classifiers": {
                            view: {
                                **self.measured(name, role, view, seed),
                                "learned": self.measured(name, role, view, seed),
                                "train_accuracy": self.get("seen", name, role, view, seed),
                                "topology": network(name).topology,
                                "steps": times[0],
                                "convolutions": {
                                    "energy": {
                                        "paper/int32": {
                                            "efficiency": self.get("conv_ee", name, role, view, seed)
                                        }
                                    }
                                },
                            }
                            for view in CLASSIFIERS
                        },
                        "updates": {"conv2": self.get("updates", name, role, None, seed)},
                    },
                )
            ]
        if role == "gradients":
            return [
                self.run(
                    profile,
                    role,
                    name,
                    role,
                    times[0],
                    seed,
                    {
                        "steps": times[0],
                        "stages": [{"epoch": 2, "layers": {"conv3": self.gradients(name, seed)}}],
                        "curve": [{"validation_accuracy": self.get("acc", name, role, None, seed)}],
                    },
                )
            ]
        if role.startswith("binary"):
            result = self.measured(name, role, None, seed, spiking=False)
            seen = self.get("seen", name, role, None, seed)
            result |= {"steps": 1, "train_accuracy": seen}
            return [self.run(profile, "binary", name, role, None, seed, result)]
        if role.startswith("ann"):
            return [
                self.run(
                    profile,
                    "train",
                    name,
                    role,
                    None,
                    seed,
                    self.measured(name, role, None, seed, spiking=False)
                    | {"train_accuracy": self.get("seen", name, role, None, seed)},
                )
            ]
        return [
            self.run(profile, "train", name, role, T, seed, self.trained(name, role, T, seed)) for T in times
        ]

    def trained(self, name: str, role: str, T: int, seed: int) -> dict[str, Any]:
        found = self.measured(name, role, T, seed)
        found |= {"steps": T, "train_accuracy": self.get("seen", name, role, T, seed)}
        if role == "snn" and T == 25:
            found["early"] = {str(early): self.measured(name, role, early, seed) for early in EARLY}
        return found

    def run(
        self, profile: str, task: str, name: str, role: str, T: int | None, seed: int, result: dict
    ) -> Run:
        key = f"{name}-{role}-{T}-{seed}"
        one = role in (
            "converted",
            "converted-shared",
            "converted-shared-first",
            "converted-shared-mean",
            "converted-relu-2",
            "converted-percentile",
        )  # from the same ANN
        result = {"weights_sha256": f"{name}-{seed}" if one else key, **result}
        net = network(name).with_classes(10)
        spec = {
            "topology": as_ann(net.topology) if role.startswith("ann") else net.topology,
            "data": {**DATA, "seed": seed},
            "network": {"neuron": net.neuron},
            "input": {"code": "direct" if ":relu" in net.topology else "poisson", "steps": T},
            "conversion": {"relu_layers": 0},
            "seed": seed,
            "unlabelled": 2000 if role == "stdp-more" else 1000,
        }
        entry = Entry(
            SimpleNamespace(seed=seed, input=SimpleNamespace(steps=T)), name, role, profile, ("made up",)
        )
        data = {
            "key": key,
            "task": task,
            "spec": spec,
            "labels": entry.labels,
            "result": result,
            "sha256": "0" * 64,
            "provenance": MADE,
            "artifacts": {},
        }
        return Run(entry, key, Record(data, Path("made-up.json"), "recorded", entry.labels))

    def measured(self, name: str, role: str, at: Any, seed: int, *, spiking: bool = True) -> dict[str, Any]:
        correct = min(IMAGES, max(0, round(IMAGES * self.get("acc", name, role, at, seed))))
        found = {"accuracy": correct / IMAGES, "correct": correct, "total": IMAGES, "hits": hits(correct)}
        if spiking:
            energy = {
                "efficiency": self.get("ee", name, role, at, seed),
                "snn_pj": self.get("energy", name, role, at, seed),
            }
            found |= {"energy": {"paper/int32": energy}, "activity": self.activity(name, role, at, seed)}
        return found

    def gradients(self, name: str, seed: int) -> dict[str, list]:
        """Two unrolling steps: cosines on the same images, and on others, where a step is like itself and like the other."""
        norm, same, own, other = (
            self.get(k, name, "gradients", None, seed) for k in ("norm", "cosine", "repeated", "crossed")
        )
        return {
            "norms": [norm, norm],
            "cosines": [[1.0, same], [same, 1.0]],
            "between": [[own, other], [other, own]],
        }

    def activity(self, name: str, role: str, at: Any, seed: int) -> dict[str, dict[str, float]]:
        rates = self.get("rate", name, role, at, seed)
        sites = [p.site for p in passes(name) if p.neuron in ("lif", "if")]
        several = rates if isinstance(rates, list) else [rates] * len(sites)
        return {
            site: {"rate": rate}
            for site, rate in zip(sites, several + several[-1:] * len(sites), strict=False)
        }

    def thresholds(self, name: str, role: str, seed: int) -> dict[str, float]:
        values = self.get("threshold", name, role, None, seed)
        by_step = values if isinstance(values, list) else [values] * 99
        return {p.site: by_step[p.unroll - 1] for p in passes(name)}


@cache
def hits(correct: int) -> str:
    """The first ``correct`` of the images are right, as a record holds it."""
    return f"{int('1' * correct + '0' * (IMAGES - correct) or '0', 2):0{IMAGES // 4}x}"


@cache
def passes(name: str) -> tuple:
    net = network(name).with_classes(10)
    shape = net.input_shape if net.input_shape[1] <= 32 else (3, 32, 32)
    return plan(net.topology, shape, net.neuron)


def bits(right):
    """The hit string of a record: one bit per test image, as hexadecimal digits."""
    text = "".join("1" if hit else "0" for hit in right)
    return f"{int(text.ljust(-(-len(text) // 4) * 4, '0'), 2):0{-(-len(text) // 4)}x}"
