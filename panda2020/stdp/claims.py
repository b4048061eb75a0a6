"""Convolutions trained with STDP, under a fully connected classifier and under ConvNN (sections 4.3, 8.1, 8.3; Tables 6, 12)."""

from __future__ import annotations

from dataclasses import replace

from panda2020.claims.evidence import Case
from panda2020.claims.protocol import about, loss_up_to, near, no_loss, points, stated, stated_about
from panda2020.claims.quantities import (
    HYBRID,
    absolute,
    contrast,
    difference,
    first,
    ratio,
    value,
)
from panda2020.claims.ranges import above, below
from panda2020.claims.registry import Finding, estimates
from panda2020.samples import Series

NETS = ("ResNet2", "ResNet2x2", "ResNet3")

STATED = 5_000  # images without labels, "all SNNs requires only 5,000 instances"

TARGET = (
    "EE_Conv is shown, not judged: thresholds adapt to a target rate that the article does not state and that this book chose, "
    "and EE_Conv is little more than the price ratio over that rate times T."
)


def trained(case: Case, name: str, classifier: str = "fc", source: str = "learned") -> Series:
    """The STDP-trained network under a classifier."""
    return case.series(name, "stdp", view=f"{classifier}/{source}")


@estimates("stdp-gap", tables=("6",))
def gap(case: Case) -> Finding:
    """Accuracy of the ANN of the same topology, trained end to end, minus that of the STDP-trained network."""
    return Finding(
        [
            difference(case.series(name, "ann"), trained(case, name), stated(20), direction=above(0))
            for name in NETS
        ]
    )


@estimates("stdp-deeper-worse", tables=("6",))
def deeper_worse(case: Case) -> Finding:
    """Accuracy of the STDP-trained ResNet3 minus that of ResNet2."""
    return Finding([difference(trained(case, "ResNet3"), trained(case, "ResNet2"), direction=below(0))])


@estimates("stdp-backres-better", tables=("6",))
def backres_better(case: Case) -> Finding:
    """Accuracy of the STDP-trained ResNet2x2 minus that of ResNet2 and ResNet3, which is half of the sentence. Also
    shown, for the other half: EE_Conv of ResNet2x2 against its own ANN, and divided by that of the other two networks
    (two readings of the sentence).
    """
    one = trained(case, "ResNet2x2")
    others = [trained(case, name) for name in ("ResNet2", "ResNet3")]
    parts = [difference(one, other, direction=above(0)) for other in others]
    parts.append(
        value(
            one,
            lambda s: s.convolutions_efficiency(case.conditions),
            about(10),
            direction=above(1),
            beside=True,
            what=f"EE_Conv of {one.name}",
        )
    )
    for other in others:
        parts.append(
            ratio(
                one,
                other,
                lambda s: s.convolutions_efficiency(case.conditions),
                about(10),
                direction=above(1),
                beside=True,
                what=f"EE_Conv of {one.name} over that of {other.name}",
            )
        )
    return Finding(parts, caveat=TARGET)


@estimates("stdp-ee-conv-full", tables=("6",))
def conv_full(case: Case) -> Finding:
    """EE of the spiking convolutions alone divided by EE of the whole network with its ReLU classifier."""
    return Finding(
        [
            value(
                series,
                lambda s: s.convolutions_efficiency(case.conditions) / s.efficiency(case.conditions),
                direction=above(1),
                what=f"EE_Conv over EE_Full of {series.name}",
            )
            for series in (trained(case, name) for name in NETS)
        ],
        caveat="It follows from the counting as soon as EE_Conv exceeds 1, as the classifier is not spiking; and "
        "EE_Conv follows from "
        "the target rate that this book chose.",
    )


@estimates("stdp-few-samples", tables=("6", "6-samples"))
def few_samples(case: Case) -> Finding:
    """Accuracy of the STDP-trained ResNet2 on the profile's unlabelled images, 5,000 or fewer, minus that on twice as
    many. With fewer than 5,000 images the claim cannot be tested.
    """
    enough = trained(case, "ResNet2")
    more = case.series("ResNet2", "stdp-more", view="fc/learned")
    seen = sorted(
        {sample.record["spec"]["unlabelled"] for one in (enough, more) for sample in one.samples.values()}
    )
    caveat = (
        f"Unlabelled images here: {' and '.join(f'{count:,}' for count in seen)}." if len(seen) == 2 else ""
    )
    found = difference(enough, more, no_loss())
    if seen and seen[0] < STATED:
        found = replace(
            found,
            void=f"{seen[0]:,} images were used, and whether more would help says nothing about {STATED:,}",
        )
    return Finding([found], caveat=caveat)


@estimates("stdp-kn-updates", tables=("6",))
def updates(case: Case) -> Finding:
    """Weight updates of the last convolution of ResNet2x2 divided by those of ResNet2, whose last convolution runs once
    on the same images: the number n of unrolling steps, 2. stdp-backres-better judges whether the images are used better.
    """
    one, two = trained(case, "ResNet2x2"), trained(case, "ResNet2")
    return Finding(
        [
            ratio(
                one,
                two,
                lambda s: float(s.record.result["updates"]["conv2"]),
                about(2),
                direction=above(1),
                what="updates of Conv2 of ResNet2x2 over those of ResNet2",
            )
        ],
        caveat="It follows from the rule that maps are updated after every step in which they spike.",
    )


@estimates("hybrid-stdp-acc", tables=("12",))
def convnn(case: Case) -> Finding:
    """Accuracy of the STDP features under ConvNN, above 75 %."""
    return Finding([absolute(case, trained(case, name, "convnn"), stated_about(75)) for name in NETS])


@estimates("hybrid-stdp-80", tables=("12", "14"))
def convnn_80(case: Case) -> Finding:
    """Accuracy of the STDP features under ConvNN, about 80 %, and of the hybrid VGG9 trained end to end, about 85 %."""
    parts = [absolute(case, trained(case, name, "convnn"), points(80, 80)) for name in NETS]
    return Finding([*parts, absolute(case, first(case, "VGG9", HYBRID), points(85, 85))])


@estimates("hybrid-stdp-gap", tables=("6", "12"))
def convnn_gap(case: Case) -> Finding:
    """Accuracy of the STDP features with ConvNN minus that of the ANN with the ConvNN classifier, trained end to end; and
    how much larger that difference is than the same difference with the fully connected classifier.
    """
    parts = []
    for name in NETS:
        late = trained(case, name, "convnn"), case.series(name, "ann-convnn")
        early = trained(case, name), case.series(name, "ann")
        parts.append(difference(*late, loss_up_to(3)))
        parts.append(
            contrast(
                difference(*late, direction=above(0)),
                difference(*early, direction=above(0)),
                [(1, late[0]), (-1, late[1]), (-1, early[0]), (1, early[1])],
                above(0),
                what=f"loss to the ANN of {name} under FC1 and FC2 minus that under ConvNN",
            )
        )
    return Finding(parts)


@estimates("hybrid-stdp-like-ann", tables=("6", "12"))
def like_ann(case: Case) -> Finding:
    """Accuracy of the STDP features under ConvNN minus that of the ANN of Table 6, trained end to end."""
    return Finding(
        [difference(trained(case, name, "convnn"), case.series(name, "ann"), near()) for name in NETS]
    )
