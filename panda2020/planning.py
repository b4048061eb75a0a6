"""How often a run is repeated: a rule, so that nobody adds seeds until a verdict pleases.

The first ``FEW`` seeds of a profile are for every run; all of its seeds for the pairs on which the main findings hang, because
with three seeds a difference of one to three points stays undecided. The longest simulations run once (``ONCE_ABOVE``). A seed
or T that is asked for by name is never refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import torch

from panda2020.runs import executing
from panda2020.tasks import train
from snncore.data import DataConfig
from snncore.network import NetworkConfig
from snncore.topology import as_ann, scale_width
from snncore.training import InputConfig, TrainingConfig

from . import networks
from .profiles import Profile, profile
from .runs import Entry

FEW = 3

#: profile -> the largest T of a trained network that is repeated with other seeds.
ONCE_ABOVE = {"laptop": 25}

#: (network, role) of the pairs that get all seeds: Tables 8, 10, 14, 2 and 6; an STDP run holds its random kernels.
HEADLINE = frozenset(
    [(name, role) for name in ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4") for role in ("ann", "snn")]
    + [("VGG3", role) for role in ("snn", "snn-stochmax")]
    + [(name, role) for name in ("VGG9", "VGG8x2") for role in ("ann", "hybrid-stochmax")]
    + [(name, role) for name in ("VGG2x4", "VGG3x2-v1") for role in ("converted", "converted-shared")]
    + [("ResNet2", role) for role in ("ann", "stdp")]
)

Grid = Callable[..., list[Entry]]


def seed_of(entry: Entry) -> int:
    """The seed of a run; that of the ANN where it is a conversion."""
    return int(entry.spec.seed if hasattr(entry.spec, "seed") else entry.spec.ann.seed)


def steps_of(entry: Entry) -> int | None:
    """The T that a trained network's run is for; None where one run holds many, or none."""
    steps: int | None = getattr(getattr(entry.spec, "input", None), "steps", None)
    return steps


def planned(entry: Entry, *, any_steps: bool = False) -> bool:
    """Whether the run belongs to its profile's plan, by its seed and T. any_steps: at whatever T.

    A seed that the profile does not have is nobody's plan but the user's, and belongs.
    """
    seeds, seed = profile(entry.profile).seeds, seed_of(entry)
    if seed not in seeds:
        return True
    number, headline = (
        seeds.index(seed),
        (entry.network, entry.role) in HEADLINE and "reading B" not in entry.note,
    )
    longest = ONCE_ABOVE.get(entry.profile)
    once = longest is not None and not any_steps and (steps_of(entry) or 0) > longest
    return number < (1 if once else len(seeds) if headline else FEW)


def repeated(grid: Grid) -> Grid:
    """A grid that leaves out what is not planned, unless it is called with seeds; T that it is called with are kept."""

    @functools.wraps(grid)
    def found(profile_name: str, *, seeds: Any = None, **chosen: Any) -> list[Entry]:
        entries = grid(profile_name, seeds=seeds, **chosen)
        any_steps = bool(chosen.get("timesteps"))
        return entries if seeds else [entry for entry in entries if planned(entry, any_steps=any_steps)]

    return found


def total_minutes(entries: Iterable[Entry]) -> float:
    """Estimated wall time of some runs on two CPU cores."""
    return sum(_minutes(_seedless(entry.spec)) for entry in entries)


@cache
def _minutes(spec: Any) -> float:
    with torch.device("meta"):  # an estimate builds the network, of which only the shapes matter
        return executing.minutes(spec)


def _seedless(spec: Any) -> Any:
    """The same run for seed 0: the time does not depend on it, and estimating is slow for large networks."""
    names = {field.name for field in fields(spec)}
    inner = {name: _seedless(getattr(spec, name)) for name in ("ann", "data") if name in names}
    return replace(spec, **inner, **({"seed": 0} if "seed" in names else {}))


_CLASSES = 10  # of what stands in for ImageNet in every profile


def ann_run(
    p: Profile,
    name: str,
    seed: int,
    *,
    reading: str = "A",
    tables: tuple[str, ...],
    role: str = "ann",
    network: NetworkConfig | None = None,
    training: TrainingConfig | None = None,
    code: InputConfig | None = None,
) -> Entry:
    """The ANN of a network's topology, all layers ReLU; by default plain: no regularisation, real input."""
    net = _network(p, name, reading)
    spec = train.Spec(
        scale_width(as_ann(net.topology), _width(p, net)),
        _images(p, net, seed),
        network or p.ann_network,
        code or p.input("real"),
        training or _recipe(p, net, p.ann, p.deep_ann),
        seed,
    )
    return Entry(spec, net.name, role, p.name, tables, _note(net))


def snn_run(
    p: Profile,
    name: str,
    seed: int,
    steps: int,
    *,
    reading: str = "A",
    tables: tuple[str, ...],
    role: str = "snn",
    topology: str | None = None,
    head: str = "softmax",
    training: TrainingConfig | None = None,
    network: NetworkConfig | None = None,
) -> Entry:
    """The spiking network trained end to end (AGD) over ``steps`` time steps.

    Poisson spikes enter where the first layer spikes, and the real image where it is ReLU. topology: in place of the
    registered one. head: the classifier.
    """
    net = _network(p, name, reading)
    hybrid = _hybrid(net)
    spec = train.Spec(
        scale_width(topology or net.topology, _width(p, net)),
        _images(p, net, seed),
        replace(network or (p.deep_network if hybrid else p.snn_network), head=head),
        p.input("direct" if hybrid else "poisson", steps),
        training or _recipe(p, net, p.snn, p.deep_snn),
        seed,
    )
    return Entry(spec, net.name, role, p.name, tables, _note(net))


def _network(p: Profile, name: str, reading: str) -> networks.PaperNetwork:
    net = networks.network(name, reading)
    return net.with_classes(_CLASSES) if net.input_shape == networks.IMAGENET else net


def _recipe(
    p: Profile, net: networks.PaperNetwork, usual: TrainingConfig, deep: TrainingConfig
) -> TrainingConfig:
    if not _hybrid(net):
        return usual
    return replace(deep, learning_rate=p.imagenet_rate) if net.input_shape == networks.IMAGENET else deep


def _hybrid(net: networks.PaperNetwork) -> bool:
    return ":relu" in net.topology


def _width(p: Profile, net: networks.PaperNetwork) -> float:
    return p.imagenet_width if net.input_shape == networks.IMAGENET else p.width


def _images(p: Profile, net: networks.PaperNetwork, seed: int) -> DataConfig:
    return replace(p.imagenet, seed=seed) if net.input_shape == networks.IMAGENET else p.data_for(seed)


def _note(net: networks.PaperNetwork) -> str:
    return "" if len(networks.readings(net.name)) == 1 else f"reading {net.reading}"


def _tuning_images(p: Profile, seed: int) -> DataConfig:
    """Few images to train on, and enough validation images to tell recipes apart by."""
    held = min(1000, p.data.validation) if p.name == "quick" else 1000
    return replace(
        p.data_for(seed), train=min(1000, p.data.train), validation=held, test=min(500, p.data.test)
    )


def spiking(p: Profile, name: str, seed: int, steps: int) -> train.Spec:
    """The spiking run of Table 8."""
    topology = scale_width(networks.network(name).topology, p.width)
    return train.Spec(topology, p.data_for(seed), p.snn_network, p.input("poisson", steps), p.snn, seed)
