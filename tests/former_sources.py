"""Version 1 of the source hash, and the table that says which hash of version 2 the same sources have.

``python -m tests.former_sources > results/sources.json`` makes the table again from the records and the git history.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from panda2020.runs import sources

ROOT = Path(__file__).resolve().parents[1]


def version1(texts: dict[str, str]) -> str:
    """SHA-256 over the names and the code of whole modules, strings that stand alone left out."""
    whole = "".join(f"{name}\n{_write(ast.parse(text))}\n" for name, text in sorted(texts.items()))
    return hashlib.sha256(whole.encode()).hexdigest()


def recorded(results: Path) -> Iterator[tuple[str, str, str]]:
    """(hash of version 1, commit, module) of every run that holds one."""
    for file in sorted(results.glob("*.json")):
        data = json.loads(file.read_text())
        if "key" in data and "version" not in (made := data["provenance"])["source"]:
            yield (
                made["source"]["sha256"],
                made["commit"],
                f"{sources.FORMER}.{data['task'].replace('-', '_')}",
            )


def row(digest: str, commit: str, module: str) -> dict[str, str]:
    """One row of the table, from the sources that ``commit`` has; raise ``ValueError`` unless they have that hash."""
    read = sources.git_reader(ROOT, commit)
    if (found := version1(sources.closure(module, read, stores=()))) != digest:
        raise ValueError(f"the sources of {module} at {commit} have hash {found}, not {digest}")
    return {
        "module": module,
        "commit": commit,
        "version1": digest,
        "version2": sources.hash_closure(sources.closure(module, read)),
    }


def table(results: Path) -> list[dict[str, str]]:
    """One row for every hash of version 1, from the first of the recording commits."""
    first = {digest: (commit, module) for digest, commit, module in sorted(recorded(results), reverse=True)}
    return [row(digest, *place) for digest, place in sorted(first.items(), key=lambda item: item[1][1])]


def _write(value: object) -> str:
    if isinstance(value, ast.Constant):
        return f"={value.value!r}"
    if isinstance(value, ast.AST):
        kept = ((name, item) for name, item in ast.iter_fields(value) if item is not None and item != [])
        return f"{type(value).__name__}({','.join(f'{name}:{_write(item)}' for name, item in kept)})"
    if isinstance(value, list):
        return f"[{','.join(_write(item) for item in value if not sources._is_string(item))}]"
    return repr(value)


if __name__ == "__main__":
    print(json.dumps(table(ROOT / "results"), indent=1))
