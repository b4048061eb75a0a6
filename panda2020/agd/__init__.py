"""Chapter 7: networks trained with spikes by approximate gradient descent (Table 8, Figure 5)."""
