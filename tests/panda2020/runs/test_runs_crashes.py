"""Recorders that are killed, that meet, and that find no room: what is recorded stays, and the rest is made later."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time

import pytest
import runs_fake
from runs_fake import Spec

from panda2020.runs import Store, StoreError, execute, key, provenance
from panda2020.runs.entry import Entry
from panda2020.runs.scheduling import make
from panda2020.runs.store import discard_finished, same_numbers

KILLS = 50
NAMES = ("a", "b", "c", "d", "e", "f")
FORK = multiprocessing.get_context("fork")
COMMIT = provenance.Commit("c" * 40, False)


def entries():
    return [Entry(Spec(name), name, "walk", "laptop", ("8",)) for name in NAMES]


def record_all(home):
    """What ``record`` does, in a process that can be killed: the runs that are missing, one after the other."""
    store = Store(home / "results")

    def run(entry):
        return execute(entry, store=store, runs=home / "runs", progress=False, commit=COMMIT, wait=False)

    found = {key(entry.spec): entry for entry in entries()}
    done = [name for name in found if store.read(name) is not None]
    discard_finished(home / "runs", done)
    return make([entry for name, entry in found.items() if name not in done], run)


def step_slowly(monkeypatch):
    """A step of the fake walk takes about as long as writing a file, so that kills hit both."""
    step = runs_fake.step

    def slow(spec, epoch):
        time.sleep(0.001)
        return step(spec, epoch)

    monkeypatch.setattr(runs_fake, "step", slow)


def contents(store):
    return {path.name: path.read_bytes() for path in store.directory.glob("*.json")}


def check_complete(home, alone):
    records, errors = Store(home / "results").read_all()
    assert not errors and len(records) == len(NAMES)
    for record in records:
        assert same_numbers(record, alone[record.key])


@pytest.fixture
def alone(tmp_path):
    """The records of a recorder that nobody disturbs."""
    record_all(tmp_path / "alone")
    return {record.key: record for record in Store(tmp_path / "alone" / "results").read_all()[0]}


def test_kills_at_random_moments_lose_nothing(tmp_path, alone, monkeypatch):
    step_slowly(monkeypatch)
    luck, homes, killed, finished = random.Random(0), 0, 0, 0
    while killed < KILLS:
        home, kept = tmp_path / str(homes), {}
        homes += 1
        while len(kept) < len(NAMES) and killed < KILLS:
            recorder = FORK.Process(target=record_all, args=(home,))
            recorder.start()
            time.sleep(luck.uniform(0, 0.08))
            os.kill(recorder.pid, signal.SIGKILL)
            recorder.join()
            killed += recorder.exitcode == -signal.SIGKILL
            records, errors = Store(home / "results").read_all()
            assert errors == []
            now = contents(Store(home / "results"))
            assert now.items() >= kept.items()  # what was recorded is there, to the byte
            kept = now
            assert len(records) == len(kept)
        record_all(home)
        finished += len(contents(Store(home / "results")))
        check_complete(home, alone)
        assert contents(Store(home / "results")).items() >= kept.items()
        assert list((home / "runs" / "work").iterdir()) == []
    assert finished == homes * len(NAMES)


@pytest.mark.parametrize("kill", [False, True])
def test_two_recorders_of_one_table_make_each_run_once(tmp_path, alone, monkeypatch, kill):
    step_slowly(monkeypatch)
    for attempt in range(3):
        home = tmp_path / f"{kill}{attempt}"
        recorders = [FORK.Process(target=record_all, args=(home,)) for _ in range(2)]
        for recorder in recorders:
            recorder.start()
        if kill:
            time.sleep(0.02 * (attempt + 1))
            os.kill(recorders[0].pid, signal.SIGKILL)
        for recorder in recorders:
            recorder.join()
        assert recorders[1].exitcode == 0
        assert Store(home / "results").read_all()[1] == []
        record_all(home)  # what the other held when it was killed or met
        check_complete(home, alone)
        assert not list((home / "results").glob("*.conflict-*"))
        log = (home / "runs" / "executed").read_text().split()
        assert kill or sorted(log) == sorted(NAMES)


def record_in_little_room(home, room, said):
    """The system refuses to let any file grow beyond ``room`` bytes, as a full disk does in the middle of a write."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        record_all(home)
        said.put("")
    except (OSError, StoreError) as error:
        said.put(f"{type(error).__name__}: {error}")


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="a limit on the size of files is POSIX's")
@pytest.mark.parametrize("room", [0, 10, 100, 500, 1000, 1200, 1500, 2000])
def test_a_disk_that_fills_up_leaves_a_store_that_reads(tmp_path, alone, room):
    home, said = tmp_path / "home", FORK.SimpleQueue()
    recorder = FORK.Process(target=record_in_little_room, args=(home, room, said))
    recorder.start()
    text = said.get()
    recorder.join()
    assert text == "" or "\n" not in text
    records, errors = Store(home / "results").read_all()
    assert errors == [] and (text or len(records) == len(NAMES))
    assert list((home / "results").glob(".*")) == []  # nothing half written takes up room
    before = contents(Store(home / "results"))
    record_all(home)
    check_complete(home, alone)
    assert contents(Store(home / "results")).items() >= before.items()


def test_no_room_is_one_sentence(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    store = Store(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"records cannot be written into .* \(No space left on device\)"):
        store.check_writable()
    with contextlib.suppress(StoreError):
        execute(entries()[0], store=store, runs=tmp_path / "runs", progress=False, commit=COMMIT)
    assert list(tmp_path.glob(".*")) == [] and store.all_keys() == []
