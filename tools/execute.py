"""Execute one notebook with papermill, from the repository root, and store the hashes of its inputs.

python -m tools.execute notebooks/NAME.ipynb executed/NAME.ipynb [--params '{profile: quick}']
python -m tools.execute --inputs executed/.inputs     # rewrite this file if, and only if, the inputs changed
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tools.inputs import ROOT, notebook_hash, outputs_hash, shared_inputs


def declared(notebook: dict[str, Any]) -> list[str]:
    """The names assigned in the cell tagged ``parameters``."""
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            return assigned("".join(cell["source"]))
    return []


def assigned(source: str) -> list[str]:
    """The names a cell's top-level assignments bind."""
    names: list[str] = []
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [t.id for t in targets if isinstance(t, ast.Name)]
    return names


def normalise(notebook: dict[str, Any]) -> None:
    """Remove the parts that differ between two identical executions: times, random ids, machine paths."""
    notebook["metadata"].pop("papermill", None)
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("papermill", None)


def write_if_changed(path: Path, text: str) -> None:
    """Write ``text`` unless the file already holds it, because make compares times."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def inputs(path: Path, params: dict[str, Any]) -> None:
    """Rewrite ``path`` if the shared inputs changed; remove executed notebooks whose source no longer exists."""
    known = {
        n for p in (ROOT / "notebooks").glob("*.ipynb") for n in declared(json.loads(p.read_text("utf-8")))
    }
    if unknown := sorted(set(params) - known):
        raise SystemExit(
            f"PARAMS names {unknown[0]!r}, which no notebook declares; allowed: {', '.join(sorted(known))}"
        )
    for old in path.parent.glob("*.ipynb"):
        if not (ROOT / "notebooks" / old.name).exists():
            old.unlink()
    write_if_changed(path, json.dumps(shared_inputs(params=params), indent=1) + "\n")


def run(source: Path, target: Path, params: dict[str, Any]) -> float:
    """Execute ``source`` into ``target`` and return the seconds. A failure leaves no target."""
    import papermill

    raw = json.loads(source.read_text(encoding="utf-8"))
    names = declared(raw)
    made_from = {"notebook": notebook_hash(source), **shared_inputs(params=params)}
    partial = target.parent / f".{target.stem}.partial.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.environ["SNNCORE_NOTEBOOK"] = (
        source.stem
    )  # exhibits print their own command and link to their notebook
    start = time.perf_counter()
    papermill.execute_notebook(
        source,
        partial,
        parameters={k: v for k, v in params.items() if k in names},
        kernel_name="python3",
        progress_bar=False,
        cwd=str(ROOT),
    )
    seconds = time.perf_counter() - start
    done = json.loads(partial.read_text(encoding="utf-8"))
    normalise(done)
    done["metadata"]["snncore"] = {
        "inputs": made_from,
        "seconds": round(seconds, 1),
        "outputs": outputs_hash(done),
    }
    partial.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(target)
    return seconds


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", type=Path)
    parser.add_argument("target", nargs="?", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--params", default="{}", help="papermill parameters, one YAML mapping")
    given = parser.parse_args(argv)
    params = yaml.safe_load(given.params) or {}
    if not isinstance(params, dict):
        return complain(f"--params must be a YAML mapping such as '{{profile: quick}}', got {given.params!r}")
    if given.inputs:
        inputs(given.inputs, params)
        return 0
    if not (given.source and given.target):
        parser.error("name a notebook and where its executed copy goes")
    from papermill.exceptions import PapermillExecutionError

    try:
        seconds = run(given.source, given.target, params)
    except PapermillExecutionError as error:
        return complain(f"{given.source}: {error.ename}: {error.evalue}")
    print(f"{given.source}: {seconds:.1f} s")
    return 0


def complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
