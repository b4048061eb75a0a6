"""The command line: ``python -m snncore.bench [TOPIC ...] [--json FILE] [--repeats N] [--threads N] [--size SIZE]``."""

from __future__ import annotations

import sys

from snncore.launch import relaunch_with_tuned_malloc

if __name__ == "__main__":
    relaunch_with_tuned_malloc()
    from snncore.bench.command import main

    sys.exit(main())
