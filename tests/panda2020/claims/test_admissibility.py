"""Which networks have learnt, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020.claims.admissibility import best_epoch, has_learnt, kept_epoch, refusal, seen_accuracy
from panda2020.samples import Series


class Made(dict):
    """A record with a learning curve."""

    def __init__(self, course, *, task="train", **result):
        super().__init__(task=task)
        self.result = {"curve": [{"validation_accuracy": value} for value in course], **result}


def sample(course, *, measured=None, **made):
    return SimpleNamespace(record=Made(course, **made), measured=measured or {})


RISING = [0.1 * n for n in range(1, 11)]
EARLY = [*RISING[:9], 0.2]  # the best of ten epochs is the ninth


@pytest.mark.parametrize(
    "one, learnt",
    [
        (sample(RISING, train_accuracy=0.79), False),
        (sample(RISING, train_accuracy=0.8), True),
        (sample(EARLY, train_accuracy=0.3), True),  # it would not get better
        (sample(RISING), False),  # nothing says it
        (sample([], train_accuracy=0.9), True),
        (sample([0.5, 0.5], train_accuracy=0.1), True),  # of equal epochs the first
        (sample([0.1, 0.2, 0.3, 0.25], train_accuracy=0.4), True),  # 3 of 4 is before the last tenth
        (sample([0.1, 0.2, 0.3, 0.31], train_accuracy=0.4), False),
    ],
)
def test_a_network_has_learnt_by_its_training_accuracy_or_its_best_epoch(one, learnt):
    assert has_learnt(one) == learnt


def test_the_training_accuracy_is_that_of_the_kept_epoch():
    one = sample([0.3, 0.5, 0.4], kept_epoch=2)
    for epoch, value in zip(one.record.result["curve"], (0.4, 0.6, 0.8), strict=True):
        epoch["train_accuracy"] = value
    assert (kept_epoch(one), best_epoch(one), seen_accuracy(one)) == (2, 2, 0.6)
    del one.record.result["kept_epoch"]  # a record before that rule kept the last
    assert (kept_epoch(one), seen_accuracy(one)) == (3, 0.8)
    assert seen_accuracy(sample([0.3])) is None and kept_epoch(sample([])) is None


def test_an_stdp_runs_classifier_has_a_curve_of_its_own():
    own = {"curve": [{"validation_accuracy": 0.5}, {"validation_accuracy": 0.4}], "train_accuracy": 0.2}
    one = sample([0.1, 0.2], task="stdp", measured=own)
    assert has_learnt(one) and (best_epoch(one), seen_accuracy(one)) == (1, 0.2)


def test_a_refusal_says_who_and_how_far():
    good, bad = sample(EARLY, train_accuracy=0.9), sample(RISING, train_accuracy=0.4)
    series = [Series("SNN", {0: good, 1: bad}), Series("ANN", {0: good, 1: good})]
    assert refusal(*series, seeds=(0, 1)) == (
        "SNN has not learnt in 1 of 2 runs (40 % of training images, best validation epoch 10 of 10)"
    )
    assert refusal(*series, seeds=(0,)) == ""
    mute = Series("SNN", {0: sample([])})
    assert "its training accuracy is not recorded" in refusal(mute, seeds=(0,))
