"""The log of verifications: what ``verify`` adds to it, and what reading it refuses."""

from __future__ import annotations

import errno
import json
import multiprocessing
from dataclasses import replace

import pytest
import runs_fake
from runs_fake import Spec

from panda2020 import __main__ as command_line
from panda2020.runs import RecordError, Store, StoreError, key, provenance, verifications
from panda2020.runs.store import seal
from panda2020.runs.verifications import NAME, append, entry, read
from panda2020.runs.verifying import Verdict
from tools.inputs import shared_inputs

COMMIT = "c" * 40


def call(*arguments):
    return command_line.main(list(map(str, arguments)), contents=runs_fake)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Three records in results/ and one in runs/, recorded at a clean commit; verified at another, with changes."""
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit(COMMIT, False))
    assert call("record", "--quiet", "--threads", 1, "--profile", "laptop") == 0
    assert call("record", "--quiet", "--threads", 1, "--spec", '{"task": "fake", "name": "mine"}') == 0
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit("d" * 40, True))
    return tmp_path


WHOLE = {
    "schema": verifications.SCHEMA,
    "date": "2026-01-01T00:00:00+00:00",
    "key": "0" * 16,
    "record_sha256": "0" * 64,
    "commit": COMMIT,
    "dirty": False,
    "sources": "current",
    "machine": {},
    "exact": True,
    "differing": [],
    "agrees": True,
    "differences": [],
    "task": "fake",
    "family": "f",
    "source": "s",
}


def line(**change):
    return seal({**WHOLE, **change})


def test_verify_adds_what_it_found(home, capsys, monkeypatch):
    log = home / "results" / NAME
    assert not log.exists() and read(log) == ([], [])
    capsys.readouterr()
    assert call("verify", "--sample", 9, "--profile", "laptop") == 0
    assert capsys.readouterr().out.count(f"added to {log} (--no-log keeps it out)") == 3
    monkeypatch.setattr(provenance, "cpu_model", lambda: "another")
    assert call("verify", key(Spec("one"))) == 0
    monkeypatch.setattr(runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": 1e9})
    monkeypatch.setattr("panda2020.runs.sources.of_task", lambda task: ("f" * 64, ()))
    assert call("verify", key(Spec("two"))) == 1

    entries, faults = read(log)
    assert faults == []
    records = {r.key: r for r in Store(home / "results").read_all()[0]}
    assert {e["key"] for e in entries[:3]} == set(records) and len(entries) == 5
    assert all(e["record_sha256"] == records[e["key"]]["sha256"] for e in entries)
    assert {(e["commit"], e["dirty"]) for e in entries} == {("d" * 40, True)}
    assert [(e["agrees"], e["exact"], e["sources"]) for e in entries] == [
        *[(True, True, "current")] * 3,
        (True, False, "current"),
        (False, False, "older"),
    ]
    assert [e["differing"] for e in entries] == [[]] * 3 + [["device_name", "cpu"]] * 2
    assert entries[3]["machine"]["device_name"] == "another" and entries[3]["machine"]["threads"] == 1
    assert [len(e["differences"]) for e in entries] == [0, 0, 0, 0, 1]
    assert "curve[0].loss was" in entries[4]["differences"][0]
    assert all(e["date"].endswith("+00:00") for e in entries)


def test_what_is_not_logged_says_so(home, capsys):
    assert call("verify", key(Spec("one")), "--no-log") == 0
    assert "not logged: --no-log" in capsys.readouterr().out
    assert call("verify", key(Spec("mine"))) == 0
    assert f"not logged: a run of your own, not in {home / 'results'}" in capsys.readouterr().out
    assert not (home / "results" / NAME).exists() and not (home / "runs" / NAME).exists()


def test_the_log_is_no_record_and_is_an_input_of_notebooks(home):
    (home / "snncore").mkdir()
    store = Store(home / "results")
    before = store.all_keys(), shared_inputs(home)
    append(home / "results" / NAME, line())
    (home / "results" / "bench.json").write_text("{}")
    assert store.all_keys() == before[0] and store.read_all()[1] == []
    (home / "results" / "bench.json").unlink()
    assert shared_inputs(home) != before[1]  # a badge says whether a re-run agrees
    before = before[0], shared_inputs(home)
    (home / "results" / "bench.json").write_text("{}")
    assert shared_inputs(home) != before[1]  # notebook 14 reads this one


def test_torn_edited_and_foreign_lines_are_named_and_not_counted(tmp_path):
    log = tmp_path / NAME
    append(log, line(agrees=True))
    whole = log.read_text()
    edited = whole.replace('"agrees":true', '"agrees":false')
    assert edited != whole
    later = json.dumps(line(schema=3))
    older = {n: value for n, value in WHOLE.items() if n not in ("task", "family", "source")}
    former = json.dumps(seal({**older, "schema": 1}))
    mixed = json.dumps(seal({**older, "schema": 2}))
    log.write_text(
        former + "\n" + whole[:40] + "\n" + edited + f"{{}}\n{mixed}\n" + later + "\n" + whole + whole[:7]
    )
    append(log, line(agrees=False))  # after a torn end, a line of its own
    entries, faults = read(log)
    assert [e["agrees"] for e in entries] == [True, False]
    assert [fault.split(": ")[0] for fault in faults] == [
        f"{NAME} line 1 has schema 1; this version reads 2",
        f"{NAME} line 2 is torn",
        f"{NAME} line 3 was changed after it was written",
        f"{NAME} line 4 is no verification",
        f"{NAME} line 5 is no verification",
        f"{NAME} line 6 has schema 3; this version reads 2",
        f"{NAME} line 8 is torn",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(line(agrees="yes")), "is no verification: Expected `bool`, got `str` - at `$.agrees`"),
        (json.dumps(line(differing=None)), "at `$.differing`"),
        (json.dumps(line(machine=[])), "at `$.machine`"),
        (json.dumps(line(key="../x")), "at `$.key`"),
        (json.dumps(line(source=5)), "at `$.source`"),
        (json.dumps(line(schema=True)), "has schema True"),
        (json.dumps(line(schema=2.0)), "has schema 2.0"),
        (json.dumps({**line(), "date": "\ud800"}), "holds text that is no Unicode"),
        (json.dumps({**line(), "date": float("nan")}), "is torn: it holds NaN"),
        (json.dumps(line())[:-1] + ', "agrees": false}', "is torn: it has a name twice"),
        ("[" * 100_000, "is torn: it is nested too deep"),
    ],
)
def test_lines_that_are_well_formed_and_wrong_are_named_and_not_counted(tmp_path, content, words):
    (tmp_path / NAME).write_text(json.dumps(line()) + "\n" + content + "\n")
    entries, (fault,) = read(tmp_path / NAME)
    assert len(entries) == 1 and fault.startswith(f"{NAME} line 2 ") and words in fault and "\n" not in fault


def test_a_log_that_never_ends_is_not_read(tmp_path):
    (tmp_path / NAME).symlink_to("/dev/zero")
    with pytest.raises(RecordError, match="is not a regular file"):
        read(tmp_path / NAME)


def _write_many(path, name):
    for number in range(40):
        append(path, line(family=f"{name}-{number}", differences=["x" * 3000]))


def test_writers_at_the_same_time_lose_and_mix_nothing(tmp_path):
    log = tmp_path / NAME
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(log, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    entries, faults = read(log)
    assert faults == [] and len(entries) == 120
    for name in "abc":  # in each writer's own order
        assert [e["family"] for e in entries if e["family"][0] == name] == [f"{name}-{n}" for n in range(40)]


def test_a_write_that_fails_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    log = tmp_path / NAME
    append(log, line())
    before = log.read_bytes()
    real = verifications.os.write
    monkeypatch.setattr(verifications.os, "write", lambda handle, content: real(handle, content[:10]))
    with pytest.raises(StoreError, match=r"cannot be written \(only 10 of"):
        append(log, line())
    assert log.read_bytes() == before
    with pytest.raises(StoreError, match="cannot be written"):
        append(tmp_path / "none" / NAME, line())


def test_an_entry_holds_the_whole_verdict(home):
    record = Store(home / "results").read(key(Spec("one")))
    verdict = Verdict(False, True, (), ("curve[0].loss was 1 and is 2",), {"device": "cpu"})
    made = entry(record, verdict, commit=provenance.Commit(None, None, "no git"))
    assert sorted(made) == sorted(verifications.FIELDS) and seal(made) == made
    assert (made["commit"], made["dirty"], made["exact"], made["agrees"]) == (None, None, True, False)
    assert (
        entry(record, replace(verdict, agrees=True), commit=provenance.Commit(None, None))["agrees"] is True
    )


def test_a_full_disk_leaves_no_line(tmp_path, monkeypatch):
    file = tmp_path / NAME

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(verifications.os, "write", full)
        with pytest.raises(StoreError, match="No space left on device"):
            append(file, {"schema": 2})
    assert list(tmp_path.iterdir()) == [] and read(file) == ([], [])
    file.write_bytes(b"\n")
    assert read(file) == ([], [])
