"""Start this process again with an allocator configuration that keeps its memory.

A training step frees and allocates the same large tensors again and again. glibc returns every block above 32 MiB
(and, until it has adapted, above 128 KiB) to the kernel and page-faults it in again, which alone can
double the time of a step. glibc reads these settings only when a process starts, so a command that trains
replaces itself once by the same command with the settings.
"""

from __future__ import annotations

import os
import platform
import sys

TUNED = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),  # bytes: blocks below 1 GiB come from the heap
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),  # bytes: the heap keeps up to 8 GiB of free memory at its end
    "PYTHONHASHSEED": "0",  # the order of sets of strings is the same in every process
}


def tuned_environment() -> dict[str, str]:
    """This process's environment with the settings added; existing values are kept."""
    return {**TUNED, **os.environ}


def relaunch_with_tuned_malloc() -> None:
    """Replace this process by the same command with the settings, unless they are already set.

    Call it first in a program's ``__main__``, before torch is imported. It does nothing if the C
    library is not glibc, for which the settings have no meaning.
    """
    if platform.libc_ver()[0] != "glibc" or all(name in os.environ for name in TUNED):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], tuned_environment())
