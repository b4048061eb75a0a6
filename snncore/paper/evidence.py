"""The records that claims are judged by: the planned runs of one profile, and which of them are recorded.

The grids say which runs there should be (``grids.entries``); the key of each says where its record is. So a record
counts only if it is a run of the profile's own grid: tuning runs, alternatives and quick runs cannot enter by accident,
and a run that is missing is known by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._check import one_of
from ..data import DataConfig
from ..energy import EnergyReport
from ..network import Pass, as_ann, parameter_count, plan
from ..runs import Entry, Record, RecordError, Store, executing, key, results_directory
from ..runs.tasks import train
from . import energies, grids, networks, statistics
from .repeats import seed_of, steps_of

#: Profiles whose runs may judge a claim.
PROFILES = ("laptop", "paper")

#: A net whose accuracy is less than this above chance has not learnt to classify. With ten classes, one that only tells a
#: single class from the others reaches 0.10 above chance; a guessing one stays within 0.02 at 1,000 test images or more.
LEARNT = 0.05


#: How a role is called in a sentence; "{}" stands for the network.
ROLES = {
    "ann": "ANN {}",
    "ann-bn": "ANN {} with batch normalisation and dropout",
    "ann-convnn": "ANN {} with ConvNN",
    "snn": "SNN {}",
    "snn-stochmax": "SNN {} with stochmax",
    "converted": "converted {}",
    "converted-shared": "converted {} with shared thresholds",
    "converted-relu-2": "converted {} with ReLU first layers",
    "converted-stochmax": "converted {} with stochmax",
    "stdp": "STDP-trained {}",
    "stdp-more": "STDP-trained {} on more images",
    "hybrid": "hybrid {}",
    "hybrid-stochmax": "hybrid {}",
    "hybrid-softmax": "hybrid {} with softmax",
    "relu-0": "{} with all layers spiking",
    "hybrid-rate": "hybrid {} on rate-coded X",
    "hybrid-lif4": "{} with 4 spiking layers",
    "hybrid-lif6": "{} with 6 spiking layers",
    "hybrid-lif8": "{} with 8 spiking layers",
    "hybrid-backres": "hybrid {} with BackRes",
    "gradients": "SNN {}",
    "binary": "binary {}",
    "binary-stochmax": "binary {} with stochmax",
    "snn-latency": "SNN {} on latency-coded images",
}

#: The same for a view of a run that holds several results (see ``samples``), after the role.
VIEWS = {"": "", "fc/learned": " under FC1 and FC2", "convnn/learned": " under ConvNN", "fc-stochmax/learned": " under stochmax"}


def called(network: str, role: str, steps: int | None = None, view: str = "") -> str:
    """A run in words: "SNN VGG5, T = 25"."""
    if view == "ann":
        return f"ANN {network}"
    return ROLES.get(role, role + " {}").format(network) + VIEWS[view] + (f", T = {steps}" if steps else "")


@dataclass(frozen=True)
class Conditions:
    """The choices that verdicts may hang on and that need no new run of the default grid.

    convention, prices: of the energy. reading: of the networks that have several.
    """

    convention: str = "paper"
    prices: str = "int32"
    reading: str = "A"


DEFAULT = Conditions()


@dataclass(frozen=True)
class Run:
    """A planned run and its key, with its record, or with what is wrong with it; neither where it is not recorded."""

    entry: Entry
    key: str
    record: Record | None = None
    error: str = ""


@dataclass(frozen=True)
class Sample:
    """What one run measured at one T (None: without time, an ANN)."""

    record: Record
    steps: int | None
    measured: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        """Share of the test images."""
        return float(self.measured["accuracy"])

    @property
    def total(self) -> int:
        """Test images."""
        return int(self.measured["total"])

    @property
    def correct(self) -> int:
        """Test images classified correctly."""
        return int(self.measured["correct"])

    @cached_property
    def hits(self) -> np.ndarray:
        """Which test images were right, bool (total,)."""
        return statistics.hits(self.measured["hits"], self.total)

    @property
    def data(self) -> Mapping[str, Any]:
        """The images it was trained and tested on."""
        found: Mapping[str, Any] = _nearest(self.record["spec"], "data")
        return found

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / int(self.topology.split()[-1].removeprefix("F"))

    @property
    def topology(self) -> str:
        """The whole network's."""
        held: Mapping[str, Any] = self.measured if self.record["task"] == "stdp" else self.record.result
        return str(held.get("topology") or _nearest(self.record["spec"], "topology"))

    @property
    def at_chance(self) -> bool:
        """Whether the net has not learnt to classify (see ``LEARNT``)."""
        return self.accuracy <= self.chance + LEARNT

    def efficiency(self, conditions: Conditions) -> float:
        """EE against the ANN of the same shape."""
        return self._energy(conditions).efficiency

    def convolutions_efficiency(self, conditions: Conditions) -> float:
        """EE of the spiking convolutions alone, EE_Conv of Table 6."""
        return energies.energy_of(self, conditions.convention, conditions.prices, spiking_only=True).efficiency

    def energy(self, conditions: Conditions) -> float:
        """Energy of the spiking network per image, pJ."""
        return self._energy(conditions).snn

    def _energy(self, conditions: Conditions) -> EnergyReport:
        return energies.energy_of(self, conditions.convention, conditions.prices)

    @property
    def parameters(self) -> int:
        """Weights of the network, shared ones counted once."""
        return parameter_count(self.topology, self.input_shape)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, size = train._shape(DataConfig(**self.data))
        return channels, size, size

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step of every spiking site, from the first to the last."""
        return {
            p.site: float(self.measured["activity"][p.site]["rate"]) for p in self.passes if p.neuron in ("lif", "if")
        }

    @property
    def mean_rate(self) -> float:
        """Spikes per neuron and step over all spiking neurons."""
        sizes = {p.site: np.prod(p.out_shape) for p in self.passes}
        return float(
            sum(sizes[site] * rate for site, rate in self.rates.items()) / sum(sizes[site] for site in self.rates)
        )

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The network's plan."""
        spec = self.record["spec"]
        neuron, static = {"convert": "if", "stdp": "lif"}.get(self.record["task"], ""), False
        if self.record["task"] in ("train", "train-head"):
            neuron, static = spec["network"]["neuron"], spec["input"]["code"] in ("real", "poisson-mean", "direct")
        elif self.record["task"] == "convert":
            static = spec["conversion"]["relu_layers"] > 0
        return plan(self.topology, self.input_shape, neuron, static_input=static)


def samples(record: Record, view: str = "") -> dict[int | None, Sample]:
    """What a record holds, by T, rising.

    view: of a run that holds several results. Of an STDP run, the classifier and what it reads, "fc/learned"; of a
    conversion, "ann" for the network it started from, on the images that were simulated.
    """
    result = record.result
    if record["task"] == "stdp":
        classifier, _, source = view.partition("/")
        if classifier not in result["classifiers"] or source not in result["classifiers"][classifier]:
            return {}
        found = result["classifiers"][classifier]
        return {found["steps"]: Sample(record, found["steps"], {**found, **found[source]})}
    if record["task"] == "convert":
        if view == "ann":
            return {None: Sample(record, None, result["ann"])}
        simulated = sorted((int(steps), measured) for steps, measured in result["snn"].items())  # as text "50" follows "2000"
        return {steps: Sample(record, steps, measured) for steps, measured in simulated}
    steps = result.get("steps")
    return {steps: Sample(record, steps, result)}


def _nearest(spec: Mapping[str, Any], name: str) -> Any:
    """The value named ``name`` nearest to the top of a nested spec."""
    level: list[Mapping[str, Any]] = [spec]
    while level:
        for group in level:
            if name in group:
                return group[name]
        level = [value for group in level for value in group.values() if isinstance(value, Mapping)]
    raise KeyError(name)


@dataclass(frozen=True)
class Series:
    """The runs of one net in one role at one T, by seed. missing: in words, where there is none at all."""

    name: str
    samples: Mapping[int, Sample]
    missing: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The runs behind it."""
        return tuple(sample.record.key for sample in self.samples.values())

    @property
    def steps(self) -> int | None:
        """T."""
        return next((sample.steps for sample in self.samples.values()), None)

    def accuracy(self, seeds: Iterable[int] | None = None) -> float:
        """Mean accuracy over its seeds, or over some of them."""
        return float(np.mean([self.samples[seed].accuracy for seed in (self.samples if seeds is None else seeds)]))


@dataclass
class Case:
    """What one claim asks of the evidence; it keeps account of what was used, what is missing and what is wrong."""

    runs: Sequence[Run]
    profile: str
    conditions: Conditions = DEFAULT
    used: dict[str, Record] = field(default_factory=dict)
    absent: dict[str, Entry] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def full_scale(self) -> bool:
        """Whether absolute accuracies of the paper can be asked of this profile: its nets and all of its images."""
        return self.profile == "paper"

    def series(
        self, network: str, role: str, steps: int | None = None, *, table: str | None = None, view: str = ""
    ) -> Series:
        """The runs of ``network`` in ``role``, at T = ``steps`` (None: without time, or the only T there is).

        table: only those that this exhibit plans, where roles repeat. view: see ``samples``.
        """
        name = called(network, role, steps, view)
        found = self._find(network, role, steps, table)
        if not found:
            return Series(name, {}, f"no run of {name} is planned for profile {self.profile}")
        kept: dict[int, Sample] = {}
        for run in found:
            if run.error:
                if run.error not in self.problems:
                    self.problems.append(run.error)
            elif run.record is None:
                self.absent.setdefault(run.key, run.entry)
            else:
                measured = samples(run.record, view)
                at = next(iter(measured)) if steps is None and len(measured) == 1 else steps
                if at in measured:
                    self.used[run.record.key] = run.record
                    kept[seed_of(run.entry)] = measured[at]
        return Series(name, dict(sorted(kept.items())), "" if kept else f"{name} is not recorded")

    def times(self, network: str, role: str, *, table: str | None = None) -> tuple[int, ...]:
        """Every T at which ``network`` is recorded in ``role``, rising."""
        records = [run.record for run in self._find(network, role, None, table) if run.record is not None]
        return tuple(sorted({steps for record in records for steps in samples(record) if steps is not None}))

    def planned(self, network: str, role: str, *, table: str | None = None) -> tuple[int, ...]:
        """Every T for which ``network`` is planned in ``role`` with a run of its own, rising."""
        found = {steps_of(run.entry) for run in self._find(network, role, None, table)}
        return tuple(sorted(steps for steps in found if steps is not None))

    def settled(self, network: str, role: str, *, table: str | None = None) -> Series:
        """The runs at the smallest T whose accuracy is within 1 point of that at the largest T, over the seeds that both have.

        An efficiency is judged there: at a smaller T it is that of a net that does not work, at a larger one T is wasted. A T
        with fewer seeds than another is compared with and not chosen, or the longest simulations, which run once, would leave
        one seed of all; so where no T of the others comes that near, it is the largest of them.
        """
        every = [self.series(network, role, steps, table=table) for steps in self.times(network, role, table=table)]
        every = [series for series in every if series.samples]
        if not every:
            wanted = self.planned(network, role, table=table)
            return self.series(network, role, wanted[-1] if wanted else None, table=table)
        last, most = every[-1], max(len(series.samples) for series in every)
        often = [series for series in every if len(series.samples) == most]
        for series in often:
            common = series.samples.keys() & last.samples.keys()
            if common and series.accuracy(common) >= last.accuracy(common) - 0.01 - 1e-9:
                return series
        return often[-1]

    def _find(self, network: str, role: str, steps: int | None, table: str | None) -> list[Run]:
        reading = _own_reading(network, role, self.conditions.reading)
        return [
            run
            for run in self.runs
            if run.entry.network == network
            and run.entry.role == role
            and _reading(run.entry) in (None, reading)
            and (table is None or table in map(str, run.entry.tables))
            and (steps is None or steps_of(run.entry) in (None, steps))
        ]


@dataclass(frozen=True)
class Evidence:
    """The planned runs of one profile and their records."""

    profile: str
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        one_of("profile", self.profile, PROFILES)
        for run in self.runs:
            if run.entry.profile not in PROFILES or (
                run.record is not None and run.record.labels["profile"] not in PROFILES
            ):
                raise ValueError(f"{run.entry} may not judge a claim; allowed profiles: {', '.join(PROFILES)}")

    def case(self, conditions: Conditions = DEFAULT) -> Case:
        """A fresh account for one claim."""
        return Case(self.runs, self.profile, conditions)


def evidence(
    profile: str, *, results: str | Path | None = None, tables: Sequence[str] | None = None
) -> Evidence:
    """Look up every planned run of a profile, or those of some exhibits, in ``results`` (default: the recorded ones).

    A record that must not be used (torn, edited, or two that disagree about one run) is set aside, and its ``Run`` says
    why. Raises ``ValueError`` for a profile that judges no claim.
    """
    one_of("profile", profile, PROFILES)
    directory = Path(results_directory() if results is None else results)
    public, found = Store(directory), []
    for entry in grids.entries(profile, tables):
        name = key(entry.spec)
        try:
            record = public.read(name)
        except RecordError as error:
            found.append(Run(entry, name, None, str(error).replace(f"{directory}/", f"{directory.name}/")))
        else:
            tagged = None if record is None else executing.tagged(record, public, entry)
            found.append(Run(entry, name, tagged))
    return Evidence(profile, tuple(found))


def minutes(entries: Iterable[Entry]) -> float:
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


@cache
def _own_reading(network: str, role: str, reading: str) -> str:
    """The reading under which the runs of a network are recorded: the first where it has no other, and for an ANN where readings
    differ only in which layers spike."""
    if reading not in networks.readings(network):
        return "A"
    read, first = (as_ann(networks.network(network, one).topology) for one in (reading, "A"))
    return "A" if role.startswith("ann") and read == first else reading


def _reading(entry: Entry) -> str | None:
    found = re.search(r"\breading (\w)\b", entry.note)
    return found[1] if found else None
