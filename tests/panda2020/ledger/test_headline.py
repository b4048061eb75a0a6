"""The headline: what it counts and names, that every place states the same, and that README.md is not stale."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim, claims
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.claims.verdicts import NOT_RECORDED, OPEN, SUPPORTED
from panda2020.ledger import headline as module
from panda2020.ledger.headline import KEY, LEDGER, headline, markdown, show
from panda2020.ledger.ledger import Ledger, ledger
from tools import headline as tool
from tools.inputs import ROOT

FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")

IDS = ("agd-loss", "backres-limit", "conv-lossless", "stochmax-acc", "hybrid-ee", "conv-params-minimal")


BETTER = {("acc", "VGG2x8", "ann"): 0.55}  # which backres-limit says it is not


def made(profile: str, *, seeds: tuple[int, ...] = (0, 1, 2), changes: dict | None = None) -> Ledger:
    found = (
        World(BETTER | (changes or {})).evidence(profile=profile, seeds=seeds)
        if seeds
        else Evidence(profile, ())
    )
    return ledger(
        profile,
        known={name: claim(name) for name in IDS},
        found=found,
        estimators={name: contents.estimators()[name] for name in IDS},
    )


def test_counts_are_the_ledgers_and_lines_their_verdicts():
    ledgers = [made(FIRST), made("paper", seeds=())]
    found = headline(ledgers)
    assert found.counts == {one.profile: one.counts for one in ledgers}
    assert [line.claim.id for line in found.key] == ["conv-lossless", "stochmax-acc", "hybrid-ee"]
    assert [line.claim.id for line in found.contradicted] == ["backres-limit"]
    assert found.computed == {FIRST: 0, "paper": 0} and found.alone == {FIRST: 0, "paper": 0}
    assert found.runs[FIRST] > 0 == found.runs["paper"]
    for line in (*found.key, *found.contradicted):
        assert line.judgement is ledgers[0].judgements[line.claim.id]


def test_a_larger_scale_speaks_where_it_has_runs():
    changes = {("acc", name, "snn-stochmax"): 0.53 for name in ("VGG5", "VGG3x2-v2")}
    found = headline([made(FIRST), made("paper", changes=changes)])
    stochmax = next(line for line in found.key if line.claim.id == "stochmax-acc")
    assert (stochmax.judgement.profile, stochmax.judgement.verdict) == ("paper", SUPPORTED)
    assert made(FIRST).judgements["stochmax-acc"].verdict == OPEN


def test_markdown_says_verdict_estimate_scale_and_seeds():
    text = markdown(headline([made(FIRST)]), link=lambda name: f"[{name}](x#{name})")
    assert (
        "The article's 5 empirical statements" in text
        and f"| `{FIRST}` | 2 | 1 | 1 | 1 | 0 | 0 | 1 |" in text
    )
    quote = "“improves the performance by \\~3 - 4% as compared to softmax”"
    assert f"- **≈ open** C4 {quote} ([stochmax-acc](x#stochmax-acc))" in text
    assert (
        f"(`{FIRST}`, 12 runs, 3 seeds)" in text
        and "Of 4 that decide something, 0 rest on a single seed and 0 on" in text
    )
    alone = markdown(headline([made(FIRST, seeds=(0,))]))
    assert (
        f"(`{FIRST}`, 4 runs, 1 seed)" in alone and "EE of hybrid VGG9, T = 25: 10 × (no interval)" in alone
    )
    assert (
        f"| `{FIRST}` | 1 | 0 | 0 | 4 | 0 | 0 | 1 |" in alone
    )  # what one trained network shows by itself, and what holds by construction
    assert "Of 1 that decide something, 1 rests on a single seed and 0 on no training run." in alone


def test_what_is_not_recorded_is_said_too():
    text = markdown(headline([made(FIRST, seeds=())]))
    assert "- **○ not recorded**: “almost zero-loss" in text and "`hybrid-ee`" in text
    assert "Verdicts rest on no recorded runs." in text and "Contradicted" not in text
    assert headline([made(FIRST, seeds=())]).key[0].judgement.verdict == NOT_RECORDED


def test_an_articles_marks_stay_its_own():
    assert module._plain("a|b *c* [d] ~e_f <g") == "a\\|b \\*c\\* \\[d\\] \\~e\\_f \\<g"


def test_key_claims_exist():
    assert set(KEY) <= claims().keys() and len(set(KEY)) == len(KEY)


def test_the_start_page_takes_what_the_chapter_showed(monkeypatch: pytest.MonkeyPatch):
    outputs: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: outputs.append({"metadata": metadata})
    )
    found = headline([made(FIRST)])
    show(found)
    chapter = {"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": outputs}]}
    text = tool.start_page({"12_claims": json.loads(json.dumps(chapter))})
    assert re.sub(r'<a href="../executed/12_claims.html#claim-([\w-]+)">\1</a>', r"`\1`", text) == markdown(
        found
    )
    assert outputs[0]["metadata"][LEDGER]["verdicts"] == {
        line.claim.id: line.judgement.verdict for line in found.key
    }
    assert "was not executed" in tool.start_page({})
    with pytest.raises(SystemExit, match="one notebook may declare"):
        tool.start_page({"a": chapter, "b": chapter})


@pytest.mark.parametrize(
    "text", ["", tool.BEGIN, f"{tool.END}{tool.BEGIN}", f"{tool.BEGIN}{tool.END}{tool.BEGIN}"]
)
def test_a_readme_without_its_marks_is_refused(text: str):
    with pytest.raises(ValueError, match=r"README.md must hold .* each once"):
        tool.replaced(text, "x")


def test_the_block_is_replaced_and_the_rest_kept():
    assert (
        tool.replaced(f"a\n{tool.BEGIN}\nold\n{tool.END}\nb", "new\n")
        == f"a\n{tool.BEGIN}\n\nnew\n\n{tool.END}\nb"
    )


def test_the_tool_notices_a_stale_readme_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = []
    monkeypatch.setattr(
        module, "headline", lambda *, results: asked.append(results) or headline([made(FIRST)])
    )
    readme = tmp_path / "README.md"
    readme.write_text(f"a\n{tool.BEGIN}\n{tool.END}\nb\n")
    assert tool.main([], root=tmp_path) == 1 and "python -m tools.headline --write" in capsys.readouterr().err
    assert tool.main(["--write"], root=tmp_path) == 0 and "5 empirical statements" in readme.read_text()
    assert tool.main([], root=tmp_path) == 0 and asked == [tmp_path / "results"] * 3
    assert tool.main(["--wirte"], root=tmp_path) == 2


def test_readme_says_what_the_records_say():
    """After new records: python -m tools.headline --write."""
    assert tool.main([], root=ROOT) == 0
