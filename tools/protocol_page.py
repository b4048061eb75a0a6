"""The generated parts of ``book/protocol.md``: statements, verdicts, tolerances, limits, profiles.

Every number of the protocol is defined once, in ``panda2020.claims.protocol``, ``panda2020.profiles`` or ``claims.yml``.
"""

from __future__ import annotations

from collections.abc import Mapping

from panda2020.claims import protocol
from panda2020.claims.claims import BY_CONSTRUCTION, GROUPS, claims, counted
from panda2020.claims.ranges import Range
from panda2020.claims.verdicts import SIGNS, VERDICTS
from panda2020.exhibits.numbers import number
from panda2020.profiles import CIFAR_CONVERSION, IMAGENET_CONVERSION, PROFILES, STDP_SCALES
from panda2020.records import share_of_width
from panda2020.statistics import CONFIDENCE

#: Verdict -> its condition, in the order of ``VERDICTS``.
WHEN: Mapping[str, str] = {
    "supported": "the direction is shown, and the size is as stated, as far as the sentence gives them",
    "direction only": "the direction is shown, and the size is another or open",
    "contradicted": "the opposite direction is shown; or, for a size without a direction, the whole interval lies outside",
    "open": "anything else",
    "not testable": "section 4 refuses the comparison, or the scale cannot be asked",
    "not recorded": "a run that the quantity needs is missing, be it one seed of those planned",
    "by construction": "section 1",
}


def statements() -> str:
    """The central groups, the statements counted once, and those that hold by construction."""
    every = claims()
    rows = ["| | statement | claims |", "|---|---|---|"]
    for group, text in GROUPS.items():
        names = ", ".join(f"`{name}`" for name, one in every.items() if one.group == group)
        rows.append(f"| {group} | {text} | {names} |")
    same = "; ".join(f"`{name}` is `{one.same_as}`" for name, one in every.items() if one.same_as)
    built = ", ".join(f"`{name}`" for name, one in every.items() if one.kind == BY_CONSTRUCTION)
    rows += [
        "",
        f"The other empirical statements are *secondary*. Statements that are one are counted once: {same}.",
        "",
        f"*By construction* hold, or fail: {built}. They are arithmetic, or follow from how a network was reconstructed. They "
        f"stand in the ledger, outside its counts. So of {len(every)} claims {len(counted())} are counted.",
    ]
    return "\n".join(rows) + "\n"


def verdicts() -> str:
    """When each verdict is given."""
    rows = ["| verdict | when |", "|---|---|"]
    rows += [f"| {SIGNS[verdict]} {verdict} | {WHEN[verdict]} |" for verdict in VERDICTS]
    return "\n".join(rows) + "\n"


def tolerances() -> str:
    """The accepted ranges for the article's words, by example if a number is needed."""

    def cell(found: Range, unit: str = "") -> str:
        return f"{found}{unit}"

    examples: tuple[tuple[str, str], ...] = (
        ("a factor, “~4x”", cell(protocol.about(4))),
        ("a range of factors, “~1.8 - 3.5x”", cell(protocol.factors(1.8, 3.5))),
        ("points of accuracy, “~1 - 2 %”", cell(protocol.points(1, 2), " points")),
        ("a loss in points, “minimal loss (~2 - 3 %)”", cell(protocol.loss_up_to(3), " points")),
        ("“near”, “iso”, “similar”, “almost zero”", cell(protocol.near(), " points")),
        ("nothing is added", cell(protocol.no_gain(), " points")),
        ("“large”, “considerable”, “necessitates”, without a number", cell(protocol.large_gain(), " points")),
        ("“significant”, of a factor, without a number", cell(protocol.large_factor())),
        ("“drastically” less, “diverse”, without a number", cell(protocol.small_share())),
        ("“slightly” higher, of a factor", f"above 1, and {protocol.slight_factor()}"),
        ("“unaffected”, “nearly-same”, of a factor", cell(protocol.same())),
        ("“fails”", f"{protocol.fails()} % accuracy"),
        (
            "“trains”, of ten classes",
            f"{protocol.trains(0.1)} % accuracy, and {protocol.trains_on_seen()} % on training images",
        ),
    )
    rows = ["| the article says | accepted |", "|---|---|", *(f"| {a} | {b} |" for a, b in examples)]
    return "\n".join(rows) + "\n"


def limits() -> str:
    """The limits of admissibility and of the doubts, and how intervals are formed."""
    p = protocol
    rows = [
        f"*Learnt*: at least {100 * p.LEARNT_SHARE:g} % of training images right at the kept epoch, or a best validation epoch "
        f"before the last {100 * p.LAST_SHARE:g} % of the schedule.",
        f"*Overfitted*: more than {100 * p.OVERFITTED:g} points between training and test accuracy.",
        f"*Silent, saturated*: a layer with fewer than {p.SILENT:g} or more than {p.SATURATED:g} spikes per neuron and step.",
        f"*Stochmax has not learnt*: rho of the other classes within {p.RHO:g} of 0, 1/2 or 1.",
        f"Intervals hold {100 * CONFIDENCE:g} %. An efficiency is read where the accuracy is {100 * p.EE_LOSS:g} point below the "
        f"last one, and {number(p.RESAMPLES)} resamples of the test images hold that choice.",
    ]
    return "".join(f"- {row}\n" for row in rows)


def profiles() -> str:
    """The scales of this version: images, width, epochs."""
    names = [name for name in PROFILES if name != "quick"]
    rows: list[tuple[str, list[str]]] = [
        (
            "CIFAR-10: training, validation, test images",
            [
                f"{PROFILES[n].data.train:,}, {PROFILES[n].data.validation:,}, {PROFILES[n].data.test:,}"
                for n in names
            ],
        ),
        ("width of the networks", [share_of_width(PROFILES[name].width) for name in names]),
        ("epochs, batch", [f"{PROFILES[n].snn.epochs}, {PROFILES[n].snn.batch_size}" for n in names]),
        ("seeds of central networks", [str(len(PROFILES[name].seeds)) for name in names]),
        (
            "conversions: images and steps for thresholds",
            [
                f"{CIFAR_CONVERSION[n].conversion.images:,}, {CIFAR_CONVERSION[n].conversion.steps:,}"
                for n in names
            ],
        ),
        (
            "conversions: test images, largest T",
            [f"{CIFAR_CONVERSION[n].test:,}, {CIFAR_CONVERSION[n].steps[-1]:,}" for n in names],
        ),
        (
            "STDP: width, unlabelled and labelled images",
            [
                f"{share_of_width(STDP_SCALES[n].width)}, {STDP_SCALES[n].unlabelled:,}, {STDP_SCALES[n].train:,}"
                for n in names
            ],
        ),
        (
            "ImageNet classes: pixels, training and test images, width",
            [
                f"{PROFILES[n].imagenet.size}, {PROFILES[n].imagenet.train:,}, {PROFILES[n].imagenet.test:,}, "
                f"{share_of_width(PROFILES[n].imagenet_width)}"
                for n in names
            ],
        ),
        ("ImageNet classes: simulated test images", [f"{IMAGENET_CONVERSION[n].test:,}" for n in names]),
    ]
    head = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {what} | {' | '.join(cells)} |" for what, cells in rows)]) + "\n"


def parts() -> dict[str, str]:
    """File name in ``book/_generated`` -> its text."""
    return {
        "protocol_statements.md": statements(),
        "protocol_verdicts.md": verdicts(),
        "protocol_tolerances.md": tolerances(),
        "protocol_limits.md": limits(),
        "protocol_profiles.md": profiles(),
    }
