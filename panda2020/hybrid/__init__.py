"""Chapters 10 and 11: hybrid networks (Tables 14 and 16, Figure 6)."""
