"""Chapter 8: stochastic softmax (Tables 10 and 11)."""
