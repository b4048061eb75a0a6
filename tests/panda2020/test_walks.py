"""What must be opened to add one thing: done in a copy of the package, by editing no other files than these."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path):
    """The package and its tests, to be edited."""
    for name in (
        "panda2020",
        "tests/panda2020/claims",
        "tests/conftest.py",
        "tests/made_up.py",
        "pyproject.toml",
    ):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path


def edit(copy, file, old, new):
    path = copy / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def answer(copy, program):
    """What a program prints, as JSON, with the copy in the place of the package."""
    paths = os.pathsep.join(map(str, (copy, copy / "tests", ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_network_is_added_in_two_files(copy):
    new = """_ENTRIES = (
    PaperNetwork(
        "VGG9-new", "A", "64C3 [64C3]x3 P 64C3 P F10", "Table 9", ("made for this test",), ("widths",), plain="VGG5"
    ),
"""
    edit(copy, "panda2020/networks.py", "_ENTRIES = (\n", new)
    edit(copy, "panda2020/agd/grid.py", 'TABLE_8 = ("VGG5", ', 'TABLE_8 = ("VGG9-new", "VGG5", ')
    program = """
import json
from panda2020 import __file__ as here, contents
from panda2020.networks import network
from panda2020.runs import key
from panda2020.runs.scheduling import minutes
found = [e for e in contents.entries("quick", ["8"], [0]) if e.network == "VGG9-new"]
print(json.dumps({
    "here": here, "roles": sorted({e.role for e in found}), "topology": network("VGG9-new").topology,
    "keys": len({key(e.spec) for e in found}), "runs": len(found), "minutes": sum(minutes(e.spec) for e in found),
}))
"""
    found = answer(copy, program)
    assert found["here"].startswith(str(copy))
    assert found["roles"] == ["ann", "snn"] and found["runs"] == found["keys"] >= 2 and found["minutes"] > 0
    assert found["topology"] == "64C3 [64C3]x3 P 64C3 P F10"


def test_a_claim_on_existing_runs_is_added_in_three_files(copy):
    claim = '- {id: agd-new, method: AGD, where: "8.1", table: 8, quote: "words", expects: "VGG5 learns", kind: secondary}\n'
    path = copy / "panda2020/claims/claims.yml"
    path.write_text(path.read_text().rstrip("\n") + f"\n{claim}")
    path = copy / "panda2020/agd/claims.py"
    path.write_text(
        path.read_text()
        + '''

@estimates("agd-new", tables=("8",))
def new(case: Case) -> Finding:
    """Accuracy of the spiking VGG5 minus its ANN's."""
    steps = case.planned("VGG5", "snn")[0]
    found = difference(case.series("VGG5", "snn", steps), case.series("VGG5", "ann"), loss_up_to(3.0))
    return Finding([found])
'''
    )
    # the third: what pins the article's words and their number, and has a world for every verdict
    pinned = copy / "tests/panda2020/claims/test_claims.py"
    assert "== 60" in pinned.read_text()
    program = """
import json
from made_up import World
from panda2020 import contents
from panda2020.claims.claims import claims
from panda2020.ledger.ledger import ledger
known = {"agd-new": claims()["agd-new"]}
estimators = {"agd-new": contents.estimators()["agd-new"]}
verdicts = []
for accuracy in (0.5, 0.3):
    evidence = World({("acc", "VGG5", "snn"): accuracy}).evidence()
    found = ledger("laptop", known=known, estimators=estimators, found=evidence)
    verdicts.append(found.judgements["agd-new"].verdict)
print(json.dumps(verdicts))
"""
    found = answer(copy, program)
    assert found == ["supported", "contradicted"]
