"""Spike by spike against dense operations: with weights whose sums are exact, both give the same bits."""

import math

import pytest
import torch
from conversion_cases import POISSON, part

from snncore import events
from snncore.conversion import ConversionConfig, convert, spiking
from snncore.kernels import pytorch_only
from snncore.network import Network, NetworkConfig
from snncore.simulation import simulate
from snncore.streams import stream
from snncore.training import InputConfig

SIGNED = InputConfig("poisson", signed=True, steps=1)
DIRECT = InputConfig("direct", steps=1)

CASES = [
    ("4C3 P 3C3 P F8 F3", POISSON, {}),
    ("4C3 P [4C3 4C3]x2 P F8 F3", POISSON, {"shared": True, "scale": 0.5}),
    ("20C3 17C5 P 33C1 F40 F8 F3", SIGNED, {}),  # more than one group of channels, windows of 5 and 1
    ("5C5 P P 4C3 F3", POISSON, {}),
    ("P 4C3 F3", POISSON, {}),
    ("F20 F8 F3", SIGNED, {}),
    ("P F20 F3", POISSON, {}),
    ("4C3 P [6C3]x3:drop F8 F3", POISSON, {}),
    ("4C3 P [8C3]x2:average F8 F3", POISSON, {}),
    ("4C3 P 4C3 F8 F3", DIRECT, {"relu_layers": 1}),
    ("4C3 P 4C3 F8 F3", DIRECT, {"relu_layers": 2, "scale": 0.5}),
]


def network(topology, shape=(2, 8, 8)):
    """Weights in multiples of 1/64, so that every sum of spikes is exact, whatever its order."""
    net = Network(
        topology, input_shape=shape, config=NetworkConfig(neuron="relu"), generator=stream(0, "weights")
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_((parameter * 64).round() / 64)
    return net.eval()


def run(topology, coder, options, **simulation):
    config = ConversionConfig(**{"images": 6, "steps": 30, **options})
    net, thresholds = convert(
        network(topology), part().images, coder, config, generator=stream(0, "calibration")
    )
    # every layer spikes often
    return thresholds, simulate(
        net, part(7), coder, 40, at=(9,), seed=0, batch_size=4, points=3, **simulation
    )


@pytest.mark.parametrize(("topology", "coder", "options"), CASES)
def test_spike_by_spike_is_what_dense_operations_give(topology, coder, options):
    thresholds, found = run(topology, coder, options)
    with pytorch_only():
        assert not events.usable(network(topology))
        expected_thresholds, expected = run(topology, coder, options)
    assert thresholds == expected_thresholds
    for T, snapshot in expected.items():
        assert torch.equal(found[T].scores, snapshot.scores)
        assert found[T].sites == snapshot.sites
        assert all(torch.equal(a.points, found[T].agreement[s].points) for s, a in snapshot.agreement.items())
    assert all(site.rate > 0 for site in found[40].sites.values())


def test_percentiles_are_those_of_the_same_sums():
    options = {"percentile": 97.0}
    thresholds, _ = run(CASES[0][0], POISSON, options)
    with pytorch_only():
        expected, _ = run(CASES[0][0], POISSON, options)
    assert thresholds["conv1"] == pytest.approx(expected["conv1"], rel=1e-4)  # to a bin of the histogram
    assert thresholds["conv1"] < run(CASES[0][0], POISSON, {})[0]["conv1"]


def test_threads_change_nothing():
    before = torch.get_num_threads()
    try:
        runs = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            runs.append(run(*CASES[1]))
    finally:
        torch.set_num_threads(before)
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1][40].scores, runs[1][1][40].scores)
    assert runs[0][1][40].sites == runs[1][1][40].sites


@pytest.mark.parametrize("signed", [False, True])
def test_codes_hold_every_spike(signed):
    codes = events.Codes(3, signed=signed)
    spikes = torch.randint(-1 if signed else 0, 2, (5, 2, 3, 4, 4), generator=stream(0, "spikes")).float()
    numbers, seen = codes.encode(spikes)
    assert numbers.shape == (2, 5, 16)
    back = codes.signs()[torch.from_numpy(numbers).long()]  # (N, T, positions, channels)
    assert torch.equal(back.permute(1, 0, 3, 2).reshape(spikes.shape), spikes)
    assert torch.equal(torch.from_numpy(seen).view(2, 3, 4, 4), spikes.abs().sum(0).int())


def test_what_only_dense_operations_can_run():
    assert events.usable(spiking(network("4C3 F3")))
    assert not events.usable(spiking(network("4C3 F3")).double())
    assert not events.usable(spiking(network("4C3 F3", shape=(6, 8, 8))))  # 3^6 codes do not fit a byte
    assert events.usable(spiking(network("4C3 4C3 F3", shape=(6, 8, 8)), relu_layers=1))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_weight_that_no_spike_has_met_is_found(wrong):
    net, _ = convert(
        network("4C3 P 3C3 F3"), part().images, POISSON, ConversionConfig(6, 20), generator=stream(0, "c")
    )
    net.layers["conv2"].weight[0, 0, 1, 1] = wrong
    with pytest.raises(FloatingPointError, match="potentials of conv2 after 1 steps must be finite"):
        simulate(net, part(), POISSON, 1, seed=0)
