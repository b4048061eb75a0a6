"""Conversion on the ImageNet subset (section 8.1, Table 4)."""

from __future__ import annotations

from ..evidence import Case
from ..verdicts import above, around, at_least
from .conversion import CONVERTED, efficiency_ratio, longest
from .quantities import POINT, difference
from .registry import Finding, estimates

#: What weighs on every claim about ImageNet here.
SUBSET = "Judged on ten of ImageNet's classes, imagenette, at low resolution and small width."


@estimates("imagenet-conv-loss", tables=("4",))
def loss(case: Case) -> Finding:
    """Top-1 accuracy of the converted VGG11x2 minus that of the converted VGG16, each at the largest T."""
    return Finding(
        [difference(longest(case, "VGG11x2"), longest(case, "VGG16"), at_least(-1.5, POINT), baseline=True)],
        caveat=SUBSET,
    )


@estimates("imagenet-conv-ee", tables=("4",))
def ee(case: Case) -> Finding:
    """EE of VGG11x2 over that of VGG16 at the largest T, as in the article's table; beside it each at the smallest T within
    1 point of its accuracy at the largest."""
    expected = around(1.5, 2.7, "2 within a third: the text gives one digit")
    at_the_end = longest(case, "VGG11x2"), longest(case, "VGG16")
    at_own_steps = case.settled("VGG11x2", CONVERTED), case.settled("VGG16", CONVERTED)
    return Finding(
        [
            efficiency_ratio(case, one, two, expected, own_steps=own)
            for own, (one, two) in ((False, at_the_end), (True, at_own_steps))
        ],
        caveat=SUBSET,
    )


@estimates("imagenet-conv-T250", tables=("4",))
def early(case: Case) -> Finding:
    """Accuracy of VGG16 and VGG11x2 at the largest T minus that at T = 250."""
    expected = at_least(10, '"very low" is read as 10 points or more below what the same net reaches')
    return Finding(
        [
            difference(longest(case, name), case.series(name, CONVERTED, 250), expected, direction=above(0))
            for name in ("VGG16", "VGG11x2")
        ],
        caveat=SUBSET,
    )
