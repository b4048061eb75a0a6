"""Beside each claim: what it says in a few words, and the numbers that the article prints, in the terms of our quantities."""

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
    """A number of the article. says: verbatim. low, high: the same in the unit and sign of the quantities that ``quantity``
    names. cells: the rows and columns of the exhibit in which it stands."""

    says: str
    low: float
    high: float
    quantity: str
    where: str
    cells: tuple[tuple[str, str], ...] = ()

    @property
    def middle(self) -> float:
        """What a plot marks."""
        return (self.low + self.high) / 2

    def speaks_of(self, quantity: Quantity) -> bool:
        """Whether it is a number about this quantity."""
        return fnmatchcase(quantity.what, f"{self.quantity.replace('[', '[[]')}*")


@dataclass(frozen=True)
class Stated:
    """short: a claim in a few words. numbers: those that the article prints with it."""

    short: str
    numbers: tuple[Number, ...] = ()

    def number_of(self, quantity: Quantity) -> Number | None:
        """The article's number for a quantity, if it prints one."""
        return next((number for number in self.numbers if number.speaks_of(quantity)), None)


@cache
def stated() -> dict[str, Stated]:
    """By claim. Raises ``ValueError`` where the file does not have exactly the claims of ``claims.yml``."""
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
    """What the article's text says of one cell of an exhibit, verbatim; empty where it says nothing."""
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
