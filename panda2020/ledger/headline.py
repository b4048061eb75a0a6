"""What the start page and the README say of the ledger: how many claims have which verdict, and the ones that matter most.

Both are written from ``headline(ledgers)``, and so is the ledger's own chapter; none of them can say something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panda2020.claims.claims import Claim
from panda2020.claims.evidence import PROFILES
from panda2020.claims.verdicts import CONTRADICTED, DIRECTION, NOT_TESTED, SUPPORTED, VERDICTS

from . import words
from .ledger import Judgement, Ledger, ledger

#: What the article's conclusion (section 9) says of its three techniques, in its own words or in those of the sections before.
#: Chosen by the article, not by our results.
KEY = (
    "backres-ee-range",
    "backres-energy-vs-deep",
    "backres-iso-accuracy",
    "stochmax-acc",
    "stochmax-sparser",
    "stochmax-ee",
    "hybrid-trains-deep",
    "hybrid-stdp-like-ann",
    "hybrid-ee",
    "imagenet-hybrid-iso",
    "agd-vgg3x4-beats-ann",
)

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
    rest on one seed; computed: those that rest on no training run. key: the claims of the article's conclusion;
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
            line for name, line in lines.items() if name not in KEY and line.judgement.verdict == CONTRADICTED
        ),
    )


def _line(name: str, ledgers: Sequence[Ledger]) -> Line:
    every = [one.judgements[name] for one in reversed(ledgers)]
    best = next((j for j in every if j.records and j.verdict != NOT_TESTED), every[-1])
    return Line(best.claim, best)


def _decisive(one: Ledger) -> list[Judgement]:
    return [j for j in one.judgements.values() if j.verdict in (SUPPORTED, DIRECTION, CONTRADICTED)]


def markdown(found: Headline, *, link: Callable[[str], str] = lambda name: f"`{name}`") -> str:
    """The headline as Markdown. link: how a claim's id is written, such as a link into the ledger."""
    total = sum(next(iter(found.counts.values())).values())
    rows = [
        f"Of the article's {total} statements, judged by code from recorded runs:",
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
        "Of the article's three techniques, the sentences that its conclusion (section 9) rests on:",
        "",
        *(_bullet(line, link) for line in found.key if line.judgement.verdict != NOT_TESTED),
    ]
    if untested := [line for line in found.key if line.judgement.verdict == NOT_TESTED]:
        listed = "; ".join(f"“{_plain(line.claim.quote)}” ({link(line.claim.id)})" for line in untested)
        rows.append(f"- **{words.signed(NOT_TESTED)}**: {listed}")
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
        sum(found.counts[name][v] for v in (SUPPORTED, DIRECTION, CONTRADICTED)),
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
        f"- **{words.signed(judgement.verdict)}** “{_plain(line.claim.quote)}” ({link(line.claim.id)}): "
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
