"""Prices without Fourier transforms: mixtures of Black-Scholes prices.

The mixing integrals are trapezoidal sums in the clock's logarithm, on which their integrands
are analytic for |Im y| < π/2: the sums converge like exp(−π²/h).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr

from levy_numerics.market import Contracts
from levy_numerics.models import Model

Puts = Callable[[Any, np.ndarray], np.ndarray]
_STEP = 1.0 / 16.0


def variance_gamma(model: Any, contracts: Contracts) -> np.ndarray:
    """Condition on the gamma clock: Madan, Carr and Chang (1998)."""

    def puts(years: float, strike: np.ndarray) -> np.ndarray:
        shape = years / model.nu
        # If drift dominates diffusion, the option's conditional value is nearly a step function.
        turn = model.sigma / (model.sigma + abs(model.theta) * np.sqrt(1.0 + years))
        step = min(_STEP, 0.2 * turn, 0.2 / np.sqrt(shape))
        y = _grid(-80.0, np.log(shape + 10.0 * np.sqrt(shape) + 50.0), step)
        density = np.exp(shape * y - np.exp(y) - gammaln(shape)) * step
        drift = float(model.drift_correction(years))
        clock = model.nu * np.exp(y)
        given = _puts(drift + model.theta * clock, model.sigma**2 * clock, strike)
        # The clock may be zero with any probability; this part is exact.
        still = np.maximum(strike - np.exp(drift), 0.0)
        return still + (given - still[:, None]) @ density

    return _by_parity(contracts, puts)


def nig(model: Any, contracts: Contracts) -> np.ndarray:
    """Condition on the inverse Gaussian clock."""

    def puts(years: float, strike: np.ndarray) -> np.ndarray:
        scale = model.delta * years
        root = np.sqrt((model.alpha - model.beta) * (model.alpha + model.beta))
        peak = scale * root
        width = np.arccosh(1.0 + 45.0 / peak)
        # Skewed by exp(−y/2), which matters for wide peaks.
        step = min(_STEP, 0.2 / np.sqrt(peak))
        y = _grid(-width, width + 1.0, step)
        density = np.exp(-peak * (np.cosh(y) - 1.0) - 0.5 * y) * step
        density *= np.sqrt(peak / (2.0 * np.pi))
        clock = scale / root * np.exp(y)
        drift = float(model.drift_correction(years))
        return _puts(drift + model.beta * clock, clock, strike) @ density

    return _by_parity(contracts, puts)


def merton(model: Any, contracts: Contracts) -> np.ndarray:
    """Condition on the number of jumps."""

    def puts(years: float, strike: np.ndarray) -> np.ndarray:
        n = np.arange(400)
        intensity = model.lam * years
        weight = np.exp(n * np.log(intensity) - intensity - gammaln(n + 1.0))
        drift = float(model.drift_correction(years))
        variance = model.sigma**2 * years + n * model.sigma_j**2
        return _puts(drift + n * model.mu_j, variance, strike) @ weight

    return _by_parity(contracts, puts)


def _grid(low: float, high: float, step: float) -> np.ndarray:
    """Return points that are equidistant to the last digit, unlike NumPy's arange."""
    return low + step * np.arange(int((high - low) / step) + 1)


def _puts(mean: np.ndarray, variance: np.ndarray, strike: np.ndarray) -> np.ndarray:
    """E[(K − exp(mean + √variance·Z))⁺], shape (n_strikes, n)."""
    deviation = np.sqrt(variance)
    distance = (np.log(strike)[:, None] - mean) / deviation
    asset = np.exp(mean + 0.5 * variance + log_ndtr(distance - deviation))
    return np.asarray(strike[:, None] * np.exp(log_ndtr(distance)) - asset)


def _by_parity(contracts: Contracts, puts: Puts) -> np.ndarray:
    c = contracts
    value = np.empty(c.size)
    for years in np.unique(c.maturity_years):
        at = c.maturity_years == years
        value[at] = c.forward[at] * puts(float(years), np.exp(-c.log_moneyness[at]))
    return c.discount * (value + np.where(c.is_call, c.forward - c.strike, 0.0))


CLOSED_FORMS: dict[str, Callable[[Model, Contracts], np.ndarray]] = {
    "VarianceGamma": variance_gamma,
    "NIG": nig,
    "Merton": merton,
}
