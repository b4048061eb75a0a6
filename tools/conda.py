"""Write environment.yml from requirements.lock: ``python -m tools.conda``."""

from __future__ import annotations

import sys

from tools.inputs import ROOT

HEAD = """\
# For conda users. Written by `python -m tools.conda` from requirements.lock; tests/test_packaging.py keeps the two in step.
# Afterwards: pip install --no-deps --editable .
name: snncore
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def locked() -> list[str]:
    """The pinned requirements, comments left out."""
    rows = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    return [row.strip() for row in rows if row.strip() and not row.startswith("#")]


def environment() -> str:
    """The required text of environment.yml."""
    return HEAD + "".join(f"      - {row}\n" for row in locked())


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), "utf-8")
    sys.exit(0)
