"""Features that networks read, the same in training and in serving.

Each quote is represented by the logarithm of its Black volatility: compared with prices, the
inverse map is then nearly linear along the volatility axis and smooth along the others. The
volatility is that of the out-of-the-money price, or of `PRICE_FLOOR` where the price is lower:
smaller prices are below any tick, and often below the error of pricing.
"""

from typing import Final

import numpy as np

from levy_numerics.black import normalised_vega
from levy_numerics.implied_volatility import vols_out_of_the_money
from levy_surfaces.synthetic.priced import PricedSurfaces

PRICE_FLOOR: Final = 1e-6
"""As a fraction of the present value of the forward."""
POINT_CHANNELS: Final = (
    "log_strike/√maturity",
    "log_maturity",
    "log_vol",
    "log_strike/(vol·√maturity)",
    "weight",
)
"""Features of one quote that a set network reads, in this order."""
_WEIGHT_VOL: Final = 0.01
"""Uncertainty of volatility at which a quote has half the weight."""
_CEILING: Final = 1.0 - 1e-9
"""Keeps prices below the bound at which volatility is infinite."""


def log_vols(surfaces: PricedSurfaces) -> np.ndarray:
    """Return the log Black volatility of each quote, shape (n, width), finite everywhere.

    Prices are clipped to [`PRICE_FLOOR`, min(F, K)/F); padding is zero.
    """
    return np.where(surfaces.present, np.log(_vols(surfaces)), 0.0)


def _vols(surfaces: PricedSurfaces) -> np.ndarray:
    """Return the Black volatility of each quote, shape (n, width), positive and finite."""
    ceiling = _CEILING * np.exp(np.minimum(surfaces.log_strike, 0.0))
    floor = np.minimum(PRICE_FLOOR, 0.5 * ceiling)
    price = np.minimum(np.maximum(surfaces.price, floor), ceiling)
    return vols_out_of_the_money(
        *np.broadcast_arrays(price, surfaces.log_strike, surfaces.maturity_years)
    )


def grid_features(surfaces: PricedSurfaces) -> np.ndarray:
    """Return features of surfaces on the standard grid: 200 log volatilities, shape (n, 200).

    In row-major (maturity, strike) order; reshape to `(n, *grid.SHAPE, 1)` for an image.
    """
    return log_vols(surfaces).astype(np.float32)


def point_features(surfaces: PricedSurfaces) -> tuple[np.ndarray, np.ndarray]:
    """Return features of any quotes, shape (n, width, 5), and their mask, shape (n, width).

    Channels are `POINT_CHANNELS`; padding and missing quotes are zero in all of them. The order of
    quotes is irrelevant.
    """
    vol = _vols(surfaces)
    points = np.empty((*vol.shape, len(POINT_CHANNELS)), dtype=np.float32)
    points[..., 0] = scaled = surfaces.log_strike / np.sqrt(surfaces.maturity_years)
    points[..., 1] = np.log(surfaces.maturity_years)
    points[..., 2] = np.log(vol)
    points[..., 3] = scaled / vol
    points[..., 4] = weights(surfaces, vol)
    points[~surfaces.present] = 0.0
    return points, surfaces.present


def weights(surfaces: PricedSurfaces, vol: np.ndarray) -> np.ndarray:
    """Return the precision of each quote's volatility as a weight in [0, 1), shape (n, width).

    c/(c + floor)/(1 + δ/0.01), with the price c, and δ the volatility that corresponds to half the
    spread or to the price floor, whichever is larger.
    """
    root = np.sqrt(surfaces.maturity_years)
    by_total_vol = normalised_vega(-np.abs(surfaces.log_strike), vol * root)
    vega = np.exp(0.5 * surfaces.log_strike) * root * by_total_vol
    open_price = np.maximum(surfaces.half_spread, PRICE_FLOOR)
    above_floor = surfaces.price / (surfaces.price + PRICE_FLOOR)
    return np.asarray(above_floor / (1.0 + open_price / (_WEIGHT_VOL * np.maximum(vega, 1e-300))))
