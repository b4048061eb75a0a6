"""The runs behind the conversion chapters: Tables 2 and 4, Figures 4 and 7.

Every run trains an ANN on the expectation of the Poisson code, balances one threshold per unrolling step, and reads out
accuracy, spikes and energy at every T from one simulation. The variants change one thing each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panda2020 import networks
from panda2020.planning import repeated
from panda2020.profiles import CIFAR_CONVERSION, IMAGENET_CONVERSION, ConversionScale, Profile, profile
from panda2020.runs import Entry
from panda2020.tasks import convert, train
from snncore.conversion import ConversionConfig
from snncore.data import DataConfig
from snncore.topology import as_ann, scale_width

TABLE_2 = ("VGG7-conv", "VGG2x4", "VGG3x2-v1")

TABLE_4 = (("VGG16", "A"), ("VGG11x2", "A"), ("VGG11x2", "B"))


def _entry(
    p: Profile,
    ann: train.Spec,
    scale: ConversionScale,
    net: networks.PaperNetwork,
    role: str,
    table: str,
    conversion: ConversionConfig | None = None,
) -> Entry:
    spec = convert.Spec(ann, conversion or scale.conversion, scale.steps, scale.test)
    reading = "" if len(networks.readings(net.name)) == 1 else f"reading {net.reading}"
    return Entry(spec, net.name, role, p.name, (table,), reading)


def cifar_ann(p: Profile, net: networks.PaperNetwork, seed: int) -> train.Spec:
    """The ANN of a Table 3 network, on real pixels."""
    return train.Spec(
        scale_width(as_ann(net.topology), p.width),
        p.alone.data_for(seed),
        p.alone.network,
        p.input("real"),
        p.alone.training,
        seed,
    )


def imagenet_ann(p: Profile, net: networks.PaperNetwork, seed: int) -> train.Spec:
    """The ANN of a Table 5 network. Sixteen layers without normalisation need a gain of 1, a smaller rate and a warm-up."""
    data: DataConfig = replace(p.imagenet, seed=seed)
    usual = p.alone.training
    recipe = replace(
        usual,
        learning_rate=min(usual.learning_rate, 1e-3),
        warmup=1.0,
        epochs=usual.epochs + usual.epochs // 2,
    )
    return train.Spec(
        scale_width(as_ann(net.topology), p.imagenet_width),
        data,
        replace(p.alone.network, gain=1.0),
        p.input("real"),
        recipe,
        seed,
    )


@repeated
def table2(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Table 2 and Figures 4 and 7: the three networks of Table 3, one threshold per unrolling step."""
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for name in names or TABLE_2:
            net = networks.network(name)
            found.append(_entry(p, cifar_ann(p, net, seed), CIFAR_CONVERSION[p.name], net, "converted", "2"))
    return found


@repeated
def table2_variants(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """What the paper asserts or leaves open around Table 2, one change each.

    converted-shared: one threshold for all unrolling steps of a layer (section 2.1.1 says that several are needed).
    converted-relu-2: the first two layers stay ReLU (section 6 says that this adds nothing).
    converted-percentile: the 99.9th percentile of the weighted inputs instead of their maximum, which nobody states.
    """
    p = profile(profile_name)
    scale = CIFAR_CONVERSION[p.name]
    found = []
    for seed in seeds or p.seeds:
        for role, name, change in (
            ("converted-shared", "VGG2x4", {"shared": True}),
            ("converted-relu-2", "VGG7-conv", {"relu_layers": 2}),
            ("converted-shared", "VGG3x2-v1", {"shared": True}),
            ("converted-percentile", "VGG7-conv", {"percentile": 99.9}),
            ("converted-percentile", "VGG2x4", {"percentile": 99.9}),
        ):
            net = networks.network(name)
            found.append(
                _entry(
                    p,
                    cifar_ann(p, net, seed),
                    scale,
                    net,
                    role,
                    "2-variants",
                    replace(scale.conversion, **change),
                )
            )  # type: ignore[arg-type]
    return found


@repeated
def table4(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """Table 4: VGG16 and both readings of VGG11x2 on ten ImageNet classes, with their ten-way classifiers."""
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for name, reading in TABLE_4:
            net = networks.network(name, reading).with_classes(10)
            found.append(
                _entry(p, imagenet_ann(p, net, seed), IMAGENET_CONVERSION[p.name], net, "converted", "4")
            )
    return found


@repeated
def stochmax_converted(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """VGG7 trained with stochmax, then converted as in Table 2 (section 8.2)."""
    p = profile(profile_name)
    scale, net = CIFAR_CONVERSION[p.name], networks.network("VGG7-conv")
    found = []
    for seed in seeds or p.seeds:
        ann = cifar_ann(p, net, seed)
        ann = replace(ann, network=replace(ann.network, head="stochmax"))
        spec = convert.Spec(ann, scale.conversion, scale.steps, scale.test)
        found.append(Entry(spec, net.name, "converted-stochmax", p.name, ("2-stochmax",)))
    return found
