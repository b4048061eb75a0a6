"""Chapter 14: what the library and the runs cost."""
