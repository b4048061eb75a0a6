"""The ledger on the command line: a verdict with all of its evidence.

- python -m panda2020 claims: every claim, one line each
- python -m panda2020 claims agd-loss --profile laptop: one claim in full
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from panda2020.claims.claims import claims
from panda2020.claims.evidence import PROFILES
from panda2020.claims.power import of_claim, power
from panda2020.claims.verdicts import QuantityVerdict
from panda2020.exhibits.exhibit import seed_text
from panda2020.exhibits.numbers import number
from panda2020.networks import names, readings
from panda2020.runs import Record, key
from panda2020.runs.choosing import Usage
from panda2020.samples import DEFAULT, Conditions
from snncore.energy import CONVENTIONS, PRICES

from . import home, words
from .ledger import Judgement, Ledger, ledger
from .sanity import doubts_about


def claims_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``claims``."""
    parser.description, parser.formatter_class = __doc__, argparse.RawDescriptionHelpFormatter
    parser.set_defaults(command=print_claims)
    parser.add_argument(
        "claims", nargs="*", metavar="CLAIM", help="ids of claims; none means all, one line each"
    )
    parser.add_argument(
        "--profile", choices=PROFILES, default="laptop", help="scale to judge at (default: %(default)s)"
    )
    parser.add_argument("--results", type=Path, help="folder of recorded runs (default: the repository's)")
    parser.add_argument("--json", action="store_true", help="verdicts with every quantity, as JSON")
    letters = sorted({reading for name in names() for reading in readings(name)})
    for option, values, default, what in (
        ("--convention", CONVENTIONS, DEFAULT.convention, "of the energy"),
        ("--prices", tuple(PRICES), DEFAULT.prices, "price list of the energy"),
        ("--reading", letters, DEFAULT.reading, "of networks that have several"),
    ):
        parser.add_argument(option, choices=values, default=default, help=f"{what} (default: %(default)s)")


def headline_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``headline``."""
    parser.description = (
        "The verdicts in short, as Markdown; README.md has the same text, and a test compares."
    )
    parser.set_defaults(command=print_headline)
    parser.add_argument("--results", type=Path, help="folder of recorded runs (default: the repository's)")


#: Command -> function that adds its arguments.
ARGUMENTS = {"claims": claims_arguments, "headline": headline_arguments}


def print_headline(options: argparse.Namespace) -> int:
    """Print the headline."""
    print(home.markdown(home.home(results=options.results)).strip())
    return 0


def print_claims(options: argparse.Namespace) -> int:
    """Print verdicts; raise ``Usage`` for a claim or a choice that does not exist."""
    known = claims()
    if unknown := [name for name in options.claims if name not in known]:
        raise Usage(f"there is no claim {unknown[0]!r}; without a claim this command lists all {len(known)}")
    try:
        found = ledger(  # of all claims: q is one among the central ones
            options.profile,
            conditions=Conditions(options.convention, options.prices, options.reading),
            results=options.results,
        )
    except (KeyError, ValueError) as error:
        raise Usage(f"the records cannot be judged under these choices: {error}") from None
    if options.claims:
        chosen = {name: found.judgements[name] for name in options.claims}
        problems = dict.fromkeys(text for judgement in chosen.values() for text in judgement.problems)
        found = replace(found, judgements=chosen, problems=tuple(problems))
    if options.json:
        print(json.dumps(as_data(found), indent=1, ensure_ascii=False, allow_nan=False))
        return 0
    print("\n\n".join(map(in_full, found.judgements.values())) if options.claims else listed(found))
    return 0


def as_data(found: Ledger) -> dict[str, Any]:
    """A ledger as JSON data: for each claim its verdict, every quantity with its interval, and the keys of its records."""
    return {
        "profile": found.profile,
        "counts": dict(found.counts),
        "problems": list(found.problems),
        "claims": [
            {
                "claim": name,
                "quote": judgement.claim.quote,
                "verdict": judgement.verdict,
                "reason": judgement.conclusion.reason,
                "quantities": [_quantity_data(one) for one in judgement.conclusion.parts],
                "records": [record.key for record in judgement.records],
                "missing": [key(entry.spec) for entry in judgement.missing],
                "commands": list(judgement.commands),
            }
            for name, judgement in found.judgements.items()
        ],
    }


def _quantity_data(one: QuantityVerdict) -> dict[str, Any]:
    part, estimate = one.quantity, one.estimate
    interval = None if estimate is None else estimate.interval
    return {
        "what": part.what,
        "unit": part.unit,
        "verdict": one.verdict,
        "direction": one.direction,
        "size": one.size,
        "expected": str(part.expected),
        "value": None if estimate is None else estimate.mean,
        "interval": None if interval is None else [interval.low, interval.high],
        "basis": one.basis,
        "seeds": list(part.seeds),
        "decides": not part.beside,
    }


def listed(found: Ledger) -> str:
    """Every claim of a ledger in one line, then the counts and the problems."""
    wide = max(len(name) for name in found.judgements)
    rows = [
        f"{words.signed(j.verdict):<18}{words.mark(j):<2}{name:<{wide}}  {words.found(j)}"
        for name, j in found.judgements.items()
    ]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
    problems = [f"problem: {text}" for text in found.problems]
    total = f"{len(found.judgements)} claims, {sum(j.counted for j in found.judgements.values())} counted"
    q = [f"q of {name}: {number(value)}" for name, value in found.q.items()]
    return "\n".join([*rows, "", f"profile {found.profile}, {total}: {counts}", *q, *problems])


def in_full(judgement: Judgement) -> str:
    """One claim with its quote, every quantity, the runs behind them, and the commands for the missing ones."""
    claim = judgement.claim
    rows = [
        f"{claim.id}: {words.signed(judgement.verdict)}, at profile {judgement.profile}",
        f"“{claim.quote}” ({words.place(claim)})",
        f"expects: {claim.expects}",
        f"how: {judgement.method or 'no estimator is written for this claim'}",
        f"why: {judgement.conclusion.reason}",
    ]
    rows += [f"weigh: {judgement.caveat}"] if judgement.caveat else []
    rows += [f"q among central claims: {number(judgement.q)}"] if judgement.q is not None else []
    rows += [f"power: {never}"] if (never := of_claim(judgement.conclusion)) else []
    rows += [f"moves: {verdict} under {name}" for name, verdict in judgement.moved.items()]
    rows += [f"problem: {text}" for text in judgement.problems]
    rows += [f"doubt: {text}" for text in doubts_about(judgement.records)]
    rows += [f"no grid has runs of exhibit {name}" for name in judgement.unplanned]
    rows += [_quantity(number, one) for number, one in enumerate(judgement.conclusion.parts, 1)]
    rows += [f"rests on: {words.behind(judgement)}", *(_run(record) for record in judgement.records)]
    if judgement.missing:
        time = words.duration(judgement.minutes)
        rows.append(f"not recorded: {len(judgement.missing)} planned runs, about {time} on two CPU cores")
        rows += [f"  {text}" for text in words.planned(judgement.missing)]
        rows += [f"  record them: {text}" for text in judgement.commands]
    return "\n".join(rows)


def _quantity(number: int, one: QuantityVerdict) -> str:
    part = one.quantity
    if one.estimate is None:
        value = one.reason
    else:
        value = f"{words.estimate(one)} ({words.basis(one)})"
        value += "" if part.computed else f"; seeds {', '.join(map(str, part.seeds))}"
    note = f"; {part.note}" if part.note else ""
    return (
        f"{number}. {part.what} ({words.role(one)}): {value}\n"
        f"   claimed {words.claimed(one)} ({words.bounds(one)}): {words.signed(one.verdict)}, {words.answers(one)}"
        + (f"\n   could have shown: {could}" if (could := power(one)) else "")
        + note
    )


def _run(record: Record) -> str:
    labels, commit = record.labels, str(record.provenance.get("commit"))[:10]
    return f"  {record.key}  {labels['network']} {labels['role']}, seed {seed_text(record)}, {record.tag}, commit {commit}"
