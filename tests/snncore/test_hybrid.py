"""Hybrid networks: the rate code of Fig 6 and how real values cross into spikes."""

from __future__ import annotations

import pytest
import torch

from snncore.activity import ActivityProbe
from snncore.hybrid import rate_code
from snncore.network import Network, NetworkConfig
from snncore.topology import as_ann, plan


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rates_are_values_over_each_images_largest():
    values = torch.tensor([[0.0, 1.0, 4.0], [0.5, 0.25, 0.0]])
    spikes = rate_code(values, 40000, generator=generator())
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    wanted = torch.tensor([[0.0, 0.25, 1.0], [1.0, 0.5, 0.0]])
    # five standard deviations of a binomial share
    assert ((spikes.mean(0) - wanted).abs() <= 5 * (wanted * (1 - wanted) / 40000).sqrt()).all()


def test_gradient_is_that_of_the_expectation():
    values = torch.tensor([[1.0, 4.0]], requires_grad=True)
    spikes = rate_code(values, 3, generator=generator())
    (spikes * torch.tensor([[[1.0, 10.0]], [[2.0, 20.0]], [[3.0, 30.0]]])).sum().backward()
    assert values.grad.tolist() == [[6.0 / 4, 60.0 / 4]]


def test_an_all_zero_image_stays_silent_and_passes_no_gradient():
    values = torch.zeros(2, 3, requires_grad=True)
    spikes = rate_code(values, 4, generator=generator())
    spikes.sum().backward()
    assert spikes.count_nonzero() == 0 and values.grad.count_nonzero() == 0


def test_wrong_values_are_named():
    with pytest.raises(ValueError, match="values must be finite and not negative"):
        rate_code(torch.tensor([[-0.1, 1.0]]), 2, generator=generator())
    with pytest.raises(ValueError, match="steps must"):
        rate_code(torch.ones(1, 1), 0, generator=generator())


def test_the_network_string_knows_the_rate_code():
    passes = plan("8C3:relu P R 8C3 F5", (3, 8, 8))
    assert [(p.sources, p.pool, p.static) for p in passes[:2]] == [
        (("input",), 1, True),
        (("rate-code",), 1, False),
    ]
    assert as_ann("8C3:relu P R 8C3 F5") == "8C3 P 8C3 F5"
    for text in ("R 8C3 F5", "8C3 R 8C3 F5", "8C3:relu R R 8C3 F5", "[8C3:relu R]x2 F5"):
        with pytest.raises(ValueError, match="R must"):
            plan(text, (8, 8, 8))


def test_every_block_learns_through_the_rate_code():
    net = Network(
        "4C3:relu P R 4C3 F6 F3", input_shape=(2, 8, 8), config=NetworkConfig(gain=2.0), generator=generator()
    )
    probe = ActivityProbe()
    net(
        torch.rand(3, 2, 8, 8, generator=generator(1)), steps=6, probe=probe, generator=generator(2)
    ).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    assert {site: found.kind for site, found in probe.result().items()} == {
        "input": "real",
        "conv1": "real",
        "rate-code": "spikes",
        "conv2": "spikes",
        "fc1": "spikes",
    }
    with pytest.raises(ValueError, match="generator must be given for R, which"):
        net(torch.rand(3, 2, 8, 8), steps=6)
    with pytest.raises(ValueError, match="steps must be given for R, which"):
        net(torch.rand(3, 2, 8, 8), generator=generator())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.tensor([[float("nan"), 1.0]]), "values must be finite and not negative to be rates, got nan"),
        (torch.tensor([[float("inf"), 1.0]]), "values must be finite and not negative to be rates, got inf"),
        (torch.ones(2, 3, dtype=torch.uint8), "values must be a floating-point tensor, got torch.uint8"),
        (torch.ones(3), r"values must have shape \(N, ...\) with a value per image, got \(3,\)"),
        (torch.ones(3, 0), r"values must have shape \(N, ...\) with a value per image, got \(3, 0\)"),
    ],
)
def test_what_is_no_rate_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        rate_code(values, 2, generator=generator())


def test_a_rate_code_needs_a_generator_and_a_number_of_steps_that_memory_holds():
    with pytest.raises(ValueError, match="generator must be a torch.Generator, got None"):
        rate_code(torch.ones(1, 1), 2, generator=None)
    with pytest.raises(ValueError, match="steps must be at most 100,000 time steps, got 1000000000"):
        rate_code(torch.ones(1, 1), 10**9, generator=generator())
