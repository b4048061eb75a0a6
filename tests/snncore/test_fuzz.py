"""Whatever is given: a right result, or one clear sentence."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_entry_points import EXAMPLES

from snncore.network import Network
from snncore.neurons import LIF, fire
from snncore.topology import parse, plan

CLEAR = (ValueError, FloatingPointError)
ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**30),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.none(), max_size=2),
)
TENSORS = st.builds(
    lambda shape, dtype, fill: torch.full(shape, fill).to(dtype),
    st.lists(st.integers(0, 4), max_size=6),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool]),
    st.sampled_from([0.0, 1.0, -3.0, float("nan"), float("inf")]),
)
NET = Network("2C3 [2C3]x2 F3", input_shape=(1, 4, 4), generator=torch.Generator().manual_seed(0))


@settings(deadline=None, max_examples=2 * EXAMPLES)
@given(text=st.one_of(st.text("0123C3PFMR[]x()+:relu lif\u0664\u3000", max_size=25), ANY))
def test_topologies(text):
    try:
        parsed = parse(text)
        assert parse(parsed.text) == parsed and plan(text, (1, 8, 8))[-1].neuron == "none"
    except CLEAR as error:
        assert "got" in str(error)


@settings(deadline=None, max_examples=EXAMPLES)
@given(fields=st.dictionaries(st.sampled_from(list(LIF.__dataclass_fields__)), ANY))
def test_neurons(fields):
    try:
        spikes, _ = fire(torch.ones(3, 2), LIF(**fields))
        assert set(spikes.unique().tolist()) <= {0.0, 1.0}
    except CLEAR as error:
        assert "got" in str(error)


@settings(deadline=None, max_examples=EXAMPLES)
@given(x=st.one_of(TENSORS, ANY), steps=st.one_of(st.none(), st.integers(-1, 3)))
def test_networks(x, steps):
    try:
        assert NET(x, steps=steps).isfinite().all()
    except CLEAR as error:
        assert "got" in str(error)
