"""Papermill parameters of the notebooks: one table, checked in every notebook's first cell.

A notebook has a cell tagged ``parameters`` with typed, commented assignments, ::

    profile: str = "quick"  # quick | laptop | paper

and its next cell calls ``p = parameters(globals(), "profile", "timesteps")``. papermill only warns about a
misspelt ``-p`` and continues with the default; this call raises an error instead, so the run stops.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snncore._check import one_of

KINDS = {
    "str": "a text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a finite number",
    "list[int]": "a list of whole numbers",
    "list[float]": "a list of finite numbers",
    "list[str]": "a list of texts",
}


@dataclass(frozen=True)
class Parameter:
    """One papermill parameter: its name, type, default, meaning, and allowed values."""

    name: str
    kind: str  # a key of KINDS
    default: Any
    meaning: str
    allowed: tuple[Any, ...] = ()  # every value (or every item of a list) must be one of these; () allows any
    least: float | None = None  # every number must be at least this

    def __post_init__(self) -> None:
        one_of("kind", self.kind, tuple(KINDS))

    def check(self, value: Any) -> Any:
        """Return ``value`` in this parameter's type.

        Lists may be given as text, "[5, 10]" or "5,10", as from ``papermill -r``, or as their only item, as from
        ``papermill -p timesteps 5``.

        Raises:
            ValueError: a value that is not allowed; the message names the parameter, the value and the allowed values.
        """
        if self.kind.startswith("list["):
            items = value if isinstance(value, list | tuple) else self._parse(value)
            return [self._item(item, self.kind[5:-1], value) for item in items]
        return self._item(value, self.kind, value)

    def _parse(self, value: Any) -> list[Any]:
        """The items of a list given as text, or as its only item."""
        if not isinstance(value, str):
            return [value]
        text = value.strip()
        if not text.startswith(("[", "(")):
            text = f"[{text}]"
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            found = None
            if self.kind == "list[str]" and re.fullmatch(r"\[[\w\s,:.\-]*\]", text):  # names need no quotes
                found = [part.strip() for part in text[1:-1].split(",") if part.strip()]
        if not isinstance(found, list | tuple) or not value.strip():
            raise self._refusal(value)
        return list(found)

    def _item(self, item: Any, kind: str, given: Any) -> Any:
        if kind == "float" and isinstance(item, int) and not isinstance(item, bool):
            item = float(item)
        if kind == "bool" and isinstance(item, str):  # papermill -p passes "true" as text
            item = {"true": True, "false": False}.get(item.lower(), item)
        if kind == "float" and isinstance(item, float) and not math.isfinite(item):
            raise self._refusal(given)
        right = {"str": str, "bool": bool, "int": int, "float": float}[kind]
        if not isinstance(item, right) or (kind == "int" and isinstance(item, bool)):
            raise self._refusal(given)
        if self.allowed and item not in self.allowed:
            raise ValueError(
                f"papermill parameter {self.name!r} must be one of {', '.join(map(repr, self.allowed))}, got {given!r}"
            )
        if self.least is not None and isinstance(item, int | float) and item < self.least:
            raise ValueError(
                f"papermill parameter {self.name!r} must be at least {self.least:g}, got {given!r}"
            )
        return item

    def _refusal(self, value: Any) -> ValueError:
        return ValueError(f"papermill parameter {self.name!r} must be {KINDS[self.kind]}, got {value!r}")


#: The parameters that notebooks share. An empty list means the values of the profile.
PARAMETERS: dict[str, Parameter] = {
    p.name: p
    for p in (
        Parameter("profile", "str", "quick", "scale of the runs", allowed=("quick", "laptop", "paper")),
        Parameter("timesteps", "list[int]", [], "time steps T to show; [] means the profile's own", least=1),
        Parameter("seeds", "list[int]", [], "seeds to average over; [] means the profile's own", least=0),
        Parameter("networks", "list[str]", [], "registered networks to show; [] means all of the exhibit's"),
        Parameter(
            "run_missing",
            "bool",
            False,
            "execute runs that no record holds, instead of stopping with a list of them; `quick` runs always are",
        ),
        Parameter(
            "max_minutes", "float", 5.0, "do not start missing runs estimated to take longer in all", least=0
        ),
        Parameter("results", "str", "results", "folder of recorded runs, relative to the repository root"),
    )
}

#: The values of the last ``parameters`` call; exhibits print the exact command from them.
current: dict[str, Any] = {}

_IPYTHON = re.compile(r"_+|_i+|_i?\d+|_[ido]h|_exit_code|__\w+__|In|Out|exit|quit|open|get_ipython")

_CHECKED = "__parameters_checked__"  # the check ignores this name

_VALUES = (str, int, float, bool, list, tuple, dict, set, type(None))


def parameters(namespace: MutableMapping[str, Any], *names: str | Parameter) -> SimpleNamespace:
    """Check a notebook's parameters and return them as attributes.

    Call it in the first cell after the one tagged ``parameters``. Variables are checked only in the first call, which leaves a
    mark in ``namespace``: if the cell is run again in an open notebook, other variables belong to later cells.

    Args:
        namespace: ``globals()``.
        names: keys of ``PARAMETERS``, or ``Parameter`` objects of this notebook.

    Raises:
        ValueError: a value that is not allowed, a declared parameter that is not set, or any other plain variable, such as a
            misspelt papermill parameter.
    """
    chosen: dict[str, Parameter] = {}
    for name in names:
        parameter = (
            name if isinstance(name, Parameter) else PARAMETERS[one_of("name", name, tuple(PARAMETERS))]
        )
        chosen[parameter.name] = parameter
    for name, value in () if _CHECKED in namespace else namespace.items():
        if name not in chosen and isinstance(value, _VALUES) and not _IPYTHON.fullmatch(name):
            raise ValueError(f"unknown papermill parameter {name!r}; allowed: {', '.join(chosen) or 'none'}")
    for name in chosen:
        if name not in namespace:
            raise ValueError(f"papermill parameter {name!r} is not set in the cell tagged 'parameters'")
    values = {name: parameter.check(namespace[name]) for name, parameter in chosen.items()}
    namespace[_CHECKED] = True
    current.clear()
    current.update(values)
    if "run_missing" in values:
        values["run_missing"] = values["run_missing"] or values.get("profile") == "quick"
    return SimpleNamespace(**values)


def command(notebook: str) -> str:
    """The papermill command that reproduces the running notebook with its current parameters."""
    given = f" -y '{json.dumps(current)}'" if current else ""
    return f"papermill notebooks/{notebook}.ipynb {notebook}.ipynb{given}"


def root(start: str | os.PathLike[str] | None = None) -> Path:
    """The repository root: the nearest folder with ``_config.yml`` above ``start``, else the one that contains this package.

    papermill runs a notebook in the caller's folder and nbval in the notebook's, so neither can be assumed.

    Raises:
        FileNotFoundError: no such folder.
    """
    here = Path(start if start is not None else Path.cwd()).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "_config.yml").is_file() and (folder / "snncore").is_dir():
            return folder
    raise FileNotFoundError(f"no repository root (a folder with _config.yml and snncore/) at or above {here}")


def table() -> str:
    """The shared parameters as a Markdown table."""
    rows = ["| parameter | type | default | meaning | allowed |", "|---|---|---|---|---|"]
    for p in PARAMETERS.values():
        allowed = ", ".join(f"`{a}`" for a in p.allowed) or (
            f"at least {p.least:g}" if p.least is not None else "any"
        )
        rows.append(f"| `{p.name}` | `{p.kind}` | `{p.default!r}` | {p.meaning} | {allowed} |")
    return "\n".join(rows)
