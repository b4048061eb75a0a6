"""What a sample knows of itself: stochmax counts psi, and records may hold more than one T or set of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from panda2020.runs import Record, RecordError
from panda2020.samples import Sample, samples

DATA = {"name": "cifar10", "train": 10, "validation": 5, "test": 4, "size": None, "seed": 0}
TOPOLOGY = "16C3 P 32C3 32C3 P F256 F10"  # VGG5 at a quarter of the width, but for a layer


def record(task: str = "train", *, head: str = "softmax", **result: Any) -> Record:
    spec = {
        "topology": TOPOLOGY,
        "data": DATA,
        "network": {"neuron": "lif", "head": head},
        "input": {"code": "poisson", "steps": 25},
        "seed": 0,
    }
    sites = ("conv1", "conv2", "conv3", "fc1")
    spikes = {site: {"kind": "spikes", "rate": 0.1, "nonzero": 0.1} for site in ("input", *sites)}
    held = {"accuracy": 0.5, "correct": 2, "total": 4, "hits": "c", "activity": spikes, "steps": 25, **result}
    labels = {"network": "VGG5", "role": "snn", "profile": "laptop", "tables": ["8"], "note": ""}
    return Record(
        {"task": task, "spec": spec, "labels": labels, "result": held, "key": "k"}, Path("made-up.json")
    )


def only(made: Record) -> Sample:
    return samples(made)[25]


def test_stochmax_has_the_weights_of_psi_and_their_energy():
    plain, stochmax = only(record()), only(record(head="stochmax"))
    assert (plain.stochmax, stochmax.stochmax) == (False, True)
    assert stochmax.parameters - plain.parameters == 256 * 10 + 10
    for convention in ("paper", "physical", "full"):
        one, other = plain.report(convention), stochmax.report(convention)
        classifier = one.rows[-1].snn_pj
        assert other.snn == pytest.approx(one.snn + classifier) and classifier > 0
        assert other.ann == one.ann and other.efficiency < one.efficiency  # the ANN's classifier is softmax
    assert stochmax.report(spiking_only=True).snn == plain.report(spiking_only=True).snn


def test_a_report_is_made_once():
    one = only(record())
    assert one.report("full") is one.report("full") and one.report("full") is not one.report("paper")


def test_a_network_trained_at_one_t_may_be_read_at_smaller_ones():
    early = {"10": {"accuracy": 0.25, "correct": 1, "total": 4, "hits": "8"}}
    made = record(early=early)
    assert list(samples(made)) == [25]
    course = samples(made, "early")
    assert [(steps, sample.correct) for steps, sample in course.items()] == [(10, 1), (25, 2)]
    assert list(samples(record(), "early")) == [25]


def test_the_ann_of_a_conversion_on_all_images_where_the_record_has_them():
    some, every = (
        {"accuracy": 0.5, "correct": total // 2, "total": total, "hits": "c" * (total // 4)}
        for total in (4, 8)
    )
    assert samples(record("convert", ann=some, snn={}), "ann-all")[None].total == 4
    assert samples(record("convert", ann=some, ann_all=every, snn={}), "ann-all")[None].total == 8
    assert samples(record("convert", ann=some, ann_all=every, snn={}), "ann")[None].total == 4


@pytest.mark.parametrize(
    "result",
    [{}, {"snn": []}, {"snn": {"many": {}}}, {"snn": None}],
    ids=["no snn", "a list", "a T that is no number", "null"],
)
def test_a_result_without_the_fields_of_its_task_is_named(result):
    with pytest.raises(
        RecordError, match=r"made-up\.json must hold the results of task 'convert', got \w+Error"
    ):
        samples(record("convert", **result))
