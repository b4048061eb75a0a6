"""Made-up worlds for every claim: by verdict, what differs from a world in which all networks are equal."""

from __future__ import annotations

from typing import Any

from made_up import EARLY

from panda2020.claims.claims import claims
from panda2020.claims.verdicts import CONTRADICTED, DIRECTION, NOT_TESTABLE, OPEN, SUPPORTED

Changes = dict[tuple, Any]
CONV, SHARED, STOCH, HYBRID = "converted", "converted-shared", "snn-stochmax", "hybrid-stochmax"
NETS = ("VGG7-conv", "VGG2x4", "VGG3x2-v1")
STDP_NETS = ("ResNet2", "ResNet2x2", "ResNet3")
PAIR = ("VGG5", "VGG3x2-v2")


def acc(name: str, role: str, value: float, at: Any = None) -> Changes:
    return {("acc", name, role) if at is None else ("acc", name, role, at): value}


def both(kind: str, names: tuple[str, ...], role: str, value: Any) -> Changes:
    return {(kind, name, role): value for name in names}


def conv(value: float, at: Any) -> Changes:
    """All converted networks at one T."""
    return {("acc", name, CONV, at): value for name in NETS}


def shared(*values: float) -> Changes:
    """Both BackRes networks with the largest, the first and the mean threshold for all steps."""
    return {
        ("acc", name, f"{SHARED}{how}"): value
        for name in ("VGG2x4", "VGG3x2-v1")
        for how, value in zip(("", "-first", "-mean"), values, strict=True)
    }


def early(*values: float) -> Changes:
    """The spiking VGG5, trained at T = 25, at smaller T."""
    return {("acc", "VGG5", "snn", T): value for T, value in zip(EARLY, values, strict=True)}


def stdp(view: str, value: float, names: tuple[str, ...] = STDP_NETS) -> Changes:
    return {("acc", name, "stdp", view): value for name in names}


#: claim -> verdict -> what is different from a world in which all nets are equal (accuracy 50 %, EE 10).
WORLDS: dict[str, dict[str, Changes]] = {
    **{
        name: {
            SUPPORTED: {("acc", net, CONV, "ann"): 0.51 for net in NETS},
            CONTRADICTED: {("acc", net, CONV, "ann"): 0.55 for net in NETS},
        }
        for name in ("conv-lossless", "conv-bounded")
    },
    "conv-latency": {
        verdict: conv(0.12, 10) | conv(value, 100)
        for verdict, value in ((SUPPORTED, 0.4), (DIRECTION, 0.49), (CONTRADICTED, 0.52))
    },
    "conv-monotone-T": {
        SUPPORTED: conv(0.2, 10) | conv(0.4, 100),
        CONTRADICTED: conv(0.2, 10) | conv(0.55, 100),
    },
    "conv-backres-ann-loss": {
        SUPPORTED: acc("VGG2x4", CONV, 0.49, "ann"),
        CONTRADICTED: acc("VGG3x2-v1", CONV, 0.45, "ann"),
    },
    "conv-backres-snn": {SUPPORTED: acc("VGG2x4", CONV, 0.49), CONTRADICTED: acc("VGG3x2-v1", CONV, 0.45)},
    "conv-backres-ee": {
        SUPPORTED: both("ee", ("VGG2x4", "VGG3x2-v1"), CONV, 14.0),
        DIRECTION: both("ee", ("VGG2x4", "VGG3x2-v1"), CONV, 10.5),
        CONTRADICTED: both("ee", ("VGG2x4",), CONV, 9.0),
    },
    "conv-ee-2x4-vs-3x2": {
        SUPPORTED: both("ee", ("VGG2x4",), CONV, 13.0),
        DIRECTION: both("ee", ("VGG2x4",), CONV, 20.0),
        CONTRADICTED: both("ee", ("VGG2x4",), CONV, 9.0),
    },
    "conv-threshold-grows": {
        SUPPORTED: both("threshold", ("VGG2x4", "VGG3x2-v1"), CONV, [1.0, 1.1, 1.2, 1.3]),
        CONTRADICTED: both("threshold", ("VGG2x4",), CONV, [1.0, 0.9, 1.2, 1.3])
        | both("threshold", ("VGG3x2-v1",), CONV, [1.0, 1.1]),
    },
    "conv-sparsify": {  # by spiking site: conv1, then conv2 and conv3 in the order in which they are computed
        SUPPORTED: both("rate", ("VGG2x4", "VGG3x2-v1"), CONV, [0.2, 0.1, 0.08, 0.06, 0.05]),
        CONTRADICTED: both("rate", ("VGG2x4", "VGG3x2-v1", "VGG7-conv"), CONV, [0.2, 0.1, 0.08, 0.06, 0.05])
        | both("rate", ("VGG7-conv",), CONV, [0.2, 0.1, 0.05, 0.02, 0.01]),  # a plain chain falls faster
    },
    "conv-multi-threshold": {
        SUPPORTED: shared(0.45, 0.45, 0.45),
        DIRECTION: shared(0.495, 0.45, 0.45),
        CONTRADICTED: shared(0.45, 0.45, 0.52),  # one of the three does as well
    },
    "conv-hybrid-unneeded": {SUPPORTED: {}, CONTRADICTED: acc("VGG7-conv", "converted-relu-2", 0.53)},
    "imagenet-conv-loss": {SUPPORTED: acc("VGG11x2", CONV, 0.49), CONTRADICTED: acc("VGG11x2", CONV, 0.45)},
    "imagenet-conv-ee": {
        SUPPORTED: both("ee", ("VGG11x2",), CONV, 20.0),
        DIRECTION: both("ee", ("VGG11x2",), CONV, 12.0),
        CONTRADICTED: both("ee", ("VGG11x2",), CONV, 9.0),
    },
    "imagenet-conv-T250": {
        verdict: acc("VGG16", CONV, value, 250) | acc("VGG11x2", CONV, value, 250)
        for verdict, value in ((SUPPORTED, 0.3), (DIRECTION, 0.49), (CONTRADICTED, 0.55))
    },
    "stdp-gap": {
        verdict: both("acc", STDP_NETS, "ann", value)
        for verdict, value in ((SUPPORTED, 0.8), (DIRECTION, 0.6), (CONTRADICTED, 0.45))
    },
    "stdp-deeper-worse": {
        SUPPORTED: acc("ResNet3", "stdp", 0.46),
        CONTRADICTED: acc("ResNet3", "stdp", 0.54),
    },
    "stdp-backres-better": {
        SUPPORTED: acc("ResNet2x2", "stdp", 0.54),
        CONTRADICTED: acc("ResNet2x2", "stdp", 0.46) | {("conv_ee", "ResNet2x2"): 10.0},
    },
    "stdp-few-samples": {NOT_TESTABLE: {}},
    "agd-loss": {SUPPORTED: both("acc", PAIR, "snn", 0.48), CONTRADICTED: both("acc", PAIR[:1], "snn", 0.44)},
    "agd-ee": {
        verdict: both("ee", PAIR, "snn", value)
        for verdict, value in ((SUPPORTED, 15.0), (DIRECTION, 40.0), (CONTRADICTED, 0.8))
    },
    "agd-vgg7-fails": {
        SUPPORTED: acc("VGG7-agd", "snn", 0.1),
        CONTRADICTED: acc("VGG3x4", "snn", 0.1),  # it trains where one that should train does not
        OPEN: {},
    },
    "agd-resnet7-hard": {SUPPORTED: {}, CONTRADICTED: acc("ResNet7", "snn", 0.55)},
    **{
        name: {
            SUPPORTED: {},
            CONTRADICTED: acc("VGG3x4", "snn", 0.12),
            NOT_TESTABLE: {("seen", "VGG3x4", "snn"): 0.4},
        }
        for name in ("agd-vgg3x4-trains", "real-depth-five")
    },
    "agd-vgg3x4-beats-ann": {SUPPORTED: acc("VGG3x4", "snn", 0.55), CONTRADICTED: acc("VGG3x4", "snn", 0.45)},
    "agd-backres-sparser": {  # unrolled passes against the plain layers at the same depths
        SUPPORTED: both("rate", ("VGG2x2", "VGG3x2-v2", "VGG3x4"), "snn", 0.05),
        CONTRADICTED: both("rate", ("VGG2x2",), "snn", 0.2),
    },
    "agd-vanishing": {
        SUPPORTED: both("rate", ("VGG7-agd",), "snn", [0.2, 0.15, 0.1, 0.08, 0.05, 0.02, 0.1]),
        DIRECTION: both("rate", ("VGG7-agd",), "snn", [0.2, 0.195, 0.19, 0.185, 0.18, 0.175, 0.1]),
        CONTRADICTED: both("rate", ("VGG7-agd",), "snn", [0.2, 0.1, 0.15, 0.12, 0.1, 0.05, 0.1]),
    },
    "agd-latency": {
        SUPPORTED: conv(0.2, 10) | conv(0.3, 100) | conv(0.47, 250) | early(0.2, 0.3, 0.45),
        DIRECTION: conv(0.2, 10) | conv(0.47, 100) | early(0.2, 0.3, 0.45),
        CONTRADICTED: early(0.2, 0.3, 0.4),
    },
    "stochmax-low-T": {SUPPORTED: acc("VGG3", STOCH, 0.53), CONTRADICTED: acc("VGG3", STOCH, 0.47, 10)},
    "stochmax-acc": {
        verdict: both("acc", PAIR, STOCH, value)
        for verdict, value in ((SUPPORTED, 0.53), (DIRECTION, 0.58), (CONTRADICTED, 0.47))
    },
    "stochmax-ee": {
        verdict: both("ee", PAIR, STOCH, value)
        for verdict, value in ((SUPPORTED, 18.0), (DIRECTION, 11.0), (CONTRADICTED, 9.0))
    },
    "stochmax-sparser": {
        SUPPORTED: both("rate", PAIR, STOCH, 0.05),
        CONTRADICTED: both("rate", PAIR, STOCH, [0.05, 0.05, 0.05, 0.05, 0.2]),
    },
    "stochmax-conv-stdp": {
        verdict: acc("VGG7-conv", "converted-stochmax", value) | stdp("fc-stochmax", value)
        for verdict, value in ((SUPPORTED, 0.515), (DIRECTION, 0.56), (CONTRADICTED, 0.47))
    },
    "hybrid-stdp-gap": {
        SUPPORTED: stdp("convnn", 0.48) | stdp("fc", 0.3),
        CONTRADICTED: stdp("convnn", 0.48) | stdp("fc", 0.49),  # the gap is small, and was smaller before
    },
    "hybrid-stdp-like-ann": {SUPPORTED: stdp("convnn", 0.49), CONTRADICTED: stdp("convnn", 0.4)},
    "hybrid-trains-deep": {
        SUPPORTED: acc("VGG9", "relu-0", 0.1),
        OPEN: {},  # it trains wholly spiking as well
        CONTRADICTED: acc("VGG9", "hybrid-softmax", 0.45),
    },
    "hybrid-beats-ann": {
        verdict: acc("VGG9", HYBRID, value)
        for verdict, value in ((SUPPORTED, 0.51), (DIRECTION, 0.55), (CONTRADICTED, 0.47))
    },
    "hybrid-ee": {
        verdict: both("ee", ("VGG9",), HYBRID, value)
        for verdict, value in ((SUPPORTED, 4.0), (DIRECTION, 2.0), (CONTRADICTED, 0.9))
    },
    "hybrid-backres-ee": {
        verdict: both("ee", ("VGG8x2",), HYBRID, value)
        for verdict, value in ((SUPPORTED, 12.0), (DIRECTION, 20.0), (CONTRADICTED, 9.0))
    },
    "hybrid-real-input": {
        SUPPORTED: acc("VGG9", "hybrid-rate", 0.47),
        CONTRADICTED: acc("VGG9", "hybrid-rate", 0.47) | {("energy", "VGG9", "hybrid-rate"): 200.0},
    },
    "hybrid-more-lif-hurts": {
        verdict: acc("VGG13", "hybrid-lif8", value)
        for verdict, value in ((SUPPORTED, 0.45), (DIRECTION, 0.49), (CONTRADICTED, 0.53))
    },
    "imagenet-hybrid-iso": {
        SUPPORTED: acc("VGG13", "hybrid", 0.49),
        CONTRADICTED: acc("VGG13", "hybrid", 0.45),
    },
    "backres-ee-range": {
        SUPPORTED: {},
        DIRECTION: both("ee", ("VGG3x4",), "snn", 4.0),
        CONTRADICTED: both("ee", ("VGG3x4",), "snn", 0.5),
    },
    "backres-energy-vs-deep": {
        verdict: both("energy", ("VGG7-conv",), CONV, value)
        for verdict, value in ((SUPPORTED, 200.0), (DIRECTION, 120.0), (CONTRADICTED, 90.0))
    },
    "backres-limit": {
        SUPPORTED: acc("VGG2x8", "ann", 0.4) | acc("VGG2x4c", "ann", 0.48),
        CONTRADICTED: acc("VGG2x8", "ann", 0.55),
    },
    "backres-channels": {SUPPORTED: {}, CONTRADICTED: acc("VGG2x4-wide-top", "ann", 0.45)},
    "backres-iso-accuracy": {SUPPORTED: {}, CONTRADICTED: acc("VGG3x2-v2", "snn", 0.45)},
    "backres-diverse-gradients": {SUPPORTED: {}, CONTRADICTED: both("cosine", ("VGG3x4",), "gradients", 0.9)},
    "binary-backres-stochmax": {
        SUPPORTED: both("acc", ("VGG3x2-v2", "VGG3x4"), "binary-stochmax", 0.55),
        CONTRADICTED: both("acc", ("VGG3x4",), "binary-stochmax", 0.45),
    },
}

#: Absolute accuracies, which only the paper's own scale can be asked for.
AT_FULL_SCALE: dict[str, dict[str, Changes]] = {
    "hybrid-stdp-acc": {SUPPORTED: stdp("convnn", 0.79), CONTRADICTED: stdp("convnn", 0.6)},
    "hybrid-stdp-80": {
        SUPPORTED: stdp("convnn", 0.8) | acc("VGG9", HYBRID, 0.85),
        CONTRADICTED: stdp("convnn", 0.6) | acc("VGG9", HYBRID, 0.85),
    },
    "hybrid-acc": {
        SUPPORTED: acc("VGG9", HYBRID, 0.85) | acc("VGG9", "ann-bn", 0.86),
        CONTRADICTED: acc("VGG9", HYBRID, 0.6) | acc("VGG9", "ann-bn", 0.86),
    },
}

#: What holds by arithmetic or by how a network was reconstructed, whatever the runs say.
CONSTRUCTED = {name for name, one in claims().items() if one.kind == "by-construction"}

NOISE = {
    "acc": 0.35,
    "ee": 0.6,
    "conv_ee": 0.6,
    "energy": 0.6,
    "rate": 0.9,
    "threshold": 0.6,
    "updates": 0.9,
    "cosine": 0.9,
}


#: Where scatter about the supporting world still shows something: worlds on the edge.
EDGE: dict[str, Changes] = {
    "agd-ee": both("ee", PAIR, "snn", 2.0),
    "backres-ee-range": both("ee", ("VGG3x4",), "snn", 1.5),
    "conv-monotone-T": {},
    "agd-vgg7-fails": both("acc", ("VGG7-agd",), "snn", 0.2) | both("acc", ("VGG5",), "snn", 0.9),
    "agd-vanishing": both("rate", ("VGG7-agd",), "snn", [0.2, 0.18, 0.16, 0.14, 0.13, 0.12, 0.1]),
    "hybrid-trains-deep": acc("VGG9", HYBRID, 0.3) | acc("VGG9", "relu-0", 0.2),
    "hybrid-ee": both("ee", ("VGG9",), HYBRID, 2.0),
    "backres-diverse-gradients": both("cosine", ("VGG3x4",), "gradients", 0.75),
    "agd-latency": early(0.2, 0.48, 0.5),
    "stochmax-sparser": {},
    "conv-threshold-grows": both("threshold", ("VGG2x4", "VGG3x2-v1"), CONV, [1.0, 3.0, 9.0, 27.0]),
    "agd-vgg3x4-trains": acc("VGG3x4", "snn", 0.3),
    "real-depth-five": acc("VGG3x4", "snn", 0.3),
}
