"""Verdicts under other choices, on made-up runs whose verdicts are known."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from made_up import World

from panda2020.claims.evidence import PROFILES, Evidence, Run
from panda2020.claims.verdicts import CONTRADICTED, NOT_RECORDED, SUPPORTED
from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.ledger import sensitivity
from panda2020.runs import Record
from panda2020.samples import DEFAULT, own_reading

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")

PAIR = ("VGG5", "VGG3x2-v2")


def priced(evidence: Evidence, *, floats: float) -> Evidence:
    """The same records with an EE for every convention and price list, that of float32 times ``floats``."""
    runs = []
    for run in evidence.runs:
        data = copy.deepcopy(dict(run.record.data))
        result = data["result"]
        several = (*result.get("snn", {}).values(), *result.get("classifiers", {}).values())
        for place in (result, *several, *(held["learned"] for held in several if "learned" in held)):
            if "energy" in place:
                known = place["energy"]["paper/int32"]
                place["energy"] = {
                    f"{convention}/{prices}": {**known, "efficiency": known["efficiency"] * factor}
                    for convention in ("paper", "physical", "full")
                    for prices, factor in (("int32", 1), ("float32", floats))
                }
                if "convolutions" in place:
                    one = place["convolutions"]["energy"]["paper/int32"]
                    place["convolutions"] = {"energy": dict.fromkeys(place["energy"], one)}
        runs.append(Run(run.entry, run.key, Record(data, run.record.path, "recorded", run.entry.labels)))
    return Evidence(evidence.profile, tuple(runs))


def reweighed(record: Record) -> Record:
    """The same record, of a network with other weights."""
    data = {**record.data, "result": {**record.result, "weights_sha256": "another"}}
    return Record(data, record.path, "recorded", record.labels)


def test_conditions_change_one_choice_at_a_time():
    found = sensitivity.conditions()
    assert next(iter(found.items())) == ("default", DEFAULT)
    assert {"convention physical", "convention full", "prices float32", "reading B"} <= set(found)
    for name, one in found.items():
        changed = [f for f in ("convention", "prices", "reading") if getattr(one, f) != getattr(DEFAULT, f)]
        assert changed == ([] if name == "default" else [name.split()[0]])


def test_bars_of_verdicts_are_as_long_as_their_counts():
    counts = sensitivity.judged(FIRST, found=priced(World({}).evidence(), floats=1)).counts
    axes = sensitivity.draw_counts(counts).axes[0]
    drawn = sum(bar.get_width() for bar in axes.patches)
    assert drawn == counts.drop(columns=["choice", "moved"]).to_numpy().sum()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == counts["choice"].tolist()


def test_a_verdict_that_depends_on_prices_moves_and_others_stay():
    world = World({("ee", name, "snn"): 15.0 for name in PAIR}).evidence()
    judged = sensitivity.judged(FIRST, found=priced(world, floats=0.01))
    movers = judged.movers.set_index("claim")
    assert (
        movers.loc["agd-ee", "default"] == "✔ supported"
        and movers.loc["agd-ee", "prices float32"] == "✘ contradicted"
    )
    assert movers.loc["agd-ee", "convention full"] == "✔ supported"
    assert "conv-lossless" not in movers.index and "coding-integrity" not in movers.index
    counts = judged.counts.set_index("choice")
    assert counts.loc["default", "moved"] == counts.loc["convention full", "moved"] == 0
    assert counts.loc["prices float32", "moved"] == len(movers) > 0
    assert (counts.drop(columns="moved").sum(axis=1) == sum(judged.ledgers["default"].counts.values())).all()
    assert (
        judged.finding.startswith(f"{len(movers)} of ")
        and f"prices float32 ({len(movers)})" in judged.finding
    )


def test_conversions_by_percentile_take_the_place_of_the_others():
    world = priced(World({("acc", "VGG7-conv", "converted-percentile"): 0.2}).evidence(), floats=1)
    assert (
        "thresholds by percentile" not in sensitivity.judged(FIRST, found=world).ledgers
    )  # none is recorded
    more = World({("acc", "VGG7-conv", "converted-percentile"): 0.2}).runs(
        FIRST, "VGG7-conv", "converted-percentile", (10, 100, 250, 500, 2000), 0
    )
    found = priced(Evidence(FIRST, (*world.runs, *more)), floats=1)
    by_maximum, by_percentile = (one.case() for one in sensitivity.of_both_balancings(found))
    assert set(by_maximum.series("VGG7-conv", "converted", 2000).samples) == {0}  # the seeds that have both
    assert by_maximum.series("VGG7-conv", "converted", 2000).accuracy() == pytest.approx(0.5)
    put = by_percentile
    assert put.series("VGG7-conv", "converted", 2000).accuracy() == pytest.approx(0.2)
    assert set(put.series("VGG7-conv", "converted", 2000).samples) == {0}
    for name, role in (
        ("VGG2x4", "converted"),
        ("VGG7-conv", "converted-relu-2"),
        ("VGG2x4", "converted-shared"),
    ):
        for case in (
            by_maximum,
            by_percentile,
        ):  # no percentile of them: one way to balance must not be held against the other
            assert not case.series(name, role, 2000).samples
    other = lambda run: run.entry.role == "converted-percentile"  # noqa: E731
    apart = [replace(run, record=reweighed(run.record)) if other(run) else run for run in found.runs]
    for evidence in sensitivity.of_both_balancings(Evidence(FIRST, tuple(apart))):
        assert (
            not evidence.case().series("VGG7-conv", "converted", 2000).samples
        )  # percentile and maximum of two different ANNs
    judged = sensitivity.judged(FIRST, found=found)
    assert "thresholds by percentile" in set(judged.counts["choice"])


def test_a_reading_that_is_not_run_is_not_asked():
    world = priced(World({("acc", "VGG3", "snn-stochmax"): 0.53}).evidence(), floats=1)

    def only(run):
        return (
            replace(run, entry=replace(run.entry, note="reading A")) if run.entry.network == "VGG3" else run
        )

    runs = map(only, world.runs)
    judged = sensitivity.judged(FIRST, found=Evidence(FIRST, tuple(runs)))
    assert judged.ledgers["default"].judgements["stochmax-low-T"].verdict == SUPPORTED
    other = judged.ledgers["reading B"].judgements["stochmax-low-T"]
    assert other.verdict == NOT_RECORDED and "SNN VGG3, T = 5" in other.conclusion.reason
    assert not judged.asked("stochmax-low-T", "reading B") and not judged.moved("stochmax-low-T", "reading B")
    assert judged.asked("stochmax-low-T", "reading C")  # VGG3 has no such reading, so it is the same network
    counts = judged.counts.set_index("choice")
    assert counts.loc["reading B", "not asked"] >= 1 and counts.loc["default", "not asked"] == 0
    assert judged._cell("stochmax-low-T", "reading B") == NO_VALUE


def test_a_reading_with_fewer_seeds_is_held_against_the_default_over_the_same_seeds():
    world, lucky = (
        World({("acc", "VGG3", "snn-stochmax"): 0.53}),
        World({("acc", "VGG3", "snn-stochmax"): 0.4}),
    )
    read = lambda runs, reading: [  # noqa: E731
        replace(run, key=run.key + reading, entry=replace(run.entry, note=f"reading {reading}"))
        for run in runs
    ]
    is_vgg3 = lambda run: run.entry.network == "VGG3"  # noqa: E731
    first = [
        run for run in lucky.evidence(seeds=[0, 1]).runs if is_vgg3(run)
    ]  # these two seeds alone contradict
    rest = [run for run in world.evidence().runs if is_vgg3(run) and run.entry.spec.seed > 1]
    others = [run for run in world.evidence().runs if not is_vgg3(run)]
    found = Evidence(FIRST, (*read(first, "A"), *read(rest, "A"), *read(first, "B"), *others))
    judged = sensitivity.judged(FIRST, found=priced(found, floats=1))
    claim = "stochmax-low-T"
    assert judged._same_seeds(claim, "reading B") == judged._verdict(claim, "reading B") == CONTRADICTED
    assert judged._verdict(claim, "default") != CONTRADICTED
    assert judged.asked(claim, "reading B") and not judged.moved(claim, "reading B")
    assert "default over the same seeds: ✘ contradicted" in judged._cell(claim, "reading B")
    assert judged._cell(claim, "reading C") == judged._cell(claim, "default")


def test_an_ann_is_the_same_in_readings_that_only_say_what_spikes():
    assert [own_reading("VGG13", "ann", reading) for reading in "ABC"] == ["A", "A", "A"]
    assert [own_reading("VGG13", "hybrid", reading) for reading in "ABC"] == ["A", "B", "C"]
    assert own_reading("VGG5", "ann", "B") == "B"  # another topology
    assert own_reading("VGG9", "hybrid-stochmax", "B") == "A"  # it has no other


def test_without_records_nothing_moves():
    judged = sensitivity.judged(FIRST, found=Evidence(FIRST, ()))
    assert judged.movers.empty and list(judged.movers.columns[:3]) == ["claim", "the paper", "default"]
    assert judged.counts["moved"].sum() == 0


def alternative(world: World, role: str, changes: dict) -> tuple[Run, ...]:
    """VGG5 at T = 25 in another role."""
    other = World({**world.changes, **changes})
    return tuple(run for seed in (0, 1, 2) for run in other.runs(FIRST, "VGG5", role, (25,), seed))


def test_the_retrained_network_takes_the_place_of_the_default_one():
    world = World({("acc", "VGG5", "ann"): 0.52})
    weak = alternative(world, "snn-signed", {("acc", "VGG5", "snn-signed"): 0.3})
    found = Evidence(FIRST, world.evidence().runs + weak)
    put = sensitivity.substituted(found, "snn-signed", 25)
    assert (
        len(put.runs) == len(found.runs) - 6
    )  # the alternatives have moved, the defaults at T = 25 and 50 are gone
    verdict = put.case().series("VGG5", "snn", 25)
    assert (
        verdict.accuracy() == pytest.approx(0.3) and not put.case().series("VGG5", "snn", 50).samples
    )  # it has no T = 50
    table = sensitivity.retrained(FIRST, found=found)
    assert list(table.columns) == ["claim", "quantity", "snn", "snn-signed"]
    (row,) = table[(table["claim"] == "agd-loss") & table["quantity"].str.contains("VGG5")].to_dict("records")
    assert SUPPORTED in row["snn"] and CONTRADICTED in row["snn-signed"]
    assert not table["quantity"].str.contains("VGG3x2").any()  # whose runs were not made again
    with pytest.raises(ValueError, match="role must be one of snn-reset-then-leak, .* got 'snn-hard'"):
        sensitivity.substituted(found, "snn-hard", 25)


def test_a_choice_without_runs_has_no_column_and_without_any_there_is_no_table():
    bare = sensitivity.retrained(FIRST, found=World({}).evidence())
    assert list(bare.columns) == ["claim", "quantity", "snn"] and bare.empty
    assert sensitivity.retrained(FIRST, found=Evidence(FIRST, ())).empty
    assert NOT_RECORDED in sensitivity._shown(NOT_RECORDED)


def test_every_choice_names_what_is_used_here_and_what_else():
    table = sensitivity.choice_table(FIRST).set_index("choice")
    assert table.loc["convention of the energy", "in this book"] == "paper"
    assert table.loc["convention of the energy", "instead"] == "physical, full"
    assert table.loc["order (snn-reset-then-leak)"].tolist()[:2] == ["leak-then-reset", "reset-then-leak"]
    assert table.loc["signed (snn-signed)"].tolist()[:2] == ["False", "True"]
    assert (table["in this book"] != table["instead"]).all()
