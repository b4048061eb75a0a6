"""Chapter 3: the paper's networks (Figure 1)."""
