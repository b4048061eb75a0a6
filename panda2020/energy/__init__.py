"""Chapter 2: the energy model (Table 1)."""
