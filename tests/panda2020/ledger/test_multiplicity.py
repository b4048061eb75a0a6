"""q beside central claims, by hand."""

from __future__ import annotations

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim, claims
from panda2020.claims.evidence import PROFILES
from panda2020.claims.ranges import above
from panda2020.claims.verdicts import Quantity, conclude
from panda2020.ledger.ledger import ledger
from panda2020.ledger.multiplicity import p_value, q_values


def part(*values: float, **more) -> Quantity:
    return Quantity("gain", "points", above(0), values=values, seeds=tuple(range(len(values))), **more)


SURE, LESS, NO = part(2.9, 3.0, 3.1), part(0.9, 1.0, 1.3), part(-1.1, -1.0, -0.9)
GONE = Quantity("gain", "points", above(0), missing=("no run",))


def test_the_p_of_a_claim_is_its_weakest_quantitys_or_that_of_what_contradicts_it():
    sure, less, no = (conclude([one]).counted[0].p for one in (SURE, LESS, NO))
    assert sure < less
    assert p_value(conclude([SURE, LESS])) == less
    assert p_value(conclude([SURE, NO])) == no
    assert p_value(conclude([SURE, GONE])) is None and p_value(conclude([GONE])) is None


def test_q_is_among_the_claims_that_have_a_p():
    found = q_values({"a": conclude([SURE]), "b": conclude([LESS]), "c": conclude([GONE])})
    sure, less = (conclude([one]).counted[0].p for one in (SURE, LESS))
    assert found == {"a": pytest.approx(min(2 * sure, less)), "b": pytest.approx(less)}
    assert q_values({}) == {}


@pytest.mark.usefixtures("stated_energies")
def test_the_ledger_gives_every_central_statement_its_q_once():
    central = {name: one for name, one in claims().items() if one.group}
    only = {name: contents.estimators()[name] for name in central}
    found = ledger(
        PROFILES[0], known=central, estimators=only, found=World({}, noise={"acc": 0.02}).evidence()
    )
    assert found.q.keys() <= {name for name, one in central.items() if one.counted}
    assert all(0 <= q <= 1 for q in found.q.values()) and len(found.q) > 5
    other = {"agd-loss": claim("agd-loss")}
    only = {"agd-loss": contents.estimators()["agd-loss"]}
    assert ledger(PROFILES[0], known=other, estimators=only, found=World({}).evidence()).q == {}
