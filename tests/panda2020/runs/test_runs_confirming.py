"""Three states of a record: its sources are in use, the code changed and a re-run agrees, or it is older."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import runs_fake
from runs_fake import Spec

from panda2020 import __main__ as command_line
from panda2020.runs import Entry, Store, collect, key, provenance, sources
from panda2020.runs.confirming import standing
from panda2020.runs.store import seal
from panda2020.runs.verifications import NAME, family, read

NOW = "f" * 64


def call(*arguments):
    return command_line.main(list(map(str, arguments)), contents=runs_fake)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Records "one", "two" (table 8) and "three" (table 10), and sources that have changed since."""
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit("c" * 40, False))
    assert call("record", "--quiet", "--threads", 1, "--profile", "laptop") == 0
    monkeypatch.setattr(sources, "of_task", lambda task: (NOW, ("runs_fake",)))
    return tmp_path


def states(home):
    return {r.labels["network"]: standing(r).state for r in Store(home / "results").read_all()[0]}


def record(home, name="one"):
    return Store(home / "results").read(key(Spec(name)))


def test_without_a_re_run_they_are_older(home):
    assert set(states(home).values()) == {"older"}
    assert standing(record(home)).why == (
        f"{key(Spec('one'))}: the code has changed since commit cccccccccc, and no re-run has been logged."
    )


def test_its_own_re_run_confirms_one_record_and_speaks_for_its_family(home):
    assert call("verify", key(Spec("one"))) == 0
    found = standing(record(home))
    assert (found.state, found.witnesses) == ("confirmed", (key(Spec("one")),))
    assert found.why.endswith(
        "the code has changed since commit cccccccccc, and its own re-run agrees bit for bit."
    )
    # the fake networks have no digits in their names, so each is a family of its own
    assert states(home) == {"one": "confirmed", "two": "older", "three": "older"}


def relabelled(home, **networks):
    """Give the records other networks."""
    for name, network in networks.items():
        path = record(home, name).path
        data = json.loads(path.read_text())
        path.write_text(json.dumps(seal({**data, "labels": {**data["labels"], "network": network}})))


def test_a_witness_speaks_for_its_family_and_all_of_them_must_agree(home, monkeypatch, capsys):
    relabelled(home, one="VGG5", two="VGG7", three="VGG3x2")
    assert call("verify", "--witness") == 0
    entries, faults = read(home / "results" / NAME)
    assert faults == [] and [e["family"] for e in entries].count("VGG, walk") == 1 and len(entries) == 2
    assert {(e["task"], e["source"]) for e in entries} == {("fake", NOW)}
    assert states(home) == {"VGG5": "confirmed", "VGG7": "confirmed", "VGG3x2": "confirmed"}
    other = next(n for n in ("one", "two") if key(Spec(n)) not in {e["key"] for e in entries})
    assert standing(record(home, other)).why.endswith(
        "and 1 of 1 witnesses (task fake, VGG, walk) agree, 1 of them bit for bit."
    )

    monkeypatch.setattr(runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": 1e9})
    assert call("verify", key(Spec(other))) == 1  # a second witness of the family, which differs
    first = next(n for n in ("one", "two") if n != other)
    assert standing(record(home, first)).state == "confirmed"  # its own re-run agreed
    assert standing(record(home, other)).why.endswith("and its own re-run differs.")
    capsys.readouterr()
    assert call("show", key(Spec(other))) == 0
    assert "sources older\n" + standing(record(home, other)).why in capsys.readouterr().out


def test_a_family_with_a_witness_that_differs_is_older(home, monkeypatch):
    relabelled(home, one="VGG5", two="VGG7", three="VGG9")
    assert call("verify", key(Spec("one"))) == 0
    monkeypatch.setattr(runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": 1e9})
    assert call("verify", key(Spec("two"))) == 1
    assert standing(record(home, "three")).state == "older"
    assert standing(record(home, "three")).why.endswith(
        "1 of 2 witnesses (task fake, VGG, walk) agree, 1 of them bit for bit."
    )


def test_a_re_run_by_still_other_sources_or_of_another_content_confirms_nothing(home, monkeypatch):
    assert call("verify", key(Spec("one"))) == 0
    log = home / "results" / NAME
    good = json.loads(log.read_text())
    log.write_text(json.dumps(seal({**good, "source": "e" * 64})) + "\n")
    assert states(home)["one"] == "older"
    log.write_text(
        json.dumps(seal({**good, "record_sha256": "e" * 64, "agrees": False, "differences": ["x"]})) + "\n"
    )
    assert "0 of 1 witnesses" in standing(record(home)).why


def test_on_another_machine_it_says_so(home, monkeypatch):
    monkeypatch.setattr(provenance, "cpu_model", lambda: "another")
    assert call("verify", key(Spec("one"))) == 0
    assert standing(record(home)).why.endswith(
        "its own re-run agrees within the tolerance for another machine."
    )


def test_collect_says_so(home):
    entry = Entry(Spec("one"), "one", "walk", "laptop", ("8",))
    assert call("verify", key(Spec("one"))) == 0
    (found,) = collect([entry], progress=False)
    assert (found.tag, found.witnesses) == ("recorded-confirmed", (key(Spec("one")),))
    assert found.why == standing(record(home)).why


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": {"version": 3, "sha256": "a"}}, "its sources are hashed by version 3"),
        ({"dirty": True}, "its sources were not those of commit cccccccccc, which had been changed."),
    ],
)
def test_sources_that_nobody_can_name_are_older_whatever_the_log_says(home, change, words):
    assert call("verify", key(Spec("one"))) == 0
    one = record(home)
    changed = replace(one, data={**one.data, "provenance": {**one.provenance, **change}})
    assert standing(one).state == "confirmed"
    assert (
        standing(changed).state == "older"
        and words in standing(changed).why
        and one.key in standing(changed).why
    )


@pytest.mark.parametrize(
    ("network", "role", "expected"),
    [
        ("VGG5", "ann-tuned", "VGG, ann"),
        ("VGG3x2-v2", "snn-stochmax", "VGG with BackRes, snn with stochmax"),
        ("VGG13", "hybrid-backres", "VGG with BackRes, hybrid"),
        ("ResNet2x2", "stdp", "ResNet with BackRes, stdp"),
        ("", "train", ", train"),
    ],
)
def test_families(home, network, role, expected):
    one = record(home)
    assert family(one.tagged("recorded", {**one.labels, "network": network, "role": role})) == expected
