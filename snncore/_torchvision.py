"""Import torchvision, also where its compiled operators do not load.

torchvision's Python half describes its operators ``nms`` and ``qnms`` to torch while it is imported. Where
the compiled half does not load (the wheel built for CUDA beside a CPU-only torch is the common case) those
operators are unknown and the whole import fails, data sets and all. Declaring their signatures is all the
Python half needs; nothing here computes a box overlap.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

# The signatures that torchvision's compiled half declares itself when it loads.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# The declarations live as long as the library object that made them.
_declared: list[torch.library.Library] = []


def torchvision() -> ModuleType:
    """Return the imported ``torchvision``, declaring its missing operators only if the plain import fails for
    them.

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
    # Submodules imported before the failure hold on to the half-made package: start afresh.
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
