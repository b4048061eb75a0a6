"""Import torchvision even if its compiled operators do not load.

torchvision's Python code describes its operators ``nms`` and ``qnms`` to torch during the import. If the compiled
library does not load (a typical case is a wheel built for CUDA beside a CPU-only torch), these operators are unknown
and the whole import fails, data sets included. The Python code only needs their signatures, which this module
declares. Nothing here computes a box overlap.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

# The signatures that torchvision's compiled library declares when it loads.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# The declarations last as long as the library object that made them.
_declared: list[torch.library.Library] = []


def torchvision() -> ModuleType:
    """Return the imported ``torchvision``. Its missing operators are declared only if the plain import fails because of them.

    Raises:
        ImportError: torchvision is not installed, or does not fit the installed torch.
        RuntimeError: any other failure of its import, unchanged.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if not _is_missing_operator(error):
            raise
    _declare_missing_operators()
    # Submodules imported before the failure refer to the incomplete package: import all of them again.
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
    return importlib.import_module("torchvision")


def _is_missing_operator(error: RuntimeError) -> bool:
    return any(f"torchvision::{name} does not exist" in str(error) for name in _SCHEMAS)


def _declare_missing_operators() -> None:
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(schema)
            _declared.append(library)
