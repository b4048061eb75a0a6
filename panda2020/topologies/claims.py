"""Backward residual connections in general (sections 2.1, 4 and 9.2; footnote 2; Figures 1 and 5)."""

from __future__ import annotations

from panda2020.claims.evidence import Case
from panda2020.claims.protocol import near
from panda2020.claims.quantities import contrast, difference
from panda2020.claims.ranges import below
from panda2020.claims.registry import Finding, estimates

RULES = ("drop", "top", "average")

FIXED = "top-fixed"  # "top" with fixed channels, not chosen per image


@estimates("backres-limit", tables=("figure-1",))
def limit(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x8, one convolution computed 15 times, minus that of VGG16 with 16 convolutions; and that this loss
    exceeds the loss of VGG2x4 against VGG8, same images."""
    series = [case.series(name, "ann") for name in ("VGG2x8", "VGG16c", "VGG2x4c", "VGG8c")]
    deep, plain_deep, flat, plain_flat = series
    loss = difference(deep, plain_deep, direction=below(0))
    lesser = difference(flat, plain_flat, direction=below(0), beside=True)
    terms = list(zip((1, -1, -1, 1), series, strict=True))
    growth = contrast(loss, lesser, terms, below(0), what="how much the loss grows from 8 to 16 convolutions")
    return Finding([loss, growth, lesser])


@estimates("backres-channels", tables=("figure-1", "figure-1-longer"))
def channels(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x4 with 64 input and 128 output channels under each of the article's three ways to match
    them, minus that of the plain VGG8. Also shown: "top" with the same channels for all images, and "top" and VGG8
    with twice the epochs.
    """
    plain = case.series("VGG8", "ann")
    return Finding(
        [
            difference(case.series(f"VGG2x4-wide-{rule}", "ann"), plain, near(), beside=rule == FIXED)
            for rule in (*RULES, FIXED)
        ]
        + [
            difference(
                case.series("VGG2x4-wide-top", "ann-longer"),
                case.series("VGG8", "ann-longer"),
                near(),
                beside=True,
            )
        ],
        caveat="The article does not say whether 'top' chooses its channels image by image, so that a weight meets other "
        "channels in other images, or once and for all; a verdict based on 'top' depends on that.",
    )
