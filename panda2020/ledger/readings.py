"""Other readings of points that the paper leaves open, as evidence for the same claims (section 3 of the protocol).

The readout (spikes summed over T, or their mean), the leak, and for some networks the topology have more than one reading.
Recorded readings have their own runs: role "snn-readout-mean" beside "snn", "reading B" of a network beside A. Runs of
two readings are never mixed: under a reading a role has only runs of that reading, and is compared with the default over the
same networks, T and seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from panda2020 import networks
from panda2020.claims.evidence import Evidence, Run
from panda2020.planning import seed_of, steps_of
from panda2020.samples import DEFAULT, Conditions, entry_reading, own_reading

#: Central statements that are judged under every reading.
JUDGED = ("C1", "C3", "C4", "C5")

#: Ending of a role -> name of the reading.
SUFFIXES = {
    "readout-sum": "readout: sum over T",
    "readout-mean": "readout: mean over T",
    "leak-0.99": "leak 0.99",
    "tuned": "augmentation and dropout, ANN and SNN",
}

Position = tuple[str, str, str | None, int | None, int]


@dataclass(frozen=True)
class Reading:
    """One reading: the evidence under it, and the default's over the same runs, both judged under ``conditions``."""

    name: str
    evidence: Evidence
    baseline: Evidence
    conditions: Conditions


def recorded_readings(found: Evidence, conditions: Conditions = DEFAULT) -> Iterator[Reading]:
    """The readings that have recorded runs, readouts and leak first, then topologies."""
    for suffix, name in SUFFIXES.items():
        other, same = of_suffix(found, suffix)
        if differ(other, same):
            yield Reading(name, other, same, conditions)
    letters = sorted({letter for net in networks.names() for letter in networks.readings(net)} - {"A"})
    for letter in letters if conditions.reading == DEFAULT.reading else ():
        if any(run.record is not None and entry_reading(run.entry) == letter for run in found.runs):
            shared = of_both_readings(found, letter)
            yield Reading(f"topology {letter}", shared, shared, replace(conditions, reading=letter))


def differ(other: Evidence, same: Evidence) -> bool:
    """Whether ``other`` has a recorded run that ``same`` does not have."""
    known = {run.key for run in same.runs}
    return any(run.record is not None and run.key not in known for run in other.runs)


def of_suffix(found: Evidence, suffix: str) -> tuple[Evidence, Evidence]:
    """The evidence with the roles that end in ``suffix`` in place of those without it, and the default over the same runs.

    Both hold the same networks, T and seeds. Roles without such a run are unchanged in both. Where a network has several
    roles under the reading, as the tuned ANN and spiking network, a seed counts only if all of them are recorded.
    """
    ending = f"-{suffix}"
    of_reading = [run for run in found.runs if run.entry.role.endswith(ending)]
    partial = {_pair(run) for run in of_reading if run.record is None}
    other = {_position(run, ending): run for run in of_reading if _pair(run) not in partial}
    roles = {position[1] for position in other}
    default = {
        _position(run): run for run in found.runs if run.entry.role in roles and run.record is not None
    }
    shared = other.keys() & default.keys()
    rest = [run for run in found.runs if run.entry.role not in roles and not run.entry.role.endswith(ending)]
    moved = [
        replace(run, entry=replace(run.entry, role=run.entry.role.removesuffix(ending)))
        for position, run in other.items()
        if position in shared
    ]
    same = [run for position, run in default.items() if position in shared]
    return replace(found, runs=tuple(rest + moved)), replace(found, runs=tuple(rest + same))


def of_both_readings(found: Evidence, reading: str) -> Evidence:
    """The evidence restricted to what is recorded under both readings, for networks that ``reading`` changes.

    The restriction applies to roles, T and seeds.
    """
    both = (DEFAULT.reading, reading)
    have = [
        {place(run) for run in found.runs if run.record is not None and entry_reading(run.entry) == one}
        for one in both
    ]
    shared = have[0] & have[1]
    return replace(found, runs=tuple(
        run for run in found.runs
        if entry_reading(run.entry) not in both or place(run) in shared
        or own_reading(run.entry.network, run.entry.role, reading) == DEFAULT.reading
    ))  # fmt: skip


def place(run: Run) -> tuple[str, str, int | None, int]:
    """The properties that a run shares with its counterpart under another reading: network, role, T and seed."""
    return run.entry.network, run.entry.role, steps_of(run.entry), seed_of(run.entry)


def _pair(run: Run) -> tuple[str, str | None, int]:
    """What the two sides of a comparison share: network, reading of its topology, seed."""
    return run.entry.network, entry_reading(run.entry), seed_of(run.entry)


def _position(run: Run, ending: str = "") -> Position:
    """``place`` with the reading of the topology, and the role without its ending."""
    entry = run.entry
    role = entry.role.removesuffix(ending) if ending else entry.role
    return entry.network, role, entry_reading(entry), steps_of(entry), seed_of(entry)
