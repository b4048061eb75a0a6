"""Results of a benchmark: timings, bytes, ratios with their aims, and checks; as a table and as JSON.

The JSON (``"schema": 1``) has, at its top level, ``date`` (UTC), ``command``, ``commit``, ``dirty``, ``machine`` (processor,
cores, threads, load before and after, allocator settings), ``versions``, ``skipped`` (peer -> reason), ``settings`` and
``topics``, each of which is ``Topic.to_dict()``, its ``wall`` seconds and the hash of its ``source``. Samples are
seconds of processor time or of wall time, as ``settings.clock`` says.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from panda2020.cost.benchmark import Spread
from snncore._check import one_of, positive, whole

SIZES = ("full", "small")

CLOCKS = ("cpu", "wall")


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        size: the aims are stated for "full"; "small" is a test of seconds that measures nothing.
        repeats: number of counted rounds, at least 1.
        clock: "cpu" is the processor time of this process, which other processes disturb little; "wall" is the elapsed
            time, to be used with several threads.
        peers: names of the installed ones.
    """

    size: str = "full"
    repeats: int = 9
    clock: str = "cpu"
    peers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of("size", self.size, SIZES)
        whole("repeats", self.repeats)
        one_of("clock", self.clock, CLOCKS)

    def judged(self, aim: Aim) -> Aim | None:
        """``aim`` if the size is the one it is stated for, else None."""
        return aim if self.size == "full" else None


@dataclass(frozen=True)
class Aim:
    """Target for a ratio: "at least" or "at most" ``value``."""

    kind: str
    value: float

    def __post_init__(self) -> None:
        one_of("kind", self.kind, ("at least", "at most"))
        positive("value", self.value)

    def met(self, ratio: float) -> bool:
        """Whether ``ratio`` reaches the aim."""
        return ratio >= self.value if self.kind == "at least" else ratio <= self.value

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}"


@dataclass(frozen=True)
class Timing:
    """Seconds of one contender by round, in the chosen clock, and also in wall time.

    ``layout`` is the memory format of the weights, "" if there is no choice.
    """

    contender: str
    seconds: tuple[float, ...]
    wall: tuple[float, ...]
    layout: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All samples and their median and quartiles."""
        samples = {"seconds": list(self.seconds), "wall": list(self.wall)}
        return {
            "contender": self.contender,
            "layout": self.layout,
            **samples,
            "summary": asdict(Spread.of(self.seconds)),
        }


@dataclass(frozen=True)
class Amount:
    """Bytes of one contender at ``steps`` time steps: ``peak``, and ``kept`` by autograd between forward and backward."""

    contender: str
    steps: int
    peak: int
    kept: int

    def to_dict(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self)


@dataclass(frozen=True)
class Ratio:
    """One quantity over another, by round if it was timed.

    Attributes:
        name: names of both quantities.
        best: ratio of the fastest rounds of both, which other work disturbs least.
        aim: None if there is none.
    """

    name: str
    samples: tuple[float, ...]
    best: float
    aim: Aim | None = None

    @staticmethod
    def between(name: str, over: Timing, under: Timing, aim: Aim | None = None) -> Ratio:
        """The ratio of each round, because disturbances of a round affect both."""
        pairs = zip(over.seconds, under.seconds, strict=True)
        return Ratio(name, tuple(a / b for a, b in pairs), min(over.seconds) / min(under.seconds), aim)

    @property
    def value(self) -> Spread:
        """Median and quartiles over the rounds."""
        return Spread.of(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the aim; None without one."""
        return None if self.aim is None else self.aim.met(self.value.median)

    def to_dict(self) -> dict[str, Any]:
        """Samples, summary, aim and whether it is met."""
        aim = None if self.aim is None else asdict(self.aim)
        summary = asdict(self.value)
        return {
            "name": self.name,
            "samples": list(self.samples),
            "summary": summary,
            "best": self.best,
            "aim": aim,
            "met": self.met,
        }


@dataclass(frozen=True)
class Check:
    """A condition that must hold, with the finding."""

    name: str
    found: str
    holds: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self)


@dataclass(frozen=True)
class Topic:
    """All results of one benchmark. ``setting`` gives the size; ``notes`` are sentences for the reader."""

    setting: dict[str, Any]
    timings: tuple[Timing, ...] = ()
    amounts: tuple[Amount, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_dict(self, name: str, title: str) -> dict[str, Any]:
        """The topic as stored in the JSON."""
        parts = {
            kind: [one.to_dict() for one in getattr(self, kind)]
            for kind in ("timings", "amounts", "ratios", "checks")
        }
        setting = {
            key: list(value) if isinstance(value, tuple) else value for key, value in self.setting.items()
        }
        return {"name": name, "title": title, "setting": setting, **parts, "notes": list(self.notes)}


def table(topic: dict[str, Any]) -> str:
    """One topic of the JSON as text."""
    setting = ", ".join(f"{name} {value}" for name, value in topic["setting"].items())
    lines = [f"{topic['title']}  ({setting})"]
    for row in topic["timings"]:
        name = f"{row['contender']} {row['layout']}".strip()
        at = row["summary"]
        lines.append(
            f"  {name:38} {at['median'] * 1e3:7.1f} ms   quartiles {at['lower'] * 1e3:.1f} to {at['upper'] * 1e3:.1f}"
        )
    for row in topic["amounts"]:
        name = f"{row['contender']} T={row['steps']}"
        lines.append(
            f"  {name:38} {row['peak'] / 2**20:7.0f} MiB  of which kept for backward {row['kept'] / 2**20:.0f}"
        )
    for row in topic["ratios"]:
        at = row["summary"]
        aim = ""
        if row["aim"]:
            aim = f"   aim {row['aim']['kind']} {row['aim']['value']:g}: {'met' if row['met'] else 'missed'}"
        spread = f"quartiles {at['lower']:.2f} to {at['upper']:.2f}, fastest rounds {row['best']:.2f}"
        lines.append(
            f"  {row['name']:38} {at['median']:7.2f} x   {spread if len(row['samples']) > 1 else ''}{aim}"
        )
    for row in topic["checks"]:
        lines.append(f"  {'ok  ' if row['holds'] else 'FAIL'} {row['name']}: {row['found']}")
    return "\n".join([*lines, *(f"  note: {note}" for note in topic["notes"])])
