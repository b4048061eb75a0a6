"""What the tests of training share: a small network, a short recipe."""

from __future__ import annotations

from snncore.network import Network, NetworkConfig
from snncore.streams import stream
from snncore.training import InputConfig, TrainingConfig, train

SPIKES = InputConfig("poisson", steps=4)


SHORT = TrainingConfig(epochs=3, batch_size=16, augment=True, warmup=0.5)


def build(topology="4C3 P F8 F10", seed=0, **config):
    return Network(
        topology, input_shape=(1, 8, 8), config=NetworkConfig(**config), generator=stream(seed, "weights")
    )


def fit(net, splits, coder=SPIKES, config=SHORT, seed=0, **options):
    return train(net, splits, coder, config, seed=seed, progress=False, **options)
