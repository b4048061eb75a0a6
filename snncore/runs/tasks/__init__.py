"""The kinds of run, one module each: ``Spec``, ``execute``, ``first_epoch`` and ``minutes`` (see
``snncore.runs.outcome``).
"""
