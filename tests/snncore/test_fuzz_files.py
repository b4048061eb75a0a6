"""What comes from elsewhere, kept networks and NIR graphs, with anything in it: a right network or one sentence."""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_entry_points import MANY, answered, generator, names, numbers
from test_pretrained import DESCRIPTION

from snncore.network import Network, NetworkConfig
from snncore.nir import to_nir
from snncore.nir_reader import from_nir
from snncore.pretrained import load_pretrained, pretrained_names, save_pretrained

ANYTHING = st.one_of(
    numbers,
    names,
    st.just([]),
    st.just({}),
    st.lists(numbers, max_size=3),
    st.just("../../x"),
    st.just(10**30),
)


def spoil(draw: Any, data: Any) -> Any:
    """JSON data with one value, at any depth, removed or made anything."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for name in (
            value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        ):
            places.append((value, name))
            walk(value[name])

    data = copy.deepcopy(data)
    walk(data)
    inside, name = draw(st.sampled_from(places))
    if draw(st.booleans()):
        inside[name] = draw(ANYTHING)
    else:
        del inside[name]
    return data


def tiny(**config: Any) -> Network:
    return Network(
        "2C3 [2C3]x2 P F3", input_shape=(1, 4, 4), config=NetworkConfig(**config), generator=generator()
    )


@functools.cache
def kept() -> tuple[str, dict[str, bytes]]:
    """Index and files of a folder with one network."""
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(
            "tiny",
            tiny(),
            DESCRIPTION | {"classes": ["a", "b", "c"]},
            examples=torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
            example_labels=torch.zeros(2, dtype=torch.int64),
            folder=folder,
        )
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return files.pop("index.json").decode(), files


@MANY
@given(data=st.data(), name=st.one_of(st.just("tiny"), names, st.just("../tiny")), torn=st.integers(0, 9))
def test_kept_networks(data: Any, name: str, torn: int) -> None:
    index, files = kept()
    with tempfile.TemporaryDirectory() as folder:
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content[: len(content) // 2] if torn == 1 else content)
        text = json.dumps(spoil(data.draw, json.loads(index)))
        (Path(folder) / "index.json").write_text(text[:-5] if torn == 2 else text)
        answered(pretrained_names, folder=folder)
        found = answered(load_pretrained, name, folder=folder)
        if found is not None:
            scores = answered(found.network, torch.ones(3, 2, 1, 4, 4))  # the index may say static_input
            assert name == "tiny" and (scores is None or bool(scores.isfinite().all()))


pytest.importorskip("nir")


@MANY
@given(data=st.data(), dt=st.one_of(st.just(1e-4), numbers, st.none()))
def test_graphs_of_nir(data: Any, dt: Any) -> None:
    graph = answered(to_nir, tiny(), dt=1e-4 if dt is None else dt)
    if graph is None:
        return
    name = data.draw(st.sampled_from(sorted(graph.nodes)))
    node = graph.nodes[name]
    field = data.draw(st.sampled_from(sorted(k for k in vars(node) if not k.startswith("_"))))
    kind = data.draw(st.sampled_from(["value", "array", "spoilt", "node", "edge", "metadata", "as it is"]))
    value = getattr(node, field)
    if kind == "value":
        setattr(node, field, data.draw(ANYTHING))
    elif kind == "array":
        setattr(node, field, np.zeros(data.draw(st.lists(st.integers(0, 3), max_size=4))))
    elif kind == "spoilt" and isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        value = value.copy()
        value.flat[0] = data.draw(st.sampled_from([np.nan, np.inf, -1.0, 1e30]))
        setattr(node, field, value)
    elif kind == "node":
        del graph.nodes[name]
    elif kind == "edge" and graph.edges:
        graph.edges.remove(data.draw(st.sampled_from(sorted(graph.edges))))
    elif kind == "metadata":
        graph.metadata = spoil(data.draw, {"snncore": {"a": 1}, **graph.metadata})
    found = answered(from_nir, graph, dt=dt)
    if found is not None and kind == "as it is":
        x = (torch.rand(4, 2, 1, 4, 4, generator=generator(1)) > 0.5).float()
        assert torch.equal(found(x), tiny()(x))
