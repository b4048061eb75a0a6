"""The command line, in a small repository of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import runs_fake
from runs_fake import Spec

from panda2020 import __main__ as command_line
from panda2020.runs import Store, key, launch, provenance
from panda2020.runs.store import seal

ROOT = Path(__file__).parents[3]
COMMIT = "c" * 40
#: The program with the fake runs in place of the paper's.
RUNNER = "import sys, runs_fake\nfrom panda2020.__main__ import main\nsys.exit(main(contents=runs_fake))\n"


def call(*arguments):
    return command_line.main(list(map(str, arguments)), contents=runs_fake)


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Run the commands in this process, in an empty home, at a clean commit."""
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit(COMMIT, False))
    return tmp_path


def executed(home):
    log = home / "runs" / "executed"
    return log.read_text().split() if log.exists() else []


def record(*arguments):
    return call("record", "--quiet", "--threads", 1, *arguments)


def test_plan_record_list_show(places, capsys):
    assert call("plan", "--profile", "laptop") == 0
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines()[:3]] == ["missing"] * 3
    assert "3 runs (3 missing); 2.2 of 2.2 estimated minutes are still to do" in out
    assert record("--profile", "laptop", "--table", "8", "--seeds", 0, 1) == 0
    assert "times their estimate" not in out  # there is nothing yet to compare with
    assert "4 runs recorded in" in capsys.readouterr().out and executed(places) == [
        "one",
        "two",
        "one",
        "two",
    ]
    assert record("--profile", "laptop") == 0
    assert executed(places)[4:] == ["three"]
    call("plan", "--profile", "laptop")
    out = capsys.readouterr().out
    assert "3 runs (3 done); 0.0 of 2.2" in out
    records, _ = Store(places / "results").read_all()
    took = sum(record.provenance["seconds"] for record in records if record.labels["profile"] == "laptop")
    assert f"took {took / 60 / 2.2:.1f} times their estimate" in out

    assert call("list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 5 and {r["provenance"]["commit"] for r in listed} == {COMMIT}
    assert {r["freshness"] for r in listed} == {"current"} and {
        r["provenance"]["threads"] for r in listed
    } == {1}
    commands = {r["provenance"]["command"] for r in listed}
    assert "python -m panda2020 record --profile laptop --table 8 --seeds 1 --results remade" in commands
    assert call("list", "--profile", "quick", "--json") == 0 and json.loads(capsys.readouterr().out) == []
    assert call("list") == 0
    assert "accuracy 0.2500 (1/4)  commit cccccccccc" in capsys.readouterr().out

    name = key(Spec("three"))
    assert call("show", name[:9]) == 0
    assert f"{name}  laptop  tables 10  three  walk  seed 0" in capsys.readouterr().out
    assert call("show", name, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (places / "results" / f"{name}.json").read_text()
    )


def test_quick_runs_stay_out_of_the_results(places, capsys):
    assert record("--profile", "quick") == 0
    assert len(Store(places / "runs").all_keys()) == 3 and not (places / "results").exists()
    assert record("--profile", "quick", "--results", places / "results") == 2
    assert "quick runs are not stored among the recorded results" in capsys.readouterr().err


def test_a_printed_command_makes_the_run_again(places, capsys):
    record("--profile", "laptop", "--seeds", 3)
    first = Store(places / "results").read(key(Spec("one", seed=3)))
    words = shlex.split(first.provenance["command"].replace("remade", str(places / "remade")))
    assert words[:3] == ["python", "-m", "panda2020"] and call(*words[3:], "--quiet") == 0
    assert Store(places / "remade").read(first.key).result["accuracy"] == first.result["accuracy"]
    assert executed(places).count("one") == 2


def test_one_run_from_its_spec(places, capsys):
    assert record("--spec", '{"task": "fake", "name": "mine", "epochs": 2}') == 0
    (found,) = Store(places / "runs").read_all()[0]
    assert found.spec == Spec("mine", epochs=2) and found.labels["profile"] == "custom"
    words = shlex.split(found.provenance["command"].replace("remade", str(places / "remade")))
    assert call(*words[3:], "--quiet") == 0
    assert Store(places / "remade").read(found.key).labels == found.labels


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("plan", "--profile", "huge"), "--profile must be one of quick, laptop, got 'huge'"),
        (("plan", "--profile", "quick", "--table", "9"), "--table must be among 8, 10, got '9'"),
        (("record", "--profile", "huge"), "--profile must be one of"),
        (("record",), "record needs --profile or --spec"),
        (("record", "--profile", "quick", "--minutes", "0"), "--minutes must be above 0, got 0"),
        (("record", "--profile", "quick", "--threads", "0"), "--threads must be between 1 and "),
        (("record", "--profile", "quick", "--device", "tpu"), "--device must be cpu or cuda, got 'tpu'"),
        (("record", "--spec", "{}"), '--spec must be a JSON object with "task"'),
        (("record", "--spec", '{"task": "fake", "nme": 1}'), "fake has no field 'nme'"),
        (("record", "--spec", '{"task": "fate"}'), "task must be one of"),
        (("record", "--spec", "{}", "--profile", "quick"), "--spec stands alone"),
        (("list", "--profile", "huge"), "--profile must be one of"),
        (("show", "abc"), "no record has a key that begins with abc"),
        (("show", "xyz"), "a key is up to 16 hexadecimal digits, got 'xyz'"),
        (("verify",), "verify takes either a key, --sample K or --witness"),
        (("verify", "--sample", "0"), "--sample must be at least 1, got 0"),
        (("verify", "--sample", "1"), "there is no record to draw a sample from"),
        (("verify", "abc"), "no record has a key that begins with abc"),
    ],
)
def test_requests_that_cannot_be_understood(places, capsys, arguments, words):
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert words in err and err.startswith("error: ") and err.count("\n") == 1


def test_an_ambiguous_key_is_refused(places, capsys):
    record("--profile", "laptop", "--seeds", *range(10))
    keys = Store(places / "results").all_keys()
    shared = next(k[0] for k in keys if sum(other[0] == k[0] for other in keys) > 1)
    assert call("show", shared) == 2
    assert f"{shared} is ambiguous: " in capsys.readouterr().err


def test_no_grid_run_fits(places, capsys, monkeypatch):
    monkeypatch.setenv("RUNS_FAKE_NAMES", "one")
    assert call("plan", "--profile", "laptop", "--table", "10") == 2
    assert "no runs of profile laptop fit" in capsys.readouterr().err


def test_time_stops_before_what_does_not_fit(places, capsys):
    assert record("--profile", "laptop", "--minutes", 0.5) == 0
    assert (
        "stopped: 0.5 minutes are left, and one walk seed 0 (laptop) takes about 0.8"
        in capsys.readouterr().out
    )
    assert executed(places) == []


def test_a_failing_run_is_named_and_the_others_go_on(places, capsys, monkeypatch):
    monkeypatch.setenv("RUNS_FAKE_NAMES", "one,raise,nan,two")
    assert record("--profile", "laptop") == 1
    out, err = capsys.readouterr()
    assert executed(places) == ["one", "nan", "two"] and "2 runs recorded" in out
    assert f"failed: {key(Spec('raise', trap='raise'))} raise walk seed 0 (laptop): the trap closed" in err
    assert "result.curve[2].loss is nan" in err
    assert "error: 2 runs failed: raise walk seed 0 (laptop); nan walk seed 0 (laptop)" in err


def test_a_damaged_record_is_named_and_the_others_go_on(places, capsys):
    record("--profile", "laptop", "--table", 10)
    path = Store(places / "results").path(key(Spec("three")))
    path.write_text("{")
    capsys.readouterr()
    assert record("--profile", "laptop") == 1
    out, err = capsys.readouterr()
    assert "2 runs recorded" in out and f"not started: three walk seed 0 (laptop): {path} is torn" in err
    assert call("plan", "--profile", "laptop") == 1 and "1 unreadable" in capsys.readouterr().out
    assert call("list", "--json") == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 2 and f"error: {path} is torn" in err
    assert call("show", path.stem) == 1 and "is torn" in capsys.readouterr().err
    assert path.read_text() == "{"


def test_stale_records_are_kept_unless_asked(places, capsys, monkeypatch):
    record("--profile", "laptop", "--table", 10)
    monkeypatch.setattr("panda2020.runs.sources.of_task", lambda task: ("f" * 64, ()))
    call("plan", "--profile", "laptop", "--table", 10)
    assert "1 older" in capsys.readouterr().out
    assert record("--profile", "laptop", "--table", 10) == 0 and executed(places) == ["three"]
    assert record("--profile", "laptop", "--table", 10, "--stale") == 0 and executed(places) == [
        "three",
        "three",
    ]
    (found,) = Store(places / "results").read_all()[0]
    assert found.provenance["source"]["sha256"] == "f" * 64


def test_a_directory_that_cannot_be_written(places, capsys):
    (places / "results").write_text("")
    assert record("--profile", "laptop") == 1
    assert (
        capsys.readouterr().err.startswith("error: records cannot be written into ")
        and executed(places) == []
    )


def test_changed_or_unknown_sources_are_refused(places, capsys, monkeypatch):
    monkeypatch.setattr(provenance, "commit", lambda given=None: provenance.Commit(COMMIT, True))
    assert record("--profile", "laptop") == 2 and "--allow-dirty" in capsys.readouterr().err
    assert record("--profile", "laptop", "--table", 10, "--allow-dirty") == 0
    (found,) = Store(places / "results").read_all()[0]
    assert found.provenance["dirty"] is True
    monkeypatch.setattr(
        provenance, "commit", lambda given=None: provenance.Commit(None, None, "git is not installed")
    )
    assert record("--profile", "laptop") == 2
    assert (
        "git is not installed, so a record could not say what made it: give --commit"
        in capsys.readouterr().err
    )


def test_verify(places, capsys, monkeypatch):
    record("--profile", "laptop")
    name = key(Spec("three"))
    capsys.readouterr()
    assert call("verify", name) == 0
    assert capsys.readouterr().out.startswith(f"agrees bit for bit: {name}")
    assert call("verify", "--sample", 9, "--profile", "laptop") == 0
    assert capsys.readouterr().out.count("agrees bit for bit") == 3
    monkeypatch.setattr(provenance, "cpu_model", lambda: "another")
    assert call("verify", name) == 0
    assert "agrees within tolerance, as device_name, cpu differ" in capsys.readouterr().out
    monkeypatch.setattr(runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": 1e9})
    assert call("verify", name) == 1
    out = capsys.readouterr().out
    assert out.startswith("DIFFERS") and "curve[0].loss was" in out


def test_the_allocator_is_set_once(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(launch.platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "panda2020", "record"])
    for name in launch.TUNED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    launch.relaunch_with_tuned_malloc()
    ((program, words, environment),) = started
    assert program == sys.executable and words == [sys.executable, "-m", "panda2020", "record"]
    assert environment["MALLOC_MMAP_THRESHOLD_"] == "1073741824" and environment["PYTHONHASHSEED"] == "7"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    launch.relaunch_with_tuned_malloc()
    monkeypatch.delenv("PYTHONHASHSEED")
    monkeypatch.setattr(launch.platform, "libc_ver", lambda: ("", ""))
    launch.relaunch_with_tuned_malloc()
    assert len(started) == 1


# the real thing: processes, git, kill -9


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A small repository with the run machinery and the fake task, committed."""
    root = tmp_path_factory.mktemp("repository")
    for package in ("snncore", "panda2020"):
        (root / package).mkdir()
        (root / package / "__init__.py").write_text("")
    for name in ("_check.py", "kernels.py", "_loops.py", "processes.py", "precision.py"):
        shutil.copy(ROOT / "snncore" / name, root / "snncore")
    shutil.copytree(
        ROOT / "panda2020" / "runs", root / "panda2020" / "runs", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "panda2020" / "__main__.py", root / "panda2020")
    shutil.copy(ROOT / "tests" / "runs_fake.py", root)
    (root / "with_runs_fake.py").write_text(RUNNER)
    (root / "pyproject.toml").write_text("")
    (root / ".gitignore").write_text("__pycache__/\nruns/\n!panda2020/runs/\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "all")
    return root


def git(root, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", root, *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def python(root, *arguments, **environment):
    hidden = ("PYTHONPATH", "SNNCORE_HOME", "SNNCORE_COMMIT", "RUNS_FAKE_NAMES")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "with_runs_fake.py", *map(str, arguments)],
        cwd=root,
        env={**env, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_kill_in_the_middle_then_import_elsewhere(repository, tmp_path, monkeypatch, capsys):
    arguments = ["record", "--profile", "laptop", "--table", "8", "--quiet"]
    names = {"RUNS_FAKE_NAMES": "one,kill,two"}
    killed = python(repository, *arguments, **names, RUNS_FAKE_TRAP="1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = Store(repository / "results")
    (one,) = [path.read_bytes() for path in store.directory.glob("*.json")]
    assert store.all_keys() == [key(Spec("one"))] and executed(repository) == ["one"]

    resumed = python(repository, *arguments, **names)
    assert resumed.returncode == 0, resumed.stderr
    assert "2 runs recorded" in resumed.stdout and executed(repository) == ["one", "kill", "two"]
    assert store.path(key(Spec("one"))).read_bytes() == one
    records = {r.labels["network"]: r for r in store.read_all()[0]}
    assert {name: r.provenance["resumed"] for name, r in records.items()} == {
        "one": False,
        "kill": True,
        "two": False,
    }
    assert [epoch["epoch"] for epoch in records["kill"].result["curve"]] == [1, 2, 3]
    head = git(repository, "rev-parse", "HEAD")
    assert {(r.provenance["commit"], r.provenance["dirty"]) for r in records.values()} == {(head, False)}
    assert list((repository / "runs" / "work").iterdir()) == []
    git(repository, "check-ignore", "-q", "runs/work")

    # the records go to another machine's store, compared with the commit they name
    monkeypatch.setattr(provenance, "source_tree", lambda: repository)
    path = store.path(key(Spec("one")))
    home = tmp_path / "results"
    assert call("import", path, "--commit", head, "--results", home) == 0
    assert (home / path.name).read_bytes() == path.read_bytes() and len(list(home.iterdir())) == 2
    forged = tmp_path / path.name
    data = json.loads(path.read_text())
    for item in data["artifacts"].values():
        shutil.copy(path.parent / item["file"], tmp_path)
    changed = {**data["provenance"], "source": {**data["provenance"]["source"], "sha256": "0" * 64}}
    unknown = {**data["provenance"], "commit": "e" * 40}
    capsys.readouterr()
    for provenance_, commit, words in [
        (changed, head, f"was made by other sources than those of commit {head}"),
        (data["provenance"], "e" * 40, f"was made at commit {head}, not {'e' * 40}"),
        (unknown, "e" * 40, "cannot be compared with its commit: git knows no commit"),
        (data["provenance"], "main", "40 hexadecimal digits, got 'main'"),
    ]:
        forged.write_text(json.dumps(seal({**data, "provenance": provenance_})))
        assert call("import", forged, "--commit", commit, "--results", tmp_path / "other") == 1
        assert words in capsys.readouterr().err
    assert call("import", tmp_path / "0000000000000000.json", "--commit", head) == 1
    assert "is not there" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_dirty_tree_is_refused_and_notes_do_not_make_it_dirty(repository):
    arguments = ["record", "--profile", "laptop", "--table", "10", "--quiet"]
    stray = repository / "snncore" / "stray.py"
    stray.write_text("")
    try:
        refused = python(repository, *arguments)
        assert refused.returncode == 2 and "the sources differ from their commit" in refused.stderr
    finally:
        stray.unlink()
    (repository / "notes.txt").write_text("")
    (repository / "pyproject.toml").write_text("# changed\n")
    recorded = python(repository, *arguments)
    assert recorded.returncode == 0, recorded.stderr
    wrong = python(repository, *arguments, "--commit", "e" * 40)
    assert wrong.returncode == 1 and "but git says that the sources are at" in wrong.stderr


def test_data_that_is_not_there_is_said_in_one_sentence(places, capsys, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("CIFAR-10 is not in data: load(..., download=True) fetches it")

    record("--profile", "laptop", "--table", "8", "--seeds", 0)
    key_ = next(path.stem for path in (places / "results").glob("*.json"))
    monkeypatch.setattr(runs_fake, "first_epoch", missing)
    capsys.readouterr()
    assert call("verify", key_, "--quiet") == 1
    assert capsys.readouterr().err == "error: CIFAR-10 is not in data: load(..., download=True) fetches it\n"


def test_a_device_that_is_not_there(places, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert record("--profile", "laptop", "--device", "cuda") == 2
    assert "--device cuda is not available on this machine" in capsys.readouterr().err


def test_exit_codes_of_the_process(repository):
    done = python(repository, "show", "zzz")
    assert done.returncode == 2 and done.stderr == "error: a key is up to 16 hexadecimal digits, got 'zzz'\n"
    assert python(repository, "nonsense").returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets the size of a pipe")
def test_a_listing_that_is_cut_short_ends_without_a_traceback():
    plan = subprocess.Popen(
        [sys.executable, "-m", "panda2020", "plan", "--profile", "laptop"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096, text=True,
    )  # fmt: skip
    assert plan.stdout.readline().split()[0] == "1"
    plan.stdout.close()  # as "| head -1" does; the plan is longer than this pipe holds
    assert plan.stderr.read() == "" and plan.wait() == -signal.SIGPIPE


def test_without_a_command_it_says_what_can_be_done(capsys):
    assert call() == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 10
    for name in ("list", "show", "plan", "record", "verify", "import", "claims", "headline"):
        assert f"\n  {name} " in out


def test_a_traceback_is_for_those_who_ask(places, capsys):
    with pytest.raises(Exception, match="no record has a key"):
        call("show", "abc", "--debug")
    assert call("show", "abc") == 2 and "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--seeds", "-1"), "--seeds must be between 0 and 4294967295, got -1"),
        (("--seeds", str(10**30)), f"got {10**30}"),
        (("--threads", "1000000"), "--threads must be between 1 and "),
        (("--minutes", "nan"), "--minutes must be above 0, got nan"),
    ],
)
def test_numbers_out_of_bounds(places, capsys, arguments, words):
    assert record("--profile", "quick", *arguments) == 2
    assert words in capsys.readouterr().err
