"""Everything specific to this paper: its networks, the runs behind each table, its claims, tables and figures."""

from __future__ import annotations

import warnings

# Notebooks use plain text progress bars; tqdm's warning would print where on this machine it looked for widgets.
warnings.filterwarnings("ignore", message="IProgress not found")
