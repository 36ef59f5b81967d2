"""The drift correction of a maturity, without which there is nothing to price."""

from typing import Any

import numpy as np

from levy_numerics.errors import OutsideStripError
from levy_numerics.models.base import Model


def drift_or_nan(model: Model, maturity_years: Any) -> np.ndarray:
    """ω_T; NaN where E[exp(X_T)] is infinite. Fields broadcast against `maturity_years`."""
    with np.errstate(all="ignore"):
        exists = np.asarray(model.forward_exists(maturity_years))
        drift = np.where(exists, model.drift_correction(np.asarray(maturity_years)), np.nan)
    return np.broadcast_to(drift, np.broadcast_shapes(drift.shape, np.shape(maturity_years)))


def required_drift(model: Model, maturity_years: Any) -> np.ndarray:
    """ω_T of a model that has a forward.

    Raises
    ------
    OutsideStripError
        E[exp(X_T)] is infinite at a maturity, for any parameter set.
    """
    drift = drift_or_nan(model, maturity_years)
    require_forward(model, maturity_years, drift)
    return drift


def require_forward(model: Model, maturity_years: Any, drift: np.ndarray) -> None:
    """Raise `OutsideStripError` where a drift is missing."""
    missing = np.isnan(drift)
    if missing.any():
        years = np.broadcast_to(maturity_years, drift.shape)[missing]
        raise OutsideStripError(
            f"{model.name} has no forward at T = {years[0]:g}: E[exp(X_T)] is infinite there; "
            "choose lighter upward tails or shorter maturities",
            maturity_years=np.unique(years).tolist(),
        )
