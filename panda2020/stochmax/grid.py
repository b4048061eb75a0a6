"""panda2020/stochmax/grid.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from panda2020.planning import repeated, snn_run
from panda2020.profiles import profile
from panda2020.runs import Entry
from panda2020.tasks import train_head

TABLE_11 = ("VGG5", "VGG3x2-v2")

HEADS: Mapping[str, str] = {"softmax": "snn", "stochmax": "snn-stochmax"}  # head -> role

_ALONE = (("entropy", 0.0), ("kl", 0.0), ("psi_gradient", "local"))  # unbiased: no estimator is to blame

#: What Eq. 7 leaves open, one answer each: role -> options of ``stochmax.StochmaxConfig`` besides the defaults.
STOCHMAX_VARIANTS: Mapping[str, tuple[tuple[str, bool | float | str], ...]] = {
    "variant-alone-kept": _ALONE,
    "variant-alone-drawn": (*_ALONE, ("target_kept", False)),
    "variant-separate": (("auxiliary", 1.0), ("posterior", "separate")),  # ``stochmax.DROPMAX``
    "variant-local": (("psi_gradient", "local"),),
    "variant-straight-through": (("psi_gradient", "straight-through"),),
    "variant-exact": (("psi_gradient", "exact"),),
    "variant-logits": (("inference", "logits"),),
}


@repeated
def table10(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 10: VGG3 with softmax and with stochmax, at small T."""
    p = profile(profile_name)
    return [
        snn_run(p, name, seed, steps, tables=("10",), role=role, head=head)
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["10"]
        for name in names or ("VGG3",)
        for head, role in HEADS.items()
    ]


@repeated
def table11(
    profile_name: str,
    *,
    seeds: Sequence[int] | None = None,
    timesteps: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """Table 11: VGG5 and VGG3x2-v2 with stochmax, and the runs of Table 8 they are compared with."""
    p = profile(profile_name)
    return [
        snn_run(p, name, seed, steps, tables=("11",), role=role, head=head)
        for seed in seeds or p.seeds
        for steps in timesteps or p.steps["11"]
        for name in names or TABLE_11
        for head, role in HEADS.items()
    ]


def stochmax_variants(
    profile_name: str, *, seeds: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> list[Entry]:
    """Table 10's network at its smallest T under other answers to what Eq. 7 leaves open (``STOCHMAX_VARIANTS``).

    The runs of Table 10 that they are compared with come first, with softmax and with the default stochmax.
    """
    p = profile(profile_name)
    found = []
    for seed in seeds or p.seeds[:1]:
        for name in names or ("VGG3",):
            for head, role in HEADS.items():
                run = snn_run(p, name, seed, p.steps["10"][0], tables=("10-variants",), role=role, head=head)
                found.append(run)
            for role, options in STOCHMAX_VARIANTS.items():  # of the last one, with stochmax
                network = train_head.HeadConfig(**vars(run.spec.network) | {"head_options": options})
                spec = train_head.Spec(**vars(run.spec) | {"network": network})
                found.append(replace(run, spec=spec, role=role))
    return found
