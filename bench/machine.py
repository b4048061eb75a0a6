"""Features of the processor that decide which number formats are fast."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")

#: Vector units, and matrix units for bfloat16.
KNOWN = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")


def features() -> tuple[str, ...]:
    """The features in ``KNOWN`` that Linux reports; empty without /proc/cpuinfo or on other processors."""
    if not _CPUINFO.exists():
        return ()
    lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return tuple(name for name in KNOWN if name in flags)
