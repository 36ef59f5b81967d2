"""Registry of pricing methods by name."""

from collections.abc import Callable
from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.admissibility import convert_arithmetic_errors, representability_error
from levy_numerics.models.base import Model
from levy_numerics.pricing import sinh
from levy_numerics.pricing.reference import carr_madan, cosine, lewis
from levy_numerics.pricing.result import Prices

_METHODS: Final[dict[str, Callable[..., Prices]]] = {
    "sinh": sinh.price,
    "cos": cosine.price,
    "carr_madan": carr_madan.price,
    "lewis": lewis.price,
}


def methods() -> tuple[str, ...]:
    """Return the names of the methods; the first is the default."""
    return tuple(_METHODS)


def price(
    model: Model, contracts: Contracts, *, method: str = "sinh", tolerance: float = 1e-10
) -> Prices:
    """Return present values of European options.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    method : str
        One of `methods()`.
    tolerance : float
        Requested error, as a fraction of the forward's present value; without effect for
        "carr_madan".

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
    if method not in _METHODS:
        raise UnsupportedError(
            f"unknown pricing method {method!r}; choose one of {', '.join(_METHODS)}",
            known=methods(),
        )
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
