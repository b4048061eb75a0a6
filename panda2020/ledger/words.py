"""The ledger in words: estimates with intervals, missing runs, scale. Page, command line and headline share them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from panda2020 import profiles
from panda2020.claims.claims import Claim
from panda2020.claims.verdicts import NOT_RECORDED, SIGNS, VERDICTS, QuantityVerdict
from panda2020.exhibits.numbers import NO_INTERVAL, between, digits, interval, number
from panda2020.profiles import profile
from panda2020.records import data_in_words, data_name, share_of_width
from panda2020.runs import Entry, Record
from panda2020.samples import nearest, run_name
from panda2020.statistics import CONFIDENCE
from snncore.data import DataConfig
from snncore.training import TrainingConfig

from .ledger import Judgement

NOTHING = "–"

T = TypeVar("T")


def signed(verdict: str) -> str:
    """A verdict as sign and word, such as "✔ supported"."""
    return f"{SIGNS[verdict]} {verdict}"


def mark(judgement: Judgement) -> str:
    """A mark if a reading changes a verdict."""
    return "*" if judgement.moved else ""


def moved(judgement: Judgement) -> str:
    """The readings that change a verdict, such as "readout: mean over T: open"."""
    return "; ".join(f"{name}: {signed(verdict)}" for name, verdict in judgement.moved.items())


def place(claim: Claim) -> str:
    """The location in the article, such as "section 8.1, Table 8"."""
    if claim.where.startswith("footnote"):
        return f"{claim.where}, {claim.exhibit}"
    return f"section{'s' if ' and ' in claim.where else ''} {claim.where}, {claim.exhibit}"


def command(claim: Claim, profile_name: str) -> str:
    """The command that reproduces the verdict."""
    return f"python -m panda2020 claims {claim.id} --profile {profile_name}"


def plain(what: str) -> str:
    """A quantity's name with the article's names of the networks: VGG7-agd and VGG7-conv in our registry are its VGG7."""
    return re.sub(r"\b(VGG7)-(agd|conv)\b", r"\1", what).replace("T = ", "T\u00a0=\u00a0")


def measure(value: float, unit: str, spec: str = "") -> str:
    """A value with its unit, such as "−1.2 points"."""
    return f"{number(value, spec)} {unit}".strip()


def estimate(judged: QuantityVerdict) -> str:
    """Our value with its interval, to the digits that the interval leaves certain, such as "−1.2 points [−3.0 to 0.6]"."""
    found = judged.estimate
    if found is None:
        return NOTHING
    if found.interval is None:
        return f"{measure(found.mean, judged.quantity.unit)} ({NO_INTERVAL})"
    spec = digits(found.interval)
    value = measure(found.mean, judged.quantity.unit, spec)
    if found.interval.low == found.interval.high:
        return value
    return f"{value} [{interval(found.interval, spec)}]"


def basis(judged: QuantityVerdict) -> str:
    """The source of the interval."""
    found = judged.estimate
    if found is None:
        return NOTHING
    share = f"{100 * CONFIDENCE:g} %"
    seeds = f"{found.seeds} seed{'s' if found.seeds > 1 else ''}"
    if found.pool is not None:
        seeds += f", their variance pooled over {found.pool.networks} networks ({found.pool.freedom} degrees of freedom),"
    return {
        "seeds": f"{share} over {seeds}".rstrip(","),
        "both": f"{share} over {seeds} and the test images",
        "images": f"{share} from the test images alone, one seed",
        "computed": "computed, exact",
        "none": "one seed",
    }[found.basis]


def answers(judged: QuantityVerdict) -> str:
    """The two answers in words, such as "direction shown, size another"; the reason if there are none."""
    said = [f"direction {judged.direction}"] if judged.direction else []
    said += [f"size {judged.size}"] if judged.size else []
    return ", ".join(said) or judged.reason


def claimed(judged: QuantityVerdict) -> str:
    """The sentence's claim about a quantity, such as "above 1, and 11.3 to 20"."""
    asked = (judged.quantity.direction, judged.quantity.size)
    return ", and ".join(str(one) for one in asked if one is not None)


def bounds(judged: QuantityVerdict) -> str:
    """The source of these bounds."""
    asked = (judged.quantity.direction, judged.quantity.size)
    return "; ".join(dict.fromkeys(one.reason for one in asked if one is not None))


def role(judged: QuantityVerdict) -> str:
    """The role of a quantity in the verdict: "decides" or "shown beside"."""
    return "shown beside" if judged.quantity.beside else "decides"


def found(judgement: Judgement) -> str:
    """The result in one line: one or two estimates, else how many quantities have which verdict, else the reason for none."""
    parts = judgement.conclusion.parts
    counted = list(judgement.conclusion.counted or parts)
    measured = [j for j in counted if j.estimate is not None]
    if judgement.verdict == NOT_RECORDED or not measured:
        return shortened(judgement.conclusion.reason)
    if len(counted) <= 2:
        return "; ".join(f"{j.quantity.what}: {estimate(j)}" for j in measured)
    counts = Counter(j.verdict for j in counted)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{len(counted)} quantities: {listed}"


def shortened(reason: str, keep: int = 2) -> str:
    """The first clauses of a reason, and the number of the others."""
    clauses = reason.split("; ")
    left = len(clauses) - keep
    return reason if left < 1 else f"{'; '.join(clauses[:keep])}; and {left} more"


def behind(judgement: Judgement) -> str:
    """The evidence of a verdict: its runs and seeds, or that it is computed."""
    if judgement.records:
        runs, seeds = len(judgement.records), judgement.seeds
        text = f"{runs} run{'s' if runs > 1 else ''}"
        return f"{text}, {seeds} seed{'s' if seeds > 1 else ''}" if seeds else text
    return "computed, no training run" if judgement.computed else "no run"


def planned(entries: Sequence[Entry]) -> list[str]:
    """Runs in words, with seeds joined, such as "SNN VGG5, T = 25: seeds 0, 1"."""
    rows: dict[str, list[int]] = {}
    for entry in entries:
        spec = entry.spec
        steps = getattr(getattr(spec, "input", None), "steps", None)
        note = "" if entry.note in ("", "reading A") else f" ({entry.note})"  # A is the default reading
        name = run_name(entry.network, entry.role, steps) + note
        rows.setdefault(name, []).append(int(spec.seed if hasattr(spec, "seed") else spec.ann.seed))
    return [
        f"{name}: seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, sorted(seeds)))}"
        for name, seeds in rows.items()
    ]


def duration(minutes: float) -> str:
    """ "40 minutes", "3.2 hours"."""
    return f"{number(minutes)} minutes" if minutes < 90 else f"{number(minutes / 60)} hours"


def images_behind(records: Iterable[Record]) -> list[str]:
    """The training and test images of some runs, in words."""
    found = (DataConfig(**nearest(record["spec"], "data")) for record in records)
    return list(dict.fromkeys(data_in_words(data) for data in found))


def scale(profile_name: str) -> str:
    """The scale of a profile in words."""
    p = profile(profile_name)
    epochs = [recipe.epochs for recipe in _within(p, TrainingConfig)]
    cifar = [data for data in _within(p, DataConfig) if data.name == p.data.name]
    converted, subset, stdp = (
        profiles.CIFAR_CONVERSION[p.name],
        profiles.IMAGENET_CONVERSION[p.name],
        profiles.STDP_SCALES[p.name],
    )
    images = " or ".join(f"{train:,}" for train in sorted({data.train for data in cifar}))
    return (
        f"{data_name(p.data)}, {images} training and {p.data.test:,} test images, networks at {share_of_width(p.width)}; "
        f"in place of ImageNet {data_in_words(p.imagenet)}, networks at {share_of_width(p.imagenet_width)}; "
        f"{between(min(epochs), max(epochs))} epochs. Converted networks are tested on {converted.test:,} of these images "
        f"({subset.test:,} of ImageNet classes). STDP: networks at {share_of_width(stdp.width)}, {stdp.unlabelled:,} images "
        f"without labels, {stdp.train:,} with, {stdp.test:,} test images. Up to {len(p.seeds)} seeds"
    )


def _within(value: Any, kind: type[T]) -> Iterator[T]:
    """All objects of a kind in nested dataclasses."""
    if isinstance(value, kind):
        yield value
    elif is_dataclass(value):
        for name in fields(value):
            yield from _within(getattr(value, name.name), kind)
