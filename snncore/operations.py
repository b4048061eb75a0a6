"""Number of operations of a network's pass, from its shapes and from the spikes that enter it (section 7, Eq. 8 and 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ._check import between

if TYPE_CHECKING:
    from .activity import SiteActivity
    from .topology import Pass


def macs(p: Pass) -> int:
    """Multiply-accumulates of one pass (Eq. 8): ``O^2 N k^2 M``; ``in * out`` for a dense layer."""
    if p.kind == "conv":
        _, height, width = p.out_shape
        return height * width * p.in_shape[0] * _fan_out(p)
    return math.prod(p.in_shape) * _fan_out(p)


def dense_count(p: Pass, activity: Mapping[str, SiteActivity]) -> float:
    """Accumulates per step triggered by the spikes that enter ``p``, as if each reached ``k^2 M`` neurons.

    This is Eq. 9 with the rate of the input, before pooling.

    Args:
        p: the pass.
        activity: by site.

    Raises:
        ValueError: the input is not spikes.
    """
    return _fan_out(p) * entering(p, activity)


def event_count(p: Pass, activity: Mapping[str, SiteActivity]) -> float | None:
    """Border-exact version of ``dense_count``: a spike at the border of a same-padded convolution reaches fewer positions.

    Args:
        p: the pass.
        activity: by site, with ``SiteActivity.positions`` for the input of a convolution.

    Returns:
        Accumulates per step; None if the positions were not recorded.
    """
    if p.kind == "dense":  # no border
        return dense_count(p, activity)
    _, height, width = p.in_shape
    rows, columns = _reach(height, p.kernel), _reach(width, p.kernel)
    reached = 0.0
    for name in p.sources:
        positions = spikes_of(name, activity).positions
        if positions is None:
            return None
        reached += sum(
            positions[i][j] * rows[i // p.pool] * columns[j // p.pool]
            for i in range(height * p.pool)
            for j in range(width * p.pool)
        )
    return p.out_shape[0] * reached


def _fan_out(p: Pass) -> int:
    """Number of neurons that one input spike reaches, away from the border."""
    return p.kernel**2 * p.out_shape[0] if p.kind == "conv" else math.prod(p.out_shape)


def entering(p: Pass, activity: Mapping[str, SiteActivity]) -> float:
    """Spikes per step that enter ``p``, counted before the average pool."""
    shapes = zip(p.sources, p.source_shapes, strict=True)
    return sum(spikes_of(name, activity).rate * math.prod(shape) for name, shape in shapes)


def _reach(size: int, kernel: int) -> list[int]:
    """Number of output positions along one axis that each of ``size`` inputs reaches under same padding."""
    half = kernel // 2
    return [min(i + half, size - 1) - max(i - half, 0) + 1 for i in range(size)]


def site_of(name: str, activity: Mapping[str, SiteActivity], argument: str = "activity") -> SiteActivity:
    """Activity of one site.

    Raises:
        ValueError: ``activity`` does not hold the site.
    """
    if name not in activity:
        known = ", ".join(activity) or "nothing"
        raise ValueError(f"{argument} must hold site {name!r}, got {known}")
    site = activity[name]
    between(f"{argument} of {name!r}: nonzero", site.nonzero, 0.0, 1.0)  # also refuses NaN
    if site.kind == "spikes":
        between(f"{argument} of {name!r}: rate", site.rate, 0.0, 1.0)
    return site


def spikes_of(name: str, activity: Mapping[str, SiteActivity]) -> SiteActivity:
    """Activity of one spiking site.

    Raises:
        ValueError: ``activity`` does not hold the site, or its values are not spikes.
    """
    site = site_of(name, activity)
    if site.kind != "spikes":
        raise ValueError(f"activity of {name!r} must be of kind 'spikes', got {site.kind!r}")
    # pixels repeated over time also have time steps but are not spikes; records hold only these two shares
    if not site.unit or not math.isclose(site.rate, site.nonzero, rel_tol=1e-3, abs_tol=1e-9):
        raise ValueError(
            f"activity of {name!r} must be spikes of size 1, got rate {site.rate:g} with a nonzero share of "
            f"{site.nonzero:g}: use static_input=True for real values"
        )
    return site
