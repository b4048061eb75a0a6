"""The rules from an interval to a verdict, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panda2020.claims.verdicts import (
    CONTRADICTED,
    DIRECTION,
    INCONCLUSIVE,
    NOT_TESTED,
    SIGNS,
    SUPPORTED,
    VERDICTS,
    Quantity,
    Range,
    above,
    around,
    at_least,
    at_most,
    below,
    conclude,
    judge,
    number,
)
from panda2020.statistics import Interval

WIDTH = around(2, 5, "by hand")


def part(values, *, expected=WIDTH, direction=None, **more) -> Quantity:
    return Quantity(
        "gain", "points", expected, direction, values=tuple(values), seeds=tuple(range(len(values))), **more
    )


# mean 3, s = 0.1, t(0.975; 2) = 4.3027: 3 +- 0.248; with s = 1: 3 +- 2.48
@pytest.mark.parametrize(
    "values, verdict",
    [
        ([2.9, 3.0, 3.1], SUPPORTED),
        ([2.0, 3.0, 4.0], DIRECTION),  # 0.52 to 5.48: above 0, its size undecided
        ([8.9, 9.0, 9.1], DIRECTION),  # above 0, of another size
        ([0.9, 1.0, 1.1], DIRECTION),
        ([-1.1, -1.0, -0.9], CONTRADICTED),
        ([0.0, 0.0, 0.0], CONTRADICTED),  # no gain is no gain
        ([1.0, 3.0, 5.0], INCONCLUSIVE),  # -1.97 to 7.97
        (
            [-0.1, 0.0, 0.1],
            CONTRADICTED,
        ),  # the interval ends at 0.25, below 2, and does not show the direction either
    ],
)
def test_over_seeds(values, verdict):
    found = judge(part(values, direction=above(0)))
    assert (found.verdict, found.basis) == (verdict, "seeds")
    half = 4.302653 * math.sqrt(sum((v - found.estimate.mean) ** 2 for v in values) / 2 / 3)
    assert tuple(found.estimate.interval) == pytest.approx(
        (found.estimate.mean - half, found.estimate.mean + half), abs=1e-5
    )


def test_without_a_direction_there_is_none():
    assert judge(part([8.9, 9.0, 9.1])).verdict == CONTRADICTED
    assert judge(part([1.0, 3.0, 5.0])).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    "images, verdict",
    [
        (None, INCONCLUSIVE),
        ((2.5, 3.5), SUPPORTED),
        ((0.5, 5.5), DIRECTION),
        ((-3.0, -1.0), CONTRADICTED),
        ((-1.0, 7.0), INCONCLUSIVE),
    ],
)
def test_one_seed_has_no_interval_but_that_of_the_images(images, verdict):
    found = judge(
        part(
            [3.0 if images is None else sum(images) / 2],
            direction=above(0),
            images=None if images is None else Interval(*images),
        )
    )
    assert found.verdict == verdict and found.one_seed
    assert found.basis == ("none" if images is None else "images")
    if images is None:
        assert found.estimate.interval is None
    else:
        assert tuple(found.estimate.interval) == pytest.approx(images)
    assert "one seed" in found.reason


def test_errors_of_seeds_and_of_test_images_are_added_as_squares():
    few = judge(part([2.9, 3.0, 3.1], images=Interval(-9.0, 9.0)))  # seeds alone: 2.75 to 3.25, and supported
    assert (few.verdict, few.one_seed, few.basis) == (
        INCONCLUSIVE,
        False,
        "both",
    ) and "one seed" not in few.reason
    half = 4.302653 * 0.1 / 3**0.5  # 0.2484
    assert tuple(few.estimate.interval) == pytest.approx(
        (3 - math.hypot(half, 12), 3 + math.hypot(half, 6)), abs=1e-5
    )  # each side
    # neither reaches 3.5, both together do: sqrt(0.2484^2 + 0.45^2) = 0.5140
    edge = part([2.9, 3.0, 3.1], images=Interval(2.55, 3.45), expected=around(2.5, 3.5, "by hand"))
    assert (
        judge(replace(edge, images=None)).verdict
        == judge(replace(edge, values=(3.0,), seeds=(0,))).verdict
        == SUPPORTED
    )
    assert judge(edge).verdict == INCONCLUSIVE and judge(edge).estimate.interval.high == pytest.approx(
        3.5140, abs=1e-4
    )
    tied = judge(part([3.0, 3.0, 3.0], images=Interval(2.9, 3.2)))
    assert (*tied.estimate.interval, tied.basis) == (
        pytest.approx(2.9),
        pytest.approx(3.2),
        "both",
    )


def test_ratios_are_judged_in_logarithms():
    values = (0.5, 2.0)  # logarithms -+0.6931: s = 0.9803, t(0.975; 1) = 12.7062, half = 8.8073
    found = judge(Quantity("ratio", "×", above(1), values=values, seeds=(0, 1)))
    assert tuple(found.estimate.interval) == pytest.approx((math.exp(-8.8073), math.exp(8.8073)), rel=1e-3)
    assert found.estimate.mean == 1.25 and found.basis == "seeds"
    three = Quantity("ratio", "×", above(1), values=(1.1, 1.2, 1.4), seeds=(0, 1, 2))
    inverse = replace(three, expected=below(1), values=tuple(1 / value for value in three.values))
    one, other = judge(three), judge(inverse)
    assert (
        tuple(one.estimate.interval)
        == pytest.approx((1 / other.estimate.interval.high, 1 / other.estimate.interval.low))
        and one.verdict == other.verdict
    )
    silent = judge(replace(three, values=(0.0, 0.1, 0.2)))  # no logarithm
    assert silent.estimate.interval.low == pytest.approx(0.1 - 4.302653 * 0.1 / 3**0.5, abs=1e-5)


def test_one_seed_says_nothing_of_networks_that_were_trained_apart():
    pair = part([-2.0], images=Interval(-2.5, -1.5), expected=above(0))
    assert judge(pair).verdict == CONTRADICTED  # the same weights, read out in two ways
    apart = judge(replace(pair, apart=True))
    assert (apart.verdict, *apart.estimate.interval, apart.basis) == (
        INCONCLUSIVE,
        -2.5,
        -1.5,
        "images",
    )
    assert apart.reason == "one seed, so how much another training run would differ is not known"
    many = replace(pair, values=(-2.0, -2.1, -1.9), seeds=(0, 1, 2), apart=True)
    assert judge(many).verdict == CONTRADICTED
    assert judge(replace(pair, apart=True, void="at chance")).reason == "at chance"


def test_a_coarse_quantity_is_known_no_better_than_its_steps():
    tie = part([10.0, 10.0], expected=around(5, 30, "by hand"), direction=above(1))
    assert judge(tie).verdict == SUPPORTED  # by an interval without width, from the luck of a tie
    coarse = judge(replace(tie, grain=Interval(4.0, 10.0)))
    assert (coarse.verdict, coarse.basis, *coarse.estimate.interval) == (
        DIRECTION,
        "grain",
        4.0,
        10.0,
    )
    assert "how finely it is known" in coarse.reason
    alone = judge(replace(tie, values=(10.0,), seeds=(0,), grain=Interval(4.0, 10.0)))
    assert (alone.verdict, alone.basis) == (INCONCLUSIVE, "none")


def test_a_contradiction_by_several_seeds_does_not_rest_on_one():
    alone, many = part([3.0], images=Interval(2.5, 3.5)), part([9.0, 9.1, 9.2])
    assert not conclude([alone, many]).one_seed and conclude([alone, many]).verdict == CONTRADICTED
    assert conclude([part([9.0], images=Interval(8.9, 9.1)), YES]).one_seed


def test_computed_values_are_exact():
    exact = Quantity("saving", "%", WIDTH, values=(2.0,), computed=True)
    assert (
        judge(exact).verdict,
        judge(exact).estimate.interval.low,
        judge(exact).estimate.interval.high,
        judge(exact).one_seed,
    ) == (
        SUPPORTED,
        2,
        2,
        False,
    )
    assert judge(Quantity("saving", "%", WIDTH, values=(1.9,), computed=True)).verdict == CONTRADICTED


def test_nothing_and_void():
    assert judge(Quantity("gain", "points", WIDTH, missing=("SNN VGG5", "SNN VGG5"))).reason == "SNN VGG5"
    assert judge(Quantity("gain", "points", WIDTH, missing=("SNN VGG5",))).verdict == NOT_TESTED
    assert judge(Quantity("gain", "points", WIDTH, void="not on one's images")).verdict == NOT_TESTED
    assert judge(Quantity("gain", "points", WIDTH, void="at chance", keys=("0123",))).verdict == INCONCLUSIVE
    assert judge(Quantity("gain", "points", WIDTH)).reason == "nothing was measured"
    stuck = judge(part([2.9, 3.0, 3.1], void="both are at chance"))
    assert (stuck.verdict, stuck.reason) == (INCONCLUSIVE, "both are at chance")


@pytest.mark.parametrize(
    "interval, low, high, inside, apart",
    [
        (above(0), 0, 1, False, False),
        (above(0), 0.1, 1, True, False),
        (above(0), -1, 0, False, True),
        (below(0), -1, -0.1, True, False),
        (below(0), 0, 0, False, True),
        (at_least(0, "x"), 0, 1, True, False),
        (at_least(0, "x"), -1, 0, False, False),
        (at_least(0, "x"), -1, -0.1, False, True),
        (at_most(0, "x"), 0, 0, True, False),
        (at_most(0, "x"), 0.1, 1, False, True),
        (around(2, 5, "x"), 2, 5, True, False),
        (around(2, 5, "x"), 1, 2, False, False),
        (around(2, 5, "x"), 0, 9, False, False),
    ],
)
def test_ranges(interval, low, high, inside, apart):
    assert (interval.holds(low, high), interval.apart(low, high)) == (inside, apart)


@given(st.floats(-9, 9), st.floats(0, 9), st.floats(-9, 9), st.floats(0.1, 9), st.booleans())
def test_no_interval_is_inside_and_apart(low, length, start, width, strict):
    expected = Range(start, start + width, "x", strict)
    assert not (expected.holds(low, low + length) and expected.apart(low, low + length))


def test_words_of_numbers():
    assert [number(x) for x in (-3.7e-15, -0.0, 0.00848, -1.25, 1234.5)] == [
        "0",
        "0",
        "0.00848",
        "−1.25",
        "1,234",
    ]


def test_words_of_ranges():
    words = [str(r) for r in (above(0), below(-1), at_least(1.5, "x"), at_most(-3, "x"), around(2, 5, "x"))]
    assert words == ["above 0", "below −1", "at least 1.5", "at most −3", "2 to 5"]


YES = part([2.9, 3.0, 3.1], direction=above(0))
HALF = part([8.9, 9.0, 9.1], direction=above(0))
NO = part([-1.1, -1.0, -0.9], direction=above(0))
OPEN = part([-9, 0, 9], direction=above(0))
GONE = Quantity("gain", "points", WIDTH, missing=("SNN VGG5 is not recorded",))


@pytest.mark.parametrize(
    "parts, weaker, verdict",
    [
        ([YES, YES], [], SUPPORTED),
        ([YES, HALF], [], DIRECTION),
        ([YES, OPEN], [], INCONCLUSIVE),
        ([HALF, OPEN], [], INCONCLUSIVE),
        ([YES, GONE], [], NOT_TESTED),
        ([YES, GONE, NO], [], CONTRADICTED),  # one half refuted refutes the whole, whatever is missing
        ([NO], [YES], DIRECTION),
        ([OPEN], [YES, YES], DIRECTION),
        ([GONE], [YES], DIRECTION),
        ([YES], [NO], SUPPORTED),
        ([NO], [YES, OPEN], CONTRADICTED),
        ([], [YES], DIRECTION),  # its size cannot be asked at this scale
        ([], [NO], CONTRADICTED),
        ([], [GONE], NOT_TESTED),
    ],
)
def test_conclusions(parts, weaker, verdict):
    found = conclude(parts, weaker=weaker)
    assert found.verdict == verdict and found.reason
    assert {j.quantity for j in found.parts} == {*parts, *weaker} and len(set(found.parts)) == len(
        found.parts
    )


def test_one_of_many_may_lie_outside_by_luck():
    # 2.2 +- 4.3027 x 0.58 / sqrt(3) = 0.76 to 3.64; among three, t(0.99167; 2) = 7.6488: -0.36 to 4.76
    unlucky = part([1.62, 2.2, 2.78], expected=below(0.5, "by hand"))
    assert judge(unlucky).verdict == CONTRADICTED
    assert judge(unlucky, among=3).verdict == INCONCLUSIVE
    fine = part([-3.1, -3.0, -2.9], expected=below(0.5, "by hand"))
    assert conclude([unlucky]).verdict == CONTRADICTED
    assert conclude([unlucky, fine, fine]).verdict == INCONCLUSIVE
    # among two, z(0.9875) / z(0.975) = 1.1436: the image interval 0.6 to 1.4 becomes 0.543 to 1.457, 0.52 to 1.4 0.451
    for low, verdict in ((0.6, CONTRADICTED), (0.52, INCONCLUSIVE)):
        one = part([1.0], expected=below(0.5, "by hand"), images=Interval(low, 1.4))
        assert judge(one).verdict == CONTRADICTED and judge(one, among=2).verdict == verdict
    exact = Quantity("saving", "%", below(0.5, "by hand"), values=(0.6,), computed=True)
    assert judge(exact, among=9).verdict == CONTRADICTED


def test_what_stands_beside_does_not_count():
    aside = part([-1.1, -1.0, -0.9], beside=True)
    assert conclude([YES, aside]).verdict == SUPPORTED
    with pytest.raises(ValueError, match="parts must hold at least one quantity that counts, got none"):
        conclude([aside])


def test_reasons_name_each_gap_once():
    other = Quantity("loss", "points", WIDTH, missing=("SNN VGG5 is not recorded",))
    assert conclude([GONE, other]).reason == "SNN VGG5 is not recorded"
    assert conclude([NO, NO]).reason == "the interval and the expected range do not meet (gain; gain)"


def test_resting_on_one_seed():
    assert conclude([YES, part([3.0], images=Interval(2.5, 3.5))]).one_seed
    assert not conclude([YES, part([3.0], images=Interval(2.5, 3.5), beside=True)]).one_seed
    assert not conclude([YES]).one_seed


def test_every_verdict_has_a_sign_of_its_own():
    assert set(SIGNS) == set(VERDICTS) and len(set(SIGNS.values())) == len(VERDICTS)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Range(1, 1, "x"), "low must be below high, got 1 and 1"),
        (lambda: Quantity("gain", "points", Range(low=0)), "expected of 'gain' must say why it is that wide"),
        (
            lambda: Quantity("gain", "points", WIDTH, values=(1.0,)),
            "'gain' must have one value per seed, got 1 for 0",
        ),
        (
            lambda: Quantity("gain", "points", WIDTH, values=(math.nan,), seeds=(0,)),
            "'gain' must have finite values",
        ),
    ],
)
def test_refusals(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
