"""Questions to runs: each is raised by a run made for it, and by no other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020 import contents
from panda2020.ledger import sanity
from panda2020.runs import Store, results_directory


class Made(dict):
    """A record with what is asked for."""

    def __init__(self, *, task="train", curve=(0.2, 0.38, 0.405, 0.40), seen=0.45, last=None, note=""):
        super().__init__(task=task, spec={"seed": 3})
        epochs = [{"validation_accuracy": value} for value in curve]
        epochs[-1] |= last or {}
        self.result = {"curve": epochs, "accuracy": 0.4}
        self.result |= {} if seen is None else {"train_accuracy": seen}
        self.labels = {"network": "VGG5", "role": "snn", "note": note, "tables": ["8"]}
        self.spec = SimpleNamespace(seed=3)


class Sample(SimpleNamespace):
    def efficiency(self, conditions):
        return self.ee


def sample(*, accuracy=0.4, rates=(0.1, 0.05), ee=9.0, steps=25, measured=None, **made):
    return Sample(
        record=Made(**made),
        accuracy=accuracy,
        chance=0.1,
        steps=steps,
        ee=ee,
        measured=measured or {},
        rates=dict(enumerate(rates)),
    )


def raised(one):
    return [d.short for d in sanity.CHECKS if (value := d.value(one)) is not None and d.excess(value) > 0]


@pytest.mark.parametrize(
    "change, name",
    [
        ({}, None),
        ({"curve": (0.2, 0.3, 0.39, 0.402), "seen": 0.81, "accuracy": 0.6}, "still learning"),
        ({"curve": (0.2, 0.3, 0.41, 0.40)}, None),
        ({"seen": 0.71}, "overfitted"),
        ({"seen": 0.69}, None),
        ({"accuracy": 0.14, "seen": 0.15}, "at chance"),
        ({"rates": (0.1, 0.0005)}, "a silent layer"),
        ({"rates": (0.51, 0.1)}, "a saturated layer"),
        ({"rates": (0.49, 0.1)}, None),
        ({"ee": 0.9}, "saves nothing"),
        ({"ee": 101.0}, "too good"),
        *(({"last": {"rho_others": rho}}, "stochmax has not learnt") for rho in (0.005, 0.49, 0.985)),
        ({"last": {"rho_others": 0.3}}, None),
        ({"last": {"loss": None}}, "not finite"),
    ],
)
def test_each_doubt_by_a_run_made_for_it(change, name):
    assert raised(sample(**change)) == ([] if name is None else [name])


def test_what_cannot_be_asked_is_not_raised():
    ann = sample(steps=None, rates=(), ee=0.0, seen=None, curve=(0.4,))
    asked = [d.short for d in sanity.CHECKS if d.value(ann) is not None]
    assert asked == ["at chance", "not finite"] and raised(ann) == []
    # a binary run keeps rates, but no plan that they could be read with
    assert sanity._rates(sample(task="binary")) == []


def test_a_network_that_rose_to_the_end_and_knows_few_of_its_images_is_underfitted():
    rising = (0.2, 0.3, 0.39, 0.402)
    assert raised(sample(curve=rising, seen=0.79, accuracy=0.6)) == ["underfitted", "still learning"]


def test_alarms_of_stdp_are_a_doubt():
    own = {"curve": [{"validation_accuracy": 0.4}, {"validation_accuracy": 0.3}], "train_accuracy": 0.5}
    one = sample(task="stdp", measured=own)
    one.record.result["alarms"] = ["a threshold ran away"]
    assert raised(one) == ["thresholds drift"]


def test_an_stdp_runs_classifier_has_a_curve_of_its_own():
    own = {"curve": [{"validation_accuracy": 0.3}, {"validation_accuracy": 0.4}], "train_accuracy": 0.8}
    one = sample(task="stdp", measured=own, curve=(0.4, 0.4))
    assert raised(one) == ["still learning", "overfitted"]  # a training accuracy of 0.8 is enough


def test_the_tables_by_hand(monkeypatch):
    results = {
        "good": sample(),
        "deep": sample(seen=0.75, ee=120.0),
        "wide": sample(seen=0.8, note="reading B"),
    }
    monkeypatch.setattr(sanity, "results_of", lambda name: [(name, results[name])])
    table = sanity.check_table(results).set_index(sanity.check_table(results)["doubt"].str.partition(":")[0])
    assert table.loc["overfitted", ["asked of", "raised by"]].tolist() == [3, 2]
    assert table.loc["overfitted", "most"] == "wide, reading B, seed 3: 40.0 points"
    assert table.loc["too good", "most"] == "deep, seed 3: EE 1.2e+02"
    assert table.loc["at chance", "most"] == "–"
    assert sanity.doubts_about(results)[0] == (
        "overfitted (training accuracy more than 30.0 points above test accuracy): 2 of 3 results; "
        "most: wide, reading B, seed 3: 40.0 points"
    )
    said = sanity.finding(sanity.check_table(results))
    assert said[:2] == ["overfitted: 2 of 3 results", "too good: 1 of 3 results"]
    assert said[2].startswith(
        "raised by no result: underfitted; still learning; at chance; a silent layer; a saturated layer; saves nothing"
    )
    assert "stochmax" not in said[2]  # it could not be asked


def test_recorded_runs_are_asked_at_their_largest_T_and_short_ones_not_at_all():
    records = {r.key: r for r in Store(results_directory()).read_all()[0]}
    places = {key: sanity.results_of(record) for key, record in records.items()}
    for key, found in places.items():
        record = records[key]
        if set(record.labels["tables"]) <= set(contents.ONE_SEED) or record["task"] == "gradients":
            assert found == []
        elif record["task"] == "stdp":
            assert len(found) == len(record.result["classifiers"])
        elif record["task"] == "convert":
            assert found[0][1].steps == max(map(int, record.result["snn"]))
        else:
            assert len(found) == 1
    table = sanity.check_table(records.values())
    assert table["asked of"].max() == sum(map(len, places.values())) > 0
