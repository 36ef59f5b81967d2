"""Least-squares solvers: one per file."""
