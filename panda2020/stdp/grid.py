"""The runs behind the STDP chapters. Tables 6 and 12 share one STDP run per network, with both classifiers.

Roles: "stdp"; "ann", the same topology with the fully connected classifier, all ReLU, trained end to end (Table 6); and
"ann-convnn" with the ConvNN classifier (Table 12). ANNs and classifiers have the same recipe, epochs and images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from panda2020 import networks
from panda2020.planning import Place, grid
from panda2020.profiles import STDP_SCALES, Profile
from panda2020.runs import Entry
from panda2020.tasks import stdp, train
from snncore.stdp import StdpConfig
from snncore.topology import as_ann, scale_width

NETWORKS = ("ResNet2", "ResNet3", "ResNet2x2")

CLASSIFIERS = {"6": "fc", "12": "convnn"}  # table -> the classifier it shows

BASELINES = {"6": "ann", "12": "ann-convnn"}  # table -> role of its ANNs


def target(maps: int) -> float:
    """Target rate, in spikes per neuron and step, of a layer with ``maps`` maps.

    The default if it is at most 60 % of the rate that competition leaves each map, 1/M; otherwise half of 1/M, which is 1/72
    for the paper's 36 maps.
    """
    return StdpConfig.target if StdpConfig.target * maps <= 0.6 else 0.5 / maps


def stdp_spec(p: Profile, name: str, seed: int) -> stdp.Spec:
    """STDP on one network of Table 7, and both classifiers on its features."""
    scale = STDP_SCALES[p.name]
    text = scale_width(networks.network(name).topology, scale.width)
    convolutions, _, dense = text.partition(" M ")
    fc, convnn = dense.replace(":relu", ""), scale_width(networks.network("ConvNN").topology, scale.width)
    tops = (
        ("fc", fc, p.ann_network),
        ("convnn", convnn, p.ann_network),
        ("fc-stochmax", fc, replace(p.ann_network, head="stochmax")),  # section 8.2, on the same features
    )
    max_maps = max(int(maps) for maps in re.findall(r"(\d+)C", convolutions))
    recipe = replace(p.alone, augment=False)  # features are computed once
    return stdp.Spec(
        convolutions,
        scale.data_for(p, seed),
        StdpConfig(steps=scale.steps, settle=scale.settle, target=target(max_maps)),
        tuple(stdp.Classifier(kind, top, network, recipe) for kind, top, network in tops),
        unlabelled=scale.unlabelled,
        snapshots=scale.snapshots,
        seed=seed,
    )


def both(at: Place) -> Iterator[Entry]:
    """The ANN with this table's classifier, and the STDP run that all tables share."""
    spec = stdp_spec(at.p, at.name, at.seed)
    top = next(c for c in spec.classifiers if c.name == CLASSIFIERS[at.table])
    network, code = at.p.ann_network, at.p.input("real")
    ann = train.Spec(as_ann(spec.topology(top)), spec.data, network, code, top.training, at.seed)
    yield at.entry(ann, BASELINES[at.table])
    yield at.entry(spec, "stdp")


@grid("6", networks=NETWORKS)
def table6(at: Place) -> Iterator[Entry]:
    """Table 6: STDP features with FC1 and FC2 as classifier, and the ANNs of the same topology."""
    yield from both(at)


@grid("12", networks=NETWORKS)
def table12(at: Place) -> Iterator[Entry]:
    """Table 12: the same STDP features with ConvNN as classifier, and the ANNs of the same topology."""
    yield from both(at)


@grid("6-samples", networks=("ResNet2",))
def stdp_samples(at: Place) -> Iterator[Entry]:
    """ResNet2 as in Table 6, its kernels trained on twice as many unlabelled images (section 8.1: 5,000 are enough)."""
    scale, spec = STDP_SCALES[at.p.name], stdp_spec(at.p, at.name, at.seed)
    more = min(2 * scale.unlabelled, scale.train)
    spec = replace(spec, unlabelled=more, classifiers=spec.classifiers[:1], controls=(), snapshots=())
    yield at.entry(spec, "stdp-more")
