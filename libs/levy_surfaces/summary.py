"""Summary of a surface: one line for each expiry."""

from dataclasses import dataclass

import numpy as np

from levy_numerics.implied_volatility import rounding_error, vols_of_prices
from levy_numerics.market import Contracts
from levy_numerics.surface import Forward, Surface
from levy_surfaces.printable import printable


@dataclass(frozen=True)
class ExpirySummary:
    """Quotes and forward of one series.

    Attributes
    ----------
    expiry, root : str
        ISO date and root; empty where the source has none.
    n_quotes : int
        Quotes kept.
    strike_low, strike_high : float
        Range of their strikes.
    forward : Forward
        Forward, discount and rate, with their source.
    dividend_yield : float or None
        None without a spot.
    atm_vol : float or None
        Implied volatility at the forward, interpolated in ln(K/F); None without any.
    """

    expiry: str
    root: str
    n_quotes: int
    strike_low: float
    strike_high: float
    forward: Forward
    dividend_yield: float | None
    atm_vol: float | None

    @property
    def name(self) -> str:
        """Expiry and root, safe to print, or the maturity where the source has no date."""
        return series_name(self.expiry, self.root) or f"{self.forward.maturity_years:g} years"


def series_name(expiry: str, root: str) -> str:
    """Return expiry and root, safe to print; empty where the source has neither."""
    return printable(f"{expiry} {root}".strip())


def summary(surface: Surface) -> tuple[ExpirySummary, ...]:
    """Return one line for each series, by maturity."""
    c, vols = surface.quotes.contracts, market_vols(surface)
    lines = []
    for forward in surface.forwards:
        mine = np.flatnonzero(surface.series == forward.series)
        spot = surface.spot
        lines.append(
            ExpirySummary(
                expiry=str(surface.expiry[mine[0]]),
                root=str(surface.root[mine[0]]),
                n_quotes=int(mine.size),
                strike_low=float(c.strike[mine].min()),
                strike_high=float(c.strike[mine].max()),
                forward=forward,
                dividend_yield=None if spot is None else forward.dividend_yield(spot),
                atm_vol=_at_the_money(-c.log_moneyness[mine], vols[mine]),
            )
        )
    return tuple(lines)


def market_vols(surface: Surface) -> np.ndarray:
    """Return the implied volatility of each quote, shape (n,); NaN where it determines none."""
    return vols_of(surface.quotes.price, surface.quotes.contracts)


def vols_of(price: np.ndarray, contracts: Contracts, error: np.ndarray | None = None) -> np.ndarray:
    """Return the implied volatilities of prices, shape (n,); NaN where one determines none.

    Parameters
    ----------
    price : ndarray, shape (n,)
        Present values, currency.
    contracts : Contracts
        n of them.
    error : ndarray, shape (n,), optional
        Bounds of the errors of `price`; rounding counts in any case.
    """
    rounding = rounding_error(price, contracts)
    vols = vols_of_prices(
        price, contracts, rounding if error is None else np.maximum(error, rounding)
    )
    return np.where(vols > 0.0, vols, np.nan)


def _at_the_money(log_strike: np.ndarray, vol: np.ndarray) -> float | None:
    known = np.isfinite(vol)
    if not known.any():
        return None
    order = np.argsort(log_strike[known], kind="stable")
    return float(np.interp(0.0, log_strike[known][order], vol[known][order]))
