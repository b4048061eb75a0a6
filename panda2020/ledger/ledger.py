"""The ledger: the paper's statements, each with the verdict that tested code reaches from the recorded runs.

    ledger("first").judgements["agd-ee"].verdict
    python -m panda2020 claims agd-ee

A verdict belongs to a profile, that is to a scale. Nothing is left out in silence: a claim without estimator, runs that
are missing and records that must not be used are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panda2020 import contents
from panda2020.claims.claims import Claim, claims
from panda2020.claims.evidence import PROFILES, Case, Evidence, Run
from panda2020.claims.registry import Estimator
from panda2020.claims.verdicts import NOT_TESTED, VERDICTS, ClaimVerdict, conclude
from panda2020.planning import total_minutes
from panda2020.records import DEFAULT, Conditions
from panda2020.runs import Entry, Record, RecordError, Store, executing, key, results_directory
from panda2020.runs.scheduling import record_commands
from snncore._check import one_of


@dataclass(frozen=True)
class Judgement:
    """One claim at one profile.

    method: how it is estimated. parts come with ``conclusion``. records: the runs it rests on. missing: planned runs that
    nobody has recorded, commands: what makes them. unplanned: exhibits that
    no grid has runs of. problems: records that must not be used. caveat: what weighs on the verdict.
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

    @property
    def verdict(self) -> str:
        """One of ``verdicts.VERDICTS``."""
        return self.conclusion.verdict

    @property
    def minutes(self) -> float:
        """Estimated time of the missing runs on two CPU cores. Slow at the first call, as it builds networks."""
        return total_minutes(self.missing)

    @property
    def computed(self) -> bool:
        """Whether it rests on no training run at all."""
        return not self.records and self.verdict != NOT_TESTED

    @property
    def seeds(self) -> int:
        """The smallest number of seeds behind a quantity that counts; 0 where nothing is measured or all is computed."""
        parts = [
            j.quantity for j in self.conclusion.parts if not j.quantity.beside and not j.quantity.computed
        ]
        return min((len(part.seeds) for part in parts if part.values), default=0)


@dataclass(frozen=True)
class Ledger:
    """All claims at one profile, by id. problems: everything that stood in a verdict's way and is no missing run."""

    profile: str
    conditions: Conditions
    judgements: Mapping[str, Judgement]
    problems: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have each verdict, in the order of ``verdicts.VERDICTS``."""
        found = Counter(judgement.verdict for judgement in self.judgements.values())
        return {verdict: found[verdict] for verdict in VERDICTS}


def ledger(
    profile: str,
    *,
    conditions: Conditions = DEFAULT,
    results: str | Path | None = None,
    known: Mapping[str, Claim] | None = None,
    estimators: Mapping[str, Estimator] | None = None,
    found: Evidence | None = None,
) -> Ledger:
    """Judge every claim by the records in ``results``.

    conditions: energy convention, price list and reading. known, estimators, found: in place of the paper's claims, of
    their estimators and of the recorded runs. Raises ``ValueError`` for a profile that judges nothing, and for an
    estimator of no claim.
    """
    known = claims() if known is None else known
    estimators = contents.estimators() if estimators is None else estimators
    if strangers := sorted(estimators.keys() - known.keys()):
        raise ValueError(f"estimators must estimate known claims, got {', '.join(strangers)}")
    if found is None:
        asked = {table for estimator in estimators.values() for table in estimator.tables}
        asked |= {f"{table}-readings" for table in asked}  # the same networks as another reading has them
        found = evidence(
            profile, results=results, tables=[table for table in contents.TABLES if table in asked]
        )
    judgements = {
        name: _judge(claim, estimators.get(name), found.case(conditions)) for name, claim in known.items()
    }
    problems = [f"{name} has no estimator" for name in known if name not in estimators]
    problems += dict.fromkeys(text for judgement in judgements.values() for text in judgement.problems)
    problems += dict.fromkeys(run.error for run in found.runs if run.error and run.error not in problems)
    return Ledger(found.profile, conditions, judgements, tuple(problems))


def _judge(claim: Claim, estimator: Estimator | None, case: Case) -> Judgement:
    if estimator is None:
        return Judgement(
            claim, case.profile, ClaimVerdict(NOT_TESTED, "no estimator is written for this claim", ())
        )
    finding = estimator.find(case)
    conclusion = conclude(finding.parts, weaker=finding.weaker)
    missing = tuple(case.absent.values())
    counted = {
        name for j in conclusion.parts for name in j.quantity.keys
    }  # not what was looked up and has no partner
    unplanned = tuple(table for table in estimator.tables if table not in contents.TABLES)
    if conclusion.verdict == NOT_TESTED and case.problems:
        conclusion = ClaimVerdict(
            NOT_TESTED, "; ".join((conclusion.reason, *case.problems)), conclusion.parts
        )
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
