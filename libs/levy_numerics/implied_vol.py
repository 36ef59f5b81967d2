"""Implied volatility of whole surfaces at once, to the precision that prices allow.

The root of ln b(x, s) = ln β in the total volatility s is approached from a lower bound of it
(Choi, Huh and Su) by Householder's method of order five, for which the derivatives of ln b cost no
further special function. Two steps leave nothing but rounding, wherever the price lies.

Maps to the papers: x = −|ln(F/K)|, c = price of the out-of-the-money option in units of
D·min(F, K), β = c·exp(x/2), r = b/b′.

References
----------
Choi, Huh and Su (2025), Tighter uniform bounds for Black-Scholes implied volatility and the
applications to root-finding, Operations Research Letters, arXiv:2302.08758, cor. 5.2 and sec. 3.
Jäckel (2017), Let's be rational, Wilmott 2015(75), 40-53.
Householder (1970), The numerical treatment of a single nonlinear equation, sec. 4.4.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtri

from levy_numerics.black import SQRT_TWO_PI, log_moneyness, price_over_vega
from levy_numerics.errors import ArbitrageError, InvalidInputError

OK: Final = "ok"
BELOW_INTRINSIC: Final = "below_intrinsic"
ABOVE_MAXIMUM: Final = "above_maximum"
NOT_A_NUMBER: Final = "not_a_number"

LOG_SQRT_TWO_PI: Final = math.log(SQRT_TWO_PI)
ROUNDING: Final = 4.0 * np.finfo(float).eps
"""A price this close to intrinsic, relative to D·max(F, K), is intrinsic but for rounding."""
STEPS: Final = 2
"""The bound is within 36% of the root everywhere, one step within 0.2%, the second exact."""
LOWEST_X: Final = -700.0
"""exp(−x) is finite above it."""
_SHOWN: Final = 5


@dataclass(frozen=True)
class ImpliedVols:
    """Volatilities where there are any, and why not elsewhere.

    Attributes
    ----------
    vol : ndarray
        Annual; NaN where `status` is not "ok".
    status : ndarray of str, shape of `vol`
        "ok", "below_intrinsic", "above_maximum" or "not_a_number".
    """

    vol: np.ndarray
    status: np.ndarray

    @property
    def ok(self) -> np.ndarray:
        """Where a volatility was found; boolean, shape of `vol`."""
        return np.asarray(self.status == OK)


def implied_vol(
    price: Any, *, forward: Any, strike: Any, maturity_years: Any, discount: Any, is_call: Any
) -> np.ndarray:
    """Black volatility that reproduces a price.

    Parameters
    ----------
    price : array_like
        Present value, in the currency of `strike`.
    forward, strike : array_like
        Positive; broadcast against `price`, as do the others.
    maturity_years, discount : array_like
        Years, and present value of one at maturity; positive.
    is_call : array_like of bool

    Returns
    -------
    ndarray, of the arguments' broadcast shape
        Annual volatility; NaN never: see `Raises`. Zero where the price is the intrinsic value.
        Its relative error is about ten roundings, times the price's condition number
        c/(s ∂c/∂s) where that is above one.

    Raises
    ------
    ArbitrageError
        A price lies outside its no-arbitrage interval; carries the (flat) indices.
    InvalidInputError
        Forward, strike, maturity or discount is not positive and finite.

    References
    ----------
    Choi, Huh and Su (2025), arXiv:2302.08758, cor. 5.2 (start); Householder (1970), sec. 4.4.

    Examples
    --------
    >>> vol = implied_vol(
    ...     [7.965567455405804, 1e-300],
    ...     forward=100.0, strike=[100.0, 700.0], maturity_years=1.0, discount=1.0, is_call=True,
    ... )
    >>> [round(float(v), 12) for v in vol]
    [0.2, 0.052562860092]
    """
    found = implied_vol_or_reason(
        price,
        forward=forward,
        strike=strike,
        maturity_years=maturity_years,
        discount=discount,
        is_call=is_call,
    )
    bad = np.flatnonzero(~found.ok)
    if bad.size:
        shown = ", ".join(f"{found.status.flat[i]} at {i}" for i in bad[:_SHOWN])
        raise ArbitrageError(
            f"{bad.size} of {found.vol.size} prices have no implied volatility ({shown}); drop "
            "them or correct forward and discount",
            bad.tolist(),
        )
    return found.vol


def implied_vol_or_reason(
    price: Any, *, forward: Any, strike: Any, maturity_years: Any, discount: Any, is_call: Any
) -> ImpliedVols:
    """As `implied_vol`, but a quote without a volatility says why and does not sink the others.

    Raises
    ------
    InvalidInputError
        Forward, strike, maturity or discount is not positive and finite.
    """
    p, f, k, years, d, call = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (price, forward, strike, maturity_years, discount)),
        np.asarray(is_call, dtype=bool),
    )
    for name, array in (("forward", f), ("strike", k), ("maturity_years", years), ("discount", d)):
        if not np.all((array > 0.0) & (array < np.inf)):
            raise InvalidInputError(f"{name} must be finite and positive", field=name)
    undiscounted = p / d
    time_value = undiscounted - np.maximum(np.where(call, f - k, k - f), 0.0)
    smaller = np.minimum(f, k)
    status = _status(undiscounted, time_value, smaller, np.maximum(f, k))
    solvable = np.flatnonzero((status == OK) & (time_value > 0.0))
    vol = np.where(status == OK, 0.0, np.nan)
    x = -np.abs(log_moneyness(f.flat[solvable], k.flat[solvable]))
    c = time_value.flat[solvable] / smaller.flat[solvable]
    vol.flat[solvable] = _total_vol(x, c) / np.sqrt(years.flat[solvable])
    return ImpliedVols(vol, status)


def _status(
    undiscounted: np.ndarray, time_value: np.ndarray, smaller: np.ndarray, larger: np.ndarray
) -> np.ndarray:
    """Why a price has no volatility, or "ok"."""
    below = ~(time_value >= -ROUNDING * larger)
    above = ~(time_value < smaller)
    if not (below.any() or above.any()):
        return np.full(time_value.shape, OK)
    reasons = [~np.isfinite(undiscounted), below, above]
    return np.select(reasons, [NOT_A_NUMBER, BELOW_INTRINSIC, ABOVE_MAXIMUM], OK)


def _total_vol(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """s for which the out-of-the-money price is c, 0 < c < 1; arrays of shape (n,)."""
    target = np.log(c) + 0.5 * x + LOG_SQRT_TWO_PI
    s = _lower_bound(x, c)
    for _ in range(STEPS):
        s = _householder(x, s, target)
    return s


def _lower_bound(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Choi, Huh and Su's L₃: s at which d₁ is that of a bound of the option's delta.

    The at-the-money bound c ≤ s/√(2π), valid for every x, helps where c is lost against one.
    """
    rise = np.expm1(-np.maximum(x, LOWEST_X))
    scale = 1.0 / (2.0 * c + rise)
    delta, complement = c * (c + 1.0 + rise) * scale, (1.0 - c) * (rise + c) * scale
    d1 = np.copysign(ndtri(np.minimum(delta, complement)), delta - complement)
    root = np.sqrt(d1 * d1 - 2.0 * x)
    s = np.where(d1 > 0.0, root + d1, -2.0 * x / np.where(d1 > 0.0, 1.0, root - d1))
    return np.asarray(np.maximum(s, SQRT_TWO_PI * c))


def _householder(x: np.ndarray, s: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.asarray(householder_step(x, s, target, price_over_vega(x / s, 0.5 * s)))


def householder_step(x: Any, s: Any, target: Any, r: Any) -> Any:
    """One step of order five on f = ln b + ln √(2π) − target.

    With F = f′ = 1/r: F′ = F·e, e = q − F, where q = b″/b′ = x²/s³ − s/4; higher derivatives follow
    by the product rule. The step is ν C₃/C₄ with ν = −f/f′ and Cⱼ the coefficients of −ν/f.

    Parameters
    ----------
    x, s, target, r : ndarrays of one shape, or numbers
        −|ln(F/K)|; the total volatility to step from; ln b sought, plus ln √(2π); `price_over_vega`
        at s.
    """
    h, t = x / s, 0.5 * s
    slope = 1.0 / r
    newton = (target + 0.5 * (h * h + t * t) - np.log(r)) * r
    h2_by_s = h * h / s
    h2_by_s2 = h2_by_s / s
    e = h2_by_s - 0.5 * t - slope
    e_prime = -3.0 * h2_by_s2 - 0.25 - slope * e
    third = e * e + e_prime
    e_second = 12.0 * h2_by_s2 / s - slope * third
    a2 = 0.5 * e * newton
    newton2 = newton * newton
    a3 = third * newton2 / 6.0
    a4 = (e * (third + 2.0 * e_prime) + e_second) * newton2 * newton / 24.0
    c2 = 1.0 + a2
    c3 = c2 + a2 + a3
    c4 = c3 + a2 * c2 + a3 + a4
    return s + newton * c3 / c4
