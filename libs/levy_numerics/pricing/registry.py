"""Registry of pricing methods by name."""

from collections.abc import Callable
from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.admissibility import convert_arithmetic_errors, representability_error
from levy_numerics.models.base import Model
from levy_numerics.pricing import sinh
from levy_numerics.pricing.early_exercise import Terms, conv, pide
from levy_numerics.pricing.reference import carr_madan, cosine, lewis
from levy_numerics.pricing.result import Prices

_METHODS: Final[dict[str, Callable[..., Prices]]] = {
    "sinh": sinh.price,
    "cos": cosine.price,
    "carr_madan": carr_madan.price,
    "lewis": lewis.price,
}

_EUROPEAN_TOLERANCE: Final = 1e-10
_EARLY_EXERCISE: Final[dict[str, Callable[..., Prices]]] = {"conv": conv.price, "pide": pide.price}


def methods() -> tuple[str, ...]:
    """Return the names of the methods for European options; the first is the default."""
    return tuple(_METHODS)


def early_exercise_methods() -> tuple[str, ...]:
    """Return the names of the methods for all terms of exercise; the first is the default."""
    return tuple(_EARLY_EXERCISE)


def default_method(terms: Terms) -> str:
    """Return the method that is used where none is named."""
    if terms.is_plain:
        return methods()[0]
    is_continuous = terms.barrier is not None and not terms.barrier.dates
    return "pide" if terms.has_dividends or is_continuous else early_exercise_methods()[0]


def price(
    model: Model,
    contracts: Contracts,
    *,
    method: str | None = None,
    tolerance: float | None = None,
    terms: Terms | None = None,
    spot: float | None = None,
) -> Prices:
    """Return present values of options.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch of European options.
    contracts : Contracts
        n of them.
    method : str, optional
        One of `methods()` or `early_exercise_methods()`; by default `default_method(terms)`.
    tolerance : float, optional
        Requested error, as a fraction of the forward's present value; by default 1e-10 for the
        methods for European options, 1e-7 for "conv" and 1e-5 for "pide". Without effect for
        "carr_madan".
    terms : Terms, optional
        Exercise dates, barrier and cash dividends; European options without them if absent.
    spot : float, optional
        In currency; early exercise and barriers require it.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n), with error estimates.

    Raises
    ------
    UnsupportedError
        The method does not exist, or it does not converge for this model.
    OutsideStripError
        E[S_T] is infinite at one of the maturities. (In a batch, `sinh` returns NaN for such a
        parameter set instead.)
    InvalidParameterError
        The model cannot be priced in double precision at one of the maturities.
    """
    terms = terms or Terms()
    method = method or default_method(terms)
    if method in _EARLY_EXERCISE:
        return _price_with_terms(method, model, contracts, tolerance, terms, spot)
    known = (*methods(), *early_exercise_methods())
    if method not in _METHODS:
        raise UnsupportedError(
            f"unknown pricing method {method!r}; choose one of {', '.join(known)}", known=known
        )
    if not terms.is_plain:
        raise UnsupportedError(
            f"{method} prices European options without barrier and cash dividends only; choose "
            f"one of {', '.join(early_exercise_methods())}",
            known=early_exercise_methods(),
        )
    tolerance = _EUROPEAN_TOLERANCE if tolerance is None else tolerance
    if any(np.ndim(value) for value in model.as_mapping().values()):
        with np.errstate(all="ignore"):
            return _METHODS[method](model, contracts, tolerance=tolerance)
    with convert_arithmetic_errors(model, contracts.maturity_years):
        prices = _METHODS[method](model, contracts, tolerance=tolerance)
    not_finite = ~np.isfinite(prices.value)
    if not_finite.any():
        raise representability_error(model, contracts.maturity_years[not_finite])
    _require_convergence(prices, contracts, f"{method} does not converge for {model}")
    return prices


def _price_with_terms(
    method: str,
    model: Model,
    contracts: Contracts,
    tolerance: float | None,
    terms: Terms,
    spot: float | None,
) -> Prices:
    """Return present values by a method for early exercise and barriers."""
    options = {} if tolerance is None else {"tolerance": tolerance}
    with convert_arithmetic_errors(model, contracts.maturity_years):
        prices = _EARLY_EXERCISE[method](model, contracts, terms=terms, spot=spot, **options)
    if not np.all(np.isfinite(prices.value) & np.isfinite(prices.error)):
        raise UnsupportedError(
            f"{method} does not converge for {model}; choose less extreme parameters"
        )
    return prices


def _require_convergence(prices: Prices, contracts: Contracts, message: str) -> None:
    """Raise `UnsupportedError` if an error exceeds half the width of the no-arbitrage interval."""
    # A price in the middle of the interval would have this error without any computation.
    converged = prices.error < 0.5 * (contracts.upper_bound - contracts.lower_bound)
    if not converged.all():
        k = np.flatnonzero(~converged)[0]
        raise UnsupportedError(
            f"{message} at T = {contracts.maturity_years[k]:g}, K = {contracts.strike[k]:g} (error "
            f"up to {prices.error[k]:.1g}); choose another method or less extreme parameters"
        )
