"""How often a run is repeated: a rule, so that nobody adds seeds until a verdict pleases.

The first ``FEW`` seeds of a profile are for every run; all of its seeds for the pairs on which the main findings hang, because
with three seeds a difference of one to three points stays undecided. The longest simulations run once (``ONCE_ABOVE``). A seed
or T that is asked for by name is never refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..runs import Entry
from .profiles import profile

FEW = 3
#: profile -> the largest T of a trained network that is repeated with other seeds.
ONCE_ABOVE = {"laptop": 25}
#: (network, role) of the pairs that get all seeds: Tables 8, 10, 14, 2 and 6; an STDP run holds its random kernels.
HEADLINE = frozenset(
    [(name, role) for name in ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4") for role in ("ann", "snn")]
    + [("VGG3", role) for role in ("snn", "snn-stochmax")]
    + [(name, role) for name in ("VGG9", "VGG8x2") for role in ("ann", "hybrid-stochmax")]
    + [(name, role) for name in ("VGG2x4", "VGG3x2-v1") for role in ("converted", "converted-shared")]
    + [("ResNet2", role) for role in ("ann", "stdp")]
)

Grid = Callable[..., list[Entry]]


def seed_of(entry: Entry) -> int:
    """The seed of a run; that of the ANN where it is a conversion."""
    return int(entry.spec.seed if hasattr(entry.spec, "seed") else entry.spec.ann.seed)


def steps_of(entry: Entry) -> int | None:
    """The T that a trained network's run is for; None where one run holds many, or none."""
    steps: int | None = getattr(getattr(entry.spec, "input", None), "steps", None)
    return steps


def planned(entry: Entry, *, any_steps: bool = False) -> bool:
    """Whether the run belongs to its profile's plan, by its seed and T. any_steps: at whatever T.

    A seed that the profile does not have is nobody's plan but the user's, and belongs.
    """
    seeds, seed = profile(entry.profile).seeds, seed_of(entry)
    if seed not in seeds:
        return True
    number, headline = seeds.index(seed), (entry.network, entry.role) in HEADLINE and "reading B" not in entry.note
    longest = ONCE_ABOVE.get(entry.profile)
    once = longest is not None and not any_steps and (steps_of(entry) or 0) > longest
    return number < (1 if once else len(seeds) if headline else FEW)


def repeated(grid: Grid) -> Grid:
    """A grid that leaves out what is not planned, unless it is called with seeds; T that it is called with are kept."""

    @functools.wraps(grid)
    def found(profile_name: str, *, seeds: Any = None, **chosen: Any) -> list[Entry]:
        entries = grid(profile_name, seeds=seeds, **chosen)
        any_steps = bool(chosen.get("timesteps"))
        return entries if seeds else [entry for entry in entries if planned(entry, any_steps=any_steps)]

    return found
