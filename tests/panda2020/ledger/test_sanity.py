"""Questions to runs: each is raised by a run made for it, and by no other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from panda2020 import contents
from panda2020.ledger import sanity
from panda2020.runs import Store, results_directory


class Made(dict):
    """A record with what is asked for."""

    def __init__(self, *, task="train", curve=(0.2, 0.38, 0.40, 0.405), seen=0.45, last=None, note=""):
        super().__init__(task=task)
        epochs = [{"validation_accuracy": value} for value in curve]
        epochs[-1] |= last or {}
        self.result = {"curve": epochs, "train_accuracy": seen, "accuracy": 0.4}
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
        ({"curve": (0.2, 0.3, 0.39, 0.402)}, "still learning"),
        ({"curve": (0.2, 0.3, 0.41, 0.40)}, None),
        ({"seen": 0.51}, "overfitted"),
        ({"seen": 0.49}, None),
        ({"accuracy": 0.14, "seen": 0.15}, "at chance"),
        ({"rates": (0.1, 0.0005)}, "a silent layer"),
        ({"rates": (0.95, 0.1)}, "a saturated layer"),
        ({"ee": 0.9}, "saves nothing"),
        ({"ee": 101.0}, "too good"),
        ({"last": {"rho_others": 0.005, "rho_target": 0.5}}, "collapsed"),
        ({"last": {"rho_others": 0.5, "rho_target": 0.5}}, None),
    ],
)
def test_each_doubt_by_a_run_made_for_it(change, name):
    assert raised(sample(**change)) == ([] if name is None else [name])


def test_what_cannot_be_asked_is_not_raised():
    ann = sample(steps=None, rates=(), ee=0.0, seen=None, curve=(0.4,))
    asked = [d.short for d in sanity.CHECKS if d.value(ann) is not None]
    assert asked == ["at chance"] and raised(ann) == []
    # a binary run keeps rates, but no plan that they could be read with
    assert sanity._rates(sample(task="binary")) == []


def test_an_stdp_runs_classifier_has_a_curve_of_its_own():
    own = {"curve": [{"validation_accuracy": 0.3}, {"validation_accuracy": 0.4}], "train_accuracy": 0.8}
    one = sample(task="stdp", measured=own, curve=(0.4, 0.4))
    assert raised(one) == ["still learning", "overfitted"]


def test_the_tables_by_hand(monkeypatch):
    results = {
        "good": sample(),
        "deep": sample(seen=0.6, ee=120.0),
        "wide": sample(seen=0.7, note="reading B"),
    }
    monkeypatch.setattr(sanity, "results_of", lambda name: [(name, results[name])])
    table = sanity.check_table(results).set_index(sanity.check_table(results)["doubt"].str.partition(":")[0])
    assert table.loc["overfitted", ["asked of", "raised by"]].tolist() == [3, 2]
    assert table.loc["overfitted", "most"] == "wide, reading B, seed 3: 30.0 points"
    assert table.loc["too good", "most"] == "deep, seed 3: EE 1.2e+02"
    assert table.loc["at chance", "most"] == "–"
    runs = sanity.flagged_table(results)
    assert runs["result"].tolist() == ["deep, seed 3", "wide, reading B, seed 3"]
    assert runs["doubts"].tolist() == [
        "overfitted (20.0 points); too good (EE 1.2e+02)",
        "overfitted (30.0 points)",
    ]
    assert sanity.doubts_about(results)[0] == (
        "overfitted (training accuracy more than 10.0 points above test accuracy): 2 of 3 results; "
        "most: wide, reading B, seed 3: 30.0 points"
    )
    said = sanity.finding(sanity.check_table(results))
    assert said[:2] == ["overfitted: 2 of 3 results", "too good: 1 of 3 results"]
    assert said[2].startswith(
        "raised by no result: still learning; at chance; a silent layer; a saturated layer; saves nothing"
    )
    assert "collapsed" not in said[2]  # it could not be asked


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
