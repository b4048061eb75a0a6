"""What the start page and the README say of the ledger: how many claims have which verdict, and the ones that matter most.

Both are written from ``headline(ledgers)``, and so is the ledger's own chapter; none of them can say something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panda2020.claims.claims import GROUPS, Claim, claims
from panda2020.claims.evidence import PROFILES
from panda2020.claims.protocol import PROTOCOL_VERSION
from panda2020.claims.verdicts import BY_CONSTRUCTION, CONTRADICTED, DECISIVE, NOT_RECORDED, VERDICTS

from . import words
from .ledger import Judgement, Ledger, ledger

#: The claims of the five central statements (section 1 of the protocol). Chosen by the article, not by our results.
KEY = tuple(name for group in GROUPS for name, claim in claims().items() if claim.group == group)

#: Where an output's metadata holds the headline as Markdown, from which the start page is made.
LEDGER = "snncore-ledger"


@dataclass(frozen=True)
class Line:
    """One claim that the headline names, judged at the largest scale that decides it from runs."""

    claim: Claim
    judgement: Judgement


@dataclass(frozen=True)
class Headline:
    """By profile, counts: claims per verdict; runs: recorded ones that they rest on; alone: verdicts that decide something and
    rest on one seed; computed: those that rest on no training run. key: the central claims;
    contradicted: all others that are.
    """

    counts: Mapping[str, Mapping[str, int]]
    runs: Mapping[str, int]
    alone: Mapping[str, int]
    computed: Mapping[str, int]
    key: tuple[Line, ...]
    contradicted: tuple[Line, ...]


def headline(ledgers: Sequence[Ledger] | None = None, *, results: str | Path | None = None) -> Headline:
    """The headline of some ledgers, rising in scale (default: those of all profiles, from ``results``)."""
    ledgers = [ledger(profile, results=results) for profile in PROFILES] if ledgers is None else list(ledgers)
    lines = {name: _line(name, ledgers) for name in ledgers[0].judgements}
    return Headline(
        {one.profile: one.counts for one in ledgers},
        {one.profile: len({r.key for j in one.judgements.values() for r in j.records}) for one in ledgers},
        {one.profile: sum(j.conclusion.one_seed for j in _decisive(one)) for one in ledgers},
        {one.profile: sum(j.computed for j in _decisive(one)) for one in ledgers},
        tuple(lines[name] for name in KEY if name in lines),
        tuple(
            line
            for name, line in lines.items()
            if name not in KEY and line.judgement.counted and line.judgement.verdict == CONTRADICTED
        ),
    )


def _line(name: str, ledgers: Sequence[Ledger]) -> Line:
    every = [one.judgements[name] for one in reversed(ledgers)]
    best = next((j for j in every if j.records and j.verdict != NOT_RECORDED), every[-1])
    return Line(best.claim, best)


def _decisive(one: Ledger) -> list[Judgement]:
    return [j for j in one.judgements.values() if j.counted and j.verdict in DECISIVE]


def markdown(found: Headline, *, link: Callable[[str], str] = lambda name: f"`{name}`") -> str:
    """The headline as Markdown. link: how a claim's id is written, such as a link into the ledger."""
    every = next(iter(found.counts.values()))
    total = sum(every.values()) - every[BY_CONSTRUCTION]
    rows = [
        f"The article's {total} empirical statements, judged by code from recorded runs under the evaluation protocol, version "
        f"{PROTOCOL_VERSION}; those that hold or fail by construction are counted apart:",
        "",
        f"| at the scale of profile | {' | '.join(map(words.signed, VERDICTS))} |",
        f"|---|{'--:|' * len(VERDICTS)}",
        *(
            f"| `{name}` | {' | '.join(str(counts[v]) for v in VERDICTS)} |"
            for name, counts in found.counts.items()
        ),
        "",
        *(f"- `{name}`: {words.scale(name)}. {_weight(found, name)}" for name in found.counts),
        "",
        "The article's five central statements, claim by claim:",
        "",
        *(_bullet(line, link) for line in found.key if line.judgement.verdict != NOT_RECORDED),
    ]
    if unrecorded := [line for line in found.key if line.judgement.verdict == NOT_RECORDED]:
        listed = "; ".join(f"“{_plain(line.claim.quote)}” ({link(line.claim.id)})" for line in unrecorded)
        rows.append(f"- **{words.signed(NOT_RECORDED)}**: {listed}")
    if found.contradicted:
        rows += ["", "Contradicted besides these:", ""]
        rows += [
            f"- “{_plain(line.claim.quote)}” ({link(line.claim.id)}, `{line.judgement.profile}`, {words.behind(line.judgement)})."
            f"{_weigh(line.judgement)}"
            for line in found.contradicted
        ]
    return "\n".join(rows) + "\n"


def _weight(found: Headline, name: str) -> str:
    """How much the decisive verdicts of a profile weigh."""
    decisive, runs = (
        sum(found.counts[name][v] for v in DECISIVE),
        found.runs[name],
    )
    alone = found.alone[name]
    return (
        f"Verdicts rest on {runs or 'no'} recorded run{'' if runs == 1 else 's'}. Of {decisive} that decide something, "
        f"{alone} rest{'s' if alone == 1 else ''} on a single seed and {found.computed[name]} on no training run."
    )


def _bullet(line: Line, link: Callable[[str], str]) -> str:
    judgement = line.judgement
    scale = f"`{judgement.profile}`, {words.behind(judgement)}"
    return (
        f"- **{words.signed(judgement.verdict)}** {line.claim.group} “{_plain(line.claim.quote)}” ({link(line.claim.id)}): "
        f"{_plain(words.found(judgement))} ({scale}).{_weigh(judgement)}"
    )


def _weigh(judgement: Judgement) -> str:
    """What a reader must know to weigh a contradiction, the harshest verdict and the one most easily misread."""
    return f" {_plain(judgement.caveat)}" if judgement.verdict == CONTRADICTED and judgement.caveat else ""


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup: an article's "~" and a reason's "_" are themselves."""
    for mark in "\\`*_~[]<|":
        text = text.replace(mark, f"\\{mark}")
    return text


def show(found: Headline) -> None:
    """Display the headline, and have it written on the book's start page."""
    from IPython.display import display

    text = markdown(found)
    linked = markdown(
        found, link=lambda name: f'<a href="../executed/12_claims.html#claim-{name}">{name}</a>'
    )
    here = markdown(found, link=lambda name: f'<a href="#claim-{name}">{name}</a>')
    note: dict[str, Any] = {
        "markdown": linked,
        "verdicts": {line.claim.id: line.judgement.verdict for line in found.key},
    }
    display({"text/markdown": here, "text/plain": text}, raw=True, metadata={LEDGER: note})
