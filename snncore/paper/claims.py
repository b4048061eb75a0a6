"""What the article states, word for word: the only values of the paper that the book prints as the paper's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from .._check import one_of

FILE = Path(__file__).with_name("claims.yml")


@dataclass(frozen=True)
class Claim:
    """One sentence of the article.

    quote: verbatim. where: its section. exhibit: the table or figure it speaks of ("Table 8"). expects: in our words,
    what a run must show.
    """

    id: str
    where: str
    quote: str
    expects: str
    exhibit: str

    def __str__(self) -> str:
        return f"“{self.quote}” ({self.where})"


@cache
def claims() -> dict[str, Claim]:
    """Every claim by its id, in the order of the file."""
    found = {}
    for row in yaml.safe_load(FILE.read_text(encoding="utf-8")):
        exhibit = f"Table {row['table']}" if "table" in row else f"Figure {row['figure']}"
        found[row["id"]] = Claim(row["id"], str(row["where"]), row["quote"], row["expects"], exhibit)
    return found


def claim(name: str) -> Claim:
    """One claim; ``ValueError`` for an unknown id."""
    return claims()[one_of("claim", name, tuple(claims()))]
