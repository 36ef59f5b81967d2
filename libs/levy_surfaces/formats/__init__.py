"""Layouts of option quotes: how the columns of a table map to the engine's own."""
