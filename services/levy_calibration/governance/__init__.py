"""Model governance: the gate before a promotion, its records, model cards and comparisons."""
