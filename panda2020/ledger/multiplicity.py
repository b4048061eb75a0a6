"""How many central verdicts may be due to chance: Benjamini and Hochberg's q (section 5 of the protocol)."""

from __future__ import annotations

from collections.abc import Mapping

from panda2020.claims.verdicts import CONTRADICTED, ClaimVerdict
from panda2020.statistics import false_discovery


def p_value(verdict: ClaimVerdict) -> float | None:
    """The p of a claim.

    All of its quantities must hold, so it is the largest p; if the claim is contradicted, the smallest p of the quantities that
    contradict it. None if a quantity has none.
    """
    parts = verdict.counted
    if verdict.verdict == CONTRADICTED:
        found = [one.p for one in parts if one.verdict == CONTRADICTED]
        known = [p for p in found if p is not None]
        return min(known) if known else None
    found = [one.p for one in parts]
    return None if not found or None in found else max(p for p in found if p is not None)


def q_values(verdicts: Mapping[str, ClaimVerdict]) -> dict[str, float]:
    """The q of every claim that has a p, among these claims: the false discovery rate if it is counted as a discovery."""
    p = {name: value for name, one in verdicts.items() if (value := p_value(one)) is not None}
    return dict(zip(p, false_discovery(list(p.values())), strict=True))
