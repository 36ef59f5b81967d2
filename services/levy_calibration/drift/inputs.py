"""Summary statistics of surfaces, whose drift is monitored."""

from typing import Final

import numpy as np

from levy_surfaces.synthetic.features import log_vols
from levy_surfaces.synthetic.priced import PricedSurfaces

INPUTS: Final = (
    "atm_vol",
    "skew",
    "curvature",
    "term_slope",
    "n_quotes",
    "lowest_log_strike",
    "highest_log_strike",
    "shortest_maturity_years",
    "longest_maturity_years",
)
"""Four quantities of the smile, and five of the listed quotes."""

_BLOCK: Final = 64
"""Surfaces per block, so that intermediate results fit into the cache."""
_RIDGE: Final = 1e-6
"""Relative to each regressor's square; undetermined coefficients become zero."""
_MIN_VARIATION: Final = 1e-12
"""Relative to the weights; a regressor with a smaller square varies only by rounding."""
_DECIMALS: Final = 6
"""Rounding of strikes and maturities (half a minute), so that equal expiries are equal."""


def inputs(surfaces: PricedSurfaces) -> np.ndarray:
    """Return statistics of surfaces, shape (n, 9), in the order of `INPUTS`.

    Near the money, the volatility v of a quote at k = ln(K/F) is fitted as

        ln v = ln(atm_vol) + skew·x + curvature·x²/2 + term_slope·(ln T − mean), x = k/√T,

    by least squares with weights exp(−(x/v)²/2), which decrease with the distance from the money in
    standard deviations. `atm_vol` is per √year, at the weighted geometric mean of the maturities;
    `skew` is per unit of x. `term_slope` is NaN if there is one expiry.

    Parameters
    ----------
    surfaces : PricedSurfaces
        Surfaces with at least one quote.
    """
    blocks = [
        _block(surfaces.select(slice(start, start + _BLOCK)))
        for start in range(0, surfaces.n_surfaces, _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty((0, len(INPUTS)))


def _block(surfaces: PricedSurfaces) -> np.ndarray:
    shape, present = surfaces.price.shape, surfaces.present
    strike = np.broadcast_to(surfaces.log_strike, shape)
    years = np.broadcast_to(surfaces.maturity_years, shape)
    shortest = np.where(present, years, np.inf).min(axis=1)
    longest = np.where(present, years, 0.0).max(axis=1)
    listing = (
        np.where(present, strike, np.inf).min(axis=1),
        np.where(present, strike, -np.inf).max(axis=1),
        shortest,
        longest,
    )
    smile = _smile(strike / np.sqrt(years), np.log(years), log_vols(surfaces), present)
    smile[:, 3] = np.where(shortest < longest, smile[:, 3], np.nan)
    return np.column_stack((smile, present.sum(axis=1), np.round(listing, _DECIMALS).T))


def _smile(
    scaled: np.ndarray, log_years: np.ndarray, log_vol: np.ndarray, present: np.ndarray
) -> np.ndarray:
    """Return at-the-money volatility, skew, curvature and term slope, shape (n, 4)."""
    distance = np.where(present, 0.5 * (scaled * np.exp(-log_vol)) ** 2, np.inf)
    weight = np.exp(distance.min(axis=1, keepdims=True) - distance)
    centre = (weight * log_years).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    regressors = np.stack(
        (np.ones_like(scaled), scaled, 0.5 * scaled**2, log_years - centre), axis=1
    )
    weighted = regressors * weight[:, None]
    gram = weighted @ np.swapaxes(regressors, 1, 2)
    size = np.sqrt(np.maximum(np.einsum("nii->ni", gram), _MIN_VARIATION * gram[:, :1, 0]))
    scaled_gram = gram / size[:, :, None] / size[:, None, :] + _RIDGE * np.eye(4)
    moment = (weighted @ log_vol[..., None]) / size[..., None]
    coefficients = np.linalg.solve(scaled_gram, moment)[..., 0] / size
    coefficients[:, 0] = np.exp(coefficients[:, 0])
    return np.asarray(coefficients)
