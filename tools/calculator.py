"""The calculator page's data from the library: prices, networks, recorded runs, and test vectors.

    python -m tools.calculator --write    make tests/energy_vectors.json again, after a change of the energy model

The page computes in JavaScript (book/_static/energy.js) and holds no number of its own. The prices and networks come
from here, and so do the vectors: cases with the energies from ``snncore.energy``, and wrong inputs with ``snncore``'s error
sentence. The tests compare both in Python and in a browser, and so does a button on the page.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from panda2020 import networks
from panda2020.runs import Record, Store, freshness
from panda2020.tasks import train
from snncore.activity import SiteActivity
from snncore.energy import CONVENTIONS, MEMORIES, PRICES, SPIKING, Memory, Prices, report
from snncore.topology import NEURONS, Pass, parse, plan
from tools.inputs import ROOT

VECTORS = ROOT / "tests" / "energy_vectors.json"
#: The initial example for the reader; it comes from no run and no sentence of the paper.
EXAMPLE = {"steps": 100, "rate": 0.1}

_MAPS = (3, 8, 8)
#: Further networks: the effect of each rule of the notation on the energy.
_SMALL = (
    # topology, input shape, neuron, static input
    ("4C3 P F6 F3", (1, 4, 4), "lif", None),
    ("4C3 P F6 F3", (1, 4, 4), "if", None),
    ("4C3 P F6 F3", (1, 4, 4), "relu", None),
    ("4C3 P F6 F3", (1, 4, 4), "lif", True),
    ("F10", (3, 8, 8), "lif", None),
    ("4C3 P [4C3]x3 P F8 F5", _MAPS, "lif", None),
    ("6C5 P [4C3 6C3]x2 F5", _MAPS, "if", None),
    ("4C3 [8C3]x3:drop P 3C1 F5", _MAPS, "lif", None),
    ("4C3 [8C3]x2:top P F5", _MAPS, "lif", None),
    ("4C3 [8C3]x2:top-fixed P F5", _MAPS, "lif", None),
    ("2C3 [4C3]x3:average P P F5", _MAPS, "lif", None),
    ("4C3 (4C3 4C3)+ 4C3+ P P 6C3 F5", _MAPS, "lif", None),
    ("4C3 [4C3+]x2 P M F8:relu F5", _MAPS, "lif", None),
    ("4C3:relu 4C3 P 6C3 M F5:relu F5", _MAPS, "lif", None),
    ("4C3:relu P R 6C3 4C3:if P F5", _MAPS, "lif", None),
    ("4C3:relu R F5", _MAPS, "lif", None),
)
_FINE: dict[str, Any] = {
    "topology": "4C3 P F6 F3",
    "input_shape": [1, 4, 4],
    "neuron": "lif",
    "static_input": None,
    "steps": 10,
    "convention": "paper",
    "prices": [3.2, 0.1],
    "memory": None,
    "activity": {"input": 0.5, "conv1": 0.25, "fc1": 0.125},
}
#: Each changes one thing of ``_FINE`` so that the library refuses it.
_WRONG: tuple[dict[str, Any], ...] = (
    *(
        {"topology": text}
        for text in (
            "",
            "64C3",
            "64D3 F10",
            "4C3  F6, F3",
            "it's F3",
            "4C2 F3",
            "0C3 F3",
            "4C3 F0",
            "4C3 F3:lif",
            "4C3:tanh F3",
            "[4C3 F3",
            "4C3]x2 F3",
            "(4C3]x2 F3",
            "[P]x2 F3",
            "[4C3]x0 F3",
            "[4C3]x2:most F3",
            "+ F3",
            "4C3 P+ F3",
            "(4C3 M)+ F3",
            "[R]x2 F3",
            "4C3 P P P F3",
            "4C3 R F3",
            "4C3:relu R R F3",
            "4C3:relu M F3",
            "4C3 F6:relu F3",
            "4C3 M 4C3 F3",
            "(2C3)+ F3",
            "4C3:relu (1C3 4C3)+ F3",
            "4C3 P 4C3+ F3",
            "[4C3]x2 F3",
            "4C3 [8C3 P]x2:drop F3",
            "4C3 [6C3]x2:average F3",
            "4C3 [8C3 8C3+]x2:drop F3",
            "4C3 [[4C3]x2 4C3]x2 F3",
            "F6 4C3 F3",
            "2C3 [4C3]x2:drop [2C3]x2 F3",
        )
    ),
    {"input_shape": [0, 4, 4]},
    {"input_shape": [4, 4]},
    {"input_shape": [1, 3, 4]},
    {"neuron": "tanh"},
    {"steps": 0},
    {"steps": -3},
    {"convention": "true"},
    {"memory": "sram"},
    {"activity": {}},
    {"activity": {"conv1": 0.5}},
    {"convention": "physical", "activity": {"conv1": 0.5}},
    {"prices": [1.5, 0]},
    {"prices": [0.5, 1.5]},
)


def data(records: Iterable[Record]) -> dict[str, Any]:
    """All values that the page shows before any input; JSON values."""
    return {
        "prices": {name: {"mac": p.mac, "ac": p.ac} for name, p in PRICES.items()},
        "memories": {name: _memory(m) for name, m in MEMORIES.items()},
        "networks": [
            {
                "label": f"{net.name}, reading {net.reading} ({net.exhibit})",
                "topology": net.topology,
                "input_shape": list(net.input_shape),
                "neuron": net.neuron,
            }
            for net in networks.REGISTRY.values()
        ],
        "runs": recorded(records),
        "example": EXAMPLE,
    }


def recorded(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Runs of spiking networks that a reader can start from, one (the lowest seed) per network, role and T.

    Networks stand in the paper's order; the page opens with the first run.

    Raises:
        ValueError: a record whose network has different MACs when it is planned again.
    """
    found: dict[tuple[Any, ...], Record] = {}
    for record in records:
        spiking = record["task"] == "train" and "steps" in record.result
        if spiking and not record.labels["role"].startswith("pilot"):
            mine = (
                record.labels["profile"],
                record.labels["network"],
                record.labels["role"],
                record.result["steps"],
            )
            if mine not in found or record.spec.seed < found[mine].spec.seed:
                found[mine] = record
    place = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in networks.REGISTRY))}
    order = sorted(found, key=lambda mine: (place.get(mine[1], len(place)), mine))
    return [_run(found[mine]) for mine in order]


def _run(record: Record) -> dict[str, Any]:
    spec, result, labels = record.spec, record.result, record.labels
    channels, size = train._shape(spec.data)
    static = spec.input.code in ("real", "poisson-mean", "direct")
    state = {
        "current": "recorded",
        "confirmed": "recorded, code changed since, re-run agrees",
        "older": "recorded by older sources",
    }[freshness(record)]
    return {
        "label": f"{labels['network']}, {labels['role']}, {labels['profile']}, T = {result['steps']}, seed {spec.seed}",
        "key": record.key,
        "origin": state,
        "topology": spec.topology,
        "input_shape": [channels, size, size],
        "neuron": spec.network.neuron,
        "static_input": static,
        "steps": result["steps"],
        "accuracy": result["accuracy"],
        "correct": result["correct"],
        "total": result["total"],
        "activity": {site: a["rate"] for site, a in result["activity"].items() if a["kind"] == "spikes"},
    }


# The vectors ------------------------------------------------------------------------------------------------


def vectors() -> dict[str, Any]:
    """Cases with the library's results, and wrong inputs with the library's error sentence."""
    shapes = [(net.topology, net.input_shape, net.neuron, None) for net in networks.REGISTRY.values()]
    draw = random.Random(0)  # arbitrary rates, T and prices, the same at every call
    cases = []
    for topology, shape, neuron, static in (*shapes, *_SMALL):
        for convention in CONVENTIONS:
            passes = plan(topology, shape, neuron, static_input=static)
            memory = draw.choice([None, *MEMORIES]) if convention == "full" else None
            prices = draw.choice([*([p.mac, p.ac] for p in PRICES.values()), [1.0, 1.0]])
            cases.append(
                _case(
                    topology,
                    shape,
                    neuron,
                    static,
                    convention,
                    memory,
                    prices,
                    draw.choice([1, 5, 10, 100, 2500]),
                    {s: round(draw.random(), 6) for s in _sites(passes)},
                )
            )
    for rate in (0.0, 1.0):
        for convention in CONVENTIONS:
            topology, shape, neuron, static = _SMALL[0]
            sites = _sites(plan(topology, shape, neuron, static_input=static))
            cases.append(
                _case(
                    topology,
                    shape,
                    neuron,
                    static,
                    convention,
                    None,
                    [3.2, 0.1],
                    10,
                    dict.fromkeys(sites, rate),
                )
            )
    return {"cases": cases, "refusals": [_refusal({**_FINE, **change}) for change in _WRONG]}


def evaluate(given: Mapping[str, Any]) -> dict[str, Any]:
    """The library's answer to one case: totals and rows in pJ; ``bound`` is the EE of silent spiking layers."""
    passes = plan(
        given["topology"], tuple(given["input_shape"]), given["neuron"], static_input=given["static_input"]
    )
    options: dict[str, Any] = {
        "prices": Prices("given", *given["prices"]),
        "convention": given["convention"],
        "memory": None if given["memory"] is None else MEMORIES[given["memory"]],
    }
    found = report(passes, _activity(given["activity"]), given["steps"], **options)
    silent = _activity(dict.fromkeys(_sites(passes), 0.0))
    spiking = found.to_dict()["spiking_efficiency"]
    return {
        "text": parse(given["topology"]).text,
        "ann": found.ann,
        "snn": found.snn,
        "efficiency": found.efficiency,
        "spiking_efficiency": spiking,
        "bound": report(passes, silent, given["steps"], **options).efficiency,
        "rows": [
            [
                r.site,
                r.neuron,
                r.macs,
                r.mac_operations,
                r.ac_operations,
                r.update_pj,
                r.memory_pj,
                r.snn_pj,
                r.ann_pj,
            ]
            for r in found.rows
        ],
    }


def _case(
    topology: str,
    shape: Iterable[int],
    neuron: str,
    static: bool | None,
    convention: str,
    memory: str | None,
    prices: list[float],
    steps: int,
    activity: dict[str, float],
) -> dict[str, Any]:
    given = {
        "topology": topology,
        "input_shape": list(shape),
        "neuron": neuron,
        "static_input": static,
        "convention": convention,
        "memory": memory,
        "prices": prices,
        "steps": steps,
        "activity": activity,
    }
    return {**given, "expected": evaluate(given)}


def _refusal(given: dict[str, Any]) -> dict[str, Any]:
    try:
        evaluate(given)
    except ValueError as error:
        return {**given, "sentence": str(error)}
    raise ValueError(f"the library must refuse every wrong input, but it took {given}")


def _sites(passes: Iterable[Pass]) -> list[str]:
    """All sites whose rate a report may use."""
    read = [(*(() if p.static else p.sources), *((p.site,) if p.neuron in SPIKING else ())) for p in passes]
    return list(dict.fromkeys(site for some in read for site in some))


def _activity(rates: Mapping[str, float]) -> dict[str, SiteActivity]:
    return {site: SiteActivity("spikes", rate, rate) for site, rate in rates.items()}


def _memory(memory: Memory) -> dict[str, float]:
    return {name: value for name, value in asdict(memory).items() if name != "name"}


# Files ------------------------------------------------------------------------------------------------------


def scripts(records: Iterable[Record]) -> dict[str, str]:
    """The two scripts of the page. They are scripts because a page opened from disk may not read JSON files."""
    memories = {name: _memory(m) for name, m in MEMORIES.items()}
    checked = {**vectors(), "memories": memories, "neurons": list(NEURONS), "conventions": list(CONVENTIONS)}
    return {
        "calculator_data.js": f"globalThis.snnCalculatorData = {_dumps(data(records))};\n",
        "calculator_vectors.js": f"globalThis.snnCalculatorVectors = {_dumps(checked)};\n",
    }


def results() -> list[Record]:
    """All readable records of the paper's runs. The chapters report the unreadable ones."""
    return Store(ROOT / "results").read_all()[0]


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(found: dict[str, Any]) -> str:
    """JSON with a line per case, so that a diff shows the changed cases."""
    comma = ",\n"
    parts = [f'"{name}": [\n{comma.join(map(_dumps, items))}\n]' for name, items in found.items()]
    return f"{{{comma.join(parts)}}}\n"


def main(argv: list[str] | None = None, file: Path = VECTORS) -> int:
    if (sys.argv[1:] if argv is None else argv) != ["--write"]:
        print("usage: python -m tools.calculator --write", file=sys.stderr)
        return 2
    file.write_text(_lines(vectors()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
