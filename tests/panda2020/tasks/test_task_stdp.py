"""Task "stdp": one tiny run on digits, its record, its resumption and its refusals."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
import torch

from panda2020.runs.spec import from_dict, key, to_dict
from panda2020.stdp import grid
from panda2020.tasks import stdp as task
from panda2020.tasks.stdp import Classifier, Spec
from snncore.activity import SiteActivity
from snncore.data import DataConfig, load, to_unit
from snncore.energy import report
from snncore.network import NetworkConfig
from snncore.neurons import LIF
from snncore.stdp import StdpConfig
from snncore.stdp_layers import StdpWarning
from snncore.topology import plan
from snncore.training import TrainingConfig

DATA = DataConfig("digits", train=60, validation=20, test=20, size=16)
RULE = StdpConfig(steps=5, batch=2, settle=2, neuron=LIF(threshold=0.5))
FC = Classifier("fc", "F12 F10", training=TrainingConfig(epochs=2))
CONV = Classifier("convnn", "4C3 P 4C3 P F8 F10", training=TrainingConfig(epochs=1))
SPEC = Spec("3C3 [3C3+]x2 P", DATA, RULE, (FC, CONV), unlabelled=50, snapshots=(0, 20))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return task.execute(SPEC, work=work, device="cpu", progress=False), work


def test_spec_round_trip_and_key():
    assert from_dict("stdp", to_dict(SPEC)) == SPEC
    assert key(SPEC) != key(replace(SPEC, stdp=replace(RULE, eta=0.02)))
    assert key(SPEC) == key(replace(SPEC, controls=("random", "pixels")))


def test_both_tables_stand_in_one_record(run):
    outcome, _ = run
    result = outcome.result
    json.dumps(result, allow_nan=False)
    assert set(result["classifiers"]) == {"fc", "convnn"}
    for found in result["classifiers"].values():
        for source in ("learned", "random", "pixels"):
            assert found[source]["total"] == 20
            assert found[source]["accuracy"] == found[source]["correct"] / 20
        assert not {"energy", "parameters", "convolutions"} & found.keys()  # they follow from what is there
    assert result["accuracy"] == result["classifiers"]["fc"]["learned"]["accuracy"]
    assert result["data"]["unlabelled"] == 50
    assert result["feature_shape"] == [3, 8, 8]


def test_energy_uses_the_rates_measured_on_the_test_images(run):
    result = run[0].result
    found = result["classifiers"]["fc"]
    rates = result["rates"]["learned"]
    assert {"input", "conv1", "conv2.1", "conv2.2"} == set(rates)
    assert {name: found["activity"][name]["rate"] for name in rates} == rates
    whole = plan(found["topology"], (1, 16, 16))
    spiking = [p for p in whole if p.neuron == "lif"]
    macs = {p.site: math.prod(p.out_shape) * p.in_shape[0] * 9 for p in spiking}
    expected = sum(macs[site] * rates[site] * 5 * 0.1 for site in macs)
    activity = {site: SiteActivity.from_dict(values) for site, values in found["activity"].items()}
    convolutions = report(spiking, activity, found["steps"])
    assert convolutions.snn == pytest.approx(expected)
    assert report(whole, activity, found["steps"]).efficiency < convolutions.efficiency


def test_updates_are_counted_per_pass(run):
    result = run[0].result
    assert 0 < result["updates"]["conv1"] <= 25 * 5
    assert 0 < result["updates"]["conv2"] <= 25 * 5 * 2


def test_kernels_and_history_are_kept(run):
    kernels, history = run[0].artifacts["kernels"], run[0].artifacts["history"]
    assert kernels["conv2_after"].shape == (3, 3, 3, 3)
    assert (kernels["conv1_before"] == kernels["conv1_seen0"]).all()
    assert not (kernels["conv1_before"] == kernels["conv1_seen20"]).all()
    assert not (kernels["conv1_after"] == kernels["conv1_seen20"]).all()
    assert len(history["conv1_rate"]) == 25 + 2 and history["conv1_learning"].sum() == 25
    assert history["conv2.2_threshold"].shape == (27,)


def test_first_epoch_is_the_first_entry_of_the_curve(run):
    outcome, work = run
    curve = outcome.result["curve"]
    assert [(e["layer"], e["seen"]) for e in curve] == [
        ("conv1", 40),
        ("conv1", 50),
        ("conv2", 40),
        ("conv2", 50),
    ]
    assert task.first_epoch(SPEC, work=work, device="cpu", progress=False) == curve[0]


def test_an_interrupted_run_goes_on_to_the_same_result(run, tmp_path):
    outcome, work = run
    (tmp_path / "learned.pt").write_bytes((work / "learned.pt").read_bytes())  # killed after the first stage
    again = task.execute(SPEC, work=tmp_path, device="cpu", progress=False)
    assert again.result == outcome.result


def test_controls_differ_from_what_was_learnt_only_where_they_should(run):
    _, work = run
    learned, random = (torch.load(work / f"{name}.pt", weights_only=True) for name in ("learned", "random"))
    assert torch.equal(learned["kernels"]["conv1_before"], random["kernels"]["conv1_after"])
    assert not torch.equal(learned["train"], random["train"])
    pixels = torch.load(work / "pixels.pt", weights_only=True)
    images = to_unit(load(DATA).test.images)
    expected = (torch.nn.functional.avg_pool2d(images, 2) / pixels["scale"]).clamp(max=1)
    assert torch.allclose(pixels["test"] / 255, expected, atol=1 / 255)


def test_without_controls_and_on_few_images(tmp_path):
    spec = replace(SPEC, classifiers=(FC,), controls=(), unlabelled=2)
    result = task.execute(spec, work=tmp_path, device="cpu", progress=False).result
    assert set(result["rates"]) == {"learned"} and "random" not in result["classifiers"]["fc"]


@pytest.mark.parametrize(
    ("threshold", "kind"),
    [
        (1e6, "is silent: 0 "),
        (1e-6, "saturates: "),
    ],
)
def test_a_layer_that_goes_wrong_is_reported_while_it_trains_and_kept_in_the_record(
    tmp_path, threshold, kind
):
    rule = replace(
        RULE, adaptation=0.0, eta=0.0, competition="none", start=(0.1, 0.1), neuron=LIF(threshold=threshold)
    )
    spec = replace(
        SPEC, convolutions="3C5 P", stdp=rule, classifiers=(FC,), controls=(), unlabelled=12, snapshots=()
    )
    with pytest.warns(StdpWarning, match=rf"layer conv1 \(conv1\) {kind}"):
        result = task.execute(spec, work=tmp_path, device="cpu", progress=False).result
    silent = {
        site: SiteActivity.from_dict(values)
        for site, values in result["classifiers"]["fc"]["activity"].items()
    }
    spiking = report(plan("3C5 P F10", (1, 16, 16))[:1], silent, RULE.steps)
    assert (spiking.efficiency == math.inf) == (kind == "is silent: 0 ")
    assert (
        len(result["alarms"]) == 1
        and kind in result["alarms"][0]
        and result["alarms"][0].endswith("after 10 images")
    )


@pytest.mark.parametrize(
    ("convolutions", "words"),
    [
        ("F12", "topology must have a spiking convolution for STDP to train, got none"),
        ("3C3:relu P", "M must follow spikes, got values without time"),
        ("3C3 3C3:relu P", "a ReLU layer must not read spikes"),
    ],
)
def test_a_network_that_stdp_cannot_train_is_refused_before_anything_is_computed(
    tmp_path, convolutions, words
):
    spec = replace(SPEC, convolutions=convolutions, classifiers=(FC,))
    with pytest.raises(ValueError, match=words):
        task.execute(spec, work=tmp_path, device="cpu", progress=False)
    assert not list(tmp_path.iterdir())


def test_minutes_grow_with_the_work():
    assert 0 < task.minutes(SPEC) < task.minutes(replace(SPEC, data=replace(DATA, train=1000)))
    assert task.minutes(replace(SPEC, stdp=replace(RULE, steps=500))) > task.minutes(SPEC)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            lambda: replace(FC, name="../../escaped"),
            "name must consist of letters, digits, dots and dashes, got '../",
        ),
        (lambda: replace(FC, name="a/b"), "name must consist of letters"),
        (lambda: replace(FC, name=".hidden"), "name must consist of letters"),
        (lambda: replace(FC, name="a\nb"), "name must consist of letters"),
        (lambda: replace(FC, name=""), "name must consist of letters"),
        (lambda: replace(SPEC, unlabelled=0), "unlabelled must be a whole number of at least 1"),
        (lambda: replace(SPEC, unlabelled=61), "unlabelled must be at most the 60 training images, got 61"),
        (
            lambda: replace(SPEC, controls=("noise",)),
            "controls must be one of 'random', 'pixels', got 'noise'",
        ),
        (lambda: replace(SPEC, classifiers=()), "classifiers must have at least one entry"),
        (lambda: replace(SPEC, classifiers=(FC, FC)), "names of their own"),
        (lambda: Classifier("x", "F10", network=NetworkConfig()), "network must have neuron 'relu'"),
        (lambda: Classifier("x", "F10", training=TrainingConfig(augment=True)), "training must not augment"),
    ],
)
def test_spec_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


@pytest.mark.parametrize(("name", "target"), [("quick", 0.03), ("laptop", 0.03), ("paper", 1 / 72)])
def test_every_profile_aims_at_a_rate_that_its_maps_can_reach(name, target):
    for entry in grid.table6(name) + grid.stdp_samples(name):
        if isinstance(entry.spec, task.Spec):
            maps = max(int(found) for found in re.findall(r"(\d+)C", entry.spec.convolutions))
            assert entry.spec.stdp.target == pytest.approx(target)
            assert entry.spec.stdp.target <= 0.6 * entry.spec.stdp.largest_rate(maps)
