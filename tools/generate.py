"""Write the parts of the book that come from code into book/_generated/ (not kept in git).

    python -m tools.generate [FOLDER]    a folder with book/ and executed/ of its own; without one, this repository

home.md        the start page (panda2020.ledger.home)
results.md     finding, scale, counts of verdicts and computing time, for the reproducibility summary
numbers.md     every number of the article beside ours
recorded.md    every run; missing.md, those that are planned and not there; progress.md, the protocol's stages
protocol_*.md  statements, verdicts, tolerances, limits and profiles of the evaluation protocol (tools.protocol_page)
rule_history.md  which commits changed a rule, a range or a sentence (tools.rule_history)
compute.md     minutes of the recorded runs behind each claim (panda2020.ledger.compute)
cite.md        how to cite this companion, from CITATION.cff
parameters.md  the papermill parameters (panda2020.exhibits.notebook.PARAMETERS) and which notebook takes which
times.md       seconds each notebook took in this build
twice.md       runs that were recorded on two kinds of machine (results/twice)
verified.md    which recorded runs were run again, and what came out (results/verifications.jsonl)
api/           a page per module of the library and per folder of the paper's part; api_index.md lists them
static/        the exhibits' style sheet, for pages without exhibits; what the calculator gets from the library
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from panda2020 import contents
from panda2020.claims.claims import claims
from panda2020.claims.evidence import PROFILES
from panda2020.exhibits import notebook
from panda2020.ledger import compute, home
from panda2020.ledger.chapter import judged
from panda2020.ledger.ledger import evidence, ledger
from panda2020.runs import Entry, Record, Store, executing, key, verifications, verifying
from tools import calculator, pages, protocol_page, rule_history
from tools.execute import declared, write_if_changed
from tools.inputs import ROOT


def executed(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Executed notebooks by name, in reading order."""
    return {p.stem: json.loads(p.read_text("utf-8")) for p in sorted((root / "executed").glob("[!.]*.ipynb"))}


def title(content: dict[str, Any]) -> str:
    """The first heading of a notebook."""
    for cell in content["cells"]:
        for row in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and row.startswith("# "):
                return row[2:].strip()
    raise SystemExit("a notebook has no '# Title' heading, which the book's table of contents needs")


def parameters(notebooks: dict[str, dict[str, Any]]) -> str:
    """The shared parameters, then the parameters of each notebook."""
    rows = [notebook.table(), ""]
    if notebooks:
        rows += ["| notebook | its parameters |", "|---|---|"]
        for name, content in notebooks.items():
            taken = ", ".join(f"`{n}`" for n in declared(content)) or "none"
            rows.append(f"| [{title(content)}](../executed/{name}.ipynb) | {taken} |")
    return "\n".join(rows) + "\n"


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
    """The log of verifications, newest first. An unusable line stops the build."""
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


def modules(root: Path = ROOT) -> list[str]:
    """The public modules of both packages by their dotted names."""
    found = []
    for package in ("snncore", "panda2020"):
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            if not any(part.startswith("_") for part in parts):
                found.append(".".join(parts))
    return found


def api(root: Path = ROOT) -> dict[str, str]:
    """The API pages: one per module of the library, one per folder of the paper's part."""
    found: dict[str, list[str]] = {}
    for name in modules(root):
        parts = name.split(".")
        page = name if parts[0] == "snncore" or len(parts) == 2 else ".".join(parts[:2])
        found.setdefault(page, []).append(name)
    pages = {}
    for page, names in found.items():
        blocks = [f"```{{eval-rst}}\n.. automodule:: {name}\n```\n" for name in names]
        heads = [f"## `{name}`\n\n" if len(names) > 1 else "" for name in names]
        text = "\n".join(head + block for head, block in zip(heads, blocks, strict=True))
        pages[f"api/{page}.md"] = f"# `{page}`\n\n{text}"
    return pages


def api_index(pages: Iterable[str]) -> str:
    """The list of the API pages, each with its first sentence."""
    rows = []
    for page in pages:
        name = Path(page).name.removesuffix(".md")
        file = ROOT / Path(*name.split("."))
        source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        said = (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").partition("\n\n")[0]
        rows.append(f"- [`{name}`](../_generated/{page}): {_plain(' '.join(said.split()))}")
    return "\n".join(rows) + "\n"


def _plain(text: str) -> str:
    """Escape text so that Markdown shows it unchanged: no mathematics, emphasis, links or strike-through."""
    return re.sub(r"([\\*_{}\[\]<>$~|])", r"\\\1", text)


def cite() -> str:
    """How to cite this companion, from CITATION.cff."""
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    address = found.get("repository-code")
    authors = ", ".join(author["name"] for author in found["authors"])
    rest = f" {address}" if address else ""
    return f"> {authors}. *{found['title']}*, version {found['version']}. {found['license']} licence.{rest}\n"


def labelled(records: Iterable[Record], store: Store) -> list[Record]:
    """Records with the labels of the plan that asks for them, the largest profile first; others keep their own."""
    plans: dict[str, Entry] = {}
    for profile in reversed(PROFILES):
        for entry in contents.entries(profile):
            plans.setdefault(key(entry.spec), entry)
    return [
        executing.tagged(record, store, plans[record.key]) if record.key in plans else record
        for record in records
    ]


def texts(root: Path = ROOT) -> dict[str, str]:
    """Every generated part of the book: its name below book/_generated/, and its text."""
    notebooks, reference, folder = executed(root), api(), ROOT / "results"
    ledgers = [ledger(profile, found=evidence(profile, results=folder)) for profile in PROFILES]
    records = labelled(calculator.results(), Store(folder))
    found = home.home(results=folder)
    again, errors = Store(folder / "twice").read_all()
    if errors:
        raise errors[0]
    made = {
        "home.md": pages.raw(home.page_html(found)),
        "results.md": pages.results(found, ledgers, records),
        "numbers.md": pages.numbers(judged(tuple(claims()), results=folder)),
        "recorded.md": pages.recorded(records),
        "missing.md": pages.missing(ledgers),
        "progress.md": pages.progress("laptop", {record.key for record in records}),
        "rule_history.md": rule_history.page(rule_history.commits(), rule_history.changes()),
        "compute.md": compute.markdown(ledgers),
        **protocol_page.parts(),
        "cite.md": cite(),
        "parameters.md": parameters(notebooks),
        "times.md": times(notebooks),
        "twice.md": pages.twice(records, again),
        "verified.md": verified(folder / verifications.NAME, records),
        "api_index.md": api_index(reference),
        **reference,
    }
    made["static/exhibits.css"] = (ROOT / "panda2020" / "exhibits" / "exhibits.css").read_text("utf-8")
    made.update({f"static/{name}": text for name, text in calculator.scripts(records).items()})
    return made


def main(root: Path = ROOT) -> int:
    for name, text in texts(root).items():
        write_if_changed(root / "book" / "_generated" / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
