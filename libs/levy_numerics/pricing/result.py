"""Results of pricing methods."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from levy_numerics.display import Displayed, contract_columns, lines_by_maturity
from levy_numerics.market import Contracts


@dataclass(frozen=True)
class Prices(Displayed):
    """Present values with their error estimates.

    Attributes
    ----------
    value, error : ndarray, shape (n,) or (n_parameter_sets, n)
        In currency. `error` bounds |value − true value|.
    notes : tuple of str
        Remarks on accuracy, for users.
    contracts : Contracts or None
        The options priced, where `levy_numerics.price` made the result.
    """

    value: np.ndarray
    error: np.ndarray
    notes: tuple[str, ...] = ()
    contracts: Contracts | None = None

    def plot(self) -> Any:
        """Return a Plotly figure of price against strike, by maturity."""
        return lines_by_maturity(self.contracts, {"price": self.value}, "Prices", "price")

    def _title(self) -> str:
        return "Option prices"

    def _facts(self) -> Mapping[str, Any]:
        return {"Contracts": self.value.shape[-1], "Largest error": np.max(self.error)}

    def _columns(self) -> Mapping[str, Any]:
        if self.value.ndim == 1:
            values = {"price": self.value, "error": self.error}
        else:
            values = {f"price_{k}": value for k, value in enumerate(self.value)}
        return contract_columns(self.contracts) | values

    def _notes(self) -> tuple[str, ...]:
        return self.notes


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
