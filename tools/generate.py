"""Write the parts of the book that come from code into book/_generated/ (not kept in git).

    python -m tools.generate [FOLDER]    a folder with book/ and executed/ of its own; without one, this repository

ledger.md      the counts of verdicts and the main ones, as the executed ledger declared them (tools.headline)
headlines.md   what the executed notebooks declared as headline findings (panda2020.exhibits.exhibit.headline)
statements.md  every sentence of the article that is judged, with its place and what a run must show, linked to its verdict
parameters.md  the papermill parameters (panda2020.exhibits.notebook.PARAMETERS) and which notebook takes which
times.md       seconds each notebook took in this build
verified.md    which recorded runs were run again, and what came out (results/verifications.jsonl)
api_*.md       one automodule directive per module of the package
static/        the exhibits' style sheet, for pages that explain the badges; what the calculator gets from the library
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from panda2020.claims.claims import claims
from panda2020.exhibits import notebook
from panda2020.ledger import home
from panda2020.ledger import words as ledger_words
from panda2020.runs import Record, verifications, verifying
from tools import calculator
from tools.execute import declared, write_if_changed
from tools.inputs import ROOT

LEDGER = "12_claims"  # the executed notebook with the verdicts


def executed(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Executed notebooks by name, in reading order."""
    return {p.stem: json.loads(p.read_text("utf-8")) for p in sorted((root / "executed").glob("*.ipynb"))}


def title(content: dict[str, Any]) -> str:
    """The first heading of a notebook."""
    for cell in content["cells"]:
        for row in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and row.startswith("# "):
                return row[2:].strip()
    raise SystemExit("a notebook has no '# Title' heading, which the book's table of contents needs")


def parameters(notebooks: dict[str, dict[str, Any]]) -> str:
    """The shared table, then which notebook takes which of them."""
    rows = [notebook.table(), ""]
    if notebooks:
        rows += ["| notebook | its parameters |", "|---|---|"]
        for name, content in notebooks.items():
            taken = ", ".join(f"`{n}`" for n in declared(content)) or "none"
            rows.append(f"| [{title(content)}](../executed/{name}.ipynb) | {taken} |")
    return "\n".join(rows) + "\n"


def statements(notebooks: dict[str, dict[str, Any]]) -> str:
    """The article's sentences by method, as text that the book's search reads; the ledger's own table is hidden from it."""
    ledger = json.dumps(notebooks.get(LEDGER, {}))
    rows = []
    for method in dict.fromkeys(claim.method for claim in claims().values()):
        rows += [f"## {method[0].upper()}{method[1:]}", ""]
        for claim in (claim for claim in claims().values() if claim.method == method):
            there = f"claim-{claim.id}"
            judged = f'id=\\"{there}\\"' in ledger
            name = (
                f'<a href="../executed/{LEDGER}.html#{there}">{claim.id}</a>' if judged else f"`{claim.id}`"
            )
            quote, expects = (_plain(text) for text in (claim.quote, claim.expects))
            rows.append(f"- “{quote}” ({ledger_words.place(claim)}). *A run must show:* {expects}. {name}")
        rows.append("")
    return "\n".join(rows)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no mathematics, emphasis or links; ``~`` twice would strike it through."""
    return re.sub(r"([\\`*_{}\[\]<>$~|])", r"\\\1", text)


def times(notebooks: dict[str, dict[str, Any]]) -> str:
    """Seconds per notebook in this build."""
    if not notebooks:
        return "No notebook has been executed in this build.\n"
    rows = ["| notebook | seconds in this build |", "|---|---|"]
    for name, content in notebooks.items():
        rows.append(
            f"| [{title(content)}](../executed/{name}.ipynb) | {content['metadata']['snncore']['seconds']} |"
        )
    return "\n".join(rows) + "\n"


def verified(log: Path, records: Iterable[Record]) -> str:
    """The log of verifications, newest first. Stops the build where a line of it cannot be used."""
    entries, faults = verifications.read(log)
    if faults:
        raise SystemExit("\n".join(faults))
    by_key = {record.key: record for record in records}
    rule = (
        "With the same sources and the same kind of machine every number must be the same. Elsewhere a number may differ "
        f"by {verifying.ABSOLUTE:g} + {verifying.RELATIVE:.0%} of itself, a count by {verifying.ABSOLUTE:.0%} of all.\n\n"
    )
    if not entries:
        return rule + (
            "The log is empty: no recorded run has been run again and logged yet.\n"
            "`python -m panda2020 verify --sample 3` writes its first lines.\n"
        )
    agree = [e for e in entries if e["agrees"]]
    exact = sum(e["exact"] for e in agree)
    seen = len({e["key"] for e in entries} & by_key.keys())
    rows = [
        f"{rule}Logged so far: {len(entries)} {_plural('comparison', entries)}, of {seen} of the {len(by_key)} recorded runs. "
        f"{exact} agree bit for bit, {len(agree) - exact} within the tolerance for another kind of machine, and "
        f"{len(entries) - len(agree)} differ.",
        "",
        "| date | run | outcome | run again by | on |",
        "|---|---|---|---|---|",
    ]
    for e in reversed(entries):
        rows.append(
            f"| {e['date'][:10]} | {_which(e, by_key)} | {_outcome(e)} | {_sources(e)} | {_machine(e)} |"
        )
    return "\n".join(rows) + "\n"


def _plural(word: str, items: list[Any]) -> str:
    return word if len(items) == 1 else f"{word}s"


def _which(e: dict[str, Any], by_key: dict[str, Record]) -> str:
    record = by_key.get(e["key"])
    if record is None:
        return f"`{e['key']}`, no longer here"
    labels = record.labels
    name = f"`{e['key']}` {labels['network']} {labels['role']}, {labels['profile']}".replace("  ", " ")
    return name if record["sha256"] == e["record_sha256"] else f"{name}, whose content has changed since"


def _outcome(e: dict[str, Any]) -> str:
    how = "bit for bit" if e["exact"] else f"within tolerance, as {', '.join(e['differing'])} differ"
    if e["agrees"]:
        return f"✓ agrees {how}"
    more = len(e["differences"]) - 1
    first = e["differences"][0].replace("|", "\\|")
    return f"✗ differs, compared {how}: {first}" + (f" and {more} more" if more else "")


def _sources(e: dict[str, Any]) -> str:
    sha = "an unknown commit" if e["commit"] is None else f"commit `{e['commit'][:10]}`"
    changed = {True: "+dirty", False: "", None: ", not known whether clean"}[e["dirty"]]
    return f"{sha}{changed}" + ("" if e["sources"] == "current" else ", sources other than the record's")


def _machine(e: dict[str, Any]) -> str:
    machine = e["machine"]
    return f"{machine['device_name']}, {machine['threads']} threads, torch {machine['versions']['torch']}"


def api(root: Path = ROOT) -> dict[str, str]:
    """For the library, the store of runs and the paper, the automodule directives of their public modules."""
    found: dict[str, list[str]] = {"core": [], "runs": [], "paper": []}
    for package in ("snncore", "panda2020"):
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            if not any(part.startswith("_") for part in parts):
                layer = (
                    "core" if package == "snncore" else "runs" if parts[1] in ("runs", "tasks") else "paper"
                )
                found[layer].append(".".join(parts))
    pages = {}
    for layer, modules in found.items():
        blocks = [f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n" for name in modules]
        pages[f"api_{layer}.md"] = "\n".join(blocks) or "No module here yet.\n"
    return pages


def main(root: Path = ROOT) -> int:
    notebooks, records = executed(root), calculator.results()
    pages = {
        "home.md": f"```{{raw}} html\n{home.page_html(home.home(results=ROOT / 'results'))}\n```\n",
        "statements.md": statements(notebooks),
        "parameters.md": parameters(notebooks),
        "times.md": times(notebooks),
        "verified.md": verified(ROOT / "results" / verifications.NAME, records),
        **api(),
    }
    pages["static/exhibits.css"] = (ROOT / "panda2020" / "exhibits" / "exhibits.css").read_text("utf-8")
    pages.update({f"static/{name}": text for name, text in calculator.scripts(records).items()})
    for name, text in pages.items():
        write_if_changed(root / "book" / "_generated" / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
