"""Arrays beside a record: what is not ours is refused in one sentence, before it takes memory."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from test_runs_store import KEY, record_of

from panda2020.runs import RecordError, Store
from panda2020.runs.store import seal, unpack


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def _zipped(content, *, method=zipfile.ZIP_STORED, names=("x.npy",), spoil=lambda file: None):
    """An npz file with this content under each name, and some of its bytes changed."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as members:
        warnings.simplefilter("ignore")
        for name in names:
            members.writestr(name, content)
    changed = bytearray(file.getvalue())
    spoil(changed)
    return bytes(changed)


def _array(header):
    """An npy file of three bytes whose header says whatever."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"abc"


def _header(shape, kind="'|u1'"):
    return _array(f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}")


def _pickle():
    member = io.BytesIO()
    np.save(member, np.array([{}], dtype=object), allow_pickle=True)
    return member.getvalue()


def _encrypt(file):
    file[6] |= 1
    file[file.index(b"PK\x01\x02") + 8] |= 1


def _unknown_method(file):
    file[8] = file[file.index(b"PK\x01\x02") + 10] = 99


def test_the_made_up_arrays_are_read_unless_they_are_spoilt():
    assert unpack(_zipped(_header("(3,)")))["x"].tolist() == [97, 98, 99]


@pytest.mark.parametrize(
    "content, words",
    [
        (_zipped(_pickle()), "Object arrays cannot be loaded"),
        (_zipped(bytes(2**20), method=zipfile.ZIP_DEFLATED), "they grow to 1048576 bytes"),
        (_zipped(_header("(1000000000000,)")), r"has the shape \(1000000000000,\) in"),
        (_zipped(_header("(40,)", "'<c16'")), r"has the shape \(40,\) in"),
        (_zipped(_header("(-1,)")), "cannot be read"),
        (_zipped(_header("(True,)")), "cannot be read"),
        (_zipped(_header("(3,)", "'<q99'")), "not a valid dtype"),
        (_zipped(_array("(" * 90)), "cannot be read"),
        (_zipped(_array("__import__('os').getcwd()")), "cannot be read"),
        (_zipped(_header("(3,)") + b" " * 9, spoil=_encrypt), "is encrypted"),
        (_zipped(_header("(3,)"), spoil=_unknown_method), "method is not supported"),
        (_zipped(_header("(3,)"), names=("x.npy", "x.npy")), "two of them have the same name"),
        (_zipped(b"text"), "cannot be read"),
        (_header("(3,)"), "not a zip file"),
        (b"", "not a zip file"),
    ],
)
def test_arrays_that_are_not_ours_are_refused_in_one_sentence(store, content, words):
    record, digest = record_of(), hashlib.sha256(content).hexdigest()
    item = {"file": f"{KEY}.x-{digest[:8]}.npz", "sha256": digest, "bytes": len(content)}
    store.directory.mkdir(parents=True, exist_ok=True)
    (store.directory / item["file"]).write_bytes(content)
    store.path(KEY).write_text(json.dumps(seal({"schema": 2, **record, "artifacts": {"x": item}})))
    with pytest.raises(RecordError, match=words) as refusal:
        store.read(KEY).artifact("x")
    assert "\n" not in str(refusal.value)
