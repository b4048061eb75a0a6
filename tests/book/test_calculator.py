"""The calculator page computes what the library computes: one file of vectors, checked in Python and in a real browser."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from panda2020 import networks
from panda2020.runs import Record, Store, to_dict
from panda2020.tasks.train import Spec
from snncore.data import DataConfig
from snncore.energy import CONVENTIONS
from snncore.network import NetworkConfig
from snncore.training import InputConfig, TrainingConfig
from tools import calculator
from tools.browser import VIEWS, View, Visit, executable, visit

ROOT = Path(__file__).resolve().parents[2]
LIGHT, _, PHONE = VIEWS
VECTORS = json.loads(calculator.VECTORS.read_text("utf-8"))
TOLERANCE = 1e-9
browser = [
    pytest.mark.browser,
    pytest.mark.skipif(
        executable() is None, reason="no Chromium here: the calculator was not looked at in a browser"
    ),
]


def same(one: Any, other: Any) -> bool:
    """Equal but for the rounding of numbers."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=0)
    return bool(one == other)


# In Python --------------------------------------------------------------------------------------------------


def test_the_library_still_gives_the_vectors() -> None:
    now = json.loads(json.dumps(calculator.vectors()))
    assert same(now, VECTORS), "the energy model changed: python -m tools.calculator --write"
    assert not same(1.0, 1.0 + 1e-8) and not same({"a": [1, "x"]}, {"a": [1, "y"]}) and not same(True, 1.5)


def test_the_vectors_reach_every_part_of_the_model() -> None:
    cases = VECTORS["cases"]
    for net in networks.REGISTRY.values():
        assert {c["convention"] for c in cases if c["topology"] == net.topology} == set(CONVENTIONS)
    texts = " ".join(c["topology"] for c in cases)
    for part in (":relu", ":if", " M ", " R ", ")+", "]x2", ":drop", ":top", ":average", "C5", "C1"):
        assert part in texts, part
    assert {c["memory"] for c in cases} == {None, "sram", "dram weights", "dram"}
    assert {c["neuron"] for c in cases} == {"lif", "if", "relu"} and {c["static_input"] for c in cases} == {
        None,
        True,
    }
    assert {c["steps"] for c in cases} == {1, 5, 10, 100, 2500} and len(
        {tuple(c["prices"]) for c in cases}
    ) == 3
    assert {None, "infinite"} < {c["expected"]["spiking_efficiency"] for c in cases}
    assert len({r["sentence"] for r in VECTORS["refusals"]}) == len(VECTORS["refusals"]) > 40


def test_a_vector_by_hand() -> None:
    # tests/test_energy.py: 4 maps of 4x4 pooled, 6 features, 3 classes: 576, 96 and 18 MACs; every neuron fires always
    case = next(
        c for c in VECTORS["cases"] if c["convention"] == "paper" and set(c["activity"].values()) == {1.0}
    )
    assert (case["topology"], case["steps"], case["prices"]) == ("4C3 P F6 F3", 10, [3.2, 0.1])
    found = case["expected"]
    assert found["ann"] == pytest.approx(690 * 3.2) and found["snn"] == pytest.approx(
        (576 + 96) * 10 * 0.1 + 18 * 3.2
    )
    assert found["bound"] == pytest.approx(690 / 18)


def test_no_rate_lifts_ee_above_its_bound() -> None:
    for case in VECTORS["cases"]:
        assert case["expected"]["efficiency"] <= case["expected"]["bound"] * (1 + TOLERANCE)


def test_recorded_runs_are_the_lowest_seeds_of_what_spikes() -> None:
    found = calculator.recorded(recorded())
    assert [(r["key"], r["steps"], r["static_input"]) for r in found] == [("b" * 16, 10, False)]
    assert found[0]["activity"] == {"input": 0.5, "conv1": 0.25, "fc1": 0.1} and found[0]["input_shape"] == [
        1,
        8,
        8,
    ]
    assert (found[0]["accuracy"], found[0]["correct"], found[0]["origin"]) == (
        0.5,
        1,
        "recorded by older sources",
    )


def test_networks_stand_in_the_order_of_the_paper() -> None:
    mine = recorded()[1]
    runs = [
        replace(mine, shown_as={**mine.labels, "network": network}) for network in ("ResNet7", "VGG5", "VGG3")
    ]
    assert [run["label"].split(",")[0] for run in calculator.recorded(runs)] == ["VGG3", "VGG5", "ResNet7"]


def recorded() -> list[Record]:
    """Two seeds of a spiking run, its ANN, and a trial."""
    found = []
    for name, seed, role, spiking in (
        ("a", 1, "snn", True),
        ("b", 0, "snn", True),
        ("c", 0, "ann", False),
        ("d", 0, "pilot-snn", True),
    ):
        spec = Spec(
            "4C3 P F6 F10",
            DataConfig("digits", 10, 2, 2),
            NetworkConfig(),
            seed=seed,
            training=TrainingConfig(),
            input=InputConfig(**({"code": "poisson", "steps": 10} if spiking else {})),
        )
        kinds = {
            "input": ("spikes", 0.5),
            "conv1": ("spikes", 0.25),
            "fc1": ("spikes", 0.1),
            "x": ("real", 3.0),
        }
        result = {
            "accuracy": 0.5,
            "correct": 1,
            "total": 2,
            "activity": {
                s: {"kind": k, "rate": r, "nonzero": r, "positions": None} for s, (k, r) in kinds.items()
            },
            **({"steps": 10} if spiking else {}),
        }
        labels = {"network": "N", "role": role, "profile": "laptop", "tables": [], "note": ""}
        data = {
            "key": name * 16,
            "task": "train",
            "spec": to_dict(spec),
            "labels": labels,
            "result": result,
            "provenance": {"source": {"version": 2, "sha256": "0"}},
        }
        found.append(Record(data, Path(f"{name * 16}.json")))
    return found


# In a browser -----------------------------------------------------------------------------------------------


@cache
def form() -> str:
    """The page's own markup, as book/calculator.md has it."""
    text = (ROOT / "book" / "calculator.md").read_text("utf-8")
    found = re.findall(r"^```\{raw\} html\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page without the book around it."""
    root = tmp_path_factory.mktemp("calculator")
    (root / "_static").mkdir()
    (root / "book").mkdir()
    sheets = ROOT / "panda2020" / "exhibits" / "exhibits.css", ROOT / "book" / "_static" / "book.css"
    style = "".join(sheet.read_text("utf-8") for sheet in sheets)
    for name in ("energy.js", "calculator.js"):
        (root / "_static" / name).write_text((ROOT / "book" / "_static" / name).read_text("utf-8"), "utf-8")
    for name, text in calculator.scripts(recorded()).items():
        (root / "_static" / name).write_text(text, "utf-8")
    file = root / "book" / "calculator.html"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>c</title><style>{style}</style>'
    file.write_text(
        f'<!doctype html><html lang="en"><head>{head}</head><body>{form()}</body></html>', "utf-8"
    )
    return file


def look(page: Path, script: str, view: View = LIGHT) -> Visit:
    """What ``script`` returned; the page must have asked for nothing and complained of nothing."""
    seen = visit([page], [view], script=f"(async () => {{ {HELPERS} {script} }})()")[0]
    assert (seen.requests, seen.errors) == ([], [])
    return seen


#: set(name, value) as a reader would; part(name) is an element of the result.
HELPERS = """
  const form = document.getElementById('snn-calculator');
  const part = (name) => form.querySelector(`[data-part="${name}"]`);
  const set = (name, value) => {
    const control = typeof name === 'string' ? form.elements[name] : form.querySelector(`[data-site="${name.site}"]`);
    if (control.type === 'checkbox') control.checked = value; else control.value = value;
    control.dispatchEvent(new Event('input', {bubbles: true}));
    if (control.tagName === 'SELECT') control.dispatchEvent(new Event('change', {bubbles: true}));
  };
  const state = () => ({
    error: part('error').textContent, shown: !part('result').hidden,
    invalid: [...form.querySelectorAll('[aria-invalid="true"]')].map((c) => c.name || c.dataset.site),
    numbers: ['efficiency', 'ann', 'snn', 'bound'].map((name) => Number(part(name).dataset.value)),
  });
  const choose = (label) => set('start', [...form.elements.start.options].find((o) => o.text.startsWith(label)).value);
"""


class TestBrowser:
    pytestmark = browser

    def test_every_vector(self, page: Path) -> None:
        given = {
            name: [{k: v for k, v in c.items() if k not in ("expected", "sentence")} for c in VECTORS[name]]
            for name in VECTORS
        }
        memories = {name: calculator._memory(m) for name, m in calculator.MEMORIES.items()}
        script = f"""const given = {json.dumps(given)}, memories = {json.dumps(memories)};
            return {{cases: given.cases.map((g) => snnCalculator.answer(g, memories)),
                     refusals: given.refusals.map((g) => snnCalculator.sentenceOf(g, memories))}};"""
        found = look(page, script).values
        wrong = [
            c["topology"]
            for c, answer in zip(VECTORS["cases"], found["cases"], strict=True)
            if not same(c["expected"], answer)
        ]
        assert wrong == []
        assert found["refusals"] == [r["sentence"] for r in VECTORS["refusals"]]

    def test_the_page_checks_itself_and_would_notice(self, page: Path) -> None:
        cases, refusals = len(VECTORS["cases"]), len(VECTORS["refusals"])
        script = """part('check').click();
            const said = part('checked').textContent;
            snnCalculatorVectors.cases[3].expected.rows[0][7] *= 1 + 1e-7;
            snnCalculatorVectors.refusals[0].sentence += ' not';
            part('check').click();
            return [said, part('checked').textContent];"""
        first, second = look(page, script).values
        assert (
            first.startswith(f"{cases} of {cases} cases agree")
            and f"{refusals} of {refusals} wrong inputs" in first
        )
        assert (
            second.startswith(f"{cases - 1} of {cases} cases")
            and f"{refusals - 1} of {refusals} wrong" in second
        )

    def test_the_form_computes_what_the_library_does(self, page: Path) -> None:
        script = """set('input', 'auto'); set('topology', '4C3:relu 4C3 P 6C3 M F5:relu F5');
            set('channels', 3); set('height', 8); set('width', '8');
            set('steps', '5'); set('same', true); set('rate', '0.25'); set('convention', 'full'); set('memory', 'sram');
            set('prices', 'float32');
            const one = state();
            const shares = [...form.querySelectorAll('td[data-value]')].map((cell) => Number(cell.dataset.value));
            set('same', false); set({site: 'conv2'}, '0.5'); set('mac', '2.5'); set('ac', '0.5');
            return [one, shares, state(), part('python').textContent, form.elements.prices.value];"""
        one, shares, two, python, price = look(page, script).values
        given = {
            "topology": "4C3:relu 4C3 P 6C3 M F5:relu F5",
            "input_shape": [3, 8, 8],
            "neuron": "lif",
            "static_input": None,
            "steps": 5,
            "convention": "full",
            "prices": [4.6, 0.9],
            "memory": "sram",
            "activity": {"conv2": 0.25, "conv3": 0.25},
        }
        want = calculator.evaluate(given)
        assert one["shown"] and one["error"] == ""
        assert one["numbers"] == pytest.approx(
            [want[k] for k in ("efficiency", "ann", "snn", "bound")], rel=TOLERANCE
        )
        assert shares == pytest.approx([row[7] / want["snn"] for row in want["rows"]], rel=TOLERANCE)
        want = calculator.evaluate({**given, "prices": [2.5, 0.5], "activity": {"conv2": 0.5, "conv3": 0.25}})
        assert two["numbers"] == pytest.approx(
            [want[k] for k in ("efficiency", "ann", "snn", "bound")], rel=TOLERANCE
        )
        assert price == "own"
        said: list[float] = []
        exec(python, {"print": lambda *numbers: said.extend(numbers)})  # "The same in Python"
        assert said == pytest.approx([want[k] for k in ("efficiency", "ann", "snn")], rel=TOLERANCE)

    def test_channel_matching_and_the_input_have_rates_of_their_own(self, page: Path) -> None:
        script = """set('topology', '4C3 [8C3]x2:drop P F5'); set('channels', 1); set('height', 8); set('width', 8);
            set('steps', 4); set('rate', '0.5'); set('same', false); set('convention', 'physical');
            set({site: 'conv2.1:drop'}, '0.25'); set({site: 'input'}, '1');
            const rows = [...part('rate-rows').rows].map((row) => [...row.cells].map((cell) => cell.textContent));
            const numbers = state().numbers;
            set('convention', 'paper');
            return [rows, numbers, [...part('rate-rows').rows].map((row) => row.cells[2].textContent)];"""
        rows, numbers, notes = look(page, script).values
        want = calculator.evaluate(
            {
                "topology": "4C3 [8C3]x2:drop P F5",
                "input_shape": [1, 8, 8],
                "neuron": "lif",
                "static_input": None,
                "steps": 4,
                "convention": "physical",
                "prices": [3.2, 0.1],
                "memory": None,
                "activity": {
                    "input": 1.0,
                    "conv1": 0.5,
                    "conv2.1": 0.5,
                    "conv2.1:drop": 0.25,
                    "conv2.2": 0.5,
                },
            }
        )
        assert numbers == pytest.approx(
            [want[k] for k in ("efficiency", "ann", "snn", "bound")], rel=TOLERANCE
        )
        assert [row[0] for row in rows] == ["input", "conv1", "conv2.1", "conv2.1:drop", "conv2.2"]
        uncounted = "not counted under this convention"
        assert [row[2] for row in rows] == [
            "",
            "",
            uncounted,
            "",
            uncounted,
        ]  # what is dropped enters nothing
        assert notes == [uncounted, "", "", uncounted, ""]

    def test_a_recorded_run_keeps_its_accuracy_until_it_is_changed(self, page: Path) -> None:
        script = """const first = [form.elements.topology.value, part('run').textContent, state().numbers];
            set('convention', 'physical');
            const still = part('run').textContent;
            set({site: 'conv1'}, '0.75');
            return [first, still, part('run').textContent, form.elements.start.value];"""
        (topology, said, numbers), still, after, start = look(page, script).values
        assert topology == "4C3 P F6 F10" and still == said
        assert (
            "run bbbbbbbbbbbbbbbb (recorded by older sources): its accuracy is 50.0 % (1 of 2 test images) at T = 10"
            in said
        )
        want = calculator.evaluate(
            {
                "topology": topology,
                "input_shape": [1, 8, 8],
                "neuron": "lif",
                "static_input": False,
                "steps": 10,
                "convention": "paper",
                "prices": [3.2, 0.1],
                "memory": None,
                "activity": {"conv1": 0.25, "fc1": 0.1},
            }
        )
        assert numbers == pytest.approx(
            [want[k] for k in ("efficiency", "ann", "snn", "bound")], rel=TOLERANCE
        )
        assert (after, start) == ("", "own")

    def test_every_network_of_the_paper_fills_the_form(self, page: Path) -> None:
        nets = list(networks.REGISTRY.values())
        script = f"""return {json.dumps([f"{net.name}, reading {net.reading}" for net in nets])}.map((label) => {{
            choose(label);
            return [...['topology', 'channels', 'height', 'width', 'neuron'].map((n) => form.elements[n].value),
                    state().error, part('run').textContent];
        }});"""
        want = [[net.topology, *map(str, net.input_shape), net.neuron, "", ""] for net in nets]
        assert look(page, script).values == want

    def test_what_is_wrong_is_said_in_one_sentence_with_the_field(self, page: Path) -> None:
        wrong = [  # field, value, who is marked, what is said
            (
                "topology",
                "4C3 Q F10",
                "Network: topology must be made of 64C3, P, M, R, F1024, [..]x2, (..)+ and +, got 'Q'",
            ),
            (
                "topology",
                "",
                "Network: topology must end in a classifier such as F10 without neurons, got ''.",
            ),
            ("topology", "<b>x</b>", "got '<b>x</b>'"),
            (
                "topology",
                "4C3 P P P P F10",
                "Network: P must follow maps of even height and width, got (4, 1, 1)",
            ),
            ("channels", "0", "Channels of the image must be a whole number of at least 1, got 0."),
            ("height", "8.5", "Height of the image must be a whole number of at least 1, got 8.5."),
            ("width", "", "Width of the image must be a whole number of at least 1, got nothing."),
            ("steps", "0", "Time steps T must be a whole number of at least 1, got 0."),
            ("steps", "ten", "Time steps T must be a whole number of at least 1, got ten."),
            ("rate", "1.01", "Spikes per neuron and step must be a number between 0 and 1, got 1.01."),
            ("rate", "-0.1", "Spikes per neuron and step must be a number between 0 and 1, got -0.1."),
            ("mac", "0", "Energy of a MAC (pJ) must be a finite number above 0, got 0."),
            ("ac", "Infinity", "Energy of an AC (pJ) must be a finite number above 0, got Infinity."),
            ("mac", "0.01", "Energy of a MAC (pJ) must be at least that of an AC (0.1), got 0.01."),
            ("conv1", "2", "Spikes per neuron and step of conv1 must be a number between 0 and 1, got 2."),
        ]
        script = f"""set('same', true);
            return {json.dumps([w[:2] for w in wrong])}.map(([name, value]) => {{
                if (name === 'conv1') set('same', false);
                const which = name === 'conv1' ? {{site: name}} : name;
                const before = (form.elements[name] ?? form.querySelector(`[data-site="${{name}}"]`)).value;
                set(which, value);
                const bad = state();
                set(which, before);
                return [bad, state()];
            }});"""
        for (name, _, sentence), (bad, good) in zip(wrong, look(page, script).values, strict=True):
            assert (
                sentence in bad["error"] and bad["error"].count("must") == 1 and bad["error"].endswith(".")
            ), bad
            assert bad["invalid"] == [name] and not bad["shown"]  # no old result beside a wrong field
            assert good["error"] == "" and good["invalid"] == [] and good["shown"]

    def test_a_screen_reader_is_told_the_result_after_a_pause(self, page: Path) -> None:
        script = """set('steps', '7');
            const at_once = part('told').textContent;
            await new Promise((done) => setTimeout(done, 900));
            return [at_once, part('told').textContent, part('told').getAttribute('aria-live'), part('error').role];"""
        _, told, live, role = look(page, script).values
        assert re.match(
            r"EE [\d.]+ at T = 7 under the convention paper: the ANN takes .* EE cannot exceed [\d.]+\.$",
            told,
        )
        assert (live, role) == ("polite", "alert")

    def test_reachable_by_keyboard_labelled_and_no_wider_than_a_phone(self, page: Path) -> None:
        script = """set('same', false); set('convention', 'full');
            const controls = [...form.querySelectorAll('input, select, textarea, button, summary, [tabindex]')]
                .filter((c) => c.checkVisibility());
            const reached = controls.filter((c) => { c.focus(); return document.activeElement === c && c.tabIndex >= 0; });
            const bare = controls.filter((c) => ['INPUT', 'SELECT', 'TEXTAREA'].includes(c.tagName) &&
                !(c.labels.length && c.labels[0].textContent.trim())).map((c) => c.outerHTML);
            return [controls.length, reached.length, bare, document.documentElement.scrollWidth - innerWidth];"""
        controls, reached, bare, wide = look(page, script, PHONE).values
        assert controls == reached >= 20 and bare == [] and wide <= 0


def test_without_javascript_the_page_says_so() -> None:
    piece = BeautifulSoup(form(), "html.parser")
    assert "needs JavaScript" in piece.noscript.get_text() and piece.form.has_attr("hidden")
    numbers = re.findall(r'value="[\d.]+"', form())
    assert numbers == []  # they come from the library
    scripts = [str(tag["src"]) for tag in piece.find_all("script")]
    made = set(calculator.scripts([]))
    for source in scripts:
        assert source.startswith("../_static/")
        name = source.rpartition("/")[2]
        assert name in made or (ROOT / "book" / "_static" / name).is_file()


def test_the_committed_records_can_be_shown() -> None:
    runs = calculator.data(Store(ROOT / "results").read_all()[0])["runs"]
    assert all(0 <= rate <= 1 for run in runs for rate in run["activity"].values())
    assert all(run["correct"] / run["total"] == pytest.approx(run["accuracy"]) for run in runs)
