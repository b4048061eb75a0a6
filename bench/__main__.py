"""The command line: ``python -m bench [TOPIC ...] [--json FILE] [--repeats N] [--threads N] [--size SIZE]``."""

from __future__ import annotations

import sys

from panda2020.runs.launch import relaunch_with_tuned_malloc

if __name__ == "__main__":
    relaunch_with_tuned_malloc()
    from .command import main

    sys.exit(main())
