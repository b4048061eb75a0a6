"""What a task hands back, and what a task module has to offer.

A task is a module named in ``panda2020.runs.spec.TASKS`` with

- ``Spec``: a frozen dataclass that says everything that decides the numbers;
- ``execute(spec, *, work, device, progress) -> Outcome``: the whole run. ``work`` is a directory that
  survives a kill: keep checkpoints there and go on from them. It is emptied when sources, device, threads or
  library versions have changed since;
- ``first_epoch(spec, *, work, device, progress) -> dict``: only the beginning, comparable with
  ``result["curve"][0]``;
- ``minutes(spec) -> float``: an estimate of the run's wall time on two CPU cores;
- ``memory(spec) -> float``: an estimate of its largest memory in MiB.

All that a task imports counts as the sources of its runs, apart from ``panda2020.runs``, which decides no number: task
modules import ``Outcome`` from here and nothing else of it but ``spec`` and ``weights``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """The numbers of one run.

    ``result`` is plain JSON data (numbers finite; ``None`` for a value that does not exist) and depends on
    the spec alone, so it holds no times, save under a key named ``seconds``, which comparisons leave out. It
    has at least ``curve`` (a list of dicts, one per epoch or step) and ``data: {"sha256": ...}``;
    ``accuracy`` (a share) comes with ``correct`` and ``total``. ``artifacts`` are small named sets of arrays,
    stored beside the record.
    """

    result: Mapping[str, Any]
    artifacts: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
