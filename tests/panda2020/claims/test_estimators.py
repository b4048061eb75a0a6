"""Every claim's estimator on made-up runs: it must be able to give each verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim, claims
from panda2020.claims.evidence import Evidence
from panda2020.claims.registry import Estimator, Finding, estimates
from panda2020.claims.verdicts import CONTRADICTED, DIRECTION, INCONCLUSIVE, NOT_TESTED, SUPPORTED, above
from panda2020.ledger.ledger import Judgement, ledger
from panda2020.statistics import Interval, mean_over_seeds

pytestmark = pytest.mark.usefixtures("stated_energies")

Changes = dict[tuple, Any]
ESTIMATORS = contents.estimators()
CONV, SHARED, STOCH, HYBRID = "converted", "converted-shared", "snn-stochmax", "hybrid-stochmax"
STDP_NETS = ("ResNet2", "ResNet2x2", "ResNet3")
PAIR = ("VGG5", "VGG3x2-v2")


def acc(name: str, role: str, value: float, at: Any = None) -> Changes:
    return {("acc", name, role) if at is None else ("acc", name, role, at): value}


def both(kind: str, names: tuple[str, ...], role: str, value: Any) -> Changes:
    return {(kind, name, role): value for name in names}


def stdp(view: str, value: float, names: tuple[str, ...] = STDP_NETS) -> Changes:
    return {("acc", name, "stdp", view): value for name in names}


#: claim -> verdict -> what is different from a world in which all nets are equal (accuracy 50 %, EE 10).
WORLDS: dict[str, dict[str, Changes]] = {
    "conv-lossless": {
        SUPPORTED: acc("VGG7-conv", CONV, 0.505, "ann"),
        CONTRADICTED: acc("VGG7-conv", CONV, 0.55, "ann"),
    },
    "conv-latency": {
        SUPPORTED: acc("VGG7-conv", CONV, 0.12, 10) | acc("VGG7-conv", CONV, 0.4, 100),
        DIRECTION: acc("VGG7-conv", CONV, 0.12, 10) | acc("VGG7-conv", CONV, 0.49, 100),
        CONTRADICTED: acc("VGG7-conv", CONV, 0.12, 10) | acc("VGG7-conv", CONV, 0.52, 100),
    },
    "conv-bounded": {SUPPORTED: {}, CONTRADICTED: acc("VGG2x4", CONV, 0.53, 2000)},
    "conv-monotone-T": {
        SUPPORTED: acc("VGG7-conv", CONV, 0.2, 10) | acc("VGG7-conv", CONV, 0.4, 100),
        DIRECTION: acc("VGG7-conv", CONV, 0.2, 10) | acc("VGG7-conv", CONV, 0.55, 100),
        CONTRADICTED: acc("VGG7-conv", CONV, 0.6, 10),
    },
    "conv-backres-ann-loss": {
        SUPPORTED: acc("VGG2x4", CONV, 0.49, "ann"),
        CONTRADICTED: acc("VGG3x2-v1", CONV, 0.45, "ann"),
    },
    "conv-backres-snn": {SUPPORTED: acc("VGG2x4", CONV, 0.49), CONTRADICTED: acc("VGG3x2-v1", CONV, 0.45)},
    "conv-backres-ee": {
        SUPPORTED: both("ee", ("VGG2x4", "VGG3x2-v1"), CONV, 13.0),
        DIRECTION: both("ee", ("VGG2x4", "VGG3x2-v1"), CONV, 10.5),
        CONTRADICTED: both("ee", ("VGG2x4",), CONV, 9.0),
    },
    "conv-ee-2x4-vs-3x2": {
        SUPPORTED: both("ee", ("VGG2x4",), CONV, 13.0),
        DIRECTION: both("ee", ("VGG2x4",), CONV, 20.0),
        CONTRADICTED: both("ee", ("VGG2x4",), CONV, 9.0),
    },
    "conv-threshold-grows": {
        SUPPORTED: both("threshold", ("VGG2x4", "VGG3x2-v1"), CONV, [1.0, 1.1, 1.2, 1.3]),
        DIRECTION: both("threshold", ("VGG2x4",), CONV, [1.0, 0.9, 1.2, 1.3])
        | both("threshold", ("VGG3x2-v1",), CONV, [1.0, 1.1]),
        CONTRADICTED: both("threshold", ("VGG2x4", "VGG3x2-v1"), CONV, [1.3, 1.2, 1.1, 1.0]),
    },
    "conv-sparsify": {  # by spiking site: conv1, then conv2 and conv3 in the order in which they are computed
        SUPPORTED: both("rate", ("VGG2x4", "VGG3x2-v1"), CONV, [0.2, 0.1, 0.08, 0.06, 0.05]),
        DIRECTION: both("rate", ("VGG2x4",), CONV, [0.2, 0.1, 0.11, 0.06, 0.05])
        | both("rate", ("VGG3x2-v1",), CONV, [0.2, 0.1, 0.08, 0.06, 0.05]),
        CONTRADICTED: both("rate", ("VGG2x4",), CONV, [0.2, 0.05, 0.06, 0.08, 0.1]),
    },
    "conv-multi-threshold": {
        SUPPORTED: both("acc", ("VGG2x4", "VGG3x2-v1"), SHARED, 0.45),
        DIRECTION: both("acc", ("VGG2x4", "VGG3x2-v1"), SHARED, 0.495),
        CONTRADICTED: both("acc", ("VGG2x4",), SHARED, 0.52),
    },
    "conv-hybrid-unneeded": {SUPPORTED: {}, CONTRADICTED: acc("VGG7-conv", "converted-relu-2", 0.53)},
    "imagenet-conv-loss": {SUPPORTED: acc("VGG11x2", CONV, 0.49), CONTRADICTED: acc("VGG11x2", CONV, 0.45)},
    "imagenet-conv-ee": {
        SUPPORTED: both("ee", ("VGG11x2",), CONV, 20.0),
        DIRECTION: both("ee", ("VGG11x2",), CONV, 12.0),
        CONTRADICTED: both("ee", ("VGG11x2",), CONV, 9.0),
    },
    "imagenet-conv-T250": {
        verdict: acc("VGG16", CONV, value, 250) | acc("VGG11x2", CONV, value, 250)
        for verdict, value in ((SUPPORTED, 0.3), (DIRECTION, 0.45), (CONTRADICTED, 0.55))
    },
    "stdp-deeper-worse": {
        SUPPORTED: acc("ResNet3", "stdp", 0.46),
        CONTRADICTED: acc("ResNet3", "stdp", 0.54),
    },
    "stdp-backres-better": {
        DIRECTION: acc("ResNet2x2", "stdp", 0.54)
        | {("conv_ee", "ResNet2x2"): 10.0},  # an efficiency that we set decides nothing
        CONTRADICTED: acc("ResNet2x2", "stdp", 0.46) | {("conv_ee", "ResNet2x2"): 10.0},
    },
    "stdp-ee-conv-full": {SUPPORTED: {}, CONTRADICTED: {("conv_ee", "ResNet3"): 8.0}},
    "stdp-few-samples": {
        DIRECTION: {},
        INCONCLUSIVE: acc("ResNet2", "stdp-more", 0.55),
    },  # 1,000 images cannot refute 5,000
    "stdp-kn-updates": {
        SUPPORTED: {("updates", "ResNet2x2"): 2000},
        DIRECTION: {("updates", "ResNet2x2"): 3000},
        CONTRADICTED: {},
    },
    "agd-loss": {SUPPORTED: both("acc", PAIR, "snn", 0.48), CONTRADICTED: both("acc", PAIR[:1], "snn", 0.44)},
    "agd-ee": {
        verdict: both("ee", PAIR, "snn", value)
        for verdict, value in ((SUPPORTED, 15.0), (DIRECTION, 40.0), (CONTRADICTED, 0.8))
    },
    "agd-vgg7-fails": {
        verdict: acc("VGG7-agd", "snn", value)
        for verdict, value in ((SUPPORTED, 0.1), (DIRECTION, 0.4), (CONTRADICTED, 0.5))
    },
    "agd-resnet7-hard": {
        verdict: acc("ResNet7", "snn", value)
        for verdict, value in ((SUPPORTED, 0.1), (DIRECTION, 0.4), (CONTRADICTED, 0.5))
    },
    **{
        name: {
            SUPPORTED: acc("VGG7-agd", "snn", 0.1),
            DIRECTION: acc("VGG7-agd", "snn", 0.47),
            CONTRADICTED: acc("VGG3x4", "snn", 0.12),
        }
        for name in ("agd-vgg3x4-trains", "real-depth-five")
    },
    "agd-vgg3x4-beats-ann": {SUPPORTED: acc("VGG3x4", "snn", 0.55), CONTRADICTED: acc("VGG3x4", "snn", 0.45)},
    "agd-backres-sparser": {
        SUPPORTED: both("rate", ("VGG2x2", "VGG3x2-v2"), "snn", 0.05),
        CONTRADICTED: both("rate", ("VGG2x2",), "snn", 0.2),
    },
    "agd-vanishing": {
        SUPPORTED: both("rate", ("VGG7-agd",), "snn", [0.2, 0.15, 0.1, 0.08, 0.05, 0.02, 0.1]),
        DIRECTION: both("rate", ("VGG7-agd",), "snn", [0.2, 0.1, 0.15, 0.12, 0.16, 0.15, 0.1]),
        CONTRADICTED: both("rate", ("VGG7-agd",), "snn", [0.05, 0.1, 0.15, 0.12, 0.16, 0.15, 0.1]),
    },
    "agd-latency": {
        SUPPORTED: acc("VGG7-conv", CONV, 0.2, 10)
        | acc("VGG7-conv", CONV, 0.3, 100)
        | acc("VGG7-conv", CONV, 0.3, 250),
        DIRECTION: acc("VGG7-conv", CONV, 0.6, 2000),
        CONTRADICTED: {},
    },
    "stochmax-low-T": {SUPPORTED: acc("VGG3", STOCH, 0.53), CONTRADICTED: acc("VGG3", STOCH, 0.47, 10)},
    "stochmax-acc": {
        verdict: both("acc", PAIR, STOCH, value)
        for verdict, value in ((SUPPORTED, 0.53), (DIRECTION, 0.58), (CONTRADICTED, 0.47))
    },
    "stochmax-ee": {
        verdict: both("ee", PAIR, STOCH, value)
        for verdict, value in ((SUPPORTED, 18.0), (DIRECTION, 12.0), (CONTRADICTED, 9.0))
    },
    "stochmax-sparser": {
        SUPPORTED: both("rate", PAIR, STOCH, 0.05),
        DIRECTION: both("rate", PAIR, STOCH, [0.05, 0.05, 0.05, 0.05, 0.2]),
        CONTRADICTED: both("rate", PAIR, STOCH, 0.2),
    },
    "stochmax-conv-stdp": {
        verdict: acc("VGG7-conv", "converted-stochmax", value) | stdp("fc-stochmax", value)
        for verdict, value in ((SUPPORTED, 0.515), (DIRECTION, 0.56), (CONTRADICTED, 0.47))
    },
    "hybrid-trains-deep": {
        SUPPORTED: acc("VGG9", "relu-0", 0.1),
        DIRECTION: acc("VGG9", "relu-0", 0.47),
        CONTRADICTED: acc("VGG9", HYBRID, 0.12),
    },
    "hybrid-beats-ann": {
        verdict: acc("VGG9", HYBRID, value)
        for verdict, value in ((SUPPORTED, 0.51), (DIRECTION, 0.55), (CONTRADICTED, 0.47))
    },
    "hybrid-acc": {DIRECTION: acc("VGG9", "ann-bn", 0.51), CONTRADICTED: acc("VGG9", "ann-bn", 0.56)},
    "hybrid-ee": {
        verdict: both("ee", ("VGG9",), HYBRID, value)
        for verdict, value in ((SUPPORTED, 4.0), (DIRECTION, 2.0), (CONTRADICTED, 0.9))
    },
    "hybrid-backres-ee": {
        verdict: both("ee", ("VGG8x2",), HYBRID, value)
        for verdict, value in ((SUPPORTED, 12.0), (DIRECTION, 20.0), (CONTRADICTED, 9.0))
    },
    "hybrid-real-input": {
        SUPPORTED: acc("VGG9", "hybrid-rate", 0.47),
        CONTRADICTED: acc("VGG9", "hybrid-rate", 0.47) | {("energy", "VGG9", "hybrid-rate"): 200.0},
    },
    "hybrid-more-lif-hurts": {
        verdict: acc("VGG13", "hybrid-lif8", value)
        for verdict, value in ((SUPPORTED, 0.45), (DIRECTION, 0.494), (CONTRADICTED, 0.53))
    },
    "hybrid-vgg13-backres": {
        SUPPORTED: both("ee", ("VGG13",), "hybrid-backres", 12.0),
        CONTRADICTED: both("ee", ("VGG13",), "hybrid-backres", 9.0),
    },
    "imagenet-hybrid-iso": {
        SUPPORTED: acc("VGG13", "hybrid", 0.49),
        CONTRADICTED: acc("VGG13", "hybrid", 0.45),
    },
    "imagenet-hybrid-ee": {
        verdict: both("ee", ("VGG13",), "hybrid", value)
        for verdict, value in ((SUPPORTED, 1.3), (DIRECTION, 1.2), (CONTRADICTED, 0.9))
    },
    "backres-ee-range": {
        SUPPORTED: {},
        DIRECTION: both("ee", ("VGG3x4",), "snn", 4.0),
        CONTRADICTED: both("ee", ("VGG3x4",), "snn", 0.5),
    },
    "backres-energy-vs-deep": {
        verdict: both("energy", ("VGG7-conv",), CONV, value)
        for verdict, value in ((SUPPORTED, 200.0), (DIRECTION, 120.0), (CONTRADICTED, 90.0))
    },
    "backres-limit": {
        SUPPORTED: acc("VGG2x8", "ann", 0.4) | acc("VGG2x4c", "ann", 0.48),
        CONTRADICTED: acc("VGG2x8", "ann", 0.55),
    },
    "backres-channels": {SUPPORTED: {}, CONTRADICTED: acc("VGG2x4-wide-top", "ann", 0.45)},
    "backres-iso-accuracy": {SUPPORTED: {}, CONTRADICTED: acc("VGG3x2-v2", "snn", 0.45)},
    "backres-diverse-gradients": {SUPPORTED: {}, CONTRADICTED: both("cosine", ("VGG3x4",), "gradients", 0.9)},
    "binary-backres-stochmax": {
        SUPPORTED: both("acc", ("VGG3x2-v2", "VGG3x4"), "binary-stochmax", 0.55),
        CONTRADICTED: both("acc", ("VGG3x4",), "binary-stochmax", 0.45),
    },
}

#: Absolute accuracies, and gaps to an ANN at its best, which only the paper's own scale can be asked for.
AT_FULL_SCALE: dict[str, dict[str, Changes]] = {
    "stdp-gap": {
        verdict: both("acc", STDP_NETS, "ann", value)
        for verdict, value in ((SUPPORTED, 0.8), (DIRECTION, 0.6), (CONTRADICTED, 0.45))
    },
    "hybrid-stdp-gap": {
        SUPPORTED: stdp("convnn", 0.48) | stdp("fc", 0.3),
        DIRECTION: stdp("convnn", 0.4) | stdp("fc", 0.3),
        CONTRADICTED: stdp("convnn", 0.48) | stdp("fc", 0.49),  # the gap is small, and was smaller before
    },
    "hybrid-stdp-like-ann": {SUPPORTED: stdp("convnn", 0.48), CONTRADICTED: stdp("convnn", 0.4)},
    "hybrid-stdp-acc": {SUPPORTED: stdp("convnn", 0.79), CONTRADICTED: stdp("convnn", 0.6)},
    "hybrid-stdp-80": {
        SUPPORTED: stdp("convnn", 0.8) | acc("VGG9", HYBRID, 0.85),
        CONTRADICTED: stdp("convnn", 0.6) | acc("VGG9", HYBRID, 0.85),
    },
    "hybrid-acc": {
        SUPPORTED: acc("VGG9", HYBRID, 0.85) | acc("VGG9", "ann-bn", 0.86),
        DIRECTION: acc("VGG9", HYBRID, 0.75) | acc("VGG9", "ann-bn", 0.76),
        CONTRADICTED: acc("VGG9", HYBRID, 0.6) | acc("VGG9", "ann-bn", 0.86),
    },
}

#: Decided without runs, or not decidable by any run there is.
FIXED = {
    "conv-params-minimal": SUPPORTED,
    "energy-memory-invariant": CONTRADICTED,
    "coding-integrity": SUPPORTED,
}
NOISE = {
    "acc": 0.35,
    "ee": 0.6,
    "conv_ee": 0.6,
    "energy": 0.6,
    "rate": 0.9,
    "threshold": 0.6,
    "updates": 0.9,
    "cosine": 0.9,
}


#: Where scatter about the supporting world still shows something: worlds on the edge.
EDGE: dict[str, Changes] = {
    "stdp-backres-better": acc("ResNet2x2", "stdp", 0.54),
    "stdp-few-samples": {},
    "agd-ee": both("ee", PAIR, "snn", 2.0),
    "backres-ee-range": both("ee", ("VGG3x4",), "snn", 1.5),
    "conv-monotone-T": {},
    "agd-vgg7-fails": both("acc", ("VGG7-agd", "VGG5"), "snn", 0.2),
    "agd-resnet7-hard": both("acc", ("ResNet7", "VGG5"), "snn", 0.2),
    "agd-vanishing": both("rate", ("VGG7-agd",), "snn", [0.2, 0.18, 0.16, 0.14, 0.13, 0.12, 0.1]),
    "hybrid-trains-deep": acc("VGG9", HYBRID, 0.25) | acc("VGG9", "relu-0", 0.2),
    "hybrid-ee": both("ee", ("VGG9",), HYBRID, 2.0),
    "imagenet-hybrid-ee": both("ee", ("VGG13",), "hybrid", 1.0),
    "backres-diverse-gradients": both("cosine", ("VGG3x4",), "gradients", 0.45),
}


def judged(name: str, evidence: Evidence) -> Judgement:
    only = {name: ESTIMATORS[name]}
    return ledger("first", known={name: claim(name)}, estimators=only, found=evidence).judgements[name]


def rows(worlds: dict[str, dict[str, Changes]]) -> list:
    return [
        pytest.param(name, verdict, changes, id=f"{name}-{verdict}")
        for name, found in worlds.items()
        for verdict, changes in found.items()
    ]


def test_every_claim_is_tested_here():
    assert WORLDS.keys() | AT_FULL_SCALE.keys() | FIXED.keys() == claims().keys() == ESTIMATORS.keys()


@pytest.mark.parametrize("name, verdict, changes", rows(WORLDS))
def test_each_verdict_is_reached(name: str, verdict: str, changes: Changes):
    found = judged(name, World(changes).evidence())
    assert found.verdict == verdict, found.conclusion.reason
    assert found.records and not found.missing and not found.problems


@pytest.mark.parametrize("name, verdict, changes", rows(AT_FULL_SCALE))
def test_what_hangs_on_scale_is_judged_at_full_scale_alone(name: str, verdict: str, changes: Changes):
    found = judged(name, World(changes).evidence(profile="paper"))
    assert found.verdict == verdict, found.conclusion.reason
    smaller = judged(name, World(changes).evidence())
    assert smaller.verdict != SUPPORTED
    assert any(
        j.quantity.beside and j.quantity.values for j in smaller.conclusion.parts
    )  # shown all the same


@pytest.mark.parametrize("name", WORLDS)
def test_scattered_runs_can_leave_it_open(name: str):
    changes = EDGE.get(name, WORLDS[name].get(SUPPORTED, {}))
    found = (judged(name, World(changes, noise=NOISE, luck=luck).evidence()) for luck in range(12))
    assert any(judgement.verdict == INCONCLUSIVE for judgement in found)


@pytest.mark.parametrize("name", sorted(WORLDS.keys() | AT_FULL_SCALE.keys()))
def test_without_runs_it_is_not_tested_and_says_why(name: str):
    found = judged(name, Evidence("first", ()))
    assert found.verdict == NOT_TESTED and found.conclusion.reason


@pytest.mark.parametrize("name, verdict, changes", rows(WORLDS))
def test_one_seed_decides_only_what_one_trained_network_shows(name: str, verdict: str, changes: Changes):
    found = judged(name, World(changes).evidence(seeds=[0]))
    counted = [j for j in found.conclusion.parts if not j.quantity.beside]
    within = [j.quantity.images is not None and not j.quantity.apart for j in counted]
    if not any(within):
        assert found.verdict == INCONCLUSIVE
    elif all(within):
        assert found.verdict in (verdict, INCONCLUSIVE, DIRECTION)
    else:
        assert found.verdict != SUPPORTED
    assert found.conclusion.one_seed
    assert all(j.estimate is None or mean_over_seeds(j.quantity.values).interval is None for j in counted)


@pytest.mark.parametrize("name, verdict", FIXED.items())
def test_what_needs_no_run(name: str, verdict: str):
    assert (
        judged(name, Evidence("first", ())).verdict == verdict == judged(name, Evidence("paper", ())).verdict
    )


def test_nets_at_chance_are_excluded_from_efficiency():
    found = judged(
        "agd-ee", World(both("acc", PAIR[:1], "snn", 0.11) | both("ee", PAIR, "snn", 15.0)).evidence()
    )
    assert found.verdict == INCONCLUSIVE and "at chance in every run" in found.conclusion.reason
    stuck = World(acc("VGG5", "snn", 0.12) | acc("VGG3x2-v2", "snn", 0.12)).evidence()
    assert judged("backres-iso-accuracy", stuck).verdict == INCONCLUSIVE


def test_a_net_that_trains_beside_one_that_should_fail_shows_half_of_the_claim():
    found = judged("agd-vgg3x4-trains", World({}).evidence())  # both train, equally well
    assert found.verdict == DIRECTION and "SNN VGG7-agd, T = 25 trains as well" in found.conclusion.reason
    assert (
        judged("agd-vgg7-fails", World({}).evidence()).verdict == CONTRADICTED
    )  # which is where it is held against the paper
    one = World(acc("VGG7-agd", "snn", 0.1)).evidence(seeds=[0]).runs + World({}).evidence(seeds=[1]).runs
    assert (
        "trains as well" not in judged("agd-vgg3x4-trains", Evidence("first", one)).conclusion.reason
    )  # it fails at times


def test_a_baseline_at_chance_is_no_baseline():
    failed = {("acc", "VGG16c", "ann"): 0.1}
    found = judged("backres-limit", World(failed).evidence())
    assert found.verdict == INCONCLUSIVE and "at chance in every run" in found.conclusion.reason


def test_steps_without_gradient_are_not_diverse():
    found = judged("backres-diverse-gradients", World(both("norm", ("VGG3x4",), "gradients", 0.0)).evidence())
    assert (
        found.verdict == INCONCLUSIVE and "gets no gradient at all, in every run" in found.conclusion.reason
    )


def test_gradients_of_a_network_that_does_not_learn_are_left_out():
    found = judged("backres-diverse-gradients", World(both("acc", ("VGG3x4",), "gradients", 0.1)).evidence())
    assert found.verdict == INCONCLUSIVE and "at chance after these epochs" in found.conclusion.reason


def test_noise_of_single_batches_is_not_diversity():
    # a step is no more like itself on other images than like the other steps
    alike = both("repeated", (*PAIR, "VGG3x4"), "gradients", 0.1) | both(
        "crossed", (*PAIR, "VGG3x4"), "gradients", 0.1
    )
    found = judged("backres-diverse-gradients", World(alike).evidence())
    assert found.verdict == CONTRADICTED and "itself on other images" in found.conclusion.reason


def test_both_modifications_are_held_against_the_plain_binary_net_even_where_that_fails():
    failed = both("acc", ("VGG7-agd",), "binary", 0.1) | both("acc", ("VGG3x2-v2",), "binary-stochmax", 0.55)
    found = judged("binary-backres-stochmax", World(failed).evidence())
    assert found.verdict == SUPPORTED
    counted = [j.quantity.what for j in found.conclusion.parts if not j.quantity.beside]
    assert counted == [
        "binary VGG3x2-v2 with stochmax minus binary VGG5",
        "binary VGG3x4 with stochmax minus binary VGG7-agd",
    ]


def test_efficiency_is_taken_where_the_accuracy_has_settled():
    world = acc("VGG2x4", CONV, 0.3, 10) | {
        ("ee", "VGG2x4", CONV, 10): 900.0,
        ("ee", "VGG2x4", CONV, 100): 13.0,
    }
    found = judged("conv-ee-2x4-vs-3x2", World(world).evidence())
    assert found.verdict == SUPPORTED  # 13, at T = 100, and not 900, at T = 10
    both, own = found.conclusion.parts  # at one T, where both have settled, though VGG3x2-v1 has so at T = 10
    assert both.quantity.what == "EE of converted VGG2x4, T = 100 over EE of converted VGG3x2-v1, T = 100"
    assert (
        own.quantity.beside
        and own.quantity.what.startswith("each at its own T: ")
        and own.quantity.what.endswith("VGG3x2-v1, T = 10")
    )


def test_steps_at_equal_accuracy_stand_beside_those_at_own_accuracy():
    course = {10: 0.2, 100: 0.52, 250: 0.595, 2000: 0.6}
    changes = {("acc", "VGG7-conv", CONV, T): value for T, value in course.items()}
    found = judged("agd-latency", World(changes).evidence())
    own, equal = found.conclusion.parts
    assert (
        own.quantity.values == (250 / 25,) * 3
        and equal.quantity.values == (100 / 25,) * 3
        and equal.quantity.beside
    )
    assert (
        own.quantity.grain == Interval(100 / 25, 250 / 25) and found.verdict == DIRECTION
    )  # 4 to 10 reaches below 5
    better = judged("agd-latency", World(changes | {("acc", "VGG5", "snn"): 0.7}).evidence())
    assert better.conclusion.parts[1].reason == "the converted VGG7 is never as accurate"
    runs = [("VGG7-conv", CONV, (10, 100), 1), ("VGG5", "snn", (25,), 0)]
    made = tuple(run for *where, seed in runs for run in World({}).runs("first", *where, seed))
    apart = judged("agd-latency", Evidence("first", made))
    assert apart.verdict == NOT_TESTED and "no seed has both networks" in apart.conclusion.reason


def test_pairs_must_have_the_same_images():
    runs = []
    for run in World({}).evidence().runs:
        if run.entry.role == "ann":
            data = {
                **run.record.data,
                "spec": {**run.record["spec"], "data": {**run.record["spec"]["data"], "train": 99}},
            }
            runs.append(
                type(run)(
                    run.entry, run.key, type(run.record)(data, run.record.path, "recorded", run.entry.labels)
                )
            )
        else:
            runs.append(run)
    found = judged("agd-loss", Evidence("first", tuple(runs)))
    assert found.verdict == NOT_TESTED and "were not run on the same images" in found.conclusion.reason


def test_all_images_that_the_sentence_speaks_of_can_refute_it():
    def on(count: int) -> Evidence:
        runs = []
        for run in World(acc("ResNet2", "stdp-more", 0.55)).evidence().runs:
            unlabelled = count * (1 + (run.entry.role == "stdp-more"))
            data = {**run.record.data, "spec": {**run.record["spec"], "unlabelled": unlabelled}}
            runs.append(
                type(run)(
                    run.entry, run.key, type(run.record)(data, run.record.path, "recorded", run.entry.labels)
                )
            )
        return Evidence("first", tuple(runs))

    assert judged("stdp-few-samples", on(5000)).verdict == CONTRADICTED
    fewer = judged("stdp-few-samples", on(4999))
    assert fewer.verdict == INCONCLUSIVE and "4,999 images were used" in fewer.conclusion.reason


def test_variants_of_one_network_are_told_from_networks_trained_apart():
    names = ("conv-multi-threshold", "agd-loss", "conv-lossless")
    parts = {name: judged(name, World({}).evidence()).conclusion.parts for name in names}
    assert not any(
        j.quantity.apart for name in ("conv-multi-threshold", "conv-lossless") for j in parts[name]
    )
    assert all(j.quantity.apart for j in parts["agd-loss"])
    runs = list(World({}).evidence().runs)
    for number, run in enumerate(runs):
        if run.entry.role == "converted-shared":  # from another ANN than that with a threshold per step
            data = {**run.record.data, "result": {**run.record.result, "weights_sha256": "another"}}
            runs[number] = type(run)(
                run.entry, run.key, type(run.record)(data, run.record.path, "recorded", run.entry.labels)
            )
    assert all(
        j.quantity.apart
        for j in judged("conv-multi-threshold", Evidence("first", tuple(runs))).conclusion.parts
    )


def test_an_estimator_is_registered_once_and_says_what_it_does():
    def silent(case: Any) -> Finding:
        return Finding([])

    with pytest.raises(ValueError, match="the estimator of 'new' must say what it does in its docstring"):
        estimates("new", tables=())(silent)
    with pytest.raises(ValueError, match="claim must have one estimator, got a second for 'agd-loss'"):
        estimates("agd-loss", tables=())(silent)
    methods: dict[str, Estimator] = ESTIMATORS
    assert all(e.method.endswith(".") for e in methods.values())
    reasons: list[Callable] = [above]
    assert all(r(0).reason for r in reasons)
