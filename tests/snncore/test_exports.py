"""What `import snncore` offers: every exported name is the one of its module, and none is imported before it is used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import snncore

WHAT = Path(snncore.__file__).read_text()


def test_every_name_is_exported_once_and_known_to_type_checkers():
    assert sorted(snncore.__all__) == sorted(snncore._HOME) and len(set(snncore.__all__)) == len(
        snncore.__all__
    )
    typed = {
        (node.module, name.name)
        for node in ast.walk(ast.parse(WHAT))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for name in node.names
    }
    assert typed == {(module, name) for name, module in snncore._HOME.items()}


@pytest.mark.parametrize("name", snncore.__all__)
def test_a_name_is_its_modules(name):
    home = importlib.import_module(f"snncore.{snncore._HOME[name]}")
    assert getattr(snncore, name) is getattr(home, name) and name in dir(snncore)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="module 'snncore' has no attribute 'Lif'"):
        snncore.Lif  # noqa: B018


def test_importing_the_library_imports_none_of_its_modules():
    code = "import sys, snncore; print([m for m in sys.modules if m.startswith('snncore.')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
