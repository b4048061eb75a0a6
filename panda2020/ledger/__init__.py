"""Chapter 12: the verdicts on all claims, and what they depend on."""
