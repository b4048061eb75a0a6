"""What the article states, word for word: the only values of the paper that the book prints as the paper's.

Verdicts on these statements are given by ``panda2020.ledger.ledger``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from snncore._check import one_of

FILE = Path(__file__).with_name("claims.yml")

METHODS = ("conversion", "STDP", "AGD", "stochmax", "hybrid", "BackRes", "energy", "coding")

_NEEDED = {"id", "method", "where", "quote", "expects"}


@dataclass(frozen=True)
class Claim:
    """One sentence of the article.

    quote: verbatim. where: its section. exhibit: the table or figure it speaks of ("Table 8"). expects: in our words,
    what a run must show. method: the training method, or part of the model, that it is about.
    """

    id: str
    where: str
    quote: str
    expects: str
    exhibit: str
    method: str

    def __str__(self) -> str:
        return f"“{self.quote}” ({self.where})"


@cache
def claims() -> dict[str, Claim]:
    """Every claim by its id, in the order of the file."""
    return read(FILE.read_text(encoding="utf-8"))


def claim(name: str) -> Claim:
    """One claim; ``ValueError`` for an unknown id."""
    return claims()[one_of("claim", name, tuple(claims()))]


def read(text: str) -> dict[str, Claim]:
    """Claims from YAML text. ``ValueError`` for an id used twice, and for a field that is missing, unknown or empty."""
    found: dict[str, Claim] = {}
    for row in yaml.safe_load(text):
        name = row.get("id", "without id")
        exhibits = row.keys() & {"table", "figure"}
        if row.keys() - {"table", "figure"} != _NEEDED or len(exhibits) != 1:
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
        found[name] = Claim(name, str(row["where"]), row["quote"], row["expects"], exhibit, method)
    return found


NOT_GIVEN = "not in our source"


def sentence(name: str) -> str:
    """A claim's words as an exhibit prints them, with their section."""
    found = claim(name)
    return f"“{found.quote}” ({found.where})"
