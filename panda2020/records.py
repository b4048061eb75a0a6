"""The recorded and missing runs of an exhibit's grid, and the scale at which it is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from snncore.data import DataConfig

from . import families, statistics
from .profiles import profile
from .runs import Entry, MissingRuns, Record, collect, key
from .samples import Sample, Series, hits_of, sample_of
from .statistics import Estimate


def recorded(
    entries: Iterable[Entry], *, results: str | Path | None = None
) -> tuple[list[Record], list[Entry]]:
    """The records in ``results`` for ``entries``, and the entries without a record. Nothing is executed.

    A user's own ``runs/`` are ignored.

    Raises:
        RecordError: a record that must not be used.
    """
    entries = list(entries)
    try:
        return collect(entries, results=results, own_runs=False), []
    except MissingRuns as gap:
        lacking = {key(entry.spec) for entry in gap.entries}
        present = [entry for entry in entries if key(entry.spec) not in lacking]
        return collect(present, results=results, own_runs=False), gap.entries


def reading_of(note: str) -> str:
    """The reading of a network from a label's note: "reading B" -> "B"; networks with one reading have "A"."""
    return note.removeprefix("reading ") or "A"


def shown_name(network: str, reading: str = "A") -> str:
    """The article's name of a network: VGG7-agd and VGG7-conv in our registry are its VGG7."""
    name = network.removesuffix("-agd").removesuffix("-conv")
    return name if reading == "A" else f"{name}, reading {reading}"


def scale(records: Sequence[Record]) -> str:
    """Data, width and training of some runs in words, for captions: "Profile laptop: CIFAR-10, ...".

    If some are STDP runs, the text describes only these and not their ANNs.

    Raises:
        ValueError: records with different descriptions.
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
    """A description of the images: "CIFAR-10 at 16 pixels, 4,000 training and 1,000 test images"."""
    return f"{_source(data)}, {data.train:,} training and {data.test:,} test images"


def data_name(data: DataConfig) -> str:
    """The name of a data set as it is usually written."""
    return {"cifar10": "CIFAR-10"}.get(data.name, data.name)


def _source(data: DataConfig) -> str:
    return data_name(data) + (f" at {data.size} pixels" if data.size else "")


class Place(NamedTuple):
    """The labels that the seeds of one series share. ``steps`` is the T of a run with one T, or of an ANN whose input has one."""

    network: str
    reading: str
    role: str
    steps: int | None


def by_place(records: Iterable[Record], *, roles: Collection[str] = ()) -> dict[Place, dict[int, Record]]:
    """Group runs by place, then by seed in rising order; places keep the order of the records.

    Args:
        records: runs of one profile.
        roles: allowed roles; empty allows all.

    Raises:
        ValueError: records of more than one profile, a role that is not allowed, or the same run twice.
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


#: An efficiency is read at the smallest T whose accuracy is within this margin of that at the largest T.
MARGIN = 0.01


def settled_at(accuracies: Mapping[int, Mapping[int, float]]) -> int:
    """The T at which EE is read: the smallest T whose accuracy is within ``MARGIN`` of that at the largest T.

    Only a T with the largest number of seeds can be chosen; a T with fewer seeds serves as the reference accuracy. If none is
    within ``MARGIN``, the largest eligible T is returned.

    Args:
        accuracies: by T and seed.
    """
    last, most = accuracies[max(accuracies)], max(map(len, accuracies.values()))
    eligible = sorted(steps for steps, by_seed in accuracies.items() if len(by_seed) == most)
    for steps in eligible:
        here = accuracies[steps]
        common = here.keys() & last.keys()
        if common and np.mean([here[s] - last[s] for s in common]) >= -MARGIN - 1e-9:
            return steps
    return eligible[-1]


def accuracy_columns(runs: Sequence[Record]) -> dict[str, object]:
    """Mean accuracy over seeds with its total interval in per cent."""
    found = _accuracy({run.spec.seed: run for run in runs})
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
    pair = _paired(first, second)
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
    """Accuracy of ``first`` minus that of ``second`` in points, paired by seed and test image."""
    return _paired(first, second).total * 100


def _paired(first: Mapping[int, Record], second: Mapping[int, Record]) -> statistics.Paired:
    both = sorted(first.keys() & second.keys())
    pool = families.of_pair(series_of(first), series_of(second), share)
    return statistics.paired(
        *([hits_of(runs[seed].result) for seed in both] for runs in (first, second)), pool=pool
    )


def accuracy_estimate(runs: Mapping[int, Record]) -> Estimate | None:
    """Test accuracy in per cent over the seeds of one place; None without runs."""
    if not runs:
        return None
    return _accuracy(runs) * 100


def _accuracy(runs: Mapping[int, Record]) -> Estimate:
    total = next(iter(runs.values())).result["total"]
    pool = families.of_values(series_of(runs), share)
    correct = [run.result["accuracy"] * total for run in runs.values()]
    return statistics.accuracy_estimate(correct, total, pool=pool)


def efficiency_estimate(runs: Mapping[int, Record], convention: str = "paper") -> Estimate | None:
    """EE over the seeds of one place; None without runs."""
    if not runs:
        return None

    def efficiency(sample: Sample) -> float:
        return sample.report(convention).efficiency

    pool = families.of_values(series_of(runs), efficiency, ratio=True)
    return statistics.estimate([efficiency(sample_of(run)) for run in runs.values()], ratio=True, pool=pool)


def series_of(runs: Mapping[int, Record], steps: int | None = None, view: str = "") -> Series:
    """Runs of one place as a series whose variance over seeds can be pooled, if the ledger looked the runs up.

    Args:
        steps: the T of runs with several; None means their only one.
        view: see ``samples.samples``.
    """
    one = next(iter(runs.values()))
    steps = one.result.get("steps") if steps is None and not view else steps
    family = {} if one.family is None else one.family(steps, view)
    return Series(
        "", {}, network=one.labels["network"], role=one.labels["role"], view=view, others=lambda: family
    )


def share(sample: Sample) -> float:
    """Accuracy."""
    return sample.accuracy


def mean_or_none(values: Sequence[float]) -> float | None:
    """The mean; None if there are no values."""
    return float(np.mean(values)) if len(values) else None


def mean_efficiency(runs: Sequence[Record], convention: str) -> float | None:
    """Mean EE of the runs that have a T; None if no run has one."""
    spiking = [sample_of(run) for run in runs if "steps" in run.result]
    return mean_or_none([one.report(convention).efficiency for one in spiking])
