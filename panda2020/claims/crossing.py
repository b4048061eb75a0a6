"""The T at which a network has lost a given accuracy, and its energy there (section 5 of the protocol).

An efficiency is read at a loss of 1 point from the last accuracy, by interpolation in log T: the T double from one to the
next, so an efficiency read at one of them is uncertain by a factor of 2. The T depends on the test images, so it is chosen
again in every resample of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from panda2020.families import independent
from panda2020.samples import Sample
from panda2020.statistics import Interval, Pool, pooled, pooled_difference, resampled

from .admissibility import refusal
from .evidence import Case
from .protocol import EE_LOSS, RESAMPLES
from .quantities import alone
from .ranges import Range
from .verdicts import RATIO, Quantity

Measure = Callable[[Sample], float]


@dataclass(frozen=True)
class Course:
    """One run over its T, in rising order.

    Attributes:
        times: T.
        accuracies: (T,).
        again: accuracies under resampling of the images, (resamples, T).
        measured: logarithms of the measure, (T,).
    """

    times: tuple[int, ...]
    accuracies: np.ndarray
    again: np.ndarray
    measured: np.ndarray = field(repr=False)

    def at(self, targets: float | np.ndarray, *, again: bool = False) -> np.ndarray:
        """Logarithm of the measure where the accuracy first reaches a target, or the last one if it never does.

        Between two T both accuracy and measure are linear in log T.

        Args:
            targets: one for all resamples, or (resamples,).
            again: use the resampled accuracies.
        """
        found = self.again if again else self.accuracies[None]
        wanted = np.broadcast_to(targets, len(found))[:, None]
        reached = found >= wanted - 1e-9
        reached[:, -1] = True
        after = reached.argmax(1)
        before = np.maximum(after - 1, 0)
        rows = np.arange(len(found))
        low, high = found[rows, before], found[rows, after]
        rise = np.where(high > low, high - low, 1.0)
        part = np.where(after > before, np.clip((wanted[:, 0] - low) / rise, 0.0, 1.0), 1.0)
        result: np.ndarray = self.measured[before] + part * (self.measured[after] - self.measured[before])
        return result

    def below_last(self, loss: float, *, again: bool = False) -> np.ndarray:
        """``at`` for a loss from the last accuracy."""
        found = self.again if again else self.accuracies[None]
        return self.at(found[:, -1] - loss, again=again)


def course(case: Case, samples: Sequence[Sample], of: Measure) -> Course:
    """The course of one run, its samples in order of T."""
    record = samples[0].record
    place = record.key, f"again {'/'.join(str(s.steps) for s in samples)}"
    right = np.stack([sample.hits for sample in samples])
    if place not in case.resampled:
        case.resampled[place] = resampled(right, resamples=RESAMPLES)
    measured = np.log([max(of(sample), 1e-300) for sample in samples])
    times = tuple(int(sample.steps or 0) for sample in samples)
    return Course(times, right.mean(1), case.resampled[place], measured)


@dataclass(frozen=True)
class Reading:
    """A network read at the T where it has lost a given accuracy.

    By seed, the logarithm of the measure, and the same under resampling.

    Attributes:
        others: the same for every network of its family, by name.
        part: what is missing or void.
        early: whether it was read at more than one T.
    """

    name: str
    network: str
    role: str
    values: Mapping[int, float]
    again: Mapping[int, np.ndarray]
    others: Mapping[str, Mapping[int, float]]
    part: Quantity
    early: bool


def read(
    case: Case,
    network: str,
    role: str,
    of: Measure,
    size: Range | None,
    *,
    direction: Range | None,
    loss: float = EE_LOSS,
    view: str = "",
    learnt: bool = False,
) -> Reading:
    """Read a network in a role at a loss from its last accuracy; a network with one T is read at that T.

    Args:
        view: "early" includes the smaller T at which a network trained at one T was read.
    """
    if role.startswith("converted"):
        times = case.times(network, role)
        last = case.series(network, role, times[-1] if times else None)
    else:
        planned = case.planned(network, role)
        last = case.series(network, role, planned[0] if planned else None, view=view)
        times = next((tuple(filter(None, case.of_record(s.record, view))) for s in last.samples.values()), ())
    where = f" at a loss of {100 * loss:g} point{'' if loss == 0.01 else 's'}" if len(times) > 1 else ""
    name = last.name.rpartition(", T = ")[0] + where if where else last.name
    part = alone(Quantity(name, RATIO, direction, size), last)
    stuck = [seed for seed, sample in last.samples.items() if sample.at_chance]
    void = f"{last.name} is at chance in {len(stuck)} of {len(last.samples)} runs" if stuck else ""
    if not void and learnt:
        void = refusal(last, seeds=last.samples)
    found = {
        other: {seed: _course(case, end, of, view=view, alone=len(times) < 2) for seed, end in runs.items()}
        for other, runs in last.others().items()
    }
    own = {seed: one for seed, one in found.get(network, {}).items() if seed in last.samples}
    return Reading(
        name,
        network,
        role,
        {seed: float(one.below_last(loss)[0]) for seed, one in own.items()},
        {seed: one.below_last(loss, again=True) for seed, one in own.items()},
        {
            other: {
                seed: float(one.below_last(loss)[0])
                for seed, one in runs.items()
                if not last.others()[other][seed].at_chance
            }
            for other, runs in found.items()
        },
        replace(part, void=void),
        len(times) > 1,
    )


def _course(case: Case, end: Sample, of: Measure, *, view: str, alone: bool) -> Course:
    if alone:
        return course(case, [end], of)
    held = case.of_record(end.record, view)
    return course(case, [sample for T, sample in sorted(held.items(), key=lambda item: item[0] or 0)], of)


def level(one: Reading, *, what: str) -> Quantity:
    """The measure itself, such as EE."""
    part = replace(one.part, what=what)
    if not one.values:
        return part
    values = tuple(math.exp(value) for value in one.values.values())
    images = over_images(list(one.values.values()), list(one.again.values()))
    return replace(part, seeds=tuple(one.values), values=values, images=images, pool=_own_pool(one))


def quotient(one: Reading, other: Reading, *, what: str, note: str = "") -> Quantity:
    """The measure of one network divided by that of another, by seed, each read at its own loss."""
    missing = tuple(dict.fromkeys(one.part.missing + other.part.missing))
    void = "; ".join(dict.fromkeys(filter(None, (one.part.void, other.part.void))))
    keys = tuple(dict.fromkeys(one.part.keys + other.part.keys))
    part = replace(one.part, what=what, missing=missing, void=void, keys=keys, note=note)
    both = [seed for seed in one.values if seed in other.values]
    if not both:
        return replace(part, missing=missing or (f"no seed has both {one.name} and {other.name}",))
    logs = [one.values[seed] - other.values[seed] for seed in both]
    return replace(
        part,
        seeds=tuple(both),
        values=tuple(map(math.exp, logs)),
        images=over_images(logs, [one.again[seed] - other.again[seed] for seed in both]),
        pool=_pool(one, other),
    )


def _own_pool(one: Reading) -> Pool | None:
    return pooled([list(group.values()) for group in one.others.values()], logarithmic=True)


def _pool(one: Reading, other: Reading) -> Pool | None:
    """The seed variance of the quotient, as in ``families.of_pair``."""
    if one.network != other.network and one.role == other.role and one.others.keys() == other.others.keys():
        groups = [group for group in one.others.values() if len(group) > 1]
        return pooled_difference(groups, logarithmic=True)
    return independent(_own_pool(one), _own_pool(other))


def over_images(logs: Sequence[float], again: Sequence[np.ndarray]) -> Interval:
    """The interval of the geometric mean over seeds from the test images, from percentiles of the resamples."""
    centre = float(np.mean(logs))
    low, high = np.percentile(np.mean(again, axis=0), (2.5, 97.5))
    return Interval(math.exp(min(low, centre)), math.exp(max(high, centre)))
