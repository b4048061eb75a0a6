"""The ledger: the paper's statements, each with the verdict that tested code reaches from the recorded runs.

    ledger("first").judgements["agd-ee"].verdict
    python -m panda2020 claims agd-ee

A verdict belongs to a profile, that is to a scale. Nothing is left out in silence: a claim without estimator, runs that
are missing and records that must not be used are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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

    method: how it is estimated. parts come with ``conclusion``. records: the runs it rests on. missing: planned runs that
    nobody has recorded, commands: what makes them. unplanned: exhibits that
    no grid has runs of. problems: records that must not be used. caveat: what weighs on the verdict. moved: readings under
    which it is another, with the verdict there (``ledger.readings``). q: of a central claim, Benjamini and Hochberg's
    (``ledger.multiplicity``), None where it has none.
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
        """Whether it is in the counts of verdicts, see ``Claim.counted``."""
        return self.claim.counted

    @property
    def minutes(self) -> float:
        """Estimated time of the missing runs on two CPU cores. Slow at the first call, as it builds networks."""
        return total_minutes(self.missing)

    @property
    def computed(self) -> bool:
        """Whether it rests on no training run at all."""
        return not self.records and self.verdict != NOT_RECORDED

    @property
    def seeds(self) -> int:
        """The smallest number of seeds behind a quantity that counts; 0 where nothing is measured or all is computed."""
        parts = [j.quantity for j in self.conclusion.counted if not j.quantity.computed]
        return min((len(part.seeds) for part in parts if part.values), default=0)


@dataclass(frozen=True)
class Ledger:
    """All claims at one profile, by id. problems: everything that stood in a verdict's way and is no missing run."""

    profile: str
    conditions: Conditions
    judgements: Mapping[str, Judgement]
    problems: tuple[str, ...]

    @property
    def q(self) -> dict[str, float]:
        """Of the central claims that have one, see ``Judgement.q``."""
        return {name: j.q for name, j in self.judgements.items() if j.q is not None}

    @property
    def counts(self) -> dict[str, int]:
        """How many statements have each verdict, in the order of ``verdicts.VERDICTS``.

        A statement that several claims make counts once; what holds by construction is counted apart, under that word.
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

    conditions: energy convention, price list and reading. known, estimators, found: in place of the paper's claims, of
    their estimators and of the recorded runs. readings: judge central claims under other recorded readings as well, and mark what
    moves. Raises ``ValueError`` for a profile that judges nothing, and for an
    estimator of no claim.
    """
    known = claims() if known is None else known
    estimators = contents.estimators() if estimators is None else estimators
    if strangers := sorted(estimators.keys() - known.keys()):
        raise ValueError(f"estimators must estimate known claims, got {', '.join(strangers)}")
    if found is None:
        asked = {table for estimator in estimators.values() for table in estimator.tables}
        # the same networks as another reading has them
        asked |= {f"{table}-{kind}" for table in asked for kind in ("readings", "choices")} | {"unstated"}
        found = evidence(
            profile, results=results, tables=[table for table in contents.TABLES if table in asked]
        )
    judgements = {
        name: _judge(claim, estimators.get(name), found.case(conditions)) for name, claim in known.items()
    }
    central = [name for name, claim in known.items() if claim.group and name in estimators]
    if readings:
        for name, moved in _moved(found, conditions, {n: known[n] for n in central}, estimators).items():
            judgements[name] = replace(judgements[name], moved=moved)
    counted = {name: judgements[name].conclusion for name in central if known[name].counted}
    for name, q in q_values(counted).items():
        judgements[name] = replace(judgements[name], q=q)
    problems = [f"{name} has no estimator" for name in known if name not in estimators]
    problems += dict.fromkeys(text for judgement in judgements.values() for text in judgement.problems)
    problems += dict.fromkeys(run.error for run in found.runs if run.error and run.error not in problems)
    return Ledger(found.profile, conditions, judgements, tuple(problems))


def _moved(
    found: Evidence, conditions: Conditions, known: Mapping[str, Claim], estimators: Mapping[str, Estimator]
) -> dict[str, dict[str, str]]:
    """Of central claims whose verdict is another under a recorded reading, over the same runs: reading -> verdict."""
    moved: dict[str, dict[str, str]] = {}
    asked = {name: claim for name, claim in known.items() if claim.group in JUDGED}
    for reading in recorded_readings(found, conditions) if asked else ():
        for name, claim in asked.items():
            here = _judge(claim, estimators[name], reading.evidence.case(reading.conditions)).verdict
            same = _judge(claim, estimators[name], reading.baseline.case(conditions)).verdict
            if here not in (same, NOT_RECORDED):
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
    }  # not what was looked up and has no partner
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
        commands=commands(missing),
        unplanned=unplanned,
        problems=tuple(case.problems),
        caveat=finding.caveat,
    )


def commands(entries: Sequence[Entry]) -> tuple[str, ...]:
    """What records these runs: one command per exhibit. It makes all of the exhibit's missing runs, these among them."""
    return record_commands(entries)


def evidence(
    profile: str, *, results: str | Path | None = None, tables: Sequence[str] | None = None
) -> Evidence:
    """Look up every planned run of a profile, or those of some exhibits, in ``results`` (default: the recorded ones).

    A record that must not be used (torn, edited, or two that disagree about one run) is set aside, and its ``Run`` says
    why. Raises ``ValueError`` for a profile that judges no claim.
    """
    one_of("profile", profile, PROFILES)
    directory = Path(results_directory() if results is None else results)
    public, found = Store(directory), []
    for entry in contents.entries(profile, tables):
        name = key(entry.spec)
        try:
            record = public.read(name)
        except RecordError as error:
            found.append(Run(entry, name, None, str(error).replace(f"{directory}/", f"{directory.name}/")))
        else:
            tagged = None if record is None else executing.tagged(record, public, entry)
            found.append(Run(entry, name, tagged))
    return Evidence(profile, tuple(found))
