"""The command ``python -m bench``: run topics, print their tables, write the JSON."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from panda2020.cost.benchmark import SCHEMA, source
from panda2020.runs import provenance
from panda2020.runs.launch import TUNED

from . import TOPICS
from .contenders import peers
from .machine import features
from .report import CLOCKS, SIZES, Options, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the topics asked for; 0 if every check holds, 1 if one fails."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Ratios to other libraries, in one process."
    )
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"which ones (default: all): {', '.join(TOPICS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to this file as well")
    parser.add_argument("--repeats", type=int, default=9, help="rounds that count (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default: %(default)s)")
    parser.add_argument(
        "--clock", choices=CLOCKS, help="processor or wall time (default: cpu with one thread, else wall)"
    )
    parser.add_argument("--size", choices=SIZES, default="full", help="small: only to see that it works")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.topics) - set(TOPICS)):
        parser.error(f"topic must be one of {', '.join(TOPICS)}, got {unknown[0]!r}")
    if given.repeats < 1 or given.threads < 1:
        parser.error(f"repeats and threads must be at least 1, got {given.repeats} and {given.threads}")
    clock = given.clock or ("cpu" if given.threads == 1 else "wall")
    report = measure(
        [name for name in TOPICS if name in given.topics or not given.topics],
        size=given.size,
        repeats=given.repeats,
        threads=given.threads,
        clock=clock,
    )
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if all(check["holds"] for topic in report["topics"] for check in topic["checks"]) else 1


def measure(topics: Sequence[str], *, size: str, repeats: int, threads: int, clock: str) -> dict[str, Any]:
    """Run topics, printing each when it is done, and return the report (``report.SCHEMA``)."""
    torch.set_num_threads(threads)
    found = peers()
    made = provenance.commit()
    options = Options(size, repeats, clock, tuple(peer.name for peer in found if peer.version))
    machine = provenance.machine("cpu")
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "commit": made.sha,
        "dirty": made.dirty,
        "machine": {
            "cpu": machine["cpu"],
            "platform": machine["platform"],
            "features": list(features()),
            "cores": os.cpu_count(),
            "threads": threads,
            "allocator": {name: os.environ.get(name) for name in TUNED if name.startswith("MALLOC")},
            "load_before": os.getloadavg()[0],
        },
        "versions": machine["versions"] | {peer.name: peer.version for peer in found},
        "skipped": {peer.name: peer.reason for peer in found if peer.version is None},
        "settings": {"size": size, "repeats": repeats, "clock": clock},
        "topics": [],
    }
    print(
        f"{machine['cpu']}, {threads} of {os.cpu_count()} cores, {clock} time; "
        + ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    )
    for name, reason in report["skipped"].items():
        print(f"skipped {name}: {reason}")
    for name in topics:
        module = importlib.import_module(f"bench.{name}")
        start = time.perf_counter()
        entry = module.run(options).to_dict(name, module.TITLE)
        entry |= {"wall": time.perf_counter() - start, "source": source(name)}
        report["topics"].append(entry)
        print("\n" + table(entry), flush=True)
    report["machine"]["load_after"] = os.getloadavg()[0]
    return report
