"""The reader's own file of printed table cells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from panda2020.exhibits import exhibit, printed


def test_no_file_no_cells(tmp_path: Path) -> None:
    assert printed.printed("Table 8", folder=tmp_path) == []


def test_cells_of_one_exhibit_in_order(tmp_path: Path) -> None:
    (tmp_path / printed.FILE).write_text(
        '"Table 8":\n  "VGG5, SNN":\n    "accuracy, %": 12.5\n    T: 25\n"Table 2": {}\n'
    )
    assert printed.printed("Table 8", folder=tmp_path) == [
        ("VGG5, SNN", "accuracy, %", "12.5"),
        ("VGG5, SNN", "T", "25"),
    ]
    assert printed.printed("Table 2", folder=tmp_path) == []


@pytest.mark.parametrize(
    "text", ['"Table 8": 3', '"Table 8": {a: 3}', "- 1", '"Table 8": {a: {b: [1]}}', "a: ["]
)
def test_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / printed.FILE).write_text(text)
    with pytest.raises(ValueError, match="paper_values.yml must"):
        printed.printed("Table 8", folder=tmp_path)


def test_a_table_shows_them_below_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / printed.FILE).write_text('"Table 8": {"<VGG5>": {accuracy: 12.5}}')
    monkeypatch.setattr(printed, "root", lambda: tmp_path)
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    exhibit.show_table(pd.DataFrame({"a": [1]}), name="Table 8", caption="A caption.")
    exhibit.show_table(pd.DataFrame({"a": [1]}), name="Table 9", caption="A caption.")
    assert (
        len(shown) == 3 and "&lt;VGG5&gt;" in shown[1]["text/html"] and "as printed" in shown[1]["text/html"]
    )
