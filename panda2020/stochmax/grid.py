"""The runs behind Tables 10 and 11: stochmax and softmax as classifiers, and the variants of the stochmax loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from panda2020.planning import Place, grid
from panda2020.runs import Entry
from panda2020.tasks import train_head

TABLE_11 = ("VGG5", "VGG3x2-v2")

HEADS: Mapping[str, str] = {"softmax": "snn", "stochmax": "snn-stochmax"}  # head -> role

_ALONE = (
    ("entropy", 0.0),
    ("kl", 0.0),
    ("psi_gradient", "local"),
)  # unbiased, so estimator bias cannot explain the outcome

#: Variants of the open points of Eq. 7: role -> options of ``stochmax.StochmaxConfig`` that differ from the defaults.
STOCHMAX_VARIANTS: Mapping[str, tuple[tuple[str, bool | float | str], ...]] = {
    "variant-alone-kept": _ALONE,
    "variant-alone-drawn": (*_ALONE, ("target_kept", False)),
    "variant-separate": (("auxiliary", 1.0), ("posterior", "separate")),  # ``stochmax.DROPMAX``
    "variant-local": (("psi_gradient", "local"),),
    "variant-straight-through": (("psi_gradient", "straight-through"),),
    "variant-exact": (("psi_gradient", "exact"),),
    "variant-logits": (("inference", "logits"),),
}


def both_heads(at: Place) -> Iterator[Entry]:
    """The spiking network with softmax and with stochmax."""
    for head, role in HEADS.items():
        yield at.snn(role, head=head)


@grid("10", networks=("VGG3",), steps="10")
def table10(at: Place) -> Iterator[Entry]:
    """Table 10: VGG3 with softmax and with stochmax, at small T."""
    yield from both_heads(at)


@grid("11", networks=TABLE_11, steps="11")
def table11(at: Place) -> Iterator[Entry]:
    """Table 11: VGG5 and VGG3x2-v2 with stochmax, and the runs of Table 8 for comparison."""
    yield from both_heads(at)


@grid("10-variants", networks=("VGG3",), steps="10", first_steps=True, one_seed=True)
def stochmax_variants(at: Place) -> Iterator[Entry]:
    """Table 10's network at its smallest T with other choices for the open points of Eq. 7 (``STOCHMAX_VARIANTS``).

    The runs of Table 10 for comparison come first, with softmax and with the default stochmax.
    """
    softmax, stochmax = both_heads(at)
    yield softmax
    yield stochmax
    for role, options in STOCHMAX_VARIANTS.items():
        network = train_head.HeadConfig(**vars(stochmax.spec.network) | {"head_options": options})
        spec = train_head.Spec(**vars(stochmax.spec) | {"network": network})
        yield replace(stochmax, spec=spec, role=role)
