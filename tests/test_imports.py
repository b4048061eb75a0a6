"""Import direction: a lower layer never imports a higher one, and the method modules need torch alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "snncore"

# lowest first; within a layer modules may import each other
LAYERS = (
    {"__init__", "_check", "streams", "launch"},
    {"neurons", "coding", "backres", "stochmax", "hybrid", "network", "activity", "conversion",
     "packing", "simulation", "stdp", "energy", "binary", "kernels", "_loops", "pooling"},
    {"_torchvision", "data", "training", "gradients"},
    {"runs"},
    {"bench"},
    {"paper"},
)
TORCH_ONLY = LAYERS[0] | LAYERS[1]
ALSO = {"kernels": {"numpy"}, "_loops": {"numpy", "numba"}}  # native code takes arrays; without numba PyTorch's path runs
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def owner(module: Path) -> str:
    """The name in ``LAYERS`` a file belongs to: its folder in the package, or its own name."""
    return module.parts[0].removesuffix(".py")


def level(name: str) -> int:
    found = [number for number, layer in enumerate(LAYERS) if name in layer]
    assert len(found) == 1, f"give snncore.{name} its layer in this file"
    return found[0]


def imported(module: Path, source: str) -> set[str]:
    """Full names of all that a file imports, also inside functions; relative imports resolved."""
    names: set[str] = set()
    package = ("snncore", *module.parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{start}.{alias.name}" for alias in node.names}
    return names


def inside(names: set[str]) -> set[str]:
    """The package's own top-level modules among the names."""
    parts = [name.split(".") for name in names]
    return {name[1] for name in parts if name[0] == "snncore" and len(name) > 1
            and any((PACKAGE / name[1]).with_suffix(suffix).exists() for suffix in ("", ".py"))}


def test_the_reader_of_imports_reads_all_kinds():
    source = ("import numpy.linalg\nfrom ..a.b import c\nfrom . import d\nfrom snncore import e\n"
              "def f():\n    import g\n    from ...network import h\n")
    assert imported(Path("runs/tasks/train.py"), source) == {
        "numpy.linalg", "snncore.runs.a.b.c", "snncore.runs.tasks.d", "snncore.e", "g", "snncore.network.h"}
    assert inside({"snncore.network.h", "snncore.runs.store", "snncore.__version__", "torch"}) == {
        "network", "runs"}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_a_higher_layer(module):
    mine = level(owner(module))
    for name in inside(imported(module, (PACKAGE / module).read_text())):
        if module == Path("runs/__main__.py") and name == "paper":
            continue  # the command line names the paper's tables and profiles
        if module == Path("bench/network_step.py") and name == "paper":
            continue  # it times the paper's own networks
        assert level(name) <= mine, f"{module} imports snncore.{name}"


@pytest.mark.parametrize("module", [m for m in MODULES if owner(m) in TORCH_ONLY], ids=str)
def test_method_modules_import_torch_only(module):
    roots = {name.split(".")[0] for name in imported(module, (PACKAGE / module).read_text())}
    assert roots <= {"torch", "snncore"} | ALSO.get(owner(module), set()) | sys.stdlib_module_names
