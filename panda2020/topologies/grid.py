"""panda2020/topologies/grid.py."""

from __future__ import annotations

from collections.abc import Sequence

from panda2020 import networks
from panda2020.planning import repeated
from panda2020.profiles import profile
from panda2020.runs import Entry
from panda2020.tasks import train
from snncore.topology import as_ann, scale_width

FIGURE_1 = (
    "VGG8",
    "VGG2x4-wide-drop",
    "VGG2x4-wide-top",
    "VGG2x4-wide-average",
    "VGG16c",
    "VGG2x8",
    "VGG8c",
    "VGG2x4c",
)


@repeated
def figure1(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """ANNs beside Figure 1: three ways to match channels against VGG8 (section 4), and how far unrolling goes (footnote 2)."""
    p = profile(profile_name)
    return [
        Entry(
            train.Spec(
                scale_width(as_ann(networks.network(name).topology), p.width),
                p.alone.data_for(seed),
                p.alone.network,
                p.input("real"),
                p.alone.training,
                seed,
            ),
            name,
            "ann",
            p.name,
            ("figure-1",),
        )
        for seed in seeds or p.seeds
        for name in names or FIGURE_1
    ]
