"""Models with a random or deterministic clock."""
