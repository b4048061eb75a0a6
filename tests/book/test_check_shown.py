"""What a page shows against what it comes from: every rule on a sound chapter, and on one with a fault put in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import check_shown
from tools.check_shown import chapter, fragments, missing_exhibits, other_parameters

PROSE = """# Title

The run takes 12 steps and $x = 3$ of them count; {cite}`panda2020` says 0.95 to 0.99 of *them*.

- alpha is -0.25 here
"""
FIGURE = '<figure class="snn-exhibit" data-exhibit="Table 8">75.0</figure>'
PAGE = (
    "<main><article><h1>Title</h1><p>The run takes 12 steps and \\(x = 3\\) of them count; <a>[Panda 2020]</a> "
    "says 0.95 to 0.99 of <em>them</em>.</p><ul><li>alpha is −0.25 here</li></ul>"
    "<p>A finding of 34.5 per cent.</p>"
    f"<pre>8 runs, <b>13</b> rows</pre>{FIGURE}</article></main>"
)


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": list(outputs)}


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": [text]}


def notebook(params: str = "{}") -> dict[str, Any]:
    finding = {"output_type": "display_data", "data": {"text/markdown": ["A **finding** of 34.5 per cent."]}}
    table = {"output_type": "display_data", "data": {"text/html": [FIGURE]}}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": PROSE.splitlines(keepends=True)},
        code("steps = 3", tags=("parameters",)),
        code("show()", printed("8 runs, 13 rows\n"), table, finding),
    ]
    return {"cells": cells, "metadata": {"snncore": {"inputs": {"params": params}}}}


def faults(done: dict[str, Any], page: str = PAGE) -> list[str]:
    source = json.loads(json.dumps(notebook()))
    return list(chapter(done, source, page))


def test_a_sound_chapter_passes() -> None:
    done = notebook()
    done["cells"].insert(2, code("steps = 5", tags=("injected-parameters",)))
    assert faults(done) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Traceback (most recent call last):\n  File ...\n", "stderr"),
        ("/x/y.py:3: UserWarning: this is wrong\n", "stderr"),
        ("ValueError: no\n", "stdout"),
    ],
)
def test_a_complaint_that_is_printed_fails(text: str, name: str) -> None:
    done = notebook()
    done["cells"][2]["outputs"].append(printed(text, name))
    assert faults(done)[0].startswith("cell 3 prints ")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_edited_text_or_code_fails(number: int) -> None:
    done = notebook()
    done["cells"][number]["source"] = "# another"
    assert f"cell {number + 1} is not the one of its source" in faults(done)
    del done["cells"][number]
    assert "it has 2 cells, its source 3" in faults(done)


@pytest.mark.parametrize(
    ("shown", "instead", "words"),
    [
        ("12 steps", "13 steps", "'The run takes 12 steps and'"),
        ("0.95 to", "0.96 to", "'says 0.95 to 0.99 of them'"),
        ("0.99 of", "9.9 of", "'says 0.95 to 0.99 of them'"),
        ("−0.25", "0.25", "'alpha is -0.25 here'"),
        ("34.5", "43.5", "'A finding of 34.5 per cent'"),
        (">75.0<", ">76.0<", "its page does not show what cell 3 displays"),
        ("8 runs", "9 runs", "the printed line '8 runs, 13 rows'"),
        ("<b>13</b>", "<b>1</b>3.5", "the printed line"),
    ],
)
def test_a_number_changed_on_the_page_fails(shown: str, instead: str, words: str) -> None:
    assert shown in PAGE
    (fault,) = faults(notebook(), PAGE.replace(shown, instead))
    assert words in fault


def test_a_chapter_executed_with_other_parameters_fails() -> None:
    books = {"01": notebook(), "02": notebook(), "03": notebook('{"profile": "laptop"}')}
    (fault,) = other_parameters(books)
    assert fault.startswith(
        'executed/03.ipynb: it was executed with {"profile": "laptop"}, the others with {}'
    )
    assert list(other_parameters({"01": notebook()})) == [] == list(other_parameters({}))


def test_exhibits_and_chapters_that_are_gone_fail(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    listed = {"01": ["Table 8"], "02": ["Table 8", "Figure 2"], "03": []}
    (tmp_path / check_shown.LIST).write_text(json.dumps(listed))
    found = list(missing_exhibits({"01": notebook(), "02": notebook(), "04": notebook()}, tmp_path))
    assert [fault.split(": python")[0] for fault in found] == [
        "executed/02.ipynb: the list of exhibits tools/exhibits.json differs, the chapter lacks Figure 2",
        "executed/03.ipynb: a chapter is missing",
        "executed/04.ipynb: a chapter is new",
    ]
    other = notebook('{"profile": "laptop"}')  # shows what that profile has
    assert list(missing_exhibits({"01": other}, tmp_path)) == []


def test_what_is_generated_is_compared_with_its_page_and_its_script(tmp_path: Path) -> None:
    for folder in ("book", "_build/html/book", "_build/html/_static"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "book/index.md").write_text("# Start\n\n```{include} _generated/ledger.md\n```\n")
    page = tmp_path / "_build/html/book/index.html"
    script = tmp_path / "_build/html/_static/calculator_data.js"
    page.write_text("<article>Of 60 statements 8 are supported, by +1.2 [+0.4, +2.0] points.</article>")
    script.write_text("data = 1;\n")
    generated = {
        "ledger.md": "Of **60** statements 8 are supported, by +1.2 [+0.4, +2.0] points.\n",
        "static/calculator_data.js": "data = 1;\n",
    }
    assert list(fragments(tmp_path, generated)) == []
    page.write_text(page.read_text().replace("+0.4", "-0.4"))
    script.write_text("data = 2;\n")
    interval, data = fragments(tmp_path, generated)
    assert interval.startswith(
        "book/index.html: ledger.md: its page does not say 'Of 60 statements 8 are supported"
    )
    assert data == "_static/calculator_data.js: it is not what tools.generate gives"
