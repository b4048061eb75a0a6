"""Does depth decide, or the recipe? The specification curve of "VGG7 fails" (section 3 of the protocol).

Short runs, role "recipe", train VGG7, VGG3x4 and VGG5 under every combination of what the article leaves open. A recipe speaks
for the article where VGG7 fails and the other two do not; where all fail, or none, it says nothing about depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from panda2020.claims.protocol import fails
from panda2020.runs import Record
from panda2020.samples import samples

PLAIN, SHARED, CONTROL = "VGG7-agd", "VGG3x4", "VGG5"

CHOICES = ("readout", "gain", "leak", "optimizer", "rate", "clip")

DEPTH, ALL_FAIL, NONE_FAILS, OTHERWISE, UNKNOWN = (
    "VGG7 alone fails",
    "all fail",
    "none fails",
    "another one fails",
    "not all recorded",
)


def specification_table(records: Iterable[Record]) -> pd.DataFrame:
    """One row per recipe, in the order of the records: its choices, the three accuracies, and what it says.

    Raises ``ValueError`` for the same run twice.
    """
    rows: dict[tuple, dict[str, float]] = {}
    for record in records:
        choice, network = _choice(record), str(record.labels["network"])
        held = rows.setdefault(choice, {})
        if network in held:
            raise ValueError(f"records must hold each run once, got {network} under {choice} twice")
        held[network] = list(samples(record).values())[-1].accuracy
    return pd.DataFrame(
        [
            {
                **dict(zip(CHOICES, choice, strict=True)),
                **{name: held.get(name) for name in (CONTROL, SHARED, PLAIN)},
                "says": says(held),
            }
            for choice, held in rows.items()
        ],
        columns=[*CHOICES, CONTROL, SHARED, PLAIN, "says"],
    )


def says(accuracies: Mapping[str, float]) -> str:
    """What one recipe says of depth, from the accuracies of the three networks."""
    if not {PLAIN, SHARED, CONTROL} <= accuracies.keys():
        return UNKNOWN
    failed = {name for name, value in accuracies.items() if fails().holds(100 * value, 100 * value)}
    if failed == {PLAIN}:
        return DEPTH
    return NONE_FAILS if not failed else ALL_FAIL if len(failed) == len(accuracies) else OTHERWISE


def finding(table: pd.DataFrame) -> str:
    """In one sentence, how many recipes say what."""
    if table.empty:
        return "No recipe of the specification curve is recorded."
    counts = table["says"].value_counts()
    listed = "; ".join(f"{word}: {count}" for word, count in counts.items())
    return f"Of {len(table)} recipes: {listed}."


def _choice(record: Record) -> tuple:
    network, training = record["spec"]["network"], record["spec"]["training"]
    return (
        network["readout"],
        network["gain"],
        network["alpha"],
        training["optimizer"],
        training["learning_rate"],
        training["clip"],
    )
