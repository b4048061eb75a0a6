"""Spiking neural networks for the paper and for your own work.

Neurons, BackRes blocks, stochmax, hybrid networks, conversion, STDP and energy. Companion library to Panda, Aketi & Roy 2020,
"Toward Scalable, Efficient, and Accurate Deep Spiking Neural Networks With Backward Residual Connections, Stochastic
Softmax, and Hybridization" (Front. Neurosci. 14:653).

The public names are exported here. A module is imported when one of its names is first used.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import torch

__version__ = "0.1.0"

_LEAST_TORCH = (2, 11)

if tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2]) < _LEAST_TORCH:
    raise ImportError(f"snncore needs torch 2.11 or newer, got {torch.__version__}")

if TYPE_CHECKING:
    from .activity import ActivityProbe, SiteActivity
    from .backres import BackRes
    from .conversion import ConversionConfig, convert
    from .data import DataConfig, load
    from .energy import EnergyReport, report
    from .folders import open_folder
    from .network import Network, NetworkConfig, detach
    from .neurons import IF, LIF, NeuronState, fire
    from .nir import to_nir
    from .nir_reader import from_nir
    from .pretrained import Pretrained, load_pretrained, pretrained_names
    from .simulation import simulate
    from .stdp import StdpConfig
    from .stdp_layers import train_layerwise
    from .stochmax import Softmax, Stochmax, StochmaxConfig
    from .streams import stream
    from .topology import parameter_count, plan
    from .training import Evaluation, InputConfig, TrainingConfig, evaluate, train

_MODULES = {
    "activity": ("ActivityProbe", "SiteActivity"),
    "backres": ("BackRes",),
    "conversion": ("ConversionConfig", "convert"),
    "data": ("DataConfig", "load"),
    "energy": ("EnergyReport", "report"),
    "folders": ("open_folder",),
    "network": ("Network", "NetworkConfig", "detach"),
    "neurons": ("IF", "LIF", "NeuronState", "fire"),
    "nir": ("to_nir",),
    "nir_reader": ("from_nir",),
    "pretrained": ("Pretrained", "load_pretrained", "pretrained_names"),
    "simulation": ("simulate",),
    "stdp": ("StdpConfig",),
    "stdp_layers": ("train_layerwise",),
    "stochmax": ("Softmax", "Stochmax", "StochmaxConfig"),
    "streams": ("stream",),
    "topology": ("parameter_count", "plan"),
    "training": ("Evaluation", "InputConfig", "TrainingConfig", "evaluate", "train"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [  # noqa: RUF022 (in the order of _MODULES; a test compares the two)
    "ActivityProbe",
    "SiteActivity",
    "BackRes",
    "ConversionConfig",
    "convert",
    "DataConfig",
    "load",
    "EnergyReport",
    "report",
    "open_folder",
    "Network",
    "NetworkConfig",
    "detach",
    "IF",
    "LIF",
    "NeuronState",
    "fire",
    "to_nir",
    "from_nir",
    "Pretrained",
    "load_pretrained",
    "pretrained_names",
    "simulate",
    "StdpConfig",
    "train_layerwise",
    "Softmax",
    "Stochmax",
    "StochmaxConfig",
    "stream",
    "parameter_count",
    "plan",
    "Evaluation",
    "InputConfig",
    "TrainingConfig",
    "evaluate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
