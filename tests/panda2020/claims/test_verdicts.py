"""The rules from an interval to a verdict, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from panda2020.claims.power import power
from panda2020.claims.ranges import Range, above, around, at_least, at_most, below
from panda2020.claims.verdicts import (
    ANOTHER,
    BY_CONSTRUCTION,
    CONTRADICTED,
    DIRECTION,
    NOT_RECORDED,
    NOT_TESTABLE,
    OPEN,
    OPPOSITE,
    SHOWN,
    SIGNS,
    STATED,
    SUPPORTED,
    VERDICTS,
    Quantity,
    answers,
    conclude,
    judge,
    word,
)
from panda2020.exhibits.numbers import number
from panda2020.statistics import Interval, Pool

WIDTH = around(2, 5, "by hand")


def part(values, *, size=WIDTH, direction=None, **more) -> Quantity:
    return Quantity(
        "gain", "points", direction, size, values=tuple(values), seeds=tuple(range(len(values))), **more
    )


# mean 3, s = 0.1, t(0.975; 2) = 4.3027: 3 +- 0.248; with s = 1: 3 +- 2.48
@pytest.mark.parametrize(
    "values, direction, size, verdict",
    [
        ([2.9, 3.0, 3.1], SHOWN, STATED, SUPPORTED),
        ([2.0, 3.0, 4.0], SHOWN, OPEN, DIRECTION),  # 0.52 to 5.48
        ([8.9, 9.0, 9.1], SHOWN, ANOTHER, DIRECTION),
        ([-1.1, -1.0, -0.9], OPPOSITE, ANOTHER, CONTRADICTED),
        ([0.0, 0.0, 0.0], OPPOSITE, ANOTHER, CONTRADICTED),  # no gain is no gain
        ([1.0, 3.0, 5.0], OPEN, OPEN, OPEN),  # -1.97 to 7.97
        ([-0.1, 0.0, 0.1], OPEN, ANOTHER, OPEN),  # too small, but whether it is a gain is open
    ],
)
def test_two_answers_from_one_interval(values, direction, size, verdict):
    found = judge(part(values, direction=above(0)))
    assert (found.direction, found.size, found.verdict, found.basis) == (direction, size, verdict, "seeds")
    half = 4.302653 * math.sqrt(sum((v - found.estimate.mean) ** 2 for v in values) / 2 / 3)
    assert tuple(found.estimate.interval) == pytest.approx(
        (found.estimate.mean - half, found.estimate.mean + half), abs=1e-5
    )


def test_a_bare_size_can_be_contradicted_and_a_bare_direction_supported():
    assert judge(part([8.9, 9.0, 9.1])).verdict == CONTRADICTED
    assert judge(part([1.0, 3.0, 5.0])).verdict == OPEN
    sign = part([8.9, 9.0, 9.1], direction=above(0), size=None)
    assert (judge(sign).verdict, judge(sign).size) == (SUPPORTED, "")


@pytest.mark.parametrize(
    "direction, size, verdict",
    [
        *(
            (SHOWN, size, SUPPORTED if size in ("", STATED) else DIRECTION)
            for size in ("", STATED, ANOTHER, OPEN)
        ),
        *((OPPOSITE, size, CONTRADICTED) for size in ("", STATED, ANOTHER, OPEN)),
        *((OPEN, size, OPEN) for size in ("", STATED, ANOTHER, OPEN)),
        ("", STATED, SUPPORTED),
        ("", ANOTHER, CONTRADICTED),
        ("", OPEN, OPEN),
    ],
)
def test_every_pair_of_answers_has_one_word(direction, size, verdict):
    assert word(direction, size) == verdict


#: What may become of a verdict when its interval grows: never a harsher one, and never a firmer one.
WIDER = {
    SUPPORTED: {SUPPORTED, DIRECTION, OPEN},
    DIRECTION: {DIRECTION, OPEN},
    CONTRADICTED: {CONTRADICTED, OPEN},
    OPEN: {OPEN},
}
RANGES = st.one_of(
    st.builds(lambda low: above(low, "x"), st.floats(-5, 5)),
    st.builds(lambda high: below(high, "x"), st.floats(-5, 5)),
    st.builds(lambda low: at_least(low, "x"), st.floats(-5, 5)),
    st.builds(lambda low, width: around(low, low + width, "x"), st.floats(-5, 5), st.floats(0.1, 5)),
)


@given(
    st.tuples(st.one_of(st.none(), RANGES), st.one_of(st.none(), RANGES)).filter(any),
    st.floats(-9, 9),
    st.lists(st.floats(0, 9), min_size=4, max_size=4),
)
def test_a_wider_interval_never_gives_a_harsher_word(asked, centre, sides):
    quantity = Quantity("gain", "points", *asked, values=(centre,), seeds=(0,))
    near, far = sorted(sides[:2]), sorted(sides[2:])
    narrow = Interval(centre - near[0], centre + far[0])
    wide = Interval(centre - near[1], centre + far[1])
    before, after = (answers(quantity, interval) for interval in (narrow, wide))
    assert word(*after) in WIDER[word(*before)]
    for one, other in zip(before, after, strict=True):
        assert other in (one, OPEN)  # an answer is only ever lost


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=5), st.floats(1, 5))
def test_more_spread_between_seeds_never_gives_a_harsher_word(values, factor):
    mean = sum(values) / len(values)
    spread = [mean + factor * (value - mean) for value in values]
    one, other = (judge(part(v, direction=above(0))).verdict for v in (values, spread))
    if one != other:
        assert (
            other in WIDER[one] or max(map(abs, (a - b for a, b in zip(values, spread, strict=True)))) < 1e-6
        )


@pytest.mark.parametrize(
    "images, verdict",
    [
        (None, OPEN),
        ((2.5, 3.5), SUPPORTED),
        ((0.5, 5.5), DIRECTION),
        ((-3.0, -1.0), CONTRADICTED),
        ((-1.0, 7.0), OPEN),
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
    assert "one seed" in found.reason
    assert power(found).startswith("no outcome") == (images is None)


def test_errors_of_seeds_and_of_test_images_are_added_as_squares():
    few = judge(part([2.9, 3.0, 3.1], images=Interval(-9.0, 9.0)))  # seeds alone: 2.75 to 3.25, and supported
    assert (few.verdict, few.one_seed, few.basis) == (OPEN, False, "both")
    half = 4.302653 * 0.1 / 3**0.5  # 0.2484
    assert tuple(few.estimate.interval) == pytest.approx(
        (3 - math.hypot(half, 12), 3 + math.hypot(half, 6)), abs=1e-5
    )  # each side
    # neither reaches 3.5, both together do: sqrt(0.2484^2 + 0.45^2) = 0.5140
    edge = part([2.9, 3.0, 3.1], images=Interval(2.55, 3.45), size=around(2.5, 3.5, "by hand"))
    assert judge(replace(edge, images=None)).verdict == SUPPORTED
    assert judge(edge).verdict == OPEN
    assert judge(edge).estimate.interval.high == pytest.approx(3.5140, abs=1e-4)


def test_a_pooled_variance_takes_the_place_of_the_seeds_own():
    # s = 1 over 12 degrees of freedom, t(0.975; 12) = 2.1788: 3 +- 2.1788 / sqrt(3)
    found = judge(part([2.9, 3.0, 3.1], pool=Pool(1.0, 12, 4)))
    assert tuple(found.estimate.interval) == pytest.approx((3 - 1.25794, 3 + 1.25794), abs=1e-4)
    alone = judge(part([3.0], pool=Pool(0.1, 12, 4), apart=True))
    assert (alone.verdict, alone.basis) == (SUPPORTED, "seeds")  # 3 +- 0.218


def test_ratios_are_judged_in_logarithms():
    values = (0.5, 2.0)  # logarithms -+0.6931: s = 0.9803, t(0.975; 1) = 12.7062, half = 8.8073
    found = judge(Quantity("ratio", "×", above(1), values=values, seeds=(0, 1)))
    assert tuple(found.estimate.interval) == pytest.approx((math.exp(-8.8073), math.exp(8.8073)), rel=1e-3)
    assert found.estimate.mean == pytest.approx(1.0) and found.basis == "seeds"  # the geometric mean
    three = Quantity(
        "ratio", "×", above(1), values=(1.1, 1.2, 1.4), seeds=(0, 1, 2), images=Interval(1.1, 1.3)
    )
    inverse = replace(
        three,
        direction=below(1),
        values=tuple(1 / value for value in three.values),
        images=Interval(1 / 1.3, 1 / 1.1),
    )
    one, other = judge(three), judge(inverse)
    assert tuple(one.estimate.interval) == pytest.approx(
        (1 / other.estimate.interval.high, 1 / other.estimate.interval.low)
    )
    assert one.verdict == other.verdict and one.estimate.mean == pytest.approx(1 / other.estimate.mean)
    silent = judge(replace(three, values=(0.0, 0.1, 0.2), images=None))  # no logarithm
    assert silent.estimate.interval.low == pytest.approx(0.1 - 4.302653 * 0.1 / 3**0.5, abs=1e-5)


def test_one_seed_says_nothing_of_networks_that_were_trained_apart():
    pair = part([-2.0], images=Interval(-2.5, -1.5), size=None, direction=above(0))
    assert judge(pair).verdict == CONTRADICTED  # the same weights, read out in two ways
    apart = judge(replace(pair, apart=True))
    assert (apart.verdict, *apart.estimate.interval, apart.basis) == (OPEN, -2.5, -1.5, "images")
    assert apart.reason == "one seed, so how much another training run would differ is not known"
    assert power(apart).startswith("no outcome")
    many = replace(pair, values=(-2.0, -2.1, -1.9), seeds=(0, 1, 2), apart=True)
    assert judge(many).verdict == CONTRADICTED
    assert judge(replace(pair, apart=True, void="at chance")).reason == "at chance"


def test_computed_values_are_exact():
    exact = Quantity("saving", "%", size=WIDTH, values=(2.0,), computed=True)
    found = judge(exact)
    assert (found.verdict, *found.estimate.interval, found.one_seed) == (SUPPORTED, 2, 2, False)
    assert judge(replace(exact, values=(1.9,))).verdict == CONTRADICTED
    assert found.p == 0 and judge(replace(exact, size=around(1, 2.5, "x"), values=(2.0,))).p == 0


def test_what_is_missing_is_told_from_what_cannot_be_tested():
    gone = judge(Quantity("gain", "points", above(0), missing=("SNN VGG5", "SNN VGG5")))
    assert (gone.verdict, gone.reason) == (NOT_RECORDED, "SNN VGG5")
    assert judge(Quantity("gain", "points", above(0))).reason == "nothing was measured"
    refused = judge(Quantity("gain", "points", above(0), void="not on the same images"))
    assert (refused.verdict, refused.reason) == (NOT_TESTABLE, "not on the same images")
    short = judge(part([2.9, 3.0], missing=("SNN VGG5 lacks seed 2",)))
    assert short.verdict == NOT_RECORDED and short.estimate.mean == pytest.approx(2.95)  # shown all the same
    stuck = judge(part([2.9, 3.0, 3.1], void="both are at chance"))
    assert (stuck.verdict, stuck.reason, stuck.p) == (NOT_TESTABLE, "both are at chance", None)
    either = judge(part([2.9, 3.0, 3.1], undecided="all networks live"))
    assert (either.verdict, either.reason, either.p) == (OPEN, "all networks live", None)


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


def test_support_is_where_direction_and_size_meet():
    both = part([3.0, 3.1], direction=above(2.5, "x")).expected
    assert (both.low, both.high, both.strict) == (2.5, 5, True)
    assert part([3.0, 3.1], direction=above(0)).expected.low == 2
    assert part([3.0, 3.1], direction=above(0), size=None).expected == above(0)


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
UNSURE = part([-9, 0, 9], direction=above(0))
VOID = part([2.9, 3.0, 3.1], direction=above(0), void="it has not learnt")
GONE = Quantity("gain", "points", above(0), missing=("SNN VGG5 is not recorded",))


@pytest.mark.parametrize(
    "parts, verdict",
    [
        ([YES, YES], SUPPORTED),
        ([YES, HALF], DIRECTION),
        ([YES, UNSURE], OPEN),
        ([HALF, UNSURE], OPEN),
        ([YES, VOID], NOT_TESTABLE),
        ([UNSURE, VOID], NOT_TESTABLE),
        ([YES, GONE], NOT_RECORDED),
        ([VOID, GONE], NOT_RECORDED),
        ([YES, GONE, NO], CONTRADICTED),  # one half refuted refutes the whole, whatever is missing
        ([HALF, NO, VOID], CONTRADICTED),
    ],
)
def test_a_claim_is_as_weak_as_its_weakest_quantity(parts, verdict):
    found = conclude(parts)
    assert found.verdict == verdict and found.reason
    assert [j.quantity for j in found.parts] == parts == [j.quantity for j in found.counted]
    built = conclude(parts, by_construction=True)
    assert built.verdict == BY_CONSTRUCTION and found.reason in built.reason


def test_what_stands_beside_does_not_count():
    aside = replace(NO, beside=True)
    assert conclude([YES, aside]).verdict == SUPPORTED
    assert [j.quantity for j in conclude([YES, aside]).counted] == [YES]
    with pytest.raises(ValueError, match="parts must hold at least one quantity that counts, got none"):
        conclude([aside])


def test_reasons_name_each_gap_once_and_which_quantity_contradicts():
    other = replace(GONE, what="loss")
    assert conclude([GONE, other]).reason == "SNN VGG5 is not recorded"
    lone = replace(NO, what="loss", size=None)
    assert conclude([YES, NO, lone]).reason == (
        "the opposite direction is shown, the size is another (gain); the opposite direction is shown (loss)"
    )


def test_resting_on_one_seed():
    alone = part([3.0], images=Interval(2.5, 3.5))
    assert conclude([YES, alone]).one_seed
    assert not conclude([YES, replace(alone, beside=True)]).one_seed
    assert not conclude([YES]).one_seed
    many = part([9.0, 9.1, 9.2])
    assert not conclude([alone, many]).one_seed and conclude([alone, many]).verdict == CONTRADICTED
    assert conclude([part([9.0], images=Interval(8.9, 9.1)), YES]).one_seed


def test_p_is_that_of_the_same_statistic():
    values = (0.5, 1.0, 1.2)
    exact = stats.ttest_1samp(values, 0.0).pvalue
    found = judge(part(values, size=None, direction=above(0)))
    assert found.p == pytest.approx(exact, abs=1e-6) and (found.p < 0.05) == (found.verdict != OPEN)
    assert judge(part(values, size=None, direction=below(0))).p == pytest.approx(exact, abs=1e-6)
    # of a size without direction: to the nearer bound that the interval must clear
    inside = judge(part((2.9, 3.0, 3.1)))
    assert inside.p == pytest.approx(stats.ttest_1samp((2.9, 3.0, 3.1), 2.0).pvalue, abs=1e-6)
    assert judge(GONE).p is None and judge(VOID).p is None
    images = judge(part([1.0], size=None, direction=above(0), images=Interval(1 - 1.959964, 1 + 1.959964)))
    assert images.p == pytest.approx(2 * stats.norm.sf(1.0), abs=1e-5)


def test_the_smallest_effect_that_could_have_been_shown():
    found = judge(part([2.9, 3.0, 3.1], size=None, direction=above(0)))
    assert power(found) == "± 0.248 points: shown by a mean of at least 0.248 points"
    narrow = judge(part([0.0, 3.0, 6.0]))
    assert power(narrow) == (
        "± 7.45 points: no outcome could support it, as the range is narrower than the interval"
    )
    ratio = Quantity("ratio", "×", below(1), values=(0.5, 0.6), seeds=(0, 1), pool=Pool(0.1, 10, 4, True))
    half = math.exp(stats.t.ppf(0.975, 10) * 0.1 / 2**0.5)
    assert power(judge(ratio)) == (
        f"a factor of {number(half)} either way: shown by a mean of at most {number(1 / half)}"
    )
    assert (
        power(judge(GONE)) == "" and power(judge(part([3.0]))) == "no outcome of these runs could decide it"
    )


def test_every_verdict_has_a_sign_of_its_own():
    assert set(SIGNS) == set(VERDICTS) and len(set(SIGNS.values())) == len(VERDICTS)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Range(1, 1, "x"), "low must be below high, got 1 and 1"),
        (lambda: above(0) & below(-1), "low must be below high, got 0 and -1"),
        (lambda: Quantity("gain", "points"), "'gain' must have a direction or a size, got neither"),
        (
            lambda: Quantity("gain", "points", size=Range(low=0)),
            "direction and size of 'gain' must say where their bounds come from",
        ),
        (
            lambda: Quantity("gain", "points", size=WIDTH, values=(1.0,)),
            "'gain' must have one value per seed, got 1 for 0",
        ),
        (
            lambda: Quantity("gain", "points", size=WIDTH, values=(math.nan,), seeds=(0,)),
            "'gain' must have finite values",
        ),
    ],
)
def test_refusals(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
