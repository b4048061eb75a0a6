"""The records that claims are judged by: the planned runs of one profile, and which of them are recorded.

The grids say which runs there should be (``contents.entries``); the key of each says where its record is. So a record
counts only if it is a run of the profile's own grid: tuning runs, alternatives and quick runs cannot enter by accident,
and a run that is missing is known by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from panda2020.planning import seed_of, steps_of
from panda2020.records import (
    DEFAULT,
    Conditions,
    Sample,
    Series,
    entry_reading,
    own_reading,
    run_name,
    samples,
    settled_at,
)
from panda2020.runs import Entry, Record
from snncore._check import one_of

#: Profiles whose runs may judge a claim.
PROFILES = ("first", "paper")


@dataclass(frozen=True)
class Run:
    """A planned run and its key, with its record, or with what is wrong with it; neither where it is not recorded."""

    entry: Entry
    key: str
    record: Record | None = None
    error: str = ""


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
        name = run_name(network, role, steps, view)
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

    def settled_series(self, network: str, role: str, *, table: str | None = None) -> Series:
        """The runs at the T at which an EE is read, see ``records.settled_at``."""
        every = {
            T: self.series(network, role, T, table=table) for T in self.times(network, role, table=table)
        }
        by_seed = {
            T: {seed: sample.accuracy for seed, sample in series.samples.items()}
            for T, series in every.items()
            if series.samples
        }
        if by_seed:
            return every[settled_at(by_seed)]
        wanted = self.planned(network, role, table=table)
        return self.series(network, role, wanted[-1] if wanted else None, table=table)

    def _find(self, network: str, role: str, steps: int | None, table: str | None) -> list[Run]:
        reading = own_reading(network, role, self.conditions.reading)
        return [
            run
            for run in self.runs
            if run.entry.network == network
            and run.entry.role == role
            and entry_reading(run.entry) in (None, reading)
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
                raise ValueError(
                    f"{run.entry} may not judge a claim; allowed profiles: {', '.join(PROFILES)}"
                )

    def case(self, conditions: Conditions = DEFAULT) -> Case:
        """A fresh account for one claim."""
        return Case(self.runs, self.profile, conditions)
