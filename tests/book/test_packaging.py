"""What installs, what is locked and what CI calls stay in step with each other."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml

from tools.conda import environment, locked

if sys.version_info < (3, 11):
    pytest.skip("tomllib came with Python 3.11", allow_module_level=True)
import tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def pins() -> dict[str, str]:
    return {name_of(row): row.partition("==")[2] for row in locked()}


def test_every_locked_requirement_is_one_exact_public_version() -> None:
    for row in locked():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", row), (
            row
        )  # no hosts, paths or local builds
    assert len(pins()) == len(locked())


def test_environment_yml_is_the_lock() -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == environment(), "run: python -m tools.conda"
    assert yaml.safe_load(text)["dependencies"][-1]["pip"] == locked()


@pytest.mark.parametrize("extra", ["", "book", "test"])
def test_the_lock_holds_what_the_project_asks_for(extra: str) -> None:
    from packaging.requirements import Requirement

    wanted = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for text in wanted:
        requirement = Requirement(text)
        assert name_of(requirement.name) in pins(), f"{requirement.name} is not in requirements.lock"
        assert requirement.specifier.contains(pins()[name_of(requirement.name)]), text


def test_the_installed_versions_are_the_locked_ones() -> None:
    if not (Path(sys.prefix) / ".snncore-installed").exists():
        pytest.skip("not running in the environment that make installs")
    for name, pinned in pins().items():
        try:
            assert version(name).split("+")[0] == pinned, name
        except PackageNotFoundError:
            pytest.fail(f"{name} is locked but not installed")


def test_the_package_is_typed_and_carries_its_style_sheet() -> None:
    assert (ROOT / "snncore" / "py.typed").is_file()
    assert (ROOT / "panda2020" / "exhibits" / "exhibits.css").is_file()
    assert PROJECT["name"] == "snncore" and PROJECT["requires-python"] == ">=3.10"


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(
        r"^(make \w+)", re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)[0], re.MULTILINE
    )
    assert commands == ["make book", "make test"]
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert script.rstrip().endswith("exec make test")
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]["check"][
        "steps"
    ]
    assert [step["run"] for step in steps if "run" in step] == ["make book", ".ci/run"]


def test_every_target_the_makefile_names_is_there() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for target in ("book", "test", "notebooks", "reference", "screenshots", "lint", "clean"):
        assert re.search(rf"^{target}:", text, re.MULTILINE), target


def test_citation_names_the_paper() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["preferred-citation"]["doi"] == "10.3389/fnins.2020.00653"
    assert cited["version"] == PROJECT["version"]


def test_notebooks_are_kept_without_outputs_and_with_titles() -> None:
    import json

    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        assert "".join(cells[0]["source"]).startswith("# "), f"{path.name} needs a title"
        for cell in cells:
            assert not cell.get("outputs"), f"{path.name} has outputs"
            assert cell.get("execution_count") is None, f"{path.name} has execution counts"
        tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
        assert tags.count("parameters") == 1, f"{path.name} needs one cell tagged 'parameters'"
