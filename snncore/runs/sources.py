"""The hash of the sources behind a run: the modules its task imports, as code, not as text.

Imports are followed through the syntax tree, inside functions too, so nothing is executed. `from package
import name` leads to the submodule of that name, or else to the package's own `__init__`; an `__init__` that
Python merely passes through on the way to a submodule is not counted, and neither is what stands under `if
TYPE_CHECKING:`. The tree is written out without positions, docstrings and empty fields, so comments, layout
and the version of Python do not matter.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from .spec import TASKS, task_module

Reader = Callable[
    [str], "str | None"
]  # "snncore/neurons.py" -> its text, or None where there is no such file


def disk_reader(top: str) -> Reader:
    """Read the sources that Python would import, for the top-level packages ``snncore`` and ``top``."""
    roots = {}
    for name in {__name__.split(".")[0], top}:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ValueError(f"the sources of module {name!r} cannot be found")
        roots[name] = (
            Path(found.origin).parent.parent
            if found.submodule_search_locations
            else Path(found.origin).parent
        )

    def read(path: str) -> str | None:
        file = roots[path.split("/")[0].removesuffix(".py")] / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    return read


def git_reader(repository: Path, commit: str) -> Reader:
    """Read the sources as ``commit`` has them; raise ``ValueError`` where the repository does not know it."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            raise ValueError(f"git knows no commit {commit!r} here ({done.stderr.strip()})")
        return done.stdout

    files = set(git("ls-tree", "-r", "-z", "--name-only", "--full-tree", f"{commit}^{{commit}}").split("\0"))
    return lambda path: git("show", f"{commit}:{path}") if path in files else None


def closure(module: str, read: Reader) -> dict[str, str]:
    """The texts of ``module`` and of all it imports from its own package and from ``snncore``, by dotted
    name, sorted.
    """
    tops = {__name__.split(".")[0], module.split(".")[0]}
    found: dict[str, str] = {}

    @functools.cache
    def locate(name: str) -> tuple[str, bool] | None:  # text, is a package
        path = name.replace(".", "/")
        for file, package in ((f"{path}/__init__.py", True), (f"{path}.py", False)):
            if (text := read(file)) is not None:
                return text, package
        return None

    waiting = [module]
    while waiting:
        name = waiting.pop()
        place = locate(name)
        if name in found or place is None:
            continue
        found[name], package = place
        for base, wanted in _imports(ast.parse(place[0]), name if package else name.rpartition(".")[0]):
            if base.split(".")[0] not in tops:
                continue
            submodule = f"{base}.{wanted}"
            waiting.append(submodule if wanted and locate(submodule) else base)
    if module not in found:
        raise ValueError(f"the sources of module {module!r} cannot be found")
    return dict(sorted(found.items()))


def hash_closure(texts: dict[str, str]) -> str:
    """SHA-256 over the names and the normalised code of the modules."""
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\n{normalised(text)}\n".encode())
    return digest.hexdigest()


def normalised(text: str) -> str:
    """The code of one module without comments, layout and strings that stand alone, as docstrings do."""
    return _write(ast.parse(text))


@functools.cache
def of_task(task: str) -> tuple[str, tuple[str, ...]]:
    """Hash and module names of the sources of ``task``, as this process has loaded them.

    Read once per process, and all of the modules are imported then and there: editing a file while a run goes
    on changes neither what the run computes nor what its record says.
    """
    task_module(task)
    texts = closure(TASKS[task], disk_reader(TASKS[task].split(".")[0]))
    for name in texts:
        with contextlib.suppress(
            ImportError
        ):  # a module that cannot be imported here cannot be used by the run either
            importlib.import_module(name)
    return hash_closure(texts), tuple(texts)


def at_commit(task: str, repository: Path, commit: str) -> str:
    """Hash of the sources of ``task`` as ``commit`` has them."""
    task_module(task)
    return hash_closure(closure(TASKS[task], git_reader(repository, commit)))


def _imports(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """(module, name imported from it or "") for every import below ``node``, in a module of ``package``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, "") for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parents = package.split(".")
                base = ".".join(parents[: len(parents) - child.level + 1] + ([base] if base else []))
            yield from ((base, alias.name) for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test).rpartition(".")[2] == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _imports(ast.Module([other], []), package)
        else:
            yield from _imports(child, package)


def _write(value: object) -> str:
    if isinstance(value, ast.Constant):
        return f"={value.value!r}"
    if isinstance(value, ast.AST):
        parts = [
            f"{name}:{_write(item)}"
            for name, item in ast.iter_fields(value)
            if item is not None and item != []
        ]
        return f"{type(value).__name__}({','.join(parts)})"
    if isinstance(value, list):
        kept = [item for item in value if not _is_string(item)]
        return f"[{','.join(map(_write, kept))}]"
    return repr(value)


def _is_string(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
