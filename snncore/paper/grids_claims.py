"""Runs that no table of the article shows and one of its sentences needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..network import as_ann, scale_width
from ..runs import Entry
from ..runs.tasks import convert, stdp, train
from . import networks
from .grids_conversion import CIFAR, cifar_ann
from .grids_stdp import SCALES, stdp_spec
from .profiles import profile
from .repeats import repeated

FIGURE_1 = ("VGG8", "VGG2x4-wide-drop", "VGG2x4-wide-top", "VGG2x4-wide-average", "VGG16c", "VGG2x8", "VGG8c", "VGG2x4c")


@repeated
def figure1(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """ANNs beside Figure 1: three ways to match channels against VGG8 (section 4), and how far unrolling goes (footnote 2)."""
    p = profile(profile_name)
    return [
        Entry(
            train.Spec(
                scale_width(as_ann(networks.network(name).topology), p.width), p.alone.drawn(seed),
                p.alone.network, p.input("real"), p.alone.training, seed,
            ),
            name, "ann", p.name, ("figure-1",),
        )
        for seed in seeds or p.seeds
        for name in names or FIGURE_1
    ]


@repeated
def stochmax_converted(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """VGG7 trained with stochmax, then converted as in Table 2 (section 8.2)."""
    p = profile(profile_name)
    scale, net = CIFAR[p.name], networks.network("VGG7-conv")
    found = []
    for seed in seeds or p.seeds:
        ann = cifar_ann(p, net, seed)
        ann = replace(ann, network=replace(ann.network, head="stochmax"))
        spec = convert.Spec(ann, scale.conversion, scale.steps, scale.test)
        found.append(Entry(spec, net.name, "converted-stochmax", p.name, ("2-stochmax",)))
    return found


@repeated
def stdp_samples(profile_name: str, *, seeds: Sequence[int] | None = None) -> list[Entry]:
    """ResNet2 as in Table 6, its kernels trained on twice as many unlabelled images (section 8.1: 5,000 are enough)."""
    p = profile(profile_name)
    scale = SCALES[p.name]
    found = []
    for seed in seeds or p.seeds:
        spec: stdp.Spec = stdp_spec(p, "ResNet2", seed)
        more = min(2 * scale.unlabelled, scale.train)
        spec = replace(spec, unlabelled=more, classifiers=spec.classifiers[:1], controls=(), snapshots=())
        found.append(Entry(spec, "ResNet2", "stdp-more", p.name, ("6-samples",)))
    return found
