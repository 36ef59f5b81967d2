"""The pricing methods, by the name they have on the wire."""

from collections.abc import Callable
from typing import Final

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing import carr_madan, cosine, lewis, sinh
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
        No method has that name.
    OutsideStripError
        The model has no forward at one of the maturities. (In a batch, `sinh` answers NaN for
        such a parameter set instead.)
    """
    if method not in _METHODS:
        raise UnsupportedError(
            f"no pricing method is called {method!r}; known are {', '.join(_METHODS)}",
            known=methods(),
        )
    return _METHODS[method](model, contracts, tolerance=tolerance)
