"""Early-exercise premiums, Greeks and exercise boundary of American and Bermudan options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from levy_numerics.display import (
    Displayed,
    contract_columns,
    graph_objects,
    lines_by_maturity,
)
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.early_exercise import conv, pide
from levy_numerics.pricing.early_exercise.terms import Terms
from levy_numerics.pricing.greeks import greeks

_VALUES: Final[dict[str, Callable[..., conv.Values]]] = {
    "conv": conv.extrapolated_values,
    "pide": pide.extrapolated_values,
}


@dataclass(frozen=True)
class EarlyExercise(Displayed):
    """Premium, sensitivities and exercise boundary, from one backward sweep.

    Attributes
    ----------
    premium : ndarray, shape (n,)
        Value minus that of the European option with the same dividends, in currency.
    delta, gamma, theta : ndarray, shape (n,)
        ∂V/∂S, ∂²V/∂S², and −∂V/∂T per year, where the option is not exercised at once; −1 or 1, 0
        and 0 where it is.
    boundary_years, boundary : ndarray, shape (n_dates,)
        Time to go, and spot in units of the strike at which exercise becomes optimal; NaN where it
        never does. That of the calls, if there are calls and puts. Empty unless rates are constant
        and exercise is American.
    contracts : Contracts
    """

    premium: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    theta: np.ndarray
    boundary_years: np.ndarray
    boundary: np.ndarray
    contracts: Contracts

    def plot(self) -> Any:
        """Return a Plotly figure of the premium against strike, by maturity."""
        return lines_by_maturity(
            self.contracts, {"premium": self.premium}, "Early-exercise premium", "premium"
        )

    def plot_boundary(self) -> Any:
        """Return a Plotly figure of the exercise boundary against the time to go."""
        plotly = graph_objects()
        figure = plotly.Figure(plotly.Scatter(x=self.boundary_years, y=self.boundary, mode="lines"))
        figure.update_layout(
            title="Exercise boundary",
            xaxis_title="time to maturity (years)",
            yaxis_title="spot / strike",
        )
        return figure

    def _title(self) -> str:
        return "Early exercise"

    def _facts(self) -> Mapping[str, Any]:
        return {"Contracts": self.premium.size, "Largest premium": np.max(self.premium)}

    def _columns(self) -> Mapping[str, Any]:
        names = ("premium", "delta", "gamma", "theta")
        return contract_columns(self.contracts) | {name: getattr(self, name) for name in names}


def early_exercise(
    model: Model,
    contracts: Contracts,
    terms: Terms,
    spot: float,
    tolerance: float | None = None,
    method: str = "conv",
) -> EarlyExercise:
    """Return premium, Greeks and exercise boundary.

    Parameters
    ----------
    model : LevyModel
        One parameter set.
    contracts : Contracts
        n of them.
    terms : Terms
        With a barrier, the premium is the value minus that of the European option without one.
    spot : float
        In currency.
    tolerance : float, optional
        Requested error of the premium, as a fraction of the spot; by default that of the method.
    method : {"conv", "pide"}

    Raises
    ------
    UnsupportedError
        The increments are not stationary, or the method does not support the terms.
    """
    if method not in _VALUES:
        raise UnsupportedError(f"{method} does not price early exercise; choose conv or pide")
    options = {} if tolerance is None else {"tolerance": tolerance}
    values = _VALUES[method](model, contracts, terms, spot, **options)
    european = greeks(model, contracts, spot=spot)
    delta, gamma = european.delta + values.delta, european.gamma + values.gamma
    theta = european.theta - values.by_time
    premium = values.premium
    if terms.has_dividends:
        same = replace(terms, exercise="european", exercise_dates=(), barrier=None)
        premium = premium - _VALUES[method](model, contracts, same, spot, **options).premium
    if terms.barrier is not None and terms.barrier.is_in:
        delta, gamma, theta = -values.delta, -values.gamma, values.by_time
    if terms.exercise == "american" and terms.barrier is None:
        is_exercised = values.is_exercised
        sign = np.where(contracts.is_call, 1.0, -1.0)
        # Extrapolation next to the boundary may exceed the bounds of a convex function.
        delta = np.where(is_exercised, sign, sign * np.clip(sign * delta, 0.0, 1.0))
        gamma = np.where(is_exercised, 0.0, np.maximum(gamma, 0.0))
        theta = np.where(is_exercised, 0.0, theta)
        premium = np.maximum(premium, 0.0)
    return EarlyExercise(
        premium=premium,
        delta=delta,
        gamma=gamma,
        theta=theta,
        boundary_years=values.boundary_years,
        boundary=values.boundary,
        contracts=contracts,
    )
