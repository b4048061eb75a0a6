"""Chapter 13: latency code, binary networks and other checks beyond the paper's tables."""
