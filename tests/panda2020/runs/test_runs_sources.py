"""The source hash: exactly the modules a task imports, exactly their code."""

from __future__ import annotations

import ast
import collections
import hashlib
import subprocess

import pytest
import runs_fake

from panda2020.runs import Store, provenance, sources
from panda2020.runs.spec import TASKS

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


@pytest.mark.parametrize(
    "one, other",
    [
        ('def f(x):\n    "doc"\n    return x', "def f(x): return x"),
        ('class E(Exception):\n    """a"""', 'class E(Exception):\n    """b"""'),
        ("import a", "from b import c"),
        ("def f():\n    import a\n    return 1", "def f(): return 1"),
        ("def f(x: int) -> str: return x", "def f(x): return x"),
        ("def f():\n    raise ValueError(f'{x} is wrong')", "def f(): raise ValueError('no', 1)"),
        ("def minutes(spec): return 1", "def minutes(spec): return 2"),
        ("__all__ = ['a']", "__all__ = ['b']"),
        ("TASKS: dict = {'a': 'b'}\nregister('c', 'd')", ""),
        ("if typing.TYPE_CHECKING:\n    X = 1\nelse:\n    X = 2", "X = 2"),
        ("a = 1\nb = 2", "b = 2\na = 1"),
    ],
)
def test_what_decides_no_number_does_not_count(one, other):
    assert sources.hash_closure({"m": one}) == sources.hash_closure({"m": other})


def test_modules_may_be_renamed_and_definitions_moved():
    moved = {
        "pkg.new": TREE["pkg/c.py"],
        "pkg.late": "",
        "pkg.deep.task": TREE["pkg/deep/task.py"],
        "pkg.z": TREE["pkg/a.py"] + TREE["pkg/late.py"] + "B = c.C\n",
    }
    assert sources.hash_closure(moved) == hashed(TREE)
    twice = {**moved, "pkg.more": "C = 2"}
    assert sources.hash_closure(twice) != hashed(TREE)  # each definition counts as often as it is there


def test_the_store_of_the_runs_is_not_followed_and_its_tasks_are():
    tree = {
        "panda2020/tasks/t.py": "from . import u\nfrom panda2020.runs.outcome import O\nT = 1\n",
        "panda2020/tasks/u.py": "from panda2020.runs import spec\nU = 1\n",
        "panda2020/runs/__init__.py": "",
        "panda2020/runs/spec.py": "",
        "panda2020/runs/outcome.py": "",
    }
    found = sources.closure("panda2020.tasks.t", tree.get)
    assert list(found) == ["panda2020.tasks.t", "panda2020.tasks.u"]


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
        ("class A:\n    x: int = 1", "class A:\n    x: float = 1"),
        ("def f(): raise ValueError('a')", "def f(): raise TypeError('a')"),
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("class A:\n    def minutes(self): return 1", "class A:\n    def minutes(self): return 2"),
    ],
)
def test_different_code_is_different(one, other):
    assert sources.definitions(one) != sources.definitions(other)


def test_the_form_is_frozen():
    # a literal, so that another version of Python that writes the same code differently is noticed
    text = (
        "from a import b\n@d\ndef f(x: int = 1, *y, **z) -> None:\n    'doc'\n"
        "    return f'{x:>{y}}' if x[1:] else None\n"
    )
    assert hashlib.sha256("".join(sources.definitions(text)).encode()).hexdigest()[:16] == "782f3a7f0527da3a"


def test_a_real_task_and_git(tmp_path):
    digest, modules = sources.of_task("fake")
    assert modules == (runs_fake.__name__,) and len(digest) == 64

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


#: What every task offers, always named with its module, and two pairs of old: ``coding.encode`` and ``training.CODES`` are for
#: images given to a network, ``conversion.encode`` and ``conversion.CODES`` for those given to a converted one.
SHARED = {"Spec", "build", "execute", "first_epoch", "minutes", "memory", "encode", "CODES"}


@pytest.mark.parametrize("task", sorted({*TASKS} - {"fake"}))
def test_no_two_definitions_of_a_closure_share_a_name(task):
    """An import that is turned to another definition of the same name would leave the hash as it is."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for module, text in sources.closure(TASKS[task], sources.disk_reader("snncore")).items():
        for node in ast.parse(text).body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            for name in [getattr(node, "name", None), *(getattr(target, "id", None) for target in targets)]:
                if name is not None and not name.startswith("_"):
                    found[name].add(module)
    assert len(found) > 20
    assert {name for name, modules in found.items() if len(modules) > 1} <= SHARED


def test_every_record_names_its_sources():
    records, errors = Store(provenance.home() / "results").read_all()
    assert len(records) >= 376 and errors == []
    assert [r.key for r in records if sources.of_record(r.provenance["source"])[0] is None] == []


def test_sources_that_cannot_be_named_say_why():
    assert sources.of_record({"version": 2, "sha256": "a" * 64}) == ("a" * 64, "")
    assert sources.of_record({"version": 3, "sha256": "c" * 64}) == (
        None,
        "its sources are hashed by version 3, and this version of the code knows 2",
    )
