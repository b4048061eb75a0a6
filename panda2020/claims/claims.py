"""The article's statements, verbatim: the only values that the book prints as the paper's.

``panda2020.ledger.ledger`` gives the verdicts on these statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from snncore._check import one_of

FILE = Path(__file__).with_name("claims.yml")

METHODS = ("conversion", "STDP", "AGD", "stochmax", "hybrid", "BackRes", "energy", "coding")

CENTRAL, SECONDARY, BY_CONSTRUCTION = "central", "secondary", "by-construction"

KINDS = (CENTRAL, SECONDARY, BY_CONSTRUCTION)

#: The article's five central statements, each taken apart into the claims that have its letter (section 1 of the protocol).
GROUPS = {
    "C1": "AGD fails to train VGG7, trains VGG3x4, and there beats the ANN",
    "C2": "Conversion loses next to nothing, with several thresholds per BackRes block, which grow",
    "C3": "BackRes saves energy",
    "C4": "Stochmax is more accurate by 3 to 4 points, and sparser",
    "C5": "Hybrids train deep, beat their ANN by about a point, at about a quarter of its energy",
}

_NEEDED = {"id", "method", "where", "quote", "expects", "kind"}

_OPTIONAL = {"group", "same_as"}


@dataclass(frozen=True)
class Claim:
    """One sentence of the article.

    Attributes:
        quote: verbatim.
        where: its section.
        exhibit: the table or figure that it is about ("Table 8").
        expects: the result that a run must show, in our words.
        method: the training method, or part of the model, that it is about.
        kind: central, secondary, or by construction (arithmetic, or a consequence of the reconstruction of a network).
        group: for a central claim, one of ``GROUPS``.
        same_as: the claim that makes the same statement and is counted in its place.
    """

    id: str
    where: str
    quote: str
    expects: str
    exhibit: str
    method: str
    kind: str = SECONDARY
    group: str = ""
    same_as: str = ""

    @property
    def counted(self) -> bool:
        """Whether it is in the counts of verdicts, which omit claims by construction and repeated statements."""
        return self.kind != BY_CONSTRUCTION and not self.same_as

    def __str__(self) -> str:
        return f"“{self.quote}” ({self.where})"


@cache
def claims() -> dict[str, Claim]:
    """Every claim by its id, in the order of the file."""
    return read(FILE.read_text(encoding="utf-8"))


def claim(name: str) -> Claim:
    """One claim.

    Raises:
        ValueError: an unknown id.
    """
    return claims()[one_of("claim", name, tuple(claims()))]


def read(text: str) -> dict[str, Claim]:
    """Read claims from YAML text.

    Raises:
        ValueError: an id used twice; a field that is missing, unknown or empty; a central claim without a group, or a
            group without a central claim; or a ``same_as`` that is not a counted claim.
    """
    found: dict[str, Claim] = {}
    for row in yaml.safe_load(text):
        name = row.get("id", "without id")
        exhibits = row.keys() & {"table", "figure"}
        if row.keys() - {"table", "figure"} - _OPTIONAL != _NEEDED or len(exhibits) != 1:
            raise ValueError(
                f"claim {name} must have {', '.join(sorted(_NEEDED))} and one of table and figure, "
                f"got {', '.join(row)}"
            )
        if any(not str(value).strip() for value in row.values()):
            raise ValueError(f"claim {name} must have no empty field")
        if name in found:
            raise ValueError(f"claim ids must differ from each other, got {name} twice")
        exhibit = f"Table {row['table']}" if "table" in row else f"Figure {row['figure']}"
        method = one_of(f"method of claim {name}", row["method"], METHODS)
        kind = one_of(f"kind of claim {name}", row["kind"], KINDS)
        group = one_of(f"group of claim {name}", row["group"], tuple(GROUPS)) if "group" in row else ""
        if (kind == CENTRAL) != bool(group):
            raise ValueError(
                f"claim {name} must have a group if it is central, and only then, got kind {kind}"
            )
        where, same = str(row["where"]), row.get("same_as", "")
        found[name] = Claim(name, where, row["quote"], row["expects"], exhibit, method, kind, group, same)
    for name, one in found.items():
        if one.same_as and (one.same_as not in found or not found[one.same_as].counted):
            raise ValueError(
                f"same_as of claim {name} must name a claim that is counted, got {one.same_as!r}"
            )
    return found


def counted() -> dict[str, Claim]:
    """The claims that are in the counts of verdicts."""
    return {name: one for name, one in claims().items() if one.counted}


NOT_GIVEN = "not in our source"


def sentence(name: str) -> str:
    """A claim's words as an exhibit prints them, with their section."""
    found = claim(name)
    return f"“{found.quote}” ({found.where})"
