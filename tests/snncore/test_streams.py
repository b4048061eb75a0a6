"""Random streams: reproducible, apart from one another, checked at the door."""

from __future__ import annotations

import hashlib

import pytest
import torch

from snncore.streams import stream


def draw(seed, name):
    return torch.rand(1000, generator=stream(seed, name))


def test_the_same_seed_and_name_give_the_same_numbers():
    assert torch.equal(draw(3, "weights"), draw(3, "weights"))


def test_streams_differ_by_seed_and_by_name_and_do_not_correlate():
    drawn = [draw(seed, name) for seed in (0, 1, 2) for name in ("weights", "order", "coding", "masks")]
    correlation = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    assert correlation.abs().max() < 0.2  # 6 standard deviations of 1/sqrt(1000)


def test_drawing_from_one_stream_leaves_the_others_and_torch_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    expected = draw(0, "coding")
    coding, weights = stream(0, "coding"), stream(0, "weights")
    torch.rand(10, generator=weights)
    assert torch.equal(torch.rand(1000, generator=coding), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_is_the_first_63_bits_of_a_hash_so_it_never_changes():
    bits = hashlib.sha256(b"5/order").hexdigest()[:16]
    assert stream(5, "order").initial_seed() == int(bits, 16) // 2


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1", None])
def test_a_seed_that_is_none(seed):
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0"):
        stream(seed, "weights")
