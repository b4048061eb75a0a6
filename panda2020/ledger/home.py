"""The start page and the head of README.md: our findings with scale and uncertainty, both from the same records.

No sentence here is typed by hand: counts, verdicts, numbers and scale come from the judgements.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from panda2020.claims.claims import GROUPS, claims
from panda2020.claims.evidence import PROFILES
from panda2020.claims.stated import stated
from panda2020.claims.verdicts import CONTRADICTED, DECISIVE, SUPPORTED, VERDICTS
from panda2020.exhibits.cells import inline_html
from panda2020.profiles import profile
from panda2020.runs import Record
from panda2020.samples import samples

from . import words
from .chapter import judged, mark
from .forest import Row, narrow, row, rows, wide
from .ledger import Judgement

#: The published size of CIFAR-10.
ALL_IMAGES = {"cifar10": 50_000}

#: A short name of each central statement.
TOPICS = {"C1": "depth", "C2": "conversion", "C3": "energy", "C4": "stochmax", "C5": "hybrids"}

#: The article's techniques, the central statements about each, and its chapter.
CARDS = {
    "Backward residuals": (("C1", "C3"), "07_agd"),
    "Stochmax": (("C4",), "08_stochmax"),
    "Hybrids": (("C5",), "10_hybrid_cifar10"),
}


@dataclass(frozen=True)
class Home:
    """The central claims by group, each at its deciding scale."""

    groups: Mapping[str, tuple[Judgement, ...]]

    @property
    def judgements(self) -> list[Judgement]:
        """All judgements."""
        return [judgement for group in self.groups.values() for judgement in group]

    @property
    def rows(self) -> list[Row]:
        """The rows of the forest plot."""
        return rows(self.judgements)


def home(*, results: str | Path | None = None) -> Home:
    """The central claims of the protocol, from ``results`` (default: the recorded runs)."""
    names = [name for name, claim in claims().items() if claim.group]
    found = judged(names, results=results)
    return Home({g: tuple(found[n] for n in names if claims()[n].group == g) for g in GROUPS})


def verdict_of(judgements: Sequence[Judgement]) -> str:
    """The verdict on a central statement: contradicted if one of its claims is, else that of its weakest claim."""
    found = {judgement.verdict for judgement in judgements}
    if CONTRADICTED in found:
        return CONTRADICTED
    order = (SUPPORTED, *VERDICTS[1:])
    return max(found, key=order.index)


def finding(found: Home) -> str:
    """One sentence: the number of central statements with each verdict."""
    counts = Counter(verdict_of(group) for group in found.groups.values())
    named = {
        verdict: ", ".join(TOPICS[g] for g, group in found.groups.items() if verdict_of(group) == verdict)
        for verdict in counts
    }
    how = {CONTRADICTED: " in at least one claim"}
    parts = [f"{counts[v]} {v}{how.get(v, '')} ({named[v]})" for v in VERDICTS if counts[v]]
    decided = sum(counts[v] for v in DECISIVE)
    lead = "no verdict yet on" if not decided else f"a verdict on {decided} of"
    total = len(found.groups)
    return f"So far our runs give {lead} the article's {total} central statements: {_list(parts)}."


def scale_sentence(found: Home) -> str:
    """Width, share of the data, and our accuracies beside the article's, at the largest scale that decides a central claim; and
    the number of claims that still rest on smaller runs."""
    records = {r.key: r for j in found.judgements for r in j.records}
    trained = [r for r in records.values() if _source(r) in ALL_IMAGES]
    if not trained:
        return "No run is recorded yet."
    main = max((str(r.labels["profile"]) for r in trained), key=PROFILES.index)
    mine = [r for r in trained if r.labels["profile"] == main]
    smaller = sum(
        bool(j.records) and PROFILES.index(j.profile) < PROFILES.index(main) for j in found.judgements
    )
    images = sorted({_images(r) for r in mine})
    share = _list([_percent(n / ALL_IMAGES[_source(mine[0])]) for n in images], "or")
    reached = [list(samples(r).values())[-1].accuracy for r in mine if samples(r)]
    width = profile(main).width
    wide_as = "at full width" if width == 1 else f"of {Fraction(width).limit_denominator(100)} of the width"
    article = sorted(
        {
            n.middle
            for s in stated().values()
            for n in s.numbers
            if n.quantity.startswith("accuracy of SNN VGG3x4")
        }
    )
    says = f"; the article's VGG3x4 gets {_percent(article[0] / 100)}" if article else ""
    got = " to ".join(dict.fromkeys((_percent(min(reached)), _percent(max(reached)))))
    said = f"Our networks, {wide_as}, saw {share} of CIFAR-10's training images and get {got} of the test images right{says}."
    if not smaller:
        return said
    rest = "claim still rests" if smaller == 1 else "claims still rest"
    return f"{said} {smaller} of the {len(found.judgements)} central {rest} on smaller runs."


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def _source(record: Record) -> str:
    spec = record.spec
    return str(getattr(getattr(spec, "ann", spec), "data", None) and getattr(spec, "ann", spec).data.name)


def _images(record: Record) -> int:
    spec = record.spec
    return int(getattr(spec, "ann", spec).data.train)


def _list(parts: Sequence[str], last: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


# The page ---------------------------------------------------------------------------------------------------


def page_html(found: Home) -> str:
    """The start page's HTML."""
    shown = found.rows
    full = any(one.judgement.profile == "paper" for one in shown)
    legend = (
        '<p class="snn-legend"><span aria-hidden="true">◇</span> article, <span aria-hidden="true">●</span> ours with 95 % '
        f"interval{' (■ at the article&#39;s scale)' if full else ''}. Colour and sign: verdict.</p>"
    )
    plot = f"{wide(shown)}{narrow(shown)}{legend}" if shown else ""
    cards = "".join(_card(name, groups, chapter, found) for name, (groups, chapter) in CARDS.items())
    buttons = (
        ("Read", "../executed/07_agd.html"),
        ("Check a number", "reading.html"),
        ("Run it", "rerun.html"),
        ("How to cite", "cite.html"),
    )
    links = "".join(f'<a class="snn-button" href="{address}">{word}</a>' for word, address in buttons)
    return (
        f'<div class="snn snn-home"><style>{_sheet()}</style><div class="snn-takeaway"><p class="snn-asks">'
        f"{inline_html(finding(found))}</p><p>{inline_html(scale_sentence(found))}</p></div>"
        f'<div class="snn-two"><div class="snn-plot">{plot}</div><div class="snn-cards">{cards}'
        '<output class="snn-details" hidden></output></div></div>'
        f'<p class="snn-buttons">{links}</p></div>'
    )


def _card(name: str, groups: Sequence[str], chapter: str, found: Home) -> str:
    """Verdict, one number, confidence and link of one technique."""
    mine = [judgement for group in groups for judgement in found.groups[group]]
    shown = [one for one in map(row, mine) if one is not None]
    lead = next((one for one in shown if one.paper), shown[0] if shown else None)
    number = ""
    if lead is not None:
        paper = f", article {lead.paper}" if lead.paper else ""
        number = f"{html.escape(stated()[lead.name].short)}: {html.escape(words.estimate(lead.quantity))}{html.escape(paper)}"
    return (
        f'<a class="snn-card" href="../executed/{chapter}.html"><strong>{html.escape(name)}</strong>{mark(verdict_of(mine))}'
        f"<span>{number}</span></a>"
    )


@cache
def _sheet() -> str:
    return " ".join(Path(__file__).with_name("home.css").read_text(encoding="utf-8").split())


# README.md --------------------------------------------------------------------------------------------------


def markdown(found: Home) -> str:
    """The same for README.md: the two sentences, then the central claims with the article's number and ours."""
    lines = [
        f"**{finding(found)}** {scale_sentence(found)}",
        "",
        "| | claim | article | ours, 95 % interval | verdict |",
        "|---|---|---|---|---|",
    ]
    for group, judgements in found.groups.items():
        for judgement in judgements:
            one = row(judgement)
            ours = (
                "not measured"
                if one is None
                else f"{words.estimate(one.quantity)}: {words.plain(one.quantity.quantity.what)}"
            )
            paper = one.number.says if one is not None and one.number else ""
            cells = (group, stated()[judgement.claim.id].short, paper, ours, words.signed(judgement.verdict))
            lines.append(f"| {' | '.join(map(markdown_text, cells))} |")
    return "\n".join(lines) + "\n"


def markdown_text(text: str) -> str:
    """Escape text so that Markdown shows it unchanged."""
    for sign in "\\`*_~[]<|$":
        text = text.replace(sign, f"\\{sign}")
    return text
