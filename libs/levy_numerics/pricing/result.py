"""What a pricing method answers."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prices:
    """Present values with their error estimates.

    Attributes
    ----------
    value, error : ndarray, shape (n,) or (n_parameter_sets, n)
        Currency. `error` bounds |value − true value|; a method that has no estimate of its own
        states the bound of its paper.
    notes : tuple of str
        What the method had to do, or could not do, to keep its accuracy.
    """

    value: np.ndarray
    error: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PriceGradient:
    """Present values with their derivatives in every model parameter.

    Attributes
    ----------
    value, error : ndarray, shape (n,)
        Currency; as in `Prices`.
    gradient : ndarray, shape (n_parameters, n)
        ∂ value/∂ parameter, in the order in which the model declares them.
    """

    value: np.ndarray
    error: np.ndarray
    gradient: np.ndarray
