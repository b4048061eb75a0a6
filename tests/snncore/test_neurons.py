"""Neurons: hand-computed membranes, the slow reference, streaming, and every error."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore.neurons import IF, LIF, NeuronState, fire, fire_reference, surrogate

WORKED = torch.tensor(
    [0.6, 0.6, 0.6, 0.0, 1.5, 0.0]
)  # the current of the worked example, leak 0.9, threshold 1
MODES = [
    LIF(
        alpha=alpha,
        reset=reset,
        order=order,
        refractory=refractory,
        detach_reset=detach,
        threshold=threshold,
        fire_at_equality=equality,
    )
    for alpha, (reset, order), refractory, detach, threshold, equality in itertools.product(
        (0.9, 1.0),
        (("soft", "leak-then-reset"), ("soft", "reset-then-leak"), ("hard", "leak-then-reset")),
        (0, 2),
        (True, False),
        (1.0, 0.7),
        (False, True),
    )
]


def potentials(current, neuron):
    """U[t] at every step, by running chunks of one step."""
    out, state = [], None
    for value in current:
        _, state = fire(value.reshape(1, 1), neuron, state=state)
        out.append(state.membrane.item())
    return out


def test_leak_then_reset_follows_the_worked_example():
    neuron = LIF(alpha=0.9)
    spikes, _ = fire(WORKED[:, None], neuron)
    assert spikes[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    # U before reset: .6; .54+.6; .9*1.14+.6-1; .9*.626; .9*.5634+1.5; .9*2.00706-1
    assert potentials(WORKED, neuron) == pytest.approx([0.6, 1.14, 0.626, 0.5634, 2.00706, 0.806354])


def test_reset_then_leak_follows_the_worked_example():
    neuron = LIF(alpha=0.9, order="reset-then-leak")
    spikes, _ = fire(WORKED[:, None], neuron)
    assert spikes[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    # after the reset .6, .14, .726, .6534, 1.08806, .979254, as the reset-at-once libraries print it
    before = potentials(WORKED, neuron)
    after = [u - s for u, s in zip(before, spikes[:, 0].tolist(), strict=True)]
    assert after == pytest.approx([0.6, 0.14, 0.726, 0.6534, 1.08806, 0.979254])


def test_hard_reset_wipes_the_potential():
    assert potentials(torch.tensor([1.5, 0.25, 0.0]), LIF(alpha=0.5, reset="hard")) == pytest.approx(
        [1.5, 0.25, 0.125]
    )


def test_soft_reset_keeps_what_exceeds_the_threshold():
    assert potentials(torch.tensor([1.5, 0.0, 0.0]), LIF(alpha=0.5)) == pytest.approx([1.5, -0.25, -0.125])


def test_refractory_neuron_rests_then_integrates_again():
    neuron = LIF(alpha=0.5, refractory=2)
    current = torch.tensor([1.5, 9.0, 9.0, 0.8, 0.7])
    spikes, _ = fire(current[:, None], neuron)
    # fires at t=0, rests at 0.5 through t=1,2 whatever comes in, then .25+.8 fires at t=3
    assert potentials(current, neuron) == pytest.approx([1.5, 0.5, 0.5, 1.05, 0.05])
    assert spikes[:, 0].tolist() == [1, 0, 0, 1, 0]


def test_firing_at_equality_is_a_choice():
    at = torch.ones(1, 1)
    assert fire(at, LIF())[0].item() == 0
    assert fire(at, LIF(fire_at_equality=True))[0].item() == 1


def test_integrate_and_fire_counts_like_division():
    spikes, state = fire(torch.full((100, 1), 0.25, dtype=torch.float64), IF(fire_at_equality=True))
    assert spikes.sum() == 25
    assert state.membrane.item() == 1.0


def test_surrogate_has_the_triangle_of_equation_4():
    grid = torch.tensor([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    assert surrogate(grid).tolist() == pytest.approx([0, 0, 0.15, 0.3, 0.15, 0, 0])
    # threshold 2: twice as wide, half as high (chain rule through U / threshold)
    assert surrogate(2 * grid, threshold=2.0).tolist() == pytest.approx([0, 0, 0.075, 0.15, 0.075, 0, 0])


@pytest.mark.parametrize("neuron", MODES, ids=str)
@pytest.mark.parametrize("constant", [False, True])
def test_scan_agrees_with_the_reference_in_float64(neuron, constant):
    generator = torch.Generator().manual_seed(7)
    T = 9
    shape = (3, 4) if constant else (T, 3, 4)
    steps = T if constant else None
    weights = torch.randn(T, 3, 4, generator=generator, dtype=torch.float64)
    results = []
    for run in (fire, fire_reference):
        generator.manual_seed(8)
        current = (
            torch.randn(shape, generator=generator, dtype=torch.float64).mul_(0.8).add_(0.3).requires_grad_()
        )
        membrane = torch.randn(3, 4, generator=generator, dtype=torch.float64).requires_grad_()
        state = NeuronState(
            membrane,
            (membrane.detach() > neuron.threshold).double(),
            torch.tensor([[0, 1, 2, 0]] * 3, dtype=torch.int16) if neuron.refractory else None,
        )
        if neuron.refractory or not neuron.detach_reset:
            state = None  # a given state's spikes are constants in the reference
        spikes, end = run(current, neuron, steps=steps, state=state)
        ((spikes * weights).sum() + (end.membrane * weights[0]).sum()).backward()
        results.append((spikes, end, current.grad, membrane.grad))
    (spikes, end, grad, start), (spikes_ref, end_ref, grad_ref, start_ref) = results
    assert torch.equal(spikes, spikes_ref) and spikes.sum() > 5
    torch.testing.assert_close(end.membrane, end_ref.membrane)
    torch.testing.assert_close(grad, grad_ref)
    assert (start is None) == (start_ref is None)
    if start is not None:
        torch.testing.assert_close(start, start_ref)
    if neuron.refractory:
        assert torch.equal(end.held, end_ref.held)


@pytest.mark.parametrize("neuron", MODES[::5], ids=str)
@pytest.mark.parametrize("cut", [1, 4, 8])
def test_chunks_of_time_give_the_same_spikes_and_gradients(neuron, cut):
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(9, 2, 5, generator=generator, dtype=torch.float64)
    base = torch.randn(9, 2, 5, generator=generator, dtype=torch.float64) + 0.4
    whole = base.clone().requires_grad_()
    spikes, end = fire(whole, neuron)
    (spikes * weights).sum().backward()
    parts = base.clone().requires_grad_()
    first, state = fire(parts[:cut], neuron)
    second, last = fire(parts[cut:], neuron, state=state)
    joined = torch.cat([first, second])
    (joined * weights).sum().backward()
    assert torch.equal(joined, spikes)
    assert torch.equal(last.membrane, end.membrane)
    torch.testing.assert_close(parts.grad, whole.grad)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=30), st.floats(0.1, 3.0), st.floats(0.0, 1.0)
)
def test_threshold_and_current_are_one_axis(values, scale, alpha):
    """Scaling current and threshold together leaves the spikes unchanged (float64, away from ties)."""
    current = torch.tensor(values, dtype=torch.float64)[:, None]
    spikes, _ = fire(current, LIF(alpha=alpha))
    state, near = None, False
    for value in current:
        _, state = fire(value[None], LIF(alpha=alpha), state=state)
        near |= abs(state.membrane.item() - 1) < 1e-9
    if not near:
        assert torch.equal(spikes, fire(current * scale, LIF(alpha=alpha, threshold=scale))[0])


def test_channels_last_stays_and_changes_nothing():
    current = torch.randn(5, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    folded = current.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (5, 2))
    spikes, _ = fire(folded, LIF())
    assert spikes.stride() == folded.stride()
    assert torch.equal(spikes, fire(current, LIF())[0])


def test_half_precision_current_keeps_a_float_membrane():
    spikes, state = fire(torch.full((3, 2), 0.6, dtype=torch.bfloat16), LIF())
    assert spikes.dtype == torch.bfloat16 and state.membrane.dtype == torch.float32


@pytest.mark.parametrize(
    "options, name",
    [
        ({"alpha": 1.1}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"threshold": 0}, "threshold"),
        ({"gamma": 0.0}, "gamma"),
        ({"threshold": float("nan")}, "threshold"),
        ({"reset": "none"}, "reset"),
        ({"order": "any"}, "order"),
        ({"refractory": -1}, "refractory"),
        ({"refractory": 1.5}, "refractory"),
    ],
)
def test_wrong_parameters_are_named(options, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        LIF(**options)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="at least one time step"):
        fire(torch.zeros(0, 3), LIF())
    with pytest.raises(ValueError, match="steps must"):
        fire(torch.zeros(3), LIF(), steps=0)
    _, state = fire(torch.zeros(2, 3), LIF())
    with pytest.raises(ValueError, match="state must have the shape"):
        fire(torch.zeros(2, 4), LIF(), state=state)
