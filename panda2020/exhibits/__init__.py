"""Display of tables and figures, with their provenance."""
