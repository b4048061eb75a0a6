"""A run is its spec: a frozen dataclass, its canonical JSON, and the key made from that.

The canonical form omits every field that equals its default, so that a new option whose default means
"as before" does not change the keys of old runs. Floats are written by ``repr`` (exact), names are sorted,
-0.0 is 0.0, and NaN is refused.

msgspec checks the types of JSON and of specs made in code. It refuses unknown fields only for its own structs, so each
dataclass has a corresponding struct (``_struct_for``). The error sentences are made here, because msgspec's do not state
the value.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Annotated, Any

import msgspec

TASKS: dict[str, str] = {
    "train": "panda2020.tasks.train",
    "convert": "panda2020.tasks.convert",
    "stdp": "panda2020.tasks.stdp",
}


#: Fields with a different name in specs than in the code; the keys of recorded runs depend on the name in specs.
STORED = {"alpha": "leak"}

#: Largest values of fields with these names: no spec needs more memory than a machine can have, and every random stream
#: accepts the seed.
LARGEST = {"steps": 100_000, "batch_size": 100_000, "batch": 100_000, "size": 4_096, "seed": 2**32 - 1}

_FINITE = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]  # excludes NaN


class SpecError(ValueError):
    """A spec that cannot be understood; the message is one sentence."""


def register(task: str, module: str) -> None:
    """Add a kind of run. ``module`` is imported when a run of this kind is first used."""
    if TASKS.get(task, module) != module:
        raise SpecError(f"task {task!r} is already {TASKS[task]}, so it cannot become {module}")
    TASKS[task] = module


def task_module(task: str) -> Any:
    """The module that runs ``task``.

    Raises:
        SpecError: an unknown task.
    """
    if not isinstance(task, str) or task not in TASKS:
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
    plain: dict[str, Any] = _plain(_checked(spec), omit=False)
    return plain


def from_dict(task: str, data: Mapping[str, Any]) -> Any:
    """Read the output of ``to_dict``. Names and types are strict; a missing field takes its default."""
    return _spec_in(_convert(data, task_module(task).Spec, task))


def canonical(spec: Any) -> str:
    """The text that the key is made from."""
    values = _plain(_checked(spec), omit=True)
    if "task" in values:
        raise SpecError(
            f"{type(spec).__qualname__} has a field named 'task', a name kept for the kind of run"
        )
    return dumps({"task": task_of(spec), **values})


def key(spec: Any) -> str:
    """The key of a run, 16 hexadecimal digits."""
    try:
        return hashlib.sha256(canonical(spec).encode()).hexdigest()[:16]
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise SpecError(f"a spec must hold text that is Unicode, got {wrong!r}") from None


def dumps(value: Any) -> str:
    """Canonical JSON: sorted names, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class _Unreadable:
    """Replaces an annotation that no value of a spec may have."""


@functools.cache
def _struct_for(kind: type) -> type[msgspec.Struct]:
    """The msgspec struct for a dataclass: the same fields, with their names in records."""
    hints = typing.get_type_hints(kind)
    fields: list[Any] = []
    for field in dataclasses.fields(kind):
        hint = _annotation(hints[field.name], LARGEST.get(field.name), 0 if field.name == "seed" else None)
        fields.append((field.name, hint, msgspec.UNSET) if _default(field) else (field.name, hint))
    return msgspec.defstruct(
        kind.__name__,
        fields,
        kw_only=True,
        forbid_unknown_fields=True,
        rename=STORED,
        namespace={"kind": kind},
    )


def _annotation(hint: Any, most: int | None = None, least: int | None = None) -> Any:
    """A field's annotation for msgspec."""
    args = typing.get_args(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _struct_for(hint)
    if hint is float:
        return _FINITE
    if hint is int and most is not None:
        return Annotated[int, msgspec.Meta(ge=least, le=most)]
    if hint in (int, bool, str, type(None)) or typing.get_origin(hint) is typing.Literal:
        return hint
    if typing.get_origin(hint) is tuple:
        return tuple[tuple(a if a is Ellipsis else _annotation(a, most) for a in args)]  # type: ignore[misc]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.Union[tuple(_annotation(a, most) for a in args)]  # noqa: UP007
    return _Unreadable


def _convert(data: Any, kind: type, path: str) -> msgspec.Struct:
    """Read the fields of ``kind`` from ``data``; raise ``SpecError`` with the place, the allowed values and the value."""
    if not isinstance(data, Mapping):
        raise SpecError(f"{path} must be the fields of {kind.__qualname__}, got {data!r}")
    try:
        return msgspec.convert(dict(data), _struct_for(kind))
    except msgspec.ValidationError as error:
        raise SpecError(_sentence(str(error), data, kind, path)) from None


def _sentence(said: str, value: Any, hint: Any, path: str) -> str:
    """msgspec's error as a sentence, with the annotation and the value at that place."""
    said, _, place = said.partition(" - at `$")
    name = ""
    for field, index in re.findall(r"\.(\w+)|\[(\d+)\]", place):
        if field:
            hint = next((a for a in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(a)), hint)
            name = next((n for n, stored in STORED.items() if stored == field), field)
            hint, value, path = typing.get_type_hints(hint)[name], value[field], f"{path}.{name}"
        else:
            args = next(
                typing.get_args(a) for a in (hint, *typing.get_args(hint)) if typing.get_origin(a) is tuple
            )
            hint = args[0] if args[-1] is Ellipsis else args[int(index)]
            value, path = value[int(index)], f"{path}[{index}]"
    if _Unreadable.__name__ in said:
        return f"{path} is annotated {hint!r}, which a spec cannot hold"
    quoted = re.search(r"`(\w+)`$", said)
    if quoted is not None and "field" in said:
        kind = next(a for a in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(a))
        known = ", ".join(field.name for field in dataclasses.fields(kind))
        if "unknown" in said:
            return f"{path} has no field {quoted[1]!r}; its fields are {known}"
        return f"{path} needs the field {quoted[1]!r}"
    allowed = _name(hint)
    if re.search("[<>]=", said):
        allowed = "between 0 and" if name == "seed" else "at most"
        allowed = "finite" if isinstance(value, float) else f"{allowed} {LARGEST[name]:,}"
    return f"{path} must be {allowed}, got {value!r}"


def _name(hint: Any) -> str:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return f"the fields of {hint.__qualname__}"
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(hint)))}"
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def _spec_in(value: Any) -> Any:
    """The dataclass for a struct."""
    if isinstance(value, msgspec.Struct):
        found = {name: getattr(value, name) for name in value.__struct_fields__}
        return value.kind(**{n: _spec_in(v) for n, v in found.items() if v is not msgspec.UNSET})  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        return tuple(map(_spec_in, value))
    return value + 0.0 if isinstance(value, float) else value  # -0.0 + 0.0 is 0.0


def _checked(spec: Any, path: str = "") -> msgspec.Struct:
    """The struct of a spec made in code."""
    kind = type(spec)
    if not dataclasses.is_dataclass(spec) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise SpecError(f"a spec must be a frozen dataclass, got {kind.__qualname__}")
    path = path or kind.__qualname__
    fields = dataclasses.fields(spec)
    return _convert(
        {STORED.get(f.name, f.name): _raw(getattr(spec, f.name), f"{path}.{f.name}") for f in fields},
        kind,
        path,
    )


def _raw(value: Any, path: str) -> Any:
    """A value of a spec made in code, as msgspec needs it; NumPy numbers become Python numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _checked(value, path)
    if isinstance(value, tuple | list):
        return tuple(_raw(item, path) for item in value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value


def _plain(value: Any, *, omit: bool) -> Any:
    """A checked value as JSON data; ``omit`` omits fields that equal their default."""
    if not isinstance(value, msgspec.Struct):
        return [_plain(item, omit=omit) for item in value] if isinstance(value, tuple) else _spec_in(value)
    kind: type = value.kind  # type: ignore[attr-defined]
    out = {}
    for field in dataclasses.fields(kind):
        item = getattr(value, field.name)
        # compared as JSON text: 1, 1.0 and True are equal to Python
        if not omit or dumps(_plain(item, omit=False)) != _default_text(kind, field.name):
            out[STORED.get(field.name, field.name)] = _plain(item, omit=omit)
    return out


@functools.cache
def _default_text(kind: type, name: str) -> str | None:
    """A field's default as JSON, in the type of its annotation; None without a default."""
    field = next(f for f in dataclasses.fields(kind) if f.name == name)
    if not _default(field):
        return None
    hint = _annotation(typing.get_type_hints(kind)[name])
    return dumps(_plain(msgspec.convert(_raw(_default(field)[0], name), hint), omit=False))


def _default(field: dataclasses.Field[Any]) -> list[Any]:
    if field.default is not dataclasses.MISSING:
        return [field.default]
    if field.default_factory is not dataclasses.MISSING:
        return [field.default_factory()]
    return []
