"""The article's sentences at the end of a chapter, each beside the quantities that its estimator finds in the records.

The verdict, and the ranges it rests on, are the ledger's; a chapter shows estimates alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..runs import Record
from . import tables
from .claims import claim
from .estimators import load
from .exhibits import NO_VALUE
from .ledger import ledger
from .verdicts import Judged, number

_BASES = {
    "seeds": "seeds", "both": "seeds and test images", "images": "test images alone", "grain": "steps of the quantity",
    "computed": "computed", "none": "one seed",
}
COLUMNS = ("claim", "the paper", "quantity", "our estimate", "interval", "interval over", "seeds")


def claim_estimates(
    names: Sequence[str], *, profile: str = "laptop", results: str | Path | None = None
) -> tuple[pd.DataFrame, list[Record], list[str]]:
    """One row per quantity behind each of the claims ``names``, 95 % intervals; the runs behind them; what has no estimate.

    A quantity that has no value, because its runs are not recorded or decide nothing (a network at chance), has no row; the
    third value says why, one line per claim, and what weighs on the estimates that are there. Raises ``ValueError`` for a
    claim that is none.
    """
    estimators = load()
    judged = ledger(
        profile,
        results=results,
        known={name: claim(name) for name in names},
        estimators={name: estimators[name] for name in names if name in estimators},
    )
    rows: list[dict[str, object]] = []
    runs: dict[str, Record] = {}
    open_: list[str] = []
    for name, judgement in judged.judgements.items():
        parts = judgement.conclusion.parts
        valued = [part for part in parts if part.mean is not None]
        rows += [{"claim": name, "the paper": tables.sentence(name), **_estimate(part)} for part in valued]
        if valued:
            runs |= {record.key: record for record in judgement.records}
        reasons = [reason for part in parts if part.mean is None for reason in part.reason.split("; ")]
        reasons = reasons or ([] if valued else [judgement.conclusion.reason])
        if reasons:
            open_.append(f"{name}: " + "; ".join(dict.fromkeys(reasons)))
        if valued and judgement.caveat:
            open_.append(f"{name}: {judgement.caveat}")
    return pd.DataFrame(rows, columns=list(COLUMNS)), list(runs.values()), open_


def _estimate(judged: Judged) -> dict[str, object]:
    """The cells of one quantity that has a value."""
    part, mean = judged.part, judged.mean
    assert mean is not None
    return {
        "quantity": part.what + (f" ({part.void})" if part.void else ""),
        "our estimate": f"{number(mean.mean)} {part.unit}".strip(),
        "interval": NO_VALUE if judged.low is None or judged.high is None
        else f"{number(judged.low)} to {number(judged.high)}",
        "interval over": _BASES[judged.basis],
        "seeds": NO_VALUE if part.computed else len(part.seeds),
    }
