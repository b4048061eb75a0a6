"""The measurements of one run: its accuracy and correct images, its spikes, its energy; and the runs of one place by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from panda2020.tasks import train
from snncore._check import one_of
from snncore.activity import SiteActivity
from snncore.data import DataConfig
from snncore.energy import PRICES, EnergyReport, report
from snncore.topology import SPIKING, Pass, as_ann, parameter_count, plan

from . import networks, statistics
from .runs import Entry, Record, RecordError

#: A network whose accuracy is less than this above chance has not learnt to classify. With ten classes, one that separates
#: only one class from the others reaches 0.10 above chance; guessing stays within 0.02 at 1,000 test images or more.
LEARNT = 0.05


#: Role -> its name in a sentence; "{}" stands for the network.
ROLES = {
    "ann": "ANN {}",
    "ann-bn": "ANN {} with batch normalisation and dropout",
    "ann-convnn": "ANN {} with ConvNN",
    "ann-longer": "ANN {} with twice the epochs",
    "snn": "SNN {}",
    "snn-stochmax": "SNN {} with stochmax",
    "converted": "converted {}",
    "converted-shared": "converted {} with shared thresholds, the largest",
    "converted-shared-max": "converted {} with shared thresholds, the largest",
    "converted-shared-first": "converted {} with shared thresholds, the first pass's",
    "converted-shared-mean": "converted {} with shared thresholds, their mean",
    "converted-relu-2": "converted {} with ReLU first layers",
    "converted-stochmax": "converted {} with stochmax",
    "stdp": "STDP-trained {}",
    "stdp-more": "STDP-trained {} on more images",
    "hybrid": "hybrid {}",
    "hybrid-stochmax": "hybrid {}",
    "hybrid-softmax": "hybrid {} with softmax",
    "relu-0": "{} with all layers spiking",
    "hybrid-rate": "hybrid {} on rate-coded X",
    "hybrid-usual-rate": "hybrid {} at the usual learning rate",
    "ann-usual-rate": "ANN {} at the usual learning rate",
    "hybrid-lif4": "{} with 4 spiking layers",
    "hybrid-lif6": "{} with 6 spiking layers",
    "hybrid-lif8": "{} with 8 spiking layers",
    "hybrid-backres": "hybrid {} with BackRes",
    "gradients": "SNN {}",
    "binary": "binary {}",
    "binary-stochmax": "binary {} with stochmax",
    "snn-latency": "SNN {} on latency-coded images",
}


#: View of a run with several results (see ``samples``) -> its name, after that of the role.
VIEWS = {
    "": "",
    "early": "",
    **{
        f"{kind}/{source}": f" under {classifier}{features}"
        for kind, classifier in (("fc", "FC1 and FC2"), ("convnn", "ConvNN"), ("fc-stochmax", "stochmax"))
        for source, features in (
            ("learned", ""),
            ("random", " on random kernels"),
            ("pixels", " on raw pixels"),
        )
    },
}


def run_name(network: str, role: str, steps: int | None = None, view: str = "") -> str:
    """The name of a run: "SNN VGG5, T = 25"."""
    if view in ("ann", "ann-all"):
        return f"ANN {network}"
    return ROLES.get(role, role + " {}").format(network) + VIEWS[view] + (f", T = {steps}" if steps else "")


@dataclass(frozen=True)
class Conditions:
    """Choices that verdicts may depend on and that need no new run of the default grid.

    Attributes:
        convention: of the energy.
        prices: of the energy.
        reading: of the networks that have several.
    """

    convention: str = "paper"
    prices: str = "int32"
    reading: str = "A"


DEFAULT = Conditions()


@dataclass(frozen=True)
class Sample:
    """Measurements of one run at one T (None: without time, an ANN)."""

    record: Record
    steps: int | None
    measured: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        """Share of the test images classified correctly."""
        return float(self.measured["accuracy"])

    @property
    def total(self) -> int:
        """Test images."""
        return int(self.measured["total"])

    @property
    def correct(self) -> int:
        """Number of test images classified correctly."""
        return int(self.measured["correct"])

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether each test image was classified correctly, bool (total,)."""
        return statistics.hits(self.measured["hits"], self.total)

    @property
    def data(self) -> Mapping[str, Any]:
        """The training and test images."""
        found: Mapping[str, Any] = nearest(self.record["spec"], "data")
        return found

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / int(self.topology.split()[-1].removeprefix("F"))

    @property
    def topology(self) -> str:
        """Topology of the whole network."""
        held: Mapping[str, Any] = self.measured if self.record["task"] == "stdp" else self.record.result
        return str(held.get("topology") or nearest(self.record["spec"], "topology"))

    @property
    def stochmax(self) -> bool:
        """Whether its classifier is stochmax, which has one more layer, psi (section 5)."""
        if self.record["task"] == "stdp":
            return "stochmax" in str(self.measured.get("classifier", ""))
        head = nearest(self.record["spec"], "head")
        return head == "stochmax" or (head is None and "stochmax" in str(self.record.labels["role"]))

    @property
    def at_chance(self) -> bool:
        """Whether the network has not learnt to classify (see ``LEARNT``)."""
        return self.accuracy <= self.chance + LEARNT

    def efficiency(self, conditions: Conditions) -> float:
        """EE against the ANN of the same shape."""
        return self._energy(conditions).efficiency

    def convolutions_efficiency(self, conditions: Conditions) -> float:
        """EE of the spiking convolutions alone, EE_Conv of Table 6."""
        return energy_of(self, conditions.convention, conditions.prices, spiking_only=True).efficiency

    def energy(self, conditions: Conditions) -> float:
        """Energy of the spiking network per image, pJ."""
        return self._energy(conditions).snn

    def _energy(self, conditions: Conditions) -> EnergyReport:
        return self.report(conditions.convention, conditions.prices)

    def report(
        self, convention: str = "paper", prices: str = "int32", *, spiking_only: bool = False
    ) -> EnergyReport:
        """Energy per image of the network and of its ANN; see ``energy_of``."""
        asked = convention, prices, spiking_only
        if asked not in self._reports:
            self._reports[asked] = energy_of(self, convention, prices, spiking_only=spiking_only)
        return self._reports[asked]

    @cached_property
    def _reports(self) -> dict[tuple[str, str, bool], EnergyReport]:
        return {}

    @property
    def parameters(self) -> int:
        """Number of weights of the network, with shared weights counted once.

        With stochmax this includes ``W_psi`` and ``b_psi``, because inference uses rho.
        """
        found = parameter_count(self.topology, self.input_shape)
        classifier = plan(as_ann(self.topology), self.input_shape, "relu")[-1]
        return found + classifier.weights if self.stochmax else found

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, size = train._shape(DataConfig(**self.data))
        return channels, size, size

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step of every spiking site, from the first to the last."""
        return {
            p.site: float(self.measured["activity"][p.site]["rate"])
            for p in self.passes
            if p.neuron in ("lif", "if")
        }

    @property
    def mean_rate(self) -> float:
        """Spikes per neuron and step over all spiking neurons."""
        sizes = {p.site: np.prod(p.out_shape) for p in self.passes}
        return float(
            sum(sizes[site] * rate for site, rate in self.rates.items())
            / sum(sizes[site] for site in self.rates)
        )

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The network's plan."""
        spec = self.record["spec"]
        neuron, static = {"convert": "if", "stdp": "lif"}.get(self.record["task"], ""), False
        if self.record["task"] in ("train", "train-head", "binary"):
            neuron, static = (
                spec["network"]["neuron"],
                spec["input"]["code"] in ("real", "poisson-mean", "direct"),
            )
        elif self.record["task"] == "convert":
            static = spec["conversion"]["relu_layers"] > 0
        return plan(self.topology, self.input_shape, neuron, static_input=static)


def samples(record: Record, view: str = "") -> dict[int | None, Sample]:
    """The results in a record, by T in rising order.

    Args:
        record: a run.
        view: selects one of several results. For an STDP run, the classifier and its input, "fc/learned". For a conversion,
            "ann" is the original network on the simulated images, and "ann-all" the same on all test images, if recorded. For a
            network trained at one T, "early" is its result at smaller T.

    Raises:
        RecordError: a result without the fields of its task.
    """
    try:
        return _samples(record, view)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        task = record["task"]
        raise RecordError(f"{record.path} must hold the results of task {task!r}, got {error!r}") from error


def _samples(record: Record, view: str) -> dict[int | None, Sample]:
    result = record.result
    if record["task"] == "stdp":
        classifier, _, source = view.partition("/")
        if classifier not in result["classifiers"] or source not in result["classifiers"][classifier]:
            return {}
        found = result["classifiers"][classifier]
        measured = {**found, **found[source], "classifier": classifier}
        return {found["steps"]: Sample(record, found["steps"], measured)}
    if record["task"] == "convert":
        if view == "ann":
            return {None: Sample(record, None, result["ann"])}
        if view == "ann-all":
            return {None: Sample(record, None, result.get("ann_all", result["ann"]))}
        simulated = sorted(
            (int(steps), measured) for steps, measured in result["snn"].items()
        )  # sorted as numbers, not as text
        return {steps: Sample(record, steps, measured) for steps, measured in simulated}
    steps = result.get("steps")
    if view == "early":
        found = {int(T): {**result, **measured} for T, measured in result.get("early", {}).items()}
        return {T: Sample(record, T, measured) for T, measured in sorted([*found.items(), (steps, result)])}
    return {steps: Sample(record, steps, result)}


def nearest(spec: Mapping[str, Any], name: str) -> Any:
    """The value called ``name`` at the outermost level of a nested spec that has it, or None."""
    level: list[Mapping[str, Any]] = [spec]
    while level:
        for group in level:
            if name in group:
                return group[name]
        level = [value for group in level for value in group.values() if isinstance(value, Mapping)]
    return None


@dataclass(frozen=True)
class Series:
    """The runs of one network in one role at one T, by seed.

    ``others`` holds the same role, T and view of every network of the family, including this one.

    Attributes:
        missing: in words, if there is no run at all.
        network: name of the network.
        role: role of the runs.
        view: see ``samples``.
        planned: seeds of the grid, in its order; () if unknown.
    """

    name: str
    samples: Mapping[int, Sample]
    missing: str = ""
    network: str = ""
    role: str = ""
    view: str = ""
    planned: tuple[int, ...] = ()
    others: Callable[[], Mapping[str, Mapping[int, Sample]]] = field(default=dict, compare=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its runs."""
        return tuple(sample.record.key for sample in self.samples.values())

    @property
    def steps(self) -> int | None:
        """T."""
        return next((sample.steps for sample in self.samples.values()), None)

    def accuracy(self, seeds: Iterable[int] | None = None) -> float:
        """Mean accuracy over its seeds, or over the given ones."""
        return float(
            np.mean([self.samples[seed].accuracy for seed in (self.samples if seeds is None else seeds)])
        )


@cache
def own_reading(network: str, role: str, reading: str) -> str:
    """The reading under which the runs of a network are recorded.

    It is the first reading if the network has no other, and for an ANN if the readings differ only in which layers spike.
    """
    if reading not in networks.readings(network):
        return "A"
    read, first = (as_ann(networks.network(network, one).topology) for one in (reading, "A"))
    return "A" if role.startswith("ann") and read == first else reading


def entry_reading(entry: Entry) -> str | None:
    found = re.search(r"\breading (\w)\b", entry.note)
    return found[1] if found else None


def hits_of(measured: Mapping[str, Any]) -> np.ndarray:
    """Whether each test image was classified correctly, bool (images,), for a result or a part of one."""
    return statistics.hits(measured["hits"], measured["total"])


def sample_of(record: Record) -> Sample:
    """The measurements of a run with one T."""
    return Sample(record, record.result["steps"], record.result)


def energy_of(
    sample: Sample, convention: str = "paper", prices: str = "int32", *, spiking_only: bool = False
) -> EnergyReport:
    """Energy per image of one run at one T, and of the ANN of the same shape.

    Args:
        spiking_only: count only the LIF and IF layers (EE_Conv of Table 6).

    Raises:
        ValueError: an unknown convention or price list, or an ANN, which has no T.
    """
    one_of("prices", prices, PRICES)
    activity = {site: SiteActivity.from_dict(values) for site, values in sample.measured["activity"].items()}
    passes = [p for p in sample.passes if p.neuron in SPIKING or not spiking_only]
    found = report(passes, activity, sample.steps, prices=PRICES[prices], convention=convention)  # type: ignore[arg-type]
    if not sample.stochmax or spiking_only:
        return found
    psi = replace(
        found.rows[-1], site="psi", layer="psi", ann_pj=0.0
    )  # the ANN's classifier is softmax, without it
    return replace(found, rows=(*found.rows, psi))


def uniform_activity(passes: Iterable[Pass], rate: float) -> dict[str, SiteActivity]:
    """The same rate, in spikes per neuron and step, at every site of a plan, the input included."""
    return {site: SiteActivity("spikes", rate, rate) for p in passes for site in (p.site, *p.sources)}
