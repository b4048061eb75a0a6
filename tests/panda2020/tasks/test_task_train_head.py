"""Task "train-head": the options reach the head, the key and the record; nothing else of task "train" changes."""

from __future__ import annotations

import json
import math

import pytest
import torch

from panda2020.runs.spec import from_dict, key, to_dict
from panda2020.stochmax import grid as stochmax_grid
from panda2020.tasks import train, train_head
from panda2020.tasks.train_head import HeadConfig, Spec
from snncore.data import DataConfig, load
from snncore.network import NetworkConfig
from snncore.stochmax import StochmaxConfig
from snncore.training import InputConfig, TrainingConfig

DATA = DataConfig("digits", train=60, validation=20, test=20, size=16)
OPTIONS = (("entropy", 0.5), ("inference", "logits"), ("target_kept", False))


def spec(options=OPTIONS):
    return Spec(
        "4C3 P F10",
        DATA,
        HeadConfig(head_options=options),
        InputConfig("poisson", steps=2),
        TrainingConfig(epochs=1),
    )


def test_options_reach_the_head_and_the_key():
    assert train.build(spec(), load(DATA)).head.config == StochmaxConfig(
        entropy=0.5, inference="logits", target_kept=False
    )
    assert len({key(spec()), key(spec(())), key(spec(OPTIONS[:1]))}) == 3
    again = from_dict("train-head", json.loads(json.dumps(to_dict(spec()))))
    assert again == spec() and key(again) == key(spec())


@pytest.mark.parametrize(
    "options", stochmax_grid.STOCHMAX_VARIANTS.values(), ids=stochmax_grid.STOCHMAX_VARIANTS
)
def test_every_variant_trains(options, tmp_path):
    entry = train_head.first_epoch(spec(options), work=tmp_path, device="cpu", progress=False)
    assert all(math.isfinite(value) for value in entry.values()) and entry["gradient_norm"] > 0


def test_the_rule_of_inference_alone_leaves_the_training_alone(tmp_path):
    results = {}
    for rule in ("logits", "rho"):
        run = spec((("inference", rule),))
        results[rule] = train_head.execute(
            run, work=tmp_path / rule / "work", device="cpu", progress=False
        ).result
    assert results["logits"]["weights_sha256"] == results["rho"]["weights_sha256"]
    assert results["logits"]["loss"] != results["rho"]["loss"]
    plain = train.Spec(
        "4C3 P F10",
        DATA,
        NetworkConfig(head="stochmax"),
        InputConfig("poisson", steps=2),
        TrainingConfig(epochs=1),
    )
    kept = train.execute(plain, work=tmp_path / "plain" / "work", device="cpu", progress=False).result
    assert kept == results["rho"]  # the default's numbers, under another key
    assert torch.tensor(results["rho"]["rho"]).shape == (10, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_options": (("tau", 0.1), ("kl", 1.0))}, "sorted by name"),
        ({"head_options": (("tau", 0.1), ("tau", 0.2))}, "each name once"),
        ({"head": "softmax"}, "head must be 'stochmax'"),
        ({"head_options": (("tau", -1.0),)}, "tau must be"),
        ({"head_options": (("posterior", "none"),)}, "posterior must be one of"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HeadConfig(**options)
