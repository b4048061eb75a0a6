"""The hash of the sources behind a run, version 2: it covers the definitions that decide its numbers, not whole files.

Imports are followed through the syntax tree from the task's module, also inside functions, so nothing is executed.
``from package import name`` leads to the submodule of that name, or else to the package's own ``__init__``. An
``__init__`` that Python only passes through on the way to a submodule is not counted, and neither is code
under ``if TYPE_CHECKING:``. The store of the runs (``runs`` without its tasks) is not followed: it gives a task its
spec and receives the result, and decides no number.

The hash is SHA-256 over the sorted top-level statements of these modules. Parts that decide no number are omitted:
names of modules, imports, comments, layout, docstrings, arguments of raised errors, annotations of arguments and
results (those of fields stay, because specs are read by them), estimates (functions named ``minutes`` or ``memory``),
``__all__`` and the table of tasks. So a definition may move from one module to another, and a message may be reworded. An
import cannot be distinguished from another one of the same name. A test therefore checks that no two definitions of a
closure share a public name, except for the interface of a task.

Version 1 hashed whole files with their names. No record that is kept holds it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .spec import TASKS, task_module

VERSION = 2

PACKAGES = ("snncore", "panda2020")  # packages whose modules count, in addition to the task's own package

STORES = ("panda2020.runs",)  # not followed

Reader = Callable[[str], "str | None"]  # "snncore/neurons.py" -> its text, or None if there is no such file


def disk_reader(top: str) -> Reader:
    """Read the sources that Python would import, for ``PACKAGES`` (if present) and ``top``."""
    roots = {}
    for name in {*PACKAGES, top}:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            if name != top:
                continue
            raise ValueError(f"the sources of module {name!r} cannot be found")
        roots[name] = (
            Path(found.origin).parent.parent
            if found.submodule_search_locations
            else Path(found.origin).parent
        )

    def read(path: str) -> str | None:
        root = roots.get(path.split("/")[0].removesuffix(".py"))
        return (
            None if root is None or not (root / path).is_file() else (root / path).read_text(encoding="utf-8")
        )

    return read


def git_reader(repository: Path, commit: str) -> Reader:
    """Read the sources at ``commit``.

    Raises:
        ValueError: the repository does not have the commit.
    """

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            raise ValueError(f"git knows no commit {commit!r} here ({done.stderr.strip()})")
        return done.stdout

    files = set(git("ls-tree", "-r", "-z", "--name-only", "--full-tree", f"{commit}^{{commit}}").split("\0"))
    return lambda path: git("show", f"{commit}:{path}") if path in files else None


def closure(module: str, read: Reader, *, stores: Sequence[str] = STORES) -> dict[str, str]:
    """The texts of ``module`` and of all its imports from its own package and ``PACKAGES``, without ``stores``, by sorted name.

    Raises:
        ValueError: the module is not found.
    """
    tops = {*PACKAGES, module.split(".")[0]}
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
        if name in found or place is None or _inside(stores, name):
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
    """SHA-256 over the normalised definitions of the modules, independent of their location."""
    return hashlib.sha256(
        "\n".join(sorted(d for text in texts.values() for d in definitions(text))).encode()
    ).hexdigest()


def definitions(text: str) -> list[str]:
    """The top-level statements of one module as text, without the parts that decide no number."""
    tree = _Essential().visit(ast.parse(text))
    return [_write(statement) for statement in tree.body if not _names_only(statement)]


@functools.cache
def of_task(task: str) -> tuple[str, tuple[str, ...]]:
    """Hash and module names of the sources of ``task``, as this process has loaded them.

    They are read once per process, and all modules are imported at that time. So editing a file during a run
    changes neither the computation nor the hash in its record.
    """
    task_module(task)
    texts = closure(TASKS[task], disk_reader(TASKS[task].split(".")[0]))
    for name in texts:
        with contextlib.suppress(ImportError):  # a module that cannot be imported here is not used by the run
            importlib.import_module(name)
    return hash_closure(texts), tuple(texts)


def at_commit(task: str, repository: Path, commit: str) -> str:
    """Hash of the sources of ``task`` at ``commit``."""
    task_module(task)
    return hash_closure(closure(TASKS[task], git_reader(repository, commit)))


def of_record(source: Mapping[str, Any]) -> tuple[str | None, str]:
    """The hash of the sources named by a record's ``provenance.source``; or None, and the reason."""
    version = source["version"]
    if version == VERSION:
        return source["sha256"], ""
    return (
        None,
        f"its sources are hashed by version {version!r}, and this version of the code knows {VERSION}",
    )


def _inside(stores: Sequence[str], name: str) -> bool:
    return any(f"{name}.".startswith(f"{store}.") for store in stores)


class _Essential(ast.NodeTransformer):
    """Removes the parts of a module that decide no number (see the module's docstring)."""

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if _is_string(node) else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if _type_checking(node) else node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def _names_only(node: ast.stmt) -> bool:
    """Return whether a top-level statement only estimates time or memory, lists exported names, or registers tasks."""
    if isinstance(node, ast.FunctionDef):
        return node.name in ("minutes", "memory")
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func).rpartition(".")[2] == "register"
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return any(isinstance(target, ast.Name) and target.id in ("__all__", "TASKS") for target in targets)


def _type_checking(node: ast.If) -> bool:
    return ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"


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
        elif isinstance(child, ast.If) and _type_checking(child):
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
        return f"[{','.join(map(_write, value))}]"
    return repr(value)


def _is_string(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
