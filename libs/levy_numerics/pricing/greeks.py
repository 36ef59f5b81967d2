"""Greeks of European options, by differentiation under the sinh-deformed integral.

With M(x, T; θ) = E[min(S_T, K)]/K and x = ln(F/K), a call is D(F − KM) and a put D·K(1 − M). Each
derivative of M multiplies the integrand by a factor: iξ for x, −ξ(ξ + i) for ∂²M/∂x² − ∂M/∂x (the
density, in which the poles of the payoff cancel), ∂ log φ_T/∂T + iξ·∂ω_T/∂T for T, and likewise for
each parameter. All are computed together with the price. Vega is that of Black's formula at the
volatility that the price implies, since the models have no volatility in common.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.black import black_vega
from levy_numerics.display import Displayed, contract_columns, lines_by_maturity
from levy_numerics.errors import InvalidInputError
from levy_numerics.implied_volatility import implied_vol_or_reason, rounding_error
from levy_numerics.market import ArrayLike, Contracts
from levy_numerics.models.admissibility import convert_arithmetic_errors
from levy_numerics.models.base import Model
from levy_numerics.pricing.integrand_factors import IntegrandFactors, with_drift
from levy_numerics.pricing.result import Prices
from levy_numerics.pricing.sinh import SinhPricer

# The smallest tolerance of `SinhPricer`.
_MIN_TOLERANCE: Final = 1e-13
# A derivative has about two digits less than the value.
_TOLERANCE_FACTOR: Final = 1e-2


@dataclass(frozen=True)
class Greeks(Displayed):
    """Derivatives of present values V, each of shape (n,).

    Attributes
    ----------
    delta : ndarray
        ∂V/∂S, S the spot.
    gamma : ndarray
        ∂²V/∂S², per unit of currency.
    vega : ndarray
        Black's ∂V/∂σ at the implied volatility, in currency per unit of annual volatility;
        vega/100 per vol point. NaN where the price does not determine a volatility within 1%.
    theta : ndarray
        −∂V/∂T at constant rate and yield, in currency per year; theta/365 per day.
    rho : ndarray
        ∂V/∂r at constant dividend yield, per unit of the continuous rate; rho/10⁴ per basis point.
    dividend_rho : ndarray
        ∂V/∂q at constant rate, per unit of the continuous dividend yield.
    parameters : mapping of str to ndarray
        ∂V/∂θ for each model parameter θ.
    contracts : Contracts or None
        The options, where `levy_numerics.greeks` made the result.
    """

    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray
    rho: np.ndarray
    dividend_rho: np.ndarray
    parameters: Mapping[str, np.ndarray]
    contracts: Contracts | None = None

    def plot(self, name: str = "delta") -> Any:
        """Return a Plotly figure of one sensitivity against strike, by maturity."""
        return lines_by_maturity(self.contracts, {name: self._by_name()[name]}, "Greeks", name)

    def _by_name(self) -> dict[str, np.ndarray]:
        names = ("delta", "gamma", "vega", "theta", "rho", "dividend_rho")
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
    """Return analytic Greeks of one parameter set.

    Rate and dividend yield of a maturity are those that its discount factor and forward imply:
    r = −ln D/T, r − q = ln(F/S)/T.

    Parameters
    ----------
    model : Model
        One parameter set.
    contracts : Contracts
        n of them.
    spot : float or array_like of shape (n,)
        In currency.
    tolerance : float
        As for prices; the sums are computed to errors 100 times smaller. Gamma is then accurate to
        about 1e-8 of the largest of its maturity, the others to 1e-9 of theirs. An exception is
        Variance Gamma with T < ν/2, whose density has a pole: gamma is not bounded there.

    Raises
    ------
    InvalidInputError
        The spot is not finite and positive, or the model is a batch of parameter sets.
    OutsideStripError
        E[S_T] is infinite at one of the maturities.

    Examples
    --------
    >>> from levy_numerics import models
    >>> contract = Contracts.of(maturity_years=1.0, strike=100.0, forward=100.0)
    >>> black_scholes = models.BlackScholes(sigma=0.2)
    >>> round(float(greeks(black_scholes, contract, spot=100.0).delta[0]), 6)
    0.539828
    """
    with convert_arithmetic_errors(model, contracts.maturity_years):
        prices, terms = _price_and_terms(model, contracts, tolerance)
    value = prices.value
    spot = _checked_spot(spot, contracts.size)
    c = contracts
    forward_leg = c.discount * np.where(c.is_call, c.forward, 0.0)
    by_log_spot, density, by_time, *by_parameter = c.discount * c.strike * terms
    delta = (forward_leg - by_log_spot) / spot
    rate, carry = -np.log(c.discount) / c.maturity_years, np.log(c.forward / spot)
    rho = c.maturity_years * (spot * delta - value)
    names = (p.name for p in model.parameters())
    return Greeks(
        delta=delta,
        gamma=-density / spot**2,
        vega=_vega(prices, contracts),
        theta=rate * value - carry / c.maturity_years * spot * delta + by_time,
        rho=rho,
        dividend_rho=-c.maturity_years * spot * delta,
        parameters={name: -by for name, by in zip(names, by_parameter, strict=True)},
    )


def _vega(prices: Prices, contracts: Contracts) -> np.ndarray:
    """Return Black's vega at the volatility that each price implies, shape (n,)."""
    c = contracts
    vol = implied_vol_or_reason(
        prices.value,
        forward=c.forward,
        strike=c.strike,
        maturity_years=c.maturity_years,
        discount=c.discount,
        is_call=c.is_call,
        price_error=np.maximum(prices.error, rounding_error(prices.value, c)),
    ).vol
    vega, determined = np.full(c.size, np.nan), ~np.isnan(vol)
    vega[determined] = black_vega(
        forward=c.forward[determined],
        strike=c.strike[determined],
        maturity_years=c.maturity_years[determined],
        discount=c.discount[determined],
        vol=vol[determined],
    )
    return vega


def _price_and_terms(
    model: Model, contracts: Contracts, tolerance: float
) -> tuple[Prices, np.ndarray]:
    """Return present values, and derivatives of M, shape (3 + n_parameters, n)."""
    if any(np.ndim(value) for value in model.as_mapping().values()):
        raise InvalidInputError("Greeks support one parameter set only; select one from the batch")
    pricer = SinhPricer(contracts, max(_TOLERANCE_FACTOR * tolerance, _MIN_TOLERANCE))
    n_parameters = len(model.parameters())
    # Only the factor of ∂M/∂x, iξ, differs from zero at a pole, where it is i·(−i) = 1.
    at_poles = ((0.0, 1.0),) + ((0.0, 0.0),) * (2 + n_parameters)
    factors = IntegrandFactors(by_parameter=True, others=_factors, at_poles=at_poles, order=2)
    return pricer.price_with_terms(model, factors)


def _factors(model: Model, nodes: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Return the factors of ∂M/∂x, ∂²M/∂x² − ∂M/∂x and ∂M/∂T."""
    by_time = with_drift(model.d_log_cf_dT(nodes, years), nodes)
    factors = [1j * nodes, -nodes * (nodes + 1j), by_time]
    return np.stack([np.broadcast_to(f, by_time.shape) for f in factors])


def _checked_spot(spot: ArrayLike, size: int) -> np.ndarray:
    spots = np.asarray(spot, dtype=float)
    if spots.shape not in ((), (size,)):
        raise InvalidInputError(
            f"spot has shape {spots.shape}; give one number, or one for each contract ({size},)"
        )
    if not np.all((spots > 0) & (spots < np.inf)):
        raise InvalidInputError("spot must be finite and positive", field="spot")
    return spots
