"""Implied volatilities of one surface after another, compiled by Numba.

The bound and the steps of `implied_vol`, quote by quote. There, a few hundred quotes cost little
more than one: most of the time goes to setting out for a hundred array operations.

References
----------
Cody (1969), Rational Chebyshev approximations for the error function, Mathematics of Computation
23, 631-637, for the scaled complementary error function, with the coefficients of his CALERF in
SPECFUN. Wichura (1988), Algorithm AS 241: the percentage points of the normal distribution, Applied
Statistics 37(3), 477-484, routine PPND7.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.black import (
    LOWEST_H,
    SERIES_BELOW,
    SERIES_TERMS,
    SQRT_HALF,
    SQRT_HALF_PI,
    SQRT_TWO_PI,
)
from levy_numerics.implied_vol import (
    LOG_SQRT_TWO_PI,
    LOWEST_X,
    ROUNDING,
    STEPS,
    householder_step,
)
from levy_numerics.jit import compiled, compiled_in_order
from levy_numerics.market import Contracts

_NEAR, _FAR = 0.46875, 4.0
"""Cody's three ranges: numerators and denominators of each, the highest power first."""
_NEAR_TOP: Final = (
    *(1.85777706184603153e-1, 3.16112374387056560e00, 1.13864154151050156e02),
    *(3.77485237685302021e02, 3.20937758913846947e03),
)
_NEAR_BOTTOM: Final = (
    *(1.0, 2.36012909523441209e01, 2.44024637934444173e02),
    *(1.28261652607737228e03, 2.84423683343917062e03),
)
_TOP: Final = (
    *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e00),
    *(6.61191906371416295e01, 2.98635138197400131e02, 8.81952221241769090e02),
    *(1.71204761263407058e03, 2.05107837782607147e03, 1.23033935479799725e03),
)
_BOTTOM: Final = (
    *(1.0, 1.57449261107098347e01, 1.17693950891312499e02),
    *(5.37181101862009858e02, 1.62138957456669019e03, 3.29079923573345963e03),
    *(4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03),
)
_FAR_TOP: Final = (
    *(1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1),
    *(1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
)
_FAR_BOTTOM: Final = (
    *(1.0, 2.56852019228982242e00, 1.87295284992346047e00),
    *(5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)
_SPLITTER: Final = 134217729.0
_ROOT_PI: Final = math.sqrt(math.pi)
_Numbers = tuple[float, ...]
_householder_step: Final = compiled(householder_step)


def vols_of_prices(prices: np.ndarray, contracts: Contracts) -> np.ndarray:
    """Black volatilities of several prices for each contract.

    Parameters
    ----------
    prices : ndarray, shape (…, n)
        Present values, currency.
    contracts : Contracts
        n of them.

    Returns
    -------
    ndarray, shape (…, n)
        Annual volatilities; zero at intrinsic value, NaN where there is none.
    """
    c = contracts
    found = np.empty(prices.shape)
    for row, into in zip(prices.reshape(-1, c.size), found.reshape(-1, c.size), strict=True):
        _fill(row, c.forward, c.strike, c.maturity_years, c.discount, c.is_call, into)
    return found


def vols_out_of_the_money(
    price: np.ndarray, log_strike: np.ndarray, maturity_years: np.ndarray
) -> np.ndarray:
    """Black volatilities of out-of-the-money options in forward units, D = F = 1.

    Parameters
    ----------
    price, log_strike, maturity_years : ndarray
        Prices, ln(K/F), and years; of one shape.

    Returns
    -------
    ndarray, of that shape
        Annual volatilities; zero at a price of zero, NaN where there is none.
    """
    found = np.empty(price.shape)
    _fill_out_of_the_money(
        price.reshape(-1), log_strike.reshape(-1), maturity_years.reshape(-1), found.reshape(-1)
    )
    return found


@compiled
def _fill_out_of_the_money(
    price: np.ndarray, log_strike: np.ndarray, years: np.ndarray, found: np.ndarray
) -> None:
    for i in range(len(found)):
        found[i] = _vol(price[i], -abs(log_strike[i]), math.exp(min(log_strike[i], 0.0)), years[i])


@compiled
def _fill(
    price: np.ndarray,
    forward: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    discount: np.ndarray,
    is_call: np.ndarray,
    found: np.ndarray,
) -> None:
    for i in range(len(found)):
        signed = forward[i] - strike[i] if is_call[i] else strike[i] - forward[i]
        time_value = price[i] / discount[i] - max(signed, 0.0)
        if -ROUNDING * max(forward[i], strike[i]) <= time_value < 0.0:
            time_value = 0.0
        x = -abs(_log_moneyness(forward[i], strike[i]))
        found[i] = _vol(time_value, x, min(forward[i], strike[i]), years[i])


@compiled
def _vol(time_value: float, x: float, smaller: float, years: float) -> float:
    """Volatility of an out-of-the-money price, not discounted; NaN where there is none.

    `x` is −|ln(F/K)|, `smaller` the lesser of F and K.
    """
    if not 0.0 <= time_value < smaller:
        return np.nan
    if time_value == 0.0:
        return 0.0
    c = time_value / smaller
    target = math.log(c) + 0.5 * x + LOG_SQRT_TWO_PI
    s = _lower_bound(x, c)
    for _ in range(STEPS):
        s = _householder_step(x, s, target, _price_over_vega(max(x / s, LOWEST_H), 0.5 * s))
    return s / math.sqrt(years)


@compiled
def _log_moneyness(forward: float, strike: float) -> float:
    relative = (forward - strike) / strike
    return math.log1p(relative) if abs(relative) < 0.5 else math.log(forward / strike)


@compiled
def _lower_bound(x: float, c: float) -> float:
    """Choi, Huh and Su's L₃; see `implied_vol`."""
    rise = math.expm1(-max(x, LOWEST_X))
    scale = 1.0 / (2.0 * c + rise)
    delta, complement = c * (c + 1.0 + rise) * scale, (1.0 - c) * (rise + c) * scale
    d1 = math.copysign(_normal_quantile(min(delta, complement)), delta - complement)
    root = math.sqrt(d1 * d1 - 2.0 * x)
    s = root + d1 if d1 > 0.0 else -2.0 * x / (root - d1)
    return max(s, SQRT_TWO_PI * c)


@compiled
def _price_over_vega(h: float, t: float) -> float:
    """R(h + t) − R(h − t), for h ≤ 0 and t > 0; see `black.price_over_vega`."""
    if 2.0 * t * (1.0 - h) >= SERIES_BELOW:
        low, half = -SQRT_HALF * h, SQRT_HALF * t
        return SQRT_HALF_PI * (_erfcx(low - half) - _erfcx(low + half))
    t2, h2t2 = t * t, (h * t) ** 2
    term = 1.0 + h * SQRT_HALF_PI * _erfcx(-SQRT_HALF * h)
    total, subtracted = term, t2
    for k in range(1, 2 * SERIES_TERMS - 1, 2):
        following = ((h2t2 + (2 * k + 1) * t2) * term - subtracted) / ((k + 1) * (k + 2))
        subtracted = t2 * t2 * term
        term = following
        total += term
    return 2.0 * t * total


@compiled
def _erfcx(x: float) -> float:
    """exp(x²)·erfc(x), to a few roundings."""
    size = abs(x)
    if size <= _NEAR:
        square = size * size
        erf = size * _ratio(square, _NEAR_TOP, _NEAR_BOTTOM)
        scaled = _exp_of_square(size) * (1.0 - erf)
    elif size <= _FAR:
        scaled = _ratio(size, _TOP, _BOTTOM)
    else:
        inverse = 1.0 / (size * size)
        scaled = (1.0 / _ROOT_PI - inverse * _ratio(inverse, _FAR_TOP, _FAR_BOTTOM)) / size
    return scaled if x >= 0.0 else 2.0 * _exp_of_square(size) - scaled


@compiled
def _ratio(x: float, top: _Numbers, bottom: _Numbers) -> float:
    """Of two polynomials of the same degree, told from the highest power down."""
    numerator, denominator = top[0], bottom[0]
    for k in range(1, len(top)):
        numerator = numerator * x + top[k]
        denominator = denominator * x + bottom[k]
    return numerator / denominator


@compiled_in_order  # which is what makes the square exact
def _exp_of_square(x: float) -> float:
    """exp(x²), with the rounding of the square put right."""
    square = x * x
    high = _SPLITTER * x - (_SPLITTER * x - x)
    low = x - high
    return math.exp(square) * (1.0 + (high * high - square + 2.0 * high * low + low * low))


@compiled
def _normal_quantile(p: float) -> float:
    """z with Φ(z) = p for 0 < p ≤ 1/2, to seven digits: enough to start from."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * top / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = math.sqrt(-math.log(p))
    if r <= 5.0:
        r -= 1.6
        top = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        return -top / ((0.12021132975 * r + 0.73700164250) * r + 1.0)
    r -= 5.0
    top = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
    return -top / ((0.012258202635 * r + 0.24197894225) * r + 1.0)
