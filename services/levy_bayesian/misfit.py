"""Statement of how well the posterior mean of a model fits the quotes."""

import math
from typing import Final

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality, in_spread_share
from levy_numerics.inference.posterior import Posterior
from levy_schemas.finite import finite_or_none
from levy_schemas.jobs import Misfit

# Correlation of errors at adjacent strikes, and its distance from zero in standard errors, above
# which errors are not those of independent quotes.
_MIN_CORRELATION: Final = 0.3
_MIN_DEVIATIONS: Final = 3.0
# Volatility errors below 0.1 points do not matter in practice.
_NOTICEABLE: Final = 1e-3


def misfit_of(posterior: Posterior, model_price: np.ndarray) -> Misfit:
    """Return the misfit of the posterior mean of the model's prices, shape (n,).

    The statistic is the correlation of errors at adjacent strikes of an expiry: independent errors
    have one of zero, ± 1/√n, whatever their size.
    """
    quotes = posterior.quotes
    errors = (model_price - quotes.price) / posterior.scale
    correlation, n_pairs = _adjacent_correlation(posterior, errors)
    rmse = FitQuality.of(quotes, model_price).implied_vol_rmse
    least = max(_MIN_CORRELATION, _MIN_DEVIATIONS / math.sqrt(max(n_pairs, 1)))
    return Misfit(
        detected=bool(correlation > least and rmse > _NOTICEABLE),
        rmse_vol_points=finite_or_none(100.0 * rmse),
        within_spread=finite_or_none(in_spread_share(quotes, model_price)),
        adjacent_correlation=finite_or_none(correlation),
    )


def misfit_warnings(misfit: Misfit, *, is_independent: bool) -> list[str]:
    """Return a sentence about a misfit, if there is one."""
    if not misfit.detected:
        return []
    within = misfit.within_spread
    spread = "" if within is None else f", with {within:.0%} of the quotes within the spread"
    sentence = (
        f"the model misfits the quotes by {misfit.rmse_vol_points:.2f} volatility points (root "
        f"mean square){spread}; errors at adjacent strikes have a correlation of "
        f"{misfit.adjacent_correlation:.2f}"
    )
    if is_independent:
        sentence += (
            ". The likelihood assumes independent errors, so that the intervals are too narrow: "
            "request likelihood = discrepancy"
        )
    return [sentence]


def _adjacent_correlation(posterior: Posterior, errors: np.ndarray) -> tuple[float, int]:
    """Return Σ eᵢeᵢ₊₁/Σ eᵢ², over adjacent strikes of each expiry, and the number of pairs."""
    c = posterior.quotes.contracts
    order = np.lexsort((c.strike, c.maturity_years))
    ordered, years = errors[order], c.maturity_years[order]
    together = years[1:] == years[:-1]
    products, squares = ordered[1:] * ordered[:-1], 0.5 * (ordered[1:] ** 2 + ordered[:-1] ** 2)
    total = float(np.sum(squares[together]))
    if not total > 0.0:
        return math.nan, 0
    return float(np.sum(products[together])) / total, int(together.sum())
