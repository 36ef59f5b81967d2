"""Analyses: one module each, registered by `levy_validation.catalogue.analysis`."""
