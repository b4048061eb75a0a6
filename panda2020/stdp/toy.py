"""STDP in seconds, one layer on scikit-learn's digits: the effect of the offset of Eq. 5 and of competition between maps.

The layer is small enough to train while a chapter is read. Nothing here is a result of the paper's networks.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor

from snncore._check import whole
from snncore.data import DataConfig, load, to_unit
from snncore.neurons import LIF
from snncore.stdp import COMPETITIONS, StdpConfig
from snncore.stdp_layers import StdpWarning, Trained, train_layerwise

#: One layer without competition, so that only the offset decides how the weights change.
ALONE = StdpConfig(steps=20, settle=0, eta=0.06, tau=20.0, competition="none")

#: Ways to choose the offset; "own pairs" is the library's.
OFFSETS: Mapping[str, StdpConfig] = {
    "constant, below the traces": replace(ALONE, offset_unit="absolute", offset=0.3),
    "constant, above the traces": replace(ALONE, offset_unit="absolute", offset=0.95),
    "the same low constant, short traces, few input spikes": replace(
        ALONE, offset_unit="absolute", offset=0.3, tau=5.0, input_rate=0.2
    ),
    "mean trace of all inputs": replace(ALONE, offset_unit="trace"),
    "mean trace of the map's own pairs": ALONE,
}

#: Kinds of competition, with the library's defaults otherwise; a higher learning rate, because there are few images.
RIVALS: Mapping[str, StdpConfig] = {
    kind: StdpConfig(steps=20, settle=0, eta=0.03, competition=kind) for kind in COMPETITIONS
}

ALIKE = 0.9  # cosine from which two kernels count as the same


@dataclass(frozen=True)
class Toy:
    """Results of a toy experiment.

    Attributes:
        table: one row per setting (and seed).
        kernels: (M, C, k, k) by setting, of the first seed; "before" is the start.
        images: number of images learnt from.
    """

    table: pd.DataFrame
    kernels: dict[str, Tensor]
    images: int


def alike(weights: Tensor, *, above: float = ALIKE) -> float:
    """Share of the pairs of maps whose kernels have a cosine above ``above``.

    The mean of a kernel is subtracted first, because two kernels of one sign need not be the same feature.

    Args:
        weights: (M, C, k, k), M at least 2.
        above: the cosine.
    """
    if weights.dim() != 4 or len(weights) < 2:
        raise ValueError(f"weights must be (M, C, k, k) with at least two maps, got {tuple(weights.shape)}")
    flat = weights.flatten(1)
    flat = torch.nn.functional.normalize(flat - flat.mean(1, keepdim=True), dim=1, eps=1e-6)
    first, second = torch.triu_indices(len(flat), len(flat), offset=1)
    return float(((flat @ flat.T)[first, second] > above).float().mean())


def offsets(
    settings: Mapping[str, StdpConfig] = OFFSETS, *, maps: int = 8, images: int = 200, seed: int = 0
) -> Toy:
    """Train one layer per setting, from the same weights on the same images.

    Columns: the setting, offset and its unit, tau, input rate; for the last mini-batch, the mean trace, spikes per neuron
    and step, shares of weights at either bound; and the warnings.

    Raises:
        ValueError: a count below 1.
    """
    rows: list[dict[str, object]] = []
    kernels: dict[str, Tensor] = {}
    for name, config in settings.items():
        trained = _train(config, maps, images, seed)
        last = trained.history[-1]
        kernels.setdefault("before", trained.initial["conv1"])
        kernels[name] = trained.weights["conv1"]
        rows.append(
            {
                "offset": name,
                "value": config.offset,
                "in units of": {"absolute": "1", "trace": "mean trace", "pairs": "mean over pairs"}[
                    config.offset_unit
                ],
                "tau": config.tau,
                "input rate": config.input_rate,
                "mean trace": last.trace["conv1"],
                "rate": last.rate["conv1"],
                "at w_min": last.at_low,
                "at w_max": last.at_high,
                "reported": "; ".join(dict.fromkeys(alarm.kind for alarm in trained.alarms)) or "nothing",
            }
        )
    return Toy(pd.DataFrame(rows), kernels, images)


def competitions(
    settings: Mapping[str, StdpConfig] = RIVALS,
    *,
    maps: int = 8,
    images: int = 200,
    seeds: tuple[int, ...] = (0, 1),
) -> Toy:
    """Train one layer per kind of competition and seed. "alike" is the share of pairs of maps with the same kernel."""
    rows: list[dict[str, object]] = []
    kernels: dict[str, Tensor] = {}
    for name, config in settings.items():
        for seed in seeds:
            trained = _train(config, maps, images, seed)
            if seed == seeds[0]:
                kernels.setdefault("before", trained.initial["conv1"])
                kernels[name] = trained.weights["conv1"]
            rows.append(
                {
                    "competition": name,
                    "seed": seed,
                    "alike before": alike(trained.initial["conv1"]),
                    "alike": alike(trained.weights["conv1"]),
                    "silent maps": trained.history[-1].silent["conv1"],
                }
            )
    return Toy(pd.DataFrame(rows), kernels, images)


def alarms() -> list[str]:
    """Warnings while layers with a threshold far too high and far too low are trained without adaptation."""
    found = []
    for threshold in (1e6, 1e-6):
        config = replace(
            ALONE, eta=0.0, steps=4, adaptation=0.0, neuron=LIF(threshold=threshold), start=(0.1, 0.1)
        )
        found += [str(alarm) for alarm in _train(config, 2, 96, 0).alarms]
    return found


def _train(config: StdpConfig, maps: int, images: int, seed: int) -> Trained:
    """A layer of ``maps`` 5x5 kernels on the first training images."""
    whole("maps", maps)
    data = load(DataConfig("digits", train=whole("images", images), validation=0, test=1, size=16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StdpWarning)  # kept in ``alarms``
        return train_layerwise(
            f"{maps}C5 F10", to_unit(data.train.images), config, generator=torch.Generator().manual_seed(seed)
        )
