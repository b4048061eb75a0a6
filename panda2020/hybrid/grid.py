"""panda2020/hybrid/grid.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panda2020 import networks, variants
from panda2020.planning import _CLASSES, _tuning_images, ann_run, repeated, snn_run
from panda2020.profiles import profile
from panda2020.runs import Entry

TABLE_14 = ("VGG9", "VGG8x2")

SWEPT = "VGG9"  # whose first layers are made ReLU, one after the other

RELU_LAYERS = (0, 1, 2, 4, 6)

SPIKING_LAYERS = (4, 6, 8)  # of VGG13's ten convolutions, besides the two of Table 16


@repeated
def table14(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 14: hybrids with either classifier, and their ANNs; then rate-coded X[t] in place of X (section 6).

    Roles: "hybrid-stochmax" (the paper's), "hybrid-softmax", "hybrid-rate" (stochmax, X[t]), "ann" (without "any batch
    normalization or other regularization"), "ann-bn" ("including batch normalization and dropout", the recipe of "ann").
    """
    p = profile(profile_name)
    regular = replace(p.ann_network, batch_norm=True, dropout=p.dropout)
    chosen = names or TABLE_14
    found = []
    for seed in seeds or p.seeds:
        found += [ann_run(p, name, seed, tables=("14",)) for name in chosen]
        found += [ann_run(p, name, seed, tables=("14",), role="ann-bn", network=regular) for name in chosen]
        for steps in timesteps or p.steps["14"]:
            for role, head in (
                ("hybrid-stochmax", "stochmax"),
                ("hybrid-rate", "stochmax"),
                ("hybrid-softmax", "softmax"),
            ):
                for name in chosen:
                    text = networks.network(name).topology
                    text = variants.rate_coded(text) if role == "hybrid-rate" else text
                    found.append(
                        snn_run(p, name, seed, steps, tables=("14",), role=role, head=head, topology=text)
                    )
    return found


@repeated
def relu_sweep(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """How many first convolutions of VGG9 must be ReLU? Softmax, role "relu-0" and so on; "relu-2" is Table 14's hybrid."""
    p = profile(profile_name)
    return [
        snn_run(
            p,
            name,
            seed,
            steps,
            tables=("14-relu",),
            role=f"relu-{count}",
            topology=variants.relu_front(networks.network(name).topology, count),
        )
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["14"][:1]
        for name in names or (SWEPT,)
        for count in RELU_LAYERS
    ]


@repeated
def table16(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 16: VGG13 with its middle two layers spiking, and its ANN; then more spiking layers, and BackRes in them.

    Roles: "hybrid", "ann"; "hybrid-lif4" and so on by the number of spiking convolutions; "hybrid-backres", whose second
    spiking layer is computed twice.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for name in names or ("VGG13",):
            text = networks.network(name).topology
            more = {f"hybrid-lif{count}": variants.spiking_middle(text, count) for count in SPIKING_LAYERS}
            shapes = {"hybrid": text, **more, "hybrid-backres": variants.unrolled_middle(text, 2)}
            found.append(ann_run(p, name, seed, tables=("16",)))
            for steps in timesteps or p.steps["16"]:
                for role, shape in shapes.items():
                    shape = " ".join([*shape.split()[:-1], f"F{_CLASSES}"])
                    found.append(snn_run(p, name, seed, steps, tables=("16",), role=role, topology=shape))
    return found


@repeated
def vgg13_readings(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 16's hybrid under the other readings of "the middle two layers"."""
    p = profile(profile_name)
    return [
        snn_run(p, name, seed, steps, reading=reading, tables=("16-readings",), role="hybrid")
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["16"]
        for name in names or ("VGG13",)
        for reading in networks.readings(name)[1:]
    ]


@repeated
def vgg13_recipes(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 16's pair under other recipes, as VGG13 has not been tuned by itself.

    Roles "ann-tuned-rate", "hybrid-tuned-rate": at the learning rate chosen on VGG9 and CIFAR-10. "hybrid-low-gain": at the
    gain of the wholly spiking networks, at which less current reaches the spiking layers behind ReLU ones.
    """
    p = profile(profile_name)
    low = replace(p.deep_network, gain=p.snn_network.gain)
    found = []
    for seed in seeds or p.seeds:
        for name in names or ("VGG13",):
            found.append(
                ann_run(p, name, seed, tables=("16-recipe",), role="ann-tuned-rate", training=p.deep_ann)
            )
            for steps in timesteps or p.steps["16"]:
                found += [
                    snn_run(
                        p,
                        name,
                        seed,
                        steps,
                        tables=("16-recipe",),
                        role="hybrid-tuned-rate",
                        training=p.deep_snn,
                    ),
                    snn_run(p, name, seed, steps, tables=("16-recipe",), role="hybrid-low-gain", network=low),
                ]
    return found


def tuning_hybrid(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """The same for the deeper networks: VGG9 as ANN and as hybrid (softmax, T = 10), four learning rates by two gains."""
    p = profile(profile_name)
    found = []
    for seed in (seeds or (0,))[:1]:
        for name in names or (SWEPT,):
            runs = (
                ann_run(p, name, seed, tables=("14-tuning",), role="tuning-ann"),
                snn_run(p, name, seed, 10, tables=("14-tuning",), role="tuning-snn"),
            )
            for rate in (1e-4, 3e-4, 1e-3, 3e-3):
                for gain in (1.0, 1.4):
                    for run in runs:
                        data = _tuning_images(p, seed)
                        training = replace(run.spec.training, epochs=3, learning_rate=rate, augment=False)
                        network = replace(run.spec.network, gain=gain)
                        spec = replace(run.spec, data=data, network=network, training=training)
                        found.append(replace(run, spec=spec))
    return found
