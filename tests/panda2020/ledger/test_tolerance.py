"""The sliders of tolerances: at the protocol's they give its verdicts, and a wider tolerance supports more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from made_up import World

from panda2020.claims.protocol import FACTOR, WIDENED
from panda2020.claims.ranges import around, at_least
from panda2020.ledger import tolerance
from panda2020.ledger.ledger import ledger
from tools.browser import VIEWS, executable, visit

pytestmark = pytest.mark.usefixtures("stated_energies")

SCRIPT = (Path(__file__).parents[3] / "book" / "_static" / "tolerance.js").read_text("utf-8")


@pytest.fixture(scope="module")
def found():
    judged = ledger("laptop", found=World({}).evidence(), readings=False).judgements
    return {name: judgement for name, judgement in judged.items() if tolerance.movable(judgement)}


def test_sizes_are_given_without_their_tolerance():
    assert tolerance.without_tolerance(around(15 / FACTOR, 15 * FACTOR, "x"), ratio=True) == pytest.approx(
        [15, 15]
    )
    assert tolerance.without_tolerance(at_least(-4, "x"), ratio=False) == [-4 + WIDENED, None]


def test_only_claims_with_a_stated_size_move(found):
    assert {"agd-ee", "agd-loss", "stochmax-acc"} <= found.keys()
    assert not found.keys() & {"imagenet-hybrid-ee", "agd-vgg3x4-trains", "backres-iso-accuracy"}
    page = BeautifulSoup(tolerance.tolerance_html(found), "html.parser")
    rows = page.select("tr[data-parts]")
    assert [row["data-verdict"] for row in rows] == [j.verdict for j in found.values()]
    assert "No claim with a stated size" in tolerance.tolerance_html({})


@pytest.mark.browser
@pytest.mark.skipif(executable() is None, reason="no Chromium here: the sliders were not moved")
def test_the_script_gives_the_protocols_verdicts_and_a_wide_tolerance_supports_more(found, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><meta charset='utf-8'>{tolerance.tolerance_html(found)}<script>{SCRIPT}</script>"
    )
    script = """(() => {
        const verdicts = () => [...document.querySelectorAll('.snn-mark span:last-child')].map((one) => one.textContent);
        const move = (name, value) => {
            const input = document.querySelector(`input[name="${name}"]`);
            input.value = value;
            input.dispatchEvent(new Event('input'));
        };
        const before = verdicts();
        move('factor', 4);
        move('points', 10);
        return [before, verdicts(), document.querySelector('[data-part="changed"]').textContent];
    })()"""
    seen = visit([page], [VIEWS[0]], script=script)[0]
    before, after, said = seen.values
    assert seen.errors == [] and before == [j.verdict for j in found.values()]
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    assert changed > 0 and said.startswith(f"{changed} verdict")
    assert after.count("supported") > before.count("supported")
    assert json.dumps(before) != json.dumps(after)
