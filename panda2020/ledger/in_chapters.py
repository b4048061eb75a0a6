"""The article's sentences at the end of a chapter, each with the quantities that its estimator finds in the records.

The verdict, and the ranges it rests on, are shown in the ledger; a chapter shows the ledger's estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from panda2020 import contents
from panda2020.claims.claims import claim, sentence
from panda2020.claims.verdicts import QuantityVerdict
from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.exhibits.numbers import interval
from panda2020.runs import Record
from panda2020.samples import Conditions

from . import words
from .ledger import ledger

COLUMNS = ("claim", "the paper", "quantity", "our estimate", "interval", "interval over", "seeds")


def claim_table(
    names: Sequence[str], *, profile: str = "first", reading: str = "A", results: str | Path | None = None
) -> tuple[pd.DataFrame, list[Record], list[str]]:
    """One row per quantity behind each of the claims ``names``, 95 % intervals; the runs behind them; what has no estimate.

    A quantity without a value (its runs are not recorded, or they decide nothing as a network is at chance) has no row; the
    third value says why, one line per claim, and what weighs on the estimates that are there. reading: of the networks that
    have several. Raises ``ValueError`` for a claim that is none.
    """
    estimators = contents.estimators()
    found = ledger(
        profile,
        conditions=Conditions(reading=reading),
        results=results,
        known={name: claim(name) for name in names},
        estimators={name: estimators[name] for name in names if name in estimators},
    )
    rows: list[dict[str, object]] = []
    runs: dict[str, Record] = {}
    open_: list[str] = []
    for name, judgement in found.judgements.items():
        parts = judgement.conclusion.parts
        valued = [part for part in parts if part.estimate is not None]
        place = {"claim": name, "the paper": sentence(name)}
        rows += [{**place, **_cells(part)} for part in valued]
        if valued:
            runs |= {record.key: record for record in judgement.records}
        reasons = [reason for part in parts if part.estimate is None for reason in part.reason.split("; ")]
        reasons = reasons or ([] if valued else [judgement.conclusion.reason])
        if reasons:
            open_.append(f"{name}: " + "; ".join(dict.fromkeys(reasons)))
        if valued and judgement.caveat:
            open_.append(f"{name}: {judgement.caveat}")
    return pd.DataFrame(rows, columns=list(COLUMNS)), list(runs.values()), open_


def _cells(one: QuantityVerdict) -> dict[str, object]:
    """The cells of one quantity that has a value."""
    quantity, found = one.quantity, one.estimate
    assert found is not None
    return {
        "quantity": quantity.what + (f" ({quantity.void})" if quantity.void else ""),
        "our estimate": words.measure(found.mean, quantity.unit),
        "interval": NO_VALUE if found.interval is None else interval(found.interval),
        "interval over": found.over,
        "seeds": NO_VALUE if quantity.computed else len(quantity.seeds),
    }
