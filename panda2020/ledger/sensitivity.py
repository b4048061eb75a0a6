"""Do verdicts depend on what the paper leaves unstated?

Some choices need no new run, because records hold what they need: the convention of the energy, its price list, the reading
of the networks and, for some conversions, how thresholds are balanced. Under each the whole ledger is judged again. Where a
choice has runs of its own, it is held against the default over the seeds that both have: a verdict must not move because one
side has more seeds. The choices about neurons and input change the training, so VGG5 was trained again with one other answer each
(``beyond.grid.UNSTATED``); those statements that rest on its spiking network, its ANN and nothing else can then be judged
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from panda2020 import networks
from panda2020.beyond.grid import UNSTATED, UNSTATED_NETWORK
from panda2020.claims.evidence import Evidence, Run
from panda2020.claims.quantities import CONVERTED
from panda2020.claims.verdicts import NOT_RECORDED, SIGNS
from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.planning import seed_of
from panda2020.profiles import profile
from panda2020.samples import DEFAULT, Conditions, entry_reading
from snncore.energy import CONVENTIONS, PRICES

from .ledger import Ledger, evidence, ledger
from .readings import SUFFIXES, differ, of_both_readings, of_suffix

#: Bars of ``draw_counts``, from the left: verdict or reason why there is none -> colour, on which white is read by day and night.
_SHADES = {
    "supported": "#14765a",
    "direction only": "#2f7fb5",
    "contradicted": "#b84a00",
    "open": "#946500",
    "by construction": "#0b5c96",
    "not testable": "#5f666d",
    "not recorded": "#7d848a",
    "not asked": "#979da3",
}

#: Conversions whose thresholds are a percentile of the weighted input and not its maximum: recorded beside the others.
PERCENTILE = "converted-percentile"


def conditions() -> dict[str, Conditions]:
    """The default, and every other value of one choice at a time, by name ("prices float32")."""
    found = {"default": DEFAULT}
    for name, values in (
        ("convention", CONVENTIONS),
        ("prices", tuple(PRICES)),
        ("reading", sorted({reading for net in networks.names() for reading in networks.readings(net)})),
    ):
        for value in values:
            if value != getattr(DEFAULT, name):
                found[f"{name} {value}"] = replace(DEFAULT, **{name: value})
    return found


@dataclass(frozen=True)
class Sensitivity:
    """All claims of one profile under several conditions; the default first.

    ledgers: by choice. baselines: what a choice is held against, the default over the seeds that both have; the default itself
    where none is given, as for choices that read the same runs.
    """

    ledgers: Mapping[str, Ledger]
    baselines: Mapping[str, Ledger] = field(default_factory=dict)

    @property
    def counts(self) -> pd.DataFrame:
        """One row per choice with the number of claims by verdict.

        Also how many claims were not judged because the runs of the choice are missing, and how many verdicts differ from the
        default's.
        """
        rows = []
        for name, one in self.ledgers.items():
            unasked = sum(not self.asked(claim, name) for claim in one.judgements)
            counts = {
                verdict: count - (unasked if verdict == NOT_RECORDED else 0)
                for verdict, count in one.counts.items()
            }
            moved = sum(self.moved(claim, name) for claim in one.judgements)
            rows.append({"choice": name, **counts, "not asked": unasked, "moved": moved})
        return pd.DataFrame(rows)

    @property
    def movers(self) -> pd.DataFrame:
        """The claims whose verdict differs between choices, with one row each and one column per choice. May be empty."""
        rows = []
        for claim, judgement in self._default.judgements.items():
            if any(self.moved(claim, name) for name in self.ledgers):
                verdicts = {name: self._cell(claim, name) for name in self.ledgers}
                rows.append({"claim": claim, "the paper": f"“{judgement.claim.quote}”", **verdicts})
        return pd.DataFrame(rows, columns=["claim", "the paper", *self.ledgers])

    def moved(self, claim: str, name: str) -> bool:
        """Whether a verdict under one choice differs from the default's over the same seeds; not where it was not put to it."""
        return self.asked(claim, name) and self._verdict(claim, name) != self._same_seeds(claim, name)

    def asked(self, claim: str, name: str) -> bool:
        """Whether a choice was put to a claim: not where the default is tested, and what the choice needs is not recorded."""
        return self._verdict(claim, name) != NOT_RECORDED or self._verdict(claim, "default") == NOT_RECORDED

    def _cell(self, claim: str, name: str) -> str:
        if not self.asked(claim, name):
            return NO_VALUE
        shown, same = _shown(self._verdict(claim, name)), self._same_seeds(claim, name)
        return (
            shown
            if same == self._verdict(claim, "default")
            else f"{shown} (default over the same seeds: {_shown(same)})"
        )

    def _verdict(self, claim: str, name: str) -> str:
        return self.ledgers[name].judgements[claim].verdict

    def _same_seeds(self, claim: str, name: str) -> str:
        return self.baselines.get(name, self._default).judgements[claim].verdict

    @property
    def finding(self) -> str:
        """In one sentence, how much moves."""
        tested = sum(judgement.verdict != NOT_RECORDED for judgement in self._default.judgements.values())
        moved = self.counts.set_index("choice")["moved"].iloc[1:]
        per = ", ".join(f"{name} ({count})" for name, count in moved.items() if count)
        return (
            f"{len(self.movers)} of the {tested} claims that are tested get another verdict under some other choice"
            + (f": {per}." if per else ".")
        )

    @property
    def _default(self) -> Ledger:
        return self.ledgers["default"]


def draw_counts(counts: pd.DataFrame) -> Figure:
    """``Sensitivity.counts``: a bar of verdicts per choice, and how many verdicts move."""
    figure = Figure(figsize=(7.6, 0.36 * len(counts) + 1.3), layout="constrained")
    axes = figure.subplots()
    kinds = [kind for kind in _SHADES if counts[kind].sum()]
    left = pd.Series(0, index=counts.index)
    for kind in kinds:
        colour = _SHADES[kind]
        axes.barh(counts.index, counts[kind], left=left, color=colour, height=0.72, label=kind)
        for row, count in counts[kind].items():
            if count:
                axes.text(
                    left[row] + count / 2,
                    row,
                    str(count),
                    color="white",
                    fontsize=8,
                    ha="center",
                    va="center",
                )
        left = left + counts[kind]
    total = int(left.max())
    axes.text(1.03 * total, -0.8, "moved", fontsize=9, ha="center")
    for row, count in counts["moved"].items():
        axes.text(1.03 * total, row, str(count) if row else NO_VALUE, fontsize=9, ha="center", va="center")
    axes.set_yticks(range(len(counts)), counts["choice"])
    axes.set(xlim=(0, 1.07 * total), xlabel="claims")
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def judged(
    profile_name: str, *, results: str | Path | None = None, found: Evidence | None = None
) -> Sensitivity:
    """Every claim under every one of ``conditions``, from the records in ``results``. found: in their place."""
    found = evidence(profile_name, results=results) if found is None else found
    ledgers, baselines = {}, {}
    for name, one in conditions().items():
        shared = found
        if one.reading != DEFAULT.reading:
            shared = of_both_readings(found, one.reading)
            baselines[name] = ledger(profile_name, found=shared, readings=False)
        ledgers[name] = ledger(profile_name, conditions=one, found=shared, readings=False)
    for suffix, name in SUFFIXES.items():
        other, same = of_suffix(found, suffix)
        if differ(other, same):
            ledgers[name] = ledger(profile_name, found=other, readings=False)
            baselines[name] = ledger(profile_name, found=same, readings=False)
    if any(run.record is not None and run.entry.role == PERCENTILE for run in found.runs):
        by_maximum, by_percentile = of_both_balancings(found)
        ledgers["thresholds by percentile"] = ledger(profile_name, found=by_percentile, readings=False)
        baselines["thresholds by percentile"] = ledger(profile_name, found=by_maximum, readings=False)
    return Sensitivity(ledgers, baselines)


def of_both_balancings(found: Evidence) -> tuple[Evidence, Evidence]:
    """The evidence with conversions balanced by the maximum, and by a percentile in their place.

    Both hold only the seeds of networks that are recorded both ways, from the same weights, and no other conversion: one that is
    balanced by the maximum cannot be compared with one that is not.
    """
    have = {
        role: {
            (run.entry.network, seed_of(run.entry)): run.record.result["weights_sha256"]
            for run in found.runs if run.record is not None and run.entry.role == role
        }
        for role in (CONVERTED, PERCENTILE)
    }  # fmt: skip
    shared = {place for place, weights in have[PERCENTILE].items() if have[CONVERTED].get(place) == weights}
    others = [run for run in found.runs if not run.entry.role.startswith(CONVERTED)]
    maximum, percentile = (
        [
            run
            for run in found.runs
            if run.entry.role == role and (run.entry.network, seed_of(run.entry)) in shared
        ]
        for role in (CONVERTED, PERCENTILE)
    )
    moved = [replace(run, entry=replace(run.entry, role=CONVERTED)) for run in percentile]
    return replace(found, runs=tuple(others + maximum)), replace(found, runs=tuple(others + moved))


def substituted(found: Evidence, role: str, steps: int) -> Evidence:
    """The evidence with the runs of ``role`` in place of the spiking VGG5's at T = ``steps``, seed by seed.

    A seed that has no such run has none of either, and the default's runs at other T go, too: the alternative has none.
    Raises ``ValueError`` for a role that is no alternative.
    """
    if role not in UNSTATED:
        raise ValueError(f"role must be one of {', '.join(UNSTATED)}, got {role!r}")
    others = [run for run in found.runs if run.entry.role == role and _is_vgg5(run, role, steps)]
    kept = [
        run
        for run in found.runs
        if not _is_vgg5(run, "snn") and run.key not in {other.key for other in others}
    ]
    moved = [replace(run, entry=replace(run.entry, role="snn")) for run in others]
    return replace(found, runs=tuple(kept + moved))


def retrained(
    profile_name: str,
    *,
    results: str | Path | None = None,
    found: Evidence | None = None,
    roles: Sequence[str] = tuple(UNSTATED),
) -> pd.DataFrame:
    """Quantities that rest on the spiking VGG5 at the first T, its ANN and nothing else, judged again with each alternative.

    One row per claim and quantity, one column per role; a cell holds verdict and mean. Roles of which no run is recorded are
    left out; without any the table is empty. All columns rest on the seeds that all of them have. found: in place of the
    recorded runs.
    """
    steps = profile(profile_name).steps["8"][0]
    found = evidence(profile_name, results=results) if found is None else found
    seeds = {
        role: {seed_of(r.entry) for r in found.runs if r.record is not None and _is_vgg5(r, role, steps)}
        for role in roles
    }
    common = set.intersection(*(own for own in seeds.values() if own)) if any(seeds.values()) else set()
    found = replace(found, runs=tuple(
        run for run in found.runs
        if run.entry.network != UNSTATED_NETWORK or run.entry.role == "ann" or seed_of(run.entry) in common
    ))  # fmt: skip
    default = replace(
        found, runs=tuple(r for r in found.runs if not _is_vgg5(r, "snn") or _is_vgg5(r, "snn", steps))
    )
    cases = {"snn": default} | {role: substituted(found, role, steps) for role in roles if seeds[role]}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for role, case in cases.items() if len(cases) > 1 else ():
        own = {run.key for run in case.runs if _is_vgg5(run, "snn", steps)}
        ann = {
            run.key for run in case.runs if run.entry.network == UNSTATED_NETWORK and run.entry.role == "ann"
        }
        for claim, judgement in ledger(profile_name, found=case, readings=False).judgements.items():
            for j in judgement.conclusion.parts:
                keys = set(j.quantity.keys)
                if keys & own and keys <= own | ann and j.estimate is not None:
                    cell = f"{_shown(j.verdict)}, {j.estimate.mean:.3g} {j.quantity.unit}".strip()
                    rows.setdefault((claim, j.quantity.what), {})[role] = cell
    return pd.DataFrame(
        [
            {"claim": claim, "quantity": what, **{role: row.get(role) for role in cases}}
            for (claim, what), row in rows.items()
        ],
        columns=["claim", "quantity", *cases],
    )


def choice_table(profile_name: str) -> pd.DataFrame:
    """The choices that this book made where the paper is silent, and what else would have been reasonable."""
    p, text = profile(profile_name), "trained again below"
    rows: list[dict[str, Any]] = []
    names = {
        "convention": "convention of the energy",
        "prices": "price list",
        "reading": "reading of the networks",
    }
    for one_field in fields(DEFAULT):
        here = getattr(DEFAULT, one_field.name)
        others = [
            getattr(one, one_field.name)
            for one in conditions().values()
            if getattr(one, one_field.name) != here
        ]
        rows.append(_choice(names[one_field.name], here, ", ".join(others), "every claim judged again below"))
    for role, (network, code) in UNSTATED.items():
        for place, values in ((p.snn_network, network), (p.input("poisson", 1), code)):
            rows += [
                _choice(f"{option} ({role})", getattr(place, option), other, text)
                for option, other in values.items()
                if getattr(place, option) != other  # which the profile has already
            ]
    rows.append(
        _choice(
            "recipe of spiking networks",
            f"{p.snn.optimizer}, gain {p.snn_network.gain:g}, leak {p.snn_network.alpha:g}",
            "all recipes of the specification curve",
            "chapter 7",
        )
    )
    rows.append(
        _choice("threshold of a conversion", "maximum", "99.9th percentile", "every claim judged again below")
    )
    rows.append(_choice("what Equation 7 leaves open", "DropMax with q = p", "variants of it", "chapter 8"))
    return pd.DataFrame(rows)


def _choice(name: str, here: Any, other: Any, where: str) -> dict[str, str]:
    return {"choice": name, "in this book": str(here), "instead": str(other), "where": where}


def _is_vgg5(run: Run, role: str, steps: int | None = None) -> bool:
    """Whether it is VGG5 in ``role`` at T = ``steps`` (None: any), in the default reading."""
    same = run.entry.network == UNSTATED_NETWORK and run.entry.role == role
    same = same and (steps is None or run.entry.spec.input.steps == steps)
    return same and entry_reading(run.entry) in (None, DEFAULT.reading)


def _shown(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}"
