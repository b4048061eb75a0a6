"""What is this paper's alone: its networks, the runs behind each table, its claims, tables and figures."""

from __future__ import annotations

import warnings

# Plain text progress bars are what notebooks want; tqdm would print where on this machine it looked for widgets.
warnings.filterwarnings("ignore", message="IProgress not found")
