"""The table of contents: every chapter's runs and the estimators of its claims.

``entries("laptop", ["8"], [0])`` gives the ANN and spiking runs of Table 8 with seed 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panda2020.agd import claims as agd_claims
from panda2020.agd.grid import (
    baselines,
    choices,
    followed_gradients,
    others,
    pilot,
    precisions,
    readings,
    recipes,
    table8,
)
from panda2020.beyond import claims as beyond_claims
from panda2020.beyond.grid import binary_networks, latency_coded, unstated
from panda2020.claims.registry import ESTIMATORS, Estimator
from panda2020.conversion import claims as conversion_claims
from panda2020.conversion.grid import stochmax_converted, table2, table2_variants, table4
from panda2020.energy import claims as energy_claims
from panda2020.hybrid import claims as hybrid_claims
from panda2020.hybrid.grid import (
    relu_sweep,
    table14,
    table16,
    vgg9_recipes,
    vgg13_readings,
    vgg13_recipes,
)
from panda2020.neurons import claims as neurons_claims
from panda2020.stdp import claims as stdp_claims
from panda2020.stdp.grid import stdp_samples, table6, table12
from panda2020.stochmax import claims as stochmax_claims
from panda2020.stochmax.grid import stochmax_variants, table10, table11
from panda2020.topologies import claims as topologies_claims
from panda2020.topologies.grid import figure1, longer
from snncore._check import one_of

from .planning import Grid, planned
from .profiles import PROFILES as PROFILES
from .profiles import profile
from .runs import Entry

#: The runs of each table; tables that decide most claims come first.
GRIDS: tuple[Grid, ...] = (
    table8,
    table2,
    table4,
    table6,
    table12,
    table10,
    table14,
    table11,
    table16,
    baselines,
    others,
    table2_variants,
    figure1,
    longer,
    stochmax_converted,
    stdp_samples,
    relu_sweep,
    vgg9_recipes,
    readings,
    vgg13_readings,
    vgg13_recipes,
    stochmax_variants,
    followed_gradients,
    latency_coded,
    binary_networks,
    unstated,
    pilot,
    recipes,
    choices,
    precisions,
)

#: Table -> its runs.
TABLES: dict[str, Grid] = {grid.table: grid for grid in GRIDS}

#: Tables that are made for one seed only, the first of the given ones.
ONE_SEED = tuple(grid.table for grid in GRIDS if grid.one_seed)


def entries(
    profile_name: str, tables: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[Entry]:
    """All planned runs of the tables for the seeds, each once.

    All runs of the first seed come before those of the second. Not every run is planned for every seed (``planning``). A run
    that several of the tables show is labelled with all of them.

    Args:
        profile_name: the scale.
        tables: None means every table.
        seeds: None means the profile's seeds.

    Raises:
        ValueError: an unknown profile or table.
    """
    p = profile(profile_name)
    wanted = (
        list(TABLES) if tables is None else [one_of("table", str(name), tuple(TABLES)) for name in tables]
    )
    found: dict[object, Entry] = {}
    for number, seed in enumerate(seeds or p.seeds):
        for name in wanted:
            if number and name in ONE_SEED:
                continue
            for entry in filter(planned, TABLES[name](profile_name, seeds=[seed])):
                first = found.setdefault(entry.spec, entry)
                shown = tuple(dict.fromkeys(first.tables + entry.tables))
                if shown != first.tables:
                    found[entry.spec] = replace(first, tables=shown)
    return list(found.values())


#: The order of recording in the protocol (section 7): stage -> its (table, networks), with () for all networks.
STAGES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "pilot": (("pilot", ()),),
    "R1": (("2", ()), ("2-variants", ())),
    "R2": (("8", ("VGG7-agd", "VGG3x4")), ("8-recipe", ())),
    "R3": (("8", ("VGG5", "VGG3x2-v2")),),
    "R4": (("14", ()), ("14-relu", ())),
    "R5": (("10", ()), ("11", ()), ("10-variants", ()), ("2-stochmax", ())),
    "R6": (("6", ()), ("12", ())),
    "R7": (("4", ()), ("16", ())),
    "R8": tuple(
        (table, ())
        for table in (
            "8-choices",
            "8-precision",
            "8",  # its remaining T = 50
            "8-readings",
            "8-baselines",
            "8-others",
            "figure-1",
            "9.2-binary",
            "9.1-latency",
            "figure-5",
            "unstated",
            "6-samples",
            "16-readings",
            "16-recipe",
            "14-recipe",  # and the next: not in the protocol, to vary what may matter most
            "figure-1-longer",
        )
    ),
}


def stage(profile_name: str, name: str, seeds: Sequence[int] | None = None) -> list[Entry]:
    """The planned runs of one stage of ``STAGES``, part by part, each seed by seed. The longer T of a table are in R8.

    Raises:
        ValueError: an unknown profile or stage.
    """
    parts, p = STAGES[one_of("stage", name, tuple(STAGES))], profile(profile_name)
    found: dict[object, Entry] = {}
    for table, networks in parts:
        for number, seed in enumerate(seeds or p.seeds):
            if number and table in ONE_SEED:
                continue
            for entry in entries(profile_name, [table], [seed]):
                longest = p.steps[table][0] if table in p.steps and table != "10" else None
                steps = getattr(getattr(entry.spec, "input", None), "steps", None)
                later = name != "R8" and longest is not None and (steps or 0) > longest
                if (not networks or entry.network in networks) and not later:
                    found.setdefault(entry.spec, entry)
    return list(found.values())


#: Importing a chapter's claims registers their estimators.
CLAIMS = (
    agd_claims,
    beyond_claims,
    conversion_claims,
    energy_claims,
    hybrid_claims,
    neurons_claims,
    stdp_claims,
    stochmax_claims,
    topologies_claims,
)


def estimators() -> dict[str, Estimator]:
    """Every estimator, by the id of its claim."""
    return ESTIMATORS
