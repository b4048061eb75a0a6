"""The stochmax toy: bias of the estimators, training curves and argument errors."""

from __future__ import annotations

import pytest

from panda2020.stochmax.toy import READINGS, estimator_bias, toy_curves
from snncore.stochmax import StochmaxConfig, collapsed


def test_biases_are_real_and_fall_with_tau() -> None:
    table = estimator_bias(draws=20_000).set_index("estimator")
    assert table.loc["straight-through"].bias > 10 * table.loc["straight-through"].error
    assert table.loc["concrete, tau 1"].bias > 10 * table.loc["concrete, tau 1"].error
    assert table.loc["concrete, tau 1"].bias > table.loc["concrete, tau 0.5"].bias
    assert table.loc["concrete, tau 0.5"].bias > table.loc["concrete, tau 0.1"].bias
    assert table.loc["concrete, tau 0.1"].spread > table.loc["concrete, tau 1"].spread
    assert table.cosine.between(-1, 1 + 1e-12).all()


def test_exact_against_itself_has_no_bias() -> None:
    row = estimator_bias({"exact": StochmaxConfig(psi_gradient="exact")}, draws=3).iloc[0]
    assert row.bias < 1e-12
    assert row.spread < 1e-12


def test_cross_entropy_alone_degenerates_and_dropmax_does_not() -> None:
    readings = {name: config for name, config in READINGS.items() if config is not None}
    last = toy_curves(readings, epochs=8).groupby("reading").last()
    assert last.loc["cross-entropy alone, target kept"].collapsed == "dropped"
    assert last.loc["cross-entropy alone, target drawn"].collapsed == "kept"
    for name in ("DropMax, q = p", "DropMax, separate q"):
        assert last.loc[name].collapsed == "no"
        assert last.loc[name].accuracy_rho > 85
    assert last.loc["cross-entropy alone, target kept"].accuracy_logits < 60


def test_toy_curves_are_paired_and_repeatable() -> None:
    readings = {"softmax": None, "default": StochmaxConfig()}
    one, two = (toy_curves(readings, epochs=1, hidden=8) for _ in range(2))
    assert one.equals(two)
    assert list(one.reading) == ["softmax", "default"]
    assert not one.equals(toy_curves(readings, epochs=1, hidden=8, seed=1))


def test_toy_errors() -> None:
    with pytest.raises(ValueError, match="epochs must be a whole number"):
        toy_curves(epochs=0)
    with pytest.raises(ValueError, match="hidden must be a whole number"):
        toy_curves(hidden=0)
    with pytest.raises(ValueError, match="learning_rate must be a finite number above 0"):
        toy_curves(learning_rate=-1.0)
    with pytest.raises(ValueError, match="classes must lie between 2 and 10, got 11"):
        estimator_bias(classes=11)
    with pytest.raises(ValueError, match="spread must be"):
        estimator_bias(spread=0.0)
    with pytest.raises(ValueError, match="draws must be a whole number of at least 2, got 1"):
        estimator_bias(draws=1)
    with pytest.raises(ValueError, match="margin must lie between"):
        collapsed({"rho_target": 0.5, "rho_others": 0.5}, margin=0.6)
