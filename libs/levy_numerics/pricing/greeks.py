"""Sensitivities of European options, by differentiating under the sinh-deformed integral.

With M(x, T; θ) = E[min(S_T, K)]/K and x = ln(F/K), a call is D(F − KM) and a put D·K(1 − M);
each derivative of M multiplies the integrand by a factor: iξ for x, −ξ(ξ + i) for ∂²M/∂x² − ∂M/∂x
(the density: it cancels the payoff's poles), ∂ log φ_T/∂T + iξ·∂ω_T/∂T for T, and likewise for
each parameter. Everything comes from the sums that give the price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.display import Displayed, contract_columns, lines_by_maturity
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import ArrayLike, Contracts
from levy_numerics.models.base import Model
from levy_numerics.models.representable import arithmetic_errors_named
from levy_numerics.pricing.integrand_factors import Factors, with_drift
from levy_numerics.pricing.result import Prices
from levy_numerics.pricing.sinh import SinhPricer

_FINEST: Final = 1e-13
_MARGIN: Final = 1e-2
"""A derivative loses about two digits against the value."""


@dataclass(frozen=True)
class Greeks(Displayed):
    """Sensitivities of present values, each of shape (n,), of a unit of whatever changes.

    Attributes
    ----------
    delta : ndarray
        ∂V/∂S, S the spot: options per share.
    gamma : ndarray
        ∂²V/∂S², per currency.
    theta : ndarray
        −∂V/∂T: currency per year that passes, rate and yield staying where they are. A day's
        is theta/365.
    rho : ndarray
        ∂V/∂r at fixed dividend yield, per unit of the continuous rate; a basis point's is
        rho/10⁴.
    dividend_rho : ndarray
        ∂V/∂q at fixed rate, per unit of the continuous dividend yield.
    parameters : mapping of str to ndarray
        ∂V/∂ each model parameter, per unit of it.
    contracts : Contracts or None
        The options, where `levy_numerics.greeks` made the result.
    """

    delta: np.ndarray
    gamma: np.ndarray
    theta: np.ndarray
    rho: np.ndarray
    dividend_rho: np.ndarray
    parameters: Mapping[str, np.ndarray]
    contracts: Contracts | None = None

    def plot(self, name: str = "delta") -> Any:
        """Return a Plotly figure of one sensitivity against strike, by maturity."""
        return lines_by_maturity(self.contracts, {name: self._by_name()[name]}, "Greeks", name)

    def _by_name(self) -> dict[str, np.ndarray]:
        names = ("delta", "gamma", "theta", "rho", "dividend_rho")
        by_parameter = {f"d_{name}": values for name, values in self.parameters.items()}
        return {name: getattr(self, name) for name in names} | by_parameter

    def _title(self) -> str:
        return "Greeks"

    def _facts(self) -> Mapping[str, Any]:
        return {"Contracts": self.delta.size}

    def _columns(self) -> Mapping[str, Any]:
        return contract_columns(self.contracts) | self._by_name()


def greeks(
    model: Model, contracts: Contracts, *, spot: ArrayLike, tolerance: float = 1e-10
) -> Greeks:
    """Analytic sensitivities of one parameter set.

    Rate and dividend yield of a maturity are those its discount factor and forward imply:
    r = −ln D/T, r − q = ln(F/S)/T.

    Parameters
    ----------
    model : Model
        One parameter set.
    contracts : Contracts
        n of them.
    spot : float or array_like of shape (n,)
        Currency.
    tolerance : float
        As for prices: sums are cut and steps chosen for errors 100 times smaller. Gamma is
        then right to about 1e-8 of the largest of its maturity, and the others to 1e-9 of
        theirs, except where gamma does not exist: the density of Variance Gamma has a pole if
        T < ν/2, and gamma grows without bound towards it.

    Raises
    ------
    InvalidInputError
        The spot is not finite and positive, or a batch of parameter sets is given.
    OutsideStripError
        The model has no forward at one of the maturities.

    Examples
    --------
    >>> from levy_numerics import models
    >>> one = Contracts.of(maturity_years=1.0, strike=100.0, forward=100.0)
    >>> black_scholes = models.BlackScholes(sigma=0.2)
    >>> round(float(greeks(black_scholes, one, spot=100.0).delta[0]), 6)
    0.539828
    """
    with arithmetic_errors_named(model, contracts.maturity_years):
        prices, terms = _price_and_terms(model, contracts, tolerance)
    value = prices.value
    share = _checked_spot(spot, contracts.size)
    c = contracts
    held = c.discount * np.where(c.is_call, c.forward, 0.0)
    by_spot, density, by_time, *by_parameter = c.discount * c.strike * terms
    delta = (held - by_spot) / share
    rate, carry = -np.log(c.discount) / c.maturity_years, np.log(c.forward / share)
    rho = c.maturity_years * (share * delta - value)
    names = (p.name for p in model.parameters())
    return Greeks(
        delta=delta,
        gamma=-density / share**2,
        theta=rate * value - carry / c.maturity_years * share * delta + by_time,
        rho=rho,
        dividend_rho=-c.maturity_years * share * delta,
        parameters={name: -by for name, by in zip(names, by_parameter, strict=True)},
    )


def _price_and_terms(
    model: Model, contracts: Contracts, tolerance: float
) -> tuple[Prices, np.ndarray]:
    """Present values, and derivatives of M, shape (3 + n_parameters, n)."""
    if any(np.ndim(value) for value in model.as_mapping().values()):
        raise InvalidInputError("greeks are those of one parameter set; select it from the batch")
    pricer = SinhPricer(contracts, max(_MARGIN * tolerance, _FINEST))
    n_parameters = len(model.parameters())
    at_poles = ((0.0, 1.0),) + ((0.0, 0.0),) * (2 + n_parameters)
    factors = Factors(by_parameter=True, others=_factors, at_poles=at_poles, order=2)
    return pricer.price_with_terms(model, factors)


def _factors(model: Model, nodes: np.ndarray, years: np.ndarray) -> np.ndarray:
    """∂M/∂x, ∂²M/∂x² − ∂M/∂x and ∂M/∂T, in units of M's integrand."""
    by_time = with_drift(model.log_cf_rate(nodes, years), nodes)
    own = [1j * nodes, -nodes * (nodes + 1j), by_time]
    return np.stack([np.broadcast_to(f, by_time.shape) for f in own])


def _checked_spot(spot: ArrayLike, size: int) -> np.ndarray:
    share = np.asarray(spot, dtype=float)
    if share.shape not in ((), (size,)):
        raise InvalidInputError(f"spot has shape {share.shape}, the contracts ({size},)")
    if not np.all((share > 0) & (share < np.inf)):
        raise InvalidInputError("spot must be finite and positive", field="spot")
    return share
