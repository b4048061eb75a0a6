"""From a table to its runs: ``grid`` loops over seeds, T and networks, and a rule decides how often a run is repeated.

A chapter's grid only lists the runs at one place of the table::

    @grid("10", networks=("VGG3",), steps="10")
    def table10(at):
        for head, role in HEADS.items():
            yield at.snn(role, head=head)

The rule prevents adding seeds until a verdict pleases. Every run has the first ``FEW`` seeds of a profile.
The pairs behind the central claims (``HEADLINE``, section 5 of the protocol) have all of its seeds, because with three
seeds a difference of one to three points stays undecided. The longest simulations run once (``ONCE_ABOVE``). A seed or T
that the user names is never refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
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

#: Profile -> largest T at which a trained network is repeated with further seeds.
ONCE_ABOVE = {"laptop": 25, "paper": 25}

_CONVERTED = ("converted", "converted-shared", "converted-shared-first", "converted-shared-mean")

#: (network, role) of the pairs that get all seeds by the protocol: those of the central claims C1, C2 and C5.
CENTRAL = frozenset(
    [(name, role) for name in ("VGG7-agd", "VGG3x4") for role in ("ann", "snn")]
    + [("VGG7-conv", "converted")]
    + [(name, role) for name in ("VGG2x4", "VGG3x2-v1") for role in _CONVERTED]
    + [(name, role) for name in ("VGG9", "VGG8x2") for role in ("ann", "hybrid-stochmax")]
    + [("VGG9", "relu-0")]
)

#: Profile -> its pairs with all seeds.
HEADLINE = {
    "laptop": CENTRAL,
    "paper": CENTRAL,
}


def seed_of(entry: Entry) -> int:
    """The seed of a run; for a conversion, that of its ANN."""
    return int(entry.spec.seed if hasattr(entry.spec, "seed") else entry.spec.ann.seed)


def steps_of(entry: Entry) -> int | None:
    """The T of a trained network's run; None if one run has many T, or none."""
    steps: int | None = getattr(getattr(entry.spec, "input", None), "steps", None)
    return steps


def planned(entry: Entry, *, any_steps: bool = False) -> bool:
    """Return whether the run belongs to its profile's plan, by its seed and T.

    A seed outside the profile was named by the user, and belongs.

    Args:
        any_steps: ignore T.
    """
    seeds, seed = profile(entry.profile).seeds, seed_of(entry)
    if seed not in seeds:
        return True
    number = seeds.index(seed)
    headline = (entry.network, entry.role) in HEADLINE.get(entry.profile, ()) and entry.interpretation == "A"
    longest = ONCE_ABOVE.get(entry.profile)
    once = longest is not None and not any_steps and (steps_of(entry) or 0) > longest
    return number < (1 if once else len(seeds) if headline else FEW)


def total_minutes(entries: Iterable[Entry]) -> float:
    """Estimated wall time of some runs on two CPU cores."""
    return sum(_minutes(_seedless(entry.spec)) for entry in entries)


@cache
def _minutes(spec: Any) -> float:
    with torch.device("meta"):  # the estimate builds the network but needs only its shapes
        return executing.minutes(spec)


def _seedless(spec: Any) -> Any:
    """The same run with seed 0, because the time does not depend on the seed and estimating is slow for large networks."""
    names = {field.name for field in fields(spec)}
    inner = {name: _seedless(getattr(spec, name)) for name in ("ann", "data") if name in names}
    return replace(spec, **inner, **({"seed": 0} if "seed" in names else {}))


#: Which interpretations of its networks a table shows.
INTERPRETATIONS = {"first": slice(0, 1), "others": slice(1, None), "all": slice(None)}

IMAGENET_CLASSES = 10  # classes of the ImageNet substitute in every profile


@dataclass(frozen=True)
class Place:
    """One place in a table: a network in one interpretation, at one T, for one seed.

    Attributes:
        first: whether T is the table's first, where the table also has the runs that do not depend on T.
        sweep: value of the further variable of the table (``grid``), else None.
        name: name of the network; "" for a table that varies its networks in ``sweep``.
    """

    table: str
    p: Profile
    seed: int
    name: str
    interpretation: str
    steps: int
    first: bool
    sweep: Any
    noted: bool  # whether runs other than ``ann`` and ``snn`` also state their interpretation

    @property
    def net(self) -> networks.PaperNetwork:
        """The network, with the number of classes of its images."""
        net = networks.network(self.name, self.interpretation)
        return net.with_classes(IMAGENET_CLASSES) if _imagenet(net) else net

    @property
    def hybrid(self) -> bool:
        """Whether some of the network's hidden layers are ReLU."""
        return ":relu" in self.net.topology

    @property
    def topology(self) -> str:
        """Topology of the network at the width of the profile."""
        return self.scaled(self.net.topology)

    @property
    def data(self) -> DataConfig:
        """The images of this seed."""
        return replace(self.p.imagenet, seed=self.seed) if _imagenet(self.net) else self.p.data_for(self.seed)

    def scaled(self, topology: str) -> str:
        """A topology at the width of the profile."""
        return scale_width(topology, self.p.imagenet_width if _imagenet(self.net) else self.p.width)

    def recipe(self, usual: TrainingConfig, deep: TrainingConfig) -> TrainingConfig:
        """The recipe of the network: ``deep`` for hybrids, with another learning rate on ImageNet."""
        if not self.hybrid:
            return usual
        return replace(deep, learning_rate=self.p.imagenet_rate) if _imagenet(self.net) else deep

    def of(self, name: str) -> Place:
        """The same place for another network, in its first interpretation."""
        return replace(self, name=name, interpretation="A")

    def entry(self, spec: Any, role: str) -> Entry:
        """The run ``spec`` in this table."""
        note = self._note if self.noted else ""
        return Entry(spec, self.name, role, self.p.name, (self.table,), note, self.interpretation)

    def standalone_ann(self) -> train.Spec:
        """The ANN of the network's topology, with the recipe ``Profile.alone``."""
        topology, code = self.scaled(as_ann(self.net.topology)), self.p.input("real")
        data = self.p.data_for(self.seed)
        return train.Spec(topology, data, self.p.ann_network, code, self.p.alone, self.seed)

    def ann(
        self,
        role: str = "ann",
        *,
        network: NetworkConfig | None = None,
        training: TrainingConfig | None = None,
        code: InputConfig | None = None,
    ) -> Entry:
        """The ANN of the network's topology, all layers ReLU. By default it is plain: no regularisation, real input."""
        spec = train.Spec(
            self.scaled(as_ann(self.net.topology)),
            self.data,
            network or self.p.ann_network,
            code or self.p.input("real"),
            training or self.recipe(self.p.ann, self.p.deep_ann),
            self.seed,
        )
        return replace(self.entry(spec, role), note=self._note)

    def snn(
        self,
        role: str = "snn",
        *,
        steps: int | None = None,
        topology: str | None = None,
        head: str = "softmax",
        training: TrainingConfig | None = None,
        network: NetworkConfig | None = None,
    ) -> Entry:
        """The spiking network trained end to end (AGD), with the T of this place or ``steps``.

        Its input is Poisson spikes if the first layer spikes, and the real image if the first layer is ReLU.

        Args:
            topology: replaces the registered one.
            head: the classifier.
        """
        usual = self.p.deep_network if self.hybrid else self.p.snn_network
        spec = train.Spec(
            self.scaled(topology or self.net.topology),
            self.data,
            replace(network or usual, head=head),
            self.p.input("direct" if self.hybrid else "poisson", steps or self.steps),
            training or self.recipe(self.p.snn, self.p.deep_snn),
            self.seed,
        )
        return replace(self.entry(spec, role), note=self._note)

    @property
    def _note(self) -> str:
        return "" if len(networks.readings(self.name)) == 1 else f"reading {self.interpretation}"


def _imagenet(net: networks.PaperNetwork) -> bool:
    return net.input_shape == networks.IMAGENET


@dataclass(eq=False)
class Grid:
    """The runs of one table, made by ``grid``. Call it for the runs of a profile."""

    table: str
    runs: Callable[[Place], Iterable[Entry]]
    networks: tuple[str, ...]
    steps: Callable[[Profile], Sequence[int]] | None
    sweep: Callable[[Profile], Iterable[Any]]
    interpretations: str
    by_network: bool
    one_seed: bool

    def __call__(
        self,
        profile_name: str,
        *,
        seeds: Sequence[int] | None = None,
        timesteps: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
    ) -> list[Entry]:
        """The planned runs, or those of the given seeds, T and networks.

        Without given seeds, runs outside the plan are omitted (``planned``); given T are kept.

        Raises:
            ValueError: an unknown profile or network, or T or networks for a table without a choice of them.
        """
        p = profile(profile_name)
        if timesteps and self.steps is None:
            raise ValueError(f"table {self.table} has no T of its own to choose, got timesteps={timesteps!r}")
        if names and not self.networks:
            raise ValueError(f"table {self.table} has no networks to choose, got names={names!r}")
        found = [
            entry
            for seed in seeds or (p.seeds[:1] if self.one_seed else p.seeds)
            for place in self._places(p, seed, timesteps, names)
            for entry in self.runs(place)
        ]
        return found if seeds else [entry for entry in found if planned(entry, any_steps=bool(timesteps))]

    def _places(
        self, p: Profile, seed: int, timesteps: Sequence[int] | None, names: Sequence[str] | None
    ) -> Iterator[Place]:
        times = tuple(timesteps or (self.steps(p) if self.steps else (0,)))
        nets = [
            (name, letter)
            for name in names or self.networks
            for letter in networks.readings(name)[INTERPRETATIONS[self.interpretations]]
        ] or [("", "")]
        order: Iterable[tuple[int, Any, tuple[str, str]]] = product(times, self.sweep(p), nets)
        if self.by_network:
            order = ((t, value, net) for net, t, value in product(nets, times, self.sweep(p)))
        noted = self.interpretations != "first"
        for t, value, (name, letter) in order:
            yield Place(self.table, p, seed, name, letter, t, t == times[0], value, noted)


def grid(
    table: str,
    *,
    networks: Sequence[str] = (),
    steps: str | None = None,
    first_steps: bool = False,
    sweep: Callable[[Profile], Iterable[Any]] = lambda p: (None,),
    interpretations: str = "first",
    by_network: bool = False,
    one_seed: bool = False,
) -> Callable[[Callable[[Place], Iterable[Entry]]], Grid]:
    """Make a table's runs from those at one of its places: for every seed, every T and every network.

    Args:
        table: its name on the command line.
        networks: names of its networks; empty if the runs name their networks themselves.
        steps: key of ``Profile.steps`` with its T; None if it has no T.
        first_steps: use only the first T.
        sweep: values of a further variable, between T and networks.
        interpretations: a key of ``INTERPRETATIONS``.
        by_network: order by network, each with all its T.
        one_seed: make only the first seed, unless seeds are given.
    """

    def times(p: Profile) -> Sequence[int]:
        shown = p.steps[str(steps)]
        return shown[:1] if first_steps else shown

    def made(runs: Callable[[Place], Iterable[Entry]]) -> Grid:
        found = Grid(
            table,
            runs,
            tuple(networks),
            times if steps else None,
            sweep,
            interpretations,
            by_network,
            one_seed,
        )
        functools.update_wrapper(found, runs, updated=())
        return found

    return made
