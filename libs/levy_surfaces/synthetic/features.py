"""The one place where quotes become what a network reads, in training and when it answers.

Each quote is told by its Black volatility, on a logarithmic scale: against prices, the inverse map
is then nearly linear in the volatility axis and smooth in the others. A volatility is taken of the
price of the out-of-the-money option, or of `PRICE_FLOOR` where the price is less: a smaller one is
lost in any tick, and often in the error of the pricing. What is clipped so still says "at most".
"""

from typing import Final

import numpy as np

from levy_numerics.black import normalised_vega
from levy_numerics.implied_volatility import vols_out_of_the_money
from levy_surfaces.synthetic.priced import PricedSurfaces

PRICE_FLOOR: Final = 1e-6
"""Of the forward's present value."""
POINT_CHANNELS: Final = (
    "log_strike/√maturity",
    "log_maturity",
    "log_vol",
    "log_strike/(vol·√maturity)",
    "weight",
)
"""What a set network reads of one quote, in this order."""
_WEIGHT_VOL: Final = 0.01
"""A quote that leaves this much volatility open counts half."""
_CEILING: Final = 1.0 - 1e-9


def log_vols(surfaces: PricedSurfaces) -> np.ndarray:
    """log of the Black volatility of each quote, shape (n, width), finite everywhere.

    Prices are moved into [`PRICE_FLOOR`, min(F, K)/F) first; padding has zero.
    """
    return np.where(surfaces.present, np.log(_vols(surfaces)), 0.0)


def _vols(surfaces: PricedSurfaces) -> np.ndarray:
    """Black volatility of each quote, shape (n, width), positive and finite everywhere."""
    ceiling = _CEILING * np.exp(np.minimum(surfaces.log_strike, 0.0))
    floor = np.minimum(PRICE_FLOOR, 0.5 * ceiling)
    price = np.minimum(np.maximum(surfaces.price, floor), ceiling)
    return vols_out_of_the_money(
        *np.broadcast_arrays(price, surfaces.log_strike, surfaces.maturity_years)
    )


def grid_features(surfaces: PricedSurfaces) -> np.ndarray:
    """Features of surfaces on the standard grid: the 200 log volatilities, shape (n, 200).

    In row-major (maturity, strike) order; reshape to `(n, *grid.SHAPE, 1)` for an image.
    """
    return log_vols(surfaces).astype(np.float32)


def point_features(surfaces: PricedSurfaces) -> tuple[np.ndarray, np.ndarray]:
    """Features of any quotes: points, shape (n, width, 5), and their mask, shape (n, width).

    Channels are `POINT_CHANNELS`; padding and missing quotes are zero in all of them. The order of
    quotes has no meaning.
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
    """How well each quote determines its volatility, in [0, 1), shape (n, width).

    c/(c + floor)/(1 + δ/0.01), c the price, δ the volatility that half the spread, and no less than
    the price floor, amounts to.
    """
    root = np.sqrt(surfaces.maturity_years)
    by_total_vol = normalised_vega(-np.abs(surfaces.log_strike), vol * root)
    vega = np.exp(0.5 * surfaces.log_strike) * root * by_total_vol
    open_price = np.maximum(surfaces.half_spread, PRICE_FLOOR)
    above_floor = surfaces.price / (surfaces.price + PRICE_FLOOR)
    return np.asarray(above_floor / (1.0 + open_price / (_WEIGHT_VOL * np.maximum(vega, 1e-300))))
