"""The evaluation protocol, version 1, in numbers: the only place that defines its tolerances and limits.

``book/protocol.md`` has it in words. It was written before any run that it judges, and changes only as a new version.
Estimators take every range from the functions here, and signs of differences from ``ranges.above`` and ``ranges.below``.
"""

from __future__ import annotations

from panda2020.runs.provenance import PROTOCOL_VERSION as PROTOCOL_VERSION

from .ranges import Range, above, around, at_least, at_most, below

#: "~x" as a factor: from x / FACTOR to FACTOR x.
FACTOR = 1.33

#: "~1 - 2 %" in points of accuracy: the range widened by as many points at both ends.
WIDENED = 1.0

#: "near", "iso", "similar", "minimal loss", "almost zero": within as many points.
NEAR = 2.0

#: "fails": a test accuracy below, in percent, with ten classes.
FAILS = 20.0

#: "trains": a test accuracy as many points above chance, and a training accuracy above, in percent.
ABOVE_CHANCE, SEEN = 20.0, 50.0

#: A network has learnt if its training accuracy at the kept epoch is at least ``LEARNT_SHARE``, or if its best validation epoch
#: comes before the last ``LAST_SHARE`` of the schedule.
LEARNT_SHARE, LAST_SHARE = 0.8, 0.1

#: An efficiency is read where the accuracy is ``EE_LOSS`` below the last one, a latency where it is ``NEAR`` points below.
EE_LOSS = 0.01

#: Doubts: training minus test accuracy; spikes per neuron and step, "0" being less than one in a thousand; distance of rho from
#: 0, 1/2 and 1.
OVERFITTED, SILENT, SATURATED, RHO = 0.30, 0.001, 0.5, 0.02

#: Resamples of the test images (bootstrap).
RESAMPLES = 1000


def about(value: float) -> Range:
    """ "~x", a factor."""
    return factors(value, value)


def factors(low: float, high: float) -> Range:
    """ "~1.8 - 3.5x", a range of factors."""
    what = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return around(low / FACTOR, high * FACTOR, f"{what}, within a factor of {FACTOR:g}")


def points(low: float, high: float) -> Range:
    """ "~1 - 2 %", points of accuracy or an accuracy in percent."""
    what = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return around(low - WIDENED, high + WIDENED, f"{what}, widened by {WIDENED:g} point at both ends")


def loss_up_to(most: float) -> Range:
    """ "loss ~2 - 3 %", of a difference that is negative where there is a loss: only its upper end, as less loss is no
    contradiction."""
    return at_least(
        -(most + WIDENED), f"a loss of up to {most:g}, widened by {WIDENED:g} point; a smaller loss agrees"
    )


def near() -> Range:
    """ "near", "iso", "similar", "almost zero", of a difference in points."""
    return around(-NEAR, NEAR, f"within {NEAR:g} points either way")


def no_gain() -> Range:
    """Nothing is added: a difference in points that is at most near 0."""
    return at_most(NEAR, f"no gain beyond {NEAR:g} points, within which accuracies are near each other")


def no_loss() -> Range:
    """Nothing is lost: a difference in points that is at least near 0."""
    return at_least(-NEAR, f"no loss beyond {NEAR:g} points, within which accuracies are near each other")


def large_gain() -> Range:
    """ "large", "considerable", "necessitates" without a number: a difference in points that is not near 0."""
    return above(NEAR, f"a word of size without a number: beyond {NEAR:g} points, within which is near")


def large_loss() -> Range:
    """The same of a difference that is negative where there is a loss."""
    return below(-NEAR, f"a word of size without a number: beyond {NEAR:g} points, within which is near")


def large_factor() -> Range:
    """ "significant" without a number: a factor beyond the tolerance of factors."""
    return above(FACTOR, f"a word of size without a number: beyond the factor of {FACTOR:g}")


def small_share() -> Range:
    """ "drastically", "diverse" without a number: what is left is below one by more than the tolerance of factors."""
    return below(
        1 / FACTOR, f"a word of size without a number: below one by more than a factor of {FACTOR:g}"
    )


def slight_factor() -> Range:
    """ "slightly higher": a factor within the tolerance of factors."""
    return at_most(FACTOR, f"slight: within a factor of {FACTOR:g}")


def same() -> Range:
    """ "unaffected", "nearly-same", of a ratio."""
    return around(1 / FACTOR, FACTOR, f"the same: within a factor of {FACTOR:g}")


def stated(low: float) -> Range:
    """A bound that the text states without a tilde, such as ">20%"."""
    return at_least(low, f"the text states {low:g} as a bound, which needs no tolerance")


def stated_about(low: float) -> Range:
    """A bound with a tilde, such as "~>75%"."""
    return at_least(low - WIDENED, f"above {low:g}, widened by {WIDENED:g} point")


def fails() -> Range:
    """ "fails to train", of a test accuracy in percent."""
    return below(FAILS, f"fails: below {FAILS:g} %; a network that tells one class of ten apart has as much")


def trains(chance: float) -> Range:
    """ "trains well", of a test accuracy in percent. chance: the accuracy of guessing, a share."""
    return at_least(100 * chance + ABOVE_CHANCE, f"trains: {ABOVE_CHANCE:g} points or more above chance")


def trains_on_seen() -> Range:
    """ "trains well", of the training accuracy in percent."""
    return above(SEEN, f"trains: a training accuracy above {SEEN:g} %")
