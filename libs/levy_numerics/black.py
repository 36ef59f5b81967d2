"""Black's formula, to full relative precision also far out of the money.

All functions use the normalised out-of-the-money price of Jäckel,

    b(x, s) = exp(x/2) Φ(x/s + s/2) − exp(−x/2) Φ(x/s − s/2),   x = −|ln(F/K)|,  s = σ√T,

in the form b = b′·r, where b′ = ∂b/∂s = exp(−(h² + t²)/2)/√(2π), h = x/s, t = s/2, and

    r = R(h + t) − R(h − t),   R(z) = Φ(z)/φ(z) = √(π/2) erfcx(−z/√2),

neither underflows nor cancels except where s + |x| is small; there its Taylor series is used.

References
----------
Black (1976), Journal of Financial Economics 3(1-2), 167-179.
Jäckel (2017), Let's be rational, Wilmott 2015(75), 40-53.
"""

import math
from typing import Any, Final

import numpy as np
from scipy.special import erfcx, ndtr

from levy_numerics.errors import InvalidInputError

SQRT_HALF: Final = math.sqrt(0.5)
SQRT_HALF_PI: Final = math.sqrt(0.5 * math.pi)
SQRT_TWO_PI: Final = math.sqrt(2.0 * math.pi)

# The difference of two R loses a factor 1/(s + |x|) of precision; below this value of s + |x| the
# Taylor series is used.
SERIES_BELOW: Final = 0.35
# The eighth term is below 2e-17 of the first for s < 0.35.
SERIES_TERMS: Final = 7
# Outside this range a price equals its intrinsic value, or its upper bound, in double precision.
TOTAL_VOL: Final = (1e-200, 70.0)
# exp(−h²/2) underflows to zero below h = −38.6.
LOWEST_H: Final = -50.0
# If t exceeds it and h + t > 0, the textbook formula is more precise.
_DIRECT_ABOVE: Final = 1.0


def black_price(
    *,
    forward: Any,
    strike: Any,
    maturity_years: Any,
    discount: Any,
    vol: Any,
    is_call: Any,
) -> np.ndarray:
    """Return the present value of European options: D·(F Φ(d₁) − K Φ(d₂)) for a call.

    Parameters
    ----------
    forward, strike : array_like
        Currency, positive.
    maturity_years, discount : array_like
        Years, and present value of one at maturity.
    vol : array_like
        Annual volatility, not negative.
    is_call : array_like of bool

    Returns
    -------
    ndarray, of the arguments' broadcast shape
        Out of the money the relative error is below 40 roundings times 1 + h² (h as in the module
        docstring), the condition number of the price; in the money the intrinsic value is added.

    Raises
    ------
    InvalidInputError
        A volatility is negative or not a number.

    References
    ----------
    Black (1976), Journal of Financial Economics 3(1-2), 167-179, eq. (16).

    Examples
    --------
    >>> price = black_price(
    ...     forward=100.0, strike=100.0, maturity_years=1.0, discount=1.0, vol=0.2, is_call=True
    ... )
    >>> round(float(price), 6)
    7.965567
    """
    f, k, d, call = (np.asarray(a) for a in (forward, strike, discount, is_call))
    x = -np.abs(log_moneyness(f, k))
    s = _checked(vol) * np.sqrt(maturity_years)
    in_the_money = np.maximum(np.where(call, f - k, k - f), 0.0)
    return np.asarray(d * (in_the_money + np.sqrt(f) * np.sqrt(k) * normalised_price(x, s)))


def black_vega(
    *, forward: Any, strike: Any, maturity_years: Any, discount: Any, vol: Any
) -> np.ndarray:
    """Return the derivative of `black_price` in the volatility, D·F·φ(d₁)·√T.

    Parameters
    ----------
    forward, strike : array_like
        Currency, positive.
    maturity_years, discount : array_like
        Years, and present value of one at maturity.
    vol : array_like
        Annual volatility, not negative.

    Returns
    -------
    ndarray, of the arguments' broadcast shape
        Currency per unit of annual volatility.

    Raises
    ------
    InvalidInputError
        A volatility is negative or not a number.

    Examples
    --------
    >>> vega = black_vega(forward=100.0, strike=100.0, maturity_years=1.0, discount=1.0, vol=0.2)
    >>> round(float(vega), 6)
    39.695255
    """
    root_years = np.sqrt(maturity_years)
    x, total_vol = -np.abs(log_moneyness(forward, strike)), _checked(vol) * root_years
    scale = np.sqrt(forward) * np.sqrt(strike) * np.asarray(discount)
    return np.asarray(scale * root_years * normalised_vega(x, total_vol))


def log_moneyness(forward: Any, strike: Any) -> np.ndarray:
    """Return ln(F/K), with full relative precision also if F is close to K.

    Examples
    --------
    >>> float(log_moneyness(1.0 + 2.0**-40, 1.0)) == 2.0**-40 - 2.0**-81
    True
    """
    relative = (np.asarray(forward) - strike) / strike
    close = np.abs(relative) < 0.5
    return np.where(
        close, np.log1p(np.where(close, relative, 0.0)), np.log(np.asarray(forward) / strike)
    )


def normalised_price(x: Any, total_vol: Any) -> np.ndarray:
    """Return b(x, s), the price of the out-of-the-money option in units of D√(FK).

    Parameters
    ----------
    x : array_like
        −|ln(F/K)|.
    total_vol : array_like
        s = σ√T ≥ 0; infinity gives the upper bound exp(x/2).
    """
    x, s = np.broadcast_arrays(x, np.clip(total_vol, *TOTAL_VOL))
    h, t = _h_and_t(x, s)
    price = np.asarray(_vega(h, t) * price_over_vega(h, t))
    direct = np.flatnonzero((t > _DIRECT_ABOVE) & (h + t > 0.0))
    if direct.size:
        h, t, root = h.flat[direct], t.flat[direct], np.exp(0.5 * x.flat[direct])
        price.flat[direct] = root * ndtr(h + t) - ndtr(h - t) / root
    return price


def normalised_vega(x: Any, total_vol: Any) -> np.ndarray:
    """Return b′(x, s) = ∂b/∂s, in units of D√(FK).

    Parameters
    ----------
    x : array_like
        −|ln(F/K)|.
    total_vol : array_like
        s = σ√T ≥ 0, broadcast against x.
    """
    return _vega(*_h_and_t(x, total_vol))


def _vega(h: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * (h * h + t * t)) / SQRT_TWO_PI)


def price_over_vega(h: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return r = b/b′ = R(h + t) − R(h − t), for h ≤ 0 and t > 0, arrays of one shape."""
    low, half = -SQRT_HALF * h, SQRT_HALF * t
    ratio = np.asarray(SQRT_HALF_PI * (erfcx(low - half) - erfcx(low + half)))
    small = np.flatnonzero(2.0 * t * (1.0 - h) < SERIES_BELOW)
    if small.size:
        ratio.flat[small] = _series(h.flat[small], t.flat[small])
    return ratio


def _checked(vol: Any) -> np.ndarray:
    array = np.asarray(vol, dtype=float)
    bad = np.flatnonzero(~(array >= 0.0))
    if bad.size:
        raise InvalidInputError(
            f"vol[{bad[0]}] = {array.flat[bad[0]]:g} must be a number and not negative",
            field="vol",
            indices=bad.tolist(),
        )
    return array


def _h_and_t(x: Any, total_vol: Any) -> tuple[np.ndarray, np.ndarray]:
    s = np.clip(total_vol, *TOTAL_VOL)
    return np.maximum(x / s, LOWEST_H), 0.5 * s


def _series(h: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return r by the Taylor series 2 Σ R⁽ᵏ⁾(h) tᵏ/k! over odd k.

    R′ = 1 + zR gives R⁽ᵏ⁺²⁾ = (h² + 2k + 1) R⁽ᵏ⁾ − k(k−1) R⁽ᵏ⁻²⁾, with 1 for the last product
    where k = 1; terms are scaled by tᵏ⁻¹/k!.
    """
    t2, h2t2 = t * t, (h * t) ** 2
    term = 1.0 + h * SQRT_HALF_PI * erfcx(-SQRT_HALF * h)
    total, subtracted = term, t2
    for k in range(1, 2 * SERIES_TERMS - 1, 2):
        following = ((h2t2 + (2 * k + 1) * t2) * term - subtracted) / ((k + 1) * (k + 2))
        subtracted = t2 * t2 * term
        term = following
        total = total + term
    return np.asarray(2.0 * t * total)
