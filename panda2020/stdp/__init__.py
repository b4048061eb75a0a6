"""Chapters 6 and 9: features learned by STDP (Tables 6 and 12)."""
