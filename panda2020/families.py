"""Families of networks that share a seed variance, and the pooling over them (section 5 of the protocol)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from panda2020.networks import names
from panda2020.samples import Sample, Series
from panda2020.statistics import Pool, pooled, pooled_difference

#: Networks of one kind on one set of images: their seeds differ alike.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("VGG7-conv", "VGG2x4", "VGG3x2-v1"),
    ("VGG16", "VGG11x2"),
    ("VGG5", "VGG3x2-v2", "VGG7-agd", "VGG3x4", "VGG3", "VGG4", "VGG2x2", "ResNet7"),
    ("ResNet2", "ResNet2x2", "ResNet3"),
    ("VGG9", "VGG8x2"),
    ("VGG13",),
    ("VGG2x8", "VGG16c", "VGG2x4c", "VGG8c"),
    ("VGG8", "VGG2x4-wide-drop", "VGG2x4-wide-top", "VGG2x4-wide-top-fixed", "VGG2x4-wide-average"),
)

Value = Callable[[Sample], float]


def family(network: str) -> tuple[str, ...]:
    """The networks that share a seed variance with a network; only itself if it is in no family."""
    found = next((members for members in FAMILIES if network in members), (network,))
    return tuple(name for name in found if name in names())


def of_values(series: Series, of: Value, *, ratio: bool = False) -> Pool | None:
    """The seed variance of ``of`` one network, from its whole family in the same role and at the same T."""
    groups = [_values(runs, of, ratio).values() for runs in series.others().values()]
    return pooled([list(group) for group in groups], logarithmic=ratio)


def of_pair(first: Series, second: Series, of: Value, *, ratio: bool = False) -> Pool | None:
    """The seed variance of a difference (or ratio) of two networks with one seed.

    One topology in two roles, such as SNN minus ANN: pooled over the same difference of the family's other topologies. Two
    topologies in one role: from all topologies of the family, with seeds as blocks. Otherwise both sides are independent.
    """
    one, other = first.others(), second.others()
    if first.network == second.network:
        groups = []
        for network, runs in one.items():
            here, there = _values(runs, of, ratio), _values(other.get(network, {}), of, ratio)
            groups.append([here[seed] - there[seed] for seed in here if seed in there])
        return pooled(groups, logarithmic=ratio)
    if (first.role, first.view, family(first.network)) == (second.role, second.view, family(second.network)):
        rows = [group for runs in one.values() if len(group := _values(runs, of, ratio)) > 1]
        return pooled_difference(rows, logarithmic=ratio)
    sides = of_values(first, of, ratio=ratio), of_values(second, of, ratio=ratio)
    return independent(*sides)


def independent(first: Pool | None, second: Pool | None) -> Pool | None:
    """The deviation of the difference of two independent values, with Welch and Satterthwaite's degrees of freedom."""
    if first is None or second is None:
        return None
    a, b = first.deviation**2, second.deviation**2
    spread = a * a / first.freedom + b * b / second.freedom
    freedom = int((a + b) ** 2 / spread) if spread else min(first.freedom, second.freedom)
    return Pool(math.sqrt(a + b), max(1, freedom), first.networks + second.networks, first.logarithmic)


def _values(runs: Mapping[int, Sample], of: Value, ratio: bool) -> dict[int, float]:
    """Values by seed, without networks at chance, whose variance differs; for a ratio, logarithms."""
    found = {seed: of(sample) for seed, sample in runs.items() if not sample.at_chance}
    found = {seed: value for seed, value in found.items() if math.isfinite(value)}
    if ratio:
        return {seed: math.log(value) for seed, value in found.items() if value > 0}
    return found
