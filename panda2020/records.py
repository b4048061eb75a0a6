"""What of an exhibit's grid is recorded, what is missing, and at which scale it is shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from panda2020.runs.executing import minutes
from panda2020.tasks import train
from snncore._check import one_of
from snncore.activity import SiteActivity
from snncore.data import DataConfig
from snncore.energy import PRICES, EnergyReport, report
from snncore.topology import SPIKING, Pass, as_ann, parameter_count, plan

from . import networks, statistics
from .planning import seed_of, steps_of
from .profiles import profile
from .runs import Entry, MissingRuns, Record, collect, key
from .statistics import Estimate


def recorded(
    entries: Iterable[Entry], *, results: str | Path | None = None
) -> tuple[list[Record], list[Entry]]:
    """The records in ``results`` behind ``entries``, and the entries that have none there. Nothing is executed.

    A user's own ``runs/`` are left out. Raises ``RecordError`` for a record that must not be used.
    """
    entries = list(entries)
    try:
        return collect(entries, results=results, own_runs=False), []
    except MissingRuns as gap:
        lacking = {key(entry.spec) for entry in gap.entries}
        present = [entry for entry in entries if key(entry.spec) not in lacking]
        return collect(present, results=results, own_runs=False), gap.entries


def missing_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Runs that nobody has recorded, seeds joined, with the minutes they are estimated to take on two CPU cores."""
    rows: dict[tuple, dict] = {}
    for entry in entries:
        group = (entry.network, entry.note, entry.role, steps_of(entry))
        row = rows.setdefault(group, {"seeds": [], "minutes": 0.0})
        row["seeds"].append(str(seed_of(entry)))
        row["minutes"] += minutes(entry.spec)
    table = pd.DataFrame(
        [
            {
                "network": network,
                "reading": reading_of(note),
                "role": role.upper(),
                "seeds": ", ".join(row["seeds"]),
                "runs": len(row["seeds"]),
                "minutes": row["minutes"],
            }
            for (network, note, role, _), row in rows.items()
        ],
        columns=["network", "reading", "role", "T", "seeds", "runs", "minutes"],
    )
    return table.assign(T=pd.Series([steps for _, _, _, steps in rows], dtype=object))


def reading_of(note: str) -> str:
    """The reading of a network from a label's note: "reading B" -> "B"; networks with one reading have "A"."""
    return note.removeprefix("reading ") or "A"


def scale(records: Sequence[Record]) -> str:
    """Data, width and training of some runs in words, for captions: "Profile laptop: cifar10, ...".

    Where some are STDP runs, they are described and not the ANNs beside them. Raises ``ValueError`` unless all records share
    what is said.
    """
    learnt = [record for record in records if record.labels["role"] == "stdp"]
    texts = {_scale(record.labels["profile"], record.spec) for record in learnt or records}
    if len(texts) != 1:
        raise ValueError(f"records must be of one scale, got {'; '.join(sorted(texts)) or 'none'}")
    return texts.pop()


def _scale(name: str, spec: Any) -> str:
    if hasattr(spec, "stdp"):
        return (
            f"Profile {name}: {_source(spec.data)}, {spec.unlabelled:,} images without labels for STDP, {spec.data.train:,} with "
            f"labels for the classifiers, {spec.data.test:,} test images, T = {spec.stdp.steps}"
        )
    p, converted = profile(name), hasattr(spec, "conversion")
    trained = spec.ann if converted else spec
    large = replace(trained.data, seed=p.imagenet.seed) == p.imagenet
    if converted:
        large = (trained.data.name, trained.data.size) == (p.imagenet.name, p.imagenet.size)
        data = f"{_source(trained.data)}, {trained.data.train:,} training images"
    else:
        data = data_in_words(trained.data)
    text = f"Profile {name}: {data}, networks at {share_of_width(p.imagenet_width if large else p.width)}, "
    text += f"{trained.training.epochs} epochs"
    if converted:
        text += f"; thresholds from {spec.conversion.images} images and {spec.conversion.steps} steps"
    return text


def share_of_width(width: float) -> str:
    """ "full width", "1/8 of the width"."""
    return "full width" if width == 1 else f"{Fraction(width).limit_denominator(1000)} of the width"


def data_in_words(data: DataConfig) -> str:
    """The images: "cifar10 at 16 pixels, 4,000 training and 1,000 test images"."""
    return f"{_source(data)}, {data.train:,} training and {data.test:,} test images"


def _source(data: DataConfig) -> str:
    return data.name + (f" at {data.size} pixels" if data.size else "")


class Place(NamedTuple):
    """What the seeds of one series share; ``steps`` is T where a run has one T, also an ANN's whose input does."""

    network: str
    reading: str
    role: str
    steps: int | None


def by_place(records: Iterable[Record], *, roles: Collection[str] = ()) -> dict[Place, dict[int, Record]]:
    """Runs by place, then by seed, rising; places in the order of the records.

    Raises ``ValueError`` for records of more than one profile, for a role that is none of ``roles`` (if given), and for the
    same run twice.
    """
    records = list(records)
    profiles = sorted({record.labels["profile"] for record in records})
    if len(profiles) > 1:
        raise ValueError(f"records must be of one profile, got {', '.join(profiles)}")
    found: dict[Place, dict[int, Record]] = {}
    for record in records:
        labels, seed = record.labels, record.spec.seed
        if roles and labels["role"] not in roles:
            raise ValueError(f"role of a record must be one of {', '.join(roles)}, got {labels['role']!r}")
        steps = record.result.get("steps")
        if labels["role"] == "ann-poisson":  # an ANN on the mean of T Poisson spikes
            steps = record.spec.input.steps
        place = Place(labels["network"], reading_of(labels["note"]), labels["role"], steps)
        if found.setdefault(place, {}).setdefault(seed, record) is not record:
            where = " ".join(str(part) for part in place if part is not None)
            raise ValueError(f"records must hold each run once, got {where} seed {seed} twice")
    return {place: dict(sorted(seeds.items())) for place, seeds in found.items()}


#: An efficiency is read at the smallest T whose accuracy is within this of that at the largest T.
MARGIN = 0.01


def settled_at(accuracies: Mapping[int, Mapping[int, float]]) -> int:
    """The T at which EE is read, from accuracies by T and seed: the smallest within ``MARGIN`` of the accuracy at the largest T.

    Only T with the largest number of seeds can be chosen; a T with fewer seeds serves as the reference accuracy. If none comes
    within ``MARGIN``, the largest eligible T is returned.
    """
    last, most = accuracies[max(accuracies)], max(map(len, accuracies.values()))
    eligible = sorted(steps for steps, by_seed in accuracies.items() if len(by_seed) == most)
    for steps in eligible:
        here = accuracies[steps]
        common = here.keys() & last.keys()
        if common and np.mean([here[s] - last[s] for s in common]) >= -MARGIN - 1e-9:
            return steps
    return eligible[-1]


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
VIEWS = {
    "": "",
    "fc/learned": " under FC1 and FC2",
    "convnn/learned": " under ConvNN",
    "fc-stochmax/learned": " under stochmax",
}


def run_name(network: str, role: str, steps: int | None = None, view: str = "") -> str:
    """A run in words: "SNN VGG5, T = 25"."""
    if view == "ann":
        return f"ANN {network}"
    return ROLES.get(role, role + " {}").format(network) + VIEWS[view] + (f", T = {steps}" if steps else "")


@dataclass(frozen=True)
class Conditions:
    """The choices that verdicts may depend on and that need no new run of the default grid.

    convention, prices: of the energy. reading: of the networks that have several.
    """

    convention: str = "paper"
    prices: str = "int32"
    reading: str = "A"


DEFAULT = Conditions()


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
        found: Mapping[str, Any] = nearest(self.record["spec"], "data")
        return found

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / int(self.topology.split()[-1].removeprefix("F"))

    @property
    def topology(self) -> str:
        """The whole network's."""
        held: Mapping[str, Any] = self.measured if self.record["task"] == "stdp" else self.record.result
        return str(held.get("topology") or nearest(self.record["spec"], "topology"))

    @property
    def at_chance(self) -> bool:
        """Whether the net has not learnt to classify (see ``LEARNT``)."""
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
        """The energy per image beside that of the ANN, see ``energy_of``."""
        return energy_of(self, convention, prices, spiking_only=spiking_only)

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
        if self.record["task"] in ("train", "train-head"):
            neuron, static = (
                spec["network"]["neuron"],
                spec["input"]["code"] in ("real", "poisson-mean", "direct"),
            )
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
        simulated = sorted(
            (int(steps), measured) for steps, measured in result["snn"].items()
        )  # as text "50" follows "2000"
        return {steps: Sample(record, steps, measured) for steps, measured in simulated}
    steps = result.get("steps")
    return {steps: Sample(record, steps, result)}


def nearest(spec: Mapping[str, Any], name: str) -> Any:
    """The value named ``name`` nearest to the top of a nested spec, or None."""
    level: list[Mapping[str, Any]] = [spec]
    while level:
        for group in level:
            if name in group:
                return group[name]
        level = [value for group in level for value in group.values() if isinstance(value, Mapping)]
    return None


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
        return float(
            np.mean([self.samples[seed].accuracy for seed in (self.samples if seeds is None else seeds)])
        )


@cache
def own_reading(network: str, role: str, reading: str) -> str:
    """The reading under which the runs of a network are recorded: the first where it has no other, and for an ANN where readings
    differ only in which layers spike."""
    if reading not in networks.readings(network):
        return "A"
    read, first = (as_ann(networks.network(network, one).topology) for one in (reading, "A"))
    return "A" if role.startswith("ann") and read == first else reading


def entry_reading(entry: Entry) -> str | None:
    found = re.search(r"\breading (\w)\b", entry.note)
    return found[1] if found else None


def accuracy_columns(runs: Sequence[Record]) -> dict[str, object]:
    """Mean accuracy over seeds with its total interval in per cent."""
    total = runs[0].result["total"]
    found = statistics.accuracy_estimate([run.result["accuracy"] * total for run in runs], total)
    return {
        "accuracy": found.mean,
        "95 % interval": None if found.interval is None else found.interval * 100,
        "over": found.over,
        "seeds": found.seeds,
    }


def difference_columns(first: Mapping[int, Record], second: Mapping[int, Record]) -> dict[str, Any]:
    """Accuracy of ``first`` minus that of ``second`` in points, paired by seed and test image; all None without a pair."""
    names = (
        "reference",
        "difference",
        "difference, 95 %",
        "difference over",
        "pairs",
        "only first",
        "only second",
        "McNemar p",
    )
    both = sorted(first.keys() & second.keys())
    if not both:
        return dict.fromkeys(names)
    pair = statistics.paired(*([hits_of(runs[seed].result) for seed in both] for runs in (first, second)))
    found = pair.total * 100
    values = (
        float(np.mean([second[seed].result["accuracy"] for seed in both])),
        found.mean,
        found.interval,
        found.over,
        len(both),
        pair.only_first,
        pair.only_second,
        pair.p,
    )
    return dict(zip(names, values, strict=True))


def difference_estimate(first: Mapping[int, Record], second: Mapping[int, Record]) -> Estimate:
    """The same as a value, in points."""
    both = sorted(first.keys() & second.keys())
    return (
        statistics.paired(*([hits_of(runs[seed].result) for seed in both] for runs in (first, second))).total
        * 100
    )


def hits_of(measured: Mapping[str, Any]) -> np.ndarray:
    """Which test images were right, bool (images,), of a result or a part of one."""
    return statistics.hits(measured["hits"], measured["total"])


def sample_of(record: Record) -> Sample:
    """What a run with one T measured."""
    return Sample(record, record.result["steps"], record.result)


def mean_or_none(values: Sequence[float]) -> float | None:
    """The mean; None of no values."""
    return float(np.mean(values)) if len(values) else None


def mean_efficiency(runs: Sequence[Record], convention: str) -> float | None:
    """Mean EE of the runs that have a T; None where none has."""
    spiking = [sample_of(run) for run in runs if "steps" in run.result]
    return mean_or_none([one.report(convention).efficiency for one in spiking])


def energy_of(
    sample: Sample, convention: str = "paper", prices: str = "int32", *, spiking_only: bool = False
) -> EnergyReport:
    """Energy per image of what one run measured at one T, next to that of the ANN of the same shape.

    spiking_only: of the LIF and IF layers alone (EE_Conv of Table 6). Raises ``ValueError`` for an unknown convention or price
    list, and for an ANN, which has no T.
    """
    one_of("prices", prices, PRICES)
    activity = {site: SiteActivity.from_dict(values) for site, values in sample.measured["activity"].items()}
    passes = [p for p in sample.passes if p.neuron in SPIKING or not spiking_only]
    return report(passes, activity, sample.steps, prices=PRICES[prices], convention=convention)  # type: ignore[arg-type]
