"""The records that judge claims: the planned runs of one profile, and which of them are recorded.

The grids define the runs (``contents.entries``), and the key of each run locates its record. So a record
counts only if it is a run of the profile's own grid: pilot runs, alternatives and quick runs cannot enter by accident,
and a missing run is known by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from panda2020.families import family
from panda2020.planning import seed_of, steps_of
from panda2020.runs import Entry, Record
from panda2020.samples import (
    DEFAULT,
    Conditions,
    Sample,
    Series,
    entry_reading,
    own_reading,
    run_name,
    samples,
)
from snncore._check import one_of

from .protocol import PROTOCOL_VERSION

#: Profiles whose runs may judge a claim.
PROFILES = ("laptop", "paper")


@dataclass(frozen=True)
class Run:
    """A planned run and its key, with its record, or with the problem of the record; neither if it is not recorded."""

    entry: Entry
    key: str
    record: Record | None = None
    error: str = ""


@dataclass
class Case:
    """The evidence for one claim. It keeps account of the used, missing and faulty runs.

    Attributes:
        seen: samples by run and view.
        resampled: accuracies under resampling of the images, by run; shared by all claims.
    """

    runs: Sequence[Run]
    profile: str
    conditions: Conditions = DEFAULT
    used: dict[str, Record] = field(default_factory=dict)
    absent: dict[str, Entry] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], Mapping[int | None, Sample]] = field(default_factory=dict)
    resampled: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @property
    def full_scale(self) -> bool:
        """Whether the profile has the paper's full width and all images, which absolute accuracies require."""
        return self.profile == "paper"

    def series(
        self, network: str, role: str, steps: int | None = None, *, table: str | None = None, view: str = ""
    ) -> Series:
        """The runs of ``network`` in ``role``, at T = ``steps`` (None: without time, or the only T).

        A run recorded out of the grid's order of seeds, or under another profile or protocol, is named in ``problems`` and left
        out.

        Args:
            table: only the runs that this exhibit plans, if roles repeat.
            view: see ``samples``.
        """
        name = run_name(network, role, steps, view)
        found = self._find(network, role, steps, table)
        if not found:
            why = f"no run of {name} is planned for profile {self.profile}"
            return Series(name, {}, why, network, role, view)
        kept: dict[int, Sample] = {}
        gap: int | None = None  # the first seed that is not recorded
        for run in found:
            error = run.error or self._misfit(run)
            if error:
                self._name(error)
            elif run.record is None:
                self.absent.setdefault(run.key, run.entry)
                gap = seed_of(run.entry) if gap is None else gap
            elif (sample := self._sample(run, steps, view)) is not None:
                if gap is not None:
                    self._name(
                        f"{name}: seed {seed_of(run.entry)} is recorded before seed {gap}, out of the grid's order, and left out"
                    )
                    continue
                self.used[run.key] = run.record
                kept[seed_of(run.entry)] = sample
        return Series(
            name,
            dict(sorted(kept.items())),
            "" if kept else f"{name} is not recorded",
            network,
            role,
            view,
            tuple(dict.fromkeys(seed_of(run.entry) for run in found)),
            lambda: self._family(network, role, steps, table, view),
        )

    def _family(
        self, network: str, role: str, steps: int | None, table: str | None, view: str
    ) -> dict[str, dict[int, Sample]]:
        """The same series for every network of the family, without keeping account."""
        found: dict[str, dict[int, Sample]] = {}
        for name in family(network):
            for run in self._find(name, role, steps, table if name == network else None):
                if run.record is not None and not (run.error or self._misfit(run)):
                    sample = self._sample(run, steps, view)
                    if sample is not None:
                        found.setdefault(name, {})[seed_of(run.entry)] = sample
        return found

    def _sample(self, run: Run, steps: int | None, view: str) -> Sample | None:
        assert run.record is not None
        measured = self.of_record(run.record, view)
        at = next(iter(measured)) if steps is None and len(measured) == 1 else steps
        return measured.get(at)

    def of_record(self, record: Record, view: str = "") -> Mapping[int | None, Sample]:
        """The results in a record, by T; see ``samples``."""
        place = record.key, view
        if place not in self.seen:
            self.seen[place] = samples(record, view)
        return self.seen[place]

    def _misfit(self, run: Run) -> str:
        """The reason why a record must not be combined with the others; "" if there is none."""
        if run.record is None:
            return ""
        profile, version = run.record.labels["profile"], run.record.provenance.get("protocol")
        if profile != self.profile:
            return f"record {run.key} is of profile {profile}, not of {self.profile}, and left out"
        if version not in (None, PROTOCOL_VERSION):
            return (
                f"record {run.key} was made under protocol {version}, not {PROTOCOL_VERSION}, and is left out"
            )
        return ""

    def _name(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def times(self, network: str, role: str, *, table: str | None = None, view: str = "") -> tuple[int, ...]:
        """Every T at which ``network`` is recorded in ``role``, in rising order."""
        records = [run.record for run in self._find(network, role, None, table) if run.record is not None]
        return tuple(
            sorted({steps for record in records for steps in samples(record, view) if steps is not None})
        )

    def planned(self, network: str, role: str, *, table: str | None = None) -> tuple[int, ...]:
        """Every T with its own planned run of ``network`` in ``role``, in rising order."""
        found = {steps_of(run.entry) for run in self._find(network, role, None, table)}
        return tuple(sorted(steps for steps in found if steps is not None))

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
    seen: dict[tuple[str, str], Mapping[int | None, Sample]] = field(
        default_factory=dict, compare=False, repr=False
    )
    resampled: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, compare=False, repr=False)

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
        """A new account for one claim."""
        return Case(self.runs, self.profile, conditions, seen=self.seen, resampled=self.resampled)
