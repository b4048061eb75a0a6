"""Runs under ``torchrun``: the first process keeps the records, the others compute with it.

The first process does everything that a single process does. Before a task begins it tells the others which task, and they
execute the same spec in the same work directory. Training shares every batch among them (``snncore.processes``); all other
parts are computed by each process.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import provenance
from .outcome import Outcome
from .spec import SpecError, from_dict, key, task_module, task_of, to_dict


def asked() -> int:
    """Number of processes that ``torchrun`` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def group(device: str) -> Iterator[bool]:
    """Join the processes that ``torchrun`` has started. True in the first of them, or in a single process.

    With ``device`` "cuda" each process uses its own GPU. The others end when the first ends (``follow``).
    """
    if asked() == 1:
        yield True
        return
    import torch

    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    first = torch.distributed.get_rank() == 0
    yield first
    if first:
        _tell(None)
    torch.distributed.destroy_process_group()  # not after an error: the others may be waiting, and torchrun ends them


def run_task(spec: Any, *, work: Path, device: str, progress: bool) -> Outcome:
    """Execute a task here, and in the other processes if there are any."""
    from snncore.processes import wait_for_all

    task = task_of(spec)
    if task == "stdp" and asked() > 1:
        raise SpecError(f"task 'stdp' must run in one process, as it has no batches to share, got {asked()}")
    _tell((task, to_dict(spec), str(work.resolve())))
    outcome: Outcome = task_module(task).execute(spec, work=work, device=device, progress=progress)
    wait_for_all()  # until no process writes into the work directory
    return outcome


def follow(device: str) -> int:
    """The loop of every process but the first: execute the tasks that the first process sends, until there are no more."""
    from snncore.processes import wait_for_all

    while (told := _tell(None)) is not None:
        task, fields, work = told
        spec = from_dict(task, fields)
        try:
            with provenance.deterministic():
                task_module(task).execute(spec, work=Path(work), device=device, progress=False)
        except ValueError as error:
            print(
                f"failed in process {os.environ['RANK']}: {key(spec)}: {error}", file=sys.stderr, flush=True
            )
            return 1
        wait_for_all()
    return 0


def _tell(what: Any) -> Any:
    """The first process's message; the others pass None."""
    from snncore.processes import first_says

    return first_says(what)
