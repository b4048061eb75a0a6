"""The article's sentences at the end of a chapter, each beside the quantities that its estimator finds in the records.

The verdict, and the ranges it rests on, are the ledger's; a chapter shows estimates alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from panda2020 import contents
from panda2020.claims import claims as claims_claims
from panda2020.claims.claims import claim, claims
from panda2020.claims.verdicts import SIGNS, Judged, number
from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.records import Conditions
from panda2020.runs import Record

from .ledger import Ledger, ledger

_BASES = {
    "seeds": "seeds",
    "both": "seeds and test images",
    "images": "test images alone",
    "grain": "steps of the quantity",
    "computed": "computed",
    "none": "one seed",
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
    estimators = contents.estimators()
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
        rows += [
            {"claim": name, "the paper": claims_claims.sentence(name), **_estimate(part)} for part in valued
        ]
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
        "interval": NO_VALUE
        if judged.low is None or judged.high is None
        else f"{number(judged.low)} to {number(judged.high)}",
        "interval over": _BASES[judged.basis],
        "seeds": NO_VALUE if part.computed else len(part.seeds),
    }


def judged(
    names: Sequence[str], profile: str = "laptop", *, reading: str = "A", results: str | Path | None = None
) -> Ledger:
    """The ledger of some claims alone, under one reading of the networks. Raises ``ValueError`` for an unknown claim."""
    known = claims()
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"names must be known claims, got {', '.join(unknown)}")
    estimators = contents.estimators()
    return ledger(
        profile,
        conditions=Conditions(reading=reading),
        results=results,
        known={name: known[name] for name in names},
        estimators={name: estimators[name] for name in names if name in estimators},
    )


def claim_table(found: Ledger) -> pd.DataFrame:
    """Sentences of the article with every quantity that decides them: one row per quantity, verdicts by ``verdicts``.

    "ours" is the mean over seeds; "basis" is what its 95 % interval comes from: seeds, test images alone, or none.
    """
    rows = []
    for name, judgement in found.judgements.items():
        sign = f"{SIGNS[judgement.verdict]} {judgement.verdict}"
        start = {"claim": name, "the paper": claims_claims.sentence(name), "verdict": sign}
        parts = judgement.conclusion.parts
        for one in parts:
            rows.append(
                {
                    **start,
                    "quantity": one.part.what,
                    "unit": one.part.unit,
                    "ours": None if one.mean is None else one.mean.mean,
                    "95 % interval": "no interval" if one.low is None else f"{one.low:.3g} to {one.high:.3g}",
                    "basis": one.basis,
                    "expected": str(one.part.expected),
                    "seeds": len(one.part.seeds),
                }
            )
        if not parts:
            rows.append({**start, "quantity": judgement.conclusion.reason})
    return pd.DataFrame(rows)
