"""Records and specs with anything in them: every command ends with a code and one sentence."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import runs_fake
from hypothesis import given, settings
from hypothesis import strategies as st
from test_runs_store import KEY, record_of

from panda2020 import __main__ as command_line
from panda2020.runs import provenance
from panda2020.runs.store import seal

EXAMPLES = int(os.environ.get("SNNCORE_EXAMPLES", "100"))  # as in tests/snncore/test_entry_points.py

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from([[], {}, [1], {"a": 1}, "../../x", "\ud800"]),
)
#: A result and labels with everything that commands show.
WHOLE = {
    **record_of(),
    "schema": 2,
    "result": {
        "curve": [{"epoch": 1, "loss": 0.5}],
        "data": {"sha256": "d"},
        **{"accuracy": 0.5, "correct": 1, "total": 2, "hits": "8"},
        "snn": {"50": {"accuracy": 0.5, "correct": 1, "total": 2}},
    },
    "artifacts": {},
}


@st.composite
def spoilt(draw: Any, whole: Any) -> Any:
    """The data with one or two values, at any depth, removed or made anything."""
    data = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 2))):
        places: list[tuple[Any, Any]] = []

        def walk(value: Any, found: list[tuple[Any, Any]]) -> None:
            names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            for name in names:
                found.append((value, name))
                walk(value[name], found)

        walk(data, places)
        if not places:
            break
        inside, name = draw(st.sampled_from(places))
        if draw(st.integers(0, 2)):
            inside[name] = draw(ANYTHING)
        else:
            del inside[name]
    return data


def run(capsys: Any, *words: str) -> int:
    """The code of a command, whose complaints are one line each."""
    capsys.readouterr()
    code = command_line.main(list(words), contents=runs_fake)
    errors = capsys.readouterr().err.splitlines()
    assert code in (0, 1, 2) and all(line.startswith("error: ") for line in errors)
    assert (code == 0) == (not errors)
    return code


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=["function_scoped_fixture"])
@given(record=spoilt(WHOLE))
def test_records(capsys: Any, record: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as home:
        try:
            text = json.dumps(seal(record))
        except ValueError:  # text that is no Unicode has no hash
            text = json.dumps(record)
        (Path(home) / f"{KEY}.json").write_text(text)
        places = ("--results", home, "--runs", f"{home}/runs")
        listed = run(capsys, "list", *places)
        assert run(capsys, "list", "--json", *places) == listed == run(capsys, "show", KEY, *places)


SPEC = {
    "task": "train",
    "topology": "8C3 [8C3]x2 P F10",
    "data": {"name": "digits", "train": 100, "validation": 20, "test": 30, "size": 8, "seed": 0},
    "network": {"neuron": "lif", "leak": 0.9, "threshold": 1.0, "head": "softmax", "gain": 1.0},
    "input": {"code": "poisson", "steps": 5, "signed": False},
    "training": {"epochs": 1, "batch_size": 10, "optimizer": "adam", "learning_rate": 1e-3, "clip": 1.0},
    "seed": 0,
}


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit("c" * 40, False))
    monkeypatch.setattr("panda2020.runs.commands.execute", _not_now)


def _not_now(*_: Any, **__: Any) -> Any:
    raise OSError(28, "nothing is run here")


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=["function_scoped_fixture"])
@given(spec=spoilt(SPEC))
def test_specs(capsys: Any, nothing_runs: None, spec: Any) -> None:
    with tempfile.TemporaryDirectory() as home:
        words = ("--quiet", "--threads", "1", "--results", home, "--runs", home, "--memory", "8")
        capsys.readouterr()
        code = command_line.main(["record", "--spec", json.dumps(spec), *words], contents=runs_fake)
        errors = capsys.readouterr().err.splitlines()
        if code == 2:
            assert len(errors) == 1 and errors[0].startswith("error: ")
        else:  # it would have been run
            assert code == 1 and "nothing is run here" in errors[0]
