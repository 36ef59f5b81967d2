"""Goodness of fit by expiry, and misfit of the term structure."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality, PricingErrors
from levy_numerics.market import Contracts

_FEWEST_MATURITIES: Final = 3
_SYSTEMATIC_SHARE: Final = 0.5
_NOTICEABLE_VOL_ERROR: Final = 0.003


@dataclass(frozen=True)
class MaturityFit:
    """Goodness of fit of one expiry.

    Attributes
    ----------
    maturity_years : float
    fit : FitQuality
    mean_vol_error : float
        Mean implied volatility of the model less that of the market; NaN where none exist.
    """

    maturity_years: float
    fit: FitQuality
    mean_vol_error: float


def fit_by_maturity(contracts: Contracts, errors: PricingErrors) -> tuple[MaturityFit, ...]:
    """Return the goodness of fit of each expiry, by maturity."""
    maturities, group = contracts.by_maturity.maturity_groups
    fits = FitQuality.of_groups(errors, group)
    return tuple(
        MaturityFit(years, fit, mean)
        for years, (fit, mean) in zip(maturities.tolist(), fits, strict=True)
    )


def misfits_term_structure(c: Contracts, pricing_errors: PricingErrors) -> bool:
    """Return whether errors have a systematic level and slope at each expiry.

    A line is fitted to the errors of implied volatility at each expiry. Noise leaves little to it;
    a law that cannot follow the term structure leaves more than half of the squared error.
    """
    errors = pricing_errors.vol
    known = np.isfinite(errors)
    square = float(np.sum(errors[known] ** 2))
    if square < _NOTICEABLE_VOL_ERROR**2 * np.count_nonzero(known):
        return False
    maturities = np.unique(c.maturity_years[known])
    if maturities.size < _FEWEST_MATURITIES:
        return False
    explained = 0.0
    for years in maturities:
        here = known & (c.maturity_years == years)
        design = np.stack([np.ones(here.sum()), c.log_moneyness[here]], axis=1)
        line, *_ = np.linalg.lstsq(design, errors[here], rcond=None)
        explained += float(np.sum((design @ line) ** 2))
    return explained > _SYSTEMATIC_SHARE * square
