"""Drift of the surfaces and parameters from their distribution in training."""

from levy_calibration.drift.inputs import INPUTS, inputs
from levy_calibration.drift.reference import Reference

__all__ = ["INPUTS", "Reference", "inputs"]
