"""The runs behind the conversion chapters: Tables 2 and 4, Figures 4 and 7.

Every run trains an ANN on the expectation of the Poisson code, balances one threshold per unrolling step, and measures
accuracy, spikes and energy at every T in one simulation. Each variant changes one thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from panda2020.planning import Place, grid
from panda2020.profiles import CIFAR_CONVERSION, IMAGENET_CONVERSION, ConversionScale
from panda2020.runs import Entry
from panda2020.tasks import convert, train
from snncore.conversion import ConversionConfig

TABLE_2 = ("VGG7-conv", "VGG2x4", "VGG3x2-v1")

TABLE_4 = ("VGG16", "VGG11x2")

#: Role, network and change of the variants around Table 2.
VARIANTS = (
    *(
        (role, name, {"shared": True, "shared_as": how})
        for name in ("VGG2x4", "VGG3x2-v1")
        for role, how in (
            ("converted-shared", "max"),
            ("converted-shared-first", "first"),
            ("converted-shared-mean", "mean"),
        )
    ),
    ("converted-relu-2", "VGG7-conv", {"relu_layers": 2}),
    ("converted-percentile", "VGG7-conv", {"percentile": 99.9}),
    ("converted-percentile", "VGG2x4", {"percentile": 99.9}),
)


def converted(
    ann: train.Spec, scale: ConversionScale, conversion: ConversionConfig | None = None
) -> convert.Spec:
    """The conversion of an ANN at a profile's scale.

    Args:
        conversion: replaces the scale's configuration.
    """
    return convert.Spec(ann, conversion or scale.conversion, scale.steps, scale.test)


@grid("2", networks=TABLE_2)
def table2(at: Place) -> Iterator[Entry]:
    """Table 2 and Figures 4 and 7: the three networks of Table 3, one threshold per unrolling step."""
    yield at.entry(converted(at.standalone_ann(), CIFAR_CONVERSION[at.p.name]), "converted")


@grid("2-variants", sweep=lambda p: VARIANTS)
def table2_variants(at: Place) -> Iterator[Entry]:
    """Points around Table 2 that the paper asserts or leaves open, one change each.

    - converted-shared: one threshold for all unrolling steps of a layer, the largest of theirs (section 2.1.1 says that several
      are needed); converted-shared-first, converted-shared-mean: that of the first step, and their mean.
    - converted-relu-2: the first two layers stay ReLU (section 6 says that this adds nothing).
    - converted-percentile: the 99.9th percentile of the weighted inputs instead of their maximum, which the paper does not state.
    """
    (role, name, change), scale = at.sweep, CIFAR_CONVERSION[at.p.name]
    here = at.of(name)
    yield here.entry(converted(here.standalone_ann(), scale, replace(scale.conversion, **change)), role)


@grid("4", networks=TABLE_4, interpretations="all")
def table4(at: Place) -> Iterator[Entry]:
    """Table 4: VGG16 and both readings of VGG11x2 on ten ImageNet classes, with ten-way classifiers.

    Sixteen layers without normalisation need a gain of 1, a smaller learning rate and a warm-up.
    """
    usual = at.p.alone
    rate = min(usual.learning_rate, 1e-3)
    recipe = replace(usual, learning_rate=rate, warmup=1.0, epochs=usual.epochs * 3 // 2)
    ann = at.ann(network=replace(at.p.ann_network, gain=1.0), training=recipe).spec
    yield at.entry(converted(ann, IMAGENET_CONVERSION[at.p.name]), "converted")


@grid("2-stochmax", networks=("VGG7-conv",))
def stochmax_converted(at: Place) -> Iterator[Entry]:
    """VGG7 trained with stochmax, then converted as in Table 2 (section 8.2)."""
    ann = at.standalone_ann()
    ann = replace(ann, network=replace(ann.network, head="stochmax"))
    yield at.entry(converted(ann, CIFAR_CONVERSION[at.p.name]), "converted-stochmax")
