"""Chapters 4 and 5: converted networks (Tables 2 and 4, Figures 4 and 7)."""
