"""Validation of calibrations: simulated surfaces and counts of intervals."""
