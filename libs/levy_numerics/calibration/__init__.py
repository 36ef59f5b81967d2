"""Calibration by least squares: objectives, starts, solvers, result."""

from levy_numerics.calibration.comparison import Comparison, compare_one, ranked
from levy_numerics.calibration.fit_quality import FitQuality, MaturityFit, in_spread_share
from levy_numerics.calibration.influence import Influence
from levy_numerics.calibration.least_squares import calibrate
from levy_numerics.calibration.per_maturity import TermStructure, calibrate_each_maturity
from levy_numerics.calibration.result import CalibrationError, CalibrationResult
from levy_numerics.calibration.uncertainty import FitUncertainty, Moment, half_width
from levy_numerics.calibration.weights import WEIGHTS, default_weights

__all__ = [
    "WEIGHTS",
    "CalibrationError",
    "CalibrationResult",
    "Comparison",
    "FitQuality",
    "FitUncertainty",
    "Influence",
    "MaturityFit",
    "Moment",
    "TermStructure",
    "calibrate",
    "calibrate_each_maturity",
    "compare_one",
    "default_weights",
    "half_width",
    "in_spread_share",
    "ranked",
]
