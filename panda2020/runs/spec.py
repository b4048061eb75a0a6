"""A run is its spec: a frozen dataclass, its canonical JSON, and the key made from that.

The canonical form leaves out every field that equals its default, so that a new option whose default means
"as before" does not change the keys of old runs. Floats are written by ``repr`` (exact), names are sorted,
-0.0 is 0.0, and NaN is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

TASKS: dict[str, str] = {
    "train": "panda2020.tasks.train",
    "convert": "panda2020.tasks.convert",
    "stdp": "panda2020.tasks.stdp",
}


#: Fields that specs call by another name than the code: the keys of recorded runs are made from it.
STORED = {"alpha": "leak"}


class SpecError(ValueError):
    """A spec that cannot be understood, said in one sentence."""


def register(task: str, module: str) -> None:
    """Add a kind of run: ``module`` is imported when a run of the kind is first met."""
    if TASKS.get(task, module) != module:
        raise SpecError(f"task {task!r} is already {TASKS[task]}, so it cannot become {module}")
    TASKS[task] = module


def task_module(task: str) -> Any:
    """The module that runs ``task``; raise ``SpecError`` for an unknown one."""
    if task not in TASKS:
        raise SpecError(f"task must be one of {', '.join(map(repr, TASKS))}, got {task!r}")
    return importlib.import_module(TASKS[task])


def task_of(spec: Any) -> str:
    """The name of the task whose ``Spec`` this is."""
    for task, module in TASKS.items():
        if module in sys.modules and getattr(sys.modules[module], "Spec", None) is type(spec):
            return task
    raise SpecError(f"{type(spec).__qualname__} is the spec of no registered task ({', '.join(TASKS)})")


def to_dict(spec: Any) -> dict[str, Any]:
    """All fields as plain JSON data, defaults included."""
    return _fields_of(spec, omit=False)


def from_dict(task: str, data: Mapping[str, Any]) -> Any:
    """The spec that ``to_dict`` wrote: strict about names and types; a field that is absent takes its
    default.
    """
    return _conform(task_module(task).Spec, data, task)


def canonical(spec: Any) -> str:
    """The text that the key is made from."""
    values = _fields_of(spec, omit=True)
    if "task" in values:
        raise SpecError(
            f"{type(spec).__qualname__} has a field named 'task', a name kept for the kind of run"
        )
    return dumps({"task": task_of(spec), **values})


def key(spec: Any) -> str:
    """16 hexadecimal digits that name the run."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()[:16]


def dumps(value: Any) -> str:
    """Canonical JSON: sorted names, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _fields_of(spec: Any, *, omit: bool) -> dict[str, Any]:
    kind = type(spec)
    if not dataclasses.is_dataclass(spec) or not kind.__dataclass_params__.frozen:
        raise SpecError(f"a spec must be a frozen dataclass, got {kind.__qualname__}")
    hints = typing.get_type_hints(kind)
    out: dict[str, Any] = {}
    for field in dataclasses.fields(spec):
        path = f"{kind.__qualname__}.{field.name}"

        def plain(value: Any, *, omit: bool, hint: Any = hints[field.name], path: str = path) -> Any:
            return _plain(_conform(hint, value, path), omit=omit)

        value = getattr(spec, field.name)
        # compared as JSON text: 1, 1.0 and True are equal to Python
        if omit and any(
            dumps(plain(value, omit=False)) == dumps(plain(d, omit=False)) for d in _default(field)
        ):
            continue
        out[STORED.get(field.name, field.name)] = plain(value, omit=omit)
    return out


def _default(field: dataclasses.Field[Any]) -> list[Any]:
    if field.default is not dataclasses.MISSING:
        return [field.default]
    if field.default_factory is not dataclasses.MISSING:
        return [field.default_factory()]
    return []


def _plain(value: Any, *, omit: bool) -> Any:
    if dataclasses.is_dataclass(value):
        return _fields_of(value, omit=omit)
    if isinstance(value, tuple):
        return [_plain(item, omit=omit) for item in value]
    return value


def _conform(hint: Any, value: Any, path: str) -> Any:
    """``value`` in the type its annotation names: whole numbers become floats where floats are asked for,
    lists tuples.
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _conform_dataclass(hint, value, path)
    if hint is None or hint is type(None):
        if value is None:
            return None
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is int:
        if isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
    elif hint is float:
        if isinstance(value, Real) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise SpecError(f"{path} must be finite, got {value!r}")
            return float(value) + 0.0  # -0.0 + 0.0 is 0.0
    elif hint is str:
        if isinstance(value, str):
            return str(value)
    elif origin is typing.Literal:
        if any(value == a and type(value) is type(a) for a in args):
            return value
        raise SpecError(f"{path} must be one of {', '.join(map(repr, args))}, got {value!r}")
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            if len(args) == 2 and args[1] is Ellipsis:
                args = (args[0],) * len(value)
            if len(args) == len(value):
                return tuple(
                    _conform(a, v, f"{path}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True))
                )
    elif origin in (typing.Union, types.UnionType):
        return _conform_union(args, hint, value, path)
    else:
        raise SpecError(f"{path} is annotated {hint!r}, which a spec cannot hold")
    raise SpecError(f"{path} must be {_name(hint)}, got {value!r}")


def _conform_dataclass(kind: type, value: Any, path: str) -> Any:
    if type(value) is kind:
        return value
    if not isinstance(value, Mapping):
        raise SpecError(f"{path} must be the fields of {kind.__qualname__}, got {value!r}")
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind)}
    stored = {STORED.get(name, name): name for name in known}
    value = {stored.get(name, name): item for name, item in value.items()}
    for name in value:
        if name not in known:
            raise SpecError(f"{path} has no field {name!r}; its fields are {', '.join(known)}")
    for name, field in known.items():
        if name not in value and not _default(field):
            raise SpecError(f"{path} needs the field {name!r}")
    return kind(**{name: _conform(hints[name], item, f"{path}.{name}") for name, item in value.items()})


def _conform_union(args: tuple[Any, ...], hint: Any, value: Any, path: str) -> Any:
    exact = [a for a in args if a is type(value)]  # 1 stays an int in `int | float`
    if exact:
        return _conform(exact[0], value, path)
    refusal = None
    others = [a for a in args if a is not type(None)]
    for candidate in others:
        try:
            return _conform(candidate, value, path)
        except SpecError as error:
            refusal = error
    if refusal is not None and len(others) == 1:
        raise refusal
    raise SpecError(f"{path} must be {_name(hint)}, got {value!r}")


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
