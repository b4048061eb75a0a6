"""Trained networks that are kept beside the records: ``load_pretrained("VGG3x4")`` and the files behind it.

A folder of weights holds ``index.json`` and one safetensors file per network. An index entry says everything needed to
build the network and to feed it; weights of two dimensions and more are stored in half precision, all else as it was
trained. So a kept network is a rounded one, and the entry holds the accuracy of both.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ._check import between, flag, whole
from .network import Network, NetworkConfig

if TYPE_CHECKING:
    from .training import InputConfig

INDEX = "index.json"

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A trained network, how images reach it, and what is known about it.

    Attributes:
        name: its name in the index.
        network: the network in float32, in evaluation mode.
        input: the code and T it was trained with; ``input(images, generator=...)`` gives what the network takes.
        classes: class names in label order.
        data: name of the data set, as ``DataConfig`` takes it.
        record: key of the recorded run that trained it.
        recorded_accuracy: share of the test images that the recorded run classified correctly.
        accuracy: the same, of these rounded weights.
        test_images: how many test images both were measured on.
    """

    name: str
    network: Network
    input: InputConfig
    classes: tuple[str, ...]
    data: str
    record: str
    recorded_accuracy: float
    accuracy: float
    test_images: int


def weights_root() -> Path:
    """The folder of kept weights: ``results/weights`` of the repository that the package lies in."""
    return Path(__file__).resolve().parents[1] / "results" / "weights"


def pretrained_names(*, folder: str | Path | None = None) -> tuple[str, ...]:
    """Names that ``load_pretrained`` takes, in alphabetical order; arguments and errors as there."""
    return tuple(sorted(_index(_place(folder))))


def load_pretrained(name: str, *, folder: str | Path | None = None) -> Pretrained:
    """Load a trained network by name.

    Args:
        name: one of ``pretrained_names()``.
        folder: a folder with ``index.json``; None means ``results/weights`` of the repository, where the package is used
            from a checkout. An installed wheel holds no weights: name the folder of a checkout.

    Returns:
        The network with what is needed to feed it.

    Raises:
        FileNotFoundError: no index, or no file of weights, in the folder.
        ValueError: an unknown name, an index that cannot be understood, or a file that is not the one in the index.
    """
    place = _place(folder)
    entries = _index(place)
    if name not in entries:
        raise ValueError(f"name must be one of {', '.join(sorted(entries)) or 'none yet'}, got {name!r}")
    entry = entries[name]
    try:
        file = place / Path(entry["file"]).name
        wanted = entry["sha256"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{place / INDEX} must say how {name!r} is built: {error!r}") from error
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is not there, though {INDEX} names it: take the folder as the repository has it"
        )
    content = file.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != wanted:
        raise ValueError(
            f"{file} must have the sha256 {wanted[:16]}.., got {found[:16]}..: it is damaged or another file"
        )
    from safetensors.torch import load

    from .training import InputConfig

    try:
        network = Network(
            entry["topology"],
            input_shape=tuple(entry["input_shape"]),
            config=_config(entry["network"]),
            generator=torch.Generator().manual_seed(0),  # every weight is overwritten
            static_input=flag("static_input", entry["static_input"]),
        )
        network.load_state_dict(load(content))
        return Pretrained(
            name,
            network.eval(),
            InputConfig(**entry["input"]),
            tuple(entry["classes"]),
            entry["data"],
            entry["record"],
            between("recorded_accuracy", entry["recorded_accuracy"], 0, 1),
            between("accuracy", entry["accuracy"], 0, 1),
            whole("test_images", entry["test_images"]),
        )
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{place / INDEX} must say how {name!r} is built: {error!r}") from error


def save_pretrained(
    name: str, network: Network, description: Mapping[str, Any], *, folder: str | Path, replace: bool = False
) -> Path:
    """Add a network to a folder of weights.

    Args:
        name: what ``load_pretrained`` will call it: letters, digits, ``.``, ``_`` and ``-``.
        network: the network; what is written is ``rounded(network.state_dict())``.
        description: the fields of ``Pretrained`` that the network does not hold: ``input`` (as a dict), ``classes``, ``data``,
            ``record``, ``recorded_accuracy``, ``accuracy`` and ``test_images``.
        folder: where to; made if it is not there.
        replace: overwrite a network of this name.

    Returns:
        The file of weights.

    Raises:
        ValueError: a name that is taken or not a file's, or a description with other fields.
    """
    if not name or name.startswith(".") or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name):
        raise ValueError(f"name must be of letters, digits, '.', '_' and '-', got {name!r}")
    fields = {"input", "classes", "data", "record", "recorded_accuracy", "accuracy", "test_images"}
    if set(description) != fields:
        raise ValueError(
            f"description must hold {', '.join(sorted(fields))}, got {', '.join(sorted(description))}"
        )
    whole("test_images", description["test_images"])
    from safetensors.torch import save

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    entries = _index(place) if (place / INDEX).exists() else {}
    if name in entries and not replace:
        raise ValueError(f"name must be a new one, got {name!r}, kept from run {entries[name].get('record')}")
    content = save(rounded(network.state_dict()))
    entries[name] = {
        "file": f"{name}.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "topology": network.topology.text,
        "input_shape": list(network.input_shape),
        "static_input": network.plan[0].static,
        "network": asdict(network.config),
        **description,
    }
    text = json.dumps({"schema": SCHEMA, "weights": dict(sorted(entries.items()))}, indent=1, allow_nan=False)
    for path, data in ((place / f"{name}.safetensors", content), (place / INDEX, f"{text}\n".encode())):
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(data)
        os.replace(part, path)
    return place / f"{name}.safetensors"


def rounded(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with float32 weights of two dimensions and more in half precision, all else as it is.

    Raises:
        ValueError: a value that is not finite in half precision (above 65504).
    """
    found = {}
    for key, value in state.items():
        values = value.detach().cpu().contiguous()
        if values.dtype == torch.float32 and values.dim() > 1:
            values = values.half()
        if values.is_floating_point() and not torch.isfinite(values).all():
            raise ValueError(f"weights must be finite in half precision, got another value in {key}")
        found[key] = values
    return found


def _place(folder: str | Path | None) -> Path:
    return weights_root() if folder is None else Path(folder).expanduser()


def _index(place: Path) -> dict[str, Any]:
    path = place / INDEX
    if not path.is_file():
        raise FileNotFoundError(
            f"no {INDEX} in {place}: weights lie in results/weights of a checkout of the repository, which "
            "load_pretrained(..., folder=DIR) names"
        )
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, got {data['schema']!r}")
        return dict(data["weights"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be an index of weights: {error}") from error


def _config(data: Mapping[str, Any]) -> NetworkConfig:
    """A configuration from JSON, whose lists are tuples here."""
    options = tuple((name, value) for name, value in data.get("head_options", ()))
    return NetworkConfig(**{**data, "head_options": options})
