"""The kinds of run, one module each: ``Spec``, ``execute``, ``first_epoch`` and ``minutes``.

See ``panda2020.runs.outcome``.
"""

from __future__ import annotations
