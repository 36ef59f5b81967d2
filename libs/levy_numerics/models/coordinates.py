"""Coordinates of models that are known by a variance and a strip.

Variance Gamma, CGMY, NIG and Meixner differ in how they fill the same three facts: the annual
variance v and the ends of the strip −λ₋ < Im u < λ₊. Least squares in (log v, log λ₊,
log(λ₋ − 1)) is far better conditioned than in the papers' parameters, and λ₋ > 1, the
condition for the forward to exist, holds by construction.
"""

from typing import Any, Final

from levy_numerics.special import array_namespace

LOW: Final = (-11.5, -9.0, -9.0)
"""v of 1e-5 (a volatility of 0.3%), λ₊ and λ₋ − 1 of 1e-4."""
HIGH: Final = (3.2, 10.0, 10.0)
"""v of 25, λ₊ and λ₋ − 1 of 22,000, where the model is Gaussian to eight digits."""


def variance_and_strip(z: Any) -> tuple[Any, Any, Any]:
    """(v, λ₋, λ₊) at coordinates `z`, shape (3 or more, …)."""
    xp = array_namespace(z)
    return xp.exp(z[0]), 1.0 + xp.exp(z[2]), xp.exp(z[1])


def coordinates(variance: Any, low: Any, high: Any) -> Any:
    """Inverse of `variance_and_strip`; shape (3, …)."""
    xp = array_namespace(variance, low, high)
    return xp.stack([xp.log(variance), xp.log(high), xp.log(low - 1.0)])


def split(z: Any) -> tuple[Any, Any]:
    """Two shares of one, (1/(1 + e⁻ᶻ), 1/(1 + eᶻ)), each without cancellation."""
    xp = array_namespace(z)
    return 1.0 / (1.0 + xp.exp(-z)), 1.0 / (1.0 + xp.exp(z))
