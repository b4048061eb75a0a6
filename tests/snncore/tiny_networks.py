"""Small networks, spikes and images that the tests of faults share."""

from __future__ import annotations

import torch

from snncore import coding
from snncore.data import Part, Splits
from snncore.network import Network, NetworkConfig
from snncore.training import InputConfig, TrainingConfig, train


def g(seed=0):
    return torch.Generator().manual_seed(seed)


SPIKES = coding.poisson(torch.rand(4, 1, 8, 8, generator=g()), 6, generator=g(1))


PART = Part(torch.randint(256, (32, 1, 8, 8), dtype=torch.uint8, generator=g()), torch.arange(32) % 10)


SPLITS = Splits(PART, PART, PART, tuple("0123456789"), "")


def build(text="8C3 P F10", seed=0, static_input=None, **config):
    return Network(
        text,
        input_shape=(1, 8, 8),
        generator=g(seed),
        static_input=static_input,
        config=NetworkConfig(**config),
    )


def fit(net, splits=None, *, epochs=2, batch_size=16, coder=None, **options):
    coder = InputConfig() if coder is None else coder
    recipe = TrainingConfig(epochs=epochs, batch_size=batch_size)
    return train(net, splits or SPLITS, coder, recipe, seed=0, progress=False, **options)


BAD = [float("nan"), float("inf"), -float("inf")]
