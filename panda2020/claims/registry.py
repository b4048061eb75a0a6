"""The function that estimates each claim.

An estimator takes a ``Case`` (the recorded runs of one profile) and returns a ``Finding``: quantities with the claimed
direction and size, with all ranges from ``claims.protocol``. The rules from there to a verdict are the same for all
(``panda2020.claims.verdicts``). Every chapter's ``claims`` module holds its estimators; ``panda2020.contents.estimators``
returns all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .evidence import Case
from .verdicts import Quantity


@dataclass(frozen=True)
class Finding:
    """The result of an estimator.

    Attributes:
        parts: all must hold for the claim to hold, except those marked ``beside``.
        caveat: a limitation that readers need to know, such as a topology reconstructed from the sentence being judged.
    """

    parts: Sequence[Quantity]
    caveat: str = ""


@dataclass(frozen=True)
class Estimator:
    """One estimator.

    Attributes:
        find: the function.
        method: its description in one sentence.
        tables: the exhibits whose runs it reads, () for none.
    """

    find: Callable[[Case], Finding]
    method: str
    tables: tuple[str, ...]


ESTIMATORS: dict[str, Estimator] = {}


def estimates(
    claim: str, *, tables: tuple[str, ...]
) -> Callable[[Callable[[Case], Finding]], Callable[[Case], Finding]]:
    """Register the estimator of ``claim``. Its docstring is printed in the ledger.

    Raises:
        ValueError: a second estimator for the claim.
    """

    def register(find: Callable[[Case], Finding]) -> Callable[[Case], Finding]:
        if claim in ESTIMATORS:
            raise ValueError(f"claim must have one estimator, got a second for {claim!r}")
        if not find.__doc__:
            raise ValueError(f"the estimator of {claim!r} must say what it does in its docstring")
        ESTIMATORS[claim] = Estimator(find, " ".join(find.__doc__.split()), tables)
        return find

    return register
