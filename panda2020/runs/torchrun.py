"""Runs under ``torchrun``: the first process keeps the records, the others compute along with it.

The first process does all that a single one does. Before a task begins it tells the others which, and they execute the same
spec in the same work directory; training shares every batch among them (``snncore.processes``), and what is not training is
done by each.
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
    """How many processes ``torchrun`` has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextlib.contextmanager
def group(device: str) -> Iterator[bool]:
    """Join the processes that ``torchrun`` has started; True in the first of them, or in a single one.

    Each takes a GPU of its own where ``device`` is "cuda". The others leave when the first does (``follow``).
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
    torch.distributed.destroy_process_group()  # not after an error: the others may wait, until torchrun ends them


def run_task(spec: Any, *, work: Path, device: str, progress: bool) -> Outcome:
    """Execute a task here, and in the other processes too where there are any."""
    from snncore.processes import wait_for_all

    task = task_of(spec)
    if task == "stdp" and asked() > 1:
        raise SpecError(f"task 'stdp' must run in one process, as it has no batches to share, got {asked()}")
    _tell((task, to_dict(spec), str(work.resolve())))
    outcome: Outcome = task_module(task).execute(spec, work=work, device=device, progress=progress)
    wait_for_all()  # none may still write into the work directory
    return outcome


def follow(device: str) -> int:
    """What a process that is not the first does: execute what it is told to, until it is told that there is no more."""
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
    """What the first process says; the others give None."""
    from snncore.processes import first_says

    return first_says(what)
