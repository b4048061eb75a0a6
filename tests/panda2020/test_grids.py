"""The grids: valid specs, keys that must not move, and pairs that differ only in what is compared."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path

import pytest

from panda2020 import contents, networks, variants
from panda2020.agd import grid as agd_grid
from panda2020.hybrid import grid as hybrid_grid
from panda2020.planning import Grid, grid
from panda2020.profiles import PROFILES, profile
from panda2020.runs import Entry, key
from panda2020.stochmax import grid as stochmax_grid
from panda2020.tasks import binary, convert, gradients, stdp, train
from snncore.energy import macs
from snncore.stochmax import DROPMAX, StochmaxConfig
from snncore.topology import as_ann, plan
from snncore.training import InputConfig

HOME = Path(contents.__file__).parent

BINARY_CHANGES = {
    "network.alpha",
    "network.gain",
    "network.head",
    "input.code",
    "input.steps",
    "training.epochs",
}


def one(entries, **wanted):
    """The only entry with this network, role and T."""
    found = [
        e
        for e in entries
        if all(
            (e.spec.input.steps if name == "steps" else getattr(e, name)) == value
            for name, value in wanted.items()
        )
    ]
    assert len(found) == 1, (wanted, [str(e) for e in found])
    return found[0]


def changed(a, b, prefix=""):
    """The fields, with dots, in which two specs differ."""
    out = set()
    for field in fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if hasattr(x, "__dataclass_fields__") and isinstance(y, type(x)):
            out |= changed(x, y, f"{prefix}{field.name}.")
        elif x != y:
            out.add(prefix + field.name)
    return out


@pytest.mark.parametrize(
    ("name", "first", "spiking"),
    [
        ("quick", "43e5ee90fe4e5c9c", "6211063f87c5ccdf"),
        ("laptop", "308a27c5e97c9849", "7a75ff0d615d8cba"),
        ("paper", "d9a30b36e469cde8", "56808c7fbd77c085"),
    ],
)
def test_keys_of_recorded_tables_do_not_move(name, first, spiking):
    found = agd_grid.table8(name, seeds=[0])
    assert [key(e.spec) for e in found[:2]] == [first, spiking]


@pytest.mark.parametrize("table", contents.TABLES)
@pytest.mark.parametrize("name", PROFILES)
def test_every_spec_has_a_plan(name, table):
    p = profile(name)
    seed = p.seeds[0]
    found = contents.TABLES[table](name, seeds=[seed])
    assert found and len({key(e.spec) for e in found}) == len(found)
    for e in found:
        for topology, neuron, data, static in described(e.spec):
            channels, size = train._shape(data)
            passes = plan(topology, (channels, size, size), neuron, static_input=static)
            spiking = any(one_.neuron in ("lif", "if") for one_ in passes)
            assert spiking != e.role.startswith(("ann", "pilot-ann", "converted"))
            assert passes[-1].out_shape == (10,) and sum(map(macs, passes)) > 0
            assert e.spec.seed == data.seed
            assert e.spec.seed == seed or (table == "pilot" and e.spec.seed in agd_grid.PILOT_SEEDS)
        assert e.profile == name and e.tables == (table,)
        networks.network(e.network)


def described(spec):
    """(topology, neuron, data, static input) of the networks that a run trains: of a converted one, its ANN."""
    if isinstance(spec, stdp.Spec):
        return [(spec.topology(c), "lif", spec.data, False) for c in spec.classifiers]
    spec = (
        spec.ann if isinstance(spec, convert.Spec) else spec.run if isinstance(spec, gradients.Spec) else spec
    )
    static = spec.input.code in ("real", "poisson-mean", "direct")
    return [(spec.topology, spec.network.neuron, spec.data, static)]


@pytest.mark.parametrize("name", PROFILES)
def test_roles_tell_runs_of_one_network_apart(name):
    found = contents.entries(name, seeds=[0])
    short = ("pilot-ann", "pilot-snn", "recipe")
    names = Counter((e.network, e.note, e.role, steps_of(e.spec)) for e in found if e.role not in short)
    assert set(names.values()) == {1}


def steps_of(spec):
    return spec.input.steps if isinstance(spec, train.Spec) else None


def test_runs_of_two_tables_carry_both_names_and_come_once():
    found = contents.entries("laptop", ["8", "11"], [0])
    assert one(found, network="VGG5", role="snn", steps=25).tables == ("8", "11")
    assert one(found, network="VGG5", role="snn-stochmax", steps=50).tables == ("11",)
    assert len(found) == 12 + 4


def test_everything_of_one_seed_comes_before_the_next_and_the_curve_comes_once():
    found = contents.entries("laptop", ["10", "8-recipe", "10-variants"], [1, 2])
    assert [e.spec.seed for e in found] == sorted(e.spec.seed for e in found)
    assert {e.spec.seed for e in found if e.role in ("recipe", *stochmax_grid.STOCHMAX_VARIANTS)} == {1}


def test_order_of_tables():
    assert list(contents.TABLES)[:5] == ["8", "2", "4", "6", "12"] and list(contents.TABLES)[-4:] == [
        "pilot",
        "8-recipe",
        "8-choices",
        "8-precision",
    ]
    with pytest.raises(ValueError, match="table must be one of"):
        contents.entries("laptop", ["9"])


@pytest.mark.parametrize(
    ("table", "first", "second", "differ"),
    [
        ("10", ("VGG3", "snn", 5), ("VGG3", "snn-stochmax", 5), {"network.head"}),
        ("10", ("VGG3", "snn", 5), ("VGG3", "snn", 25), {"input.steps"}),
        ("11", ("VGG5", "snn", 25), ("VGG5", "snn-stochmax", 25), {"network.head"}),
        ("10-variants", ("VGG3", "snn-stochmax", 5), ("VGG3", "variant-exact", 5), {"network.head_options"}),
        ("14", ("VGG9", "hybrid-softmax", 25), ("VGG9", "hybrid-stochmax", 25), {"network.head"}),
        ("14", ("VGG9", "hybrid-rate", 25), ("VGG9", "hybrid-stochmax", 25), {"topology"}),
        ("14", ("VGG9", "hybrid-stochmax", 25), ("VGG8x2", "hybrid-stochmax", 25), {"topology"}),
        ("14", ("VGG9", "ann", None), ("VGG9", "ann-bn", None), {"network.batch_norm", "network.dropout"}),
        ("14-relu", ("VGG9", "relu-0", 25), ("VGG9", "relu-6", 25), {"topology"}),
        ("16", ("VGG13", "hybrid", 10), ("VGG13", "hybrid-lif8", 10), {"topology"}),
        ("16", ("VGG13", "hybrid", 10), ("VGG13", "hybrid-backres", 10), {"topology"}),
        ("8-others", ("VGG4", "snn", 25), ("VGG2x2", "snn", 25), {"topology"}),
        ("9.1-latency", ("VGG5", "snn", 25), ("VGG5", "snn-latency", 25), {"input.code"}),
        ("9.1-latency", ("VGG5", "snn-latency", 25), ("VGG3x2-v2", "snn-latency", 25), {"topology"}),
        ("9.2-binary", ("VGG5", "binary", 1), ("VGG3x2-v2", "binary", 1), {"topology"}),
        ("9.2-binary", ("VGG3x4", "binary", 1), ("VGG3x4", "binary-stochmax", 1), {"network.head"}),
        ("figure-5", ("VGG3x2-v2", "gradients", 25), ("VGG3x4", "gradients", 25), {"run.topology"}),
        ("unstated", ("VGG5", "snn", 25), ("VGG5", "snn-reset-then-leak", 25), {"network.order"}),
        (
            "unstated",
            ("VGG5", "snn", 25),
            ("VGG5", "snn-fires-at-equality", 25),
            {"network.fire_at_equality"},
        ),
        ("unstated", ("VGG5", "snn", 25), ("VGG5", "snn-signed", 25), {"input.signed"}),
        ("unstated", ("VGG5", "snn", 25), ("VGG5", "snn-readout-mean", 25), {"network.readout"}),
        ("unstated", ("VGG5", "snn", 25), ("VGG5", "snn-gain", 25), {"network.gain"}),
        ("8-baselines", ("VGG5", "ann-tuned", None), ("VGG5", "ann-tuned-bn", None), {"network.batch_norm"}),
    ],
)
def test_pairs_differ_only_in_what_is_compared(table, first, second, differ):
    found = contents.TABLES[table]("laptop", seeds=[2])
    a, b = (one(found, network=n, role=r, steps=t) for n, r, t in (first, second))
    assert changed(a.spec, b.spec) == differ


def test_baselines_differ_from_the_plain_ann_as_they_say():
    plain = one(agd_grid.table8("laptop", seeds=[1]), network="VGG5", role="ann")
    found = agd_grid.baselines("laptop", seeds=[1])
    poisson = one(found, network="VGG5", role="ann-poisson", steps=25)
    assert changed(plain.spec, poisson.spec) == {"input.code", "input.steps"}
    tuned = one(found, network="VGG5", role="ann-tuned")
    differ = changed(plain.spec, tuned.spec)
    assert {"network.dropout", "training.augment"} <= differ
    assert differ <= {
        "network.dropout",
        *(f"training.{n}" for n in ("augment", "epochs", "learning_rate", "weight_decay")),
    }


def test_readings_are_the_others():
    found = agd_grid.readings("laptop", seeds=[0])
    assert {e.note for e in found} == {"reading B"} and {e.network for e in found} == set(agd_grid.TABLE_8)
    assert not {key(e.spec) for e in found} & {key(e.spec) for e in agd_grid.table8("laptop", seeds=[0])}


def test_stochmax_variants_are_valid_and_the_runs_of_table_10_are_among_them():
    found = stochmax_grid.stochmax_variants("laptop")
    assert {e.spec.seed for e in found} == {0} and {e.spec.input.steps for e in found} == {5}
    heads = {e.role: StochmaxConfig(**dict(e.spec.network.head_options)) for e in found if e.role != "snn"}
    assert len(set(heads.values())) == len(heads) and heads["snn-stochmax"] == StochmaxConfig()
    assert heads["variant-separate"] == DROPMAX
    for role, kept in (
        ("variant-alone-kept", True),
        ("variant-alone-drawn", False),
    ):  # nothing but cross-entropy
        alone = heads[role]
        assert (alone.kl, alone.auxiliary, alone.entropy, alone.target_kept) == (0, 0, 0, kept)
    shared = {
        e.role: e.tables
        for e in contents.entries("laptop", ["10", "10-variants"], [0, 1])
        if len(e.tables) > 1
    }
    assert shared == dict.fromkeys(("snn", "snn-stochmax"), ("10", "10-variants"))


def test_hybrids_read_real_images_and_the_rest_poisson_spikes():
    for table in ("14", "14-relu", "16", "16-readings"):
        for e in contents.TABLES[table]("laptop", seeds=[0]):
            assert e.spec.input.code == ("real" if e.role.startswith("ann") else "direct")
    assert {e.spec.input for e in stochmax_grid.table10("laptop", seeds=[0], timesteps=[5])} == {
        InputConfig("poisson", steps=5)
    }


@pytest.mark.parametrize("name", PROFILES)
def test_runs_beyond_the_paper_start_from_those_of_table_8(name):
    p = profile(name)
    table8 = {
        e.network: e.spec
        for e in agd_grid.table8(name, seeds=[0], timesteps=p.steps["8"][:1])
        if e.role == "snn"
    }
    for table in ("9.1-latency", "unstated"):
        for e in contents.TABLES[table](name, seeds=[0]):
            assert (e.spec == table8[e.network]) == (e.role == "snn")
    for e in contents.followed_gradients(name, seeds=[0]):
        assert e.spec.run == table8[e.network]
        assert e.spec.epochs == 2 < e.spec.run.training.epochs and set(e.labels["tables"]) == {"figure-5"}
    for e in contents.binary_networks(name, seeds=[0]):
        assert isinstance(e.spec, binary.Spec) and changed(table8[e.network], e.spec) <= BINARY_CHANGES


def test_deep_networks_have_their_own_recipe_and_the_sweep_shares_it():
    p = profile("laptop")
    for table in ("14", "14-relu", "16", "16-readings", "16-recipe"):
        for e in contents.TABLES[table]("laptop", seeds=[0]):
            ann = e.role.startswith("ann")
            recipe = p.deep_ann if ann else p.deep_snn
            own = table in ("16", "16-readings") or e.role == "hybrid-low-gain"
            assert e.spec.training == (replace(recipe, learning_rate=1e-3) if own else recipe)
            if e.role == "hybrid-low-gain":
                assert e.spec.network.gain == p.snn_network.gain < p.deep_network.gain
                continue
            assert e.spec.network.gain == (p.ann_network.gain if ann else p.deep_network.gain)


@pytest.mark.parametrize("name", ("laptop", "paper"))
def test_runs_beside_the_protocol_change_one_number_of_the_recipe(name):
    planned = contents.entries(name, ["14", "14-recipe", "figure-1", "figure-1-longer"], [0])
    for network, usual, varied, changes in (
        ("VGG9", "ann", "ann-usual-rate", {"training.learning_rate"}),
        ("VGG9", "hybrid-stochmax", "hybrid-usual-rate", {"training.learning_rate"}),
        ("VGG8", "ann", "ann-longer", {"training.epochs"}),
        ("VGG2x4-wide-top", "ann", "ann-longer", {"training.epochs"}),
    ):
        first, second = (one(planned, network=network, role=role).spec for role in (usual, varied))
        assert changed(first, second) == changes


def test_rate_coded_network_recodes_where_the_spiking_block_begins():
    net = one(hybrid_grid.table14("laptop", seeds=[0]), network="VGG8x2", role="hybrid-rate").spec.topology
    assert net == "16C3:relu 16C3:relu P R 32C3 32C3 P 64C3 [64C3]x2 P F256 F10"


def test_variants():
    vgg9, vgg13 = (networks.network(name).topology for name in ("VGG9", "VGG13"))
    assert variants.relu_front(vgg9, 2) == vgg9
    assert variants.relu_front(vgg9, 0) == as_ann(vgg9)
    assert variants.spiking_middle(vgg13, 2) == vgg13
    assert variants.spiking_middle("8C3 8C3 P 8C3 8C3 P F4 F10", 4) == "8C3 8C3 P 8C3 8C3 M P F4:relu F10"
    assert variants.unrolled_middle(vgg13, 2).count("256C3 [256C3]x2 M") == 1
    with pytest.raises(ValueError, match="count must be at most 7"):
        variants.relu_front(vgg9, 8)
    with pytest.raises(ValueError, match="without BackRes"):
        variants.relu_front(networks.network("VGG8x2").topology, 1)
    for count in (0, 3, 12):
        with pytest.raises(ValueError, match="count"):
            variants.spiking_middle(vgg13, count)
    for text in ("8C3 F10", "8C3:relu P F10", "8C3:relu M F10"):
        with pytest.raises(ValueError, match="text must be ReLU layers, then spiking"):
            variants.rate_coded(text)
    for text in ("8C3 F10", "8C3 P M F10"):
        with pytest.raises(ValueError, match="before M"):
            variants.unrolled_middle(text, 2)


def test_the_table_of_contents_has_every_grid_of_every_chapter():
    chapters = [
        importlib.import_module(f"panda2020.{path.parent.name}.grid") for path in HOME.glob("*/grid.py")
    ]
    made = {id(g): g.table for chapter in chapters for g in vars(chapter).values() if isinstance(g, Grid)}
    assert made == {id(g): name for name, g in contents.TABLES.items()} and len(chapters) == 7


def test_a_grid_refuses_what_it_has_no_choice_of():
    with pytest.raises(ValueError, match="table 2 has no T of its own"):
        contents.table2("quick", timesteps=[5])
    with pytest.raises(ValueError, match="table 2-variants has no networks to choose"):
        contents.table2_variants("quick", names=["VGG2x4"])


def test_a_grid_goes_through_seeds_then_steps_then_networks():
    def order(**options):
        @grid("made-up", networks=("VGG5", "VGG3"), steps="10", **options)
        def made_up(at):
            """Nothing of the paper's."""
            if at.first:
                yield at.ann()
            yield at.snn()

        assert made_up.__doc__ == "Nothing of the paper's." and made_up.__name__ == "made_up"
        found = made_up("quick", seeds=[1, 2], timesteps=[2, 5])
        assert {e.tables for e in found} == {("made-up",)}
        return [(e.spec.seed, e.spec.input.steps, e.network, e.interpretation) for e in found][:6]

    assert order() == [
        (1, None, "VGG5", "A"),
        (1, 2, "VGG5", "A"),
        (1, None, "VGG3", "A"),
        (1, 2, "VGG3", "A"),
        (1, 5, "VGG5", "A"),
        (1, 5, "VGG3", "A"),
    ]
    assert [row[:3] for row in order(by_network=True)][:4] == [
        (1, None, "VGG5"),
        (1, 2, "VGG5"),
        (1, 5, "VGG5"),
        (1, None, "VGG3"),
    ]
    assert {row[3] for row in order(interpretations="others")} == {"B"}
    assert {row[3] for row in order(interpretations="all")} == {"A", "B"}


def test_the_interpretation_is_a_label():
    entry = agd_grid.readings("laptop", seeds=[0], names=["VGG5"])[0]
    labels = entry.labels
    assert entry.interpretation == labels["interpretation"] == "B" and labels["note"] == "reading B"
    assert Entry.labelled(entry.spec, labels) == entry
