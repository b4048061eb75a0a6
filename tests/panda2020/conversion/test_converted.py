"""Tables 2 and 4 and their figures on made-up conversion records with numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from panda2020.conversion import figures as conversion_figures
from panda2020.conversion import tables as conversion_tables
from panda2020.records import scale
from panda2020.tasks import convert, train
from snncore.conversion import ConversionConfig
from snncore.data import DataConfig
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig

pytestmark = pytest.mark.usefixtures("stated_energies")

RIGHT = "f0"  # the first four of eight images


def part(bits: str, right: int) -> dict:
    return {
        "accuracy": right / 8,
        "correct": right,
        "total": 8,
        "hits": bits,
        "loss": 1.0,
        "top5": {"correct": 7, "total": 8},
    }


def reading(bits: str, right: int, efficiency: float, rates: dict[str, float]) -> dict:
    names = ("paper", "physical", "full")
    return {
        **part(bits, right),
        "paired": {"same_class": 6},
        "energy": {
            f"{n}/int32": {"efficiency": efficiency / k, "snn_pj": 1.0, "ann_pj": 1.0}
            for k, n in enumerate(names, start=1)
        },
        "activity": {site: {"rate": rate} for site, rate in rates.items()},
        "agreement": {
            site: {"correlation": 0.5, "error": 0.1, "bias": -0.1, "saturated": 0.0, "accuracy": 0.5}
            for site in sorted(rates)
        },
    }


def record(network="VGG3x2-v1", note="", thresholds=(2.0, 3.0)) -> SimpleNamespace:
    ann = train.Spec(
        "4C3 P [4C3 4C3]x2 P F8 F10",
        DataConfig("cifar10", train=100, validation=10, test=8),
        NetworkConfig(neuron="relu"),
        InputConfig("real"),
        TrainingConfig(epochs=1),
    )
    rates = {"conv1": 0.4, "conv2.1": 0.3, "conv3.1": 0.2, "conv2.2": 0.1, "conv3.2": 0.15, "fc1": 0.1}
    first, second = thresholds
    return SimpleNamespace(
        labels={"network": network, "note": note, "role": "converted", "profile": "laptop", "tables": ["2"]},
        spec=convert.Spec(ann, ConversionConfig(images=50, steps=30), (10, 100)),
        result={
            "ann": part(RIGHT, 4),
            "flops": 1000,
            "thresholds": {
                "conv1": 1.0,
                "conv2.1": first,
                "conv2.2": second,
                "conv3.1": 1.0,
                "conv3.2": 2.0,
                "fc1": 9.0,
            },
            # at T=10 the SNN is right on image 0 only; at T=100 on 0, 1, 2 and 4: one lost, one gained
            "snn": {"100": reading("e8", 4, 3.0, rates), "10": reading("80", 1, 30.0, rates)},
        },
    )


def test_accuracy_is_paired_image_by_image():
    table = conversion_tables.accuracy_table([record()])
    assert table["T"].tolist() == [10, 100]
    assert table["minus ANN"].tolist() == [-37.5, 0.0]
    assert table["only ANN right"].tolist() == [3, 1] and table["only SNN right"].tolist() == [0, 1]
    assert table["McNemar p"].tolist() == [0.25, 1.0]  # 2 (1/2)^3; one against one
    assert table["EE physical"].tolist() == [15.0, 1.5] and table["agreement"].tolist() == [0.75, 0.75]


def test_an_efficiency_is_read_where_the_accuracy_has_settled():
    assert conversion_tables.efficiency_table([record()])["T"].tolist() == [100]
    assert conversion_tables.efficiency_table([record()], chance=0.3).empty  # at 50 %, not above twice chance


def test_a_network_has_one_settled_row_whatever_its_seeds():
    other = record()
    other.spec = replace(other.spec, ann=replace(other.spec.ann, seed=1))
    other.result["snn"]["100"] = reading("f8", 5, 5.0, {"conv1": 0.4})
    other.result["snn"]["100"]["agreement"] = {}
    (row,) = conversion_tables.efficiency_table([record(), other]).to_dict("records")
    assert (row["seeds"], row["T"], row["SNN"], row["EE paper"]) == (2, 100, 4.5 / 8, 4.0)


def test_thresholds_and_rates_by_unrolling_step():
    table = conversion_tables.threshold_table([record(), record(thresholds=(3.0, 2.0))])
    assert table[["layer", "step 1", "step 2"]].values.tolist()[:2] == [
        ["conv2", 2.0, 3.0],
        ["conv3", 1.0, 2.0],
    ]
    assert table["only rising"].tolist() == [True, True, False, True]
    assert set(table["calibration"]) == {"50 images, 30 steps"}


def test_sizes_and_compression():
    table = conversion_tables.size_table([record(), record("VGG16")], baseline="VGG16")
    # 3*4*9 + 2 (4*4*9) + 4*8*8*8 + 8*10 + 10
    assert table["parameters"].tolist() == [2534, 2534] and table["compression"].tolist() == [1.0, 1.0]
    assert conversion_tables.size_table([record()], baseline="VGG16")["compression"].tolist() == [None]


def test_captions_name_scale_and_calibration():
    text = scale([record()])
    assert (
        "100 training images" in text
        and "50 images and 30 steps" in text
        and text.startswith("Profile laptop: CIFAR-10")
    )


def test_bars_name_network_reading_and_t():
    figure = conversion_figures.draw_efficiency(
        conversion_tables.efficiency_table([record(), record("VGG11x2", "reading B")])
    )
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert labels[0].startswith("VGG3x2-v1\nT = 100") and labels[1].startswith("VGG11x2, reading B\n")
