"""The scales of all exhibits, with their training recipes.

``laptop`` and ``paper`` are those of the protocol (``book/protocol.md``): plain training, without batch normalisation,
dropout, augmentation or weight decay, keeping the weights of the best validation epoch. Their learning rates come from the
pilot (``agd.grid.pilot``), which uses only validation images. ``quick`` trains on digits within seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from snncore._check import one_of
from snncore.conversion import ConversionConfig
from snncore.data import DataConfig
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig


@dataclass(frozen=True)
class Profile:
    """One scale.

    Attributes:
        data: CIFAR-10 or its substitute.
        imagenet: the ImageNet subset or its substitute.
        width: factor on the maps and features of every network.
        seeds: seeds that the exhibits average over.
        ann: training recipe of ANNs.
        snn: training recipe of spiking networks.
        ann_network: initialisation of ANNs.
        snn_network: initialisation and neurons of spiking networks.
        tuned: recipe of the regularised ANNs, with augmentation.
        dropout: share of values dropped before fully connected layers, in the regularised ANNs.
        deep_ann: recipe of ANNs for the deeper networks of Tables 14 and 16.
        deep_snn: recipe of hybrids for the deeper networks.
        deep_network: initialisation and neurons of the deeper networks.
        imagenet_rate: learning rate of Table 16, whose images and network differ from those of Table 14, whose rate is run
            as well (``hybrid.grid.vgg13_recipes``).
        alone: recipe of ReLU networks that are compared with no SNN trained end to end: sources of conversions, ANNs of
            ANN-to-ANN comparisons, classifiers on STDP features.
        steps: time steps T of each table.
        other_readout_rate: learning rate of spiking networks with the readout that ``snn_network`` does not use.
    """

    name: str
    data: DataConfig
    imagenet: DataConfig
    width: float
    imagenet_width: float
    seeds: tuple[int, ...]
    ann: TrainingConfig
    snn: TrainingConfig
    ann_network: NetworkConfig
    snn_network: NetworkConfig
    steps: dict[str, tuple[int, ...]]
    tuned: TrainingConfig
    deep_ann: TrainingConfig
    deep_snn: TrainingConfig
    deep_network: NetworkConfig
    imagenet_rate: float
    alone: TrainingConfig
    other_readout_rate: float
    dropout: float = 0.3

    def data_for(self, seed: int) -> DataConfig:
        """The data of one seed: training and validation images of the seed, and the same test images for all seeds."""
        return replace(self.data, seed=seed)

    def input(self, code: str, steps: int | None = None) -> InputConfig:
        """The input code of this profile."""
        return InputConfig(code, steps=steps)


_STEPS = {"8": (25, 50), "10": (5, 10, 25), "11": (25, 50), "14": (25,), "16": (10,)}


def _of_protocol(
    name: str,
    data: DataConfig,
    imagenet: DataConfig,
    *,
    width: float,
    seeds: tuple[int, ...],
    epochs: int,
    batch_size: int,
) -> Profile:
    """A profile of the protocol: the same recipe for ANN and SNN, except for the learning rates chosen by the pilot."""

    def recipe(rate: float, **changes: Any) -> TrainingConfig:
        return replace(
            TrainingConfig(epochs, batch_size, learning_rate=rate, mixed_precision=True, keep="best"),
            **changes,
        )

    return Profile(
        name=name,
        data=data,
        imagenet=imagenet,
        width=width,
        imagenet_width=width,
        seeds=seeds,
        ann=recipe(ANN_RATE),
        snn=recipe(SNN_RATE),
        ann_network=NetworkConfig(neuron="relu", gain=1.4),
        snn_network=NetworkConfig(neuron="lif", gain=1.0, readout="sum"),
        steps=_STEPS,
        tuned=recipe(ANN_RATE, augment=True),
        deep_ann=recipe(DEEP_RATE),
        deep_snn=recipe(DEEP_RATE),
        deep_network=NetworkConfig(neuron="lif", gain=1.4, readout="sum"),
        imagenet_rate=1e-3,
        # converted networks are simulated in float32
        alone=recipe(ANN_RATE, mixed_precision=False),
        other_readout_rate=MEAN_RATE,
    )


#: Learning rates of the protocol's profiles, chosen by the pilot (MEAN_RATE: for spiking networks that read the mean of their
#: spikes); that of networks with nine or more layers comes from short runs before the protocol (its page says which).
ANN_RATE, SNN_RATE, MEAN_RATE, DEEP_RATE = 1e-3, 1e-3, 1e-3, 3e-4

PROFILES: dict[str, Profile] = {
    "quick": Profile(
        name="quick",
        data=DataConfig("digits", train=1000, validation=200, test=300, size=16),
        imagenet=DataConfig("digits", train=1000, validation=200, test=300, size=32),
        width=1 / 8,
        imagenet_width=1 / 16,
        seeds=(0,),
        ann=TrainingConfig(epochs=6, learning_rate=3e-3),
        snn=TrainingConfig(epochs=6, learning_rate=3e-3),
        ann_network=NetworkConfig(neuron="relu"),
        snn_network=NetworkConfig(neuron="lif", gain=1.0),
        steps={"8": (10,), "10": (2, 5), "11": (5,), "14": (4,), "16": (4,)},
        tuned=TrainingConfig(
            epochs=12, learning_rate=3e-3
        ),  # flips and crops would change digits into others
        deep_ann=TrainingConfig(epochs=4, learning_rate=2e-3),
        deep_snn=TrainingConfig(epochs=4, learning_rate=2e-3),
        deep_network=NetworkConfig(neuron="lif", gain=1.4),
        imagenet_rate=2e-3,
        other_readout_rate=3e-3,
        alone=TrainingConfig(epochs=6, learning_rate=3e-3),
    ),
    "laptop": _of_protocol(
        "laptop",
        DataConfig("cifar10", train=10000, validation=2000, test=10000),
        DataConfig("imagenette-128", train=6000, validation=500, test=1500, size=64),
        width=1 / 4,
        seeds=(0, 1, 2, 3, 4),
        epochs=10,  # the pilot's choice
        batch_size=32,
    ),
    "paper": _of_protocol(
        "paper",
        DataConfig("cifar10", train=45000, validation=5000, test=10000),
        DataConfig("imagenette-128", train=6000, validation=500, test=1500, size=128),
        width=1.0,
        seeds=(0, 1, 2, 3, 4),
        epochs=30,
        batch_size=64,
    ),
}


def profile(name: str) -> Profile:
    """The profile with this name.

    Raises:
        ValueError: an unknown name.
    """
    return PROFILES[one_of("profile", name, tuple(PROFILES))]


@dataclass(frozen=True)
class ConversionScale:
    """Scale of the conversions of a profile: calibration, read-out T, and number of simulated test images."""

    conversion: ConversionConfig
    steps: tuple[int, ...]
    test: int


_READ = (10, 25, 50, 100, 250, 500, 1000, 1500, 2000, 2500)

CIFAR_CONVERSION: dict[str, ConversionScale] = {
    "quick": ConversionScale(ConversionConfig(images=20, steps=40), (10, 25, 50, 100), 60),
    "laptop": ConversionScale(ConversionConfig(images=1000, steps=2000), _READ, 2000),
    "paper": ConversionScale(ConversionConfig(images=1000, steps=2000), _READ, 10000),
}

IMAGENET_CONVERSION: dict[str, ConversionScale] = {
    "quick": ConversionScale(ConversionConfig(images=10, steps=100), (25, 50, 100), 40),
    "laptop": ConversionScale(
        ConversionConfig(images=100, steps=1000), (50, 100, 250, 500, 1000, 1500, 2500), 1500
    ),
    "paper": ConversionScale(
        ConversionConfig(images=128, steps=2500), (50, 100, 250, 500, 1000, 1500, 2500), 1500
    ),
}


@dataclass(frozen=True)
class StdpScale:
    """Scale of the STDP runs of a profile.

    Factor on the maps, T, numbers of labelled and unlabelled images, snapshots of kernels, and mini-batches in which thresholds
    settle.
    """

    width: float
    steps: int
    train: int
    validation: int
    test: int
    unlabelled: int
    snapshots: tuple[int, ...]
    settle: int = 20

    def data_for(self, p: Profile, seed: int) -> DataConfig:
        """The images of one seed."""
        return replace(p.data_for(seed), train=self.train, validation=self.validation, test=self.test)


STDP_SCALES: dict[str, StdpScale] = {
    "quick": StdpScale(1 / 6, 20, 300, 50, 150, 200, (0, 100, 200), settle=8),
    "laptop": StdpScale(1 / 2, 100, 10000, 1000, 10000, 2000, (0, 500, 1000, 2000)),
    "paper": StdpScale(1.0, 100, 45000, 5000, 10000, 5000, (0, 1000, 2500, 5000)),
}
