"""Drift correction of models, and the error if E[S_T] is infinite."""

from typing import Any

import numpy as np

from levy_numerics.errors import OutsideStripError
from levy_numerics.models.base import Model


def drift_or_nan(model: Model, maturity_years: Any) -> np.ndarray:
    """Return ω_T, or NaN if E[exp(X_T)] is infinite; fields broadcast against `maturity_years`."""
    with np.errstate(all="ignore"):
        exists = np.asarray(model.forward_exists(maturity_years))
        drift = np.where(exists, model.drift_correction(np.asarray(maturity_years)), np.nan)
    return np.broadcast_to(drift, np.broadcast_shapes(drift.shape, np.shape(maturity_years)))


def required_drift(model: Model, maturity_years: Any) -> np.ndarray:
    """Return ω_T, or raise `OutsideStripError` if E[exp(X_T)] is infinite for any parameter set."""
    drift = drift_or_nan(model, maturity_years)
    require_forward(model, maturity_years, drift)
    return drift


def require_forward(model: Model, maturity_years: Any, drift: np.ndarray) -> None:
    """Raise `OutsideStripError` if a drift is NaN, as E[exp(X_T)] is then infinite."""
    missing = np.isnan(drift)
    if missing.any():
        years = np.broadcast_to(maturity_years, drift.shape)[missing]
        raise OutsideStripError(
            f"E[S_T] is infinite for these parameters of {model.name} at T = {years[0]:g}; "
            "choose a lighter tail of upward jumps or shorter maturities",
            maturity_years=np.unique(years).tolist(),
        )
