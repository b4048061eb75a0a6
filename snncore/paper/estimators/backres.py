"""Backward residual connections in general (sections 2.1, 4 and 9.2; footnote 2; Figures 1 and 5)."""

from __future__ import annotations

from ..evidence import Case
from ..verdicts import Part, Range, at_least, at_most, below
from .quantities import SIMILAR, difference, untested
from .registry import Finding, estimates

RULES = ("drop", "top", "average")


@estimates("backres-limit", tables=("figure-1",))
def limit(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x8, one convolution computed 15 times, minus that of VGG16 with 16 convolutions; and that this loss
    exceeds the loss of VGG2x4 against VGG8, same images."""
    deep, plain_deep = case.series("VGG2x8", "ann"), case.series("VGG16c", "ann")
    flat, plain_flat = case.series("VGG2x4c", "ann"), case.series("VGG8c", "ann")
    loss = difference(deep, plain_deep, below(0), baseline=True)
    lesser = difference(flat, plain_flat, below(0), baseline=True, beside=True)
    both = tuple(seed for seed in loss.seeds if seed in lesser.seeds)
    grown = tuple(loss.values[loss.seeds.index(s)] - lesser.values[lesser.seeds.index(s)] for s in both)
    growth = Part(
        "how much the loss grows from 8 to 16 convolutions",
        "points",
        below(0),
        values=grown,
        seeds=both,
        missing=loss.missing + lesser.missing,
        keys=loss.keys + lesser.keys,
        void=loss.void or lesser.void,
    )
    return Finding([loss, growth, lesser])


@estimates("backres-channels", tables=("figure-1",))
def channels(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x4 with 64 input and 128 output channels under each of the three ways to match them, minus that of
    the plain VGG8."""
    plain = case.series("VGG8", "ann")
    expected = Range(-2, 2, SIMILAR)
    return Finding(
        [difference(case.series(f"VGG2x4-wide-{rule}", "ann"), plain, expected, baseline=True) for rule in RULES]
    )


@estimates("backres-iso-accuracy", tables=("8",))
def iso(case: Case) -> Finding:
    """Figure 1A against 1B inside Table 8's networks: VGG3x2-v2 computes one convolution twice where VGG5 has two, and
    nothing else differs. Accuracy of the one minus that of the other, as ANNs and as spiking networks."""
    planned = case.planned("VGG5", "snn")
    steps = planned[0] if planned else None
    expected = at_least(-2, SIMILAR)
    return Finding(
        [
            difference(case.series("VGG3x2-v2", role, T), case.series("VGG5", role, T), expected, baseline=True)
            for role, T in (("ann", None), ("snn", steps))
        ]
    )


@estimates("backres-diverse-gradients", tables=())
def diverse_gradients(case: Case) -> Finding:
    """Cosine between the gradients of the shared weights from different unrolling steps on the same images, in training."""
    expected = at_most(0.5, '"diversification" is read as a cosine of a half or less, 60 degrees apart')
    return Finding(
        [
            Part(
                "cosine between unrolling steps",
                "",
                expected,
                void=(
                    "no run of this profile keeps its gradients step by step; "
                    "chapter 7 shows them for quick runs, which judge nothing"
                ),
            )
        ]
    )


@estimates("binary-backres-stochmax", tables=())
def binary(case: Case) -> Finding:
    """Accuracy of a small binary ANN with BackRes connections and stochmax minus that of the plain one."""
    return Finding(
        [
            untested(
                "gain of a binary network",
                "points",
                "this library has ReLU, LIF and IF neurons and no binary ones; "
                "the article conjectures and does not test it, either",
            )
        ]
    )
