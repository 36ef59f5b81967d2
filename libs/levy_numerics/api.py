"""The public functions: models by name or class, quotes by object or by columns.

`import levy_numerics` exposes them; see `docs/python.md`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from levy_numerics import calibration, pricing
from levy_numerics.calibration import CalibrationResult
from levy_numerics.errors import InvalidInputError
from levy_numerics.implied_volatility import implied_vol as black_vols
from levy_numerics.inference.adaptive_importance import WeightedDraws, importance_sample
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import ArrayLike, Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.models.registry import get
from levy_numerics.pricing import Prices
from levy_numerics.pricing.early_exercise import Terms
from levy_numerics.pricing.greeks import Greeks
from levy_numerics.pricing.greeks import greeks as greeks_of
from levy_numerics.surface import Surface, contracts_from_columns

_ADAPTATIONS = 12
"""Proposals after the first, at most: strongly curved posteriors take about ten."""


def price(
    model: Model,
    contracts: Any,
    *,
    method: str | None = None,
    tolerance: float | None = None,
    terms: Terms | None = None,
    spot: float | None = None,
) -> Prices:
    """Return present values of options, with error estimates.

    Parameters
    ----------
    model : Model
        Such as `models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)`.
    contracts : Contracts, Quotes, Surface, DataFrame or mapping
        See `surface.contracts_from_columns` for the columns.
    method : {"sinh", "cos", "carr_madan", "lewis", "conv", "pide"}, optional
        By default `sinh` for European options, `conv` with early exercise or a
        barrier at dates, `pide` with cash dividends or a barrier monitored continuously.
    tolerance : float, optional
        Requested error, as a fraction of the forward's present value; by default 1e-10 for European
        options, 1e-7 otherwise (`pide`: 1e-5).
    terms : Terms, optional
        American or Bermudan exercise, a barrier, cash dividends; European if absent.
    spot : float, optional
        In currency; early exercise and barriers require it.

    Examples
    --------
    >>> from levy_numerics import Contracts, models, price
    >>> contracts = Contracts.of(maturity_years=1.0, strike=[90.0, 110.0], forward=100.0)
    >>> prices = price(models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15), contracts)
    >>> prices.value.round(6).tolist()
    [14.18101, 4.061714]
    """
    options = _contracts(contracts)
    prices = pricing.price(
        model, options, method=method, tolerance=tolerance, terms=terms, spot=spot
    )
    return replace(prices, contracts=options)


def greeks(model: Model, contracts: Any, *, spot: ArrayLike, tolerance: float = 1e-10) -> Greeks:
    """Return analytic sensitivities of European options.

    Parameters
    ----------
    model : Model
    contracts : Contracts, Quotes, Surface, DataFrame or mapping
    spot : float or array_like of shape (n,)
        Currency.
    tolerance : float
        As for `price`.

    Examples
    --------
    >>> from levy_numerics import Contracts, greeks, models
    >>> contracts = Contracts.of(maturity_years=1.0, strike=100.0, forward=100.0)
    >>> greeks(models.BlackScholes(sigma=0.2), contracts, spot=100.0).delta.round(6).tolist()
    [0.539828]
    """
    options = _contracts(contracts)
    return replace(greeks_of(model, options, spot=spot, tolerance=tolerance), contracts=options)


def implied_vol(quotes: Any, contracts: Any = None) -> np.ndarray:
    """Return the Black volatility of each quote, shape (n,).

    Parameters
    ----------
    quotes : Quotes, Surface, DataFrame, mapping, Prices or array_like
        Quotes contain their contracts; prices need `contracts`.
    contracts : Contracts, DataFrame or mapping, optional
        n of them, or one for all prices.

    Raises
    ------
    ArbitrageError
        A price lies outside its no-arbitrage interval; `indices` gives its position.

    Examples
    --------
    >>> from levy_numerics import Contracts, implied_vol
    >>> contracts = Contracts.of(maturity_years=1.0, strike=100.0, forward=100.0)
    >>> implied_vol(7.965567455405804, contracts).round(12).tolist()
    [0.2]
    """
    if isinstance(quotes, Prices):
        contracts, quotes = quotes.contracts if contracts is None else contracts, quotes.value
    if contracts is None:
        checked = _quotes(quotes)
        options, prices = checked.contracts, checked.price
    else:
        options, prices = _contracts(contracts), quotes
    return black_vols(
        prices,
        forward=options.forward,
        strike=options.strike,
        maturity_years=options.maturity_years,
        discount=options.discount,
        is_call=options.is_call,
    )


def calibrate(
    model: str | type[Model],
    quotes: Any,
    *,
    weights: str | None = None,
    start: Mapping[str, Any] | None = None,
    n_starts: int | None = None,
    seed: int = 0,
    max_evaluations: int = 200,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CalibrationResult:
    """Fit a model to quotes by least squares on exact prices.

    Parameters
    ----------
    model : str or type of Model
        "VarianceGamma", its alias "VG" in any letter case, or `models.VarianceGamma`;
        `models.names()` lists the names.
    quotes : Quotes, Surface, DataFrame or mapping
        See `Surface.from_columns` for the columns.
    weights, start, n_starts, seed, max_evaluations, progress, should_stop
        As in `levy_numerics.calibration.calibrate`.

    Examples
    --------
    >>> from levy_numerics import Contracts, Quotes, calibrate, models, price
    >>> contracts = Contracts.grid(
    ...     spot=100.0, rate=0.02, dividend_yield=0.0,
    ...     strikes=[80.0, 90.0, 100.0, 110.0, 120.0], maturities=[0.5, 1.0],
    ... )
    >>> truth = models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)
    >>> result = calibrate("VarianceGamma", Quotes.of(contracts, price(truth, contracts).value))
    >>> {name: round(value, 6) for name, value in result.parameters.items()}
    {'sigma': 0.2, 'nu': 0.4, 'theta': -0.15}
    """
    checked = _quotes(quotes)
    return calibration.calibrate(
        _model_type(model),
        checked,
        weights=weights,
        start=start,
        n_starts=n_starts,
        seed=seed,
        max_evaluations=max_evaluations,
        progress=progress,
        should_stop=should_stop,
    )


def sample_posterior(
    model: str | type[Model],
    quotes: Any,
    *,
    priors: Mapping[str, Mapping[str, Any]] | None = None,
    weights: str | None = None,
    likelihood: str = "discrepancy",
    n_draws: int = 1024,
    seed: int = 0,
) -> WeightedDraws:
    """Sample the posterior of a model's parameters by importance sampling (Laplace and PSIS).

    The quotes' errors are normal in the unit of `weights`, and their scale has a prior. Where
    `pareto_k` is above 0.7, use the MCMC engines of the Bayesian service.

    Parameters
    ----------
    model : str or type of Model
    quotes : Quotes, Surface, DataFrame or mapping
    priors : mapping, optional
        Distributions that replace defaults, by parameter, such as
        `{"nu": {"distribution": "lognormal", "mu": -1.0, "sigma": 0.5}}`.
    weights : {"price", "vega", "bid_ask"}, optional
        By default `bid_ask` where the quotes have bid and ask, else `vega`.
    likelihood : {"discrepancy", "normal"}
        Errors are correlated by a discrepancy between model and market (`CorrelatedErrors`), or
        independent. With at most p + 2 quotes for p parameters they are independent.
    n_draws : int
        For each proposal; the draws of all proposals are used.
    seed : int

    Examples
    --------
    >>> from levy_numerics import Contracts, Quotes, models, price, sample_posterior
    >>> contracts = Contracts.grid(
    ...     spot=100.0, rate=0.02, dividend_yield=0.0,
    ...     strikes=[80.0, 90.0, 100.0, 110.0, 120.0], maturities=[0.5, 1.0],
    ... )
    >>> exact = price(models.BlackScholes(sigma=0.2), contracts).value
    >>> draws = sample_posterior("BlackScholes", Quotes.of(contracts, exact.round(2)))
    >>> round(draws.means()["sigma"], 3), draws.pareto_k < 0.7
    (0.2, True)
    """
    if likelihood not in ("discrepancy", "normal"):
        raise InvalidInputError(f"likelihood must be discrepancy or normal, not {likelihood!r}")
    checked, model_type = _quotes(quotes), _model_type(model)
    chosen = Priors.default(model_type)
    chosen = chosen.with_overrides(priors) if priors else chosen
    fit = calibration.calibrate(model_type, checked, weights=weights)
    discrepancy = fit.discrepancy() if likelihood == "discrepancy" else None
    posterior = Posterior.of(checked, chosen, weights=weights, discrepancy=discrepancy)
    return importance_sample(
        posterior, fit.model, n_draws=n_draws, n_adaptations=_ADAPTATIONS, seed=seed
    )


def _model_type(model: Any) -> type[Model]:
    if isinstance(model, str):
        return get(model)
    if isinstance(model, type) and issubclass(model, Model):
        return model
    raise InvalidInputError(f"model must be a name or a class of model, not {model!r}")


def _contracts(given: Any) -> Contracts:
    if isinstance(given, Contracts):
        return given
    if isinstance(given, Quotes):
        return given.contracts
    if isinstance(given, Surface):
        return given.quotes.contracts
    _require_columns(given, "contracts", "Contracts")
    return contracts_from_columns(given)


def _quotes(given: Any) -> Quotes:
    if isinstance(given, Quotes):
        return given
    if isinstance(given, Surface):
        return given.quotes
    _require_columns(given, "quotes", "Quotes, Surface")
    return Surface.from_columns(given).quotes


def _require_columns(given: Any, name: str, kinds: str) -> None:
    if not (isinstance(given, Mapping) or hasattr(given, "columns")):
        raise InvalidInputError(
            f"{name} must be {kinds}, a DataFrame or a mapping of columns, not "
            f"{type(given).__name__}"
        )
