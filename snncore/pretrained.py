"""Trained networks kept beside the records: ``load_pretrained("VGG3x4")`` and its files.

A folder of weights holds ``index.json`` and one safetensors file per network. An index entry holds everything needed to
build the network and to feed it; the file holds the weights and a few test images to try them on. Weights of two
dimensions and more are stored in half precision, all other values in their original precision. So a stored network is
rounded, and the entry gives the accuracy before and after rounding.
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
from torch import Tensor

from ._check import between, flag, whole
from .network import Network, NetworkConfig

if TYPE_CHECKING:
    from .training import InputConfig

INDEX = "index.json"

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A trained network with its input code and its results.

    Attributes:
        name: its name in the index.
        network: the network in float32, in evaluation mode.
        input: the code and T it was trained with; ``input(images, generator=...)`` makes the network's input.
        classes: class names in label order.
        data: name of the data set, as in ``DataConfig``.
        record: key of the recorded run that trained it.
        recorded_accuracy: share of the test images that the recorded run classified correctly.
        accuracy: share that these rounded weights classify correctly.
        test_images: number of test images behind both accuracies.
        examples: the first of these test images, uint8 (N, C, H, W).
        example_labels: their labels, (N,).
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
    examples: Tensor
    example_labels: Tensor


def weights_root() -> Path:
    """The default folder of stored weights: ``results/weights`` of the repository that contains the package."""
    return Path(__file__).resolve().parents[1] / "results" / "weights"


def pretrained_names(*, folder: str | Path | None = None) -> tuple[str, ...]:
    """Names that ``load_pretrained`` accepts, in alphabetical order; see there for arguments and errors."""
    return tuple(sorted(_index(_place(folder))))


def load_pretrained(name: str, *, folder: str | Path | None = None) -> Pretrained:
    """Load a trained network by name.

    Args:
        name: one of ``pretrained_names()``.
        folder: a folder with ``index.json``; None means ``results/weights`` of the repository, if the package is used
            from a checkout. An installed wheel holds no weights: give the folder of a checkout.

    Returns:
        The network with its input code and its results.

    Raises:
        FileNotFoundError: no index, or no file of weights, in the folder.
        ValueError: an unknown name, an index that cannot be read, or a file whose hash differs from the index.
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
            f"{file} is missing, though {INDEX} names it: restore the folder from the repository"
        )
    content = file.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != wanted:
        raise ValueError(
            f"{file} must have the sha256 {wanted[:16]}.., got {found[:16]}..: it is damaged or was replaced"
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
        tensors = load(content)
        examples, labels = tensors.pop("examples"), tensors.pop("example_labels")
        network.load_state_dict(tensors)
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
            examples,
            labels,
        )
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{place / INDEX} must say how {name!r} is built: {error!r}") from error


def save_pretrained(
    name: str,
    network: Network,
    description: Mapping[str, Any],
    *,
    examples: Tensor,
    example_labels: Tensor,
    folder: str | Path,
    replace: bool = False,
) -> Path:
    """Add a network to a folder of weights.

    Args:
        name: name for ``load_pretrained``: letters, digits, ``.``, ``_`` and ``-``.
        network: the network; ``rounded(network.state_dict())`` is written.
        description: the fields of ``Pretrained`` that the network does not hold: ``input`` (as a dict), ``classes``, ``data``,
            ``record``, ``recorded_accuracy``, ``accuracy`` and ``test_images``.
        examples: a few images, uint8 (N, C, H, W).
        example_labels: their labels, (N,).
        folder: target folder; created if missing.
        replace: overwrite a network of this name.

    Returns:
        The file of weights.

    Raises:
        ValueError: a name that is in use or not allowed, a description with missing or extra fields, or examples of
            another shape or type.
    """
    if not name or name.startswith(".") or not all(c.isascii() and (c.isalnum() or c in "._-") for c in name):
        raise ValueError(f"name must consist of letters, digits, '.', '_' and '-', got {name!r}")
    fields = {"input", "classes", "data", "record", "recorded_accuracy", "accuracy", "test_images"}
    if set(description) != fields:
        raise ValueError(
            f"description must hold {', '.join(sorted(fields))}, got {', '.join(sorted(description))}"
        )
    whole("test_images", description["test_images"])
    if examples.dtype != torch.uint8 or tuple(examples.shape[1:]) != network.input_shape:
        raise ValueError(
            f"examples must be uint8 of shape {('N', *network.input_shape)}, got {examples.dtype} {tuple(examples.shape)}"
        )
    if example_labels.shape != examples.shape[:1]:
        raise ValueError(
            f"example_labels must have shape {tuple(examples.shape[:1])}, got {tuple(example_labels.shape)}"
        )
    from safetensors.torch import save

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    entries = _index(place) if (place / INDEX).exists() else {}
    if name in entries and not replace:
        raise ValueError(
            f"name must be new unless replace=True, got {name!r}, stored from run {entries[name].get('record')}"
        )
    shown = {"examples": examples.contiguous(), "example_labels": example_labels.contiguous()}
    content = save(rounded(network.state_dict()) | shown)
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
    """A state dict with float32 weights of two dimensions and more in half precision, all other values unchanged.

    Args:
        state: a state dict.

    Raises:
        ValueError: a value that is not finite in half precision (above 65504).
    """
    found = {}
    for key, value in state.items():
        values = value.detach().cpu().contiguous()
        if values.dtype == torch.float32 and values.dim() > 1:
            values = values.half()
        if values.is_floating_point() and not torch.isfinite(values).all():
            raise ValueError(f"weights must be finite in half precision, got one that is not in {key}")
        found[key] = values
    return found


def _place(folder: str | Path | None) -> Path:
    return weights_root() if folder is None else Path(folder).expanduser()


def _index(place: Path) -> dict[str, Any]:
    path = place / INDEX
    if not path.is_file():
        raise FileNotFoundError(
            f"no {INDEX} in {place}: the weights are in results/weights of a checkout of the repository, which "
            "load_pretrained(..., folder=DIR) can name"
        )
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, got {data['schema']!r}")
        return dict(data["weights"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be an index of weights: {error}") from error


def _config(data: Mapping[str, Any]) -> NetworkConfig:
    """A configuration from JSON, with lists as tuples."""
    options = tuple((name, value) for name, value in data.get("head_options", ()))
    return NetworkConfig(**{**data, "head_options": options})
