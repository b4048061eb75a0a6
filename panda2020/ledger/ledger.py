"""The ledger: the paper's statements, each with the verdict that tested code derives from the recorded runs.

.. code-block:: text

    ledger("laptop").judgements["agd-ee"].verdict
    python -m panda2020 claims agd-ee

A verdict belongs to a profile, that is, to a scale. Nothing is omitted silently: a claim without an estimator, missing runs
and records that must not be used are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from panda2020 import contents
from panda2020.claims.claims import BY_CONSTRUCTION as CONSTRUCTED
from panda2020.claims.claims import Claim, claims
from panda2020.claims.evidence import PROFILES, Case, Evidence, Run
from panda2020.claims.registry import Estimator
from panda2020.claims.verdicts import BY_CONSTRUCTION, NOT_RECORDED, VERDICTS, ClaimVerdict, conclude
from panda2020.planning import total_minutes
from panda2020.runs import Entry, Record, RecordError, Store, executing, key, results_directory
from panda2020.runs.scheduling import record_commands
from panda2020.samples import DEFAULT, Conditions
from snncore._check import one_of

from .multiplicity import q_values
from .readings import JUDGED, recorded_readings


@dataclass(frozen=True)
class Judgement:
    """One claim at one profile.

    Attributes:
        claim: the claim.
        profile: name of the profile.
        conclusion: the verdict with its quantities.
        method: how it is estimated.
        records: the runs behind it.
        missing: planned runs that are not recorded.
        commands: commands that make them.
        unplanned: exhibits that have no runs in any grid.
        problems: records that must not be used.
        caveat: limitations of the verdict.
        moved: readings that give a different verdict, with that verdict (``ledger.readings``).
        q: for a central claim, Benjamini and Hochberg's q (``ledger.multiplicity``), None if it has none.
    """

    claim: Claim
    profile: str
    conclusion: ClaimVerdict
    method: str = ""
    records: tuple[Record, ...] = ()
    missing: tuple[Entry, ...] = ()
    commands: tuple[str, ...] = ()
    unplanned: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    caveat: str = ""
    moved: Mapping[str, str] = field(default_factory=dict)
    q: float | None = None

    @property
    def verdict(self) -> str:
        """One of ``verdicts.VERDICTS``."""
        return self.conclusion.verdict

    @property
    def counted(self) -> bool:
        """Whether it is in the counts of verdicts; see ``Claim.counted``."""
        return self.claim.counted

    @property
    def minutes(self) -> float:
        """Estimated time of the missing runs on two CPU cores. The first call is slow, because it builds networks."""
        return total_minutes(self.missing)

    @property
    def computed(self) -> bool:
        """Whether it needs no training run."""
        return not self.records and self.verdict != NOT_RECORDED

    @property
    def seeds(self) -> int:
        """The smallest number of seeds behind a quantity that counts; 0 if nothing is measured or everything is computed."""
        parts = [j.quantity for j in self.conclusion.counted if not j.quantity.computed]
        return min((len(part.seeds) for part in parts if part.values), default=0)


@dataclass(frozen=True)
class Ledger:
    """All claims at one profile, by id.

    Attributes:
        profile: name of the profile.
        judgements: by claim.
        problems: every problem that prevented a verdict, other than a missing run.
    """

    profile: str
    conditions: Conditions
    judgements: Mapping[str, Judgement]
    problems: tuple[str, ...]

    @property
    def q(self) -> dict[str, float]:
        """q of the central claims that have one; see ``Judgement.q``."""
        return {name: j.q for name, j in self.judgements.items() if j.q is not None}

    @property
    def counts(self) -> dict[str, int]:
        """Number of statements with each verdict, in the order of ``verdicts.VERDICTS``.

        A statement made by several claims counts once. Claims that hold by construction are counted separately, under that word.
        """
        found = Counter(
            j.verdict for j in self.judgements.values() if j.counted or j.verdict == BY_CONSTRUCTION
        )
        return {verdict: found[verdict] for verdict in VERDICTS}


def ledger(
    profile: str,
    *,
    conditions: Conditions = DEFAULT,
    results: str | Path | None = None,
    known: Mapping[str, Claim] | None = None,
    estimators: Mapping[str, Estimator] | None = None,
    found: Evidence | None = None,
    readings: bool = True,
) -> Ledger:
    """Judge every claim by the records in ``results``.

    Args:
        conditions: energy convention, price list and reading.
        known: replaces the paper's claims.
        estimators: replaces their estimators.
        found: replaces the recorded runs.
        readings: also judge central claims under other recorded readings, and mark those whose verdict changes.

    Raises:
        ValueError: a profile that judges nothing, or an estimator without a claim.
    """
    known = claims() if known is None else known
    estimators = contents.estimators() if estimators is None else estimators
    if strangers := sorted(estimators.keys() - known.keys()):
        raise ValueError(f"estimators must estimate known claims, got {', '.join(strangers)}")
    found = evidence(profile, results=results) if found is None else found
    judgements = {
        name: _judge(claim, estimators.get(name), found.case(conditions)) for name, claim in known.items()
    }
    central = [name for name, claim in known.items() if claim.group and name in estimators]
    if readings:
        groups, shown = {n: known[n] for n in central}, {n: judgements[n].verdict for n in central}
        for name, moved in _moved(found, conditions, groups, estimators, shown).items():
            judgements[name] = replace(judgements[name], moved=moved)
    counted = {name: judgements[name].conclusion for name in central if known[name].counted}
    for name, q in q_values(counted).items():
        judgements[name] = replace(judgements[name], q=q)
    problems = [f"{name} has no estimator" for name in known if name not in estimators]
    problems += dict.fromkeys(text for judgement in judgements.values() for text in judgement.problems)
    problems += dict.fromkeys(run.error for run in found.runs if run.error and run.error not in problems)
    return Ledger(found.profile, conditions, judgements, tuple(problems))


def _moved(
    found: Evidence,
    conditions: Conditions,
    known: Mapping[str, Claim],
    estimators: Mapping[str, Estimator],
    shown: Mapping[str, str],
) -> dict[str, dict[str, str]]:
    """Readings that change the verdict of a central claim, with the new verdict.

    A verdict counts as changed if it differs from the shown one and from the default's over the same runs.
    """
    moved: dict[str, dict[str, str]] = {}
    asked = {name: claim for name, claim in known.items() if claim.group in JUDGED}
    for reading in recorded_readings(found, conditions) if asked else ():
        for name, claim in asked.items():
            here = _judge(claim, estimators[name], reading.evidence.case(reading.conditions)).verdict
            same = _judge(claim, estimators[name], reading.baseline.case(conditions)).verdict
            if here not in (same, shown[name], NOT_RECORDED):
                moved.setdefault(name, {})[reading.name] = here
    return moved


def _judge(claim: Claim, estimator: Estimator | None, case: Case) -> Judgement:
    if estimator is None:
        return Judgement(
            claim, case.profile, ClaimVerdict(NOT_RECORDED, "no estimator is written for this claim", ())
        )
    finding = estimator.find(case)
    conclusion = conclude(finding.parts, by_construction=claim.kind == CONSTRUCTED)
    missing = tuple(case.absent.values())
    counted = {
        name for j in conclusion.parts for name in j.quantity.keys
    }  # without series that were looked up but have no partner
    unplanned = tuple(table for table in estimator.tables if table not in contents.TABLES)
    if conclusion.verdict == NOT_RECORDED and case.problems:
        conclusion = replace(conclusion, reason="; ".join((conclusion.reason, *case.problems)))
    return Judgement(
        claim,
        case.profile,
        conclusion,
        method=estimator.method,
        records=tuple(record for name, record in case.used.items() if name in counted),
        missing=missing,
        commands=record_commands(missing),
        unplanned=unplanned,
        problems=tuple(case.problems),
        caveat=finding.caveat,
    )


def evidence(profile: str, *, results: str | Path | None = None) -> Evidence:
    """Look up every planned run of a profile in ``results`` (default: the recorded ones).

    Also for a few claims: variances are pooled over networks that other exhibits show. A record that must not be used (torn,
    edited, or two that disagree about one run) is set aside, and its ``Run`` says why.

    Raises:
        ValueError: a profile that judges no claim.
    """
    one_of("profile", profile, PROFILES)
    directory = Path(results_directory() if results is None else results)
    public, found = Store(directory), []
    for entry in contents.entries(profile):
        name = key(entry.spec)
        try:
            record = public.read(name)
        except RecordError as error:
            found.append(Run(entry, name, None, str(error).replace(f"{directory}/", f"{directory.name}/")))
        else:
            tagged = None if record is None else executing.tagged(record, public, entry)
            found.append(Run(entry, name, tagged))
    return Evidence(profile, tuple(found))
