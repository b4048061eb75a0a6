"""Storage of trained weights for runs that start from them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .sources import of_task
from .spec import dumps, key, task_of


def weights_file(spec: Any, work: Path) -> Path:
    """The file for the final weights of the run ``spec``, given the work directory of any run.

    The name holds the run's key and a hash of its sources and of the machine (device, threads and versions in ``stamp.json``
    in ``work``), so weights trained by older code or elsewhere are never used.
    The file may not exist; write it through a temporary name and ``os.replace``. Deleting it loses only time.
    """
    folder = work.parent.parent / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = work / "stamp.json"
    machine = json.loads(stamp.read_text())["machine"] if stamp.is_file() else None
    conditions = dumps({"source": of_task(task_of(spec))[0], "machine": machine})
    return folder / f"{key(spec)}-{hashlib.sha256(conditions.encode()).hexdigest()[:8]}.pt"
