"""The result of a task, and the interface of a task module.

A task is a module named in ``panda2020.runs.spec.TASKS`` with

- ``Spec``: a frozen dataclass with everything that decides the numbers;
- ``execute(spec, *, work, device, progress) -> Outcome``: the whole run. ``work`` is a directory that
  survives a kill: keep checkpoints there and continue from them. It is emptied if sources, device, threads or
  library versions have changed;
- ``first_epoch(spec, *, work, device, progress) -> dict``: only the beginning, comparable with
  ``result["curve"][0]``;
- ``minutes(spec) -> float``: an estimate of the run's wall time on two CPU cores;
- ``memory(spec) -> float``: an estimate of its peak memory in MiB.

All imports of a task count as the sources of its runs, except ``panda2020.runs``, which decides no number: task
modules import only ``Outcome`` from here, and ``spec`` and ``weights``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """The numbers of one run.

    Attributes:
        result: plain JSON data (finite numbers; ``None`` for a missing value) that depends only on the spec. So it holds no
            times, except under a key named ``seconds``, which comparisons ignore. It has at least ``curve`` (a list of
            dicts, one per epoch or step) and ``data: {"sha256": ...}``; ``accuracy`` (a share) comes with ``correct`` and
            ``total``.
        artifacts: small named sets of arrays, stored beside the record.
    """

    result: Mapping[str, Any]
    artifacts: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
