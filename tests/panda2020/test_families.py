"""What a seed variance is pooled from."""

from __future__ import annotations

import math

import pytest
from made_up import World

from panda2020 import families
from panda2020.claims.quantities import difference, first, mean_difference, share
from panda2020.claims.ranges import above
from panda2020.statistics import pooled, pooled_difference

pytestmark = pytest.mark.usefixtures("stated_energies")

AGD = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")


def case():
    return World({}, noise={"acc": 0.1, "ee": 0.1}).evidence().case()


def values(here, name, role):
    series = first(here, name, role) if role == "snn" else here.series(name, role)
    return {seed: share(sample) for seed, sample in series.samples.items()}


def test_every_network_is_in_one_family_at_most():
    names = [name for members in families.FAMILIES for name in members]
    assert len(names) == len(set(names))
    assert families.family("VGG13") == ("VGG13",) and families.family("VGG11x2") == ("VGG16", "VGG11x2")
    assert families.family("ConvNN") == ("ConvNN",)


def test_snn_minus_ann_is_pooled_over_the_topologies_of_the_family():
    here = case()
    found = difference(first(here, "VGG5"), here.series("VGG5", "ann"), direction=above(0)).pool
    by_hand = pooled(
        [
            [values(here, name, "snn")[s] - values(here, name, "ann")[s] for s in range(3)]
            for name in AGD  # the others of the family have no ANN here
        ]
    )
    assert found == by_hand and found.freedom == 8


def test_two_topologies_in_one_role_are_pooled_with_seeds_as_blocks():
    here = case()
    found = difference(first(here, "VGG3x2-v2"), first(here, "VGG5"), direction=above(0)).pool
    every = [values(here, name, "snn") for name in families.family("VGG5") if name != "VGG3"]  # at T = 25
    every.append({s: share(x) for s, x in here.series("VGG3", "snn", 25).samples.items()})
    expected = pooled_difference(every)
    assert (found.deviation, found.freedom) == (
        pytest.approx(expected.deviation),
        expected.freedom,
    ) and found.freedom == 14


def test_other_pairs_are_taken_as_independent():
    here = case()
    one, two = first(here, "VGG3x4"), here.series("VGG7-agd", "ann")
    found = difference(one, two, direction=above(0)).pool
    sides = families.of_values(one, share), families.of_values(two, share)
    assert found.deviation == pytest.approx(math.hypot(*(side.deviation for side in sides)))
    assert min(s.freedom for s in sides) <= found.freedom <= sum(s.freedom for s in sides)
    assert families.independent(None, sides[0]) is None


def test_networks_at_chance_do_not_tell_how_others_spread():
    world = World({("acc", "VGG3x4", "snn"): 0.1}, noise={"acc": 0.1}).evidence().case()
    found = difference(first(world, "VGG5"), world.series("VGG5", "ann"), direction=above(0)).pool
    assert found.freedom == 6


def test_a_mean_of_networks_spreads_less_by_the_root_of_their_number():
    here = case()
    pairs = [(first(here, name), here.series(name, "ann")) for name in AGD]
    alone = difference(*pairs[0], direction=above(0))
    found = mean_difference(pairs, direction=above(0), what="mean")
    assert (
        found.pool.deviation == pytest.approx(alone.pool.deviation / 2)
        and found.pool.freedom == alone.pool.freedom
    )
    by_hand = [difference(*pair, direction=above(0)).values for pair in pairs]
    assert found.values == pytest.approx([sum(one[s] for one in by_hand) / 4 for s in range(3)])
