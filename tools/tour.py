"""Run README's Python in this interpreter, to test an installed wheel: ``python -I tools/tour.py README.md``.

It needs only the standard library and README's imports, so it also runs without a checkout. ``-I`` prevents the import of a
surrounding checkout in place of the wheel.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def blocks(text: str) -> list[str]:
    """The Python code blocks of a Markdown text, in order."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def main(arguments: list[str]) -> int:
    """Run all blocks in order, in one namespace; an exception ends the run."""
    if len(arguments) != 1:
        print("usage: python -I tools/tour.py README.md", file=sys.stderr)
        return 2
    found = blocks(Path(arguments[0]).read_text("utf-8"))
    if not found:
        print(f"{arguments[0]} must hold a Python block, got none", file=sys.stderr)
        return 1
    names: dict[str, object] = {"__name__": "__main__"}
    for block in found:
        exec(compile(block, arguments[0], "exec"), names)
    import snncore

    print(f"{len(found)} blocks ran on Python {sys.version.split()[0]} with {Path(snncore.__file__).parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
