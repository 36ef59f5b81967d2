"""Lévy models with a random or deterministic time change."""
