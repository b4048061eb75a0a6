"""Every rule of the gate, on a made-up book that breaks it; and a sound one that passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from panda2020.exhibits.exhibit import table_html
from panda2020.runs import Record
from panda2020.runs.store import seal
from tools import check_book, reference
from tools.check_book import (
    check,
    check_pages,
    external_requests,
    missing_alt,
    same_value,
    table_against_csv,
    unresolved,
)
from tools.inputs import notebook_hash, outputs_hash, shared_inputs

TABLE = pd.DataFrame({"net": ["A", "B"], "accuracy": [75.0123, 50.0]})


def exhibit(records: tuple[Record, ...] = ()) -> str:
    return table_html(
        TABLE, name="Table 8", caption="Accuracies.", records=records, formats={"accuracy": ".1f"}
    )


def code(
    source: str, *, outputs: list[Any] | None = None, count: int | None = None, tags: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": outputs or [],
        "execution_count": count,
    }


def shows(html: str) -> list[Any]:
    return [{"output_type": "display_data", "data": {"text/html": html}, "metadata": {}}]


class Book:
    """A small sound book on disk; tests break it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("notebooks", "executed", "results", "runs", "snncore", "_build/html/executed"):
            (root / folder).mkdir(parents=True)
        (root / "snncore" / "a.py").write_text("x = 1\n")
        labels = {"network": "A", "role": "ann", "profile": "laptop", "tables": ["8"], "interpretation": "A"}
        made = {
            "commit": "0" * 40,
            "dirty": False,
            "data_sha256": "f" * 64,
            "device_name": "a CPU",
            "threads": 1,
            "seconds": 1.0,
            "date": "2026-01-01",
            "command": "remake",
        }
        data = seal(
            {
                "key": "0" * 16,
                "spec": {"seed": 0},
                "labels": labels,
                "result": {"total": 10},
                "provenance": made,
            }
        )
        self.record = root / "results" / f"{'0' * 16}.json"
        self.record.write_text(json.dumps(data))
        self.html = exhibit((Record(data, self.record, "recorded"),))
        self.cells = [
            {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
            code('profile = "quick"  # quick', count=1, tags=("parameters",)),
            code("show()", count=2, outputs=shows(self.html)),
        ]
        self.write_source()
        self.write_executed()
        self.write_page(f"<main><h1>Title</h1>{self.html}</main>")
        (root / "_build/html/index.html").write_text("<main>start</main>")

    def write_source(self) -> None:
        bare = [
            {**c, "outputs": [], "execution_count": None} if c["cell_type"] == "code" else c
            for c in self.cells
        ]
        (self.root / "notebooks" / "01.ipynb").write_text(json.dumps({"cells": bare}))

    def write_executed(self) -> None:
        notebook: dict[str, Any] = {"cells": self.cells, "metadata": {}}
        made_from = {
            "notebook": notebook_hash(self.root / "notebooks" / "01.ipynb"),
            **shared_inputs(self.root),
        }
        notebook["metadata"]["snncore"] = {
            "inputs": made_from,
            "outputs": outputs_hash(notebook),
            "seconds": 1.0,
        }
        (self.root / "executed" / "01.ipynb").write_text(json.dumps(notebook))

    def write_page(self, body: str) -> None:
        (self.root / "_build/html/executed" / "01.html").write_text(f"<html><body>{body}</body></html>")

    def faults(self) -> str:
        return "\n".join(check(self.root))


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_a_sound_book_passes(book: Book) -> None:
    assert book.faults() == ""


def test_no_book_is_a_fault(tmp_path: Path) -> None:
    assert check(tmp_path) == ["_build/html: there is no built book: make book"]


def test_an_error_output_fails(book: Book) -> None:
    book.cells[2]["outputs"].append(
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    )
    book.write_executed()
    assert "cell 3 ended in ValueError: no" in book.faults()


def test_a_cell_that_was_not_executed_fails(book: Book) -> None:
    book.cells[2]["execution_count"] = None
    book.write_executed()
    assert "cell 3 was not executed" in book.faults()


def test_an_undeclared_injected_parameter_fails(book: Book) -> None:
    book.cells.insert(2, code('profile = "quick"\nprofle = "laptop"', count=2, tags=("injected-parameters",)))
    book.write_executed()
    assert "injected 'profle', which the parameters cell does not declare" in book.faults()


@pytest.mark.parametrize(
    ("file", "word"), [("snncore/a.py", "the package"), ("results/new.json", "the recorded results")]
)
def test_changed_inputs_fail(book: Book, file: str, word: str) -> None:
    (book.root / file).write_text("x = 2\n")
    assert f"{word} changed after it was executed" in book.faults()


def test_a_changed_notebook_fails_and_a_missing_one_too(book: Book) -> None:
    book.cells[2]["source"] = "show(more)"
    book.write_source()
    assert "the notebook changed after it was executed" in book.faults()
    (book.root / "executed" / "01.ipynb").unlink()
    assert "executed/01.ipynb: missing" in book.faults()


def test_edited_outputs_fail(book: Book) -> None:
    path = book.root / "executed" / "01.ipynb"
    path.write_text(path.read_text().replace("75.0", "95.0"))
    assert "its outputs were changed after it was executed" in book.faults()


def test_a_path_of_the_building_machine_fails(book: Book) -> None:
    warning = {"output_type": "stream", "name": "stderr", "text": f"{book.root}/.venv/lib/x.py: a warning"}
    book.cells[2]["outputs"].append(warning)
    book.write_executed()
    assert "cell 3 shows a path of this machine" in book.faults()


def test_a_notebook_executed_by_hand_fails(book: Book) -> None:
    path = book.root / "executed" / "01.ipynb"
    path.write_text(json.dumps({"cells": book.cells, "metadata": {}}))
    assert "does not say what it was made from" in book.faults()


def test_a_page_that_shows_other_numbers_than_the_notebook_fails(book: Book) -> None:
    book.write_page(f"<main>{book.html.replace('75.0', '95.0')}</main>")
    assert "an exhibit of it is not on its page" in book.faults()


def test_a_table_that_differs_from_its_csv_fails() -> None:
    assert list(table_against_csv(exhibit())) == []
    assert list(table_against_csv(exhibit().replace(">75.0<", ">75.1<"))) == [
        "Table 8 shows '75.1' where its CSV has '75.0123'"
    ]
    assert "different shapes" in next(
        table_against_csv(exhibit().replace("<tbody>", "<tbody><tr><td>C</td></tr>"))
    )
    assert "no CSV" in next(table_against_csv(exhibit().replace('.csv"', '.txt"')))


@pytest.mark.parametrize(
    ("shown", "kept", "same"),
    [
        ("75.0", "75.0123", True),
        ("75.1", "75.0123", False),
        ("75.01", "75.0123", True),
        ("12,345", "12345", True),
        ("–", "", True),
        ("–", "3", False),
        ("1e-07", "1e-07", True),
        ("1.2e+03", "1234.5", True),
        ("1.3e+03", "1234.5", False),
        ("75.0%", "0.7501", True),
        ("70.0%", "0.7501", False),
        ("VGG5", "VGG5", True),
        ("VGG5", "VGG7", False),
        ("64C3 P", "`64C3 P`", True),
        ("3", "2.5", True),
        ("4", "2.5", False),
        ("−3\u00a0to\u00a0+1", "-3 to +1", True),
        ("−3\u00a0to\u00a0+1", "3 to +1", False),
        ("−5.8\u00a0to\u00a0+1.1", "-5.75753 to 1.09086", True),
        ("−5.8\u00a0to\u00a0+1.2", "-5.75753 to 1.09086", False),
    ],
)
def test_a_shown_value_is_the_kept_one_rounded(shown: str, kept: str, same: bool) -> None:
    assert same_value(shown, kept) is same


def test_a_record_that_is_gone_or_changed_fails(book: Book) -> None:
    data = json.loads(book.record.read_text())
    data["result"]["total"] = 11
    book.record.write_text(json.dumps(data))
    assert f"shows another content of run {'0' * 16}" in book.faults()
    book.record.write_text("{torn")
    assert f"shows another content of run {'0' * 16}" in book.faults()
    book.record.unlink()
    assert f"rests on run {'0' * 16}, which is neither in results/ nor in runs/" in book.faults()


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img alt="x" src="http://example.org/x.png">',
        '<img alt="x" srcset="a.png 1x, https://example.org/b.png 2x">',
        '<iframe src="https://example.org"></iframe>',
        "<style>@import 'https://example.org/x.css';</style>",
        "<style>@font-face{src:url(https://example.org/f.woff)}</style>",
        "<p style=\"background:url('https://example.org/x.png')\">x</p>",
        '<object data="https://example.org/x.svg"></object>',
        '<svg><image href="https://example.org/x.png"/></svg>',
    ],
)
def test_a_request_to_the_network_fails(markup: str) -> None:
    assert len(list(external_requests(BeautifulSoup(markup, "html.parser")))) == 1


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="https://example.org">a link to follow</a>',
        '<link rel="canonical" href="https://example.org">',
        '<img alt="x" src="data:image/svg+xml;base64,AA==">',
        '<script src="_static/x.js"></script>',
        "<p>https://example.org</p>",
        '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    ],
)
def test_what_loads_nothing_passes(markup: str) -> None:
    assert list(external_requests(BeautifulSoup(markup, "html.parser"))) == []


def test_a_style_sheet_that_loads_from_the_network_fails(book: Book) -> None:
    (book.root / "_build/html/x.css").write_text("@font-face { src: url('https://example.org/f.woff2') }")
    assert "x.css: a style sheet loads https://example.org/f.woff2" in book.faults()


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="x.png">',
        '<img src="x.png" alt="">',
        '<img src="x.png" alt="  ">',
        '<img src="x.png" alt="x.png">',
        '<img src="figures/rates_by_layer.svg" alt="rates_by_layer">',
        "<svg><path/></svg>",
        '<svg role="img" aria-label=""><path/></svg>',
        '<object data="a.svg"></object>',
        '<embed src="a.svg">',
        '<input type="image" src="a.png">',
    ],
)
def test_an_image_without_alt_text_fails(markup: str) -> None:
    assert len(list(missing_alt(BeautifulSoup(markup, "html.parser")))) == 1
    assert list(missing_alt(BeautifulSoup('<img src="x.png" alt="a line">', "html.parser"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "<p>&lt;Figure size 640x480 with 1 Axes&gt;</p>",
        "<p>see {glue:text}`acc`</p>",
        '<div class="output"><pre>&lt;Figure size 640x480 with 1 Axes&gt;</pre></div>',
        "<p>in {numref}`fig`</p>",
    ],
)
def test_what_did_not_resolve_fails(text: str) -> None:
    assert len(list(unresolved(BeautifulSoup(f"<main>{text}</main>", "html.parser")))) == 1


def test_code_may_speak_of_glue() -> None:
    page = BeautifulSoup("<main><code>{glue:text}</code><pre>&lt;Figure size&gt;</pre></main>", "html.parser")
    assert list(unresolved(page)) == []


def test_a_link_to_a_missing_file_fails(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#x">b</a><a href="#here">h</a><a href="https://x">w</a>')
    assert check_pages(tmp_path) == ["a.html: a link leads nowhere: b.html"]


def test_a_missing_script_or_style_sheet_fails(tmp_path: Path) -> None:
    (tmp_path / "here.js").write_text("")
    (tmp_path / "a.html").write_text(
        '<link rel="stylesheet" href="x.css?v=1"><link rel="next" href="y.html"><script src="here.js?v=2"></script>'
        '<script src="gone.js"></script><img alt="dots" src="data:image/png;base64,AA,A"><script>let x</script>'
    )
    assert check_pages(tmp_path) == [
        "a.html: <link> loads what is not there: x.css",
        "a.html: <script> loads what is not there: gone.js",
    ]


def test_the_gate_ends_with_an_error_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_book, "check", lambda: ["page: fault"])
    assert check_book.main() == 1
    assert "page: fault" in capsys.readouterr().err
    monkeypatch.setattr(check_book, "check", lambda: [])
    assert check_book.main() == 0


# References for nbval -----------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("notebooks", "reference"):
        (tmp_path / name).mkdir()
    return tmp_path / "notebooks", tmp_path / "reference"


def keep(folder: Path, *cells: dict[str, Any]) -> None:
    (folder / "01.ipynb").write_text(json.dumps({"cells": list(cells)}))


PRINTED = [{"output_type": "stream", "name": "stdout", "text": "3\n"}]


def test_a_sound_reference_passes(pair: tuple[Path, Path]) -> None:
    keep(pair[0], code("print(3)", tags=("nbval-check-output",)))
    keep(pair[1], code("print(3)", tags=("nbval-check-output",), count=1, outputs=PRINTED))
    assert reference.faults(*pair) == []


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (code("print(3)", tags=("nbval-check-output",), outputs=PRINTED), "without an execution count"),
        (code("print(4)", tags=("nbval-check-output",), outputs=PRINTED, count=1), "other code"),
        (code("print(3)", outputs=PRINTED, count=1), "compares nothing"),
        (code("print(3)", tags=("nbval-check-output",), count=1), "compares nothing"),
    ],
)
def test_a_reference_that_compares_nothing_fails(
    pair: tuple[Path, Path], kept: dict[str, Any], said: str
) -> None:
    keep(pair[0], code("print(3)", tags=("nbval-check-output",)))
    keep(pair[1], kept)
    assert said in "\n".join(reference.faults(*pair))


def test_missing_and_leftover_references_fail(pair: tuple[Path, Path]) -> None:
    keep(pair[0], code("print(3)"))
    nothing, missing = reference.faults(*pair)
    assert "holds no notebook, so nothing would be compared" in nothing and "01.ipynb is missing" in missing
    assert reference.check(*pair) == 1
    (pair[0] / "01.ipynb").rename(pair[1] / "01.ipynb")
    assert "has no notebook" in reference.faults(*pair)[0]
