"""The history of the rules for judging claims, from git, for ``book/_generated/rule_history.md``.

It lists every commit that touched a claim's sentence, estimator, tolerance or rule. For those that changed a verdict,
``rule_changes.yml`` says what they changed and what was on record by then, which git alone cannot say.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from panda2020.ledger.home import markdown_text
from tools.inputs import ROOT

#: Present and former paths of the rules.
PATHS = (
    "panda2020/claims",
    ":(glob)panda2020/*/claims.py",
    "panda2020/ledger/readings.py",
    "panda2020/ledger/multiplicity.py",
    "book/protocol.md",
    "snncore/paper/claims.yml",
    "snncore/paper/estimators",
    "snncore/paper/verdicts.py",
)

CHANGES = Path(__file__).with_name("rule_changes.yml")

ABSENT = (
    "This copy has no git history, so the list cannot be made here. In a clone of the repository `python -m tools.generate` "
    "writes it.\n"
)


@dataclass(frozen=True)
class Commit:
    """One commit: abbreviated hash, date (ISO 8601, to the minute), subject."""

    name: str
    date: str
    subject: str


@dataclass(frozen=True)
class Change:
    """A commit's change of the rules, the records by then, and the verdicts that changed."""

    changed: str
    recorded: str
    moved: str


def commits(root: Path = ROOT, paths: Sequence[str] = PATHS) -> list[Commit]:
    """The commits that touched the rules, newest first; empty without git, repository or history."""
    command = ["git", "-C", str(root), "log", "--no-merges", "--date=format:%Y-%m-%d %H:%M"]
    try:
        done = subprocess.run(
            [*command, "--format=%h%x09%ad%x09%s", "--", *paths],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except OSError:
        return []
    if done.returncode:
        return []
    rows = (line.split("\t", 2) for line in done.stdout.splitlines())
    return [Commit(*row) for row in rows if len(row) == 3]


def changes(text: str | None = None) -> dict[str, Change]:
    """Changes that moved a verdict, by the subject of their commit.

    Args:
        text: YAML in place of the file's.

    Raises:
        ValueError: a row with missing, extra or empty fields.
    """
    found: dict[str, Change] = {}
    for row in yaml.safe_load(CHANGES.read_text("utf-8") if text is None else text):
        needed = {"subject", "changed", "recorded", "moved"}
        if row.keys() != needed or not all(str(value).strip() for value in row.values()):
            raise ValueError(
                f"a change of rules must have {', '.join(sorted(needed))}, none empty, got {', '.join(row)}"
            )
        found[row["subject"]] = Change(row["changed"], row["recorded"], row["moved"])
    return found


def page(found: Sequence[Commit], known: Mapping[str, Change]) -> str:
    """The two tables as Markdown: changes that moved verdicts, oldest first, then every commit, newest first."""
    if not found:
        return ABSENT
    rows = [
        "## Changes that moved a verdict",
        "",
        "| date | commit | what changed | what was on record | verdicts |",
        "|---|---|---|---|---|",
    ]
    for commit in reversed(found):
        if commit.subject in known:
            change = known[commit.subject]
            texts = (change.changed, change.recorded, change.moved)
            rows.append(f"| {commit.date} | `{commit.name}` | {' | '.join(map(_plain, texts))} |")
    rows += [
        "",
        "## Every commit that touched a rule, a range or a sentence",
        "",
        f"{len(found)} commits, newest first.",
        "",
        "| date | commit | subject |",
        "|---|---|---|",
    ]
    rows += [f"| {one.date} | `{one.name}` | {_plain(one.subject)} |" for one in found]
    return "\n".join(rows) + "\n"


def _plain(text: str) -> str:
    """Text for a cell of a Markdown table, in one line."""
    return " ".join(markdown_text(text).split())
