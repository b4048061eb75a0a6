"""The ledger's headline: on the start page from the executed chapter, in README.md from the records.

    python -m tools.headline            # say whether README.md has what the records say
    python -m tools.headline --write    # write it there

Both come from ``panda2020.ledger.headline``; a test fails where README.md is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from panda2020.ledger import headline
from tools.inputs import ROOT

BEGIN = "<!-- headline: written by python -m tools.headline --write -->"
END = "<!-- /headline -->"


def start_page(notebooks: dict[str, dict[str, Any]]) -> str:
    """What an executed chapter declared as the ledger's headline. Raises ``SystemExit`` where two did."""
    found = [
        output["metadata"][headline.LEDGER]["markdown"]
        for content in notebooks.values()
        for cell in content["cells"]
        for output in cell.get("outputs", [])
        if headline.LEDGER in output.get("metadata", {})
    ]
    if len(found) > 1:
        raise SystemExit(f"one notebook may declare the ledger's headline, got {len(found)}")
    return (
        found[0]
        if found
        else "The claims ledger was not executed in this build, so there is no count of verdicts.\n"
    )


def replaced(text: str, block: str) -> str:
    """``text`` with ``block`` between the two marks. Raises ``ValueError`` without exactly one pair of them."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"README.md must hold {BEGIN!r} and then {END!r}, each once")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{block.strip()}\n\n{END}{rest.partition(END)[2]}"


def main(argv: list[str] | None = None, *, root: Path = ROOT) -> int:
    words = sys.argv[1:] if argv is None else argv
    if words not in ([], ["--write"]):
        print("usage: python -m tools.headline [--write]", file=sys.stderr)
        return 2
    readme = root / "README.md"
    text = readme.read_text("utf-8")
    wanted = replaced(text, headline.markdown(headline.headline(results=root / "results")))
    if words:
        readme.write_text(wanted, "utf-8")
    elif text != wanted:
        print(
            "README.md does not say what the records say: python -m tools.headline --write", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
