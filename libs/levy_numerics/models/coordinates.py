"""Coordinates of models that a variance and a strip determine.

Variance Gamma, CGMY, NIG and Meixner have in common the annual variance v and the ends of the strip
−λ₋ < Im u < λ₊. Least squares in (log v, log λ₊, log(λ₋ − 1)) is far better conditioned than in the
papers' parameters, and λ₋ > 1, the condition for a finite E[S_T], holds by construction.
"""

from typing import Any, Final

from levy_numerics.special import array_namespace

# v = 1e-5 (a volatility of 0.3%), λ₊ and λ₋ − 1 = 1e-4.
LOW: Final = (-11.5, -9.0, -9.0)
# v = 25, λ₊ and λ₋ − 1 = 22,000, at which the model is Gaussian to eight digits.
HIGH: Final = (3.2, 10.0, 10.0)


def variance_and_strip(z: Any) -> tuple[Any, Any, Any]:
    """Return (v, λ₋, λ₊) at coordinates `z`, shape (3 or more, …)."""
    xp = array_namespace(z)
    return xp.exp(z[0]), 1.0 + xp.exp(z[2]), xp.exp(z[1])


def coordinates(variance: Any, low: Any, high: Any) -> Any:
    """Return the inverse of `variance_and_strip`, shape (3, …)."""
    xp = array_namespace(variance, low, high)
    return xp.stack([xp.log(variance), xp.log(high), xp.log(low - 1.0)])


def split(z: Any) -> tuple[Any, Any]:
    """Return (1/(1 + e⁻ᶻ), 1/(1 + eᶻ)), two shares that add up to 1, without cancellation."""
    xp = array_namespace(z)
    return 1.0 / (1.0 + xp.exp(-z)), 1.0 / (1.0 + xp.exp(z))
