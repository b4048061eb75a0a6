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
from panda2020.claims.evidence import PROFILES
from panda2020.ledger import command as ledger_command
from panda2020.ledger.command import in_full, listed
from panda2020.ledger.ledger import ledger


def main(words):
    return program.main(["claims", *words])


FIRST = PROFILES[0]

pytestmark = pytest.mark.usefixtures("stated_energies")

IDS = ("agd-loss", "backres-limit")


@pytest.fixture
def made():
    return ledger(
        FIRST,
        known={name: claim(name) for name in IDS},
        found=World({("acc", "VGG2x8", "ann"): 0.55}).evidence(),
        estimators={name: contents.estimators()[name] for name in IDS},
    )


def test_one_claim_in_full(made):
    text = in_full(made.judgements["agd-loss"])
    assert text.startswith(
        f"agd-loss: ✔ supported, at profile {FIRST}\n“minimal accuracy loss (~2 - 3%)” (section 8.1, Table 8)\n"
    )
    for said in (
        "1. SNN VGG5, T = 25 minus ANN VGG5 (decides): 0.000 points [−0.020 to 0.020] (95 % over 3 seeds, "
        "their variance pooled over 4 networks (8 degrees of freedom), and the test images)",
        "seeds 0, 1, 2",
        "claimed at least −4 (a loss of up to 3, widened by 1 point",
        "✔ supported, size as stated",
        "could have shown: ± 0.0196 points: shown by a mean of at least −3.98 points",
        "(shown beside)",
        "rests on: 18 runs, 3 seeds",
        f"VGG5-ann-None-0  VGG5 ann, seed 0, recorded, commit {MADE['commit'][:10]}",
    ):
        assert said in text
    assert "✘ contradicted, direction opposite" in in_full(made.judgements["backres-limit"])


def test_all_claims_in_a_line_each(made):
    rows = listed(made).splitlines()
    assert rows[0].split()[:3] == ["✔", "supported", "agd-loss"]
    assert rows[1].split()[:3] == ["✘", "contradicted", "backres-limit"]
    assert rows[-1] == (
        f"profile {FIRST}, 2 claims, 2 counted: 1 supported, 0 direction only, 1 contradicted, 0 open, 0 not testable, "
        "0 not recorded, 0 by construction"
    )


def test_what_is_missing_comes_with_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["agd-vanishing", "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (
        "agd-vanishing: ○ not recorded, at profile laptop" in text
        and "SNN VGG7-agd, T = 25: seeds 0, 1, 2, 3, 4" in text
    )
    assert "record them: python -m panda2020 record --profile laptop --table 8" in text


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
    assert done.stdout.startswith("conv-params-minimal: ≡ by construction, at profile laptop")
