"""Packing: round trips in every range and layout, the size, and every refusal."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore.packing import pack


def drawn(shape, low, high, seed):
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).float()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.sampled_from([(0, 1), (-1, 1), (0, 2), (-3, 9)]),
    st.integers(0, 999),
)
def test_what_is_packed_comes_back(shape, span, seed):
    values = drawn(shape, *span, seed)
    assert torch.equal(pack(values, low=span[0], high=span[1]).unpack(), values)


def test_channels_last_stays():
    values = drawn((2, 3, 4, 5), 0, 1, 0).contiguous(memory_format=torch.channels_last)
    back = pack(values).unpack()
    assert torch.equal(back, values) and back.stride() == values.stride()


def test_views_are_packed_by_value():
    values = drawn((4, 6), 0, 1, 1)
    assert torch.equal(pack(values.t()).unpack(), values.t())
    assert torch.equal(pack(values[1:3]).unpack(), values[1:3])
    assert torch.equal(pack(values[0].expand(3, 6)).unpack(), values[0].expand(3, 6))


@pytest.mark.parametrize(("low", "high", "size"), [(0, 1, 125), (-1, 1, 250), (0, 2, 250), (0, 15, 500)])
def test_a_thousand_values_take(low, high, size):
    assert len(pack(drawn((1000,), low, high, 2), low=low, high=high).bits) == size


def test_unpacks_into_a_buffer():
    values, out = drawn((3, 7), -1, 1, 3), torch.full((3, 7), 9.0)
    assert pack(values, low=-1).unpack(out) is out
    assert torch.equal(out, values)
    with pytest.raises(ValueError, match="out must have shape"):
        pack(values, low=-1).unpack(torch.empty(7, 3))


@pytest.mark.parametrize("bad", [2.0, -1.0, 0.5, float("nan"), 257.0])
def test_refuses_what_does_not_fit(bad):
    with pytest.raises(ValueError, match="values must be whole numbers from 0 to 1"):
        pack(torch.tensor([0.0, bad, 1.0]))


def test_refuses_ranges():
    with pytest.raises(ValueError, match="high - low must be a whole number"):
        pack(torch.zeros(1), low=1, high=1)
    with pytest.raises(ValueError, match="at most 15"):
        pack(torch.zeros(1), high=16)
