"""Input coding: exact small cases, exact binomial bounds, reproducibility, and every refusal."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snncore.coding import CODERS, direct, encode, latency, poisson


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binomial_tail(count: int, trials: int, p: float) -> float:
    """Exact probability of a count at least as far from the mean, on its own side (two-sided by doubling)."""

    def mass(k: int) -> float:
        log = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return math.exp(log + k * math.log(p) + (trials - k) * math.log1p(-p))

    side = range(count, trials + 1) if count >= p * trials else range(count + 1)
    return min(1.0, 2 * sum(mass(k) for k in side))


def test_binomial_tail_by_hand() -> None:
    assert binomial_tail(0, 2, 0.5) == pytest.approx(0.5)  # 2 * 1/4
    assert binomial_tail(3, 3, 0.5) == pytest.approx(0.25)  # 2 * 1/8


# Poisson ----------------------------------------------------------------------------------------------------


def test_zero_never_fires_and_one_always_fires() -> None:
    spikes = poisson(torch.tensor([[0.0, 1.0]]).expand(1000, 2), 100, generator=seeded())
    assert spikes[..., 0].sum() == 0
    assert spikes[..., 1].sum() == 100_000


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_full_rate_holds_in_every_precision(dtype: torch.dtype) -> None:
    spikes = poisson(torch.tensor([1.0, 0.0], dtype=dtype).repeat(5000, 1), 20, generator=seeded())
    assert spikes.dtype == dtype
    assert spikes[..., 0].float().mean() == 1
    assert spikes[..., 1].float().sum() == 0


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("sign", [1, -1])
def test_spike_counts_are_binomial(p: float, sign: int) -> None:
    steps, pixels = 50, 100
    images = torch.full((pixels,), sign * p, dtype=torch.float64)
    spikes = poisson(images, steps, generator=seeded(3), signed=sign < 0)
    assert binomial_tail(int((sign * spikes).sum()), steps * pixels, p) > 1e-6
    # Also per pixel (over time) and per step (over pixels): neither axis may share its draws.
    for counts, trials in ((sign * spikes.sum(0), steps), (sign * spikes.sum(1), pixels)):
        assert min(binomial_tail(int(c), trials, p) for c in counts) > 1e-6
        assert counts.unique().numel() > 1


def test_steps_are_independent() -> None:
    spikes = poisson(torch.full((4000,), 0.5), 2, generator=seeded(5))
    both = int((spikes[0] * spikes[1]).sum())
    assert binomial_tail(both, 4000, 0.25) > 1e-6


def test_signed_spikes_carry_the_sign() -> None:
    images = torch.tensor([[-1.0, -0.5, 0.0, 0.5, 1.0]]).repeat(200, 1)
    spikes = poisson(images, 30, generator=seeded(), signed=True)
    assert set(spikes.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert (spikes[..., :2] <= 0).all() and (spikes[..., 3:] >= 0).all()
    assert (spikes[..., 0] == -1).all() and (spikes[..., 2] == 0).all() and (spikes[..., 4] == 1).all()


def test_signed_equals_unsigned_on_positive_images() -> None:
    images = torch.rand(3, 2, 4, 4, generator=seeded(1))
    assert torch.equal(
        poisson(images, 7, generator=seeded(2), signed=True), poisson(images, 7, generator=seeded(2))
    )


def test_poisson_is_uniform_below_rate_in_step_order() -> None:
    images = torch.rand(2, 3, 5, 5, generator=seeded(1))
    stream = seeded(9)
    by_hand = torch.stack([(torch.rand(images.shape, generator=stream) < images).float() for _ in range(6)])
    assert torch.equal(poisson(images, 6, generator=seeded(9)), by_hand)


def test_same_seed_same_spikes_other_seed_other_spikes() -> None:
    images = torch.full((2, 1, 8, 8), 0.5)
    first = poisson(images, 10, generator=seeded(1))
    assert torch.equal(first, poisson(images, 10, generator=seeded(1)))
    assert not torch.equal(first, poisson(images, 10, generator=seeded(2)))


def test_poisson_leaves_the_global_stream_alone() -> None:
    torch.manual_seed(4)
    before = torch.get_rng_state()
    poisson(torch.rand(2, 3, generator=seeded()), 5, generator=seeded())
    assert torch.equal(before, torch.get_rng_state())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(0, 2**31), st.booleans())
def test_chunks_of_time_equal_one_run(chunks: list[int], seed: int, signed: bool) -> None:
    images = torch.rand(2, 3, 4, generator=seeded(seed)) * (2 if signed else 1) - (1 if signed else 0)
    whole = poisson(images, sum(chunks), generator=seeded(seed), signed=signed)
    stream = seeded(seed)
    parts = [poisson(images, steps, generator=stream, signed=signed) for steps in chunks]
    assert torch.equal(whole, torch.cat(parts))


def test_images_may_be_strided() -> None:
    images = torch.rand(2, 4, 5, 3, generator=seeded(1)).permute(0, 3, 1, 2)
    assert torch.equal(
        poisson(images, 4, generator=seeded(2)), poisson(images.contiguous(), 4, generator=seeded(2))
    )


# Direct -----------------------------------------------------------------------------------------------------


def test_direct_is_a_view_of_the_same_pixels() -> None:
    images = torch.randn(2, 3, 4, 4, generator=seeded())
    coded = direct(images, 5)
    assert coded.shape == (5, 2, 3, 4, 4)
    assert coded.data_ptr() == images.data_ptr() and coded.stride(0) == 0
    assert all(torch.equal(step, images) for step in coded)


# Latency ----------------------------------------------------------------------------------------------------


def test_latency_by_hand() -> None:
    coded = latency(torch.tensor([[1.0, 0.75, 0.5, 0.25, 0.0]]), 5)  # t = 4 (1 - x)
    assert torch.equal(coded[:, 0], torch.eye(5))


def test_latency_rounds_to_the_nearest_step() -> None:
    coded = latency(torch.tensor([0.9, 0.6, 0.2]), 4)  # 3 (1 - x) = 0.3, 1.2, 2.4
    assert coded.argmax(0).tolist() == [0, 1, 2]


def test_latency_of_one_step_is_one_spike_everywhere() -> None:
    assert torch.equal(latency(torch.rand(2, 3, generator=seeded()), 1), torch.ones(1, 2, 3))


def test_silent_pixels_never_spike() -> None:
    coded = latency(torch.tensor([0.0, 0.29, 0.3, 1.0]), 6, silent_below=0.3)
    assert coded.sum(0).tolist() == [0, 0, 1, 1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8), st.integers(1, 40))
def test_every_pixel_spikes_once_and_brighter_is_never_later(pixels: list[float], steps: int) -> None:
    coded = latency(torch.tensor(pixels), steps)
    assert torch.equal(coded.sum(0), torch.ones(len(pixels)))
    times = coded.argmax(0).tolist()
    ordered = [when for _, when in sorted(zip(pixels, times, strict=True))]
    assert ordered == sorted(times, reverse=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_latency_keeps_the_dtype(dtype: torch.dtype) -> None:
    coded = latency(torch.tensor([0.5], dtype=dtype), 301)
    assert coded.dtype == dtype and coded.argmax() == 150  # bfloat16 arithmetic cannot count to 301


# encode and refusals ----------------------------------------------------------------------------------------


def test_encode_names_every_coder() -> None:
    images = torch.rand(2, 3, 4, 4, generator=seeded(1))
    expected = {
        "poisson": poisson(images, 3, generator=seeded(2)),
        "signed-poisson": poisson(-images, 3, generator=seeded(2), signed=True),
        "direct": direct(images, 3),
        "latency": latency(images, 3),
    }
    assert set(expected) == set(CODERS)
    for name, coded in expected.items():
        source = -images if name == "signed-poisson" else images
        assert torch.equal(encode(name, source, 3, generator=seeded(2)), coded)


@pytest.mark.parametrize("name", CODERS)
def test_steps_below_one_are_refused(name: str) -> None:
    for steps in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="steps must be a whole number of at least 1"):
            encode(name, torch.zeros(1, 2), steps, generator=seeded())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "worst"),
    [
        ("poisson", -0.01),
        ("poisson", 1.01),
        ("signed-poisson", -1.01),
        ("signed-poisson", 1.5),
        ("latency", -0.01),
    ],
)
def test_pixels_out_of_range_are_refused(name: str, worst: float) -> None:
    with pytest.raises(ValueError, match=r"images must lie between .* and 1\.0, got values from"):
        encode(name, torch.tensor([0.5, worst]), 2, generator=seeded())


@pytest.mark.parametrize("name", CODERS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_refused(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=r"images must (lie between|be finite)"):
        encode(name, torch.tensor([0.5, bad]), 2, generator=seeded())


@pytest.mark.parametrize("name", CODERS)
def test_integer_images_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"images must be a floating-point tensor .* got torch\.uint8"):
        encode(name, torch.ones(1, 2, dtype=torch.uint8), 2, generator=seeded())


def test_unknown_coder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be one of 'poisson', .* got 'posson'"):
        encode("posson", torch.zeros(1), 2, generator=seeded())


def test_poisson_without_a_generator_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"generator must be a torch.Generator for 'poisson' coding, got None"
    ):
        encode("poisson", torch.zeros(1), 2)
    with pytest.raises(ValueError, match=r"generator must be a torch.Generator, got 7"):
        poisson(torch.zeros(1), 2, generator=7)  # type: ignore[arg-type]


def test_generator_on_another_device_is_refused() -> None:
    images: Tensor = torch.zeros(2)

    class Elsewhere(torch.Generator):
        device = torch.device("cuda")  # type: ignore[assignment]

    with pytest.raises(ValueError, match="generator must be on the values' device, cpu, got one on cuda"):
        poisson(images, 2, generator=Elsewhere())


def test_silent_below_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"silent_below must lie between 0.0 and 1.0, got 1.5"):
        latency(torch.zeros(2), 3, silent_below=1.5)
