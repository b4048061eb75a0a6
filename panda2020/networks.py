"""The paper's networks, reconstructed from the sentences that describe them.

The article's topology tables (3, 5, 7, 9, 13, 15, 17) are in no source we have. Each entry therefore states
which sentences fix it (``fixed_by``) and which parts no sentence fixes, so that we chose them (``chosen``). If
several readings fit, all are registered; "A" is the default. To use a printed topology, edit its line
here: module, parameter count, FLOPs, energy, diagram and table all follow from the string (notation:
``snncore.network``).

Names are unique: the VGG7 of Table 3 and the VGG7 of Table 9 are two networks, and so are their VGG3x2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from snncore._check import whole

CIFAR10 = (3, 32, 32)

IMAGENET = (3, 224, 224)


@dataclass(frozen=True)
class PaperNetwork:
    """One network of the paper in one reading.

    Attributes:
        exhibit: the article's table, section or footnote that describes it.
        fixed_by: the article's words that fix the topology, in quotes, and how we use them.
        chosen: the parts that we chose.
        input_shape: (channels, height, width).
        neuron: neurons of the layers without a suffix when the network runs as an SNN.
        plain: registry name of the plain network of equal logical depth, for networks with BackRes connections.
    """

    name: str
    reading: str
    topology: str
    exhibit: str
    fixed_by: tuple[str, ...]
    chosen: tuple[str, ...] = ()
    input_shape: tuple[int, int, int] = CIFAR10
    classes: int = 10
    neuron: str = "lif"
    plain: str | None = None

    def with_classes(self, classes: int) -> PaperNetwork:
        """The same network for another number of classes.

        Raises:
            ValueError: a number that is not whole or below 1.
        """
        body = self.topology.split()[:-1]
        return replace(self, topology=" ".join([*body, f"F{whole('classes', classes)}"]), classes=classes)


_DEPTH_7 = (
    '"VGG2x4/VGG3x2-v1 achieve the same logical depth of a 7-unique layered (including fully connected '
    'layers) VGG7 network"'
)

_MAPS_64 = "64 maps: the text's example of a BackRes block has 64 input channels"

_FC = "pooling positions, F1024"

_ENTRIES = (
    # Table 3: conversion
    PaperNetwork(
        "VGG7-conv",
        "A",
        "64C3 P 64C3 64C3 64C3 64C3 P F1024 F10",
        "Table 3",
        (
            _DEPTH_7,
            '"the improvement in total # parameters is minimal here": FC layers dominate (here 2.5 %)',
        ),
        (_MAPS_64, _FC),
        neuron="if",
    ),
    PaperNetwork(
        "VGG2x4",
        "A",
        "64C3 P [64C3]x4 P F1024 F10",
        "Table 3",
        ('"two unique convolutional layers (Conv1, Conv2) where Conv2 ... is computed 4 times"', _DEPTH_7),
        (_MAPS_64, _FC),
        neuron="if",
        plain="VGG7-conv",
    ),
    PaperNetwork(
        "VGG3x2-v1",
        "A",
        "64C3 P [64C3 64C3]x2 P F1024 F10",
        "Table 3",
        (
            '"three unique convolutional layers ... with Conv2, Conv3 computation repeated two times in the '
            'order depicted"',
            _DEPTH_7,
        ),
        (_MAPS_64, _FC),
        neuron="if",
        plain="VGG7-conv",
    ),
    # Table 5: conversion, ImageNet
    PaperNetwork(
        "VGG16",
        "A",
        "64C3 64C3 P 128C3 128C3 P 256C3 256C3 256C3 P 512C3 512C3 512C3 P 512C3 512C3 512C3 P "
        "F4096 F4096 F1000",
        "Table 5",
        ("named: the standard VGG16 (13 convolutions, 3 fully connected)",),
        ("average pooling, no batch normalisation",),
        IMAGENET,
        1000,
        "if",
    ),
    PaperNetwork(
        "VGG11x2",
        "A",
        "64C3 [64C3]x2 P 128C3 [128C3]x2 P 256C3 [256C3]x2 P 512C3 [512C3]x2 P [512C3]x2 P F4096 F1000",
        "Table 5",
        (
            '"11 unique convolutional or fully-connected layers"',
            '"the same logical depth of 16 layers"',
            "x2: every block is computed twice (9 convolutions, 2 fully connected)",
        ),
        ("where the blocks stand; widths of VGG16",),
        IMAGENET,
        1000,
        "if",
        "VGG16",
    ),
    PaperNetwork(
        "VGG11x2",
        "B",
        "64C3 P 128C3 P 256C3 [256C3]x2 P 512C3 [512C3]x2 P [512C3]x2 [512C3]x3 P F4096 F4096 F1000",
        "Table 5",
        (
            '"11 unique convolutional or fully-connected layers"',
            '"the same logical depth of 16 layers"',
            "the standard VGG11 (8 convolutions, 3 fully connected); one block must then be computed 3 times",
        ),
        ("which block is computed 3 times",),
        IMAGENET,
        1000,
        "if",
        "VGG16",
    ),
    # Table 7: STDP. The classifier is ReLU, on the spikes of the convolutions averaged over T (M).
    PaperNetwork(
        "ResNet2",
        "A",
        "36C3 36C3+ P M F1024:relu F10",
        "Table 7",
        (
            "two convolutional layers trained with STDP, residual sums as in the cited ReStoCNet",
            '"fully-connected classifier (comprising of FC1, FC2 layers in Table 7)"',
            '"ReLU FC layers"',
        ),
        ("36 maps", _FC),
    ),
    PaperNetwork(
        "ResNet3",
        "A",
        "36C3 36C3+ 36C3+ P M F1024:relu F10",
        "Table 7",
        ('"deepening the network from ResNet2 to ResNet3": one more convolution',),
        ("36 maps", _FC),
    ),
    PaperNetwork(
        "ResNet2x2",
        "A",
        "36C3 [36C3+]x2 P M F1024:relu F10",
        "Table 7",
        ('"adding BackRes connection in ResNet2x2 which achieves same logical depth as ResNet3"',),
        ("36 maps", _FC),
        plain="ResNet3",
    ),
    # Tables 9 and 10: AGD
    PaperNetwork(
        "VGG3",
        "A",
        "64C3 P 128C3 P F1024 F10",
        "Table 10",
        (
            '"the FC2 layer of VGG3 topology is implemented as a softmax or stochmax classifier"',
            "three layers, the classifier not counted",
        ),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG3",
        "B",
        "64C3 P P F1024 F10",
        "Table 10",
        (
            '"the FC2 layer of VGG3 topology is implemented as a softmax or stochmax classifier"',
            "three layers, the classifier counted",
        ),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG5",
        "A",
        "64C3 P 128C3 128C3 128C3 P F1024 F10",
        "Table 9",
        ('"VGG3x2-v2 of equivalent logical depth as VGG5"', "five layers, the classifier not counted"),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG5",
        "B",
        "64C3 P 128C3 128C3 P F1024 F10",
        "Table 9",
        ('"VGG3x2-v2 of equivalent logical depth as VGG5"', "the group's published VGG5 code"),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG3x2-v2",
        "A",
        "64C3 P 128C3 [128C3]x2 P F1024 F10",
        "Table 9",
        ('"VGG3x2-v2 of equivalent logical depth as VGG5"', "three unique convolutions"),
        ("widths", _FC),
        plain="VGG5",
    ),
    PaperNetwork(
        "VGG3x2-v2",
        "B",
        "128C3 P [128C3]x2 P F1024 F10",
        "Table 9",
        ('"VGG3x2-v2 of equivalent logical depth as VGG5"', "the depth of VGG5, reading B"),
        ("widths", _FC),
        plain="VGG5",
    ),
    PaperNetwork(
        "VGG7-agd",
        "A",
        "64C3 P 128C3 128C3 128C3 128C3 128C3 P F1024 F10",
        "Table 9",
        ('"a VGG7 network with 7-layered depth"', "seven layers, the classifier not counted"),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG7-agd",
        "B",
        "64C3 P 128C3 128C3 128C3 128C3 P F1024 F10",
        "Table 9",
        ('"a VGG7 network with 7-layered depth"', "seven layers, the classifier counted"),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG3x4",
        "A",
        "64C3 P 128C3 [128C3]x4 P F1024 F10",
        "Table 9",
        (
            '"similar logical depth of 7-layers as VGG7"',
            '"real depth of five layers", the classifier counted',
            "three unique convolutions",
        ),
        ("widths", _FC),
        plain="VGG7-agd",
    ),
    PaperNetwork(
        "VGG3x4",
        "B",
        "128C3 P [128C3]x4 P F1024 F10",
        "Table 9",
        (
            '"similar logical depth of 7-layers as VGG7"',
            '"logical depth of seven layers", the classifier counted',
        ),
        ("widths", _FC),
        plain="VGG7-agd",
    ),
    # Table 13: the classifier that replaces FC1, FC2 on STDP features (36 maps, pooled to 16x16)
    PaperNetwork(
        "ConvNN",
        "A",
        "64C3 64C3 P 128C3 128C3 P F512 F10",
        "Table 13",
        ('"we replace the fully-connected layers FC1, FC2 ... with a larger convolutional network ConvNN"',),
        ("the whole topology",),
        (36, 16, 16),
        10,
        "relu",
    ),
    # Table 15: hybrid AGD
    PaperNetwork(
        "VGG9",
        "A",
        "64C3:relu 64C3:relu P 128C3 128C3 P 256C3 256C3 256C3 P F1024 F10",
        "Table 15",
        (
            '"only the first two convolutional layers Conv1, Conv2 use ReLU activation"',
            '"Conv3 − Conv7"',
            "the plan of the group's published VGG9 code",
        ),
        ("widths", _FC),
    ),
    PaperNetwork(
        "VGG8x2",
        "A",
        "64C3:relu 64C3:relu P 128C3 128C3 P 256C3 [256C3]x2 P F1024 F10",
        "Table 15",
        ('"Conv3 − Conv7(6)"', '"VGG8x2 achieves equivalent logical depth as VGG9"'),
        ("widths", _FC),
        plain="VGG9",
    ),
    # Table 17: hybrid AGD, ImageNet
    *(
        PaperNetwork(
            "VGG13",
            reading,
            text,
            "Table 17",
            (
                "named: the standard VGG13 (10 convolutions, 3 fully connected)",
                '"converting the middle two layers into spiking LIF neurons"',
                where,
            ),
            ("average pooling, no batch normalisation, mean over T after the spiking layers",),
            IMAGENET,
            1000,
        )
        for reading, text, where in (
            (
                "A",
                "64C3:relu 64C3:relu P 128C3:relu 128C3:relu P 256C3 256C3 M P 512C3:relu 512C3:relu P "
                "512C3:relu 512C3:relu P F4096:relu F4096:relu F1000",
                "Conv5 and Conv6 of ten",
            ),
            (
                "B",
                "64C3:relu 64C3:relu P 128C3:relu 128C3:relu P 256C3:relu 256C3 P 512C3 M 512C3:relu P "
                "512C3:relu 512C3:relu P F4096:relu F4096:relu F1000",
                "Conv6 and Conv7: also fit the stated 1.3x",
            ),
            (
                "C",
                "64C3:relu 64C3:relu P 128C3:relu 128C3:relu P 256C3:relu 256C3:relu P 512C3 512C3 M P "
                "512C3:relu 512C3:relu P F4096:relu F4096:relu F1000",
                "Conv7 and Conv8: also fit the stated 1.3x",
            ),
        )
    ),
    # Section 4: activity of a BackRes network against the plain one
    PaperNetwork(
        "VGG4",
        "A",
        "64C3 P 64C3 64C3 64C3 P F1024 F10",
        "Section 4.2",
        (
            '"networks with BackRes blocks ... (say, VGG2x2) generally have lower spiking activity than '
            'equivalent depth baseline network with separate layers (say, VGG4)": four convolutions',
        ),
        (_MAPS_64, _FC),
    ),
    PaperNetwork(
        "VGG2x2",
        "A",
        "64C3 P [64C3]x3 P F1024 F10",
        "Section 4.2",
        ('"(say, VGG2x2)" against "equivalent depth ... (say, VGG4)": two unique convolutions, four passes',),
        ("three passes of Conv2: Conv1 (3 to 64 maps) cannot be unrolled", _MAPS_64, _FC),
        plain="VGG4",
    ),
    # Section 4: unequal channels
    PaperNetwork(
        "VGG8",
        "A",
        "64C3 P 128C3 128C3 128C3 128C3 P F1024 F10",
        "Section 4",
        ('"yields similar accuracy as that of a baseline network (VGG8)"',),
        ("widths", _FC),
    ),
    *(
        PaperNetwork(
            f"VGG2x4-wide-{rule}",
            "A",
            f"64C3 P [128C3]x4:{rule} P F1024 F10",
            "Section 4",
            (
                '"a BackRes block with 64 input channels and 128 output channels (say, VGG2x4 network)"',
                sentence,
            ),
            (how, _FC),
            plain="VGG8",
        )
        for rule, sentence, how in (
            (
                "drop",
                '"one can randomly drop 64 channels from the output"',
                "the same channels at every pass",
            ),
            ("top", '"selecting top-64 channels with maximal activity"', "chosen per image"),
            (
                "top-fixed",
                '"selecting top-64 channels with maximal activity"',
                "the same channels for all images, chosen by their mean activity in training",
            ),
            ("average", '"averaging the response of 128 channels into 64"', "neighbouring pairs"),
        )
    ),
    # Footnote 2: the limit of unrolling; it counts convolutions only
    *(
        PaperNetwork(
            name,
            "A",
            text,
            "Footnote 2",
            (
                '"VGG2x8 network with 2 convolutional layers unrolled 8 times ... VGG16 '
                'network with 16 convolutional layers. But, VGG2x4 may yield near iso-accuracy as VGG8"',
            ),
            (how, _MAPS_64, _FC),
            plain=plain,
        )
        for name, text, how, plain in (
            ("VGG16c", f"64C3 P {' '.join(['64C3'] * 15)} P F1024 F10", "16 convolutions", None),
            ("VGG2x8", "64C3 P [64C3]x15 P F1024 F10", "Conv2 fills the depth: 15 passes", "VGG16c"),
            ("VGG8c", f"64C3 P {' '.join(['64C3'] * 7)} P F1024 F10", "8 convolutions", None),
            ("VGG2x4c", "64C3 P [64C3]x7 P F1024 F10", "Conv2 fills the depth: 7 passes", "VGG8c"),
        )
    ),
    # Section 6: skip connections do not rescue the seven-layer SNN
    PaperNetwork(
        "ResNet7",
        "A",
        "64C3 P 128C3 (128C3 128C3)+ (128C3 128C3)+ P F1024 F10",
        "Section 6",
        ('"even with residual or skip connections that leads to a ResNet7-like architecture"',),
        ("VGG7-agd, reading A, with a sum around each pair of convolutions",),
    ),
)

REGISTRY: dict[tuple[str, str], PaperNetwork] = {(net.name, net.reading): net for net in _ENTRIES}


def names() -> tuple[str, ...]:
    """Every network's name, in the order of the exhibits."""
    return tuple(dict.fromkeys(name for name, _ in REGISTRY))


def readings(name: str) -> tuple[str, ...]:
    """The readings registered for one network, "A" first.

    Raises:
        ValueError: an unknown name.
    """
    found = tuple(reading for known, reading in REGISTRY if known == name)
    if not found:
        raise ValueError(f"name must be one of {', '.join(names())}, got {name!r}")
    return found


def network(name: str, reading: str = "A") -> PaperNetwork:
    """One network of the registry.

    Raises:
        ValueError: an unknown name, or a reading that this network does not have.
    """
    if reading not in readings(name):
        raise ValueError(f"reading of {name} must be one of {', '.join(readings(name))}, got {reading!r}")
    return REGISTRY[name, reading]


def plain_of(net: PaperNetwork) -> PaperNetwork | None:
    """The plain network of equal logical depth, in the same reading if it has it, else in "A".

    None for a network without BackRes connections.
    """
    if net.plain is None:
        return None
    return network(net.plain, net.reading if net.reading in readings(net.plain) else "A")


def exhibit(title: str) -> tuple[PaperNetwork, ...]:
    """All networks and readings of one exhibit ("Table 3").

    Raises:
        ValueError: an exhibit without networks.
    """
    found = tuple(net for net in _ENTRIES if net.exhibit == title)
    if not found:
        known = ", ".join(dict.fromkeys(net.exhibit for net in _ENTRIES))
        raise ValueError(f"title must be one of {known}, got {title!r}")
    return found
