"""Import direction: a lower layer never imports a higher one, nothing imports in a circle, the methods need torch alone."""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("snncore", "panda2020", "bench", "tools")
CHAPTERS = ("neurons", "energy", "topologies", "conversion", "stdp", "agd", "stochmax", "hybrid", "beyond")

#: Lowest first; within a layer modules may import each other. A name without a dot is a whole package.
LAYERS = (
    {"snncore"},
    {"panda2020.runs"},
    {"panda2020.profiles", "panda2020.networks", "panda2020.variants", "panda2020.statistics"},
    {"panda2020.tasks"},
    {"panda2020.planning"},
    {"panda2020.records", "panda2020.samples", "panda2020.families"},
    {"panda2020.exhibits", "panda2020.claims"},
    {f"panda2020.{chapter}" for chapter in CHAPTERS},
    {"panda2020.contents"},
    {"panda2020.ledger"},
    {"panda2020.cost"},
    {"panda2020.__main__"},
    {"bench"},
    {"tools"},
)
#: Modules of the library that bring data sets and progress bars along; the others need torch and numpy alone.
WITH_DATA = {"_torchvision", "data", "training", "gradients", "folders"}
#: What a module at the library's border reads or writes its files with.
FORMATS = {"nir": {"nir"}, "nir_reader": {"nir"}, "pretrained": {"safetensors"}}


def files() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


FILES = files()


def imported(name: str, source: str, *, package: bool = False) -> set[str]:
    """Full names of all that a module imports, also inside functions; relative imports resolved."""
    names: set[str] = set()
    parents = name.split(".") if package else name.split(".")[:-1]
    tree = ast.parse(source)
    checking = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    typed = {id(inner) for block in checking for inner in ast.walk(block)}  # never imported when it runs
    for node in ast.walk(tree):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) + 1 - node.level] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{start}.{alias.name}" for alias in node.names}
    return names


def modules(names: set[str]) -> set[str]:
    """The modules of the packages among the names, where a name may be something inside one."""
    found = set()
    for name in names:
        while name and name not in FILES:
            name = name.rpartition(".")[0]
        if name:
            found.add(name)
    return found


def imports_of(name: str) -> set[str]:
    path = FILES[name]
    return modules(imported(name, path.read_text("utf-8"), package=path.name == "__init__.py")) - {name}


def level(name: str) -> int:
    found = [n for n, layer in enumerate(LAYERS) for owner in layer if f"{name}.".startswith(f"{owner}.")]
    assert len(found) == 1, f"give {name} its layer in this file"
    return found[0]


def test_the_reader_of_imports_reads_all_kinds():
    source = (
        "import numpy.linalg\nfrom ..a.b import c\nfrom . import d\nfrom snncore import e\n"
        "def f():\n    import g\n    from ...network import h\n"
    )
    assert imported("top.one.two.three", source) == {
        "numpy.linalg", "top.one.a.b.c", "top.one.two.d", "snncore.e", "g", "top.network.h",
    }  # fmt: skip
    assert modules({"snncore.network.Network", "panda2020.runs.store", "torch"}) == {
        "snncore.network", "panda2020.runs.store",
    }  # fmt: skip


@pytest.mark.parametrize("name", [n for n in FILES if n != "panda2020"])
def test_no_module_imports_a_higher_layer(name):
    for other in imports_of(name) - {"panda2020"}:
        assert level(other) <= level(name), f"{name} imports {other}"


def test_nothing_imports_in_a_circle():
    # a package's __init__ that gathers its modules is passed through by them, and no circle
    graph = {
        n: {o for o in imports_of(n) if FILES[o].name != "__init__.py"}
        for n in FILES
        if FILES[n].name != "__init__.py"
    }
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize(
    "name", [n for n in FILES if n.startswith("snncore.") and n.split(".")[1] not in WITH_DATA]
)
def test_method_modules_import_torch_and_numpy_only(name):
    roots = {other.split(".")[0] for other in imported(name, FILES[name].read_text("utf-8"))}
    formats = FORMATS.get(name.split(".")[1], set())
    assert (
        roots
        <= {"torch", "numpy", "numba", "llvmlite", "triton", "snncore"} | formats | sys.stdlib_module_names
    )


def test_no_folder_holds_more_than_twenty_modules_but_the_library():
    for package in PACKAGES:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            count = len(list(folder.glob("*.py")))
            most = {"snncore": 45, "bench": 24, "tools": 24}.get(folder.name, 20)
            assert count <= most, f"{folder.name} holds {count} modules"


def test_no_file_is_longer_than_500_lines():
    files = [path for top in (*PACKAGES, "tests") for path in (ROOT / top).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > 500} == {}
