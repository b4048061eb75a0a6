"""The ledger on the command line, from records on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from made_up import MADE, World

from panda2020 import __main__ as program
from panda2020 import contents
from panda2020.claims.claims import claim
from panda2020.ledger import command as ledger_command
from panda2020.ledger.command import in_full, listed
from panda2020.ledger.ledger import ledger


def main(words):
    return program.main(["claims", *words])


pytestmark = pytest.mark.usefixtures("stated_energies")

IDS = ("agd-loss", "agd-vgg7-fails")


@pytest.fixture
def made():
    return ledger(
        "first",
        known={name: claim(name) for name in IDS},
        found=World({}).evidence(),
        estimators={name: contents.estimators()[name] for name in IDS},
    )


def test_one_claim_in_full(made):
    text = in_full(made.judgements["agd-loss"])
    assert text.startswith(
        "agd-loss: ✔ supported, at profile first\n“minimal accuracy loss (~2 - 3%)” (section 8.1, Table 8)\n"
    )
    for said in (
        "1. SNN VGG5, T = 25 minus ANN VGG5 (decides): 0 points [−0.0196 to 0.0196] (95 % over 3 seeds and the test images)",
        "seeds 0, 1, 2",
        "expected at least −3.5 (the sentence gives whole points",
        "(shown beside)",
        "rests on: 18 runs, 3 seeds",
        f"VGG5-ann-None-0  VGG5 ann, seed 0, recorded, commit {MADE['commit'][:10]}",
    ):
        assert said in text
    assert "(shows a direction)" in in_full(made.judgements["agd-vgg7-fails"])


def test_all_claims_in_a_line_each(made):
    rows = listed(made).splitlines()
    assert rows[0].startswith("✔ supported       agd-loss        SNN VGG5")
    assert rows[1].startswith("✘ contradicted    agd-vgg7-fails")
    assert (
        rows[-1]
        == "profile first, 2 claims: 1 supported, 0 direction only, 1 contradicted, 0 inconclusive, 0 not tested"
    )


def test_what_is_missing_comes_with_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["agd-vanishing", "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (
        "agd-vanishing: ○ not tested, at profile first" in text
        and "SNN VGG7-agd, T = 25: seeds 0, 1, 2, 3, 4" in text
    )
    assert "record them: python -m panda2020 record --profile first --table 8" in text


@pytest.mark.parametrize(
    "words, said",
    [
        (["agd-lost"], "there is no claim 'agd-lost'"),
        (["conv-params-minimal", "--profile", "quick"], "invalid choice: 'quick'"),
    ],
)
def test_what_does_not_exist_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code
    assert code == 2 and said in capsys.readouterr().err


def test_choices_that_no_record_knows_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def judged(profile: str, **more):
        return ledger(profile, **{**more, "results": None}, found=World({}).evidence())

    monkeypatch.setattr(ledger_command, "ledger", judged)
    assert main(["agd-ee", "--prices", "float32"]) == 2  # made-up records hold int32 alone
    assert "cannot be judged under these choices: 'paper/float32'" in capsys.readouterr().err
    for option, value in (("--prices", "wooden"), ("--convention", "bogus"), ("--reading", "Z")):
        with pytest.raises(SystemExit) as stopped:
            main(["agd-loss", option, value])
        assert stopped.value.code == 2 and f"invalid choice: '{value}'" in capsys.readouterr().err


def test_it_runs_as_a_module(tmp_path: Path):
    command = [
        sys.executable,
        "-W",
        "error::RuntimeWarning",
        "-m",
        "panda2020",
        "claims",
        "conv-params-minimal",
    ]
    done = subprocess.run([*command, "--results", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("conv-params-minimal: ✔ supported, at profile first")


def test_the_headline_is_that_of_the_readme(capsys: pytest.CaptureFixture[str]):
    assert program.main(["headline"]) == 0
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    assert capsys.readouterr().out.strip() in readme
