"""What of an exhibit's grid is recorded, what is missing, and at which scale it is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any

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
    """Data, width and epochs in words, for captions. Raises ``ValueError`` unless all records share them."""
    texts = {_scale(record.labels["profile"], record.spec) for record in records}
    if len(texts) != 1:
        raise ValueError(f"records must be of one scale, got {'; '.join(sorted(texts)) or 'none'}")
    return texts.pop()


def _scale(name: str, spec: train.Spec) -> str:
    p = profile(name)
    large = replace(spec.data, seed=p.imagenet.seed) == p.imagenet
    width = Fraction(p.imagenet_width if large else p.width).limit_denominator(1000)
    return (
        f"profile {name}: {_data(spec.data)}, networks at {width} of the width, {spec.training.epochs} epochs"
    )


def _data(data: DataConfig) -> str:
    size = f" at {data.size} pixels" if data.size else ""
    return f"{data.name}{size}, {data.train:,} training and {data.test:,} test images"


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
        return energy_of(self, conditions.convention, conditions.prices, spiking_only=True).efficiency

    def energy(self, conditions: Conditions) -> float:
        """Energy of the spiking network per image, pJ."""
        return self._energy(conditions).snn

    def _energy(self, conditions: Conditions) -> EnergyReport:
        return energy_of(self, conditions.convention, conditions.prices)

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
        return float(
            np.mean([self.samples[seed].accuracy for seed in (self.samples if seeds is None else seeds)])
        )


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


NO_INTERVAL = "no interval"


def accuracy_cell(runs: Sequence[Record]) -> dict[str, object]:
    found = statistics.mean_over_seeds([run.result["accuracy"] for run in runs])
    total = runs[0].result["total"]
    return {
        "accuracy": found.mean,
        "over seeds": span(found.low, found.high),
        "over test images": span(*statistics.wilson(min(found.mean * total, total), total)),
        "seeds": found.count,
    }


def difference(snn: Mapping[int, Record], ann: Mapping[int, Record]) -> dict[str, object]:
    both = sorted(snn.keys() & ann.keys())
    names = (
        "ANN accuracy",
        "minus ANN",
        "difference over seeds",
        "difference over test images",
        "pairs",
        "only SNN right",
        "only ANN right",
        "McNemar p",
    )
    if not both:
        return dict.fromkeys(names)
    found = statistics.paired(*([hits_cell(runs[seed]) for seed in both] for runs in (snn, ann)))
    values = (
        float(np.mean([ann[seed].result["accuracy"] for seed in both])),
        100 * found.difference,
        span(found.seeds.low, found.seeds.high, signed=True),
        span(*found.interval(), signed=True),
        len(both),
        found.only_first,
        found.only_second,
        found.p,
    )
    return dict(zip(names, values, strict=True))


def hits_cell(record: Record) -> np.ndarray:
    return statistics.hits(record.result["hits"], record.result["total"])


def efficiency_cell(runs: Sequence[Record], convention: str) -> float | None:
    samples = [Sample(run, run.result["steps"], run.result) for run in runs if "steps" in run.result]
    return float(np.mean([energy_of(one, convention).efficiency for one in samples])) if samples else None


def joint(over_seeds: str, over_images: str) -> tuple[str, str]:
    """Two printed intervals of one difference as one, errors added as squares as in the ledger, and what it is over.

    Printed numbers are rounded, so its last digit may differ from the ledger's.
    """
    if " to " not in over_seeds:
        return over_images, "test images alone"
    (low, high), (least, most) = (map(float, span.split(" to ")) for span in (over_seeds, over_images))
    centre, half = (low + high) / 2, math.hypot(high - low, most - least) / 2
    return f"{centre - half:+.1f} to {centre + half:+.1f}", "seeds and test images"


def span(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval in per cent, or of a difference in points: "58.1 to 60.3"; "no interval" where there is none."""
    if low is None or high is None:
        return NO_INTERVAL
    sign = "+" if signed else ""
    return f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


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
