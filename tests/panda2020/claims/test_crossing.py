"""Where a course reaches an accuracy, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panda2020.claims.crossing import Course

TIMES = (10, 100, 1000)


def course(*accuracies: float) -> Course:
    found = np.array(accuracies)
    return Course(TIMES, found, np.stack([found, found + 0.05]), np.log(TIMES))


@pytest.mark.parametrize(
    "accuracies, target, steps",
    [
        ((0.2, 0.4, 0.5), 0.45, 100 * 10**0.5),  # half way from 0.4 to 0.5, in log T
        ((0.2, 0.4, 0.5), 0.4, 100),
        ((0.2, 0.4, 0.5), 0.25, 10 * 10**0.25),
        ((0.2, 0.4, 0.5), 0.1, 10),  # reached from the start
        ((0.2, 0.4, 0.5), 0.6, 1000),  # never reached: the last
        ((0.2, 0.5, 0.4), 0.35, 10 * 10**0.5),  # the first crossing
    ],
)
def test_the_first_crossing_is_interpolated_in_log_t(accuracies, target, steps):
    assert np.exp(course(*accuracies).at(target)) == pytest.approx([steps])


def test_a_loss_is_from_the_last_accuracy_in_every_resample():
    one = course(0.2, 0.4, 0.5)
    assert np.exp(one.below_last(0.05)) == pytest.approx([100 * 10**0.5])
    assert np.exp(one.below_last(0.05, again=True)) == pytest.approx([100 * 10**0.5] * 2)
    assert np.exp(one.at(0.45, again=True)) == pytest.approx([100 * 10**0.5, 100])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_larger_loss_is_never_reached_later(accuracies, less, more):
    one = course(*accuracies)
    small, large = sorted((less, more))
    assert one.below_last(large)[0] <= one.below_last(small)[0] + 1e-9
    assert np.log(10) - 1e-9 <= one.below_last(small)[0] <= np.log(1000) + 1e-9
