"""The sliders: the starting point is the library's, and the script computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from panda2020.energy import sliders
from panda2020.exhibits.numbers import number
from snncore.energy import CONVENTIONS
from tools.browser import VIEWS, executable, visit

STATIC = Path(__file__).parents[3] / "book" / "_static"


def test_efficiencies_fall_with_time_and_activity() -> None:
    base = sliders.efficiencies(25, 0.1, 4)
    assert list(base) == list(CONVENTIONS)
    assert sliders.efficiencies(50, 0.1, 4)["paper"] == pytest.approx(
        base["paper"] / 2, rel=1e-3
    )  # but for the classifier
    assert sliders.efficiencies(25, 0.2, 4)["paper"] < base["paper"]


def test_without_a_script_the_starting_point_is_shown() -> None:
    page = BeautifulSoup(sliders.sliders_html(), "html.parser")
    shown = {bar["data-convention"]: bar.output.get_text() for bar in page.select(".snn-bar")}
    found = sliders.efficiencies(sliders.STEPS, sliders.RATE, sliders.DEPTH)
    assert shown == {name: number(value, ".1f") for name, value in found.items()}
    assert all(control.has_attr("disabled") for control in page.select("input"))
    assert "leave out" in page.select_one(".snn-caveat").get_text()
    assert sliders.share(sliders.LOW) == 0 and sliders.share(sliders.HIGH) == 100 and sliders.share(0) == 0


@pytest.mark.browser
@pytest.mark.skipif(executable() is None, reason="no Chromium here: the sliders were not moved")
def test_the_script_computes_what_the_library_computes(tmp_path: Path) -> None:
    scripts = "".join(
        f"<script>{(STATIC / name).read_text()}</script>" for name in ("energy.js", "sliders.js")
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'><body>{sliders.sliders_html()}{scripts}</body>")
    moves = {"steps": 7, "rate": 0.03, "depth": 2}
    script = f"""(() => {{
        for (const [name, value] of Object.entries({json.dumps(moves)})) {{
            const input = document.querySelector(`input[name="${{name}}"]`);
            input.value = value;
            input.dispatchEvent(new Event('input'));
        }}
        return [...document.querySelectorAll('.snn-bar output')].map((one) => one.textContent);
    }})()"""
    seen = visit([page], [VIEWS[0]], script=script)[0]
    found = sliders.efficiencies(sliders.TIMES[7], 0.03, 2)
    assert seen.errors == [] and seen.values == [f"{value:.1f}" for value in found.values()]
