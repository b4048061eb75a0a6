"""Reference notebooks: executed with their defaults, with the outputs of the compared cells, and run again by nbval.

    python -m tools.reference --write     # make tests/reference/ from notebooks/
    python -m tools.reference --check     # part of `make test`

Only cells tagged ``nbval-check-output`` are compared, and only their outputs are kept. They print values that are equal on
every machine: shapes, counts, exact arithmetic, and results of comparisons with a tolerance made in the cell. For an
exhibit the plain text is compared, because its HTML names commit and machine. nbval silently skips a notebook without
execution counts, so the tool checks for them first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.check_book import FIGURE
from tools.execute import run
from tools.inputs import ROOT

REFERENCE = ROOT / "tests" / "reference"
CHECKED = "nbval-check-output"


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The code cells, without the parameters that papermill injected."""
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and "injected-parameters" not in cell["metadata"].get("tags", [])
    ]


def is_checked(cell: dict[str, Any]) -> bool:
    return CHECKED in cell["metadata"].get("tags", [])


def write(notebooks: Path, reference: Path) -> None:
    """Execute every notebook and store it as a reference; remove references whose notebook no longer exists."""
    reference.mkdir(parents=True, exist_ok=True)
    for old in reference.glob("*.ipynb"):
        if not (notebooks / old.name).exists():
            old.unlink()
    for source in sorted(notebooks.glob("*.ipynb")):
        target = reference / source.name
        seconds = run(source, target, {})
        done = json.loads(target.read_text("utf-8"))
        del done["metadata"]["snncore"]
        done["metadata"]["language_info"] = {"name": "python"}
        for cell in code_cells(done):
            cell["outputs"] = [output for output in cell["outputs"] if is_checked(cell)]
            for output in cell["outputs"]:
                if "text/html" in output.get("data", {}):
                    output["data"]["text/html"] = FIGURE.sub("EXHIBIT", "".join(output["data"]["text/html"]))
        target.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"{target.name}: {seconds:.1f} s")


def faults(notebooks: Path, reference: Path) -> list[str]:
    """Faults that make the references useless, one sentence each."""
    found = []
    here, there = ({p.name: p for p in folder.glob("*.ipynb")} for folder in (notebooks, reference))
    found += (
        [] if there else ["tests/reference holds no notebook, so nothing would be compared: make reference"]
    )
    found += [
        f"tests/reference/{name} is missing: make reference" for name in sorted(here.keys() - there.keys())
    ]
    found += [
        f"tests/reference/{name} has no notebook: make reference"
        for name in sorted(there.keys() - here.keys())
    ]
    for name in sorted(here.keys() & there.keys()):
        source, kept = (code_cells(json.loads(path.read_text("utf-8"))) for path in (here[name], there[name]))
        if ["".join(c["source"]) for c in source] != ["".join(c["source"]) for c in kept]:
            found.append(
                f"tests/reference/{name} was made from other code than notebooks/{name}: make reference"
            )
        if any(c["execution_count"] is None for c in kept if "".join(c["source"]).strip()):
            found.append(
                f"tests/reference/{name} has cells without an execution count, which nbval would not compare"
            )
        if not any(is_checked(c) and c["outputs"] for c in kept):
            found.append(f"tests/reference/{name} compares nothing: tag a cell that prints with {CHECKED!r}")
    return found


def check(notebooks: Path, reference: Path) -> int:
    """Return 0 if every reference is sound and nbval finds the same outputs again."""
    wrong = faults(notebooks, reference)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    files = sorted(str(p) for p in reference.glob("*.ipynb"))
    if wrong:
        return 1
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-current-env",
        "--numprocesses",
        "auto",
        "--maxprocesses",
        "8",
        "--dist",
        "loadscope",
        "--nbval-sanitize-with",
        str(reference / "sanitize.cfg"),
        "-p",
        "no:cacheprovider",
        *files,
    ]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main(argv: list[str] | None = None) -> int:
    mode = (sys.argv[1:] if argv is None else argv)[:1]
    if mode == ["--write"]:
        write(ROOT / "notebooks", REFERENCE)
        return 0
    if mode == ["--check"]:
        return check(ROOT / "notebooks", REFERENCE)
    print("usage: python -m tools.reference --write | --check", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
