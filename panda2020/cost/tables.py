"""The chapter on cost: a recorded benchmark (``bench``) as tables and figures."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from panda2020.exhibits.exhibit import NO_VALUE
from panda2020.exhibits.numbers import between, number
from panda2020.exhibits.style import PALETTE
from panda2020.records import shown_name
from panda2020.runs import Record
from panda2020.runs.executing import OLDER, RECORDED
from panda2020.runs.store import seal

from . import benchmark
from .benchmark import SCHEMA, Spread

#: What the libraries are called.
NAMES = {
    "snncore": "snncore",
    "conv-only": "convolutions with ReLU",
    "spikingjelly": "SpikingJelly",
    "snntorch": "snnTorch",
    "norse": "norse",
    "copy": "a copy of its tensors",
}

_COLOURS = {
    "snncore": PALETTE["orange"],
    "conv-only": PALETTE["grey"],
    "spikingjelly": PALETTE["blue"],
    "snntorch": PALETTE["green"],
    "norse": PALETTE["purple"],
}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's JSON (``bench.report`` has its fields)."""

    data: Mapping[str, Any]
    path: Path

    @property
    def topics(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {topic["name"]: topic for topic in self.data["topics"]}

    @property
    def record(self) -> Record:
        """The benchmark as a record for exhibits, tagged as older if the code of any topic has changed since."""
        made, machine = self.data, self.data["machine"]
        threads = machine["threads"]
        old = any(t["source"] != benchmark.source(t["name"]) for t in made["topics"])
        body = {
            "key": self.path.stem,
            "sha256": seal(made)["sha256"],
            "spec": {},
            "labels": {
                "network": "benchmark",
                "role": "speed",
                "profile": f"{threads} thread{'s' if threads > 1 else ''}",
            },
            "result": {},
            "provenance": {
                **{name: made[name] for name in ("commit", "dirty", "date", "command", "versions")},
                "data_sha256": "none",
                "device_name": machine["cpu"],
                "threads": threads,
                "seconds": sum(topic["wall"] for topic in made["topics"]),
            },
            "artifacts": {},
        }
        return Record(body, self.path, OLDER if old else RECORDED)

    def rows(self, kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(topic, entry) of every entry of a kind: "timings", "amounts", "ratios" or "checks"."""
        for topic in self.data["topics"]:
            for row in topic[kind]:
                yield topic, row


def load(path: str | Path) -> Benchmark:
    """Read a benchmark's JSON; ``ValueError`` for a file of another schema."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA or "topics" not in data:
        raise ValueError(
            f"path must be a benchmark's JSON of schema {SCHEMA}, got {path} of schema {data.get('schema')!r}"
        )
    return Benchmark(data, Path(path))


# --- tables ------------------------------------------------------------------------------------------------


def machine_table(bench: Benchmark) -> pd.DataFrame:
    """What the numbers were measured on, and when."""
    made, machine = bench.data, bench.data["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items() if version)
    rows = {
        "processor": machine["cpu"],
        "system": machine["platform"],
        "vector and matrix units": ", ".join(machine.get("features", ())) or "not recorded",
        "threads": f"{machine['threads']} of {machine['cores']} cores",
        "versions": versions,
        "skipped": ", ".join(f"{name}: {why}" for name, why in made["skipped"].items()) or "none",
        "date": made["date"],
        "rounds": made["settings"]["repeats"],
        "clock": {"cpu": "processor time of the process", "wall": "wall time"}[made["settings"]["clock"]],
        "load before and after": f"{machine['load_before']:.1f} and {machine['load_after']:.1f} on {machine['cores']} cores",
        "noise": f"{noise(bench):.0%} of the median between the quartiles of a typical timing",
    }
    return pd.DataFrame({"what": list(rows), "this benchmark": [str(value) for value in rows.values()]})


def noise(bench: Benchmark) -> float:
    """The middle timing's distance between quartiles, as a share of its median."""
    return statistics.median(Spread(**row["summary"]).spread for _, row in bench.rows("timings"))


def verdict(row: Mapping[str, Any]) -> str:
    """Of a ratio with an aim: "met" or "missed", or "undecided" where the aim lies between the quartiles."""
    if row["aim"] is None:
        return ""
    low, high = row["summary"]["lower"], row["summary"]["upper"]
    if low < row["aim"]["value"] < high:
        return "undecided"
    return "met" if row["met"] else "missed"


def aims_table(bench: Benchmark) -> pd.DataFrame:
    """Every ratio that has an aim."""
    rows = [(topic, row) for topic, row in bench.rows("ratios") if row["aim"]]
    signs = {"at least": "≥", "at most": "≤"}
    return pd.DataFrame(
        {
            "ratio": [f"{_topic(topic)}: {_spoken(row['name'])}" for topic, row in rows],
            "aim": [
                f"{signs[row['aim']['kind']]}\N{NO-BREAK SPACE}{row['aim']['value']:g}" for _, row in rows
            ],
            "verdict": [verdict(row) for _, row in rows],
            "median": [row["summary"]["median"] for _, row in rows],
            "quartiles": [_quartiles(row) for _, row in rows],
            "fastest": [row["best"] for _, row in rows],
        }
    )


def timings_table(bench: Benchmark, topic: str) -> pd.DataFrame:
    """Milliseconds of a topic, quickest first, each beside snncore's (or the topic's first)."""
    rows = bench.topics[topic]["timings"]
    first = rows[0]["summary"]["median"]
    table = pd.DataFrame(
        {
            "what": [_spoken(row["contender"]) for row in rows],
            "setting": [row["layout"].replace("_", " ") for row in rows],
            "median (ms)": [1e3 * row["summary"]["median"] for row in rows],
            "quartiles (ms)": [
                between(1e3 * row["summary"]["lower"], 1e3 * row["summary"]["upper"], ".0f") for row in rows
            ],
            f"over {_spoken(rows[0]['contender'])}": [row["summary"]["median"] / first for row in rows],
        }
    )
    if not any(table["setting"]):
        table = table.drop(columns="setting")
    return table.sort_values("median (ms)", kind="stable").reset_index(drop=True)


def networks_table(bench: Benchmark) -> pd.DataFrame:
    """The networks of Table 8 beside their convolutions alone, one row per network and width, with the ratio round by round."""
    topic = bench.topics["network_step"]
    middle = {row["contender"]: 1e3 * row["summary"]["median"] for row in topic["timings"]}
    rows = []
    for row in topic["ratios"]:
        place = row["name"].partition(", ")[0]
        name, _, width = place.partition(" at width ")
        rows.append(
            {
                "network": shown_name(name),
                "width": float(width),
                "spiking (ms)": middle[f"{place}, spiking"],
                "convolutions (ms)": middle[f"{place}, conv-only"],
                "ratio": row["summary"]["median"],
                "quartiles": _quartiles(row),
            }
        )
    return pd.DataFrame(rows)


def memory_table(bench: Benchmark) -> pd.DataFrame:
    """Peak and kept memory in MiB by T, and snncore's share of each peak."""
    rows = bench.topics["peak_memory"]["amounts"]
    mine = {row["steps"]: row["peak"] for row in rows if row["contender"] == "snncore"}
    return pd.DataFrame(
        {
            "T": [row["steps"] for row in rows],
            "library": [_spoken(row["contender"]) for row in rows],
            "peak (MiB)": [row["peak"] / 2**20 for row in rows],
            "kept for backward (MiB)": [row["kept"] / 2**20 for row in rows],
            "snncore / this": [mine[row["steps"]] / row["peak"] for row in rows],
        }
    )


def checks_table(bench: Benchmark) -> pd.DataFrame:
    """Everything that was checked while measuring."""
    rows = list(bench.rows("checks"))
    return pd.DataFrame(
        {
            "topic": [_topic(topic) for topic, _ in rows],
            "check": [row["name"] for _, row in rows],
            "found": [row["found"] for _, row in rows],
            "holds": ["yes" if row["holds"] else "NO" for _, row in rows],
        }
    )


def ceilings(bench: Benchmark) -> pd.DataFrame:
    """By how much neurons that cost nothing would beat each peer: its step over the convolutions' own.

    Both in their fastest setting; median of the rounds.
    """
    rows = bench.topics["training_step"]["timings"]
    fastest = {
        name: min((row for row in rows if row["contender"] == name), key=lambda row: row["summary"]["median"])
        for name in dict.fromkeys(row["contender"] for row in rows)
    }
    bare = fastest["conv-only"]["seconds"]
    peers = [name for name in fastest if name not in ("snncore", "conv-only")]
    return pd.DataFrame(
        {
            "library": [NAMES[name] for name in peers],
            "measured": [_paired(fastest[name]["seconds"], fastest["snncore"]["seconds"]) for name in peers],
            "with free neurons": [_paired(fastest[name]["seconds"], bare) for name in peers],
        }
    )


def _paired(over: list[float], under: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def conversion_table(bench: Benchmark) -> pd.DataFrame:
    """Images times time steps per second of simulating a converted network."""
    topic = bench.topics["conversion"]
    work = topic["setting"]["images"] * topic["setting"]["steps"]
    rows = topic["timings"]
    mine = rows[0]["seconds"]
    return pd.DataFrame(
        {
            "what": [_spoken(row["contender"]) for row in rows],
            "image-steps per second": [work / row["summary"]["median"] for row in rows],
            "over snncore": [_paired(row["seconds"], mine) for row in rows],
        }
    )


def formats_table(bench: Benchmark) -> pd.DataFrame:
    """Milliseconds of a convolution in both number formats, and how many times as fast bfloat16 is."""
    topic = bench.topics["number_formats"]
    middle = {row["contender"]: 1e3 * row["summary"]["median"] for row in topic["timings"]}
    shapes = [row["name"].removesuffix(", float32 / bfloat16") for row in topic["ratios"]]
    return pd.DataFrame(
        {
            "convolution": shapes,
            "float32 (ms)": [middle[f"{shape}, float32"] for shape in shapes],
            "bfloat16 (ms)": [middle[f"{shape}, bfloat16"] for shape in shapes],
            "float32 / bfloat16": [row["summary"]["median"] for row in topic["ratios"]],
            "quartiles": [_quartiles(row) for row in topic["ratios"]],
        }
    )


def growth_table(bench: Benchmark) -> pd.DataFrame:
    """Growth of time over growth of what is varied, from the smallest to the largest value: 1 is in proportion."""
    rows = bench.topics["scaling"]["ratios"]
    names = [row["name"].split(": growth of time over growth of ") for row in rows]
    return pd.DataFrame(
        {
            "what": [_spoken(name) for name, _ in names],
            "varied": [axis for _, axis in names],
            "growth of time / growth": [row["summary"]["median"] for row in rows],
            "quartiles": [_quartiles(row) for row in rows],
        }
    )


def _quartiles(row: Mapping[str, Any]) -> str:
    """Of a ratio that was measured once there are none."""
    if len(row["samples"]) == 1:
        return NO_VALUE
    return f"{row['summary']['lower']:.2f}–{row['summary']['upper']:.2f}"


def _topic(topic: Mapping[str, Any]) -> str:
    return str(topic["name"]).replace("_", " ")


def _spoken(name: str) -> str:
    """Names in code as readers know them."""
    words = " ".join(
        NAMES.get(word.rstrip(","), word.rstrip(",")) + "," * word.endswith(",") for word in name.split(" ")
    )
    return words.replace("channels_last", "(channels last)").replace("contiguous", "(contiguous)")


# --- figures -----------------------------------------------------------------------------------------------


def draw_ratios(bench: Benchmark) -> Figure:
    """Every ratio to another library or to the bare convolutions: median, quartiles, aim."""
    panels = [
        ("neuron_layer", "neuron layer"),
        ("training_step", "training step"),
        ("conversion", "conversion"),
        ("poisson_code", "Poisson code"),
    ]
    rows = [
        (label, row)
        for name, label in panels
        if name in bench.topics
        for row in bench.topics[name]["ratios"]
        if not _inverse(row)
    ]
    figure = Figure(figsize=(6.4, 0.34 * len(rows) + 1.0))
    axes = figure.subplots()
    for y, (_, row) in enumerate(rows):
        at = row["summary"]
        colour = _COLOURS[row["name"].split(" ")[0].rstrip(",")]
        axes.plot(
            [at["lower"], at["upper"]], [y, y], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt"
        )
        axes.plot(at["median"], y, "o", color=colour, markersize=6)
        if row["aim"]:
            axes.plot(row["aim"]["value"], y, "|", color=PALETTE["black"], markersize=14, markeredgewidth=1.6)
    axes.axvline(1, color=PALETTE["black"], linewidth=0.8)
    axes.set_yticks(
        range(len(rows)), [f"{label}: {_spoken(row['name'].split(' / ')[0])}" for label, row in rows]
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("times as long as snncore (median, quartiles; | is the aim)")
    axes.grid(axis="y", visible=False)
    return figure


def _inverse(row: Mapping[str, Any]) -> bool:
    """Ratios of snncore over something."""
    return str(row["name"]).startswith("snncore")


def draw_step(bench: Benchmark) -> Figure:
    """Milliseconds of a training step, library by library in its faster format, above the convolutions' own."""
    rows = timings_table(bench, "training_step").drop_duplicates("what")
    bare = float(rows.loc[rows["what"] == NAMES["conv-only"], "median (ms)"].iloc[0])
    back = {spoken: key for key, spoken in NAMES.items()}
    figure = Figure(figsize=(6.4, 0.42 * len(rows) + 0.9))
    axes = figure.subplots()
    axes.barh(
        rows["what"], rows["median (ms)"], color=[_COLOURS[back[name]] for name in rows["what"]], height=0.62
    )
    axes.axvline(bare, color=PALETTE["black"], linewidth=1, linestyle="--")
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds per training step; dashed: the convolutions, pooling and ReLU alone")
    axes.grid(axis="y", visible=False)
    return figure


def draw_growth(bench: Benchmark) -> Figure:
    """Milliseconds of a training step against T, batch and width, with quartiles, on logarithmic axes."""
    topic = bench.topics["scaling"]
    axes_of = list(dict.fromkeys(row["name"].rpartition(" ")[2] for row in topic["ratios"]))
    figure = Figure(figsize=(6.8, 2.6), layout="constrained")
    panels = figure.subplots(1, len(axes_of), sharey=True)
    for panel, axis in zip(panels, axes_of, strict=True):
        for name in ("snncore", "conv-only"):
            rows = [row for row in topic["timings"] if row["contender"].startswith(f"{name}, {axis} ")]
            at = [float(row["contender"].rpartition(" ")[2]) for row in rows]
            middle = [1e3 * row["summary"]["median"] for row in rows]
            spread = [
                [1e3 * abs(row["summary"][edge] - row["summary"]["median"]) for row in rows]
                for edge in ("lower", "upper")
            ]
            panel.errorbar(
                at, middle, spread, marker="o", markersize=4, color=_COLOURS[name], label=NAMES[name]
            )
        panel.set(
            xscale="log", yscale="log", xlabel={"T": "time steps T", "width": "width factor"}.get(axis, axis)
        )
        panel.set_xticks(at, [f"{value:g}" for value in at])
        panel.minorticks_off()
    low, high = panels[0].get_ylim()
    ticks = [value for value in (10, 20, 50, 100, 200, 500, 1000, 2000) if low <= value <= high]
    panels[0].set_yticks(ticks, [f"{value:,}" for value in ticks])
    panels[0].set_ylabel("milliseconds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


# --- sentences ---------------------------------------------------------------------------------------------


def ratio_sentences(bench: Benchmark) -> list[str]:
    """How many times as long as snncore the other libraries take, by task, each in its faster setting; and what snncore takes
    over the bare convolutions."""
    said = []
    for topic, what in (("training_step", "A training step"), ("neuron_layer", "A layer of neurons alone")):
        fastest: dict[str, float] = {}
        for row in bench.topics[topic]["ratios"] if topic in bench.topics else ():
            first, _, second = row["name"].partition(" / ")
            peer = first.split(" ")[0].rstrip(",")
            if second.startswith("snncore") and peer in NAMES and peer not in ("conv-only", "copy"):
                fastest[peer] = min(row["summary"]["median"], fastest.get(peer, math.inf))
        if fastest:
            listed = ", ".join(
                f"{number(value, '.2f')} times as long in {NAMES[peer]}" for peer, value in fastest.items()
            )
            said.append(f"{what} takes {listed} as in snncore.")
    steps = networks_table(bench) if "network_step" in bench.topics else pd.DataFrame()
    if len(steps):
        times = between(steps["ratio"].min(), steps["ratio"].max(), ".2f")
        said.append(
            f"A training step of the networks of Table 8 takes snncore {times} times as long as their convolutions alone, "
            "which no library can avoid."
        )
    return said


def aim_sentence(bench: Benchmark) -> str:
    """How many aims were met; empty without aims."""
    counts = aims_table(bench)["verdict"].value_counts()
    return (
        f"Of {counts.sum()} aims, {', '.join(f'{count} are {word}' for word, count in counts.items())}."
        if len(counts)
        else ""
    )
