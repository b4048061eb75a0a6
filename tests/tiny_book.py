"""A small book in a folder of its own: the real pages around the chapters, one chapter with made-up exhibits, the others empty.

It is what the tests of the pages look at where no book is built, as in CI: the theme, the furniture and the exhibits
are the real ones. The API reference and the chapters' own contents are left to the whole book.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure

from panda2020.exhibits.exhibit import figure_html, table_html
from panda2020.runs import Record
from tools import generate

ROOT = Path(__file__).resolve().parents[1]
MADE = {
    "commit": "0" * 40,
    "dirty": False,
    "data_sha256": "f" * 64,
    "device_name": "a CPU",
    "threads": 1,
    "seconds": 1.0,
    "date": "2026-01-01",
    "command": "python -m panda2020 record --profile laptop --table 8 --seeds 0 --results remade",
}
RECORD = Record(
    {
        "key": "0" * 16,
        "spec": {"seed": 0},
        "result": {"total": 10},
        "provenance": MADE,
        "sha256": "1" * 64,
        "labels": {
            "network": "VGG5",
            "role": "snn",
            "profile": "laptop",
            "tables": ["8"],
            "note": "",
            "interpretation": "A",
        },
    },
    Path("made-up.json"),
    "recorded",
)


def chapter(name: str, title: str) -> dict[str, Any]:
    """An executed notebook with a wide table, a figure and a wide formula."""
    wide = pd.DataFrame({f"a rather long heading {i}": ["words " * 8, i] for i in range(8)})
    drawing = Figure(figsize=(6, 3))
    drawing.add_subplot().plot([0, 1], [0, 1])
    shown = [
        table_html(wide, name="Table 8", caption="Wide. " * 30, records=(RECORD,), notebook=name),
        figure_html(
            drawing,
            name="Figure 5",
            caption="A line.",
            alt="A line rises from 0 to 1.",
            notebook=name,
            data=pd.DataFrame({"x": [0, 1]}),
        ),
    ]
    formula = r"$$" + " + ".join(f"U_{{{i}}}[t-1]\\,\\alpha^{{{i}}}" for i in range(20)) + "$$"
    outputs = [{"output_type": "display_data", "data": {"text/html": html}, "metadata": {}} for html in shown]
    return notebook(
        [
            {
                "cell_type": "markdown",
                "metadata": {},
                "source": f"# {title}\n\nA chapter about thresholds.\n\n{formula}\n",
            },
            {
                "cell_type": "code",
                "metadata": {"tags": ["parameters"]},
                "source": 'profile = "quick"  # scale',
                "outputs": [],
                "execution_count": 1,
            },
            {
                "cell_type": "code",
                "metadata": {},
                "source": "show()",
                "outputs": outputs,
                "execution_count": 2,
            },
        ]
    )


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "snncore": {"seconds": 1}}
    named = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]
    return {"cells": named, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def chapters() -> dict[str, str]:
    """Names and titles of the real chapters, in order: pages link to them."""
    return {
        p.stem: generate.title(json.loads(p.read_text("utf-8")))
        for p in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }


def build(root: Path) -> Path:
    """Build the book in ``root`` and return the folder of its pages. Raises ``RuntimeError`` with what Sphinx says."""
    ignore = shutil.ignore_patterns("_generated", "api", "__pycache__")
    shutil.copytree(ROOT / "book", root / "book", ignore=ignore)
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book" / "api").mkdir()
    (root / "book" / "api" / "index.md").write_text("# API reference\n\nNot in this book.\n", "utf-8")
    (root / "executed").mkdir()
    for number, (name, title) in enumerate(chapters().items()):
        empty = notebook([{"cell_type": "markdown", "metadata": {}, "source": f"# {title}\n\nNothing.\n"}])
        content = empty if number else chapter(name, title)
        (root / "executed" / f"{name}.ipynb").write_text(json.dumps(content), "utf-8")
    contents = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))
    for part in contents["parts"]:
        for entry in part["chapters"]:
            entry.pop("sections", None)
    (root / "book" / "_toc.yml").write_text(yaml.safe_dump(contents), "utf-8")
    generate.main(root)
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [
        program,
        "build",
        ".",
        "--config",
        "_config.yml",
        "--toc",
        "book/_toc.yml",
        "--all",
        "-W",
        "-n",
        "--keep-going",
        "--quiet",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the tiny book was not built: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return root / "_build" / "html"
