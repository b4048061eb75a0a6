"""Chapter 1: neurons and input coding (Figure 2)."""
