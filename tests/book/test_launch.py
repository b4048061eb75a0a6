"""Launch and publish: buttons, Binder's files, Colab's notebooks, the workflow, and README's tour of an installed wheel."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tools import launch, tour

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def extension():
    spec = importlib.util.spec_from_file_location("launch_buttons", ROOT / "book" / "_ext" / "launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options(url: str) -> SimpleNamespace:
    return SimpleNamespace(
        html_theme_options={"repository_url": url, "launch_buttons": dict(CONFIG["launch_buttons"])}
    )


def test_without_an_address_there_are_no_buttons(monkeypatch):
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    config = options("")
    extension().configure(None, config)
    assert config.html_theme_options == {"repository_url": "", "launch_buttons": {}}


def test_the_address_is_the_configured_one_or_that_of_the_workflow(monkeypatch):
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/book")
    for given, expected in (
        ("", "https://github.com/someone/book"),
        ("https://github.com/a/b", "https://github.com/a/b"),
    ):
        config = options(given)
        extension().configure(None, config)
        assert config.html_theme_options["repository_url"] == expected
        assert config.html_theme_options["launch_buttons"] == CONFIG["launch_buttons"]


def test_the_themes_buttons_lead_to_the_notebooks():
    """The theme makes its buttons for a page of an executed chapter; ours are their addresses."""
    from sphinx_book_theme.header_buttons.launch import add_launch_buttons

    theme = options("https://github.com/someone/book").html_theme_options | {"repository_branch": "main"}
    app = SimpleNamespace(
        env=SimpleNamespace(
            doc2path=lambda page: f"{page}.ipynb",
            metadata={"executed/07_agd": {"kernelspec": {"name": "python3"}}},
        ),
        config={"html_theme_options": theme},
    )
    context = {
        "header_buttons": [],
        "sourcename": "executed/07_agd.ipynb",
        "pagename": "executed/07_agd",
        "github_url": "https://github.com",
        "github_user": "someone",
        "github_repo": "book",
    }
    page = "executed/07_agd"
    add_launch_buttons(app, page, "page.html", context, None)
    extension().lead_to_sources(app, page, "page.html", context, None)
    found = {b["text"]: b["url"] for b in extension()._links(context["header_buttons"]) if b.get("url")}
    assert (
        found["Binder"]
        == "https://mybinder.org/v2/gh/someone/book/main?urlpath=lab/tree/notebooks/07_agd.ipynb"
    )
    assert (
        found["Colab"]
        == "https://colab.research.google.com/github/someone/book/blob/launch/notebooks/07_agd.ipynb"
    )


def test_buttons_of_other_pages_stay():
    context = {"header_buttons": [{"text": "Binder", "url": "https://x/executed/y"}]}
    extension().lead_to_sources(None, "book/index", "", context, None)
    assert context["header_buttons"][0]["url"] == "https://x/executed/y"


def test_colab_copies_begin_with_the_cell_that_makes_the_environment(tmp_path):
    command = ["--repository", "https://github.com/someone/book", "--commit", COMMIT]
    assert launch.main([str(tmp_path), *command]) == 0
    sources = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert [p.name for p in sorted((tmp_path / "notebooks").iterdir())] == [p.name for p in sources]
    for source in sources:
        before = json.loads(source.read_text("utf-8"))["cells"]
        after = json.loads((tmp_path / "notebooks" / source.name).read_text("utf-8"))["cells"]
        assert [after[0], *after[2:]] == before
        text = "".join(after[1]["source"])
        compile(text, source.name, "exec")
        assert (
            "'https://github.com/someone/book'" in text
            and f"'{COMMIT}'" in text
            and "requirements.lock" in text
        )


@pytest.mark.parametrize(
    ("repository", "commit", "message"),
    [
        ("git@github.com:a/b", COMMIT, "repository must be an https address, got 'git@github.com:a/b'"),
        ("https://github.com/a/b", "main", "commit must be 40 hexadecimal digits, got 'main'"),
    ],
)
def test_colab_copies_need_an_address_and_a_commit(repository, commit, message, tmp_path, capsys):
    assert launch.main([str(tmp_path), "--repository", repository, "--commit", commit]) == 1
    assert capsys.readouterr().err.strip() == message


def test_binder_installs_the_lock_and_the_project():
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").splitlines()
    assert "-r ../requirements.lock" in lines
    version = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    assert f"python={version}" in (ROOT / "environment.yml").read_text("utf-8")
    build = ROOT / "binder" / "postBuild"
    assert os.access(build, os.X_OK) and "--no-deps" in build.read_text("utf-8")


def test_the_workflow_publishes_nothing_that_was_not_tested():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    for name in ("publish", "launch", "release"):
        assert set(jobs[name]["needs"]) == {"check", "tour"} and "if" in jobs[name]
    assert jobs["tour"]["needs"] == "wheel"
    runs = [step["run"] for step in jobs["tour"]["steps"] if "run" in step]
    assert runs[-1] == "python -I sources/tools/tour.py sources/README.md"
    for job in jobs.values():
        assert all("@" in step["uses"] for step in job["steps"] if "uses" in step)


def test_the_tour_runs_readmes_blocks_in_order(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# x\n\n```python\na = 2\n```\n\ntext\n\n```bash\nls\n```\n\n```python\nprint(a + 1)\n```\n"
    )
    assert tour.blocks(page.read_text()) == ["a = 2\n", "print(a + 1)\n"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "tour.py"), str(page)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3\n2 blocks ran on Python")
    assert tour.blocks((ROOT / "README.md").read_text("utf-8"))


def test_a_tour_without_programs_or_with_a_broken_one_fails(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    assert tour.main([str(page)]) == 1 and "must hold a Python block, got none" in capsys.readouterr().err
    assert tour.main([]) == 2
    page.write_text("```python\nraise KeyError('x')\n```\n")
    with pytest.raises(KeyError):
        tour.main([str(page)])
