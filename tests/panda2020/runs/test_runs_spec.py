"""Specs: canonical form, key, and the way back from JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import runs_fake
from hypothesis import given
from hypothesis import strategies as st
from runs_fake import Inner, Spec

from panda2020.runs import spec as specs
from panda2020.runs.spec import SpecError, canonical, from_dict, key, to_dict

ROOT = Path(__file__).resolve().parents[3]


def test_key_is_frozen():
    # literals: a change of these orphans every stored record
    assert canonical(Spec("a")) == '{"name":"a","task":"fake"}'
    assert key(Spec("a")) == "b0a2258eabeae92e"
    full = Spec("b", epochs=7, rate=1 / 3, inner=Inner(rate=2, sizes=(4,)), limit=1e-30, seed=2)
    assert canonical(full) == (
        '{"epochs":7,"inner":{"rate":2.0,"sizes":[4]},"limit":1e-30,"name":"b",'
        '"rate":0.3333333333333333,"seed":2,"task":"fake"}'
    )


def test_defaults_are_left_out_at_every_depth():
    assert canonical(Spec("a", epochs=3, rate=0.1, inner=Inner(0.5, (1, 2)), limit=None)) == canonical(
        Spec("a")
    )
    assert json.loads(canonical(Spec("a", inner=Inner(sizes=())))) == {
        "task": "fake",
        "name": "a",
        "inner": {"sizes": []},
    }


def test_a_new_option_with_a_default_keeps_the_key(monkeypatch):
    before = key(Spec("a", epochs=5))

    @dataclass(frozen=True)
    class Grown:
        name: str
        epochs: int = 3
        option: bool = False

    monkeypatch.setattr(runs_fake, "Spec", Grown)
    assert key(Grown("a", epochs=5)) == before
    assert key(Grown("a", epochs=5, option=True)) != before


def test_equal_meaning_equal_key_and_other_meaning_other_key():
    assert key(Spec("a", rate=2)) == key(Spec("a", rate=2.0))
    assert key(Spec("a", rate=-0.0)) == key(Spec("a", rate=0.0))
    assert key(Spec("a", limit=0.0)) != key(Spec("a"))
    assert key(Spec("a", rate=0.1)) != key(Spec("a", rate=0.1 + 2**-56))


def test_defaults_are_compared_with_their_types(monkeypatch):
    @dataclass(frozen=True)
    class Mixed:
        value: int | bool = 1

    monkeypatch.setattr(runs_fake, "Spec", Mixed)
    assert key(Mixed(True)) != key(Mixed(1)) == key(Mixed())


@given(
    st.builds(
        Spec,
        name=st.text(max_size=5),
        epochs=st.integers(1, 10**12),
        rate=st.floats(allow_nan=False, allow_infinity=False),
        inner=st.builds(Inner, rate=st.floats(-1, 1), sizes=st.lists(st.integers(), max_size=3).map(tuple)),
        limit=st.none() | st.floats(0, 1),
    )
)
def test_round_trip_through_json(spec):
    full, short = json.loads(json.dumps(to_dict(spec))), json.loads(canonical(spec))
    assert short.pop("task") == "fake"
    assert from_dict("fake", full) == from_dict("fake", short) == spec
    assert key(from_dict("fake", full)) == key(spec)


@pytest.mark.parametrize(
    "data, words",
    [
        ({"name": "a", "epoch": 3}, "no field 'epoch'"),
        ({}, "needs the field 'name'"),
        ({"name": 3}, "fake.name must be str, got 3"),
        ({"name": "a", "epochs": 2.0}, "fake.epochs must be int, got 2.0"),
        ({"name": "a", "epochs": True}, "fake.epochs must be int"),
        ({"name": "a", "rate": True}, "fake.rate must be float"),
        ({"name": "a", "inner": {"size": 1}}, "fake.inner has no field 'size'"),
        ({"name": "a", "inner": {"sizes": [1, "x"]}}, r"fake.inner.sizes\[1\] must be int"),
        ({"name": "a", "inner": 3}, "fake.inner must be the fields of Inner"),
        ({"name": "a", "limit": "high"}, "fake.limit must be float"),
        ({"name": None}, "fake.name must be str, got None"),
        ({"name": "a", "inner": {"rate": float("nan")}}, "fake.inner.rate must be finite, got nan"),
        ({"name": "a", "inner": {"rate": "x"}}, "fake.inner.rate must be float, got 'x'"),
        ({"name": "a", "inner": {"sizes": 3}}, "fake.inner.sizes must be tuple"),
        ([], "fake must be the fields of Spec, got"),
        ("name", "fake must be the fields of Spec, got 'name'"),
    ],
)
def test_wrong_fields_are_named(data, words):
    with pytest.raises(SpecError, match=words):
        from_dict("fake", data)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_only_finite_numbers(value):
    with pytest.raises(SpecError, match=r"Spec\.rate must be finite"):
        key(Spec("a", rate=value))


def test_wrong_python_values_are_named():
    with pytest.raises(SpecError, match=r"Spec\.epochs must be int, got 'many'"):
        key(Spec("a", epochs="many"))  # type: ignore[arg-type]


def test_kinds_of_specs_and_annotations(monkeypatch):
    @dataclass
    class Thawed:
        x: int = 0

    @dataclass(frozen=True)
    class Choice:
        way: Literal["a", "b"] = "a"
        pair: tuple[int, float] = (1, 2.0)
        either: int | float = 0

    @dataclass(frozen=True)
    class Bag:
        things: dict[str, int]

    @dataclass(frozen=True)
    class Named:
        task: str

    with pytest.raises(SpecError, match="no registered task"):
        key(Inner(rate=0.1))
    for kind, value, words in [
        (Thawed, Thawed(), "frozen dataclass"),
        (Bag, Bag({}), "cannot hold"),
        (Named, Named("x"), "a field named 'task'"),
        (Choice, Choice("c"), "one of 'a', 'b', got 'c'"),  # type: ignore[arg-type]
        (Choice, Choice(pair=(1, 2, 3)), "Choice.pair must be"),  # type: ignore[arg-type]
        (Choice, Choice(either="x"), "Choice.either must be int | float"),  # type: ignore[arg-type]
    ]:
        monkeypatch.setattr(runs_fake, "Spec", kind)
        with pytest.raises(SpecError) as refusal:
            key(value)
        assert words in str(refusal.value)
    monkeypatch.setattr(runs_fake, "Spec", Choice)
    assert to_dict(Choice("b", (3, 4), 5)) == {"way": "b", "pair": [3, 4.0], "either": 5}
    assert canonical(Choice(either=0.0)) == '{"either":0.0,"task":"fake"}'


def test_a_spec_holds_its_own_kinds(monkeypatch):
    @dataclass(frozen=True)
    class Wider(Inner):
        pass

    with pytest.raises(SpecError, match=r"Spec\.inner must be the fields of Inner, got"):
        key(Spec("a", inner=Wider()))
    assert key(Spec("a", epochs=np.int64(5), rate=np.float64(0.25))) == key(Spec("a", epochs=5, rate=0.25))


TRAIN = {
    "topology": "8C3 P F10",
    "data": {"name": "digits", "train": 100, "validation": 20, "test": 20},
    "network": {"leak": 0.9},
    "input": {"code": "poisson", "steps": 5},
    "training": {"epochs": 1},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": {"code": "poisson", "steps": 10**9}}, "train.input.steps must be at most 100,000, got 10"),
        ({"training": {"batch_size": 10**9}}, "train.training.batch_size must be at most 100,000, got 10"),
        ({"data": TRAIN["data"] | {"size": 10**6}}, "train.data.size must be at most 4,096, got 1000000"),
        ({"network": {"beta": 0.9}}, "train.network has no field 'beta'; its fields are neuron"),
        ({"network": {"leak": "0.9"}}, "train.network.alpha must be float, got '0.9'"),
        (
            {"network": {"head_options": [["epsilon", None]]}},
            r"head_options\[0\]\[1\] is annotated typing.Any",
        ),
        ({"topology": 8}, "train.topology must be str, got 8"),
    ],
)
def test_fields_of_a_training_run(change, words):
    assert from_dict("train", TRAIN).network.alpha == 0.9
    with pytest.raises(SpecError, match=words):
        from_dict("train", TRAIN | change)


def test_every_record_has_the_key_of_its_spec():
    files = [f for f in sorted((ROOT / "results").glob("*.json")) if len(f.stem) == 16]
    assert len(files) > 300
    for file in files:
        data = json.loads(file.read_text())
        assert key(from_dict(data["task"], data["spec"])) == data["key"] == file.stem


def test_registry():
    with pytest.raises(SpecError, match=r"task must be one of 'train', .*got 'trane'"):
        from_dict("trane", {})
    with pytest.raises(SpecError, match="already"):
        specs.register("fake", "elsewhere")
    specs.register("fake", "runs_fake")
    assert replace(Spec("a"), seed=1) == from_dict("fake", {"name": "a", "seed": 1})
