"""What bfloat16 is worth is measured once, and said where it is worth nothing."""

import warnings

import pytest

from snncore import precision


def test_the_gain_is_a_ratio_of_times(monkeypatch):
    """By a clock that ticks 4 s in a float32 round and 2 s in a bfloat16 round: 6 rounds of each, two looks a round."""
    looks = iter([time for step in (4.0, 2.0) for _ in range(6) for time in (0.0, step)])
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(looks))
    precision._gain.cache_clear()
    assert precision.bfloat16_gain() == 2.0
    assert precision.bfloat16_gain() == 2.0  # no further look
    precision._gain.cache_clear()


@pytest.mark.parametrize(("gain", "warned"), [(0.5, True), (1.0, False), (4.0, False)])
def test_a_loss_is_a_warning(monkeypatch, gain, warned):
    monkeypatch.setattr(precision, "_gain", lambda threads: gain)
    if warned:
        with pytest.warns(RuntimeWarning, match="2.0 times slower on this processor"):
            precision.warn_unless_bfloat16_pays()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        precision.warn_unless_bfloat16_pays()
