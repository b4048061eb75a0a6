"""The pilot's rule on made-up records, each choice worked out by hand, and the profile that it fixes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020 import contents, profiles
from panda2020.agd import pilot
from panda2020.profiles import profile
from panda2020.runs import Store, key, results_directory

RATES = (3e-4, 1e-3, 3e-3)


class Made(SimpleNamespace):
    pass


def made(entry, validation, train=0.9, kept=1):
    curve = [{"validation_accuracy": value} for value in (validation, validation - 0.1)]
    result = {"curve": curve, "train_accuracy": train, "kept_epoch": kept}
    return Made(spec=entry.spec, labels=entry.labels, result=result)


def whole(of_ann=(0.5, 0.6, 0.55), of_sum=(0.4, 0.5, 0.52), of_mean=(0.3, 0.4, 0.5), **options):
    means = {"ANN": of_ann, "SNN sum": of_sum, "SNN mean": of_mean}
    found = []
    for entry in contents.stage("laptop", "pilot"):
        name = pilot.kind(Made(labels=entry.labels, spec=entry.spec))
        rate = RATES.index(entry.spec.training.learning_rate)
        shift = 0.01 if entry.network == "VGG5" else -0.01  # means over both networks are the given ones
        found.append(made(entry, means[name][rate] + shift, **options))
    return found


def test_the_best_rate_of_each_kind_is_taken():
    found = pilot.choose(whole())
    assert found.rates == {"ANN": 1e-3, "SNN sum": 3e-3, "SNN mean": 3e-3}


def test_of_rates_within_half_a_point_the_smallest_is_taken():
    assert pilot.choose(whole(of_sum=(0.40, 0.516, 0.52))).rates["SNN sum"] == 1e-3
    assert pilot.choose(whole(of_sum=(0.516, 0.5, 0.52))).rates["SNN sum"] == 3e-4
    assert pilot.choose(whole(of_sum=(0.40, 0.514, 0.52))).rates["SNN sum"] == 3e-3


@pytest.mark.parametrize(
    ("train", "kept", "epochs"), [(0.8, 10, 10), (0.79, 9, 10), (0.79, 10, 15), (0.95, 10, 10)]
)
def test_ten_epochs_are_enough_where_every_ann_has_learnt(train, kept, epochs):
    assert pilot.choose(whole(train=train, kept=kept)).epochs == epochs


def test_one_ann_that_has_not_learnt_asks_for_fifteen():
    records = whole(train=0.9, kept=10)
    one = next(
        r
        for r in records
        if r.labels["role"] == "pilot-ann"
        and r.spec.training.epochs == 10
        and r.spec.training.learning_rate == 1e-3
    )
    one.result["train_accuracy"] = 0.5
    assert pilot.choose(records).epochs == 15


def test_an_incomplete_pilot_chooses_nothing():
    with pytest.raises(ValueError, match="as many ANN runs at every learning rate"):
        pilot.choose(whole()[1:])
    with pytest.raises(ValueError, match="as many ANN runs at every learning rate"):
        pilot.choose([])
    assert pilot.pilot_table([]).empty


def test_the_table_has_a_row_per_kind_network_and_rate():
    table = pilot.pilot_table(whole())
    assert len(table) == 3 * 2 * 3
    row = table[(table.kind == "ANN") & (table.network == "VGG5") & (table["learning rate"] == 1e-3)].iloc[0]
    assert row["validation accuracy"] == pytest.approx(0.61) and row["runs"] == 4
    assert set(table[table.kind != "ANN"]["runs"]) == {2}


def test_the_choice_is_said_when_the_pilot_is_complete():
    records = whole()
    assert pilot.pilot_sentences(records, []) == [
        "The protocol's pilot chose 10 epochs and the learning rates 0.001 for ANN, 0.003 for SNN sum, 0.003 for SNN mean."
    ]
    (said,) = pilot.pilot_sentences(records[1:], records[:1])
    assert said.startswith(f"{len(records) - 1} of the {len(records)} runs") and "chooses nothing" in said


def test_the_profile_is_the_recorded_pilots_choice():
    store = Store(results_directory())
    records = [store.read(key(entry.spec)) for entry in contents.stage("laptop", "pilot")]
    if None in records:
        pytest.skip(f"the pilot is not complete: {records.count(None)} of {len(records)} runs are missing")
    found = pilot.choose(records)
    p = profile("laptop")
    assert found.rates == {
        "ANN": p.ann.learning_rate,
        "SNN sum": p.snn.learning_rate,
        "SNN mean": profiles.MEAN_RATE,
    }
    assert p.ann.epochs == p.snn.epochs == found.epochs
