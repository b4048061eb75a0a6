"""Hashes of the inputs of an executed notebook, so that a stale one is detected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def digest(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over the names (relative to ``root``) and bytes of ``files``, in sorted order."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def shared_inputs(root: Path = ROOT, params: dict[str, Any] | None = None) -> dict[str, str]:
    """Hashes of the inputs of all notebooks: the packages' sources, the recorded results, the paper's values, the parameters.

    The results include the log of verifications, because badges of exhibits depend on it.
    """
    results = [p for p in (root / "results").rglob("*") if p.is_file() and not p.name.startswith(".")]
    results += [p for p in [root / "paper_values.yml"] if p.is_file()]
    sources = [
        path
        for package in ("snncore", "panda2020", "bench")
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return {
        "sources": digest(sources, root),
        "results": digest(results, root),
        "params": json.dumps(params or {}, sort_keys=True),
    }


def notebook_hash(path: Path) -> str:
    """SHA-256 of a notebook's computation: kinds, tags and sources of its cells, without outputs and editor metadata."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kept = [
        [cell["cell_type"], sorted(cell.get("metadata", {}).get("tags", [])), "".join(cell["source"])]
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def outputs_hash(notebook: dict[str, Any]) -> str:
    """SHA-256 of all outputs of an executed notebook, to detect later edits."""
    outputs = [cell.get("outputs", []) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()
