"""What an exhibit shows and carries: badges, cells, downloads, provenance; and that it is the same every time."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from bs4 import BeautifulSoup, Tag

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from panda2020.exhibits import exhibit, style
from panda2020.exhibits.cells import Beside
from panda2020.exhibits.exhibit import BADGES, figure_html, origin, slug, table_html
from panda2020.exhibits.numbers import between, interval
from panda2020.runs import Record
from panda2020.statistics import Estimate, Interval
from tools.check_book import table_against_csv


def record(
    tag: str | None = "recorded", *, profile: str = "laptop", seed: int = 0, dirty: bool | None = False
) -> Record:
    data = {
        "key": f"{seed:016x}",
        "sha256": "ab" * 32,
        "spec": {"seed": seed, "data": {"name": "cifar10", "seed": 99}},
        "labels": {"network": "VGG5", "role": "ann", "profile": profile, "tables": ["8"]},
        "result": {"total": 1000},
        "provenance": {
            "commit": "0123456789" * 4,
            "dirty": dirty,
            "data_sha256": "cafe" * 16,
            "device_name": "a CPU",
            "threads": 1,
            "seconds": 12.34,
            "date": "2026-01-02T03:04:05",
            "command": f"remake {seed} <x>",
        },
    }
    return Record(data, Path("results/x.json"), tag)


TABLE = pd.DataFrame({"net": ["A `64C3`", "B <b>"], "accuracy": [75.0123, None], "parameters": [12345678, 5]})


def page(df: pd.DataFrame = TABLE, **options: Any) -> BeautifulSoup:
    return BeautifulSoup(
        table_html(df, **{"name": "Table 8", "caption": "Accuracies.", **options}), "html.parser"
    )


def download(soup: BeautifulSoup, word: str) -> tuple[str, str]:
    link = next(a for a in soup.select(".snn-downloads a") if a.get_text() == word)
    return str(link["download"]), base64.b64decode(str(link["href"]).split(",", 1)[1]).decode()


def one(soup: BeautifulSoup, selector: str) -> Tag:
    found = soup.select_one(selector)
    assert found is not None, selector
    return found


def test_cells_are_rounded_and_escaped_and_the_csv_is_not() -> None:
    soup = page(formats={"accuracy": ".1f"})
    rows = [[c.get_text() for c in row.find_all(["th", "td"])] for row in soup.select("tbody tr")]
    assert rows == [["A 64C3", "75.0", "12,345,678"], ["B <b>", "–", "5"]]
    assert one(soup, "tbody th code").get_text() == "64C3"
    name, text = download(soup, "CSV")
    assert name == "table-8.csv"
    kept = list(csv.reader(io.StringIO(text)))
    assert kept == [
        ["net", "accuracy", "parameters"],
        ["A `64C3`", "75.0123", "12345678"],
        ["B <b>", "", "5"],
    ]


def test_row_labels_are_shown_on_request() -> None:
    soup = page(TABLE.set_index("net"), index=True)
    assert [th.get_text() for th in soup.select("tbody th")] == ["A 64C3", "B <b>"]


def test_headings_in_levels_are_joined_in_table_and_csv() -> None:
    soup = page(pd.DataFrame([[1, 2.5]], columns=pd.MultiIndex.from_tuples([("t", ""), ("hard reset", "U")])))
    assert [th.get_text() for th in soup.select("thead th")] == ["t", "hard reset / U"]
    assert download(soup, "CSV")[1] == "t,hard reset / U\n1,2.5\n"


def test_badges_differ_in_word_sign_and_colour() -> None:
    words = [word for _, word in BADGES.values()]
    assert len({word[0] for word in words}) == len({css for css, _ in BADGES.values()}) == 4
    sheet = Path(exhibit.__file__).with_name("exhibits.css").read_text()
    for css, _ in BADGES.values():
        assert f".{css} {{" in sheet


@pytest.mark.parametrize("tag", list(BADGES))
def test_the_badge_says_where_the_numbers_come_from_and_at_which_scale(tag: str) -> None:
    soup = page(records=[record(tag, profile="laptop")])
    badge = one(soup, "figcaption .snn-badge")
    assert badge.get_text() == f"{BADGES[tag][1]} · laptop"
    assert BADGES[tag][0] in (badge.get("class") or [])


def test_a_confirmed_record_counts_its_witnesses_and_says_what_became_of_its_sources() -> None:
    tag = "recorded-confirmed"
    records = [
        record(tag, seed=seed).tagged(tag, why=f"{seed}: <changed>.", witnesses=("a", f"b{seed}"))
        for seed in (0, 1)
    ]
    soup = page(records=records)
    word = BADGES[tag][1]
    assert one(soup, "figcaption .snn-badge").get_text() == f"{word} (3 of 3 witnesses) · laptop"
    assert [b.get_text() for b in soup.select(".snn-runs .snn-badge")] == [
        f"{word} (2 of 2 witnesses) · laptop"
    ] * 2
    assert [li.get_text() for li in soup.select(".snn-origin li")] == ["0: <changed>.", "1: <changed>."]
    assert not page(records=[record("recorded")]).select(".snn-origin li")


def test_live_and_recorded_runs_in_one_exhibit_are_told_apart() -> None:
    soup = page(records=[record("recorded"), record("live", profile="quick", seed=1)])
    assert [b.get_text() for b in soup.select("figcaption .snn-badge")] == [
        "▶ live · quick",
        "■ recorded · laptop",
    ]
    assert [b.get_text() for b in soup.select(".snn-runs .snn-badge")] == [
        "■ recorded · laptop",
        "▶ live · quick",
    ]


def test_a_cell_may_hold_a_badge() -> None:
    soup = page(pd.DataFrame({"net": ["A"], "kind": [origin([record()])]}))
    assert "snn-recorded" in (one(soup, "tbody td .snn-badge").get("class") or [])


def test_without_records_the_exhibit_is_live_and_names_the_commit() -> None:
    soup = page()
    assert one(soup, "figcaption .snn-badge").get_text() == "▶ live"
    text = one(soup, "details").get_text()
    assert "no recorded run" in text and "ommit" in text and "torch" in text


def test_the_strip_has_everything_that_made_each_run() -> None:
    soup = page(
        records=[record(seed=2), record(seed=10, dirty=True), record(seed=3, dirty=None)], command="make it"
    )
    strip = one(soup, "details.snn-origin")
    assert "open" not in strip.attrs
    text = strip.get_text(" ")
    assert "3 runs. Seeds: VGG5: 2, 3, 10." in text
    for part in (
        "0123456789",
        "+dirty",
        "not known whether clean",
        "cifar10 cafecafe",
        "1000",
        "a CPU",
        "12.3",
        "2026-01-02",
    ):
        assert part in text
    commands = [c.get_text() for c in strip.select("code.snn-command")]
    again = "python -m panda2020 record --profile laptop --table 8 --seeds {} --results remade"
    assert commands == ["make it", *map(again.format, (2, 10, 3))]
    assert [row["data-key"] for row in strip.select("[data-key]")] == [f"{s:016x}" for s in (2, 10, 3)]
    assert {row["data-sha"] for row in strip.select("[data-key]")} == {"ab" * 32}


def test_the_notebook_being_executed_is_linked_and_its_command_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SNNCORE_NOTEBOOK", raising=False)
    assert "notebook" not in [a.get_text() for a in page().select(".snn-downloads a")]
    monkeypatch.setenv("SNNCORE_NOTEBOOK", "07_agd")
    link = next(a for a in page().select(".snn-downloads a") if a.get_text() == "notebook")
    assert link["href"] == "../_sources/executed/07_agd.ipynb"
    assert one(page(), "code.snn-command").get_text().startswith("papermill notebooks/07_agd.ipynb")


def draw() -> plt.Figure:
    style.use()
    fig, ax = plt.subplots()
    ax.plot([0, 1], [1, 0], label="line")
    ax.fill_between([0, 1], [0, 0], [1, 1], hatch="/", clip_on=True)
    ax.legend()
    return fig


def test_a_figure_is_the_same_to_the_byte_and_carries_svg_and_data() -> None:
    options = {"name": "Figure 2", "caption": "A line.", "alt": 'falls from "one" to zero', "data": TABLE}
    first, second = (figure_html(draw(), **options) for _ in range(2))
    plt.close("all")
    assert first == second
    soup = BeautifulSoup(first, "html.parser")
    drawing = one(soup, "svg")
    assert drawing["aria-label"] == 'falls from "one" to zero' and drawing["role"] == "img"
    assert "var(--f-blue)" in str(drawing) and "#0068a9" not in str(drawing)  # in the page's colours
    assert not drawing.select("style") and all(
        str(e["id"]).startswith("figure-2-") for e in drawing.select("[id]")
    )
    name, text = download(soup, "SVG")
    assert "#0068a9" in text and "var(" not in text  # the download needs no style sheet
    name, drawing = download(soup, "SVG")
    assert name == "figure-2.svg" and "<svg" in drawing and "<dc:date>" not in drawing
    assert download(soup, "CSV")[0] == "figure-2.csv"


@pytest.mark.parametrize("alt", ["", "  "])
def test_a_figure_without_alt_text_is_refused(alt: str) -> None:
    with pytest.raises(ValueError, match="alt must say in words what Figure 2 shows"):
        figure_html(draw(), name="Figure 2", caption="A line.", alt=alt)
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name must not be empty"),
        ({"caption": " "}, "caption must not be empty"),
        ({"df": TABLE.iloc[:0]}, "no rows"),
        (
            {"formats": {"acuracy": ".1f"}},
            "'acuracy', which is not a column; allowed: net, accuracy, parameters",
        ),
        ({"records": [record(None)]}, "as panda2020.runs.collect returned them"),
    ],
)
def test_wrong_exhibits_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        page(**options)


def test_display_gives_html_and_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[dict[str, str], dict[str, Any]]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options)))
    exhibit.show_table(TABLE, name="Table 8", caption="Accuracies.")
    exhibit.show_figure(draw(), name="Figure 2", caption="A line.", alt="falls")
    assert not plt.get_fignums()  # or Jupyter would show the figure twice
    first_lines = [data["text/plain"].split("\n")[0] for data, _ in shown]
    assert first_lines == ["Table 8. Accuracies.", "Figure 2. A line."]
    assert all('class="snn' in data["text/html"] for data, _ in shown)


def test_cells_are_typeset_and_the_csv_is_not() -> None:
    cells = {
        "network": "VGG7-conv",
        "95 % interval": "-3.5 to +1.0",
        "minus ANN": -2.0,
        "gain": -0.04,
        "said": "~10x -100 x",
    }
    made = pd.DataFrame([cells])
    text = exhibit.table_html(
        made, name="Table 1", caption="Differences.", formats={"minus ANN": "+.1f", "gain": "+.1f"}
    )
    for cell in (">VGG7-conv<", ">−3.5\u00a0to\u00a0+1.0<", ">−2.0<", ">0.0<", ">~10x -100 x<"):
        assert cell in text
    assert (
        "VGG7-conv,-3.5 to +1.0,-2.0,-0.04,~10x -100 x"
        in download(BeautifulSoup(text, "html.parser"), "CSV")[1]
    )


@pytest.mark.parametrize(("rows", "tall"), [(exhibit.TALL, False), (exhibit.TALL + 1, True)])
def test_a_long_table_scrolls_in_a_box_and_says_how_long_it_is(rows: int, tall: bool) -> None:
    text = exhibit.table_html(pd.DataFrame({"T": range(rows)}), name="Table 2", caption="Every seed.")
    assert ("snn-scroll snn-tall" in text) is tall and (f"CSV ({rows} rows)" in text) is tall


def test_slugs_are_file_names() -> None:
    assert slug("Table 8 (A)") == "table-8-a"


def shown_by(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    shown: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    return shown


def test_what_is_shown_in_a_fold_stands_folded_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_by(monkeypatch)
    with exhibit.fold("Per seed"):
        exhibit.show_table(TABLE, name="Table 8", caption="Accuracies.")
        exhibit.say("A is -1.", "")
        assert not shown
    (piece,) = shown
    soup = BeautifulSoup(piece["text/html"], "html.parser")
    fold = one(soup, "details.snn-fold")
    assert "open" not in fold.attrs and one(fold, "summary").get_text() == "Per seed"
    assert (
        one(fold, "figure")["data-exhibit"] == "Table 8" and one(fold, ".snn-said p").get_text() == "A is −1."
    )
    assert piece["text/plain"].startswith("Per seed:\n\nTable 8. Accuracies.")


def test_an_empty_fold_shows_nothing_and_a_failed_one_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = shown_by(monkeypatch)
    with exhibit.fold("Nothing"):
        exhibit.say("")
    with pytest.raises(KeyError), exhibit.fold("Broken"):
        exhibit.say("lost")
        raise KeyError
    exhibit.say("after")
    assert [data["text/plain"] for data in shown] == ["after"]
    with pytest.raises(ValueError, match="title must not be empty"), exhibit.fold(" "):
        pass
    with pytest.raises(ValueError, match="kind must be '' or 'caveat', got 'loud'"):
        exhibit.say("x", kind="loud")


def test_columns_beside_the_main_ones_wait_until_they_are_asked_for() -> None:
    soup = page(main=["accuracy"])
    hidden = [th.get_text() for th in soup.select("thead .snn-extra")]
    assert hidden == ["parameters"] and len(soup.select("tbody .snn-extra")) == 2
    assert "show all 3 columns" in one(soup, ".snn-switch").get_text()
    assert download(soup, "CSV")[1].startswith("net,accuracy,parameters")
    with pytest.raises(ValueError, match="main names 'acuracy', which is not a column"):
        page(main=["acuracy"])


def test_a_cell_of_the_articles_layout_has_ours_its_interval_and_the_articles() -> None:
    ours = Estimate(35.74, Interval(33.344, 38.1835), 5, "both")
    made = pd.DataFrame({"net": ["A", "B"], "SNN": [Beside(ours, "75%"), Beside(None)]})
    soup = page(made)
    cells = [td.get_text() for td in soup.select("tbody td")]
    assert cells == ["35.7 [33.3 to 38.2] paper 75%", "–"]
    assert download(soup, "CSV")[1] == "net,SNN\nA,35.74 [33.344 to 38.1835] paper 75%\nB,–\n"
    assert list(table_against_csv(str(soup.figure))) == []
    wrong = str(soup.figure).replace("33.3", "33.9")
    assert any("33.9" in fault for fault in table_against_csv(wrong))


def test_an_interval_without_width_is_one_number() -> None:
    width, none = Interval(1.25, 1.5), Interval(1.325, 1.325)
    assert (interval(width), interval(none), interval(None)) == ("1.25 to 1.5", "1.32", "no interval")
    assert interval(Interval(1.31, 1.34), ".1f") == "1.3 to 1.3"  # it has a width, which rounding hides
    assert between(1.31, 1.34, ".1f") == "1.3" and between(-1.0, 2.0, "+.1f") == "−1.0 to +2.0"
    made = pd.DataFrame({"net": ["A"], "SNN": [Beside(Estimate(1.325, none, 5, "both"))], "95 %": [none]})
    assert [td.get_text() for td in page(made).select("tbody td")] == ["1.3", "1.3"]
    assert list(table_against_csv(str(page(made).figure))) == []


def test_labels_at_the_ends_of_lines_do_not_overlap() -> None:
    style.use()
    fig, ax = plt.subplots()
    ax.set_ylim(0, 1)
    style.label_ends(ax, {"a": (1, 0.5, "red"), "b": (1, 0.51, "blue"), "c": (1, 0.9, "green")}, gap=0.1)
    places = sorted(text.get_position()[1] for text in ax.texts)
    assert places == pytest.approx([0.5, 0.6, 0.9])
    plt.close(fig)


def test_a_slim_figure_keeps_the_digits_of_its_labels():
    figure = plt.figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([0, 1.23456], [0, 1])
    axes.set_yticks([0, 1], ["rate 0.001", "rate 0.0125"])
    drawing = style.inline(figure, prefix="a", alt="two rates")
    assert "rate 0.001" in drawing and "rate 0.0125" in drawing
    assert not re.search(r' d="[^"]*\.\d{3}', drawing)  # coordinates have two digits
