"""The benchmark runs, says what it measured, checks what it claims, and skips absent libraries by name."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import (
    TOPICS,
    contenders,
    hybrid_step,
    machine,
    network_step,
    peak_memory,
    scaling,
    stdp_update,
    time_chunks,
    timing,
    training_step,
)
from bench import command as bench_command
from bench.report import Aim, Amount, Check, Options, Ratio, Timing, Topic, table
from panda2020.cost import benchmark
from panda2020.cost.benchmark import Spread
from snncore.neurons import fire

SMALL = Options(size="small", repeats=1)
TINY = contenders.Setting(steps=3, batch=2, widths=(2, 3), features=4, image=(1, 8, 8), classes=3)


def timed(name, *seconds):
    return Timing(name, seconds, seconds)


# --- numbers -----------------------------------------------------------------------------------------------


def test_median_and_quartiles_by_hand():
    spread = Spread.of([4.0, 1.0, 3.0, 2.0, 5.0])
    assert (spread.median, spread.lower, spread.upper) == (3.0, 2.0, 4.0)
    assert spread.spread == pytest.approx(2 / 3)
    assert Spread.of([0.5]) == Spread(0.5, 0.5, 0.5)


def test_a_ratio_compares_round_with_round():
    """A round in which the machine was busy slows both and leaves the ratio alone."""
    ratio = Ratio.between("slow / quick", timed("slow", 2.0, 20.0, 3.0), timed("quick", 1.0, 10.0, 1.0))
    assert ratio.samples == (2.0, 2.0, 3.0)
    assert ratio.value.median == 2.0
    assert ratio.best == 2.0
    assert ratio.met is None


@pytest.mark.parametrize(
    "kind, ratio, met",
    [("at least", 2.5, True), ("at least", 2.4, False), ("at most", 1.3, True), ("at most", 1.4, False)],
)
def test_aims(kind, ratio, met):
    aim = Aim(kind, 2.5 if kind == "at least" else 1.3)
    assert aim.met(ratio) is met
    assert Ratio("r", (ratio,), ratio, aim).to_dict()["met"] is met


def test_aims_hold_for_the_full_size_alone():
    aim = Aim("at least", 2.0)
    assert Options(size="full").judged(aim) == aim
    assert SMALL.judged(aim) is None


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: Options(size="huge"), "size"),
        (lambda: Options(repeats=0), "repeats"),
        (lambda: Options(clock="sun"), "clock"),
        (lambda: Aim("around", 1.0), "kind"),
        (lambda: Aim("at most", 0.0), "value"),
        (lambda: contenders.Setting(steps=0), "steps"),
        (lambda: contenders.network("bindsnet", TINY), "name"),
        (lambda: contenders.network("conv-only", TINY, layout="strided"), "layout"),
        (lambda: contenders.layer("torch"), "name"),
    ],
)
def test_wrong_arguments_are_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()


# --- timing ------------------------------------------------------------------------------------------------


def test_functions_take_turns_and_the_first_round_does_not_count(monkeypatch):
    """By a clock that each call moves on: 1 s for a, 10 s for b, and 100 s more in the first round."""
    now, calls = [0.0], []

    def work(name, cost):
        def call():
            calls.append(name)
            now[0] += cost + (100 if len(calls) <= 2 else 0)

        return call

    monkeypatch.setitem(timing.CLOCK, "cpu", lambda: now[0])
    found = timing.interleaved({"a": work("a", 1.0), "b": work("b", 10.0)}, repeats=3, clock="cpu")
    assert "".join(calls) == "abbaabba"
    assert found["a"].seconds == (1.0, 1.0, 1.0) and found["b"].seconds == (10.0, 10.0, 10.0)
    assert len(found["a"].wall) == 3


def test_garbage_collection_is_on_again_after_a_failure():
    import gc

    def fail():
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        timing.interleaved({"a": fail}, repeats=1, clock="wall")
    assert gc.isenabled()


# --- what is compared --------------------------------------------------------------------------------------


def test_the_setting_of_the_aims():
    setting = contenders.Setting()
    assert setting.topology == "32C3 P 64C3 P 64C3 P F256 F10"
    assert setting.flat == 64 * 4 * 4
    spikes, labels = setting.spikes()
    assert spikes.shape == (25, 32, 3, 32, 32) and labels.shape == (32,)


def test_convolutions_alone_have_the_same_weights_on_every_time_step():
    """Conv-only scores equal a loop over time steps through plain functions, with snncore's weights."""
    plain, spiking = contenders.network("conv-only", TINY), contenders.network("snncore", TINY)
    assert all(torch.equal(a, b) for a, b in zip(plain.hidden(), spiking.hidden(), strict=True))
    assert all(
        torch.equal(a, b) for a, b in zip(plain.head.parameters(), spiking.head.parameters(), strict=True)
    )
    spikes, _ = TINY.spikes()
    F, found = torch.nn.functional, []
    *convs, dense = plain.hidden()
    for x in spikes:
        for weight in convs:
            x = F.avg_pool2d(F.relu(F.conv2d(x, weight, padding=1)), 2)
        found.append(F.relu(F.linear(x.flatten(1), dense)))
    torch.testing.assert_close(plain(spikes), plain.head(torch.stack(found).mean(0)))


def test_a_training_step_moves_all_weights():
    net = contenders.network("snncore", replace(TINY, steps=8))
    before = [p.detach().clone() for p in net.parameters()]
    contenders.training_step(net, *replace(TINY, steps=8).spikes())()
    assert all(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_weights_in_another_librarys_units_and_their_gradients():
    """Scaled weights in, unscaled gradients out: d/dw of f(20 w) is 20 times f'."""
    net = contenders.network("conv-only", TINY)
    reference = [p.detach().clone() for p in net.hidden()]
    net.scale = 20.0
    net.take(contenders.weights(TINY))
    for mine, given in zip(net.hidden(), reference, strict=True):
        torch.testing.assert_close(mine.detach(), 20 * given)
    net.body(TINY.spikes()[0][0]).sum().backward()
    first = net.hidden()[0]
    torch.testing.assert_close(net.gradients()[0], 20 * first.grad)


def test_the_order_of_leak_and_reset_can_be_the_peers():
    current = torch.tensor([1.5, 0.0, 0.6])[:, None]
    # 1.5 | .95*1.5-1 = .425 | .95*.425+.6 = 1.00375 ;  reset first: .95*.5 = .475 | .95*.475+.6 = 1.05125
    assert contenders.layer("snncore")(current)[:, 0].tolist() == [1, 0, 1]
    assert contenders.layer("snncore", order="reset-then-leak")(current)[:, 0].tolist() == [1, 0, 1]
    between = torch.tensor([1.5, 0.0, 0.57])[:, None]  # .97375 against 1.02125
    assert contenders.layer("snncore")(between)[:, 0].tolist() == [1, 0, 0]
    assert contenders.layer("snncore", order="reset-then-leak")(between)[:, 0].tolist() == [1, 0, 1]


def test_stdp_updates_by_hand():
    """One pixel, one weight and two steps: pre spikes at step 0, post at step 1."""
    pre, post = (torch.tensor(values).view(2, 1, 1, 1, 1) for values in ([1.0, 0.0], [0.0, 1.0]))
    weight = torch.full((1, 1, 1, 1), 0.25)
    both = stdp_update.both_halves(pre, post, weight)
    assert both().item() == pytest.approx(0.25)  # no post spike yet, and its trace is 0
    assert both().item() == pytest.approx(0.25 + stdp_update.ETA * (1 - 1 / stdp_update.TAU))
    assert both().item() == pytest.approx(
        0.25
    )  # the pre spike again, a step after the post spike: as much lower
    rule = stdp_update.eq5(pre, post, weight)
    assert [rule().item() for _ in range(2)] == pytest.approx(
        [0.25, 0.25]
    )  # a single pair is its own mean trace


def test_kept_bytes_by_hand():
    """One convolution with ReLU keeps its output (the ReLU, in place) and nothing of input and weights; pooling keeps what
    it read, which is the same storage."""
    setting = contenders.Setting(steps=2, batch=1, widths=(2,), features=3, image=(1, 4, 4), classes=2)
    found = peak_memory.kept(contenders.network("conv-only", setting), *setting.spikes())
    maps, pooled, hidden, mean = 2 * 2 * 16, 2 * 2 * 4, 2 * 3, 3
    log_softmax, total = 2, 1  # scores of one image, and the sum of the targets' weights
    assert found == 4 * (maps + pooled + hidden + mean + log_softmax + total)


# --- topics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [topic for topic in TOPICS if topic != "peak_memory"])
def test_topics_run_without_any_peer(name):
    module = importlib.import_module(f"bench.{name}")
    entry = module.run(SMALL).to_dict(name, module.TITLE)
    assert entry["checks"] or entry["timings"]
    assert all(check["holds"] for check in entry["checks"]), entry["checks"]
    assert all(len(row["seconds"]) == 1 for row in entry["timings"])
    assert all(row["aim"] is None for row in entry["ratios"])
    assert json.loads(json.dumps(entry)) == entry


def test_the_fastest_setting_counts():
    settings = {"contiguous": 3.0, "channels_last": 2.0, "channels_last bfloat16": 1.0}
    timings = {("norse", layout): Timing("norse", (at,), (at,), layout) for layout, at in settings.items()}
    found = [training_step._fastest(timings, "norse", kind).seconds[0] for kind in (None, False, True)]
    assert found == [1.0, 2.0, 1.0]


def test_in_bfloat16_weights_and_their_gradients_stay_float32():
    net = contenders.network("snncore", TINY)
    seen = []
    net.head.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    contenders.training_step(net, *TINY.spikes(), bfloat16=True)()
    assert seen == [torch.bfloat16] and all(p.dtype == torch.float32 for p in net.parameters())


def test_growth_is_one_where_time_is_in_proportion(monkeypatch):
    """By a clock that moves on as T, batch and width say, and by 1 s for every call of the convolutions."""
    now = [0.0]
    monkeypatch.setitem(timing.CLOCK, "cpu", lambda: now[0])

    def step(net, spikes, labels):
        cost = spikes.shape[0] * spikes.shape[1] * net[1] if net[0] == "snncore" else 1.0
        return lambda: now.__setitem__(0, now[0] + cost)

    monkeypatch.setattr(scaling, "training_step", step)
    monkeypatch.setattr(scaling, "network", lambda name, setting, layout: (name, setting.features))
    ratios = {ratio.name: ratio.samples[0] for ratio in scaling.run(SMALL).ratios}
    for axis in scaling.AXES:
        assert ratios[f"snncore: growth of time over growth of {axis}"] == pytest.approx(1.0)
        assert ratios[f"conv-only: growth of time over growth of {axis}"] == pytest.approx(0.5)


def test_features_of_the_processor(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor : 0\nflags : fpu avx2 fma amx_bf16\n\nprocessor : 1\nflags : avx2\n")
    monkeypatch.setattr(machine, "_CPUINFO", file)
    assert machine.features() == ("avx2", "fma", "amx_bf16")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert machine.features() == ()


def test_chunks_that_disagree_are_noticed(monkeypatch):
    """A layer that forgets its state at the border of a chunk fails the check."""
    monkeypatch.setattr(time_chunks, "fire", lambda current, neuron, *, state: fire(current, neuron))
    assert not time_chunks._gradient(5).holds
    assert time_chunks._gradient(time_chunks.STEPS).holds


def test_a_spiking_block_of_other_weights_is_noticed():
    whole, block, images, _ = hybrid_step._networks("small")
    assert hybrid_step._agreement(whole, block, images, 5).holds
    with torch.no_grad():
        block.layers["conv1"].get_parameter("weight").neg_()
    assert not hybrid_step._agreement(whole, block, images, 5).holds


def test_the_ann_beside_a_spiking_network_does_the_same_convolutions():
    """Same weights, same passes, and the loss of a plain loop over time steps; an ANN of another width is told apart."""
    parts, (found, holds) = network_step._pair("VGG3x2-v2", 1 / 16, 3)
    assert holds and set(parts) == {"spiking", "conv-only"} and "per step and image" in found
    (spiking, spikes, labels), (plain, again, _) = (part.args for part in parts.values())
    assert spikes is again and spikes.shape == (3, 2, 3, 32, 32)
    assert all(torch.equal(a, b) for a, b in zip(spiking.parameters(), plain.parameters(), strict=True))
    assert spiking.layers["conv1"].neurons and not plain.layers["conv1"].neurons
    looped = torch.stack([plain.features(one) for one in spikes]).mean(0)
    plain.head.loss(looped, labels)[0].backward()
    expected = plain.layers["conv2"].weight.grad.clone()
    parts["conv-only"]()
    torch.testing.assert_close(plain.layers["conv2"].weight.grad, expected, rtol=1e-4, atol=1e-6)
    parts["spiking"]()
    assert spiking.layers["conv1"].weight.grad.abs().sum() > 0


@pytest.mark.skipif(not peak_memory.RESTART.exists(), reason="needs Linux's /proc/self/clear_refs")
def test_peak_memory_holds_what_autograd_keeps():
    """In a process of its own."""
    setting = replace(TINY, batch=256, image=(3, 32, 32), widths=(8, 8))
    found = peak_memory.measure_apart("snncore", setting)
    membranes = 4 * 3 * 256 * (8 * 32 * 32 + 8 * 16 * 16)  # bytes: the convolutional layers' potentials
    assert found.contender == "snncore" and found.steps == 3
    assert membranes < found.kept < found.peak < 20 * membranes


def test_where_the_peak_cannot_be_measured_it_says_so(monkeypatch):
    monkeypatch.setattr(peak_memory, "RESTART", Path("/no/such/file"))
    topic = peak_memory.run(SMALL)
    assert not topic.amounts and "not measured" in topic.notes[0]


# --- the command -------------------------------------------------------------------------------------------


def hide(monkeypatch, *names):
    """As if these distributions were not installed."""
    version = importlib.metadata.version

    def without(name):
        if name in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)


def test_absent_peers_are_skipped_by_name(monkeypatch, tmp_path, capsys):
    hide(monkeypatch, *contenders.PEERS)
    monkeypatch.setattr(sys, "argv", ["bench", "--size", "small"])
    file = tmp_path / "new" / "bench.json"
    threads = torch.get_num_threads()
    try:
        code = bench_command.main(
            ["neuron_layer", "time_chunks", "--size", "small", "--repeats", "2", "--json", str(file)]
        )
    finally:
        torch.set_num_threads(threads)
    assert code == 0
    report = json.loads(file.read_text())
    assert report["schema"] == 1
    assert set(report) == {
        "schema",
        "date",
        "command",
        "commit",
        "dirty",
        "machine",
        "versions",
        "skipped",
        "settings",
        "topics",
    }
    assert report["skipped"] == dict.fromkeys(contenders.PEERS, "not installed")
    assert report["versions"]["norse"] is None and report["versions"]["torch"] == torch.__version__
    assert report["settings"] == {"size": "small", "repeats": 2, "clock": "cpu"}
    assert {"cpu", "features", "cores", "threads", "load_before", "load_after", "allocator"} <= set(
        report["machine"]
    )
    assert [topic["name"] for topic in report["topics"]] == ["neuron_layer", "time_chunks"]
    assert (
        report["topics"][0]["source"] == benchmark.source("neuron_layer") != benchmark.source("time_chunks")
    )
    rows = report["topics"][0]["timings"]
    assert [row["contender"] for row in rows] == ["snncore", "copy"]
    assert len(rows[0]["seconds"]) == len(rows[0]["wall"]) == 2
    assert set(rows[0]["summary"]) == {"median", "lower", "upper"}
    printed = capsys.readouterr().out
    assert all(f"skipped {name}: not installed" in printed for name in contenders.PEERS)


def test_a_peer_that_cannot_be_imported_says_why(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9")
    monkeypatch.setitem(sys.modules, "norse", None)  # importing it raises ImportError
    assert contenders._peer("norse").version is None
    assert "9.9 is installed but cannot be imported" in contenders._peer("norse").reason


@pytest.mark.parametrize(
    "words, said",
    [
        (["gpu"], "topic must be one of"),
        (["--repeats", "0"], "repeats and threads must be at least 1"),
        (["--clock", "sun"], "invalid choice"),
    ],
)
def test_wrong_commands(words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench_command.main(words)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_failing_check_fails_the_command(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(time_chunks, "run", lambda options: Topic({}, checks=(Check("it", "not", False),)))
    try:
        assert bench_command.main(["time_chunks", "--size", "small"]) == 1
    finally:
        torch.set_num_threads(threads)


def test_the_printed_table():
    topic = Topic(
        {"T": 3},
        (timed("snncore", 0.001, 0.003, 0.002), Timing("norse", (0.004,), (0.004,), "channels_last")),
        (Amount("snncore", 3, 3 * 2**20, 2**20),),
        (
            Ratio("a / b", (1.0, 1.5, 2.0), 1.25, Aim("at least", 2.0)),
            Ratio("c / d", (0.5,), 0.5, Aim("at most", 0.7)),
        ),
        (Check("same", "0 differ", True), Check("other", "1 differs", False)),
        ("a note",),
    )
    lines = table(topic.to_dict("t", "Title")).splitlines()
    assert lines[0] == "Title  (T 3)"
    words = [" ".join(line.split()) for line in lines[1:]]
    assert words == [
        "snncore 2.0 ms quartiles 1.5 to 2.5",
        "norse channels_last 4.0 ms quartiles 4.0 to 4.0",
        "snncore T=3 3 MiB of which kept for backward 1",
        "a / b 1.50 x quartiles 1.25 to 1.75, fastest rounds 1.25 aim at least 2: missed",
        "c / d 0.50 x aim at most 0.7: met",
        "ok same: 0 differ",
        "FAIL other: 1 differs",
        "note: a note",
    ]
