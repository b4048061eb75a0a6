"""Simulation of converted networks: readings at every T, chunks of time, agreement and argument errors."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from conversion_cases import PLAIN, POISSON, REAL, SHAPE, UNROLLED, ann, config, converted, part, pictures

from snncore.activity import ActivityProbe
from snncore.conversion import (
    convert,
    scales,
    spiking,
)
from snncore.data import Part
from snncore.energy import report
from snncore.network import Network, NetworkConfig
from snncore.simulation import classify, simulate
from snncore.streams import stream
from snncore.training import InputConfig, evaluate

# --- simulation ---------------------------------------------------------------------------------------------


def test_one_simulation_gives_every_t():
    net, _ = converted(UNROLLED)
    data = part(7)
    found = simulate(net, data, POISSON, 23, at=(5, 12), seed=3, batch_size=4)
    assert list(found) == [5, 12, 23]
    for T, snapshot in found.items():
        coder = dataclasses.replace(POISSON, steps=23)
        generator, probe, scores = stream(3, "evaluation"), ActivityProbe(positions=True), []
        for images in data.images.split(4):
            scores.append(net(coder(images, generator=generator)[0][:T], probe=probe))
        assert torch.equal(snapshot.scores, torch.cat(scores))
        for site, activity in probe.result().items():
            assert snapshot.sites[site].rate == pytest.approx(activity.rate)
            if activity.positions is not None:
                assert torch.allclose(
                    torch.tensor(snapshot.sites[site].positions), torch.tensor(activity.positions)
                )


def test_the_last_t_is_what_evaluate_finds():
    net, _ = converted(UNROLLED)
    data = part(9)
    found = simulate(net, data, POISSON, 15, seed=1, batch_size=5)[15]
    tested = evaluate(net, data, InputConfig("poisson", steps=15), seed=1, batch_size=5, positions=True)
    assert (found.correct, found.total) == (tested.correct, tested.total)
    assert torch.equal(found.hits, tested.hits)
    assert found.loss == pytest.approx(tested.loss)
    assert found.accuracy == tested.accuracy
    for convention in ("paper", "physical", "full"):
        assert report(found.plan, found.sites, found.steps, convention=convention).efficiency > 0


@pytest.mark.parametrize("coder", [POISSON, InputConfig("poisson", signed=True, steps=1)])
def test_chunks_of_time_change_nothing(coder):
    net = Network(
        UNROLLED, input_shape=SHAPE, config=NetworkConfig(neuron="relu"), generator=stream(5, "weights")
    )
    net, _ = convert(net, pictures(), coder, config(), generator=stream(0, "calibration"))
    data = part(8)
    runs = [
        simulate(net, data, coder, 40, at=(7, 20), seed=0, batch_size=3, time_chunk=chunk, points=5)
        for chunk in (None, 1, 6, 40)
    ]
    for run in runs[1:]:
        for T, snapshot in runs[0].items():
            assert torch.equal(run[T].scores, snapshot.scores)
            assert run[T].sites == snapshot.sites
            for site, agreement in snapshot.agreement.items():
                assert torch.equal(run[T].agreement[site].points, agreement.points)


def test_agreement_by_hand():
    net, _ = converted(PLAIN)
    data = part(4)
    found = simulate(net, data, POISSON, 25, seed=0, points=11)[25]
    seen, real = {}, {}
    x = dataclasses.replace(POISSON, steps=25)(data.images, generator=stream(0, "evaluation"))[0]
    net(x, probe=lambda site, spikes, timed: seen.update({site: spikes.mean(0).double()}))
    ann()(
        REAL(data.images, generator=stream(0, ""))[0],
        probe=lambda site, values, timed: real.update({site: values.double()}),
    )
    for site, agreement in found.agreement.items():
        expected = real[site] / scales(net)[site]
        pair = torch.stack([expected.flatten(), seen[site].flatten()])
        assert agreement.correlation == pytest.approx(torch.corrcoef(pair)[0, 1].item(), abs=1e-5)
        assert agreement.bias == pytest.approx((pair[1].mean() / pair[0].mean() - 1).item(), abs=1e-5)
        assert agreement.error == pytest.approx(
            ((pair[1] - pair[0]).abs().mean() / pair[0].mean()).item(), rel=1e-5
        )
        assert agreement.saturated == (pair[0] > 1).double().mean().item()
        assert agreement.points.shape == (11, 2)
    # after the last layer nothing is left to take over
    assert found.agreement["fc1"].accuracy == found.accuracy


def test_top_k():
    found = simulate(converted()[0], part(), POISSON, 10, seed=0)[10]
    assert found.top(1) == found.correct <= found.top(2) <= found.top(3) == found.total == found.top(5)


def test_progress_counts_image_steps():
    seen = []
    simulate(converted()[0], part(5), POISSON, 11, at=(4,), seed=0, batch_size=2, progress=seen.append)
    assert sum(seen) == 55


# --- refusals -----------------------------------------------------------------------------------------------


def test_simulation_refuses():
    net, data = converted()[0], part()
    for steps, at, words in (
        (0, (), "steps must be a whole number of at least 1"),
        (5, (0,), "at must be"),
        (5, (6,), "at must lie between 1 and steps = 5, got 6"),
    ):
        with pytest.raises(ValueError, match=words):
            simulate(net, data, POISSON, steps, at=at, seed=0)
    with pytest.raises(
        ValueError, match=r"network must be balanced, .* got thresholds conv1 1, conv2 1, fc1 1"
    ):
        simulate(spiking(ann()), data, POISSON, 5, seed=0)
    with pytest.raises(ValueError, match="part must hold at least one image"):
        simulate(net, Part(data.images[:0], data.labels[:0]), POISSON, 5, seed=0)
    for code in ("latency", "direct"):
        with pytest.raises(ValueError, match="coder must have code 'poisson'"):
            simulate(net, data, InputConfig(code, steps=5), 5, seed=0)
    with pytest.raises(ValueError, match="time_chunk"):
        simulate(net, data, POISSON, 5, seed=0, time_chunk=0)
    with pytest.raises(ValueError, match="evaluation mode"):
        simulate(net.train(), data, POISSON, 5, seed=0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("layer", "words"), [("conv1", "potentials of conv1 after 3 steps"), ("fc1", "potentials of fc1 after")]
)
def test_a_simulation_names_the_site_that_is_not_finite(layer, words, wrong):
    net, _ = converted()
    net.layers[layer].weight.fill_(wrong)
    with pytest.raises(FloatingPointError, match=f"{words}.* must be finite"):
        simulate(net, part(), POISSON, 6, at=(3,), seed=0)


def test_scores_that_are_not_finite_are_found():
    net, _ = converted()
    net.head.head.classify.bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="scores after 2 steps must be finite"):
        simulate(net, part(), POISSON, 2, seed=0)
    plain = ann()
    plain.head.classify.bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="scores must be finite"):
        classify(plain, part(), REAL, seed=0)


def test_images_and_labels_must_be_the_networks():
    net, _ = converted()
    data = part()
    for wrong, words in (
        (Part(data.images[:0], data.labels[:0]), "part must hold at least one image"),
        (Part(data.images, data.labels + 3), "labels must lie between 0 and 2, got labels from"),
        (Part(data.images, data.labels - 1), "labels must lie between 0 and 2, got labels from -1"),
        (Part(data.images[..., :7], data.labels), "images must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            simulate(net, wrong, POISSON, 3, seed=0)
        with pytest.raises(ValueError, match=words):
            classify(ann(), wrong, REAL, seed=0)


def test_readings_share_no_memory_with_each_other_or_the_part():
    data, untouched = part(), part()
    net, _ = converted()
    found = simulate(net, data, POISSON, 12, at=(4, 8), seed=0, points=3)
    again = simulate(net, untouched, POISSON, 12, at=(4, 8), seed=0, points=3)
    for T in (4, 8):
        found[T].scores.fill_(7)
        found[T].labels.fill_(7)
    assert torch.equal(found[12].scores, again[12].scores) and torch.equal(found[12].labels, untouched.labels)
    read = classify(ann(), data, REAL, seed=0)
    read.labels.fill_(7)
    assert torch.equal(data.labels, untouched.labels)
