"""Which comparisons count (section 4 of the protocol).

A comparison of a spiking network with an ANN, or of a regulariser (stochmax) with none, counts only if both sides have
learnt. A gap between networks that are still far from fitting their training images is one of speed, and a regulariser has
nothing to improve there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from panda2020.samples import Sample, Series

from .protocol import LAST_SHARE, LEARNT_SHARE


def own_result(sample: Sample) -> Mapping[str, Any]:
    """The part of a result with its learning curve. An STDP run has one per classifier; its own has no accuracy."""
    return sample.measured if sample.record["task"] == "stdp" else sample.record.result


def validation(sample: Sample) -> list[float]:
    """Validation accuracy after every epoch; for a conversion, that of its ANN."""
    curve = own_result(sample).get("curve", ())
    return [
        float(epoch["validation_accuracy"])
        for epoch in curve
        if isinstance(epoch, Mapping) and "validation_accuracy" in epoch
    ]


def kept_epoch(sample: Sample) -> int | None:
    """The epoch, from 1, whose weights were kept: the best on validation images, or the last in records older than that rule."""
    kept = own_result(sample).get("kept_epoch")
    return int(kept) if kept is not None else len(validation(sample)) or None


def seen_accuracy(sample: Sample) -> float | None:
    """Accuracy on training images at the kept epoch; None if it is unknown."""
    own = own_result(sample)
    if "train_accuracy" in own:
        return float(own["train_accuracy"])
    kept = kept_epoch(sample)
    epoch = own["curve"][kept - 1] if kept else {}
    return float(epoch["train_accuracy"]) if "train_accuracy" in epoch else None


def best_epoch(sample: Sample) -> int | None:
    """The first epoch, from 1, with the best validation accuracy."""
    course = validation(sample)
    return 1 + course.index(max(course)) if course else None


def has_learnt(sample: Sample) -> bool:
    """Whether a network has learnt as much as it can at its scale.

    That is a training accuracy of at least ``LEARNT_SHARE``, or a best validation epoch before the last ``LAST_SHARE`` of the
    schedule. A record with neither has not learnt.
    """
    seen, best = seen_accuracy(sample), best_epoch(sample)
    early = best is not None and best <= (1 - LAST_SHARE) * len(validation(sample)) + 1e-9
    return early or (seen is not None and seen >= LEARNT_SHARE)


def is_ann(series: Series) -> bool:
    """Whether a series consists of ReLU networks."""
    return series.role.startswith("ann") or series.view.startswith("ann")


def is_regularised(series: Series) -> bool:
    """Whether its classifier is stochmax."""
    return any(sample.stochmax for sample in series.samples.values())


def must_have_learnt(first: Series, second: Series) -> bool:
    """Whether a comparison is between a spiking network and an ANN, or between stochmax and softmax."""
    return is_ann(first) != is_ann(second) or is_regularised(first) != is_regularised(second)


def refusal(*series: Series, seeds: Iterable[int]) -> str:
    """The reason why a comparison does not count: the networks that have not learnt, in words; "" if all have.

    One run that has not learnt is enough: all seeds of a comparison decide, or none.
    """
    seeds = tuple(seeds)
    said = []
    for one in series:
        short = [one.samples[s] for s in seeds if s in one.samples and not has_learnt(one.samples[s])]
        if short:
            said.append(
                f"{one.name} has not learnt in {len(short)} of {len(seeds)} runs ({_how_far(short[0])})"
            )
    return "; ".join(dict.fromkeys(said))


def _how_far(sample: Sample) -> str:
    seen, best, epochs = seen_accuracy(sample), best_epoch(sample), len(validation(sample))
    parts = [] if seen is None else [f"{100 * seen:.0f} % of training images"]
    parts += [] if best is None else [f"best validation epoch {best} of {epochs}"]
    return ", ".join(parts) or "its training accuracy is not recorded"
