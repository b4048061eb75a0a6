"""The runs behind each table: frozen specs, in the order in which they decide most.

entries("laptop", ["8"], [0])  ->  the ANN and spiking runs of Table 8 with seed 0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from .._check import one_of
from ..network import as_ann, scale_width
from ..runs import Entry
from ..runs.tasks import train
from . import networks
from .profiles import Profile, profile

TABLE_8 = ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4")
_TUNED = "VGG5"


def ann_run(
    p: Profile, name: str, seed: int, *, reading: str = "A", tables: tuple[str, ...], role: str = "ann"
) -> Entry:
    """The ANN of a network's topology, all layers ReLU."""
    net = networks.network(name, reading)
    spec = train.Spec(
        scale_width(as_ann(net.topology), p.width), p.drawn(seed), p.ann_network, p.input("real"), p.ann, seed
    )
    return Entry(spec, net.name, role, p.name, tables, _reading(net))


def snn_run(
    p: Profile,
    name: str,
    seed: int,
    steps: int,
    *,
    reading: str = "A",
    tables: tuple[str, ...],
    role: str = "snn",
) -> Entry:
    """The spiking network trained end to end (AGD) on Poisson spikes over ``steps`` time steps."""
    net = networks.network(name, reading)
    spec = train.Spec(
        scale_width(net.topology, p.width),
        p.drawn(seed),
        p.snn_network,
        p.input("poisson", steps),
        p.snn,
        seed,
    )
    return Entry(spec, net.name, role, p.name, tables, _reading(net))


def _reading(net: networks.PaperNetwork) -> str:
    return "" if len(networks.readings(net.name)) == 1 else f"reading {net.reading}"


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


def tuning(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """Short runs of VGG5 on which the profile's recipe was chosen, by validation accuracy alone.

    The same nine points for the ANN and for the spiking network (T = 10): three learning rates by three
    initialisation gains. Readout, input sign and the rest stay at the profile's values.
    """
    p = profile(profile_name)
    topology = scale_width(networks.network(_TUNED).topology, p.width)
    found = []
    for seed in (seeds or (0,))[:1]:
        data = replace(p.drawn(seed), train=min(1000, p.data.train), test=min(500, p.data.test))
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


#: Table (or "tuning") -> its runs; in order of what decides most claims first.
TABLES: dict[str, Callable[..., list[Entry]]] = {"8": table8, "tuning": tuning}


def entries(
    profile_name: str, tables: Sequence[str] | None = None, seeds: Sequence[int] | None = None
) -> list[Entry]:
    """All runs of the tables (default: every table) for the seeds (default: the profile's), each once.

    Seed by seed: everything of the first seed comes before anything of the second. Raises ``ValueError`` for an
    unknown profile or table.
    """
    p = profile(profile_name)
    wanted = (
        list(TABLES) if tables is None else [one_of("table", str(name), tuple(TABLES)) for name in tables]
    )
    found: dict[object, Entry] = {}
    for seed in seeds or p.seeds:
        for name in wanted:
            for entry in TABLES[name](profile_name, seeds=[seed]):
                found.setdefault(entry.spec, entry)
    return list(found.values())
