"""Sanity checks on every recorded run (section 4 of the protocol): a table by check, and a table of runs that fail any.

A failed check does not invalidate a run. It says what a comparison with that run may measure instead. Which comparisons are
excluded is decided by ``claims.admissibility``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from panda2020 import contents
from panda2020.claims.admissibility import best_epoch, has_learnt, own_result, seen_accuracy, validation
from panda2020.claims.protocol import LAST_SHARE, LEARNT_SHARE, OVERFITTED, RHO, SATURATED, SILENT
from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.runs import Record
from panda2020.samples import DEFAULT, LEARNT, Sample, nearest, run_name, samples

LEAST, MOST = 1.0, 100.0  # EE

_WITH_ACTIVITY = ("train", "convert", "stdp")

_SHORT = frozenset(contents.ONE_SEED)  # grids of short runs for the choice of a recipe or for a map


@dataclass(frozen=True)
class SanityCheck:
    """One check.

    Attributes:
        means: consequence of a positive answer.
        value: the checked value, None if it does not exist.
        excess: distance of the value beyond the limit; positive values raise the doubt.
        shown: the value in words.
    """

    name: str
    means: str
    value: Callable[[Sample], float | None]
    excess: Callable[[float], float]
    shown: Callable[[float], str]

    @property
    def short(self) -> str:
        """Its name without the rule."""
        return self.name.partition(":")[0]


def _underfitted(sample: Sample) -> float | None:
    seen = seen_accuracy(sample)
    return None if seen is None else seen if not has_learnt(sample) else max(seen, LEARNT_SHARE)


def _late(sample: Sample) -> float | None:
    """Position of the best validation epoch, as a share of the schedule."""
    best, epochs = best_epoch(sample), len(validation(sample))
    return best / epochs if best is not None and epochs > 1 else None


def _gap(sample: Sample) -> float | None:
    seen = seen_accuracy(sample)
    return None if seen is None else seen - sample.accuracy


def _rates(sample: Sample) -> list[float]:
    return list(sample.rates.values()) if sample.steps and sample.record["task"] in _WITH_ACTIVITY else []


def _efficiency(sample: Sample) -> float | None:
    return sample.efficiency(DEFAULT) if _rates(sample) else None


def _rho(sample: Sample) -> float | None:
    """Distance of the mean rho of the non-target classes from the nearest of 0, 1/2 and 1, where it selects no rivals."""
    last = (own_result(sample).get("curve") or [{}])[-1]
    rho = last.get("rho_others") if isinstance(last, Mapping) else None
    return None if rho is None else min(abs(float(rho) - value) for value in (0.0, 0.5, 1.0))


def _alarms(sample: Sample) -> float | None:
    """Number of alarms during STDP training: thresholds that diverge, rates off their target."""
    return float(len(sample.record.result.get("alarms", ()))) if sample.record["task"] == "stdp" else None


def _missing_numbers(sample: Sample) -> float:
    """Number of missing values in the learning curve; non-finite values are stored as missing."""
    curve = own_result(sample).get("curve", ())
    return float(
        sum(value is None for epoch in curve if isinstance(epoch, Mapping) for value in epoch.values())
    )


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _plain(value: float) -> str:
    return f"{value:.2g}"


CHECKS: tuple[SanityCheck, ...] = (
    SanityCheck(
        f"underfitted: training accuracy below {100 * LEARNT_SHARE:g} %, and the best epoch in the last {100 * LAST_SHARE:g} %",
        "the network has not learnt what it can, and a gap to another may be one of speed",
        _underfitted,
        lambda seen: LEARNT_SHARE - seen,
        _percent,
    ),
    SanityCheck(
        f"still learning: the best validation epoch is in the last {100 * LAST_SHARE:g} % of the schedule",
        "the comparison is one of networks trained this long, and longer training may turn it",
        _late,
        lambda share: share - (1 - LAST_SHARE) - 1e-9,
        lambda share: f"at {_percent(share)}",
    ),
    SanityCheck(
        f"overfitted: training accuracy more than {_points(OVERFITTED)} above test accuracy",
        "accuracy is limited by the number of images, perhaps more on one side of a pair than on the other",
        _gap,
        lambda gap: gap - OVERFITTED,
        _points,
    ),
    SanityCheck(
        f"at chance: accuracy less than {_points(LEARNT)} above guessing",
        "the network has not learnt to classify, and its efficiency and its spikes mean nothing",
        lambda sample: sample.accuracy - sample.chance,
        lambda above: LEARNT - above,
        lambda above: f"{_points(above)} above",
    ),
    SanityCheck(
        f"a silent layer: less than {SILENT:g} spikes per neuron and step",
        "what follows that layer sees nearly nothing",
        lambda sample: min(_rates(sample), default=None),
        lambda rate: SILENT - rate,
        _plain,
    ),
    SanityCheck(
        f"a saturated layer: more than {SATURATED:g} spikes per neuron and step",
        "that layer hardly tells its inputs apart",
        lambda sample: max(_rates(sample), default=None),
        lambda rate: rate - SATURATED,
        _plain,
    ),
    SanityCheck(
        f"saves nothing: EE below {LEAST:g} (convention paper, largest T)",
        "so many steps cost more than the ANN; fewer may do",
        _efficiency,
        lambda found: LEAST - found,
        lambda found: f"EE {_plain(found)}",
    ),
    SanityCheck(
        f"too good: EE above {MOST:g} (convention paper, largest T)",
        "it spikes too little to be believed",
        _efficiency,
        lambda found: found - MOST,
        lambda found: f"EE {_plain(found)}",
    ),
    SanityCheck(
        f"stochmax has not learnt: rho of other classes within {RHO:g} of 0, 1/2 or 1",
        "rho does not choose rivals: it is softmax in form, a coin, or nothing is left to learn from",
        _rho,
        lambda distance: RHO - distance,
        lambda distance: f"{distance:.3f} away",
    ),
    SanityCheck(
        "thresholds drift: an alarm while STDP learnt",
        "thresholds or rates did not find their place, and what the maps saw changed on the way",
        _alarms,
        lambda count: count,
        lambda count: f"{count:.0f} alarms",
    ),
    SanityCheck(
        "not finite: a value of the learning curve that does not exist",
        "something was divided by nothing, or overflowed, on the way",
        _missing_numbers,
        lambda count: count,
        lambda count: f"{count:.0f} values",
    ),
)


def results_of(record: Record) -> list[tuple[str, Sample]]:
    """(name, sample) of a run's results, at its largest T; empty for short runs that choose a recipe."""
    if set(record.labels["tables"]) <= _SHORT:
        return []
    network, role = record.labels["network"], record.labels["role"]
    if record["task"] == "stdp":
        found = []
        for view in (f"{name}/learned" for name in record.result["classifiers"]):
            found += [
                (run_name(network, role, steps, view), sample)
                for steps, sample in samples(record, view).items()
            ]
        return found
    if record["task"] != "convert" and "accuracy" not in record.result:
        return []
    steps, sample = max(samples(record).items(), key=lambda item: item[0] or 0)
    return [(run_name(network, role, steps), sample)]


def check_table(records: Iterable[Record]) -> pd.DataFrame:
    """Every check: how many results it applies to, how many raise it, and the worst one."""
    everything = [place for record in records for place in results_of(record)]
    rows = []
    for check in CHECKS:
        values = [
            (value, name, sample) for name, sample in everything if (value := check.value(sample)) is not None
        ]
        raised = [one for one in values if check.excess(one[0]) > 0]
        worst = max(raised, key=lambda one: check.excess(one[0]), default=None)
        rows.append(
            {
                "doubt": check.name,
                "asked of": len(values),
                "raised by": len(raised),
                "most": NO_VALUE
                if worst is None
                else f"{_named(worst[1], worst[2])}: {check.shown(worst[0])}",
                "what it would mean": check.means,
            }
        )
    return pd.DataFrame(rows)


def doubts_about(records: Iterable[Record]) -> list[str]:
    """The doubts raised by the runs behind a verdict, each with the number of results and the worst one."""
    table = check_table(records)
    said = []
    for _, row in table[table["raised by"] > 0].iterrows():
        short, _, rule = row["doubt"].partition(": ")
        said.append(f"{short} ({rule}): {row['raised by']} of {row['asked of']} results; most: {row['most']}")
    return said


def finding(table: pd.DataFrame) -> list[str]:
    """A sentence per doubt that any result raises, and one for the doubts that none raises, from ``check_table``."""
    names = table["doubt"].str.partition(":")[0]
    raised, asked = table["raised by"] > 0, table["asked of"] > 0
    said = [f"{name}: {row['raised by']} of {row['asked of']} results"
            for name, (_, row) in zip(names[raised], table[raised].iterrows(), strict=True)]  # fmt: skip
    none = list(names[asked & ~raised])
    return [*said, *([f"raised by no result: {'; '.join(none)}"] if none else [])]


def _named(name: str, sample: Sample) -> str:
    note = sample.record.labels["note"]
    reading = f", {note}" if note and not note.endswith("A") else ""
    return f"{name}{reading}, seed {nearest(sample.record['spec'], 'seed')}"
