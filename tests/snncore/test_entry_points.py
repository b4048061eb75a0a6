"""Whatever a caller hands in, the answer is a right result or one sentence: random shapes, types, values and names."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from panda2020.exhibits.notebook import PARAMETERS
from snncore import coding, gradients, stochmax
from snncore.binary import binary_weight
from snncore.conversion import ConversionConfig, convert, set_thresholds, spiking
from snncore.data import DataConfig, Part, augment, batches, to_unit
from snncore.network import Network, NetworkConfig
from snncore.simulation import classify, simulate
from snncore.stdp import StdpConfig
from snncore.stdp_layers import features, train_layerwise
from snncore.training import InputConfig

# What one sentence may come as; torch's own RuntimeError, IndexError and TypeError are no answers.
ANSWERS = (ValueError, FloatingPointError, FileNotFoundError)

TYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool)

#: How many examples each entry point gets; SNNCORE_EXAMPLES=2000 makes the long run.
EXAMPLES = int(os.environ.get("SNNCORE_EXAMPLES", "100"))

MANY = settings(max_examples=EXAMPLES, deadline=None)


def answered(call: Any, *args: Any, **options: Any) -> Any:
    """What a call gives, or None where it refuses in one sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(*args, **options)
        except ANSWERS as error:
            text = str(error)
            assert text and "\n" not in text and len(text) < 400, text
            return None


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


numbers = st.one_of(
    st.integers(-3, 12),
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.sampled_from([None, True, "3", "", 1e30, -1, 2.5]),
)

names = st.one_of(
    st.text(max_size=12), st.sampled_from(["poisson", "direct", "latency", "signed-poisson", "mean"])
)


@st.composite
def tensors(draw: Any, *, dims: tuple[int, int] = (0, 5), usual: tuple[int, ...] = (3, 1, 4, 4)) -> Tensor:
    """Half of them of the usual shape and range, so that the way behind the checks is walked too."""
    shape = (
        usual
        if draw(st.booleans())
        else tuple(draw(st.lists(st.integers(0, 4), min_size=dims[0], max_size=dims[1])))
    )
    kind = draw(st.sampled_from((torch.float32, torch.uint8, *TYPES)))
    values = torch.rand(shape, generator=generator(draw(st.integers(0, 9))))
    if kind in (torch.uint8, torch.int64):
        return (values * 255).to(kind)
    spoilt = draw(st.sampled_from([None, None, None, math.nan, math.inf, -math.inf, -0.5, 7.0, 1e30]))
    if spoilt is not None and values.numel():
        values.view(-1)[draw(st.integers(0, values.numel() - 1))] = spoilt
    return values.to(kind)


@MANY
@given(name=names, images=tensors(), steps=numbers)
def test_coding(name: str, images: Tensor, steps: Any) -> None:
    for call in (
        coding.encode,
        lambda n, x, t, generator: coding.poisson(x, t, generator=generator, signed=True),
    ):
        spikes = answered(call, name, images, steps, generator=generator())
        if spikes is not None:
            assert spikes.shape == (steps, *images.shape) and spikes.dtype == images.dtype
            assert bool(spikes.isfinite().all())


@MANY
@given(images=tensors(), labels=tensors(dims=(0, 2), usual=(3,)), size=numbers, padding=numbers)
def test_data(images: Tensor, labels: Tensor, size: Any, padding: Any) -> None:
    answered(to_unit, images)
    moved = answered(augment, images, generator=generator(), padding=padding)
    assert moved is None or moved.shape == images.shape
    part = answered(Part, images, labels)
    if part is not None and (found := answered(batches, part, size)) is not None:
        assert sum(len(answer) for _, answer in found) == len(images)


@MANY
@given(name=names, values=st.lists(numbers, min_size=5, max_size=5))
def test_data_config(name: str, values: list[Any]) -> None:
    for kind in (name, "digits", f"imagefolder:{name}"):
        answered(DataConfig, kind, *values)


@MANY
@given(
    values=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                "eta",
                "tau",
                "offset",
                "target",
                "settle",
                "steps",
                "batch",
                "adaptation",
                "dropout",
                "low_pass",
            ),
            numbers,
        ),
    ),
    images=tensors(),
    topology=st.sampled_from(["2C3 F2", "2C3 2C3+ P F2", "P 2C1 F2", "40C3 F2", "", "F2", "2C3:relu F2"]),
    stop_after=numbers,
)
def test_stdp(values: dict[str, Any], images: Tensor, topology: str, stop_after: Any) -> None:
    usual = {"steps": 3, "batch": 2, "settle": 1}
    config = answered(StdpConfig, **usual | values)
    if config is None:
        return
    trained = answered(
        train_layerwise, topology, images, config, generator=generator(), stop_after=stop_after
    )
    if trained is not None:
        assert all(bool(weight.isfinite().all()) for weight in trained.weights.values())
        assert bool(features(trained, images, generator=generator()).isfinite().all())


@MANY
@given(weight=tensors(), scale=names)
def test_binary(weight: Tensor, scale: str) -> None:
    for kind in (scale, "mean", "none"):
        binary = answered(binary_weight, weight, scale=kind)
        assert binary is None or bool(binary.isfinite().all())


@MANY
@given(
    h=tensors(dims=(0, 3), usual=(3, 4)),
    target=tensors(dims=(0, 2), usual=(3,)),
    name=st.sampled_from(["softmax", "stochmax", "max"]),
    path=st.sampled_from(["straight-through", "concrete", "local", "exact", "other"]),
    epsilon=numbers,
)
def test_heads(h: Tensor, target: Tensor, name: str, path: str, epsilon: Any) -> None:
    options = {} if name == "softmax" else {"psi_gradient": path, "epsilon": epsilon}
    head = answered(stochmax.make_head, name, 4, 3, generator=generator(), **options)
    if head is not None:
        found = answered(
            head.loss, h, target % 3 if target.dtype == torch.int64 else target, generator=generator()
        )
        assert found is None or name == "softmax" or bool(found[0].isfinite())


NET = Network(
    "2C3 [2C3]x2 P F3",
    input_shape=(1, 4, 4),
    config=NetworkConfig(neuron="relu", gain=2.0),
    generator=generator(),
)
BALANCED = spiking(NET)
set_thresholds(BALANCED, {site: 1.0 for site, _ in BALANCED.sites()})


@MANY
@given(
    images=tensors(),
    labels=st.lists(st.integers(-1, 3), max_size=4),
    steps=numbers,
    at=st.lists(numbers, max_size=2),
    size=numbers,
    percentile=numbers,
)
def test_networks(
    images: Tensor, labels: list[int], steps: Any, at: list[Any], size: Any, percentile: Any
) -> None:
    answers = torch.tensor(labels, dtype=torch.int64)
    part = answered(Part, images, answers if len(labels) != 1 else torch.arange(3))
    coder, real = InputConfig("poisson", steps=1), InputConfig("real")
    config = answered(ConversionConfig, images=2, steps=4, percentile=percentile)
    if config is not None:
        answered(convert, NET, images, coder, config, generator=generator())
    if part is None:
        return
    found = answered(simulate, BALANCED, part, coder, steps, at=tuple(at), seed=0, batch_size=size)
    assert found is None or all(bool(s.scores.isfinite().all()) for s in found.values())
    answered(classify, NET, part, real, seed=0, batch_size=size)
    answered(gradients.by_step, NET, part, real, batch_size=size)


@MANY
@given(
    name=st.sampled_from(sorted(PARAMETERS)),
    value=st.one_of(
        numbers,
        st.text(max_size=20),
        st.lists(numbers, max_size=3),
        st.dictionaries(names, numbers, max_size=2),
    ),
)
def test_notebook_parameters(name: str, value: Any) -> None:
    checked = answered(PARAMETERS[name].check, value)
    assert checked is None or PARAMETERS[name].check(checked) == checked
