"""Spiking neural networks for one paper and for yours: neurons, BackRes, stochmax, hybrid nets, conversion, STDP, energy.

Companion library to Panda, Aketi & Roy 2020, "Toward Scalable, Efficient, and Accurate Deep Spiking Neural Networks
With Backward Residual Connections, Stochastic Softmax, and Hybridization" (Front. Neurosci. 14:653).
"""

from __future__ import annotations

import re

import torch

__version__ = "0.1.0"

_LEAST_TORCH = (2, 11)

if tuple(int(n) for n in re.findall(r"\d+", torch.__version__)[:2]) < _LEAST_TORCH:
    raise ImportError(f"snncore needs torch 2.11 or newer, got {torch.__version__}")
