"""Features spike by spike against dense operations: with weights whose sums are exact, both give the same bits."""

from dataclasses import replace

import pytest
import torch

from snncore import stdp_events
from snncore.activity import ActivityProbe
from snncore.kernels import pytorch_only
from snncore.neurons import LIF
from snncore.stdp import StdpConfig
from snncore.stdp_layers import features, train_layerwise


def images(count=5):
    return torch.rand(count, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def stack(topology, **options):
    """Weights in multiples of 1/8 and thresholds of 1/2: with a leak of 1/2 or 1, twelve steps are exact."""
    neuron = options.pop("neuron", LIF(alpha=0.5))
    config = StdpConfig(
        neuron=neuron,
        steps=12,
        target=0.01,
        batch=5,
        settle=0,
        eta=0.0,
        competition="none",
        pool_threshold=0.5,
        **options,
    )
    trained = train_layerwise(topology, images(), config, generator=torch.Generator().manual_seed(1))
    weights = {
        name: torch.randint(-4, 5, w.shape, generator=torch.Generator().manual_seed(2)) / 8
        for name, w in trained.weights.items()
    }
    thresholds = {name: torch.full_like(t, 0.5) for name, t in trained.thresholds.items()}
    return replace(trained, weights=weights, thresholds=thresholds)


def both(trained):
    found = []
    for dense in (False, True):
        probe = ActivityProbe(positions=True)
        generator = torch.Generator().manual_seed(3)
        if dense:
            with pytorch_only():
                assert not stdp_events.fits(trained)
                values = features(trained, images(), generator=generator, batch=2, probe=probe)
        else:
            assert stdp_events.fits(trained)
            values = features(trained, images(), generator=generator, batch=2, probe=probe)
        found.append((values, probe.result(), generator.get_state()))
    return found


@pytest.mark.parametrize(
    "topology",
    [
        "4C3 P M F6:relu F3",
        "4C3 4C3+ P M F6:relu F3",
        "4C3 20C5 20C3+ P M F6:relu F3",  # more than one group of channels
        "4C3 [4C3+]x2 P M F6:relu F3",
        "4C3 P 5C3 P P M F6:relu F3",  # pooling neurons between two layers
        "P 4C3 4C3+ M F6:relu F3",  # of the input; the residual sum itself is read
        "4C3:if 2C1 M F6:relu F3",
    ],
)
@pytest.mark.parametrize("order", ["leak-then-reset", "reset-then-leak"])
def test_features_and_activity_are_those_of_dense_operations(topology, order):
    (mine, activity, drawn), (dense, expected, drawn_dense) = both(
        stack(topology, neuron=LIF(alpha=0.5, order=order))
    )
    assert torch.equal(mine, dense) and mine.shape == dense.shape
    assert activity == expected and list(activity) == list(expected)
    assert torch.equal(drawn, drawn_dense)
    assert len(mine.unique()) >= 3 and all(0 < site.rate < 1 for site in activity.values())


def test_a_probe_of_ones_own_is_called_for_every_site_and_step():
    trained = stack("4C3 20C5 20C3+ P M F6:relu F3")
    usual, behind, calls = ActivityProbe(positions=True), ActivityProbe(positions=True), []

    def own(site, values, *, timed):
        calls.append((site, tuple(values.shape)))
        behind(site, values, timed=timed)

    for probe in (usual, own):
        features(trained, images(), generator=torch.Generator().manual_seed(3), probe=probe)
    assert behind.result() == usual.result()
    assert len(calls) == 4 * trained.config.steps and calls[0] == ("input", (1, *images().shape))


def test_the_low_pass_filter_weighs_late_spikes_more():
    (mine, _, _), (dense, _, _) = both(stack("4C3 4C3+ P M F6:relu F3", low_pass=4.0))
    assert torch.allclose(mine, dense, atol=1e-6)
    (plain, _, _), _ = both(stack("4C3 4C3+ P M F6:relu F3"))
    assert not torch.allclose(mine, plain)


def test_threads_change_nothing():
    trained, before = stack("4C3 [4C3+]x2 P M F6:relu F3"), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(features(trained, images(), generator=torch.Generator().manual_seed(3)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    "neuron", [LIF(reset="hard"), LIF(refractory=1), LIF(fire_at_equality=True)], ids=lambda n: repr(n)[:60]
)
def test_other_neurons_take_dense_operations(neuron):
    trained = stack("4C3 P M F6:relu F3", neuron=neuron)
    assert not stdp_events.fits(trained)
    assert features(trained, images(), generator=torch.Generator()).shape == (5, 4, 4, 4)


def test_potentials_that_overflow_are_named():
    trained = stack("4C3 P M F6:relu F3")
    weights = {"conv1": torch.full_like(trained.weights["conv1"], -3e38)}
    with pytest.raises(FloatingPointError, match="finite"):
        features(replace(trained, weights=weights), images(), generator=torch.Generator().manual_seed(3))
