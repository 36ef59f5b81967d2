"""Quotes moved to the standard grid, for networks that read nothing else."""

from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import log_vols
from levy_surfaces.synthetic.priced import PricedSurfaces

_FEWEST_STRIKES: Final = 3
_FEWEST_MATURITIES: Final = 2
_REACH: Final = 4.0
"""How many times shorter or longer than what is quoted the grid's maturities may be."""


def gridded(surfaces: PricedSurfaces) -> np.ndarray:
    """Log volatilities on the standard grid, shape (n, 200).

    Quotes that are the grid are taken as they are. Others are interpolated: log volatility in
    ln(K/F) at each maturity, flat beyond the last quote; then total variance in time along a
    strike, in proportion to time beyond the last maturity.

    Raises
    ------
    UnsupportedError
        Quotes lie at too few strikes or maturities, or too far from the grid's.
    """
    found = log_vols(surfaces)
    if _is_grid(surfaces):
        return found.astype(np.float32)
    shape = surfaces.price.shape
    strikes = np.broadcast_to(surfaces.log_strike, shape)
    years = np.broadcast_to(surfaces.maturity_years, shape)
    rows = [
        _moved(strikes[k][which], years[k][which], found[k][which])
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


def _moved(strikes: np.ndarray, years: np.ndarray, log_vol: np.ndarray) -> np.ndarray:
    """One surface, shape (200,)."""
    expiries, rows = [], []
    for maturity in np.unique(years):
        which = np.flatnonzero(years == maturity)
        if which.size >= _FEWEST_STRIKES:
            order = which[np.argsort(strikes[which])]
            expiries.append(maturity)
            rows.append(np.interp(grid.LOG_STRIKES, strikes[order], log_vol[order]))
    _refuse(np.array(expiries))
    return _in_time(np.array(expiries), np.stack(rows)).ravel()


def _refuse(expiries: np.ndarray) -> None:
    if expiries.size < _FEWEST_MATURITIES:
        raise UnsupportedError(
            f"a network on the standard grid needs {_FEWEST_STRIKES} strikes at "
            f"{_FEWEST_MATURITIES} maturities; a set network reads any quotes"
        )
    wanted = grid.MATURITY_YEARS
    if expiries[0] > _REACH * wanted[0] or expiries[-1] * _REACH < wanted[-1]:
        raise UnsupportedError(
            f"maturities from {expiries[0]:.2g} to {expiries[-1]:.2g} years are too far from the "
            f"standard grid's {wanted[0]:.2g} to {wanted[-1]:.2g}; a set network reads any quotes"
        )


def _in_time(expiries: np.ndarray, log_vol: np.ndarray) -> np.ndarray:
    """From quoted maturities to the grid's, shape (10, 20)."""
    variance = expiries[:, None] * np.exp(2.0 * log_vol)
    wanted = grid.MATURITY_YEARS
    inside = np.clip(wanted, expiries[0], expiries[-1])
    right = np.clip(np.searchsorted(expiries, inside), 1, expiries.size - 1)
    share = (inside - expiries[right - 1]) / (expiries[right] - expiries[right - 1])
    total = (1.0 - share)[:, None] * variance[right - 1] + share[:, None] * variance[right]
    return np.asarray(0.5 * np.log(total / inside[:, None]))
