"""Other readings as evidence: never mixed, and a verdict that one moves is marked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.ledger import words
from panda2020.ledger.ledger import ledger
from panda2020.ledger.readings import of_suffix, recorded_readings

pytestmark = pytest.mark.usefixtures("stated_energies")

NETS = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")


def with_mean(changes: dict, *, seeds=(0, 1, 2), nets=NETS) -> Evidence:
    """Every network of Table 8 with the mean readout beside the default one."""
    world = World(changes)
    more = [
        run
        for seed in seeds
        for name in nets
        for run in world.runs(PROFILES[0], name, "snn-readout-mean", (25,), seed)
    ]
    return Evidence(PROFILES[0], (*world.evidence().runs, *more))


def judged(found: Evidence, *names: str):
    only = {name: contents.estimators()[name] for name in names}
    return ledger(
        PROFILES[0], known={name: claim(name) for name in names}, estimators=only, found=found
    ).judgements


def test_a_reading_takes_the_place_of_the_default_and_nothing_else_changes():
    found = with_mean({("acc", "VGG5", "snn-readout-mean"): 0.3}, seeds=(0, 1))
    other, same = (one.case() for one in of_suffix(found, "readout-mean"))
    assert (
        set(other.series("VGG5", "snn", 25).samples) == set(same.series("VGG5", "snn", 25).samples) == {0, 1}
    )
    assert other.series("VGG5", "snn", 25).accuracy() == pytest.approx(0.3)
    assert same.series("VGG5", "snn", 25).accuracy() == pytest.approx(0.5)
    assert not other.series("VGG5", "snn", 50).samples  # it was not made at T = 50
    assert len(other.series("VGG5", "ann").samples) == 3  # which no readout changes


def test_networks_without_the_reading_are_not_mixed_with_those_that_have_it():
    other, _ = of_suffix(with_mean({}, nets=("VGG5",)), "readout-mean")
    assert not other.case().series("VGG3x2-v2", "snn", 25).samples


def test_readings_are_those_that_are_recorded():
    assert [one.name for one in recorded_readings(World({}).evidence())] == []
    assert [one.name for one in recorded_readings(with_mean({}))] == ["readout: mean over T"]
    leak = World({}).runs(PROFILES[0], "VGG5", "snn-leak-0.99", (25,), 0)
    found = Evidence(PROFILES[0], (*with_mean({}).runs, *leak))
    assert [one.name for one in recorded_readings(found)] == ["readout: mean over T", "leak 0.99"]
    lettered = [
        replace(run, key=f"{run.key} B", entry=replace(run.entry, note="reading B"))
        for run in World({}).evidence().runs
        if run.entry.network == "VGG5"
    ]
    found = Evidence(PROFILES[0], (*World({}).evidence().runs, *lettered))
    assert [one.name for one in recorded_readings(found)] == ["topology B"]


def test_a_verdict_that_a_reading_moves_is_marked():
    lead = {("acc", "VGG3x4", "snn"): 0.55, ("acc", "VGG3x4", "snn-readout-mean"): 0.45}
    found = judged(with_mean(lead), "agd-vgg3x4-beats-ann", "agd-loss")
    central, secondary = found["agd-vgg3x4-beats-ann"], found["agd-loss"]
    assert (central.verdict, dict(central.moved)) == ("supported", {"readout: mean over T": "contradicted"})
    assert words.mark(central) == "*" and words.moved(central) == "readout: mean over T: ✘ contradicted"
    assert not secondary.moved and words.mark(secondary) == ""
    calm = judged(with_mean({("acc", "VGG3x4"): 0.55, ("acc", "VGG3x4", "ann"): 0.5}), "agd-vgg3x4-beats-ann")
    assert not calm["agd-vgg3x4-beats-ann"].moved


def test_the_tuned_regime_needs_both_sides_of_a_pair():
    world = World({("acc", "VGG5", "ann-tuned"): 0.6, ("acc", "VGG5", "snn-tuned"): 0.4})
    tuned = [
        run
        for seed in (0, 1)
        for role, steps in (("ann-tuned", ()), ("snn-tuned", (25,)))
        for run in world.runs(PROFILES[0], "VGG5", role, steps, seed)
    ]
    one_sided = [replace(run, record=None) if run.entry.role == "snn-tuned" else run for run in tuned]
    found = Evidence(PROFILES[0], (*world.evidence().runs, *tuned[:2], *one_sided[2:]))
    other, same = (one.case() for one in of_suffix(found, "tuned"))
    for case, ann, snn in ((other, 0.6, 0.4), (same, 0.5, 0.5)):
        assert set(case.series("VGG5", "ann").samples) == set(case.series("VGG5", "snn", 25).samples) == {0}
        assert case.series("VGG5", "ann").accuracy() == pytest.approx(ann)
        assert case.series("VGG5", "snn", 25).accuracy() == pytest.approx(snn)
    assert [one.name for one in recorded_readings(found)] == ["augmentation and dropout, ANN and SNN"]
    assert not list(recorded_readings(Evidence(PROFILES[0], (*world.evidence().runs, *one_sided))))
