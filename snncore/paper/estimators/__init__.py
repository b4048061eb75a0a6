"""How each claim of the paper is estimated: one function per claim, in a file per method.

An estimator takes a ``Case`` (the recorded runs of one profile) and gives a ``Finding``: quantities with the range in
which each supports the claim, and why the range is that wide. The rules from there to a verdict are the same for all
(``snncore.paper.verdicts``).
"""

from .registry import ESTIMATORS, Estimator, Finding, estimates, load

__all__ = ["ESTIMATORS", "Estimator", "Finding", "estimates", "load"]
