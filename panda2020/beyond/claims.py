"""The claims of chapter 13 and how each is estimated."""

from __future__ import annotations

from panda2020.claims.evidence import Case
from panda2020.claims.quantities import difference
from panda2020.claims.ranges import above
from panda2020.claims.registry import Finding, estimates

BINARY_PAIRS = (("VGG3x2-v2", "VGG5"), ("VGG3x4", "VGG7-agd"))


@estimates("binary-backres-stochmax", tables=("9.2-binary",))
def binary(case: Case) -> Finding:
    """Accuracy of binary networks with BackRes and stochmax minus that of the plain ones with softmax, on the same
    images: VGG3x2-v2 against VGG5 and VGG3x4 against VGG7. Also shown: each modification alone.
    """
    both, alone = [], []
    for shared, plain in BINARY_PAIRS:
        base = case.series(plain, "binary")
        both.append(difference(case.series(shared, "binary-stochmax"), base, direction=above(0)))
        alone.append(difference(case.series(shared, "binary"), base, direction=above(0), beside=True))
        alone.append(difference(case.series(plain, "binary-stochmax"), base, direction=above(0), beside=True))
    return Finding(
        [*both, *alone],
        caveat="The article only conjectures it, and names no network. Ours have activations of 0 and 1 and no batch "
        "normalisation, as its spiking networks; XNOR-Net has -1 and +1, and normalises.",
    )
