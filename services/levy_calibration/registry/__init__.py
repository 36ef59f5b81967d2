"""Trained networks: what they are, which of them answer, and the proof that they are unchanged."""

from levy_calibration.registry.registry import PACKAGED, Registry

__all__ = ["PACKAGED", "Registry"]
