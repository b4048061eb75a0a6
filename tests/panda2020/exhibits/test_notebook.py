"""papermill parameters: types, lists given as text, and a misspelt name that stops a real papermill run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from panda2020.exhibits import notebook
from panda2020.exhibits.notebook import PARAMETERS, Parameter, command, parameters, root

ROOT = Path(__file__).resolve().parents[3]
DEFAULTS = {"profile": "quick", "timesteps": [], "seeds": [], "run_missing": False}


def call(**changes: Any) -> Any:
    return parameters({**DEFAULTS, **changes}, *DEFAULTS)


def test_values_come_back_as_attributes() -> None:
    p = call(timesteps=[5, 10], profile="laptop")
    assert (p.profile, p.timesteps, p.seeds, p.run_missing) == ("laptop", [5, 10], [], False)


def test_quick_runs_are_always_executed_when_missing() -> None:
    assert call().run_missing is True
    assert call(profile="paper", run_missing=True).run_missing is True


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False"])
def test_papermills_spellings_of_true_and_false(text: str) -> None:
    assert call(profile="laptop", run_missing=text).run_missing is (text.lower() == "true")


def test_a_cell_may_be_run_again_after_later_cells() -> None:
    cell: dict[str, Any] = {"profile": "quick", "__name__": "__main__"}
    parameters(cell, "profile")
    cell |= {"formats": {"error": ".4f"}, "means": [1.0], "passes": 3}  # what later cells assign
    cell["profile"] = "laptop"
    assert parameters(cell, "profile").profile == "laptop"
    cell["profile"] = "laptopp"
    with pytest.raises(ValueError, match="'profile' must be one of"):
        parameters(cell, "profile")
    with pytest.raises(ValueError, match="unknown papermill parameter 'profil'"):
        parameters({"profile": "quick", "profil": "paper"}, "profile")  # another notebook


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValueError, match="'max_minutes' must be a finite number"):
        PARAMETERS["max_minutes"].check(value)


@pytest.mark.parametrize("text", ["[5, 10]", "5,10", " 5 , 10 ", "[5,10]"])
def test_a_list_may_come_as_text(text: str) -> None:
    assert call(timesteps=text).timesteps == [5, 10]


def test_names_in_a_text_list_need_no_quotes() -> None:
    parameter = PARAMETERS["networks"]
    assert parameter.check("VGG5,VGG3x2-v2") == ["VGG5", "VGG3x2-v2"]
    assert parameter.check("['VGG5', \"VGG7\"]") == ["VGG5", "VGG7"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("timesteps", "five", "a list of whole numbers"),
        ("timesteps", "[5, ", "a list of whole numbers"),
        ("timesteps", "", "a list of whole numbers"),
        ("timesteps", "5 10", "a list of whole numbers"),
        ("timesteps", None, "a list of whole numbers"),
        ("timesteps", 5.0, "a list of whole numbers"),
        ("timesteps", [5.5], "a list of whole numbers"),
        ("timesteps", [True], "a list of whole numbers"),
        ("timesteps", "[5, 'a']", "a list of whole numbers"),
        ("timesteps", [0], "at least 1"),
        ("seeds", [-1], "at least 0"),
        ("profile", "qick", "'quick', 'laptop', 'paper'"),
        ("profile", 3, "a text"),
        ("run_missing", "yes", "true or false"),
        ("run_missing", 1, "true or false"),
    ],
)
def test_wrong_values_are_refused_in_one_sentence(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as refusal:
        call(**{name: value})
    text = str(refusal.value)
    assert name in text and said in text and "\n" not in text
    assert repr(value) in text


def test_numbers_become_floats_and_not_bools() -> None:
    assert PARAMETERS["max_minutes"].check(3) == 3.0
    for wrong in (True, "3", -1):
        with pytest.raises(ValueError, match="max_minutes"):
            PARAMETERS["max_minutes"].check(wrong)


@pytest.mark.parametrize("name", ["profle", "_profile", "networks"])
def test_any_other_plain_variable_is_an_unknown_parameter(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"unknown papermill parameter {name!r}; allowed: profile, timesteps"
    ):
        call(**{name: "quick"})


def test_what_ipython_and_imports_define_is_left_alone() -> None:
    call(
        **{
            "__name__": "__main__",
            "__doc__": None,
            "_": "",
            "__": "",
            "___": "",
            "_i": "x",
            "_ii": "",
            "_iii": "",
            "_i1": "a",
            "_1": 3,
            "_ih": [""],
            "_oh": {},
            "_dh": ["."],
            "In": [""],
            "Out": {},
            "Path": Path,
            "json": json,
            "root": root,
        }
    )


def test_a_notebook_may_add_parameters_of_its_own() -> None:
    own = Parameter("epochs", "int", 2, "epochs", least=1)
    assert parameters({**DEFAULTS, "epochs": 3}, *DEFAULTS, own).epochs == 3
    with pytest.raises(ValueError, match="'epochs' must be at least 1"):
        parameters({**DEFAULTS, "epochs": 0}, *DEFAULTS, own)
    with pytest.raises(ValueError, match="kind"):
        Parameter("epochs", "integer", 2, "epochs")


def test_a_declared_parameter_must_be_set_and_be_in_the_table() -> None:
    with pytest.raises(ValueError, match="'profile' is not set"):
        parameters({}, "profile")
    with pytest.raises(ValueError, match="name must be one of 'profile'"):
        parameters({}, "profil")


def test_the_command_has_the_values_of_the_last_call() -> None:
    call(timesteps=[5])
    text = command("07_agd")
    assert text.startswith("papermill notebooks/07_agd.ipynb 07_agd.ipynb -y '{")
    assert json.loads(text.split("-y ")[1].strip("'"))["timesteps"] == [5]


def test_the_table_lists_every_shared_parameter_with_its_default() -> None:
    rows = notebook.table().splitlines()[2:]
    assert [row.split("|")[1].strip(" `") for row in rows] == list(PARAMETERS)
    for parameter in PARAMETERS.values():
        assert parameter.check(parameter.default) == parameter.default


def test_the_root_is_found_from_below_and_from_elsewhere(tmp_path: Path) -> None:
    assert root(ROOT / "tests") == ROOT
    assert root(tmp_path) == ROOT


PAGE = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "execution_count": None,
            "source": 'profile: str = "quick"  # quick | laptop | paper\ntimesteps: list = []  # T',
        },
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": "from panda2020.exhibits.notebook import parameters, root\n"
            'p = parameters(globals(), "profile", "timesteps")\nprint(p.timesteps, root().name)',
        },
    ],
}


def papermill(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "in.ipynb").write_text(json.dumps(PAGE))
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def test_papermill_runs_from_another_directory(tmp_path: Path) -> None:
    done = papermill(tmp_path, "-p", "profile", "quick", "-y", "{timesteps: [5]}")
    assert done.returncode == 0, done.stderr
    outputs = [o for c in json.loads((tmp_path / "out.ipynb").read_text())["cells"] for o in c["outputs"]]
    assert "".join(outputs[0]["text"]) == f"[5] {ROOT.name}\n"


def test_a_misspelt_parameter_makes_papermill_fail(tmp_path: Path) -> None:
    done = papermill(tmp_path, "-p", "profle", "laptop")
    assert done.returncode != 0
    assert "unknown papermill parameter 'profle'; allowed: profile, timesteps" in done.stderr


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("timesteps", 5, [5]),
        ("timesteps", "5", [5]),
        ("timesteps", "(5, 10)", [5, 10]),
        ("timesteps", " 5,10 ", [5, 10]),
        ("timesteps", "[]", []),
        ("networks", "VGG5", ["VGG5"]),
        ("networks", "VGG3x2-v2, VGG5", ["VGG3x2-v2", "VGG5"]),
        ("run_missing", "true", True),
        ("run_missing", "FALSE", False),
    ],
)
def test_spellings_of_papermill(name, given, value):
    assert PARAMETERS[name].check(given) == value
