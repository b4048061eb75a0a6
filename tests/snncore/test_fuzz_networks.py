"""Training, evaluation, carried states and energy under any arguments: a right result or one sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_entry_points import EXAMPLES, MANY, answered, generator, names, numbers, tensors
from torch import Tensor

from snncore import energy, hybrid
from snncore.activity import ActivityProbe, SiteActivity
from snncore.data import Part, Splits
from snncore.network import Network, NetworkConfig, detach
from snncore.neurons import LIF, NeuronState, fire, fire_reference, surrogate
from snncore.topology import plan
from snncore.training import InputConfig, TrainingConfig, evaluate, train

FEW = settings(max_examples=EXAMPLES * 3 // 5, deadline=None)


@st.composite
def usually(draw: Any, value: Any, odd: Any = numbers) -> Any:
    """``value`` nine times of ten: a call of many arguments then often has one that is wrong, or none."""
    if draw(st.integers(0, 9)):
        return draw(value) if isinstance(value, st.SearchStrategy) else value
    return draw(odd)


@st.composite
def inputs(draw: Any, *shape: int) -> Tensor:
    """Values in [0, 1] of the shape that is meant, or anything else."""
    if draw(st.integers(0, 4)):
        return torch.rand(shape, generator=generator(draw(st.integers(0, 9))))
    return draw(tensors(usual=shape))


codes = st.one_of(names, st.sampled_from(["real", "poisson-mean"]))

coders = usually(
    st.sampled_from([{"code": "real"}, {"code": "poisson", "steps": 2}, {"code": "direct", "steps": 2}]),
    st.builds(dict, code=codes, steps=numbers, signed=numbers),
)

TEXTS = (
    "2C3 P F3",
    "2C3 [2C3]x2 P F3",
    "2C3:relu R 2C3 P F3",
    "2C3:relu 2C3 M F3:relu F3",
    "F3",
    "2C3 2C3+ F3",
)


@st.composite
def networks(draw: Any) -> Network:
    neuron = draw(st.sampled_from(["lif", "if", "relu"]))
    texts = TEXTS[:2] + TEXTS[4:] if neuron == "relu" else TEXTS
    config = NetworkConfig(
        neuron=neuron,
        readout=draw(st.sampled_from(["sum", "mean"])),
        batch_norm=draw(st.booleans()),
        dropout=draw(st.sampled_from([0.0, 0.5])),
        reset=draw(st.sampled_from(["soft", "hard"])),
        refractory=draw(st.sampled_from([0, 2])),
    )
    static = draw(st.sampled_from([None, True, False])) if neuron != "relu" else None
    try:
        return Network(
            draw(st.sampled_from(texts)),
            input_shape=(1, 4, 4),
            config=config,
            generator=generator(),
            static_input=static,
        )
    except ValueError:
        return Network("2C3 P F3", input_shape=(1, 4, 4), config=config, generator=generator())


@st.composite
def parts(draw: Any) -> Part | None:
    usual = torch.randint(256, (5, 1, 4, 4), generator=generator(), dtype=torch.uint8)
    images = draw(usually(st.just(usual), tensors()))
    labels = draw(usually(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.lists(st.integers(-1, 3))))
    return answered(Part, images, torch.tensor(labels, dtype=torch.int64))


@FEW
@given(
    network=usually(networks(), st.sampled_from([None, torch.nn.Linear(2, 2)])),
    part=parts(),
    coder=coders,
    recipe=st.builds(
        dict,
        learning_rate=usually(1e-3),
        clip=usually(1.0),
        batch_size=usually(3),
        weight_decay=usually(0.0),
        schedule=usually(st.sampled_from(["cosine", "step"]), names),
        optimizer=usually(st.sampled_from(["adam", "sgd"]), names),
    ),
    seed=usually(0),
    stop_after=usually(None),
)
def test_train_and_evaluate(
    network: Any, part: Any, coder: Any, recipe: Any, seed: Any, stop_after: Any
) -> None:
    code = answered(InputConfig, **coder)
    config = answered(TrainingConfig, epochs=1, **recipe)
    if part is None or code is None:
        return
    found = answered(evaluate, network, part, code, seed=seed)
    assert found is None or 0 <= found.correct <= found.total == len(part.labels)
    if config is None:
        return
    splits = answered(Splits, part, part, part, ("a", "b", "c"), "")
    curve = answered(train, network, splits, code, config, seed=seed, progress=False, stop_after=stop_after)
    if curve:
        assert all(torch.isfinite(p).all() for p in network.parameters())


@MANY
@given(
    network=networks(),
    x=inputs(3, 2, 1, 4, 4),
    steps=usually(3),
    spoil=st.sampled_from(["", "site", "shape", "none", "nan", "dtype", "spikes", "held", "list"]),
    seeded=st.booleans(),
)
def test_run_with_state(network: Network, x: Tensor, steps: Any, spoil: str, seeded: bool) -> None:
    draws = generator() if seeded else None
    if network.plan[0].static:  # an image, for some steps
        x = x[0] if x.dim() == 5 and len(x) else x
    elif steps == 3:
        steps = None
    first = answered(network.run, x, steps=steps, generator=draws)
    if first is None:
        return
    _, state = first
    state = detach(state)
    name = next(iter(state), "conv1")
    if state and spoil:
        old = state[name]
        state[name] = {
            "site": old,
            "shape": old._replace(membrane=old.membrane[:, :1]),
            "none": None,
            "nan": old._replace(membrane=old.membrane * float("nan")),
            "dtype": old._replace(membrane=old.membrane.long()),
            "spikes": old._replace(spikes=old.spikes + 0.5),
            "held": old._replace(held=torch.full(old.membrane.shape, 3.5)),
            "list": list(old),
        }[spoil]
        if spoil == "site":
            state["module." + name] = state.pop(name)
    again = answered(network.run, x, steps=steps, state=state, generator=draws)
    assert again is None or bool(again[0].isfinite().all())
    assert again is None or not state or spoil not in ("site", "none", "nan", "list", "dtype")


@MANY
@given(
    current=inputs(4, 3),
    steps=usually(None),
    reset=st.sampled_from(["soft", "hard"]),
    refractory=st.sampled_from([0, 1]),
    membrane=inputs(3),
    spikes=usually(inputs(3).map(lambda x: (x > 0.5).to(x.dtype)), inputs(3)),
    held=usually(st.none() | st.just(torch.tensor([0, 1, -1], dtype=torch.int16)), inputs(3)),
)
def test_fire(
    current: Any, steps: Any, reset: str, refractory: int, membrane: Any, spikes: Any, held: Any
) -> None:
    neuron = LIF(reset=reset, refractory=refractory)
    for state in (None, NeuronState(membrane, spikes, held)):
        found = answered(fire, current, neuron, steps=steps, state=state)
        if found is not None:
            assert set(found[0].float().unique().tolist()) <= {0.0, 1.0}
            if current.dtype == torch.float64:
                reference = fire_reference(current, neuron, steps=steps, state=state)[0]
                assert torch.equal(found[0], reference)


@MANY
@given(values=inputs(2, 3, 4, 4), steps=usually(3))
def test_rate_code(values: Any, steps: Any) -> None:
    spikes = answered(hybrid.rate_code, values, steps, generator=generator())
    if spikes is not None:
        assert spikes.shape == (steps, *values.shape) and set(spikes.float().unique().tolist()) <= {0.0, 1.0}
        assert bool((spikes.sum(0)[values == 0] == 0).all())


PLANS = [plan(text, (1, 4, 4)) for text in ("2C3 P F3", "2C3 [2C3]x2 P F3", "2C3:relu R 2C3 P F3")]

odd_sites = st.builds(
    SiteActivity,
    st.sampled_from(["spikes", "real", "other"]),
    numbers | st.floats(0, 1),
    numbers | st.floats(0, 1),
    st.none() | st.lists(st.lists(numbers, min_size=1, max_size=4).map(tuple), max_size=4).map(tuple),
)


@st.composite
def activities(draw: Any) -> dict[str, Any]:
    """What a probe measured, of which one site may be odd or missing."""
    found = {}
    for name in ("input", "conv1", "conv2.1", "conv2.2", "conv2", "rate-code"):
        rate = draw(st.floats(0, 1))
        grid = draw(st.none() | st.just(((rate,) * 4,) * 4))
        found[name] = SiteActivity("real" if name == "input" and rate > 0.5 else "spikes", rate, rate, grid)
    if draw(st.booleans()):
        found[draw(st.sampled_from(list(found)))] = draw(odd_sites)
    if not draw(st.integers(0, 9)):
        del found[draw(st.sampled_from(list(found)))]
    return found


@MANY
@given(
    passes=usually(st.sampled_from(PLANS), st.just(())),
    activity=activities(),
    ann=st.none() | activities(),
    steps=usually(5),
    convention=usually(st.sampled_from(energy.CONVENTIONS), names),
    prices=usually(st.just({"mac": 2.0, "ac": 1.0}), st.builds(dict, mac=numbers, ac=numbers)),
    memory=st.none() | st.builds(dict, weight=usually(1.0), activation=usually(2.0), membrane=usually(3.0)),
)
def test_energy(
    passes: Any, activity: Any, ann: Any, steps: Any, convention: str, prices: Any, memory: Any
) -> None:
    paid = answered(energy.Prices, "mine", **prices)
    kept = None if memory is None else answered(energy.Memory, "mine", **memory)
    if paid is None:
        return
    found = answered(
        energy.report,
        passes,
        activity,
        steps,
        prices=paid,
        convention=convention,
        ann_activity=ann,
        memory=kept,
    )
    if found is not None:
        assert found.snn >= 0 and found.ann > 0 and found.efficiency > 0
        assert all(
            value >= 0
            for row in found.rows
            for value in dataclasses.asdict(row).values()
            if isinstance(value, float)
        )
        found.to_dict()


@MANY
@given(
    values=usually(inputs(3, 2, 1, 4, 4), st.sampled_from([None, [1.0]])),
    timed=usually(st.booleans()),
    positions=st.booleans(),
)
def test_probe(values: Any, timed: Any, positions: bool) -> None:
    probe = ActivityProbe(positions=positions)
    answered(probe, "conv1", values, timed=timed)
    found = answered(probe.result)
    assert found is None or all(0 <= site.nonzero <= 1 for site in found.values())


@MANY
@given(membrane=inputs(4, 3), threshold=usually(1.0), gamma=usually(0.3))
def test_surrogate(membrane: Any, threshold: Any, gamma: Any) -> None:
    slope = answered(surrogate, membrane, threshold=threshold, gamma=gamma)
    assert slope is None or not bool((slope < 0).any())  # NaN arrives as NaN
