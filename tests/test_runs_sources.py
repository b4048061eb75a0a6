"""The source hash: exactly the modules a task imports, exactly their code."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
import runs_fake

from snncore.runs import sources

TREE = {
    "pkg/__init__.py": "from pkg.a import A\n",
    "pkg/a.py": "A = 1\n",
    "pkg/b.py": "from . import c\nB = c.C\n",
    "pkg/c.py": "C = 2\n",
    "pkg/late.py": "L = 3\n",
    "pkg/typed.py": "T = 4\n",
    "pkg/other.py": "O = 5\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/task.py": (
        '"""A task."""\nfrom __future__ import annotations\nimport os, numpy.linalg\n'
        "from typing import TYPE_CHECKING\nfrom ..b import B\n"
        "if TYPE_CHECKING:\n    from pkg import typed\nelse:\n    import pkg.a\n"
        "def run():\n    from .. import late\n    return late\n"
    ),
    "pkg/deep/whole.py": "from .. import A\n",
}


def hashed(tree, module="pkg.deep.task"):
    return sources.hash_closure(sources.closure(module, tree.get))


def test_the_closure_is_what_the_task_imports():
    found = sources.closure("pkg.deep.task", TREE.get)
    assert list(found) == ["pkg.a", "pkg.b", "pkg.c", "pkg.deep.task", "pkg.late"]
    # a name that is no submodule comes from the package itself, with all that it imports
    assert list(sources.closure("pkg.deep.whole", TREE.get)) == ["pkg", "pkg.a", "pkg.deep.whole"]
    with pytest.raises(ValueError, match=r"sources of module 'pkg\.none' cannot be found"):
        sources.closure("pkg.none", TREE.get)


@pytest.mark.parametrize("name", ["a", "b", "c", "late", "deep/task"])
def test_code_counts(name):
    path = f"pkg/{name}.py"
    assert hashed({**TREE, path: TREE[path] + "more = 1\n"}) != hashed(TREE)


@pytest.mark.parametrize("name", ["__init__", "typed", "other", "deep/__init__"])
def test_what_is_not_imported_does_not_count(name):
    path = f"pkg/{name}.py"
    assert hashed({**TREE, path: TREE[path] + "more = 1\n"}) == hashed(TREE)


def test_comments_docstrings_and_layout_do_not_count():
    talk = '"""Said at length."""\n# and more\nfrom .  import (c,)\n\n\nB = c.C  # two\n"""Said about B."""\n'
    assert hashed({**TREE, "pkg/b.py": talk}) == hashed(TREE)
    assert sources.normalised('def f(x):\n    "doc"\n    return x') == sources.normalised(
        "def f(x): return x"
    )
    assert sources.normalised('class E(Exception):\n    """a"""') == sources.normalised(
        'class E(Exception):\n    """b"""'
    )


@pytest.mark.parametrize(
    "one, other",
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 'a'", "x = 'b'"),
        ("f(None)", "f()"),
        ("x = {**a}", "x = {None: a}"),
        ("def f(x): return x", "def f(x, /): return x"),
        ("a - b", "a + b"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = ['a']", "x = []"),
        ("import a", "import b"),
    ],
)
def test_different_code_is_different(one, other):
    assert sources.normalised(one) != sources.normalised(other)


def test_the_form_is_frozen():
    # a literal, so that another version of Python that writes the same code differently is noticed
    text = (
        "from a import b\n@d\ndef f(x: int = 1, *y, **z) -> None:\n    'doc'\n"
        "    return f'{x:>{y}}' if x[1:] else None\n"
    )
    assert hashlib.sha256(sources.normalised(text).encode()).hexdigest()[:16] == "2f19488253fc9a8c"


def test_a_real_task_and_git(tmp_path):
    digest, modules = sources.of_task("fake")
    assert {runs_fake.__name__, "snncore.runs.outcome", "snncore.runs.spec"} <= set(modules)
    assert "snncore.runs.store" not in modules and len(digest) == 64

    for path, text in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    first = git("rev-parse", "HEAD")
    (tmp_path / "pkg/c.py").write_text("C = 3\n")
    git("commit", "-qam", "two")
    second = git("rev-parse", "HEAD")

    def at(commit):
        return sources.hash_closure(sources.closure("pkg.deep.task", sources.git_reader(tmp_path, commit)))

    assert at(first) == hashed(TREE)
    assert at(second) == hashed({**TREE, "pkg/c.py": "C = 3\n"}) != at(first)
    with pytest.raises(ValueError, match="git knows no commit"):
        sources.git_reader(tmp_path, "0" * 40)
    with pytest.raises(ValueError, match="sources of module 'no_such_module' cannot be found"):
        sources.disk_reader("no_such_module")
