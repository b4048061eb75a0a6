"""Tables 2 and 4 in the article's layout with our values; and the efficiencies of Figure 7 with their T and accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from panda2020 import families, statistics
from panda2020.claims.crossing import Course, over_images
from panda2020.claims.protocol import EE_LOSS, RESAMPLES
from panda2020.claims.stated import cell
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.numbers import interval, number
from panda2020.records import Place, share, shown_name
from panda2020.runs import Record
from panda2020.samples import Sample, hits_of
from panda2020.statistics import Estimate, Pool

from .tables import CONVERTED, Runs, grouped, read_out, series_at, times

#: The T of Tables 2 and 4 that are always visible; the reader can show the others.
SHOWN = (10, 100, 2000)


def accuracy_at(runs: Runs, steps: int | None) -> Estimate:
    """Accuracy in per cent after ``steps`` steps (None: of the ANN), with its total interval."""
    total = int(read_out(next(iter(runs.values())), steps)["total"])
    correct = [int(read_out(run, steps)["correct"]) for run in runs.values()]
    pool = families.of_values(series_at(runs, steps), share)
    return statistics.accuracy_estimate(correct, total, pool=pool) * 100


def loss_at(runs: Runs, steps: int, *, other: Runs | None = None) -> Estimate | None:
    """Converted network minus its ANN in points, image by image; with ``other``, minus that converted network at the same T.

    None if no seed has both.
    """
    return _difference((runs, steps), (other or runs, None if other is None else steps))


def _difference(first: tuple[Runs, int | None], second: tuple[Runs, int | None]) -> Estimate | None:
    both = sorted(first[0].keys() & second[0].keys())
    if not both:
        return None
    hits = ([hits_of(read_out(runs[s], steps)) for s in both] for runs, steps in (first, second))
    pool = families.of_pair(series_at(*first), series_at(*second), share)
    return statistics.paired(*hits, pool=pool).total * 100


def efficiency_at(runs: Runs, steps: int) -> Estimate:
    """EE at one T (convention paper, int32 prices), the geometric mean with its interval over seeds."""
    values = [_efficiency(Sample(run, steps, read_out(run, steps))) for run in runs.values()]
    pool = families.of_values(series_at(runs, steps), _efficiency, ratio=True)
    return statistics.estimate(values, ratio=True, pool=pool)


def _efficiency(sample: Sample) -> float:
    return sample.report("paper").efficiency


def _settled(runs: Runs) -> tuple[list[float], list[float], list[np.ndarray]]:
    """By run: log EE there, log T, and log EE under resampling of the images."""
    logs, steps, again = [], [], []
    for run in runs.values():
        every = sorted(int(T) for T in run.result["snn"])
        found = [Sample(run, T, read_out(run, T)) for T in every]
        right = np.stack([one.hits for one in found])
        resampled = statistics.resampled(right, resamples=RESAMPLES)
        accuracies = right.mean(1)
        measured = np.log([max(one.report("paper").efficiency, 1e-300) for one in found])
        course = Course(tuple(every), accuracies, resampled, measured)
        logs.append(float(course.below_last(EE_LOSS)[0]))
        again.append(course.below_last(EE_LOSS, again=True))
        clock = Course(tuple(every), accuracies, resampled, np.log(every))
        steps.append(float(clock.below_last(EE_LOSS)[0]))
    return logs, steps, again


def _estimated(
    logs: Sequence[float], steps: Sequence[float], again: Sequence[np.ndarray], pool: Pool | None
) -> tuple[Estimate, float]:
    values, images = [math.exp(value) for value in logs], over_images(logs, again)
    return statistics.estimate(values, images, ratio=True, pool=pool), math.exp(float(np.mean(steps)))


def paper_layout(
    records: Sequence[Record], *, exhibit: str = "Table 2", plain: str = "VGG7-conv"
) -> pd.DataFrame:
    """Table 2 (or 4) in the article's layout: a row per network.

    Its ANN, the converted network at every T, the conversion loss at the largest T, and parameters; each with our 95 %
    interval and the article's words for the cell. Accuracies are in per cent, differences in points, paired image by image;
    "SNN − ANN" is at the largest T. Table 4 also has, at the largest T, EE and the comparison of the converted networks with
    that of ``plain``.
    """
    groups = {place: runs for place, runs in grouped(records).items() if place.role == CONVERTED}
    base = groups.get(Place(plain, "A", CONVERTED, None), {})
    every = sorted(set.union(*(set(times(runs)) for runs in groups.values()))) if groups else []
    title = shown_name(plain)
    rows = []
    for (name, reading, _, _), runs in groups.items():
        late = times(runs)[-1]
        own = runs is base
        row: dict[str, object] = {
            "network": shown_name(name, reading),
            "ANN": Beside(accuracy_at(runs, None), cell(exhibit, name, "ANN")),
            f"ANN − {title}'s": Beside(
                None if own else _difference((runs, None), (base, None)),
                "" if own else cell(exhibit, name, "ANN loss"),
            ),
        }
        for T in every:
            row[f"SNN, T = {T}"] = Beside(accuracy_at(runs, T) if T in times(runs) else None)
        row["SNN − ANN"] = Beside(loss_at(runs, late), cell(exhibit, name, "conversion loss"))
        if exhibit == "Table 4":
            apart = None if own else loss_at(runs, late, other=base)
            row[f"SNN − {title}'s"] = Beside(apart, "" if own else cell(exhibit, name, "SNN loss"))
            row["EE"] = Beside(efficiency_at(runs, late))
            row[f"EE over {title}'s"] = Beside(
                None if own else _over(runs, base, late), "" if own else cell(exhibit, name, "EE ratio")
            )
        first = next(iter(runs.values()))
        row["parameters"] = Sample(first, None, {}).parameters
        rows.append(row)
    return pd.DataFrame(rows)


def main_columns(layout: pd.DataFrame) -> list[str]:
    """The columns of ``paper_layout`` that are always visible.

    Of the T, these are the ones in ``SHOWN``, or the smallest, a middle one and the largest if those were not read out.
    """
    late = [c for c in layout.columns if c.startswith("SNN, T = ")]
    chosen = [f"SNN, T = {T}" for T in SHOWN if f"SNN, T = {T}" in late]
    if len(chosen) < len(SHOWN) and late:
        chosen = [late[0], late[len(late) // 2], late[-1]]
    return [c for c in layout.columns if (c not in late and c != "parameters") or c in chosen]


def _over(runs: Runs, base: Runs, steps: int) -> Estimate | None:
    both = sorted(runs.keys() & base.keys())
    values = [
        _efficiency(Sample(runs[s], steps, read_out(runs[s], steps)))
        / _efficiency(Sample(base[s], steps, read_out(base[s], steps)))
        for s in both
    ]
    if not values:
        return None
    pool = families.of_pair(series_at(runs, steps), series_at(base, steps), _efficiency, ratio=True)
    return statistics.estimate(values, ratio=True, pool=pool)


def against_time(records: Sequence[Record]) -> pd.DataFrame:
    """Accuracy and EE by network and T, with intervals: the data of Figure 7.

    Columns: network, reading, T (0: the ANN), accuracy in per cent, its low and high (seeds and test images), EE, its low and
    high (seeds; empty with one seed).
    """
    rows = []
    for (name, reading, role, _), runs in grouped(records).items():
        if role != CONVERTED:
            continue
        for T in (None, *times(runs)):
            right = accuracy_at(runs, T)
            ee = efficiency_at(runs, T) if T else None
            assert right.interval is not None
            low, high = ee.interval if ee and ee.interval else (math.nan, math.nan)
            rows.append({
                "network": name, "reading": reading, "T": T or 0, "accuracy": right.mean, "accuracy low": right.interval.low,
                "accuracy high": right.interval.high, "EE": ee.mean if ee else math.nan, "EE low": low, "EE high": high,
                "seeds": len(runs),
            })  # fmt: skip
    return pd.DataFrame(rows)


def figure7(records: Sequence[Record]) -> pd.DataFrame:
    """One row per converted network: the T at which EE is read (``settled_efficiency``), EE there and its interval."""
    groups = {place: runs for place, runs in grouped(records).items() if place.role == CONVERTED}
    settled = {place: _settled(runs) for place, runs in groups.items()}
    rows = []
    for place, runs in groups.items():
        pool = None
        if next(iter(runs.values())).family is not None:  # looked up by the ledger, which pools
            alike = [p for p in groups if p.network in families.family(place.network) and p.reading == "A"]
            pool = statistics.pooled([settled[p][0] for p in alike], logarithmic=True)
        ee, steps = _estimated(*settled[place], pool)
        low, high = ee.interval or (math.nan, math.nan)
        rows.append({
            "network": place.network, "reading": place.reading, "T": steps, "EE": ee.mean, "EE low": low, "EE high": high,
            "accuracy": accuracy_at(runs, times(runs)[-1]).mean - 100 * EE_LOSS, "seeds": len(runs),
        })  # fmt: skip
    return pd.DataFrame(rows)


def figure7_sentences(records: Sequence[Record]) -> list[str]:
    """The T and EE at which each network is read; and the cost of conversion at the smallest and the largest T."""
    groups = {place: runs for place, runs in grouped(records).items() if place.role == CONVERTED}
    read = "; ".join(
        f"{shown_name(row['network'], row['reading'])} {number(row['EE'])} at T = {row['T']:.0f}"
        for _, row in figure7(records).iterrows()
    )
    said = [f"EE at a loss of one point: {read}."] if read else []
    for word, which in (("smallest", 0), ("largest", -1)):
        found = []
        for place, runs in groups.items():
            loss = loss_at(runs, times(runs)[which])
            if loss is not None:
                found.append(
                    f"{shown_name(place.network, place.reading)} {number(loss.mean, '+.1f')} [{interval(loss.interval, '+.1f')}]"
                )
        if found:
            T = times(next(iter(groups.values())))[which]
            said.append(f"SNN minus ANN at the {word} T, {T}, in points: {'; '.join(found)}.")
    return said
