"""Results of pricing methods."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Prices:
    """Present values with error bounds.

    Attributes
    ----------
    value, error : ndarray, shape (n,) or (n_parameter_sets, n)
        In currency. `error` bounds |value − true value|.
    notes : tuple of str
        Remarks on accuracy, for users.
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
        As in `Prices`.
    gradient : ndarray, shape (n_parameters, n)
        ∂ value/∂ parameter, in the order of the model's declaration.
    """

    value: np.ndarray
    error: np.ndarray
    gradient: np.ndarray
