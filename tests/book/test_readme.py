"""The program in README.md runs as it stands; the commands there and in the book are understood."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml

from panda2020 import __main__ as program
from panda2020.ledger import home
from tools import headline

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_tour_of_the_library_trains_and_counts_energy(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(PROGRAMS) == 1
    seen: dict[str, object] = {}
    exec(compile(PROGRAMS[0], "README.md", "exec"), seen)
    net, report = seen["net"], seen["report"]
    gradients = [p.grad for p in net.parameters()]  # type: ignore[attr-defined]
    assert all(g is not None and torch.isfinite(g).all() and g.any() for g in gradients)
    assert [row.site for row in report.rows] == ["conv1", "conv2.1", "conv2.2", "conv2.3", "fc1", "fc2"]  # type: ignore[attr-defined]
    assert capsys.readouterr().out.startswith(f"{report.efficiency:.1f} times less energy")  # type: ignore[attr-defined]


def commands(start: str) -> list[list[str]]:
    """Every command in README.md, the book's pages and the notebooks' text that begins like this, in words."""
    texts = [TEXT, *(path.read_text("utf-8") for path in sorted((ROOT / "book").glob("*.md")))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    blocks = (block for text in texts for block in re.findall(r"```(?:bash)?\n(.*?)```", text, re.DOTALL))
    lines = (line for block in blocks for line in block.splitlines())
    return [shlex.split(line, comments=True) for line in lines if line.startswith(start)]


def test_commands_about_runs_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    found = commands("python -m panda2020 ")
    assert len(found) > 10
    for words in found:
        try:
            program._parser(words[3]).parse_args(words[3:])
        except SystemExit:
            pytest.fail(f"{shlex.join(words)}: {capsys.readouterr().err.splitlines()[-1]}")


def test_notebooks_have_the_parameters_that_commands_give_them() -> None:
    found = [words for words in commands("papermill ") if "--help-notebook" not in words]
    assert len(found) > 10
    for words in found:
        cells = json.loads((ROOT / words[1]).read_text("utf-8"))["cells"]
        (source,) = [
            "".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])
        ]
        known = set(re.findall(r"^(\w+)\b.*?=", source, re.MULTILINE))
        given = {words[i + 1] for i, word in enumerate(words) if word == "-p"}
        given |= {
            name for i, word in enumerate(words) if word == "-y" for name in yaml.safe_load(words[i + 1])
        }
        assert given and given <= known, f"{shlex.join(words)}: {words[1]} has {', '.join(sorted(known))}"


def test_the_head_of_the_readme_says_what_the_records_say() -> None:
    assert headline.main([], root=ROOT) == 0, "python -m tools.headline --write"


def test_the_command_line_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["headline"]) == 0
    assert capsys.readouterr().out.strip() in TEXT


def test_the_scale_is_that_of_the_recorded_runs() -> None:
    said = home.scale_sentence(home.home(results=ROOT / "results"))
    assert re.search(r"saw \d+\u00a0%", said) and "of the test images right" in said
    assert "the article's VGG3x4 gets 75\u00a0%" in said
    assert home.scale_sentence(home.Home({})) == "No run is recorded yet."


@pytest.mark.parametrize(
    "text",
    [
        "",
        headline.BEGIN,
        f"{headline.END}{headline.BEGIN}",
        f"{headline.BEGIN}{headline.END}{headline.BEGIN}",
    ],
)
def test_a_readme_without_its_marks_is_refused(text: str):
    with pytest.raises(ValueError, match=r"README.md must hold .* each once"):
        headline.replaced(text, "x")


def test_the_block_is_replaced_and_the_rest_kept():
    assert (
        headline.replaced(f"a\n{headline.BEGIN}\nold\n{headline.END}\nb", "new\n")
        == f"a\n{headline.BEGIN}\n\nnew\n\n{headline.END}\nb"
    )


def test_the_tool_notices_a_stale_readme_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = []
    monkeypatch.setattr(headline.home, "home", lambda *, results: asked.append(results))
    monkeypatch.setattr(headline.home, "markdown", lambda found: "What we find.")
    readme = tmp_path / "README.md"
    readme.write_text(f"a\n{headline.BEGIN}\n{headline.END}\nb\n")
    assert (
        headline.main([], root=tmp_path) == 1
        and "python -m tools.headline --write" in capsys.readouterr().err
    )
    assert headline.main(["--write"], root=tmp_path) == 0 and "What we find." in readme.read_text()
    assert headline.main([], root=tmp_path) == 0 and asked == [tmp_path / "results"] * 3
    assert headline.main(["--wirte"], root=tmp_path) == 2
