"""What the command line tells a user and a program: ten lines, examples, JSON, the time that is left, what to install."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest
import runs_fake
from runs_fake import Spec

from panda2020 import __main__ as command_line
from panda2020.ledger import command as claims_command
from panda2020.runs import Store, commands, key, provenance

NAMES = ("list", "show", "plan", "record", "verify", "import", "claims", "headline")


def call(*arguments):
    return command_line.main(list(map(str, arguments)), contents=runs_fake)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Run the commands in this process, in an empty home, at a clean commit."""
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit("c" * 40, False))
    return tmp_path


def record(*arguments):
    return call("record", "--quiet", "--threads", 1, *arguments)


def test_without_arguments_ten_lines_name_every_command(capsys):
    assert call() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and {line.split()[0] for line in lines[1:9]} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_examples_that_it_understands(name, capsys):
    with pytest.raises(SystemExit) as left:
        call(name, "--help")
    assert left.value.code == 0
    given = {**commands.EXAMPLES, **command_line.EXAMPLES}[name]
    shown = re.findall(r"^  python -m panda2020 (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert shown == list(given) and shown
    for example in shown:
        words = shlex.split(example.split(" > ")[0])
        assert words[0] == name
        assert command_line._parser(name).parse_args(words).command is not None


def test_a_plan_as_json(places, capsys):
    record("--profile", "quick", "--table", "10")
    capsys.readouterr()
    assert call("plan", "--profile", "quick", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["profile"] == "quick" and plan["results"] == plan["work"] == str(places / "runs")
    runs = {run["network"]: run for run in plan["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        "one": "missing",
        "two": "missing",
        "three": "done",
    }
    one = runs["one"]
    assert (
        one["key"] == one["trains"] == key(Spec("one")) and one["tables"] == ["8"] and one["task"] == "fake"
    )
    assert (one["minutes"], one["mem_mb"], one["spec"]["name"]) == (0.75, 100, "one")


def test_a_conversion_starts_from_the_network_of_its_ann():
    from panda2020 import contents
    from panda2020.runs.scheduling import Found

    (entry, *_) = contents.entries("quick", ["2"], [0])
    planned = commands._planned("k", Found(entry))
    assert planned["task"] == "convert" and planned["trains"] == key(entry.spec.ann)


def test_a_broken_record_in_a_plan_as_json(places, capsys):
    record("--profile", "quick", "--table", "10")
    (places / "runs" / f"{key(Spec('three'))}.json").write_text("{}")
    capsys.readouterr()
    assert call("plan", "--profile", "quick", "--json") == 1
    assert [run["state"] for run in json.loads(capsys.readouterr().out)["runs"]].count("unreadable") == 1


def test_one_planned_run_by_its_key(places, capsys):
    name = key(Spec("two"))
    assert record("--profile", "quick", "--key", name) == 0
    (found,) = Store(places / "runs").read_all()[0]
    assert found.key == name and found.labels["tables"] == ["8"] and found.labels["profile"] == "quick"
    command = found.provenance["command"]
    assert command == f"python -m panda2020 record --profile quick --key {name} --results remade"
    words = shlex.split(command.replace("remade", str(places / "remade")))
    assert call(*words[3:], "--quiet") == 0
    assert Store(places / "remade").read(name).labels == found.labels


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ("--profile", "quick", "--key", "zz"),
            "--key must be the key of one planned run, or its beginning, got 'zz', ",
        ),
        (("--profile", "quick", "--key", ""), "got '', which fits 3"),
        (("--spec", '{"task": "fake", "name": "mine"}', "--key", "ab"), "--spec stands alone, without --key"),
    ],
)
def test_a_key_that_names_no_run(places, capsys, arguments, sentence):
    assert record(*arguments) == 2 and sentence in capsys.readouterr().err


def test_the_time_that_is_left_is_said(places, capsys):
    record("--profile", "quick")
    begun = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run ")]
    assert begun[0].endswith("about 0.8 of 2.2 min that are left") and begun[2].endswith("about 0.8 min")
    assert call("verify", "--sample", 2, "--quiet", "--no-log") == 0
    assert re.match(r"record 1 of 2, about \d+\.\d min left\n", capsys.readouterr().err)


def test_a_verification_as_json(places, capsys, monkeypatch):
    record("--profile", "laptop", "--table", "10")
    capsys.readouterr()
    name = key(Spec("three"))
    assert call("verify", name, "--quiet", "--json") == 0
    (outcome,) = json.loads(capsys.readouterr().out)
    assert outcome["key"] == name and outcome["agrees"] and outcome["exact"] and outcome["differences"] == []
    monkeypatch.setattr(runs_fake, "first_epoch", lambda *a, **k: {"epoch": 1, "loss": 9.0})
    assert call("verify", name, "--quiet", "--json", "--no-log") == 1
    printed = capsys.readouterr()
    assert not json.loads(printed.out)[0]["agrees"] and "DIFFERS" in printed.err


def test_verdicts_as_json(tmp_path, capsys):
    assert command_line.main(["claims", "agd-loss", "--json", "--results", str(tmp_path)]) == 0
    data = json.loads(capsys.readouterr().out)
    (claim,) = data["claims"]
    assert claim["claim"] == "agd-loss" and claim["verdict"] == "not recorded" and claim["records"] == []
    assert claim["missing"] and claim["commands"][0].startswith("python -m panda2020 record --profile")
    assert all(one["value"] is None and one["interval"] is None for one in claim["quantities"])
    assert data["counts"]["not recorded"] == 1


def test_quantities_as_json_hold_their_intervals():
    from panda2020.claims.ranges import at_least
    from panda2020.claims.verdicts import Quantity, judge

    judged = judge(
        Quantity("a difference", "points", at_least(1.0, "why"), values=(2.0, 3.0, 4.0), seeds=(0, 1, 2))
    )
    data = claims_command._quantity_data(judged)
    low, high = data["interval"]
    assert (
        low < data["value"] < high and data["value"] == 3.0 and data["seeds"] == [0, 1, 2] and data["decides"]
    )


@pytest.mark.parametrize(
    "module, line",
    [
        ("nir.ir", "pip install 'snncore[nir]'"),
        ("snakemake", "pip install 'snncore[workflow]'"),
        ("no_such", "pip install no_such"),
    ],
)
def test_what_is_not_installed_names_the_line_that_installs_it(monkeypatch, capsys, module, line):
    required = ["numpy>=1", "nir>=1.0 ; extra == 'nir'", 'snakemake>=9.9; extra == "workflow"']
    monkeypatch.setattr(command_line.metadata, "requires", lambda name: required)

    def need(options):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(commands, "list_runs", need)
    assert call("list") == 1
    assert capsys.readouterr().err == f"error: {module} is not installed: {line}\n"


def test_an_import_inside_the_package_that_fails_is_no_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "panda2020.contents", None)
    with pytest.raises(ModuleNotFoundError):
        command_line.main(["plan", "--profile", "quick"])
