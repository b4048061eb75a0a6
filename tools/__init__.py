"""Tools that build and check the book; run from the repository root as ``python -m tools.NAME``."""
