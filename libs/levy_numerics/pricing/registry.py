"""The pricing methods, by the name they have on the wire."""

from collections.abc import Callable
from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.models.representable import arithmetic_errors_named, not_representable
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
    """Names of the methods; the first is the default."""
    return tuple(_METHODS)


def price(
    model: Model, contracts: Contracts, *, method: str = "sinh", tolerance: float = 1e-10
) -> Prices:
    """Present values of European options.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    method : str
        One of `methods()`.
    tolerance : float
        Wanted error, as a fraction of the forward's present value; Carr-Madan's grid is fixed
        and takes no notice.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n), with error estimates.

    Raises
    ------
    UnsupportedError
        No method has that name, or it does not converge for this model.
    OutsideStripError
        The model has no forward at one of the maturities. (In a batch, `sinh` returns NaN for
        such a parameter set instead.)
    InvalidParameterError
        Double precision cannot hold the law of the model at one of the maturities.
    """
    if method not in _METHODS:
        raise UnsupportedError(
            f"no pricing method is called {method!r}; known are {', '.join(_METHODS)}",
            known=methods(),
        )
    if any(np.ndim(value) for value in model.as_mapping().values()):
        with np.errstate(all="ignore"):
            return _METHODS[method](model, contracts, tolerance=tolerance)
    with arithmetic_errors_named(model, contracts.maturity_years):
        prices = _METHODS[method](model, contracts, tolerance=tolerance)
    not_finite = ~np.isfinite(prices.value)
    if not_finite.any():
        raise not_representable(model, contracts.maturity_years[not_finite])
    _require_convergence(prices, contracts, f"{method} does not converge for {model}")
    return prices


def _require_convergence(prices: Prices, contracts: Contracts, message: str) -> None:
    """Raise unless each stated error is below half the width of the no-arbitrage interval."""
    known = prices.error < 0.5 * (contracts.upper_bound - contracts.lower_bound)
    if not known.all():
        k = np.flatnonzero(~known)[0]
        raise UnsupportedError(
            f"{message} at T = {contracts.maturity_years[k]:g}, K = {contracts.strike[k]:g} (its "
            f"error may be {prices.error[k]:.1g}); choose another method or less extreme parameters"
        )
