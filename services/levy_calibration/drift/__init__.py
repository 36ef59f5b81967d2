"""Whether today's surfaces and parameters are like those of training."""

from levy_calibration.drift.inputs import INPUTS, inputs
from levy_calibration.drift.reference import Reference

__all__ = ["INPUTS", "Reference", "inputs"]
