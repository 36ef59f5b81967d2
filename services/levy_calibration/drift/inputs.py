"""What a desk would call the look of a surface, in a few numbers."""

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
"""Four of the smile, five of the listing."""

_PIECE: Final = 64
"""Surfaces at a time, so that intermediate results stay in the cache."""
_RIDGE: Final = 1e-6
"""Of each regressor's square: what quotes leave open is zero."""
_NOTHING: Final = 1e-12
"""Of the weights: a regressor whose square is less does not vary but by rounding."""
_DECIMALS: Final = 6
"""Of listings: half a minute, and 1e-6 of a strike; the same expiry is the same number."""


def inputs(surfaces: PricedSurfaces) -> np.ndarray:
    """Describe surfaces, shape (n, 9), in the order of `INPUTS`.

    Near the money, the volatility v of a quote at k = ln(K/F) is taken as

        ln v = ln(atm_vol) + skew·x + curvature·x²/2 + term_slope·(ln T − mean), x = k/√T,

    by least squares with weights exp(−(x/v)²/2), quotes counting less by their distance from the
    money in deviations. `atm_vol` is per √year, at the weighted geometric mean of the maturities;
    `skew` is per unit of x. `term_slope` is NaN where all quotes expire together.

    Parameters
    ----------
    surfaces : PricedSurfaces
        Each with one quote at least.
    """
    pieces = [
        _piece(surfaces.select(slice(start, start + _PIECE)))
        for start in range(0, surfaces.n_surfaces, _PIECE)
    ]
    return np.concatenate(pieces) if pieces else np.empty((0, len(INPUTS)))


def _piece(surfaces: PricedSurfaces) -> np.ndarray:
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
    """At-the-money volatility, skew, curvature and term slope, shape (n, 4)."""
    distance = np.where(present, 0.5 * (scaled * np.exp(-log_vol)) ** 2, np.inf)
    weight = np.exp(distance.min(axis=1, keepdims=True) - distance)
    centre = (weight * log_years).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    regressors = np.stack(
        (np.ones_like(scaled), scaled, 0.5 * scaled**2, log_years - centre), axis=1
    )
    weighted = regressors * weight[:, None]
    gram = weighted @ np.swapaxes(regressors, 1, 2)
    size = np.sqrt(np.maximum(np.einsum("nii->ni", gram), _NOTHING * gram[:, :1, 0]))
    scaled_gram = gram / size[:, :, None] / size[:, None, :] + _RIDGE * np.eye(4)
    moment = (weighted @ log_vol[..., None]) / size[..., None]
    found = np.linalg.solve(scaled_gram, moment)[..., 0] / size
    found[:, 0] = np.exp(found[:, 0])
    return np.asarray(found)
