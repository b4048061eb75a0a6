"""The store: whole records or none, every damage named, no writer loses."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from runs_fake import Spec

from panda2020.runs.spec import key, to_dict
from panda2020.runs.store import (
    Busy,
    RecordError,
    Store,
    StoreError,
    discard,
    empty,
    lock,
    pack,
    plain,
    seal,
    timeless,
)

SPEC = Spec("stored")
KEY = key(SPEC)
PROVENANCE = {
    "source": {"version": 2, "sha256": "s", "modules": []},
    "seconds": 1.0,
    "threads": 1,
    "device": "cpu",
    "device_name": "c",
    "cpu": "c",
    "commit": "a" * 40,
    "dirty": False,
    "date": "2026-01-01",
    "command": "record",
    "versions": {"torch": "2"},
}
ARRAYS = {"map": {"rho": np.eye(2), "t": np.int64([3])}}


def record_of(loss=0.5, spec=SPEC, **provenance):
    return {
        "key": key(spec),
        "task": "fake",
        "spec": to_dict(spec),
        "labels": {
            "network": "n",
            "role": "r",
            "profile": "laptop",
            "tables": ["8"],
            "note": "",
            "interpretation": "A",
        },
        "result": {"curve": [{"loss": loss, "seconds": time.perf_counter()}], "data": {"sha256": "d"}},
        "provenance": {**PROVENANCE, **provenance},
    }


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def files(store):
    return sorted(path.name for path in store.directory.iterdir())


def test_what_is_written_is_read(store):
    assert store.read(KEY) is None and store.all_keys() == [] and store.read_all() == ([], [])
    written = store.write(record_of(), ARRAYS)
    found = store.read(KEY)
    assert found is not None and found.data == written.data
    assert found.key == KEY and found.spec == SPEC and found["result"]["curve"][0]["loss"] == 0.5
    assert found["schema"] == 2 and found.labels["tables"] == ["8"]
    np.testing.assert_array_equal(found.artifact("map")["rho"], np.eye(2))
    assert found.artifact("map")["t"].dtype == np.int64
    with pytest.raises(RecordError, match=r"no artifact 'rho' \(it has: map\)"):
        found.artifact("rho")
    assert files(store) == sorted([f"{KEY}.json", found["artifacts"]["map"]["file"]])
    assert store.all_keys() == [KEY]
    # the self-hash, computed without the store
    body = {
        name: value for name, value in json.loads(store.path(KEY).read_text()).items() if name != "sha256"
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == found["sha256"]


def test_npz_bytes_do_not_depend_on_order_or_time(tmp_path):
    one = pack({"a": np.arange(3), "b": np.ones(2)})
    assert one == pack({"b": np.ones(2), "a": np.arange(3)})
    assert (
        hashlib.sha256(one).hexdigest() == "5447ba3dbf6203ff507b5b57064706774d29e99d30bbf483769534abe1583ae7"
    )
    (tmp_path / "x.npz").write_bytes(one)
    with zipfile.ZipFile(tmp_path / "x.npz") as file:
        assert [(info.filename, info.date_time[0]) for info in file.infolist()] == [
            ("a.npy", 1980),
            ("b.npy", 1980),
        ]
    with pytest.raises(ValueError, match="Object arrays"):
        pack({"a": np.array([{}])})


def test_torn_edited_renamed_and_foreign_records_are_named(store):
    store.write(record_of(), ARRAYS)
    path, good = store.path(KEY), store.path(KEY).read_text()

    def refusal():
        with pytest.raises(RecordError) as error:
            store.read(KEY)
        assert len(store.read_all()[1]) == 1 and store.read_all()[0] == []
        return str(error.value)

    path.write_text(good[: len(good) // 2])
    assert refusal() == f"{path} is torn: it is not complete JSON"
    path.write_text(good.replace("0.5", "0.6"))
    assert refusal() == f"{path} was changed after it was written: its hash does not fit its content"
    path.write_text(json.dumps(seal({**json.loads(good), "key": "0" * 16})))
    assert f"says key {'0' * 16}, its spec has key {KEY}" in refusal()
    path.write_text(json.dumps(seal({**json.loads(good), "schema": 3})))
    assert "has schema 3; this version reads 2" in refusal()
    path.write_text(json.dumps(seal({**json.loads(good), "more": 2})))
    assert "is no record" in refusal()
    path.write_text("[]")
    assert "is no record" in refusal()
    data = json.loads(good)
    path.write_text(json.dumps(seal({**data, "spec": {**data["spec"], "colour": 1}})))
    assert "a spec that this version cannot read (fake has no field 'colour'" in refusal()

    path.write_text(good)
    arrays = store.directory / data["artifacts"]["map"]["file"]
    content = arrays.read_bytes()
    arrays.write_bytes(content[:-1] + b"x")
    assert refusal() == f"{arrays} was changed after it was written: its hash is not the one in {path.name}"
    arrays.unlink()
    assert f"belongs to {arrays}, which cannot be read (No such file" in refusal()
    arrays.write_bytes(content)
    assert store.read(KEY) is not None

    other = store.path(key(Spec("other")))
    path.rename(other)
    with pytest.raises(RecordError, match="both must be the file's name"):
        store.read(key(Spec("other")))


def test_an_equal_second_result_is_dropped_and_a_different_one_kept_beside(store):
    first = store.write(record_of(made="here"), ARRAYS)
    again = store.write(record_of(made="there"), ARRAYS)  # its seconds differ too
    assert again.data == first.data and len(files(store)) == 2

    with pytest.raises(RecordError) as error:
        store.write(record_of(0.75), ARRAYS)
    (beside,) = store.directory.glob("*.conflict-*.json")
    assert str(beside) in str(error.value) and str(store.path(KEY)) in str(error.value)
    assert beside.name == f"{KEY}.conflict-{json.loads(beside.read_text())['sha256'][:8]}.json"
    with pytest.raises(RecordError, match="disagree about the same run") as error:
        store.read(KEY)
    assert str(beside) in str(error.value) and str(store.path(KEY)) in str(error.value)
    assert store.all_keys() == [KEY]
    assert (
        store.write(record_of(made="elsewhere"), ARRAYS).data == first.data
    )  # it agrees, and is no second dispute
    assert list(store.directory.glob("*.conflict-*.json")) == [beside]
    beside.unlink()
    assert store.read(KEY).data == first.data


def test_other_arrays_are_a_conflict_and_do_not_harm_the_first(store):
    store.write(record_of(), ARRAYS)
    with pytest.raises(RecordError, match="both are kept"):
        store.write(record_of(), {"map": {"rho": np.ones(2)}})
    next(store.directory.glob("*.conflict-*")).unlink()
    np.testing.assert_array_equal(store.read(KEY).artifact("map")["rho"], np.eye(2))


def test_nothing_is_lost_beside_a_torn_record(store):
    store.directory.mkdir()
    store.path(KEY).write_text("{")
    with pytest.raises(RecordError, match="both are kept"):
        store.write(record_of())
    (beside,) = store.directory.glob("*.conflict-*")
    assert json.loads(beside.read_text())["result"]["curve"][0]["loss"] == 0.5


def test_supersede_replaces_only_what_it_names(store):
    old = store.write(record_of(), ARRAYS)
    new = store.write(record_of(0.75), {"map": {"rho": np.ones(2)}}, supersede=old)
    assert store.read(KEY).result == new.result and len(files(store)) == 2  # the old arrays are gone
    with pytest.raises(RecordError, match="both are kept"):
        store.write(record_of(0.25), supersede=old)


def _write(directory, loss, barrier, results):
    barrier.wait()
    try:
        results.put(Store(directory).write(record_of(loss), ARRAYS).result["curve"][0]["loss"])
    except RecordError as error:
        results.put(str(error))


@pytest.mark.parametrize("losses", [(0.5, 0.5), (0.5, 0.75)])
def test_two_processes_write_at_once(tmp_path, losses):
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        directory = tmp_path / str(attempt)
        barrier, results = context.Barrier(2), context.Queue()
        writers = [
            context.Process(target=_write, args=(directory, loss, barrier, results)) for loss in losses
        ]
        for writer in writers:
            writer.start()
        answers = [results.get(timeout=30) for _ in writers]
        for writer in writers:
            writer.join()
        if losses[0] == losses[1]:
            assert answers == [0.5, 0.5] and Store(directory).read(KEY).result["curve"][0]["loss"] == 0.5
            assert not list(directory.glob("*.conflict-*"))
        else:
            assert sum(isinstance(answer, str) for answer in answers) == 1
            assert len(list(directory.glob("*.json"))) == 2
            with pytest.raises(RecordError, match="disagree"):
                Store(directory).read(KEY)
        assert not list(directory.glob(".*"))


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    with pytest.raises(StoreError, match=r"records cannot be written into .*file \("):
        store.check_writable()
    with pytest.raises(StoreError, match="cannot be written"):
        store.write(record_of())
    with (
        pytest.raises(StoreError, match=r"work directory .* cannot be written"),
        lock(tmp_path / "file", KEY),
    ):
        pass
    assert store.all_keys() == []


def test_names_of_artifacts(store):
    with pytest.raises(RecordError, match=r"letters, digits and underscores, got '\.\./x'"):
        store.write(record_of(), {"../x": {}})


def test_plain_and_timeless():
    value = {"a": (np.float64(0.5), np.int32(2), np.float32(0.25)), 3: None, "b": True, "c": "x"}
    assert plain(value) == {"a": [0.5, 2, 0.25], "3": None, "b": True, "c": "x"}
    assert [type(v) for v in plain(value)["a"]] == [float, int, float]
    with pytest.raises(RecordError, match=r"result\.curve\[1\]\.loss is nan"):
        plain({"curve": [{"loss": 1}, {"loss": float("nan")}]})
    with pytest.raises(RecordError, match=r"result\.x is a set"):
        plain({"x": {1}})
    assert timeless({"seconds": 1, "a": [{"seconds": 2, "b": 3}]}) == {"a": [{"b": 3}]}


HOLD = """
import sys, time
from pathlib import Path
from panda2020.runs.store import lock
with lock(Path(sys.argv[1]), sys.argv[2]) as work:
    (work / "checkpoint").write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_dies_with_its_process_and_the_work_stays(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), KEY],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(Busy, match=f"another process is executing the run {KEY}"),
            lock(tmp_path, KEY, wait=False),
        ):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with lock(tmp_path, KEY, wait=False) as work:
        assert (work / "checkpoint").read_text() == "half"
        (work / "folder").mkdir()
        empty(work)
        assert [path.name for path in work.iterdir()] == ["lock"]
        discard(work)
        assert not work.exists()
        with lock(tmp_path, KEY, wait=False) as fresh:  # a removed directory is a free one
            assert (fresh / "lock").exists()


def _count(runs, results):
    for _ in range(30):
        with lock(runs, KEY) as work:
            counter = runs / "counter"
            value = int(counter.read_text())
            counter.write_text("")
            counter.write_text(str(value + 1))
            discard(work)
    results.put("done")


def test_only_one_holds_the_lock_while_the_directory_comes_and_goes(tmp_path):
    context = multiprocessing.get_context("fork")
    (tmp_path / "counter").write_text("0")
    results = context.Queue()
    workers = [context.Process(target=_count, args=(tmp_path, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=30) for _ in workers] == ["done"] * 3
    for worker in workers:
        worker.join()
    assert (tmp_path / "counter").read_text() == "90"


def test_errors_inside_the_lock_come_out(tmp_path):
    with pytest.raises(FileNotFoundError), lock(tmp_path, KEY):
        raise FileNotFoundError


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(store):
    store.directory.mkdir(parents=True, exist_ok=True)
    names = [
        f".{KEY}.json.a.part",
        f".{KEY}.walk-12345678.npz.b.part",
        ".probe.c.part",
        ".0000000000000000.json.d.part",
    ]
    for name in names:
        (store.directory / name).write_text("half")
    store.remove_leftovers(KEY)
    assert len(list(store.directory.iterdir())) == 4  # they may still be growing
    for name in names:
        os.utime(store.directory / name, (0, 0))
    store.remove_leftovers(KEY)
    assert [path.name for path in store.directory.iterdir()] == names[-1:]


def _resealed(path, **changes):
    data = json.loads(path.read_text())
    path.write_text(json.dumps(seal({**data, **changes})))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"schema": True}, "has schema True"),
        ({"artifacts": []}, "Expected `object`, got `array` - at `$.artifacts`"),
        ({"artifacts": None}, "got `null`"),
        ({"artifacts": {"walk": {"sha256": "a" * 64, "bytes": 1}}}, "missing required field `file`"),
        ({"artifacts": {"walk": {"file": "/dev/zero", "sha256": "a" * 64, "bytes": 1}}}, "are not its own"),
        ({"labels": None}, "at `$.labels`"),
        ({"labels": {}}, "missing required field `network`"),
        ({"result": []}, "at `$.result`"),
        *(
            ({"result": {"curve": [{}], "data": {"sha256": "d"}, **counts}}, words)
            for counts, words in (
                ({"accuracy": "high", "correct": 1, "total": 2}, "at `$.result.accuracy`"),
                ({"accuracy": None, "correct": 1, "total": 2}, "at `$.result.accuracy`"),
                ({"accuracy": 0.5}, "missing required field `correct`"),
                ({"accuracy": 0.5, "correct": 0, "total": 0}, "at `$.result.total`"),
                ({"accuracy": 0.5, "correct": 1, "total": 4}, "the accuracy 0.5 is not 1 of 4"),
                ({"accuracy": 0.5, "correct": 1, "total": 2, "hits": "c"}, "the hits are not 1 images"),
                ({"accuracy": 0.5, "correct": 1, "total": 2, "hits": "zz"}, "at `$.result.hits`"),
                (
                    {"snn": {"50": {"accuracy": 0.5, "correct": 3, "total": 4}}},
                    "the accuracy 0.5 is not 3 of 4 - at `$.result.snn.50`",
                ),
                (
                    {"stages": [{"accuracy": 2, "correct": 3, "total": 4}]},
                    "at `$.result.stages[0].accuracy`",
                ),
            )
        ),
        ({"provenance": {}}, "missing required field `source`"),
        ({"provenance": {**PROVENANCE, "threads": -1}}, "at `$.provenance.threads`"),
        ({"provenance": {**PROVENANCE, "device": "x:9"}}, "at `$.provenance.device`"),
        ({"provenance": {**PROVENANCE, "versions": {}}}, "missing required field `torch`"),
        ({"provenance": {**PROVENANCE, "commit": 5}}, "at `$.provenance.commit`"),
        *(
            ({"provenance": {n: v for n, v in PROVENANCE.items() if n != name}}, f"required field `{name}`")
            for name in PROVENANCE
        ),
        ({"task": ["train"]}, "at `$.task`"),
    ],
)
def test_sealed_records_of_another_shape_are_refused_in_one_sentence(store, changes, words):
    store.write(record_of(), ARRAYS)
    _resealed(store.path(KEY), **changes)
    with pytest.raises(RecordError) as refusal:
        store.read(KEY)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content, words",
    [
        (b'{"a": NaN}', "it holds NaN"),
        (b'{"a": 1, "a": 2}', "it has a name twice"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b"", "it is not complete JSON"),
        (b"[1]", "is no record"),
    ],
)
def test_what_is_no_json_of_ours_is_refused_in_one_sentence(store, content, words):
    store.directory.mkdir(parents=True, exist_ok=True)
    store.path(KEY).write_bytes(content)
    with pytest.raises(RecordError) as refusal:
        store.read(KEY)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_pipes_devices_and_huge_files_are_not_read(store, monkeypatch):
    path = store.write(record_of(), ARRAYS).path
    (array,) = store.directory.glob("*.npz")
    array.unlink()
    os.mkfifo(array)
    with pytest.raises(RecordError, match="is not a regular file"):
        store.read(KEY)
    array.unlink()
    array.symlink_to("/dev/zero")
    with pytest.raises(RecordError, match="is not a regular file"):
        store.read(KEY)
    with path.open("r+b") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(RecordError, match="more than the 67108864 that a record may have"):
        store.read(KEY)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RecordError, match="is not a regular file"):
        store.read(KEY)
