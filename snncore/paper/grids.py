"""The runs behind each table: frozen specs, in the order in which they decide most.

entries("laptop", ["8"], [0])  ->  the ANN and spiking runs of Table 8 with seed 0

Runs that are compared share seed, data and recipe, and differ in what is compared. Networks of Table 14 and 16 read real
images at every step ("direct"): their first layers are ReLU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .._check import one_of
from ..data import DataConfig
from ..network import NetworkConfig, as_ann, scale_width
from ..runs import Entry
from ..runs.tasks import train, train_head
from ..training import InputConfig, TrainingConfig
from . import networks, variants
from .grids_beyond import binary_networks, followed_gradients, latency_coded, unstated
from .grids_claims import figure1, stdp_samples, stochmax_converted
from .grids_conversion import table2, table2_variants, table4
from .grids_stdp import table6, table12
from .profiles import Profile, profile
from .repeats import planned, repeated

TABLE_8 = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")
TABLE_11 = ("VGG5", "VGG3x2-v2")
TABLE_14 = ("VGG9", "VGG8x2")
OTHERS = ("VGG4", "VGG2x2", "ResNet7")
MAPPED = ("VGG7-agd", "VGG3x4")
SWEPT = "VGG9"  # whose first layers are made ReLU, one after the other
RELU_LAYERS = (0, 1, 2, 4, 6)
SPIKING_LAYERS = (4, 6, 8)  # of VGG13's ten convolutions, besides the two of Table 16
MAP_STEPS = 10
HEADS: Mapping[str, str] = {"softmax": "snn", "stochmax": "snn-stochmax"}  # head -> role
_ALONE = (("entropy", 0.0), ("kl", 0.0), ("psi_gradient", "local"))  # unbiased: no estimator is to blame
#: What Eq. 7 leaves open, one answer each: role -> options of ``stochmax.StochmaxConfig`` besides the defaults.
STOCHMAX_VARIANTS: Mapping[str, tuple[tuple[str, bool | float | str], ...]] = {
    "variant-alone-kept": _ALONE,
    "variant-alone-drawn": (*_ALONE, ("target_kept", False)),
    "variant-separate": (("auxiliary", 1.0), ("posterior", "separate")),  # ``stochmax.DROPMAX``
    "variant-local": (("psi_gradient", "local"),),
    "variant-straight-through": (("psi_gradient", "straight-through"),),
    "variant-exact": (("psi_gradient", "exact"),),
    "variant-logits": (("inference", "logits"),),
}
_TUNED = "VGG5"
_CLASSES = 10  # of what stands in for ImageNet in every profile


def ann_run(
    p: Profile,
    name: str,
    seed: int,
    *,
    reading: str = "A",
    tables: tuple[str, ...],
    role: str = "ann",
    network: NetworkConfig | None = None,
    training: TrainingConfig | None = None,
    code: InputConfig | None = None,
) -> Entry:
    """The ANN of a network's topology, all layers ReLU; by default plain: no regularisation, real input."""
    net = _network(p, name, reading)
    spec = train.Spec(
        scale_width(as_ann(net.topology), _width(p, net)),
        _images(p, net, seed),
        network or p.ann_network,
        code or p.input("real"),
        training or _recipe(p, net, p.ann, p.deep_ann),
        seed,
    )
    return Entry(spec, net.name, role, p.name, tables, _note(net))


def snn_run(
    p: Profile,
    name: str,
    seed: int,
    steps: int,
    *,
    reading: str = "A",
    tables: tuple[str, ...],
    role: str = "snn",
    topology: str | None = None,
    head: str = "softmax",
    training: TrainingConfig | None = None,
    network: NetworkConfig | None = None,
) -> Entry:
    """The spiking network trained end to end (AGD) over ``steps`` time steps.

    Poisson spikes enter where the first layer spikes, and the real image where it is ReLU. topology: in place of the
    registered one. head: the classifier.
    """
    net = _network(p, name, reading)
    hybrid = _hybrid(net)
    spec = train.Spec(
        scale_width(topology or net.topology, _width(p, net)),
        _images(p, net, seed),
        replace(network or (p.deep_network if hybrid else p.snn_network), head=head),
        p.input("direct" if hybrid else "poisson", steps),
        training or _recipe(p, net, p.snn, p.deep_snn),
        seed,
    )
    return Entry(spec, net.name, role, p.name, tables, _note(net))


def _network(p: Profile, name: str, reading: str) -> networks.PaperNetwork:
    net = networks.network(name, reading)
    return net.with_classes(_CLASSES) if net.input_shape == networks.IMAGENET else net


def _recipe(p: Profile, net: networks.PaperNetwork, usual: TrainingConfig, deep: TrainingConfig) -> TrainingConfig:
    if not _hybrid(net):
        return usual
    return replace(deep, learning_rate=p.imagenet_rate) if net.input_shape == networks.IMAGENET else deep


def _hybrid(net: networks.PaperNetwork) -> bool:
    return ":relu" in net.topology


def _width(p: Profile, net: networks.PaperNetwork) -> float:
    return p.imagenet_width if net.input_shape == networks.IMAGENET else p.width


def _images(p: Profile, net: networks.PaperNetwork, seed: int) -> DataConfig:
    return replace(p.imagenet, seed=seed) if net.input_shape == networks.IMAGENET else p.drawn(seed)


def _note(net: networks.PaperNetwork) -> str:
    return "" if len(networks.readings(net.name)) == 1 else f"reading {net.reading}"


# --- Table 8 ------------------------------------------------------------------------------------------------


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
                run = ann_run(p, name, seed, tables=("8-baselines",), role=role, network=network, training=p.tuned)
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
        data = p.drawn(seed)
        data = replace(data, train=min(1000, data.train), validation=min(200, data.validation), test=min(500, data.test))
        for leak in p.leaks:
            for gamma in p.gammas:
                for gain in p.gains:
                    for name in names or MAPPED:
                        run = snn_run(p, name, seed, MAP_STEPS, tables=("8-map",), role="map")
                        network = replace(run.spec.network, gain=gain, gamma=gamma, leak=leak)
                        spec = replace(run.spec, data=data, network=network, training=short)
                        found.append(replace(run, spec=spec))
    return found


# --- Tables 10 and 11: stochmax -----------------------------------------------------------------------------


@repeated
def table10(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 10: VGG3 with softmax and with stochmax, at small T."""
    p = profile(profile_name)
    return [
        snn_run(p, name, seed, steps, tables=("10",), role=role, head=head)
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["10"]
        for name in names or ("VGG3",)
        for head, role in HEADS.items()
    ]


@repeated
def table11(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 11: VGG5 and VGG3x2-v2 with stochmax, and the runs of Table 8 they are compared with."""
    p = profile(profile_name)
    return [
        snn_run(p, name, seed, steps, tables=("11",), role=role, head=head)
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["11"]
        for name in names or TABLE_11
        for head, role in HEADS.items()
    ]


def stochmax_variants(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Table 10's network at its smallest T under other answers to what Eq. 7 leaves open (``STOCHMAX_VARIANTS``).

    The runs of Table 10 that they are compared with come first, with softmax and with the default stochmax.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds[:1]:
        for name in names or ("VGG3",):
            for head, role in HEADS.items():
                run = snn_run(p, name, seed, p.steps["10"][0], tables=("10-variants",), role=role, head=head)
                found.append(run)
            for role, options in STOCHMAX_VARIANTS.items():  # of the last one, with stochmax
                network = train_head.HeadConfig(**vars(run.spec.network) | {"head_options": options})
                spec = train_head.Spec(**vars(run.spec) | {"network": network})
                found.append(replace(run, spec=spec, role=role))
    return found


# --- Tables 14 and 16: hybrids ------------------------------------------------------------------------------


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
            for role, head in (("hybrid-stochmax", "stochmax"), ("hybrid-rate", "stochmax"), ("hybrid-softmax", "softmax")):
                for name in chosen:
                    text = networks.network(name).topology
                    text = variants.rate_coded(text) if role == "hybrid-rate" else text
                    found.append(snn_run(p, name, seed, steps, tables=("14",), role=role, head=head, topology=text))
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
            p, name, seed, steps, tables=("14-relu",), role=f"relu-{count}",
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
            found.append(ann_run(p, name, seed, tables=("16-recipe",), role="ann-tuned-rate", training=p.deep_ann))
            for steps in timesteps or p.steps["16"]:
                found += [
                    snn_run(p, name, seed, steps, tables=("16-recipe",), role="hybrid-tuned-rate", training=p.deep_snn),
                    snn_run(p, name, seed, steps, tables=("16-recipe",), role="hybrid-low-gain", network=low),
                ]
    return found


# --- the recipes --------------------------------------------------------------------------------------------


def _tuning_images(p: Profile, seed: int) -> DataConfig:
    """Few images to train on, and enough validation images to tell recipes apart by."""
    held = min(1000, p.data.validation) if p.name == "quick" else 1000
    return replace(p.drawn(seed), train=min(1000, p.data.train), validation=held, test=min(500, p.data.test))


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


#: Table (or "tuning") -> its runs; in order of what decides most claims first.
TABLES: dict[str, Callable[..., list[Entry]]] = {
    "8": table8,
    "2": table2,
    "4": table4,
    "6": table6,
    "12": table12,
    "10": table10,
    "14": table14,
    "11": table11,
    "16": table16,
    "8-baselines": baselines,
    "8-others": others,
    "2-variants": table2_variants,
    "figure-1": figure1,
    "2-stochmax": stochmax_converted,
    "6-samples": stdp_samples,
    "8-map": map_runs,
    "14-relu": relu_sweep,
    "8-readings": readings,
    "16-readings": vgg13_readings,
    "16-recipe": vgg13_recipes,
    "10-variants": stochmax_variants,
    "figure-5": followed_gradients,
    "9.1-latency": latency_coded,
    "9.2-binary": binary_networks,
    "unstated": unstated,
    "alone-tuning": tuning_alone,
    "tuning": tuning,
    "14-tuning": tuning_hybrid,
}

#: Tables that are made for one seed only, the first of those asked for.
ONE_SEED = ("8-map", "10-variants", "alone-tuning", "tuning", "14-tuning")


def entries(
    profile_name: str, tables: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[Entry]:
    """All planned runs of the tables (default: every table) for the seeds (default: the profile's), each once.

    Seed by seed: everything of the first seed comes before anything of the second. Not every run is planned for every seed
    (``repeats``). A run that several of the tables show is labelled with all of them. Raises ``ValueError`` for an unknown
    profile or table.
    """
    p = profile(profile_name)
    wanted = (
        list(TABLES) if tables is None else [one_of("table", str(name), tuple(TABLES)) for name in tables]
    )
    found: dict[object, Entry] = {}
    for number, seed in enumerate(seeds or p.seeds):
        for name in wanted:
            if number and name in ONE_SEED:
                continue
            for entry in filter(planned, TABLES[name](profile_name, seeds=[seed])):
                first = found.setdefault(entry.spec, entry)
                shown = tuple(dict.fromkeys(first.tables + entry.tables))
                if shown != first.tables:
                    found[entry.spec] = replace(first, tables=shown)
    return list(found.values())
