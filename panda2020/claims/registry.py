"""Which function estimates which claim.

An estimator takes a ``Case`` (the recorded runs of one profile) and gives a ``Finding``: quantities with the direction and the
size that the sentence claims, all ranges from ``claims.protocol``. The rules from there to a verdict are the same for all
(``panda2020.claims.verdicts``). Every chapter's ``claims`` module holds its estimators; ``panda2020.contents.estimators``
gives them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .evidence import Case
from .verdicts import Quantity


@dataclass(frozen=True)
class Finding:
    """What an estimator found.

    parts: all must hold for the claim to hold, but those that only stand beside. caveat: what a reader must know to weigh the
    verdict, such as a topology that was reconstructed from the very sentence being judged.
    """

    parts: Sequence[Quantity]
    caveat: str = ""


@dataclass(frozen=True)
class Estimator:
    """find: the function. method: what it does, in one sentence. tables: the exhibits whose runs it reads, () for none."""

    find: Callable[[Case], Finding]
    method: str
    tables: tuple[str, ...]


ESTIMATORS: dict[str, Estimator] = {}


def estimates(
    claim: str, *, tables: tuple[str, ...]
) -> Callable[[Callable[[Case], Finding]], Callable[[Case], Finding]]:
    """Register the estimator of ``claim``; its docstring is printed in the ledger. ``ValueError`` for a second one."""

    def register(find: Callable[[Case], Finding]) -> Callable[[Case], Finding]:
        if claim in ESTIMATORS:
            raise ValueError(f"claim must have one estimator, got a second for {claim!r}")
        if not find.__doc__:
            raise ValueError(f"the estimator of {claim!r} must say what it does in its docstring")
        ESTIMATORS[claim] = Estimator(find, " ".join(find.__doc__.split()), tables)
        return find

    return register
