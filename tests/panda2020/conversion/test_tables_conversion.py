"""Networks by settled T, variants image by image, courses over the unrolling steps: made-up runs, numbers worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from panda2020.conversion import figures as conversion_figures
from panda2020.conversion import grid as conversion_grid
from panda2020.conversion import layout, passes, sharing
from panda2020.conversion import tables as t
from snncore.topology import parameter_count

pytestmark = pytest.mark.usefixtures("stated_energies")

IMAGES = 100


class Run(SimpleNamespace):
    """What the tables read of a record."""

    family = None

    def __getitem__(self, name):
        return {"task": "convert", "spec": self.made}[name]


def bits(right):
    """The images in ``right`` are classified correctly."""
    return f"{int(''.join('1' if i in right else '0' for i in range(IMAGES)), 2):025x}"


def part(right, ee=None, pj=None, rates=(), over=0.5):
    found = {"accuracy": len(right) / IMAGES, "correct": len(right), "total": IMAGES, "hits": bits(right)}
    if ee is not None:
        factor = {"paper": 1, "physical": 0.5, "full": 0.25}
        energy = {
            f"{c}/int32": {"efficiency": ee * f, "snn_pj": pj, "ann_pj": pj * ee} for c, f in factor.items()
        }
        found |= {"energy": energy, "activity": {site: {"rate": rate} for site, rate in rates}}
        found["agreement"] = {site: {"accuracy": over} for site, _ in rates}
    return found


SITES = ("conv1", "conv2.1", "conv3.1", "conv2.2", "conv3.2", "fc1")


def run(
    network="VGG3x2-v1",
    role="converted",
    seed=0,
    *,
    ann=range(50),
    snn=None,
    thresholds=(1, 2, 4, 3, 4, 9),
    note="",
    profile="laptop",
    topology="4C3 P [4C3 4C3]x2 P F8 F10",
):
    data = {"name": "cifar10", "train": 100, "validation": 10, "test": IMAGES, "size": None, "seed": seed}
    names = SITES if "[" in topology else ("conv1", "conv2", "fc1")
    rates = tuple(zip(names, (0.4, 0.3, 0.2, 0.2, 0.3, 0.1), strict=False))
    snn = snn or {10: (range(10), 40.0, 100.0), 100: (range(49), 8.0, 500.0), 1000: (range(50), 1.0, 4000.0)}
    result = {
        "ann": part(ann),
        "total": IMAGES,
        "topology": topology,
        # as a record holds it: by name, not in order of computation
        "thresholds": dict(sorted(zip(names, thresholds, strict=False))),
        "snn": {
            str(steps): part(right, ee, pj, rates, over=steps / 1000)
            for steps, (right, ee, pj) in snn.items()
        },
    }
    return Run(
        labels={"network": network, "role": role, "profile": profile, "note": note},
        result=result,
        spec=SimpleNamespace(seed=seed),
        tag="recorded",
        key="0",
        made={"ann": {"data": data}, "conversion": {"relu_layers": 0}, "seed": seed},
    )


def plain(**more):
    snn = {10: (range(20), 20.0, 200.0), 100: (range(48), 4.0, 1000.0), 1000: (range(50), 0.5, 8000.0)}
    return run("VGG7-conv", snn=snn, topology="4C3 P 4C3 P F8 F10", thresholds=(1, 2, 3), **more)


def test_settled_is_the_smallest_t_within_one_point():
    assert t.settled_steps({0: run()}) == 100  # 0.49 is within 0.01 of 0.50
    assert t.settled_steps({0: plain()}) == 1000  # 0.48 is not
    near = {100: (range(46), 1.0, 1.0), 1000: (range(47), 1.0, 1.0)}  # 0.47 - 0.01 is above 0.46 in binary
    assert t.settled_steps({0: run(snn=near)}) == 100
    other = {10: (range(10), 1.0, 1.0), 100: (range(50), 1.0, 1.0), 1000: (range(50), 1.0, 1.0)}
    assert t.settled_steps({0: plain(), 1: plain(seed=1)}) == 1000
    assert t.settled_steps({0: plain(), 1: run(snn=other, seed=1)}) == 100  # means 0.49 and 0.50


def test_only_common_t_count():
    short = run(seed=1, snn={10: (range(10), 1.0, 1.0), 100: (range(30), 1.0, 1.0)})
    assert t.times({0: run(), 1: short}) == [10, 100]


def test_the_papers_layout_holds_ours_with_intervals_and_the_articles_words():
    table = layout.paper_layout([plain(), run()])
    assert table["network"].tolist() == ["VGG7", "VGG3x2-v1"]
    ours = table["ANN"][1].ours
    z2 = 3.841459
    half = math.sqrt(z2 * 0.25 / 100 + z2**2 / 40000) / (1 + z2 / 100)
    assert ours.mean == pytest.approx(50) and ours.interval.high == pytest.approx(50 + 100 * half, rel=1e-5)
    assert [cell.ours.mean for cell in table["SNN, T = 10"]] == pytest.approx([20, 10])
    apart = table["ANN − VGG7's"]
    assert apart[0].ours is None and apart[0].paper == ""
    assert apart[1].ours.mean == 0 and apart[1].paper == "~1 - 2% loss"
    assert table["SNN − ANN"][0].paper == "almost zero-loss" and table["SNN − ANN"][0].ours.mean == 0
    counted = [parameter_count(one.result["topology"], (3, 32, 32)) for one in (plain(), run())]
    assert table["parameters"].tolist() == counted
    assert layout.paper_layout([]).empty


def test_three_of_the_times_are_always_visible():
    table = layout.paper_layout([plain()])  # T = 10, 100, 1000: 2000 is none of them
    assert [c for c in layout.main_columns(table) if "T =" in c] == [
        "SNN, T = 10",
        "SNN, T = 100",
        "SNN, T = 1000",
    ]
    times = (10, 25, 100, 500, 2000)
    many = run(
        "VGG7-conv",
        snn={T: (range(20), 1.0, 1.0) for T in times},
        topology="4C3 P 4C3 P F8 F10",
        thresholds=(1, 2, 3),
    )
    shown = layout.main_columns(layout.paper_layout([many]))
    assert [c for c in shown if "T =" in c] == ["SNN, T = 10", "SNN, T = 100", "SNN, T = 2000"]
    assert "parameters" not in shown and shown[0] == "network"


def test_table_4_divides_the_efficiencies_at_the_largest_t():
    nets = [
        run("VGG16", topology="4C3 P 4C3 P F8 F10", thresholds=(1, 2, 3)),
        run("VGG11x2", note="reading B"),
    ]
    nets[0].result["snn"]["1000"]["energy"]["paper/int32"] = {"efficiency": 0.5, "snn_pj": 2.0, "ann_pj": 1.0}
    table = layout.paper_layout(nets, exhibit="Table 4", plain="VGG16").set_index("network")
    assert table["EE over VGG16's"]["VGG11x2, reading B"].ours.mean == pytest.approx(2)
    assert table["EE over VGG16's"]["VGG11x2, reading B"].paper == "~2x"
    assert table["SNN − VGG16's"]["VGG11x2, reading B"].paper == "~1%"
    assert table["EE over VGG16's"]["VGG16"].ours is None


def test_figure_7_has_a_row_per_network_and_t_and_says_where_it_is_read():
    runs = [plain(), run(), run(seed=1), run(role="converted-shared")]
    courses = layout.against_time(runs)
    assert courses.groupby("network", sort=False)["T"].apply(list).to_dict() == {
        "VGG7-conv": [0, 10, 100, 1000],
        "VGG3x2-v1": [0, 10, 100, 1000],
    }
    one = courses[(courses["network"] == "VGG3x2-v1") & (courses["T"] == 100)].iloc[0]
    assert (one["accuracy"], one["EE"], one["seeds"]) == (pytest.approx(49), pytest.approx(8), 2)
    assert courses[courses["network"] == "VGG7-conv"]["EE low"].isna().all()  # one seed has no interval
    said = layout.figure7_sentences(runs)
    assert "VGG3x2-v1 8 at T = 100" in said[0] and said[1].startswith("SNN minus ANN at the smallest T, 10")
    figure = conversion_figures.draw_against_time(courses, layout.figure7(runs))
    assert figure.axes[1].get_yscale() == "log" and len(figure.axes) == 2
    assert {"VGG7", "VGG3x2-v1"} <= {text.get_text() for text in figure.axes[1].texts}


def test_passes_stand_beside_the_plain_layers_that_are_as_deep():
    deep = run(
        "VGG7-conv",
        topology="4C3 P 4C3 4C3 P F8 F10",
        thresholds=(1, 2, 3, 1),
    )
    deep.result["thresholds"] = {"conv1": 1, "conv2": 2, "conv3": 3, "fc1": 9}
    for found in deep.result["snn"].values():
        found["activity"] = {
            "conv1": {"rate": 0.4},
            "conv2": {"rate": 0.2},
            "conv3": {"rate": 0.1},
            "fc1": {"rate": 0.05},
        }
    table = passes.pass_table([deep, run()])
    own = table[
        (table["layer"] == "conv2") & (table["of"] == "BackRes")
    ]  # thresholds 2 and 3, rates 0.3 and 0.2
    assert own["site"].tolist() == ["conv2.1", "conv2.2"]
    assert own["threshold over the first"].tolist() == [1, 1.5]
    assert own["rate over the first"].tolist() == pytest.approx([1, 2 / 3])
    beside = table[(table["layer"] == "conv2") & (table["of"] == "plain")]  # depths 1 and 3
    assert beside["site"].tolist() == ["conv2", "fc1"] and beside["threshold over the first"].tolist() == [
        1,
        4.5,
    ]
    shorter = table[(table["layer"] == "conv3") & (table["of"] == "plain")]  # depth 4 is not there
    assert shorter["site"].tolist() == ["conv3"]
    assert passes.pass_sentences(table)[0].startswith(
        "Balanced threshold, last pass over the first: VGG3x2-v1 conv2 1.50 (plain 4.50)"
    )
    figure = passes.draw_passes(table)
    assert len(figure.axes) == 4 and figure.axes[0].get_title(loc="left") == "VGG3x2-v1, conv2"


def test_operating_table_compares_with_the_plain_network_at_its_own_t():
    table = t.operating_table([run(), plain()]).set_index("network")
    one = table.loc["VGG3x2-v1"]
    assert (one["T"], one["SNN"], one["largest T"], one["at the largest T"], one["ANN"]) == (
        100,
        0.49,
        1000,
        0.5,
        0.5,
    )
    assert [one[f"EE {c}"] for c in ("paper", "physical", "full")] == [8, 4, 2]
    assert one["EE over VGG7-conv"] == 16  # 8 at T = 100 over 0.5 at T = 1000
    assert one["SNN (nJ)"] == 0.5 and one["ANN (nJ)"] == 4
    assert one["energy of VGG7-conv over its own"] == 16  # 8000 over 500
    assert table.loc["VGG7-conv", "EE over VGG7-conv"] == 1
    equal = t.operating_table([run(), plain()], at=100).set_index("network")
    assert equal.loc["VGG3x2-v1", "EE over VGG7-conv"] == 2 and equal["T"].tolist() == [100, 100]
    assert t.operating_table([run(), plain()], at=77).empty
    assert t.operating_table([run()])["EE over VGG7-conv"].tolist() == [None]


def test_variants_are_paired_with_the_plain_conversion_of_the_same_ann():
    right = [*range(40), 60, 61]  # at T = 100 the plain one has 0 .. 48: nine lost, two gained
    snn = {10: (range(10), 50.0, 1.0), 100: (right, 9.0, 1.0), 1000: (range(50), 2.0, 1.0)}
    table = t.variant_table([run(), run(role="converted-shared", snn=snn)])
    assert table["which T"].tolist() == ["settled", "largest"] and table["T"].tolist() == [100, 1000]
    first, last = (table.iloc[i] for i in range(2))
    assert first["variant minus plain"] == pytest.approx(-7) and last["variant minus plain"] == 0
    assert (first["only variant right"], first["only plain right"]) == (2, 9)
    assert first["McNemar p"] == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    error = math.sqrt((12 / 102 - (7 / 102) ** 2) / 102)  # 11 of 100 images differ, and two are added
    assert [*first["95 % interval"]] == pytest.approx(
        [-7 - 195.9964 * error, -7 + 195.9964 * error], rel=1e-5
    )
    assert (first["EE plain"], first["EE this"]) == (8, 9) and first["over"] == "test images alone"
    assert t.variant_table([run(), run(role="converted-shared", seed=1)]).empty
    assert t.variant_table([run()]).empty


def test_hand_over_follows_the_order_of_computation():
    table = t.hand_over_table([run()])
    assert table["layer"].tolist() == ["ANN", *SITES] and table["depth"].tolist() == list(range(7))
    assert table["T = 10"].tolist() == [0.5] + [0.01] * 6 and table["T = 1000"].tolist() == [0.5] + [1.0] * 6


@pytest.mark.parametrize(("values", "words"), [
    ((1, 2, 3), "rises at every step"),
    ((3, 2, 1), "falls at every step"),
    ((1, 3, 2), "ends higher than it began, and turns on the way"),
    ((2, 3, 1), "ends lower than it began, and turns on the way"),
    ((1, 2, 1), "ends where it began, and turns on the way"),
    ((1, 1, 2), "ends higher than it began, and turns on the way"),  # "strictly" leaves no room for equal ones
])  # fmt: skip
def test_trend(values, words):
    assert t.trend(values) == words


def test_a_trend_needs_two_numbers():
    with pytest.raises(ValueError, match="at least two numbers, got 1"):
        t.trend([1.0])


def test_records_that_do_not_belong_together():
    with pytest.raises(ValueError, match="one profile, got laptop, paper"):
        t.grouped([run(), run(profile="paper")])
    with pytest.raises(ValueError, match="each run once, got VGG3x2-v1 A converted seed 0 twice"):
        t.grouped([run(), run()])
    with pytest.raises(ValueError, match="role of a record must be one of converted.*got 'ann'"):
        t.grouped([run(role="ann")])


def test_every_planned_role_has_a_name():
    for grid in (conversion_grid.table2, conversion_grid.table2_variants, conversion_grid.table4):
        assert {entry.role for entry in grid("laptop", seeds=[0])} <= set(t.NAMES)
    roles = {entry.role for entry in conversion_grid.table2_variants("laptop", seeds=[0])}
    assert {role for role in roles if "shared" in role} == set(sharing.HOW)
    assert roles <= set(conversion_figures._LOOKS)


def test_figures_draw_what_the_tables_hold():
    figure = conversion_figures.draw_hand_over(t.hand_over_table([run(), plain()]))
    first, second = figure.axes
    assert [text.get_text() for text in first.get_xticklabels()] == ["ANN", *SITES]
    assert [list(line.get_ydata()) for line in second.lines] == [[0.5, T, T, T] for T in (0.01, 0.1, 1.0)]
    figure = conversion_figures.draw_variants([run(), run(role="converted-shared"), plain()])
    left, right = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["VGG3x2-v1", "VGG7"]
    assert len(left.lines) == 3 and len(right.lines) == 2  # the ANN and each conversion
    assert list(left.lines[1].get_ydata()) == [0.1, 0.49, 0.5]
