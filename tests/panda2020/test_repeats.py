"""Which runs are planned for which seed."""

from __future__ import annotations

from collections import Counter

import pytest

from panda2020 import contents
from panda2020.agd import grid as agd_grid
from panda2020.conversion import grid as conversion_grid
from panda2020.hybrid import grid as hybrid_grid
from panda2020.planning import HEADLINE, planned, seed_of, steps_of
from panda2020.stdp import grid as stdp_grid
from panda2020.stochmax import grid as stochmax_grid


def seeds_of(entries, *, network, role, steps=None):
    return [
        seed_of(e) for e in entries if (e.network, e.role) == (network, role) and steps in (None, steps_of(e))
    ]


def test_headline_pairs_have_all_seeds_other_runs_three_and_long_ones_one():
    eight, eleven = agd_grid.table8("laptop"), stochmax_grid.table11("laptop")
    assert seeds_of(eight, network="VGG3x4", role="snn", steps=25) == [0, 1, 2, 3, 4]
    assert seeds_of(eight, network="VGG3x4", role="ann") == [0, 1, 2, 3, 4]
    assert seeds_of(eight, network="VGG3x4", role="snn", steps=50) == [0]
    assert seeds_of(eight, network="VGG5", role="snn", steps=25) == [0, 1, 2]
    assert seeds_of(eleven, network="VGG5", role="snn-stochmax", steps=25) == [0, 1, 2]
    assert seeds_of(eleven, network="VGG5", role="snn-stochmax", steps=50) == [0]
    for table, network, role in (
        (hybrid_grid.table16, "VGG13", "hybrid"),
        (hybrid_grid.table14, "VGG9", "hybrid-rate"),
        (conversion_grid.table2_variants, "VGG2x4", "converted-percentile"),
        (stdp_grid.table6, "ResNet2", "stdp"),
    ):
        assert seeds_of(table("laptop"), network=network, role=role) == [0, 1, 2]
    shared = conversion_grid.table2_variants("laptop")
    assert seeds_of(shared, network="VGG2x4", role="converted-shared") == [0, 1, 2, 3, 4]


def test_other_readings_are_not_headlines():
    found = agd_grid.readings("laptop")
    assert set(map(seed_of, found)) == {0, 1, 2} and {e.note for e in found} == {"reading B"}


def test_what_is_asked_for_by_name_is_given():
    assert seeds_of(hybrid_grid.table16("laptop", seeds=[4]), network="VGG13", role="hybrid") == [4]
    assert seeds_of(agd_grid.table8("laptop", timesteps=[50]), network="VGG5", role="snn") == [0, 1, 2]
    assert seeds_of(contents.entries("laptop", ["16"], [7]), network="VGG13", role="hybrid") == [7]


def test_the_plan_of_some_seeds_is_the_plan_restricted_to_them():
    everything = contents.entries("laptop")
    assert all(map(planned, everything))
    for seed in (0, 3):
        # what one run answers for every seed belongs to the first one asked for
        alone = {
            e.spec
            for e in contents.entries("laptop", seeds=[seed])
            if not set(e.tables) <= set(contents.ONE_SEED)
        }
        assert alone == {
            e.spec for e in everything if seed_of(e) == seed and not set(e.tables) <= set(contents.ONE_SEED)
        }
    fourth = [e for e in everything if seed_of(e) == 3]
    assert {(e.network, e.role) for e in fourth} == HEADLINE["laptop"]
    assert max(steps_of(e) or 0 for e in fourth) == 25


def test_compared_pairs_have_the_same_seeds():
    count = Counter(
        (e.network, e.role, steps_of(e)) for e in contents.entries("laptop") if e.note != "reading B"
    )
    for one, other in (
        (("VGG7-agd", "snn", 25), ("VGG3x4", "snn", 25)),
        (("VGG9", "ann", None), ("VGG9", "hybrid-stochmax", 25)),
        (("VGG2x4", "converted", None), ("VGG2x4", "converted-shared", None)),
    ):
        assert count[one] == count[other] == 5


@pytest.mark.parametrize("profile", ["quick"])
def test_profiles_of_up_to_three_seeds_are_repeated_in_full(profile):
    seeds = set(contents.profile(profile).seeds)
    assert len(seeds) <= 3
    for e in agd_grid.table8(profile):
        assert planned(e)
    for role in ("ann", "snn"):
        assert set(seeds_of(agd_grid.table8(profile), network="VGG5", role=role)) == seeds


def test_the_protocols_central_pairs_have_five_seeds_and_others_three():
    stages = {name: contents.stage("laptop", name) for name in contents.STAGES}
    for role in ("snn", "ann"):
        assert seeds_of(stages["R2"], network="VGG3x4", role=role) == [0, 1, 2, 3, 4]
        assert seeds_of(stages["R3"], network="VGG5", role=role) == [0, 1, 2]
    for role in ("converted", "converted-shared", "converted-shared-first", "converted-shared-mean"):
        assert seeds_of(stages["R1"], network="VGG2x4", role=role) == [0, 1, 2, 3, 4]
    assert seeds_of(stages["R4"], network="VGG9", role="relu-0") == [0, 1, 2, 3, 4]


def test_stages_follow_the_protocol():
    pilot = contents.stage("laptop", "pilot")
    assert {seed_of(e) for e in pilot} == {100, 101} and len(pilot) == 2 * 2 * (6 + 6)
    assert {e.spec.data.test for e in pilot} == {500}
    curve = [e for e in contents.stage("laptop", "R2") if e.role == "recipe"]
    assert len(curve) == 3 * 24 and {seed_of(e) for e in curve} == {0}
    assert {(e.spec.training.optimizer, e.spec.training.clip) for e in curve} == {
        ("adam", 1.0),
        ("sgd", None),
    }
    assert {steps_of(e) for name in ("R2", "R3") for e in contents.stage("laptop", name)} == {None, 25}
    assert {steps_of(e) for e in contents.stage("laptop", "R5")} >= {5, 10, 25}
    everything = {e.spec for name in contents.STAGES for e in contents.stage("laptop", name)}
    left = {t for e in contents.entries("laptop") if e.spec not in everything for t in e.tables}
    assert left == {"11"}  # its T = 50
    with pytest.raises(ValueError, match="stage must be one of"):
        contents.stage("laptop", "R9")
