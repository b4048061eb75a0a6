"""Write the chapters for Colab: ``python -m tools.launch FOLDER --repository URL --commit SHA``.

Colab opens one notebook without its repository. So each copy begins with a cell that clones the repository at the commit,
installs the lock file and changes into the clone. The workflow in ``.github`` pushes the copies to the branch ``launch``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.inputs import ROOT

SETUP = """\
# Colab brings no files of this book: fetch them at the commit that made its pages, and install what the lock names.
# If a package that was loaded already has changed, Colab asks for a restart of the session: do it, and run this cell again.
import os, subprocess, sys

FOLDER = "/content/book" if os.path.isdir("/content") else os.path.abspath("book-checkout")
if not os.path.isdir(FOLDER):
    subprocess.run(["git", "clone", "--quiet", {repository!r}, FOLDER], check=True)
    subprocess.run(["git", "-C", FOLDER, "checkout", "--quiet", {commit!r}], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", f"{{FOLDER}}/requirements.lock"], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", FOLDER], check=True)
os.chdir(FOLDER)
sys.path.insert(0, FOLDER)
"""


def with_setup(notebook: dict[str, Any], *, repository: str, commit: str) -> dict[str, Any]:
    """The notebook with a set-up cell after the title.

    Raises:
        ValueError: an address that is not https, or a commit that is not 40 hexadecimal digits.
    """
    if not re.fullmatch(r"https://[\w.\-/]+", repository):
        raise ValueError(f"repository must be an https address, got {repository!r}")
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ValueError(f"commit must be 40 hexadecimal digits, got {commit!r}")
    source = SETUP.format(repository=repository, commit=commit)
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "colab-setup",
        "metadata": {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }
    first, *others = notebook["cells"]
    return {**notebook, "cells": [first, cell, *others]}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.launch", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to: FOLDER/notebooks/NAME.ipynb")
    parser.add_argument("--repository", required=True, help="its https address")
    parser.add_argument("--commit", required=True, help="40 hexadecimal digits")
    asked = parser.parse_args(arguments)
    place = asked.folder / "notebooks"
    place.mkdir(parents=True, exist_ok=True)
    try:
        for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
            notebook = json.loads(source.read_text("utf-8"))
            made = with_setup(notebook, repository=asked.repository, commit=asked.commit)
            (place / source.name).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
