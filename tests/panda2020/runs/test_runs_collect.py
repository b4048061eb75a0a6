"""From entries to records, and what a record says about its making."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path

import pytest
import runs_fake
import torch
from runs_fake import Spec

from panda2020.runs import (
    Entry,
    MissingRuns,
    Outcome,
    OutOfTime,
    RecordError,
    Store,
    collect,
    execute,
    executing,
    freshness,
    key,
    provenance,
    sources,
)
from panda2020.runs.spec import from_dict
from panda2020.runs.store import seal
from panda2020.runs.verifying import compare, verify
from panda2020.runs.weights import weights_file


def entry(name="one", profile="quick", **fields):
    return Entry(Spec(name, **fields), "net", "walk", profile, ("8", "10"))


@pytest.fixture
def places(tmp_path):
    return {"results": tmp_path / "results", "runs": tmp_path / "runs"}


def executed(places):
    log = places["runs"] / "executed"
    return log.read_text().split() if log.exists() else []


def older(monkeypatch):
    """From here on, the sources in use are not those of the records made so far."""
    monkeypatch.setattr(sources, "of_task", lambda task: ("f" * 64, ("runs_fake",)))


def test_missing_runs_are_listed(places):
    with pytest.raises(MissingRuns) as error:
        collect([entry(), entry("two", "laptop", epochs=8), entry()], **places)
    text = str(error.value)
    assert text.startswith("2 runs are missing, about 2.8 minutes:\n")
    assert f"{key(Spec('one'))}  net walk seed 0 (quick), about 0.8 min" in text
    assert "python -m panda2020 record --profile laptop --table 8" in text
    assert error.value.minutes == 2.75 and len(error.value.entries) == 2
    assert executed(places) == []


def test_live_then_found_again(places):
    entries = [entry("two"), entry("one"), entry("two")]
    records = collect(entries, run_missing=True, progress=False, **places)
    assert [r.spec.name for r in records] == ["two", "one", "two"] and {r.tag for r in records} == {"live"}
    assert executed(places) == ["two", "one"]
    assert {r.path.parent for r in records} == {places["runs"]}
    assert list((places["runs"] / "work").iterdir()) == []
    again = collect(entries, **places)
    assert [r.data for r in again] == [r.data for r in records] and len(executed(places)) == 2


def test_what_a_record_says(places):
    (record,) = collect([entry(note := "one")], run_missing=True, progress=False, **places)
    made = record.provenance
    assert made["source"]["sha256"] == sources.of_task("fake")[0] and "runs_fake" in made["source"]["modules"]
    assert made["data_sha256"] == "d" * 64
    assert made["threads"] == torch.get_num_threads() and made["versions"]["torch"] == torch.__version__
    assert set(made["versions"]) == {"python", "torch", "torchvision", "numpy"}
    assert made["device"] == "cpu" and made["device_name"] and made["cpu"].startswith(made["device_name"])
    assert 0 <= made["seconds"] < 60 and made["resumed"] is False
    assert datetime.datetime.fromisoformat(made["date"]).utcoffset() == datetime.timedelta(0)
    assert (made["commit"] is None) == bool(made["commit_note"] and made["dirty"] is None)
    command = re.fullmatch(r"python -m panda2020 record --spec '(.*)' --results remade", made["command"])
    data = json.loads(command[1])
    assert from_dict(data.pop("task"), data) == Spec(note)
    assert record["labels"] == {
        "network": "net",
        "role": "walk",
        "profile": "quick",
        "tables": ["8", "10"],
        "note": "",
        "interpretation": "A",
    }
    readme = (Path(__file__).parents[3] / "results" / "README.md").read_text()
    for name in [
        *record.data,
        *(f"provenance.{n}" for n in ("commit", "source.sha256", "seconds", "date", "command")),
    ]:
        assert f"`{name}" in readme, f"results/README.md does not describe {name}"
    for name in made:
        assert f".{name}`" in readme or f"provenance.{name}" in readme, (
            f"results/README.md lacks provenance.{name}"
        )


def test_each_entry_sees_its_own_labels(places):
    one = entry()
    other = Entry(one.spec, "elsewhere", "baseline", "quick", ("12",), "shared")
    records = collect([one, other], run_missing=True, progress=False, **places)
    assert [r.labels["network"] for r in records] == ["net", "elsewhere"]
    assert {r["labels"]["network"] for r in records} == {"net"} and executed(places) == ["one"]


def test_recorded_and_own_runs_are_told_apart(places):
    recorded, own = entry("one", "laptop"), entry("two", "laptop")
    execute(recorded, store=Store(places["results"]), runs=places["runs"], progress=False)
    records = collect([recorded, own], run_missing=True, progress=False, **places)
    assert [r.tag for r in records] == ["recorded", "live"]
    assert [r.path.parent for r in records] == [places["results"], places["runs"]]
    with pytest.raises(MissingRuns):
        collect([own], own_runs=False, **places)
    # a quick run is never taken from the paper's results
    execute(entry("three"), store=Store(places["results"]), runs=places["runs"], progress=False)
    with pytest.raises(MissingRuns):
        collect([entry("three")], **places)


def test_older_sources_are_badged_and_quick_runs_renewed(places, monkeypatch):
    recorded, quick = entry("one", "laptop"), entry("two")
    execute(recorded, store=Store(places["results"]), runs=places["runs"], progress=False)
    before = collect([recorded, quick], run_missing=True, progress=False, **places)
    assert [freshness(r) for r in before] == ["current", "current"]
    older(monkeypatch)
    assert [freshness(r) for r in before] == ["older", "older"]
    assert [r.tag for r in collect([recorded, quick], **places)] == ["recorded-by-older-sources"] * 2
    after = collect([recorded, quick], run_missing=True, progress=False, **places)
    assert [r.tag for r in after] == ["recorded-by-older-sources", "live"]
    assert after[0].data == before[0].data and after[1].provenance["source"]["sha256"] == "f" * 64
    assert executed(places) == ["one", "two", "two"]


def test_time_stops_before_a_run_that_does_not_fit(places):
    entries = [entry("one"), entry("two", epochs=400), entry("three")]
    with pytest.raises(
        OutOfTime,
        match=r"of max_minutes=1, 1\.0 minutes are left, and net walk .* takes about 100\.0; 2 of 3",
    ):
        collect(entries, run_missing=True, max_minutes=1, progress=False, **places)
    assert executed(places) == ["one"] and len(Store(places["runs"]).all_keys()) == 1
    with pytest.raises(ValueError, match="max_minutes must be a number of at least 0 or None, got -1"):
        collect(entries, max_minutes=-1, **places)


def test_a_damaged_record_stops_the_exhibit(places):
    (record,) = collect([entry()], run_missing=True, progress=False, **places)
    record.path.write_text(record.path.read_text()[:-20])
    with pytest.raises(RecordError, match="torn"):
        collect([entry()], run_missing=True, progress=False, **places)
    assert executed(places) == ["one"]


def test_progress_is_said_on_stderr(places, capsys):
    collect([entry()], run_missing=True, **places)
    out, err = capsys.readouterr()
    assert out == "" and err == "run 1 of 1: net walk seed 0 (quick), about 0.8 min\n"


def test_an_interrupted_run_goes_on_only_under_the_same_conditions(places, monkeypatch):
    def half(spec, *, work, **options):
        assert not (work / "state.json").exists()
        (work / "state.json").write_text(json.dumps([runs_fake.step(spec, 1)]))
        raise KeyboardInterrupt

    full = runs_fake.execute
    monkeypatch.setattr(runs_fake, "execute", half)
    for name in ("one", "two"):
        with pytest.raises(KeyboardInterrupt):
            collect([entry(name)], run_missing=True, progress=False, **places)
    monkeypatch.setattr(runs_fake, "execute", full)
    (record,) = collect([entry("one")], run_missing=True, progress=False, **places)
    assert record.provenance["resumed"] is True and len(record.result["curve"]) == 3
    older(monkeypatch)
    (record,) = collect([entry("two")], run_missing=True, progress=False, **places)
    assert record.provenance["resumed"] is False and len(record.result["curve"]) == 3


@pytest.mark.parametrize(
    "result, words",
    [
        ({"curve": [], "data": {"sha256": "d"}}, "result.curve must be a list with at least one entry"),
        ({"curve": [{}]}, "result.data.sha256 must name the data"),
        (
            {"curve": [{}], "data": {"sha256": "d"}, "accuracy": 0.5, "correct": 2, "total": 5},
            "correct / result.total",
        ),
        ({"curve": [{"loss": float("nan")}], "data": {"sha256": "d"}}, r"result\.curve\[0\]\.loss is nan"),
    ],
)
def test_results_that_cannot_be_stored(places, monkeypatch, result, words):
    monkeypatch.setattr(runs_fake, "execute", lambda spec, **options: Outcome(result))
    with pytest.raises(RecordError, match=words):
        collect([entry()], run_missing=True, progress=False, **places)
    assert Store(places["runs"]).all_keys() == []


def test_runs_ask_for_deterministic_kernels(places, monkeypatch):
    seen = []

    def look(spec, **options):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return Outcome({"curve": [{}], "data": {"sha256": "d"}})

    monkeypatch.setattr(runs_fake, "execute", look)
    collect([entry()], run_missing=True, progress=False, **places)
    assert seen == [True] and not torch.are_deterministic_algorithms_enabled()


def test_cached_weights_are_those_of_the_same_code_and_machine(tmp_path, monkeypatch):
    work = tmp_path / "work" / "x"
    work.mkdir(parents=True)
    (work / "stamp.json").write_text(json.dumps({"machine": {"threads": 1}}))
    one = weights_file(Spec("one"), work)
    assert (
        one.parent == tmp_path / "weights" and one.name.startswith(key(Spec("one"))) and one.suffix == ".pt"
    )
    assert weights_file(Spec("one"), work) == one != weights_file(Spec("two"), work)
    (work / "stamp.json").write_text(json.dumps({"machine": {"threads": 2}}))
    assert weights_file(Spec("one"), work) != one
    (work / "stamp.json").unlink()
    assert weights_file(Spec("one"), work) != one


def test_a_run_does_not_start_from_its_own_cached_weights(places, monkeypatch):
    full = runs_fake.execute

    def caching(spec, *, work, **options):
        file = weights_file(spec, work)
        assert not file.exists()
        file.write_text("weights")
        return full(spec, work=work, **options)

    monkeypatch.setattr(runs_fake, "execute", caching)
    for results in ("a", "b"):
        execute(entry(), store=Store(places["runs"] / results), runs=places["runs"], progress=False)
    assert len(list((places["runs"] / "weights").iterdir())) == 1


def test_verify_compares_the_first_epoch(places, monkeypatch):
    (record,) = collect([entry()], run_missing=True, progress=False, **places)
    threads = torch.get_num_threads()
    verdict = verify(record, runs=places["runs"], progress=False)
    assert verdict.agrees and verdict.exact and verdict.machine == verdict.differences == ()
    assert list((places["runs"] / "work").iterdir()) == []

    monkeypatch.setattr(runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": 1e9})
    verdict = verify(record, runs=places["runs"], progress=False)
    assert not verdict.agrees and "curve[0].loss was" in verdict.differences[0]

    loss = record.result["curve"][0]["loss"]
    monkeypatch.setattr(
        runs_fake, "first_epoch", lambda spec, **o: {**runs_fake.step(spec, 1), "loss": loss + 1e-12}
    )
    assert not verify(record, runs=places["runs"], progress=False).agrees  # bit for bit
    monkeypatch.setattr(provenance, "cpu_model", lambda: "another")
    verdict = verify(record, runs=places["runs"], progress=False)
    assert verdict.agrees and not verdict.exact and verdict.machine == ("device_name", "cpu")
    torch.set_num_threads(threads)


def test_tolerances():
    def differ(one, other, exact=False):
        return bool(compare(one, other, exact=exact))

    assert not differ({"loss": 2.0}, {"loss": 2.24}) and differ({"loss": 2.0}, {"loss": 2.26})
    assert not differ({"correct": 500, "total": 1000}, {"correct": 549, "total": 1000})
    assert differ({"correct": 500, "total": 1000}, {"correct": 551, "total": 1000})
    assert (
        differ({"a": 1}, {"b": 1})
        and differ([1], [1, 1])
        and differ("x", "y")
        and differ(True, 1)
        and differ(None, 0)
    )
    assert differ(1.0, 1.0 + 2**-52, exact=True) and not differ([1, "x", None], [1, "x", None], exact=True)


def test_the_commit_is_known_or_said_to_be_unknown(tmp_path, monkeypatch):
    fresh = provenance.commit.__wrapped__
    monkeypatch.delenv("SNNCORE_COMMIT", raising=False)
    monkeypatch.setattr(provenance, "source_tree", lambda: tmp_path)
    unknown = fresh()
    assert unknown.sha is None and unknown.dirty is None and unknown.note
    given = fresh("a" * 40)
    assert given.sha == "a" * 40 and given.dirty is None and "given by the user" in given.note
    monkeypatch.setenv("SNNCORE_COMMIT", "b" * 40)
    assert fresh().sha == "b" * 40
    with pytest.raises(provenance.ProvenanceError, match="40 hexadecimal digits, got 'main'"):
        fresh("main")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in fresh().note


def test_home_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNCORE_HOME", str(tmp_path))
    assert provenance.home() == tmp_path
    monkeypatch.delenv("SNNCORE_HOME")
    monkeypatch.setattr(provenance, "source_tree", lambda: tmp_path)
    monkeypatch.chdir("/")
    assert provenance.home() == Path("/")
    (tmp_path / "pyproject.toml").write_text("")
    assert provenance.home() == tmp_path


def test_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert provenance.usable_cores() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert provenance.usable_cores() >= 1


def test_seal_covers_everything_else():
    one = seal({"a": 1})
    assert seal(one) == one and seal({"a": 2})["sha256"] != one["sha256"]


def test_mixed_precision_is_looked_at_before_a_run(monkeypatch, places):
    looked = []
    monkeypatch.setattr(executing, "warn_unless_bfloat16_pays", lambda: looked.append(1))
    collect([entry("one")], run_missing=True, progress=False, **places)
    assert not looked
    monkeypatch.setattr(executing, "_mixes_precision", lambda spec: spec["name"] == "two")
    collect([entry("two")], run_missing=True, progress=False, **places)
    assert looked == [1]


@pytest.mark.parametrize(
    ("spec", "mixes"),
    [
        ({"training": {"mixed_precision": True}}, True),
        ({"ann": {"training": {"mixed_precision": False}}}, False),
        ({"classifiers": [{"training": {"mixed_precision": True}}]}, True),
        ({"name": "mixed_precision"}, False),
    ],
)
def test_mixed_precision_is_found_wherever_a_spec_has_it(spec, mixes):
    assert executing._mixes_precision(spec) is mixes
