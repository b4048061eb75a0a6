"""panda2020/agd/grid.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from panda2020 import networks
from panda2020.planning import _tuning_images, ann_run, repeated, snn_run, spiking
from panda2020.profiles import profile
from panda2020.runs import Entry
from panda2020.tasks import gradients, train
from snncore.topology import as_ann, scale_width

TABLE_8 = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")

OTHERS = ("VGG4", "VGG2x2", "ResNet7")

MAPPED = ("VGG7-agd", "VGG3x4")

MAP_STEPS = 10

_TUNED = "VGG5"


@repeated
def table8(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 8: ANN and AGD-trained spiking networks of equal topology, at every T."""
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for steps in timesteps or p.steps["8"]:
            for name in names or TABLE_8:
                if steps == (timesteps or p.steps["8"])[0]:
                    found.append(ann_run(p, name, seed, tables=("8",)))
                found.append(snn_run(p, name, seed, steps, tables=("8",)))
    return found


@repeated
def baselines(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Other ANNs than Table 8's plain one.

    Roles: "ann-poisson" sees the mean of T Poisson spikes, what the spiking network sees; "ann-tuned" is trained for longer,
    with dropout and what else regularises; "ann-tuned-bn" has batch normalisation besides.
    """
    p = profile(profile_name)
    tuned = replace(p.ann_network, dropout=p.dropout)
    found = []
    for seed in seeds or p.seeds:
        for name in names or TABLE_8:
            for role, network in (("ann-tuned", tuned), ("ann-tuned-bn", replace(tuned, batch_norm=True))):
                run = ann_run(
                    p, name, seed, tables=("8-baselines",), role=role, network=network, training=p.tuned
                )
                found.append(run)
            for steps in timesteps or p.steps["8"]:
                code = p.input("poisson-mean", steps)
                found.append(ann_run(p, name, seed, tables=("8-baselines",), role="ann-poisson", code=code))
    return found


@repeated
def readings(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 8 in the networks' other readings, at the first T: its claims hang on which networks are meant."""
    p = profile(profile_name)
    return [
        entry
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["8"][:1]
        for name in names or TABLE_8
        for reading in networks.readings(name)[1:]
        for entry in (
            ann_run(p, name, seed, reading=reading, tables=("8-readings",)),
            snn_run(p, name, seed, steps, reading=reading, tables=("8-readings",)),
        )
    ]


@repeated
def others(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """What the text says beside Table 8: VGG2x2 against VGG4 (section 4.2), a ResNet7 (section 6); at the first T."""
    p = profile(profile_name)
    return [
        entry
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["8"][:1]
        for name in names or OTHERS
        for entry in (
            ann_run(p, name, seed, tables=("8-others",)),
            snn_run(p, name, seed, steps, tables=("8-others",)),
        )
    ]


def map_runs(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Where does each network train? Short runs over initialisation gain, surrogate gamma and leak, role "map".

    One plane of gain and gamma after the other, the paper's leak first; at each point every network. T is 10.
    """
    p = profile(profile_name)
    short = replace(p.snn, epochs=min(3, p.snn.epochs), augment=False)
    found = []
    for seed in seeds or p.seeds[:1]:
        data = p.data_for(seed)
        data = replace(
            data, train=min(1000, data.train), validation=min(200, data.validation), test=min(500, data.test)
        )
        for alpha in p.alphas:
            for gamma in p.gammas:
                for gain in p.gains:
                    for name in names or MAPPED:
                        run = snn_run(p, name, seed, MAP_STEPS, tables=("8-map",), role="map")
                        network = replace(run.spec.network, gain=gain, gamma=gamma, alpha=alpha)
                        spec = replace(run.spec, data=data, network=network, training=short)
                        found.append(replace(run, spec=spec))
    return found


def tuning(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """Short runs of VGG5 on which the profile's recipe was chosen, by validation accuracy alone.

    The same nine points for the ANN and for the spiking network (T = 10): three learning rates by three
    initialisation gains. Readout, input sign and the rest stay at the profile's values.
    """
    p = profile(profile_name)
    topology = scale_width(networks.network(_TUNED).topology, p.width)
    found = []
    for seed in (seeds or (0,))[:1]:
        data = _tuning_images(p, seed)
        for rate in (3e-4, 1e-3, 3e-3):
            for gain in (0.7, 1.0, 1.4):
                ann = train.Spec(
                    as_ann(topology),
                    data,
                    replace(p.ann_network, gain=gain),
                    p.input("real"),
                    replace(p.ann, epochs=3, learning_rate=rate, augment=False),
                    seed,
                )
                found.append(Entry(ann, _TUNED, "tuning-ann", p.name, ("tuning",)))
                snn = train.Spec(
                    topology,
                    data,
                    replace(p.snn_network, gain=gain),
                    p.input("poisson", 10),
                    replace(p.snn, epochs=3, learning_rate=rate, augment=False),
                    seed,
                )
                found.append(Entry(snn, _TUNED, "tuning-snn", p.name, ("tuning",)))
    return found


def tuning_alone(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """The nine points of ``tuning`` for ReLU networks beside which nothing is trained end to end (``profiles.Alone``)."""
    p = profile(profile_name)
    topology = as_ann(scale_width(networks.network(_TUNED).topology, p.width))
    found = []
    for seed in (seeds or (0,))[:1]:
        data = _tuning_images(p, seed)
        for rate in (3e-4, 1e-3, 3e-3):
            for gain in (0.7, 1.0, 1.4):
                training = replace(p.alone.training, epochs=3, learning_rate=rate, augment=False)
                network = replace(p.alone.network, gain=gain)
                spec = train.Spec(topology, data, network, p.input("real"), training, seed)
                found.append(Entry(spec, _TUNED, "tuning-ann", p.name, ("alone-tuning",)))
    return found


FOLLOWED = ("VGG3x2-v2", "VGG3x4")

FOLLOWED_EPOCHS = 2


@repeated
def followed_gradients(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Fig 5: gradients of the shared weights by unrolling step, in the first epochs of the spiking networks of Table 8.

    Role "gradients". The run is Table 8's at its first T, left early.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds:
        for name in names or FOLLOWED:
            run = spiking(p, name, seed, p.steps["8"][0])
            spec = gradients.Spec(run, min(FOLLOWED_EPOCHS, run.training.epochs))
            found.append(Entry(spec, name, "gradients", p.name, ("figure-5",)))
    return found
