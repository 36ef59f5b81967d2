"""Implied volatility to the precision of the prices, compiled by Numba.

The equation ln b(x, s) = ln β is solved for the total volatility s. The initial guess is the lower
bound of Choi, Huh and Su; two steps of Householder's method of order five leave only rounding error
for every price. Higher derivatives of ln b need no further special function.

Notation of the papers: x = −|ln(F/K)|, c = price of the out-of-the-money option in units of
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

from levy_numerics.black import (
    LOWEST_H,
    SERIES_BELOW,
    SERIES_TERMS,
    SQRT_HALF,
    SQRT_HALF_PI,
    SQRT_TWO_PI,
    TOTAL_VOL,
    black_price,
    black_vega,
)
from levy_numerics.errors import ArbitrageError, InvalidInputError
from levy_numerics.jit import compiled, compiled_without_lock
from levy_numerics.market import Contracts
from levy_numerics.special_scalar import erfcx, normal_quantile

STATUSES: Final = ("ok", "below_intrinsic", "above_maximum", "not_a_number", "undetermined")
# Compiled code writes these codes, the positions in `STATUSES`.
OK, BELOW_INTRINSIC, ABOVE_MAXIMUM, NOT_A_NUMBER, UNDETERMINED = range(len(STATUSES))
# A volatility is undetermined if the error of its price moves it by more than this fraction.
MAX_RELATIVE_UNCERTAINTY: Final = 0.01

_LOG_SQRT_TWO_PI: Final = math.log(SQRT_TWO_PI)
# Prices closer to intrinsic value than this, relative to D·max(F, K), differ by rounding only.
_ROUNDING: Final = 4.0 * float(np.finfo(float).eps)
# The bound is within 36% of the root everywhere; one step is within 0.2%, and the second exact.
_STEPS: Final = 2
# exp(−x) overflows just below this x.
_LOWEST_X: Final = -700.0
_N_PRICES_IN_MESSAGE: Final = 5


@dataclass(frozen=True)
class ImpliedVols:
    """Volatilities, with the reason where there is none.

    Attributes
    ----------
    vol : ndarray
        Annual; NaN where `status` is not "ok".
    status : ndarray of str, shape of `vol`
        "ok", "below_intrinsic", "above_maximum", "not_a_number" or "undetermined".
    """

    vol: np.ndarray
    status: np.ndarray

    @property
    def ok(self) -> np.ndarray:
        """Whether a volatility exists, shape of `vol`."""
        return np.asarray(self.status == STATUSES[OK])


def implied_vol(
    price: Any, *, forward: Any, strike: Any, maturity_years: Any, discount: Any, is_call: Any
) -> np.ndarray:
    """Return the Black volatility that reproduces each price.

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
        Annual volatility, never NaN: see `Raises`. Zero if the price is the intrinsic value. The
        relative error is about ten roundings, times the condition number of the price,
        c/(s ∂c/∂s), if that exceeds one.

    Raises
    ------
    ArbitrageError
        A price lies outside its no-arbitrage interval; `indices` are those of the flattened array.
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
    result = implied_vol_or_reason(
        price,
        forward=forward,
        strike=strike,
        maturity_years=maturity_years,
        discount=discount,
        is_call=is_call,
    )
    bad = np.flatnonzero(~result.ok)
    if bad.size:
        reasons = ", ".join(f"{result.status.flat[i]} at {i}" for i in bad[:_N_PRICES_IN_MESSAGE])
        raise ArbitrageError(
            f"{bad.size} of {result.vol.size} prices have no implied volatility ({reasons}); drop "
            "them or correct forward and discount",
            bad.tolist(),
        )
    return result.vol


def implied_vol_or_reason(
    price: Any,
    *,
    forward: Any,
    strike: Any,
    maturity_years: Any,
    discount: Any,
    is_call: Any,
    price_error: Any = 0.0,
) -> ImpliedVols:
    """Return Black volatilities, with a status for each quote instead of an exception.

    Parameters
    ----------
    price, forward, strike, maturity_years, discount, is_call : array_like
        As for `implied_vol`.
    price_error : array_like
        Bound of the absolute error of `price`, in its currency. If it moves the volatility by more
        than 1% (`MAX_RELATIVE_UNCERTAINTY`) or is not a number, the status is "undetermined".

    Raises
    ------
    InvalidInputError
        Forward, strike, maturity or discount is not positive and finite.
    """
    numbers = (price, price_error, forward, strike, maturity_years, discount)
    shape = np.broadcast_shapes(*(np.shape(a) for a in (*numbers, is_call)))
    # Broadcast arrays are read-only, and Numba would compile again for these: copy them.
    p, error, f, k, years, d = (
        np.array(np.broadcast_to(np.asarray(a, dtype=float), shape)).ravel() for a in numbers
    )
    call = np.array(np.broadcast_to(np.asarray(is_call, dtype=bool), shape)).ravel()
    for name, array in (("forward", f), ("strike", k), ("maturity_years", years), ("discount", d)):
        if not np.all((array > 0.0) & (array < np.inf)):
            raise InvalidInputError(f"{name} must be finite and positive", field=name)
    vol, code = np.empty(p.size), np.empty(p.size, dtype=np.int8)
    _fill(p, error, f, k, years, d, call, vol, code)
    return ImpliedVols(vol.reshape(shape), np.array(STATUSES)[code].reshape(shape))


def vols_of_prices(
    prices: np.ndarray, contracts: Contracts, errors: np.ndarray | None = None
) -> np.ndarray:
    """Return the Black volatilities of several rows of prices of the same contracts.

    Parameters
    ----------
    prices : ndarray, shape (…, n)
        Present values, currency.
    contracts : Contracts
        n of them.
    errors : ndarray, shape (…, n), optional
        Bounds of the absolute errors of `prices`; see `implied_vol_or_reason`.

    Returns
    -------
    ndarray, shape (…, n)
        Annual volatilities; zero at intrinsic value, NaN if there is none.
    """
    c = contracts
    vols, code = np.empty(prices.shape), np.empty(c.size, dtype=np.int8)
    rows = [a.reshape(-1, c.size) for a in (prices, _or_zeros(errors, prices), vols)]
    for price, error, vol in zip(*rows, strict=True):
        _fill(price, error, c.forward, c.strike, c.maturity_years, c.discount, c.is_call, vol, code)
    return vols


def black_prices(vols: np.ndarray, contracts: Contracts) -> np.ndarray:
    """Return Black's prices at volatilities, shape (…, n) both; see `black.black_price`."""
    c = contracts
    return black_price(
        forward=c.forward,
        strike=c.strike,
        maturity_years=c.maturity_years,
        discount=c.discount,
        vol=vols,
        is_call=c.is_call,
    )


def black_vegas(vols: np.ndarray, contracts: Contracts) -> np.ndarray:
    """Return Black's vegas at volatilities, shape (…, n) both; see `black.black_vega`."""
    c = contracts
    return black_vega(
        forward=c.forward,
        strike=c.strike,
        maturity_years=c.maturity_years,
        discount=c.discount,
        vol=vols,
    )


def _or_zeros(errors: np.ndarray | None, prices: np.ndarray) -> np.ndarray:
    return np.zeros(prices.shape) if errors is None else errors


def rounding_error(price: np.ndarray, contracts: Contracts) -> np.ndarray:
    """Return the rounding error of the time value of each price, in currency.

    In the money it scales with the intrinsic value, not with the time value.

    Parameters
    ----------
    price : ndarray, shape (…, n)
        Present values, currency.
    contracts : Contracts
        n of them.
    """
    c = contracts
    in_the_money = (c.forward > c.strike) == c.is_call
    larger = c.discount * np.maximum(c.forward, c.strike)
    return np.asarray(_ROUNDING * np.where(in_the_money, larger, np.abs(price)))


def vols_out_of_the_money(
    price: np.ndarray, log_strike: np.ndarray, maturity_years: np.ndarray
) -> np.ndarray:
    """Return the Black volatilities of out-of-the-money options in forward units, D = F = 1.

    Parameters
    ----------
    price, log_strike, maturity_years : ndarray
        Prices, ln(K/F), and years; of one shape.

    Returns
    -------
    ndarray, of that shape
        Annual volatilities; zero for a price of zero, NaN if there is none.
    """
    vols = np.empty(price.shape)
    _fill_out_of_the_money(
        price.reshape(-1), log_strike.reshape(-1), maturity_years.reshape(-1), vols.reshape(-1)
    )
    return vols


@compiled_without_lock
def _fill_out_of_the_money(
    price: np.ndarray, log_strike: np.ndarray, years: np.ndarray, vol: np.ndarray
) -> None:
    for i in range(len(vol)):
        x, smaller = -abs(log_strike[i]), math.exp(min(log_strike[i], 0.0))
        if price[i] == 0.0:
            vol[i] = 0.0
        elif 0.0 < price[i] < smaller:
            vol[i] = _total_vol(x, price[i] / smaller) / math.sqrt(years[i])
        else:
            vol[i] = np.nan


@compiled_without_lock
def _fill(
    price: np.ndarray,
    error: np.ndarray,
    forward: np.ndarray,
    strike: np.ndarray,
    years: np.ndarray,
    discount: np.ndarray,
    is_call: np.ndarray,
    vol: np.ndarray,
    code: np.ndarray,
) -> None:
    """Set the volatility and the status code of each price."""
    for i in range(len(vol)):
        vol[i], code[i] = vol_of_price(
            price[i], error[i], forward[i], strike[i], years[i], discount[i], is_call[i]
        )


@compiled
def vol_of_price(
    price: float,
    error: float,
    forward: float,
    strike: float,
    years: float,
    discount: float,
    is_call: bool,
) -> tuple[float, int]:
    """Return the Black volatility of one price, NaN where it has none, and the code of its status.

    For compiled callers; arguments as in `implied_vol_or_reason`.
    """
    signed = forward - strike if is_call else strike - forward
    smaller, larger = min(forward, strike), max(forward, strike)
    time_value = price / discount - max(signed, 0.0)
    if not abs(price) < np.inf:
        return np.nan, NOT_A_NUMBER
    if time_value < -_ROUNDING * larger:
        return np.nan, BELOW_INTRINSIC
    if time_value >= smaller:
        return np.nan, ABOVE_MAXIMUM
    if time_value <= 0.0:
        return (0.0, OK) if error == 0.0 else (np.nan, UNDETERMINED)
    x = -abs(_log_moneyness(forward, strike))
    s = _total_vol(x, time_value / smaller)
    share = error / (discount * time_value)
    if error != 0.0 and not _relative_uncertainty(x, s, share) <= MAX_RELATIVE_UNCERTAINTY:
        return np.nan, UNDETERMINED
    return s / math.sqrt(years), OK


@compiled
def vega_at(vol: float, forward: float, strike: float, years: float, discount: float) -> float:
    """Return the Black vega of one option, currency; see `black.black_vega`."""
    root_years = math.sqrt(years)
    s = min(max(vol * root_years, TOTAL_VOL[0]), TOTAL_VOL[1])
    h, t = max(-abs(_log_moneyness(forward, strike)) / s, LOWEST_H), 0.5 * s
    density = math.exp(-0.5 * (h * h + t * t)) / SQRT_TWO_PI
    return discount * math.sqrt(forward) * math.sqrt(strike) * root_years * density


@compiled
def _total_vol(x: float, c: float) -> float:
    """Return s for which the out-of-the-money price is c, 0 < c < 1."""
    target = math.log(c) + 0.5 * x + _LOG_SQRT_TWO_PI
    s = _lower_bound(x, c)
    for _ in range(_STEPS):
        s = _householder_step(x, s, target, _price_over_vega(max(x / s, LOWEST_H), 0.5 * s))
    return s


@compiled
def _relative_uncertainty(x: float, s: float, relative_error: float) -> float:
    """Return a bound of |Δs|/s for a price with a given bound of its relative error.

    ln b is concave in ln s, so the lower end, ln(1 − error) away, moves s by less than the slope
    s/r at s implies. If the error may be the whole time value, the bound is infinite.
    """
    if not relative_error < 1.0:
        return np.inf
    return -math.log1p(-relative_error) * _price_over_vega(max(x / s, LOWEST_H), 0.5 * s) / s


@compiled
def _log_moneyness(forward: float, strike: float) -> float:
    relative = (forward - strike) / strike
    return math.log1p(relative) if abs(relative) < 0.5 else math.log(forward / strike)


@compiled
def _lower_bound(x: float, c: float) -> float:
    """Return the lower bound L₃ of Choi, Huh and Su, from a bound of the option's delta."""
    relative = math.expm1(-max(x, _LOWEST_X))
    scale = 1.0 / (2.0 * c + relative)
    delta, complement = c * (c + 1.0 + relative) * scale, (1.0 - c) * (relative + c) * scale
    # The quantile of the smaller of delta and 1 − delta keeps the relative precision of both.
    d1 = math.copysign(normal_quantile(min(delta, complement)), delta - complement)
    root = math.sqrt(d1 * d1 - 2.0 * x)
    s = root + d1 if d1 > 0.0 else -2.0 * x / (root - d1)
    # The bound c ≤ s/√(2π) holds for every x, and is better if c is far below rounding of one.
    return max(s, SQRT_TWO_PI * c)


@compiled
def _householder_step(x: float, s: float, target: float, r: float) -> float:
    """Return the total volatility after one step of order five on f = ln b + ln √(2π) − target.

    With F = f′ = 1/r: F′ = F·e, e = q − F, where q = b″/b′ = x²/s³ − s/4; higher derivatives follow
    by the product rule. The step is ν C₃/C₄ with ν = −f/f′ and Cⱼ the coefficients of −ν/f.

    Parameters
    ----------
    x : float
        −|ln(F/K)|.
    s : float
        Total volatility before the step.
    target : float
        The right-hand side ln b, plus ln √(2π).
    r : float
        `price_over_vega` at s.
    """
    h, t = x / s, 0.5 * s
    slope = 1.0 / r
    newton = (target + 0.5 * (h * h + t * t) - math.log(r)) * r
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


@compiled
def _price_over_vega(h: float, t: float) -> float:
    """Return R(h + t) − R(h − t), for h ≤ 0 and t > 0; see `black.price_over_vega`."""
    if 2.0 * t * (1.0 - h) >= SERIES_BELOW:
        low, half = -SQRT_HALF * h, SQRT_HALF * t
        return SQRT_HALF_PI * (erfcx(low - half) - erfcx(low + half))
    t2, h2t2 = t * t, (h * t) ** 2
    term = 1.0 + h * SQRT_HALF_PI * erfcx(-SQRT_HALF * h)
    total, subtracted = term, t2
    for k in range(1, 2 * SERIES_TERMS - 1, 2):
        following = ((h2t2 + (2 * k + 1) * t2) * term - subtracted) / ((k + 1) * (k + 2))
        subtracted = t2 * t2 * term
        term = following
        total += term
    return 2.0 * t * total
