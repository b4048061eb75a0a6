"""Intervals and tests against numbers worked out by hand or taken from printed tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from panda2020.statistics import (
    Estimate,
    Interval,
    accuracy_estimate,
    estimate,
    false_discovery,
    hits,
    mcnemar,
    mean_over_seeds,
    paired,
    pooled,
    pooled_difference,
    resampled,
    wilson,
)
from panda2020.tasks.train import counts
from snncore.training import Evaluation


def test_t_interval_by_hand():
    # mean 2, s = 1, n = 3; t(0.975; 2) = 4.302653 in every table: 2 +- 4.302653 / sqrt(3)
    found = mean_over_seeds([1.0, 2.0, 3.0])
    assert found.mean == 2 and found.seeds == 3
    assert found.interval.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (found.interval.low, found.interval.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), rel=1e-6)
    # t(0.95; 4) = 2.131847, s = sqrt(2.5)
    found = mean_over_seeds([1, 2, 3, 4, 5], confidence=0.9)
    assert found.interval.half == pytest.approx(2.131847 * math.sqrt(2.5 / 5), rel=1e-6)


def test_one_seed_has_no_interval():
    found = mean_over_seeds([0.7])
    assert found == Estimate(0.7, None, 1, "none")


def test_wilson_by_hand():
    # n = 10, p = 1/2, z^2 = 3.841459: centre 1/2, half sqrt(z^2/40 + z^4/400) / (1 + z^2/10)
    z2 = 3.841459
    half = math.sqrt(z2 / 40 + z2**2 / 400) / (1 + z2 / 10)
    assert tuple(wilson(5, 10)) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-6)
    # none of 10: from 0 to z^2 / (n + z^2); all of 10 mirrors it
    assert tuple(wilson(0, 10)) == pytest.approx((0, z2 / (10 + z2)), rel=1e-6, abs=1e-12)
    assert tuple(wilson(10, 10)) == pytest.approx((10 / (10 + z2), 1), rel=1e-6)
    assert wilson(2.5, 10).low < 0.25 < wilson(2.5, 10).high


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share(pair):
    correct, total = pair
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert wilson(correct, total, confidence=0.5).high <= high


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_hits_are_those_the_record_was_made_from(right):
    evaluation = Evaluation(sum(right), len(right), 0.0, torch.tensor(right), {})
    assert hits(counts(evaluation)["hits"], len(right)).tolist() == right


def test_hits_by_hand():
    assert hits("a8", 5).tolist() == [True, False, True, False, True]
    assert hits("01", 8).tolist() == [False] * 7 + [True]
    with pytest.raises(ValueError, match="bits must have 2 hexadecimal digits for 5 images, got 3"):
        hits("a80", 5)


def test_paired_by_hand():
    # 10 images: 3 right by the first alone, 1 by the second alone, 6 alike
    first = np.array([1, 1, 1, 0, 1, 1, 0, 0, 1, 1], bool)
    second = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1], bool)
    found = paired([first], [second])
    assert found.difference == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(((4 + 1) / 12 - (2 / 12) ** 2) / 12))  # two images added
    assert (found.only_first, found.only_second) == (3, 1)
    assert found.p == pytest.approx(2 * (1 + 4) / 16)  # at most 1 of 4 by a fair coin, both sides
    assert found.seeds.interval is None and found.seeds.mean == found.difference
    low, high = found.images
    assert (low, high) == pytest.approx((0.2 - 1.959964 * found.error, 0.2 + 1.959964 * found.error))


def test_the_total_interval_adds_errors_as_squares():
    found = estimate([1.0, 2.0, 3.0], Interval(-1.0, 6.0))
    seeds = 4.302653 / math.sqrt(3)
    expected = 2 - math.hypot(seeds, 3), 2 + math.hypot(seeds, 4)
    assert tuple(found.interval) == pytest.approx(expected, rel=1e-6) and found.basis == "both"
    assert -found == Estimate(-2, Interval(-found.interval.high, -found.interval.low), 3, "both")
    assert (found * 100).interval.low == pytest.approx(100 * found.interval.low)
    assert estimate([2.0], Interval(1.0, 3.0)) == Estimate(2.0, Interval(1.0, 3.0), 1, "images")
    there, back = estimate([1.0, 4.0], ratio=True), estimate([1.0, 0.25], ratio=True)
    assert there.interval.low * back.interval.high == pytest.approx(1)  # a ratio and its inverse agree
    assert accuracy_estimate([5], 10).interval == wilson(5, 10)


def test_more_seeds_do_not_shrink_the_error_of_the_images():
    first, second = np.array([1, 1, 0, 1], bool), np.array([0, 1, 1, 0], bool)
    one = paired([first], [second])
    same = paired([first] * 5, [second] * 5)
    assert same.error == pytest.approx(one.error) and same.difference == pytest.approx(one.difference)
    assert same.seeds.interval.half == pytest.approx(0) and same.seeds.seeds == 5
    assert same.p is None and same.only_first is None and same.only_second is None
    mixed = paired([first, second], [second, first])  # seed by seed 1/4 and -1/4
    assert mixed.difference == 0 and mixed.error == pytest.approx(
        math.sqrt(1 / 6 / 6)
    )  # no image differs, yet two might
    assert mixed.seeds.interval.half == pytest.approx(12.706205 * math.sqrt(0.125 / 2), rel=1e-6)


@pytest.mark.parametrize(
    "b, c, p", [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 2 / 32), (0, 5, 2 / 32), (4, 4, 1.0), (1, 7, 18 / 256)]
)
def test_mcnemar_by_hand(b, c, p):
    assert mcnemar(b, c) == pytest.approx(p)


def test_refusals():
    run = np.array([True, False])
    for call, sentence in (
        (lambda: mean_over_seeds([]), "values must hold at least one number, got none"),
        (lambda: mean_over_seeds([1, 2], confidence=1.0), "confidence must be above 0 and below 1, got 1.0"),
        (lambda: wilson(11, 10), "correct must lie between 0 and 10, got 11"),
        (lambda: wilson(0, 0), "total must be .* got 0"),
        (lambda: wilson(1, 2, confidence=0), "confidence must be above 0 and below 1, got 0"),
        (lambda: paired([], []), "must have as many runs, at least one, got 0 and 0"),
        (lambda: paired([run, run], [run]), "must have as many runs, at least one, got 2 and 1"),
        (lambda: paired([run], [run[:1]]), "must be runs on the same images"),
        (lambda: mcnemar(-1, 2), "only_first must be .* got -1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


def test_a_pooled_variance_by_hand():
    # squares about the means: 2 and 0.5, over 2 + 1 degrees of freedom
    found = pooled([[1.0, 2.0, 3.0], [5.0, 6.0], [9.0]])
    assert (found.deviation, found.freedom, found.networks) == (pytest.approx((2.5 / 3) ** 0.5), 3, 2)
    assert pooled([[1.0], []]) is None and pooled([]) is None
    half = 3.182446 * (2.5 / 3) ** 0.5 / 2**0.5  # t(0.975; 3)
    one = mean_over_seeds([5.0, 6.0], pool=found)
    assert one.interval.half == pytest.approx(half, abs=1e-5) and one.pool is found
    assert mean_over_seeds([5.0], pool=found).interval.half == pytest.approx(half * 2**0.5, abs=1e-5)


def test_the_pooled_variance_of_a_difference_by_hand():
    one, two = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 2.0, 1: 2.5, 2: 4.5}
    found = pooled_difference([one, two])
    paired_by_hand = np.std([1.0, 0.5, 0.5], ddof=1)  # of two networks it is that of their paired differences
    assert (found.deviation, found.freedom) == (pytest.approx(paired_by_hand), 2)
    # a third network whose seeds differ alike adds two degrees of freedom and no squares but by sharing the blocks
    more = pooled_difference([one, two, {seed: value + 3 for seed, value in one.items()}])
    assert more.freedom == 4 and more.deviation < found.deviation
    assert pooled_difference([one]) is None and pooled_difference([]) is None
    lacking = pooled_difference([one, {0: 2.0, 1: 2.5}])  # seeds that only one has say nothing
    assert (lacking.deviation, lacking.freedom) == (pytest.approx(np.std([1.0, 0.5], ddof=1)), 1)


def test_false_discovery_by_hand():
    assert false_discovery([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert false_discovery([]) == []
    with pytest.raises(ValueError, match="p must lie between 0 and 1, got 1.5"):
        false_discovery([1.5])


def test_resampling_the_images_keeps_pairs_and_spreads_as_the_binomial():
    right = np.zeros((2, 400), bool)
    right[:, :200] = True
    right[1, 200:204] = True
    found = resampled(right, resamples=1000)
    assert found.shape == (1000, 2) and found[:, 0].std() == pytest.approx(0.025, rel=0.1)
    assert (found[:, 1] - found[:, 0]).std() == pytest.approx((0.01 * 0.99 / 400) ** 0.5, rel=0.15)
    assert (resampled(right[:1], resamples=1000)[:, 0] == found[:, 0]).all()
