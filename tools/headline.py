"""The head of README.md, written from the records by the code of the book's start page (``panda2020.ledger.home``).

    python -m tools.headline            # check whether README.md is up to date
    python -m tools.headline --write    # update it

A test fails if README.md is outdated.
"""

from __future__ import annotations

import sys
from pathlib import Path

from panda2020.ledger import home
from tools.inputs import ROOT

BEGIN = "<!-- headline: written by python -m tools.headline --write -->"
END = "<!-- /headline -->"


def replaced(text: str, block: str) -> str:
    """``text`` with ``block`` between the two marks.

    Raises:
        ValueError: not exactly one pair of marks.
    """
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
    wanted = replaced(text, home.markdown(home.home(results=root / "results")))
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
