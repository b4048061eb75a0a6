"""STDP: layer-wise training, features and argument errors."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from stdp_cases import IMAGES, PLAIN, noise, stack

from snncore.activity import ActivityProbe
from snncore.neurons import IF, LIF
from snncore.stdp import StdpConfig
from snncore.stdp_layers import (
    StdpWarning,
    features,
    present,
    train_layerwise,
)

# --- training ---

QUICK = StdpConfig(steps=6, batch=4, neuron=LIF(threshold=0.2), settle=0)


def test_the_same_generator_gives_the_same_kernels():
    runs = [
        train_layerwise("3C3 3C3+ P F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    for layer in ("conv1", "conv2"):
        assert torch.equal(runs[0].weights[layer], runs[1].weights[layer])
        assert not torch.equal(runs[0].weights[layer], runs[2].weights[layer])


def test_a_layer_is_trained_on_finished_layers_below():
    below = train_layerwise("3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(1))
    seen = []
    both = train_layerwise(
        "3C3 3C3 F2",
        IMAGES,
        QUICK,
        generator=torch.Generator().manual_seed(1),
        progress=lambda p: seen.append(p.layer),
    )
    assert torch.equal(below.weights["conv1"], both.weights["conv1"])
    assert seen == ["conv1", "conv1", "conv2", "conv2"]
    assert not torch.equal(both.weights["conv2"], both.initial["conv2"])


def test_unrolling_n_times_makes_k_times_n_updates():
    for passes in (1, 2, 3):
        trained = train_layerwise(
            f"3C3 [3C3+]x{passes} F2",
            IMAGES.clamp(min=0.8),
            replace(QUICK, neuron=LIF(threshold=0.01)),
            generator=torch.Generator().manual_seed(0),
        )
        # every step of every pass has a post spike here, so k = T = 6
        assert [p.updates for p in trained.history if p.layer == "conv2"] == [6 * passes] * 2
        assert trained.updates("conv2") == 12 * passes


def test_snapshots_epochs_and_counts():
    trained = train_layerwise(
        "3C3 F2",
        IMAGES,
        replace(QUICK, epochs=2),
        generator=torch.Generator().manual_seed(0),
        snapshots=(0, 6, 16),
    )
    assert [p.seen for p in trained.history] == [4, 8, 12, 16]
    kept = trained.snapshots["conv1"]
    assert list(kept) == [0, 6, 16]
    assert torch.equal(kept[0], trained.initial["conv1"]) and torch.equal(kept[16], trained.weights["conv1"])
    assert not torch.equal(kept[6], kept[16])


def test_settling_brings_the_activity_without_competition_to_its_target():
    images = torch.rand(64, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    config = StdpConfig(steps=20, batch=8, target=0.05, settle=15, dropout=0.5)
    trained = train_layerwise("6C3 F2", images, config, generator=torch.Generator().manual_seed(0))
    settling = [p for p in trained.history if not p.learning]
    assert len(settling) == 15 and len(trained.history) == 8 + 15
    assert all(p.change == 0 and p.updates == 0 and p.seen == 64 for p in settling)
    probe = ActivityProbe()
    features(trained, images, generator=torch.Generator().manual_seed(1), probe=probe)
    assert probe.result()["conv1"].rate == pytest.approx(0.05, abs=0.015)


def test_stopping_early_gives_the_beginning_of_the_same_run():
    full = train_layerwise("3C3 3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(0))
    start = train_layerwise(
        "3C3 3C3 F2", IMAGES, QUICK, generator=torch.Generator().manual_seed(0), stop_after=4
    )
    assert start.history == full.history[:1]


def test_without_a_learning_rate_only_thresholds_change():
    trained = train_layerwise(
        "3C3 F2", IMAGES, replace(QUICK, eta=0.0), generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(trained.weights["conv1"], trained.initial["conv1"])
    assert trained.updates("conv1") == 0
    assert not torch.equal(trained.thresholds["conv1"], torch.full((3,), 0.2))


@pytest.mark.filterwarnings("ignore::snncore.stdp_layers.StdpWarning")
@pytest.mark.parametrize(("offset", "bound"), [(0.01, "at_high"), (3.0, "at_low")])
def test_a_constant_offset_far_from_the_trace_drives_all_weights_to_one_bound(offset, bound):
    config = StdpConfig(
        eta=0.2,
        offset=offset,
        offset_unit="absolute",
        steps=10,
        batch=1,
        settle=0,
        competition="none",
        neuron=LIF(threshold=0.05),
        start=(0.1, 0.2),
        low=0.0,
        input_rate=0.9,
    )
    images = torch.rand(24, 1, 6, 6, generator=torch.Generator().manual_seed(0)).clamp(min=0.5)
    with pytest.warns(StdpWarning, match="of its weights at one bound"):
        trained = train_layerwise("3C3 F2", images, config, generator=torch.Generator().manual_seed(0))
    assert getattr(trained.history[-1], bound) > 0.95
    assert any(a.kind == "weights" for a in trained.alarms)


@pytest.mark.parametrize(
    ("threshold", "kind", "words"), [(1e6, "silent", "is silent: 0 "), (1e-6, "saturated", "saturates: ")]
)
def test_a_silent_or_saturated_layer_is_reported_once_with_its_rate(threshold, kind, words):
    config = StdpConfig(
        eta=0.0,
        steps=4,
        batch=1,
        settle=0,
        adaptation=0.0,
        competition="none",
        neuron=LIF(threshold=threshold),
        start=(0.1, 0.1),
    )
    with pytest.warns(StdpWarning, match=rf"layer conv1 \(conv1\) {words}.*after 5 images") as caught:
        trained = train_layerwise("2C3 F2", IMAGES, config, generator=torch.Generator().manual_seed(0))
    assert len(caught) == 1
    assert [(a.layer, a.kind, a.seen) for a in trained.alarms] == [("conv1", kind, 5)]


def test_single_precision_matches_double():
    config = replace(PLAIN, eta=0.05, competition="inhibit", neuron=LIF(alpha=0.9))
    before = stack("3C3 F2", (2, 6, 6), config)
    single = replace(
        before,
        weights={"conv1": before.weights["conv1"].float()},
        thresholds={"conv1": before.thresholds["conv1"].float()},
    )
    spikes = noise(5, 2, 2, 6, 6)
    wide, _, _ = present(before, "conv1", spikes)
    narrow, _, _ = present(single, "conv1", spikes.float())
    assert narrow.dtype == torch.float32
    assert torch.allclose(wide.float(), narrow, atol=1e-5)


# --- features ---


def test_features_pool_to_spikes_and_average_over_time():
    # One pixel block of ones: each conv neuron receives 1 per step and fires at every step from the first above 1.
    config = replace(PLAIN, steps=4, neuron=IF(threshold=0.5), pool_threshold=0.6)
    before = stack("1C1 P F2", (1, 2, 2), config)
    before = replace(before, weights={"conv1": torch.ones(1, 1, 1, 1, dtype=torch.float64)})
    image = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64).view(1, 1, 2, 2)
    # half of the four neurons fire at every step: the pooled input is .5 per step, U = .5, 1., .9, .8
    out = features(before, image, generator=torch.Generator().manual_seed(0))
    assert out.shape == (1, 1, 1, 1) and out.item() == pytest.approx(3 / 4)
    filtered = features(
        replace(before, config=replace(config, low_pass=2.0)),
        image,
        generator=torch.Generator().manual_seed(0),
    )
    decay = math.exp(-1 / 2)
    assert filtered.item() == pytest.approx((1 + decay + decay**2) / (1 + decay + decay**2 + decay**3))


def test_features_add_residual_sums_and_show_every_site_to_the_probe():
    config = replace(QUICK, steps=5)
    trained = train_layerwise(
        "3C3 [3C3+]x2 P M F4:relu F2", IMAGES, config, generator=torch.Generator().manual_seed(0)
    )
    probe = ActivityProbe()
    out = features(trained, IMAGES, generator=torch.Generator().manual_seed(1), batch=3, probe=probe)
    assert out.shape == (8, 3, 3, 3)
    assert list(probe.result()) == ["input", "conv1", "conv2.1", "conv2.2"]
    unpooled = replace(trained, reader=replace(trained.reader, pool=1))
    probe = ActivityProbe()
    total = features(unpooled, IMAGES, generator=torch.Generator().manual_seed(1), probe=probe)
    assert total.shape == (8, 3, 6, 6)
    sites = probe.result()
    assert total.mean().item() == pytest.approx(sum(sites[s].rate for s in trained.reader.sources), rel=1e-5)


def test_features_are_the_same_for_any_batch_size_of_a_certain_input():
    images = (IMAGES > 0.5).float()  # certain spikes, so batches do not change the random numbers that matter
    trained = train_layerwise("3C3 P F2", images, QUICK, generator=torch.Generator().manual_seed(0))
    one, two = (
        features(trained, images, generator=torch.Generator().manual_seed(0), batch=b) for b in (1, 8)
    )
    assert torch.allclose(one, two)


def test_features_are_read_at_the_input_rate_of_training():
    config, generator = replace(QUICK, input_rate=0.5, steps=400), torch.Generator().manual_seed(0)
    trained = train_layerwise("3C3 P F2", IMAGES, config, generator=generator, stop_after=1)
    probe = ActivityProbe()
    features(
        trained, torch.ones(2, *IMAGES.shape[1:]), generator=torch.Generator().manual_seed(1), probe=probe
    )
    assert probe.result()["input"].rate == pytest.approx(
        0.5, abs=0.01
    )  # 28,800 draws or more: four standard deviations


# --- what is refused ---


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"eta": -0.1}, "eta must be a finite number of at least 0, got -0.1"),
        ({"tau": 0.0}, "tau must be a finite number above 0, got 0.0"),
        ({"tau": -1.0}, "tau must be a finite number above 0"),
        ({"offset": -0.1}, "offset must be a finite number of at least 0"),
        ({"offset": math.nan}, "offset must be a finite number of at least 0"),
        ({"offset_unit": "rate"}, "offset_unit must be one of"),
        ({"trace": "first"}, "trace must be one of 'last', 'additive', got 'first'"),
        ({"low": 1.0, "high": -1.0}, "low must be below high, got low=1.0 and high=-1.0"),
        ({"high": math.inf}, "low must be below high"),
        ({"start": (-2.0, 0.0)}, r"start must be a range within \[-1.0, 1.0\], got \(-2.0, 0.0\)"),
        ({"start": (0.1, 0.0)}, "start must be a range"),
        ({"average": "sum"}, "average must be one of"),
        ({"update": "epoch"}, "update must be one of"),
        ({"competition": "all"}, "competition must be one of"),
        ({"adaptation": 1.5}, "adaptation must lie between 0.0 and 1.0"),
        ({"adapt": "none"}, "adapt must be one of"),
        ({"target": 0.0}, "target must be a finite number above 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"batch": 0}, "batch must be a whole number of at least 1"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"input_rate": 0.0}, "input_rate must be a finite number above 0"),
        ({"input_rate": 1.1}, "input_rate must lie between 0.0 and 1.0"),
        ({"pool_threshold": 0.0}, "pool_threshold must be a finite number above 0"),
        ({"low_pass": 0.0}, "low_pass must be a finite number above 0"),
    ],
)
def test_config_refuses(wrong, words):
    with pytest.raises(ValueError, match=words):
        StdpConfig(**wrong)


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        ("F8 F2", "must have a spiking convolution for STDP to train, got none"),
        ("4C3:relu P F2", "must have a spiking convolution for STDP to train, got none"),
        ("4C3:relu 4C3 F2", "must have spiking convolutions only, got conv1 with neuron 'relu'"),
        ("4C3 [4C3 4C3]x2 F2", "must not repeat several layers in one BackRes block"),
        ("4C3 [8C3]x2:top F2", "must not match channels between passes"),
    ],
)
def test_topology_refused(topology, words):
    with pytest.raises(ValueError, match=words):
        train_layerwise(topology, IMAGES, QUICK, generator=torch.Generator())


def test_images_and_spikes_refused():
    generator = torch.Generator()
    trained = train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator)
    for call in (
        lambda x: train_layerwise("2C3 F2", x, QUICK, generator=generator),
        lambda x: features(trained, x, generator=generator),
    ):
        with pytest.raises(ValueError, match=r"images must be \(N, C, H, W\) with at least one image"):
            call(IMAGES[:0])
        with pytest.raises(
            ValueError, match="images must not be negative, because they are spike rates, got -"
        ):
            call(IMAGES - 1)
        with pytest.raises(ValueError, match="images must lie between 0 and 1, got values up to"):
            call(IMAGES + 1)
        with pytest.raises(ValueError, match="images must lie between 0 and 1, got values up to nan"):
            call(IMAGES * math.nan)
    with pytest.raises(ValueError, match="with at least one step and image"):
        present(trained, "conv1", torch.zeros(3, 0, 1, 6, 6))
    with pytest.raises(ValueError, match="spikes must be counts of at least 0, got values from -1.0 to -1"):
        present(trained, "conv1", -torch.ones(3, 1, 1, 6, 6))
    for steps in (-1, 0, 1.5, True):
        with pytest.raises(ValueError, match="stop_after must be a whole number of at least 1"):
            train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator, stop_after=steps)
        with pytest.raises(ValueError, match="snapshots must be a whole number|^$"):
            train_layerwise("2C3 F2", IMAGES, QUICK, generator=generator, snapshots=(-1,))
    for kind in (torch.uint8, torch.int64, torch.bool):
        with pytest.raises(ValueError, match="images must be a floating-point tensor"):
            train_layerwise("2C3 F2", IMAGES.to(kind), QUICK, generator=generator)
    for kind in (torch.float16, torch.bfloat16):  # small weight updates would be lost to rounding
        with pytest.raises(ValueError, match="images must be float32 or float64 to learn from, got torch"):
            train_layerwise("2C3 F2", IMAGES.to(kind), QUICK, generator=generator)
    with pytest.raises(ValueError, match="layer must be one of 'conv1', got 'conv9'"):
        present(trained, "conv9", torch.zeros(3, 1, 1, 6, 6))
