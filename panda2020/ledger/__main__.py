"""``python -m panda2020.ledger``: see ``command``."""

import signal

from .command import main

if hasattr(signal, "SIGPIPE"):  # Windows has none
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" ends it without a traceback
raise SystemExit(main())
