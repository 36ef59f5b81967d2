"""Goodness of fit: errors of fitted prices and implied volatilities."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.implied_volatility import rounding_error, vols_of_prices
from levy_numerics.jit import compiled
from levy_numerics.market import Contracts, Quotes

# Of fitted prices, as a fraction of the discounted forward: the tolerance of the objective.
_MODEL_PRICE_ERROR: Final = 1e-9
# Two lines, of two expiries, would explain most errors by themselves.
_FEWEST_MATURITIES: Final = 3
# Share of the squared error that lines through each expiry explain; noise leaves less.
_SYSTEMATIC_SHARE: Final = 0.5
# Share of the squares of ln(F/K) below which their spread is rounding.
_LEAST_SPREAD: Final = 1e-12
# A misfit below 0.3 volatility points does not matter in practice.
_NOTICEABLE_VOL_ERROR: Final = 0.003


def fitted_price_error(contracts: Contracts) -> np.ndarray:
    """Return a bound of the error of fitted prices, shape (n,), currency."""
    return np.asarray(_MODEL_PRICE_ERROR * contracts.discount * contracts.forward)


@dataclass(frozen=True)
class PricingErrors:
    """Errors of fitted prices (model less market), quote by quote.

    Attributes
    ----------
    market_price, price : ndarray, shape (n,)
        Market price, and the error of the fitted price; currency.
    vol : ndarray, shape (n,)
        Error of implied volatility; NaN where either price determines none.
    """

    market_price: np.ndarray
    price: np.ndarray
    vol: np.ndarray

    @classmethod
    def of(
        cls, quotes: Quotes, model_prices: np.ndarray, market_vols: np.ndarray | None = None
    ) -> Self:
        """Compare `model_prices`, shape (n,), with the quotes.

        `market_vols` are the `vols_of_quotes`, where the caller has computed them before.
        """
        c = quotes.contracts
        market = vols_of_quotes(quotes) if market_vols is None else market_vols
        model_error = np.maximum(rounding_error(quotes.price, c), fitted_price_error(c))
        model = vols_of_prices(model_prices, c, model_error)
        # A volatility of zero is that of an intrinsic value: the price determines none.
        vol = np.where((market > 0.0) & (model > 0.0), model - market, np.nan)
        return cls(quotes.price, model_prices - quotes.price, vol)


def vols_of_quotes(quotes: Quotes) -> np.ndarray:
    """Return the market's implied volatilities, shape (n,); NaN where a price determines none."""
    errors = rounding_error(quotes.price, quotes.contracts)
    return vols_of_prices(quotes.price, quotes.contracts, errors)


@dataclass(frozen=True)
class FitQuality:
    """Summary of pricing errors, as in Schoutens (2003), section 1.4.

    Attributes
    ----------
    rmse, aae : float
        Root-mean-square and mean absolute error, currency.
    ape : float
        `aae` over the mean price.
    arpe : float
        Mean of |error|/price, over the quotes with a positive price.
    implied_vol_rmse : float
        Root-mean-square error of implied volatility, over the quotes for which the prices of
        market and model both determine one; NaN where there are none.
    n_quotes, n_implied_vols : int
        Number of quotes, and of those counted in `implied_vol_rmse`.
    """

    rmse: float
    aae: float
    ape: float
    arpe: float
    implied_vol_rmse: float
    n_quotes: int
    n_implied_vols: int

    @property
    def relative_error(self) -> float:
        """The name of `arpe` on the wire."""
        return self.arpe

    @classmethod
    def of(cls, quotes: Quotes, model_prices: np.ndarray) -> Self:
        """Return the summary of the errors of `model_prices`, shape (n,)."""
        return cls.of_errors(PricingErrors.of(quotes, model_prices))

    @classmethod
    def of_errors(cls, errors: PricingErrors) -> Self:
        """Return the summary of all errors."""
        ((quality, _),) = cls.of_groups(errors, np.zeros(errors.price.size, dtype=int))
        return quality

    @classmethod
    def of_groups(cls, errors: PricingErrors, group: np.ndarray) -> list[tuple[Self, float]]:
        """Return the summary of each group, and its mean error of implied volatility (or NaN).

        Parameters
        ----------
        errors : PricingErrors
        group : ndarray of int, shape (n,)
            Group of each quote: 0, 1, …; none is empty.
        """
        summaries = _summaries(errors.market_price, errors.price, errors.vol, group)
        return [
            (cls(rmse, aae, ape, arpe, vol_rmse, int(n), int(n_vols)), mean_vol)
            for n, mean_vol, rmse, aae, ape, arpe, vol_rmse, n_vols in summaries.tolist()
        ]


@compiled
def _summaries(
    market_price: np.ndarray, price: np.ndarray, vol: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Return the summaries of the groups, shape (n_groups, 8).

    Columns: number of quotes, mean error of volatility, `rmse` to `implied_vol_rmse`, number of
    volatilities.
    """
    n_groups = group.max() + 1
    n, squares, sizes = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    prices, relative, n_priced = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    vols, vol_squares, n_vols = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    for k in range(len(group)):
        i, size = group[k], abs(price[k])
        n[i] += 1.0
        squares[i] += size * size
        sizes[i] += size
        prices[i] += market_price[k]
        if market_price[k] > 0.0:
            n_priced[i] += 1.0
            relative[i] += size / market_price[k]
        if np.isfinite(vol[k]):
            n_vols[i] += 1.0
            vols[i] += vol[k]
            vol_squares[i] += vol[k] * vol[k]
    table = np.empty((n_groups, 8))
    for i in range(n_groups):
        table[i, 0] = n[i]
        table[i, 1] = vols[i] / n_vols[i]
        table[i, 2] = math.sqrt(squares[i] / n[i])
        table[i, 3] = sizes[i] / n[i]
        table[i, 4] = sizes[i] / prices[i] if prices[i] > 0.0 else np.inf
        table[i, 5] = relative[i] / max(n_priced[i], 1.0)
        table[i, 6] = math.sqrt(vol_squares[i] / n_vols[i])
        table[i, 7] = n_vols[i]
    return table


def in_spread_share(quotes: Quotes, model_prices: np.ndarray) -> float:
    """Return the share of `model_prices`, shape (n,), between bid and ask; NaN without spreads."""
    if quotes.bid is None or quotes.ask is None:
        return np.nan
    return float(np.mean((quotes.bid <= model_prices) & (model_prices <= quotes.ask)))


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
    years, group = np.unique(c.maturity_years[known], return_inverse=True)
    if years.size < _FEWEST_MATURITIES:
        return False
    level, slope, error = np.ones(group.size), c.log_moneyness[known], errors[known]
    n, by_x, by_error, by_xx, by_x_error = (
        np.bincount(group, weights=product)
        for product in (level, slope, error, slope**2, slope * error)
    )
    explained = by_error**2 / n
    spread = by_xx - by_x**2 / n
    # One strike, or several equal ones, determine no slope.
    has_slope = spread > _LEAST_SPREAD * by_xx
    explained[has_slope] += ((by_x_error - by_x * by_error / n)[has_slope]) ** 2 / spread[has_slope]
    return bool(explained.sum() > _SYSTEMATIC_SHARE * square)
