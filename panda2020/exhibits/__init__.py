"""How a table or figure is shown, with what made it."""
