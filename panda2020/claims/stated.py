"""Each claim in a few words, and the numbers that the article prints, in the terms of our quantities."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .claims import claims
from .verdicts import Quantity

FILE = Path(__file__).with_name("stated.yml")


@dataclass(frozen=True)
class Number:
    """A number of the article.

    Attributes:
        says: verbatim.
        low: lower end, in the unit and sign of the quantities that ``quantity`` names.
        high: upper end.
        quantity: see ``low``.
        cells: rows and columns of the exhibit that contain it.
    """

    says: str
    low: float
    high: float
    quantity: str
    where: str
    cells: tuple[tuple[str, str], ...] = ()

    @property
    def middle(self) -> float:
        """The value that a plot marks."""
        return (self.low + self.high) / 2

    def speaks_of(self, quantity: Quantity) -> bool:
        """Whether the number is about this quantity."""
        return fnmatchcase(quantity.what, f"{self.quantity.replace('[', '[[]')}*")


@dataclass(frozen=True)
class Stated:
    """A claim as the article states it.

    Attributes:
        short: the claim in a few words.
        numbers: the numbers that the article prints with it.
    """

    short: str
    numbers: tuple[Number, ...] = ()

    def number_of(self, quantity: Quantity) -> Number | None:
        """The article's number for a quantity, if it prints one."""
        return next((number for number in self.numbers if number.speaks_of(quantity)), None)


@cache
def stated() -> dict[str, Stated]:
    """The stated claims, by id.

    Raises:
        ValueError: the file does not have exactly the claims of ``claims.yml``.
    """
    rows = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    if rows.keys() != claims().keys():
        odd = sorted(rows.keys() ^ claims().keys())
        raise ValueError(
            f"{FILE.name} must have the claims of claims.yml, these are in one alone: {', '.join(odd)}"
        )
    return {
        name: Stated(row["short"], tuple(_number(name, n) for n in row.get("numbers", ())))
        for name, row in rows.items()
    }


def cell(exhibit: str, row: str, column: str) -> str:
    """The article's words for one cell of an exhibit, verbatim; empty if there are none."""
    for name, found in stated().items():
        if claims()[name].exhibit == exhibit:
            for number in found.numbers:
                if (row, column) in number.cells:
                    return number.says
    return ""


def _number(claim: str, row: dict[str, Any]) -> Number:
    low, high = row["at"] if isinstance(row["at"], list) else (row["at"], row["at"])
    where = str(row.get("where") or claims()[claim].where)
    cells = tuple((str(r), str(c)) for r, c in row.get("cells", ()))
    return Number(str(row["says"]), float(low), float(high), str(row["quantity"]), where, cells)
