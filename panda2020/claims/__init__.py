"""How one sentence of the paper is judged: claims, quantities, rules and verdicts."""
