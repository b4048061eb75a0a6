"""The chapter on cost shows what the benchmark's JSON says, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import TOPICS
from bench.report import Aim, Amount, Check, Ratio, Timing, Topic
from panda2020 import contents
from panda2020.cost import benchmark, hours
from panda2020.cost import tables as cost_tables
from panda2020.exhibits.exhibit import table_html
from tools.check_book import records_behind, table_against_csv

ROOT = Path(__file__).parents[3]


def timed(name, layout, *seconds):
    return Timing(name, seconds, seconds, layout)


@pytest.fixture
def bench(tmp_path):
    """Round numbers: convolutions 1 s, snncore 2 s and 1.25 s, a peer 3 s (4 s in the slower format)."""
    ours, bare = timed("snncore", "channels_last", 2.0, 1.25), timed("conv-only", "channels_last", 1.0, 1.0)
    slow, quick = timed("norse", "contiguous", 4.0, 4.0), timed("norse", "channels_last", 3.0, 3.0)
    step = Topic(
        {"topology": "2C3 P F4 F3", "steps": 3, "batch": 2, "image": [1, 8, 8]},
        (ours, bare, slow, quick),
        ratios=(
            Ratio.between("snncore / conv-only channels_last", ours, bare, Aim("at most", 1.5)),
            Ratio.between("norse channels_last / snncore", quick, ours, Aim("at least", 4.0)),
            Ratio.between("norse contiguous / snncore", slow, ours),
        ),
        checks=(Check("same", "0 differ", True),),
    )
    memory = Topic(
        {},
        amounts=(Amount("snncore", 3, 2 << 20, 1 << 20), Amount("norse", 3, 8 << 20, 1 << 20)),
        ratios=(Ratio("snncore / norse at T=3", (0.25,), 0.25, Aim("at most", 0.7)),),
    )
    parts = Topic(
        {},
        (
            timed("convolutions", "", 1.0, 1.0),
            timed("neurons", "", 0.5, 0.5),
        ),
    )
    layer = Topic({"shape": (3, 2)}, (timed("snncore", "", 0.5, 0.5),))
    topics = {
        "peak_memory": memory,
        "neuron_layer": layer,
        "training_step": step,
        "step_parts": parts,
        "poisson_code": layer,
    }
    data = {
        "schema": 1,
        "date": "2020-01-01T00:00:00+00:00",
        "command": "python -m bench",
        "commit": "a" * 40,
        "dirty": False,
        "machine": {
            "cpu": "a CPU",
            "platform": "Linux",
            "cores": 2,
            "threads": 1,
            "allocator": {},
            "load_before": 0.1,
            "load_after": 0.2,
        },
        "versions": {"torch": "2.13", "norse": None},
        "skipped": {"norse": "not installed"},
        "settings": {"size": "full", "repeats": 2, "clock": "cpu"},
        "topics": [
            topic.to_dict(name, name) | {"wall": 1.0, "source": benchmark.source(name)}
            for name, topic in topics.items()
        ],
    }
    (tmp_path / "results").mkdir()
    file = tmp_path / "results" / "bench.json"
    file.write_text(json.dumps(data))
    return cost_tables.load(file)


def test_verdicts_know_the_spread(bench):
    table = cost_tables.aims_table(bench).set_index("ratio")
    assert (
        table["verdict"].to_dict()
        == {
            "peak memory: snncore / norse at T=3": "met",
            "training step: snncore / convolutions with ReLU (channels last)": "undecided",  # quartiles 1.44 to 1.81 around 1.5
            "training step: norse (channels last) / snncore": "missed",
        }
    )
    assert table["quartiles"].tolist() == ["–", "1.44–1.81", "1.73–2.17"]
    assert table["aim"].str.replace("\N{NO-BREAK SPACE}", " ").tolist() == ["≤ 0.7", "≤ 1.5", "≥ 4"]


def test_free_neurons_by_hand(bench):
    row = cost_tables.ceilings(bench).iloc[0]
    assert row["library"] == "norse"
    assert row["measured"] == pytest.approx((3 / 2 + 3 / 1.25) / 2)  # each round's own ratio
    assert row["with free neurons"] == pytest.approx(3.0)


def test_timings_stand_in_order_beside_the_first(bench):
    table = cost_tables.timings_table(bench, "training_step")
    assert table["what"].tolist() == ["convolutions with ReLU", "snncore", "norse", "norse"]
    assert table["setting"].tolist() == ["channels last", "channels last", "channels last", "contiguous"]
    assert table["over snncore"].tolist() == pytest.approx([1 / 1.625, 1, 3 / 1.625, 4 / 1.625])
    assert "setting" not in cost_tables.timings_table(bench, "step_parts")


def test_networks_stand_beside_their_convolutions(bench):
    spiking, bare = (
        timed("VGG5 at width 0.25, spiking", "", 2.0, 1.5),
        timed("VGG5 at width 0.25, conv-only", "", 1.0, 1.0),
    )
    ratio = Ratio.between("VGG5 at width 0.25, spiking / conv-only", spiking, bare, Aim("at most", 1.3))
    bench.data["topics"].append(Topic({}, (spiking, bare), ratios=(ratio,)).to_dict("network_step", "t"))
    row = cost_tables.networks_table(bench).iloc[0]
    assert (row["network"], row["width"], row["quartiles"]) == ("VGG5", 0.25, "1.62–1.88")
    assert row[["spiking (ms)", "convolutions (ms)", "ratio"]].tolist() == pytest.approx([1750, 1000, 1.75])


def test_number_formats_stand_side_by_side(bench):
    slow, quick = timed("3 to 64 maps, float32", "", 0.2, 0.4), timed("3 to 64 maps, bfloat16", "", 0.1, 0.1)
    ratio = Ratio.between("3 to 64 maps, float32 / bfloat16", slow, quick)
    bench.data["topics"].append(Topic({}, (slow, quick), ratios=(ratio,)).to_dict("number_formats", "t"))
    row = cost_tables.formats_table(bench).iloc[0]
    assert row["convolution"] == "3 to 64 maps" and row["quartiles"] == "2.50–3.50"
    assert row[["float32 (ms)", "bfloat16 (ms)", "float32 / bfloat16"]].tolist() == pytest.approx(
        [300, 100, 3]
    )


def test_image_steps_per_second(bench):
    mine, peer = timed("snncore", "", 0.1, 0.1), timed("spikingjelly, step by step", "", 0.5, 0.5)
    ratio = Ratio.between("spikingjelly, step by step / snncore", peer, mine, Aim("at least", 3.0))
    setting = {"images": 5, "steps": 20}
    bench.data["topics"].append(Topic(setting, (mine, peer), ratios=(ratio,)).to_dict("conversion", "t"))
    table = cost_tables.conversion_table(bench)
    assert table["what"].tolist() == ["snncore", "SpikingJelly, step by step"]
    assert table["image-steps per second"].tolist() == pytest.approx([1000, 200])
    assert table["over snncore"].tolist() == pytest.approx([1, 5])
    labels = [text.get_text() for text in cost_tables.draw_ratios(bench).axes[0].get_yticklabels()]
    assert labels[-1] == "conversion: SpikingJelly, step by step"


def test_growth_against_each_axis(bench):
    timings = [
        timed(f"{name}, {axis} {value}", "", seconds, seconds)
        for axis in ("T", "width")
        for name, own in (("snncore", 2.0), ("conv-only", 1.0))
        for value, seconds in ((1, own), (4, 4 * own))
    ]
    ratios = [
        Ratio(f"{name}: growth of time over growth of {axis}", (1.0, 1.5), 1.0)
        for axis in ("T", "width")
        for name in ("snncore", "conv-only")
    ]
    bench.data["topics"].append(Topic({}, tuple(timings), ratios=tuple(ratios)).to_dict("scaling", "t"))
    table = cost_tables.growth_table(bench)
    assert table["what"].tolist() == ["snncore", "convolutions with ReLU"] * 2
    assert table["varied"].tolist() == ["T", "T", "width", "width"]
    figure = cost_tables.draw_growth(bench)
    assert [axes.get_xlabel() for axes in figure.axes] == ["time steps T", "width factor"]
    mine, bare = figure.axes[0].containers
    assert mine.lines[0].get_xydata().tolist() == [[1, 2000], [4, 8000]]
    assert bare.lines[0].get_xydata().tolist() == [[1, 1000], [4, 4000]]


def test_memory_in_mib(bench):
    table = cost_tables.memory_table(bench)
    assert table["peak (MiB)"].tolist() == [2, 8] and table["snncore / this"].tolist() == [1, 0.25]


def test_noise_is_the_typical_spread(bench):
    # of eight timings only snncore's step varies
    assert cost_tables.noise(bench) == 0
    assert "norse: not installed" in cost_tables.machine_table(bench).set_index("what").loc["skipped"].item()


def test_the_record_says_when_the_code_has_changed(bench, monkeypatch):
    assert bench.record.tag == "recorded"
    monkeypatch.setattr(benchmark, "source", lambda topic: "other")
    assert bench.record.tag == "recorded-by-older-sources"


def test_exhibits_of_it_pass_the_gate_until_the_file_changes(bench):
    page = table_html(cost_tables.aims_table(bench), name="Table 1", caption="c", records=[bench.record])
    root = bench.path.parents[1]
    assert list(records_behind(page, root)) == [] and list(table_against_csv(page)) == []
    changed = json.loads(bench.path.read_text())
    changed["machine"]["threads"] = 2
    bench.path.write_text(json.dumps(changed))
    assert "another content" in next(records_behind(page, root))


def test_figures_show_every_ratio(bench):
    labels = [text.get_text() for text in cost_tables.draw_ratios(bench).axes[0].get_yticklabels()]
    assert labels == ["training step: norse (channels last)", "training step: norse (contiguous)"]
    bars = cost_tables.draw_step(bench).axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([1000, 1625, 3000])


def test_ratios_and_aims_in_words(bench):
    (said,) = cost_tables.ratio_sentences(bench)
    both = [row["summary"]["median"] for _, row in bench.rows("ratios") if row["name"].endswith("/ snncore")]
    assert (
        said == f"A training step takes {min(both):.2f} times as long in norse as in snncore."
    )  # its faster setting
    assert cost_tables.aim_sentence(bench) == "Of 3 aims, 1 are met, 1 are undecided, 1 are missed."


def test_another_schema_is_refused(tmp_path):
    file = tmp_path / "bench.json"
    file.write_text('{"schema": 7}')
    with pytest.raises(ValueError, match="schema 1, got .* of schema 7"):
        cost_tables.load(file)


def test_hours_per_grid(tmp_path):
    table = hours.minutes_table(tmp_path)
    assert set(table["runs of"]) == set(contents.TABLES)
    assert (table[["quick runs", "laptop runs", "paper runs"]] > 0).all(axis=None)
    assert (table["laptop hours"] > 0).all() and (table["laptop recorded"] == 0).all()
    assert (table["paper hours"] > table["laptop hours"]).all()
    chapters = hours.chapter_table(table)
    assert chapters["chapter"].tolist() == [
        "3",
        "4",
        "5",
        "6",
        "7",
        "7 (recipes)",
        *map(str, range(8, 12)),
        "13",
        "14",
    ]
    assert chapters["paper, hours"].sum() == pytest.approx(table["paper hours"].sum())
    assert (chapters["recorded runs took, hours"] == 0).all()
    once = hours.total_hours(tmp_path)
    assert (
        once["laptop"] < table["laptop hours"].sum() and once["paper"] < table["paper hours"].sum()
    )  # shared runs
    assert once["measured"] == once["expected"] == 0
    said = hours.hours_sentence(once)
    assert f"{once['laptop']:,.0f} at profile laptop" in said and "recorded" not in said
    assert "took 2.0 times as long" in hours.hours_sentence({**once, "measured": 3.0, "expected": 1.5})


def test_measured_hours_are_those_of_planned_runs():
    """A record that is no longer planned, or that another seed of the plan made, is in no row."""
    results = ROOT / "results"
    table, once = hours.minutes_table(results).set_index("runs of"), hours.total_hours(results)
    assert (table["laptop recorded"] <= table["laptop runs"]).all()
    measured = [column for column in table if column.endswith("hours measured")]
    assert 0 < once["measured"] <= table[measured].sum().sum()
    # of the recorded runs alone, so that the two can be compared
    assert 0 < once["expected"] < once["laptop"] + once["paper"]


def test_the_committed_benchmark_is_whole():
    """What the chapter shows, all libraries, the size that the aims are stated for, and every check held."""
    bench = cost_tables.load(ROOT / "results" / "bench.json")
    shown = {
        "peak_memory",
        "neuron_layer",
        "training_step",
        "step_parts",
        "poisson_code",
        "time_chunks",
        "network_step",
        "hybrid_step",
        "stdp_update",
    }
    assert shown <= set(bench.topics) <= set(TOPICS)
    assert bench.data["settings"]["size"] == "full" and bench.data["skipped"] == {}
    assert all(row["holds"] for _, row in bench.rows("checks"))
    assert bench.data["machine"]["allocator"]["MALLOC_TRIM_THRESHOLD_"] == str(8 << 30)
