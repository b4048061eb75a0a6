"""What Table 8 says about the paper's sentences on AGD: estimates beside quotes, and findings put into words by code.

Verdicts are the ledger's; nothing here decides whether a claim holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..runs import Record
from .recorded import reading_of, scale
from .tables import joint, sentence, table8

#: The networks of which both sentences speak.
CLAIMED = ("VGG5", "VGG3x2-v2")


def claim_table(table: pd.DataFrame) -> pd.DataFrame:
    """The sentences on accuracy loss and on energy beside our estimates, from a table that ``table8`` made.

    One row per sentence, network and T. The loss is ANN minus SNN, in points. Rows without an ANN to compare with are left
    out, so the table may be empty.
    """
    ours = table[table["network"].isin(CLAIMED) & table["minus ANN"].notna()]
    rows = []
    for _, row in ours.iterrows():
        start = {"network": row["network"], "reading": row["reading"], "T": row["T"], "accuracy": row["accuracy"]}
        loss = {
            "our estimate": f"{-row['minus ANN']:.1f} points",
            "over seeds": turned(row["difference over seeds"]),
            "over test images": turned(row["difference over test images"]),
        }
        gains = ", ".join(f"{row[f'EE {c}']:.1f} ({c})" for c in ("paper", "physical", "full"))
        found = (("agd-loss", loss), ("agd-ee", {"our estimate": gains}))
        rows += [
            {"claim": c, "the paper": sentence(c), **start, **estimate, "seeds": row["pairs"]} for c, estimate in found
        ]
    columns = [
        "claim",
        "the paper",
        "network",
        "reading",
        "T",
        "accuracy",
        "our estimate",
        "over seeds",
        "over test images",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "seeds"])
    return frame.sort_values(
        "claim", key=lambda c: c.map({"agd-loss": 0, "agd-ee": 1}), kind="stable", ignore_index=True
    )


def turned(span: str) -> str:
    """An interval of a difference, for the difference the other way round: "-4.1 to +0.3" -> "-0.3 to +4.1"."""
    if " to " not in span:
        return span
    low, high = span.split(" to ")
    swap = str.maketrans("+-", "-+")
    return f"{high.translate(swap)} to {low.translate(swap)}"


def finding(records: Sequence[Record], name: str, steps: int) -> tuple[str, list[Record]] | None:
    """One sentence on a network at one T against its ANN, and the runs it rests on; None where there is no such pair."""
    of_name = [r for r in records if r.labels["network"] == name and reading_of(r.labels["note"]) == "A"]
    ann, snn = (
        {r.spec.seed: r for r in of_name if r.labels["role"] == role and r.result.get("steps") == t}
        for role, t in (("ann", None), ("snn", steps))
    )
    pair = [run for seed in sorted(ann.keys() & snn.keys()) for run in (ann[seed], snn[seed])]
    if not pair:
        return None
    table = table8(pair)
    row = table.iloc[1]
    loss = row["minus ANN"]
    seeds = f"{row['pairs']} seed{'s' if row['pairs'] > 1 else ''}"
    over, source = joint(row["difference over seeds"], row["difference over test images"])
    return (
        f"{name} trained with spikes (AGD, T = {steps}) reaches {row['accuracy']:.1%}, {abs(loss):.1f} points "
        f"{'below' if loss < 0 else 'above'} its ANN at {row['ANN accuracy']:.1%} (difference {over} points, 95 % over "
        f"{source}; {seeds}), with EE {row['EE paper']:.1f} under convention paper. {scale(pair)[0].upper()}{scale(pair)[1:]}."
    ), pair
