"""``workflow/Snakefile``: four quick records by two workers are those of the local loop, and what it refuses."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from panda2020 import contents
from panda2020.runs import Store, key
from panda2020.runs.store import same_numbers

ROOT = Path(__file__).parents[3]

needs_snakemake = pytest.mark.skipif(
    importlib.util.find_spec("snakemake") is None,
    reason="Snakemake is not installed: pip install 'snncore[workflow]'",
)


def run(*words, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True
    )


def snakemake(*words, cwd, profile="default"):
    where = [
        "--snakefile",
        ROOT / "workflow/Snakefile",
        "--workflow-profile",
        ROOT / "workflow/profiles" / profile,
    ]
    return run("snakemake", *where, "--cores", 2, *words, cwd=cwd)


def chosen(folder, **more):
    options = {"profile": "quick", "table": 10, "seeds": 0, "runs": folder, "allow_dirty": True, **more}
    return ["--config", *(f"{name}={value}" for name, value in options.items())]


@needs_snakemake
def test_four_records_by_two_workers_are_those_of_the_local_loop(tmp_path):
    spread, alone = tmp_path / "spread", tmp_path / "alone"
    done = snakemake(*chosen(spread), cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    local = [
        "--profile",
        "quick",
        "--table",
        10,
        "--seeds",
        0,
        "--runs",
        alone,
        "--allow-dirty",
        "--threads",
        1,
    ]
    assert (looped := run("panda2020", "record", *local, "--quiet", cwd=tmp_path)).returncode == 0, (
        looped.stderr
    )
    keys = Store(spread).all_keys()
    assert len(keys) == 4 and set(keys) == set(Store(alone).all_keys())
    for name in keys:
        one, other = Store(spread).read(name), Store(alone).read(name)
        assert same_numbers(one, other) and one["spec"] == other["spec"]
        assert one.provenance["threads"] == other.provenance["threads"] == 1
        assert f"--profile quick --key {name} " in one.provenance["command"]
        assert one.labels["network"] == other.labels["network"] and "10" in one.labels["tables"]

    again = snakemake(*chosen(spread), cwd=tmp_path)
    assert again.returncode == 0 and "Nothing to be done" in again.stderr + again.stdout

    before = (spread / f"{keys[0]}.json").read_bytes()
    forced = snakemake("--force", spread / f"{keys[0]}.json", *chosen(spread), cwd=tmp_path)
    assert forced.returncode == 0, forced.stderr
    assert (spread / f"{keys[0]}.json").read_bytes() == before  # `record` knows that it is done


@needs_snakemake
def test_a_run_that_fails_leaves_its_reason_and_its_siblings(tmp_path):
    (tmp_path / "weights").write_text("in the way")  # of the folder for trained weights
    targets = [tmp_path / f"{key(entry.spec)}.json" for entry in contents.entries("quick", ["10"], [0])[:2]]
    done = snakemake("--retries", 0, *targets, *chosen(tmp_path), cwd=tmp_path)
    assert done.returncode != 0
    reasons = [path.read_text() for path in (tmp_path / "logs").glob("*.log")]
    assert len(reasons) == 2 and all("failed" in reason for reason in reasons)  # both were tried


@needs_snakemake
def test_conversions_wait_for_the_run_that_trains_their_network(tmp_path):
    done = snakemake("--dry-run", *chosen(tmp_path, table="2-variants"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads((tmp_path / ".snakemake" / "panda2020-plan.json").read_text())["runs"]
    first = {}
    waiting = [one["key"] for one in plan if first.setdefault(one["trains"], one["key"]) != one["key"]]
    assert waiting  # the table converts some of its networks twice
    text = done.stderr + done.stdout
    for part in text.split("rule record:")[1:]:
        name = part.split("wildcards: key=")[1][:16]
        source = next(one["trains"] for one in plan if one["key"] == name)
        assert (f"input: {tmp_path}/{first[source]}.json" in part) == (name in waiting)


@needs_snakemake
@pytest.mark.parametrize(
    "more, sentence",
    [
        ({"profle": "quick"}, "--config must name profile, table, "),
        ({"profile": "huge"}, "--profile must be one of quick, "),
        ({"table": 99}, "--table must be among "),
        (
            {"python": "no-such-python"},
            "python must be a Python with the project's packages, got 'no-such-python'",
        ),
    ],
)
def test_requests_that_cannot_be_understood(tmp_path, more, sentence):
    done = snakemake("--dry-run", *chosen(tmp_path, **more), cwd=tmp_path)
    assert done.returncode != 0 and sentence in done.stderr + done.stdout


@needs_snakemake
@pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_slurm") is None,
    reason="the SLURM plugin is not installed: pip install 'snncore[workflow]'",
)
def test_without_slurm_the_profile_says_so(tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "sh", "git", "which", "uname"):
        found = next(Path(p) / name for p in os.get_exec_path() if (Path(p) / name).exists())
        (tools / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    done = snakemake(*chosen(tmp_path / "runs"), cwd=tmp_path, profile="slurm")
    assert done.returncode != 0 and "SLURM's command sbatch is not here" in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_profiles_never_remake_a_record_that_is_there(name):
    options = yaml.safe_load((ROOT / "workflow" / "profiles" / name / "config.yaml").read_text("utf-8"))
    assert options["rerun-triggers"] == "mtime" and options["retries"] >= 1
    assert options.get("executor") == (None if name == "default" else name)
