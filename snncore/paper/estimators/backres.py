"""Backward residual connections in general (sections 2.1, 4 and 9.2; footnote 2; Figures 1 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...gradients import Split
from ..evidence import LEARNT, Case, Sample, Series
from ..grids_beyond import FOLLOWED
from ..verdicts import Part, Range, above, at_least, at_most, below
from .quantities import SIMILAR, contrast, difference
from .registry import Finding, estimates

RULES = ("drop", "top", "average")
BINARY_PAIRS = (("VGG3x2-v2", "VGG5"), ("VGG3x4", "VGG7-agd"))


@estimates("backres-limit", tables=("figure-1",))
def limit(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x8, one convolution computed 15 times, minus that of VGG16 with 16 convolutions; and that this loss
    exceeds the loss of VGG2x4 against VGG8, same images."""
    series = [case.series(name, "ann") for name in ("VGG2x8", "VGG16c", "VGG2x4c", "VGG8c")]
    deep, plain_deep, flat, plain_flat = series
    loss = difference(deep, plain_deep, below(0), baseline=True)
    lesser = difference(flat, plain_flat, below(0), baseline=True, beside=True)
    terms = list(zip((1, -1, -1, 1), series, strict=True))
    growth = contrast(loss, lesser, terms, below(0), what="how much the loss grows from 8 to 16 convolutions")
    return Finding([loss, growth, lesser])


@estimates("backres-channels", tables=("figure-1",))
def channels(case: Case) -> Finding:
    """Accuracy of the ANN VGG2x4 with 64 input and 128 output channels under each of the three ways to match them, minus that of
    the plain VGG8."""
    plain = case.series("VGG8", "ann")
    expected = Range(-2, 2, SIMILAR)
    return Finding(
        [difference(case.series(f"VGG2x4-wide-{rule}", "ann"), plain, expected, baseline=True) for rule in RULES],
        caveat="The article does not say whether 'top' chooses its channels image by image, as here, so that a weight meets "
        "other channels in other images, or once and for all; a verdict based on 'top' depends on that.",
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


@estimates("backres-diverse-gradients", tables=("figure-5",))
def diverse_gradients(case: Case) -> Finding:
    """Gradients of the shared weights in the spiking VGG3x2-v2 and VGG3x4 of Table 8, after the first epochs of training: mean
    cosine between different unrolling steps on the same images; and, as single batches are noisy, how much more alike one step is
    to itself on other images than to the other steps there."""
    parts = []
    for name in FOLLOWED:
        series = case.series(name, "gradients")
        parts.append(
            _gradients(
                series, f"cosine between unrolling steps, {series.name}", _between_steps,
                at_most(0.5, '"diversification" is read as a cosine of a half or less, 60 degrees apart'),
            )
        )
        parts.append(
            _gradients(
                series, f"cosine of a step with itself on other images minus that with other steps there, {series.name}",
                _own_direction, above(0, "a step has a direction of its own where the difference is positive at all"),
            )
        )
    return Finding(parts)


def _gradients(series: Series, what: str, of: Callable[[Split], float], expected: Range) -> Part:
    """``of`` the gradients at the last stage, mean over shared layers, without the seeds that have not learnt by then (the noise
    of a dead network is diverse) and those where a step has no gradient at all."""
    part = Part(what, "", expected, keys=series.keys)
    if not series.samples:
        return replace(part, missing=(series.missing,))
    found = {
        seed: [Split.from_json(split) for split in sample.measured["stages"][-1]["layers"].values()]
        for seed, sample in series.samples.items()
    }
    learnt = {seed for seed, sample in series.samples.items() if _early_accuracy(sample) > sample.chance + LEARNT}
    if not learnt:
        return replace(part, void="at chance after these epochs, in every run")
    left = {seed: found[seed] for seed in found if seed in learnt and all((split.norms > 0).all() for split in found[seed])}
    if not left:
        return replace(part, void="some unrolling step gets no gradient at all, in every run")
    gone = ", ".join(str(seed) for seed in found if seed not in left)
    return replace(
        part,
        seeds=tuple(left),
        values=tuple(sum(map(of, splits)) / len(splits) for splits in left.values()),
        note=f"Excluded, as at chance or without a gradient at some unrolling step: seeds {gone}." if gone else "",
    )


def _early_accuracy(sample: Sample) -> float:
    """On validation images, when the gradients were taken last."""
    return float(sample.measured["curve"][-1]["validation_accuracy"])


def _between_steps(split: Split) -> float:
    return float(split.off_diagonal.mean())


def _own_direction(split: Split) -> float:
    steps = len(split.between)
    own = float(split.between.diagonal().mean())
    return own - (float(split.between.sum()) - steps * own) / (steps * (steps - 1))


@estimates("binary-backres-stochmax", tables=("9.2-binary",))
def binary(case: Case) -> Finding:
    """Accuracy of binary networks with BackRes and stochmax minus that of the plain ones with softmax, same images: VGG3x2-v2
    against VGG5 and VGG3x4 against VGG7. Beside it, each modification alone."""
    both, alone = [], []
    for shared, plain in BINARY_PAIRS:
        base = case.series(plain, "binary")
        both.append(difference(case.series(shared, "binary-stochmax"), base, above(0)))
        alone.append(difference(case.series(shared, "binary"), base, above(0), beside=True))
        alone.append(difference(case.series(plain, "binary-stochmax"), base, above(0), beside=True))
    return Finding(
        [*both, *alone],
        caveat="The article only conjectures it, and names no network. Ours have activations of 0 and 1 and no batch "
        "normalisation, as its spiking networks; XNOR-Net has -1 and +1, and normalises.",
    )
