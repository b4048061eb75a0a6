"""The protocol's pages: every number from code, the rule history from git or a word on why not, compute from records."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from made_up import World

from panda2020 import contents
from panda2020.claims.claims import claim, claims
from panda2020.claims.evidence import PROFILES, Evidence
from panda2020.ledger import compute
from panda2020.ledger.ledger import ledger
from tools import protocol_page, rule_history
from tools.inputs import ROOT


def test_every_claim_that_the_page_groups_is_one_and_every_verdict_has_its_rule():
    text = protocol_page.statements()
    named = set(re.findall(r"`([\w-]+)`", text))
    assert named == {name for name, one in claims().items() if one.kind != "secondary" or one.same_as} | {
        one.same_as for one in claims().values() if one.same_as
    }
    assert "So of 60 claims 50 are counted." in text
    rows = protocol_page.verdicts().splitlines()[2:]
    assert [row.split(" | ")[0][4:] for row in rows] == list(protocol_page.WHEN)


def test_tolerances_and_limits_are_those_of_the_code():
    text = protocol_page.tolerances()
    assert "| a factor, “~4x” | 3.01 to 5.32 |" in text
    assert "| “fails” | below 20 % accuracy |" in text
    assert "at least 80 % of training images right" in protocol_page.limits()
    head = protocol_page.profiles().splitlines()[0]
    assert "`paper`" in head and "`quick`" not in head and "`first`" not in head


def test_the_page_includes_every_part_and_names_every_corrected_claim():
    text = (ROOT / "book" / "protocol.md").read_text("utf-8")
    assert set(re.findall(r"_generated/(protocol_\w+\.md)", text)) == set(protocol_page.parts())
    section = text[text.index("## 6") : text.index("## 7")]
    assert set(re.findall(r"`([a-z][\w-]+)`", section)) <= claims().keys()
    for page, part in (("rules", "rule_history"), ("compute", "compute")):
        assert f"_generated/{part}.md" in (ROOT / "book" / f"{page}.md").read_text("utf-8")


def repository(root: Path) -> Path:
    """Two commits that touch the rules and one that does not."""

    def git(*words: str) -> None:
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        dates = {f"GIT_{role}_DATE": "2026-01-02T03:04:05" for role in ("AUTHOR", "COMMITTER")}
        subprocess.run(
            ["git", "-C", str(root), *words],
            check=True,
            env={**os.environ, **who, **dates},
            capture_output=True,
        )

    root.mkdir()
    git("init")
    for number, (file, subject) in enumerate(
        (
            ("panda2020/claims/verdicts.py", "The first rules"),
            ("README.md", "Nothing of this"),
            ("panda2020/agd/claims.py", "A range | wider_now"),
        )
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(str(number))
        git("add", "-A")
        git("commit", "-m", subject)
    return root


def test_the_history_is_that_of_the_files_that_hold_rules(tmp_path: Path):
    found = rule_history.commits(repository(tmp_path / "here"))
    assert [one.subject for one in found] == ["A range | wider_now", "The first rules"]
    assert found[0].date == "2026-01-02 03:04"
    known = {"The first rules": rule_history.Change("rules", "nothing", "none")}
    text = rule_history.page(found, known)
    assert f"| 2026-01-02 03:04 | `{found[1].name}` | rules | nothing | none |" in text
    assert "2 commits, newest first." in text and "A range \\| wider\\_now" in text


def test_without_git_or_history_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert rule_history.commits(tmp_path) == []
    assert "no git history" in rule_history.page([], {})
    monkeypatch.setenv("PATH", "")
    assert rule_history.commits(ROOT) == []


def test_every_change_that_moved_a_verdict_is_a_commit_of_the_history():
    known = rule_history.changes()
    assert len(known) > 5
    if found := rule_history.commits():
        assert known.keys() <= {one.subject for one in found}


@pytest.mark.parametrize(
    "text", ["- {subject: a, changed: b, recorded: c}", "- {subject: a, changed: b, recorded: c, moved: ''}"]
)
def test_a_change_without_all_its_fields_is_refused(text: str):
    with pytest.raises(
        ValueError, match="a change of rules must have changed, moved, recorded, subject, none empty"
    ):
        rule_history.changes(text)


@pytest.mark.usefixtures("stated_energies")
def test_compute_per_claim_counts_every_run_once_in_all_and_for_each_of_its_claims():
    names = ("agd-loss", "agd-ee")
    only = {name: contents.estimators()[name] for name in names}
    one = ledger(
        PROFILES[0], known={name: claim(name) for name in names}, estimators=only, found=World({}).evidence()
    )
    table = compute.compute_table(one).set_index("claim")  # every made-up run took a second
    assert table.loc["agd-loss", "runs"] == 18 and table.loc["agd-loss", "minutes"] == pytest.approx(18 / 60)
    assert table.loc["agd-loss", "its own"] == pytest.approx(12 / 60)  # ANNs, and T = 50
    assert table.loc["agd-ee", "its own"] == 0
    assert compute.total(one) == {"runs": 18, "minutes": pytest.approx(18 / 60)}
    text = compute.markdown([one])
    assert f"## Profile `{PROFILES[0]}`" in text and "18 recorded runs" in text
    nothing = ledger(
        PROFILES[0], known={"agd-ee": claim("agd-ee")}, estimators={}, found=Evidence(PROFILES[0], ())
    )
    assert compute.markdown([nothing]) == "No claim rests on a recorded run yet.\n"
