"""The judgement of one sentence of the paper: claims, quantities, rules and verdicts."""
