"""Interpolation of quotes to the standard grid, for networks that read only this grid."""

from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import log_vols
from levy_surfaces.synthetic.priced import PricedSurfaces

_MIN_STRIKES: Final = 3
_MIN_MATURITIES: Final = 2
_MAX_EXTRAPOLATION: Final = 4.0
"""Largest ratio of a maturity of the grid to the nearest quoted one."""


def interpolate_to_grid(surfaces: PricedSurfaces) -> np.ndarray:
    """Return log volatilities on the standard grid, shape (n, 200).

    Quotes on the grid are used as they are. Others are interpolated linearly: log volatility in
    ln(K/F) at each maturity, constant beyond the last quote; then total variance in maturity,
    proportional to maturity beyond the last one.

    Raises
    ------
    UnsupportedError
        There are too few strikes or maturities, or they are too far from the grid's.
    """
    log_vol = log_vols(surfaces)
    if _is_grid(surfaces):
        return log_vol.astype(np.float32)
    shape = surfaces.price.shape
    strikes = np.broadcast_to(surfaces.log_strike, shape)
    years = np.broadcast_to(surfaces.maturity_years, shape)
    rows = [
        _interpolate(strikes[k][which], years[k][which], log_vol[k][which])
        for k, which in enumerate(surfaces.present)
    ]
    return np.stack(rows).astype(np.float32)


def _is_grid(surfaces: PricedSurfaces) -> bool:
    if surfaces.width != grid.SHAPE[0] * grid.SHAPE[1] or not surfaces.present.all():
        return False
    same_strikes = np.allclose(surfaces.log_strike, grid.flat_log_strikes(), atol=1e-9)
    return same_strikes and np.allclose(
        surfaces.maturity_years, grid.flat_maturity_years(), atol=1e-9
    )


def _interpolate(strikes: np.ndarray, years: np.ndarray, log_vol: np.ndarray) -> np.ndarray:
    """Return one surface on the grid, shape (200,)."""
    expiries, rows = [], []
    for maturity in np.unique(years):
        which = np.flatnonzero(years == maturity)
        if which.size >= _MIN_STRIKES:
            order = which[np.argsort(strikes[which])]
            expiries.append(maturity)
            rows.append(np.interp(grid.LOG_STRIKES, strikes[order], log_vol[order]))
    _check_maturities(np.array(expiries))
    return _in_time(np.array(expiries), np.stack(rows)).ravel()


def _check_maturities(expiries: np.ndarray) -> None:
    if expiries.size < _MIN_MATURITIES:
        raise UnsupportedError(
            f"a network on the standard grid requires {_MIN_STRIKES} strikes at "
            f"{_MIN_MATURITIES} maturities; use a set network"
        )
    target = grid.MATURITY_YEARS
    if (
        expiries[0] > _MAX_EXTRAPOLATION * target[0]
        or expiries[-1] * _MAX_EXTRAPOLATION < target[-1]
    ):
        raise UnsupportedError(
            f"maturities from {expiries[0]:.2g} to {expiries[-1]:.2g} years are too far from the "
            f"standard grid's {target[0]:.2g} to {target[-1]:.2g}; use a set network"
        )


def _in_time(expiries: np.ndarray, log_vol: np.ndarray) -> np.ndarray:
    """Interpolate from quoted maturities to the grid's, shape (10, 20)."""
    variance = expiries[:, None] * np.exp(2.0 * log_vol)
    inside = np.clip(grid.MATURITY_YEARS, expiries[0], expiries[-1])
    right = np.clip(np.searchsorted(expiries, inside), 1, expiries.size - 1)
    share = (inside - expiries[right - 1]) / (expiries[right] - expiries[right - 1])
    total = (1.0 - share)[:, None] * variance[right - 1] + share[:, None] * variance[right]
    return np.asarray(0.5 * np.log(total / inside[:, None]))
