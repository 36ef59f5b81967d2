"""Put-call parity within one series: the line C − P = D·(F − K) and the bounds on its forward.

The slope of the line is −D and its root is F. Stale quotes and misprints lie far off the line, so
it is fitted by a weighted Theil-Sen estimate and refined by iteratively reweighted least squares
with Tukey's biweight. Each pair weighs 1/spread²: a quote of 25 / 38,429 has no weight.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import stdtrit

_TUKEY: Final = 4.685
"""Tuning constant of Tukey's biweight: 95% efficiency for normal errors."""
_MAD_TO_SIGMA: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_MAX_PAIRS: Final = 400
"""Theil-Sen compares all pairs of points: 400 of them are 80,000 slopes."""
_N_REWEIGHTINGS: Final = 30
_WINDOW: Final = (0.05, 0.5, 4.0)
"""Half-width in ln K: least, most, and in standard deviations of the underlying."""
_FEWEST_IN_WINDOW: Final = 10
_SPREAD_FLOOR: Final = 0.1
"""Fraction of the typical spread below which a smaller spread adds no precision."""

_DECIMALS: Final = 6
"""Most decimals of a rounded price; more count as unrounded."""
_SAMPLE: Final = 8
_ROUNDING: Final = np.sqrt(2.0 / 12.0)
"""Standard deviation of the difference of two rounded prices, in units of the last digit."""

_UNVERIFIED_NOISE: Final = 0.25
"""Fraction of the spread assumed as noise where too few pairs remain to measure it."""

_MIN_CURVED: Final = 6
_CURVED_SHARE: Final = 0.3
"""Residual of a parabola over that of a line, below which call minus put is curved."""
_CURVED_SCALE: Final = 2e-4
"""Fraction of the strike: smaller curvature moves a forward by less than the quotes' precision."""


@dataclass(frozen=True)
class Pairs:
    """Strikes of one series that have both a call and a put.

    Attributes
    ----------
    strike : ndarray, shape (n,)
        Increasing.
    difference, straddle : ndarray, shape (n,)
        C − P and C + P at the fitted prices; NaN where one of them has no usable price.
    spread : ndarray, shape (n,)
        Sum of both bid-ask spreads; NaN where unknown.
    low, high : ndarray, shape (n,)
        C_bid − P_ask and C_ask − P_bid; −inf and inf where unknown.
    rounding : float
        Standard deviation of C − P due to the rounding of prices, currency.
    """

    strike: np.ndarray
    difference: np.ndarray
    straddle: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rounding: float

    @classmethod
    def of(
        cls,
        strike: np.ndarray,
        is_call: np.ndarray,
        price: np.ndarray,
        bid: np.ndarray,
        ask: np.ndarray,
    ) -> "Pairs":
        """Match calls and puts by strike; the first of several quotes of a contract counts.

        A side that has no usable price but a bid of zero below an ask still bounds the forward.
        """
        two_sided = (ask > 0) & (bid >= 0) & (bid <= ask) & (~np.isnan(price) | (bid == 0))
        usable = two_sided | ~np.isnan(price)
        calls, puts = np.flatnonzero(usable & is_call), np.flatnonzero(usable & ~is_call)
        both, i, j = np.intersect1d(strike[calls], strike[puts], return_indices=True)
        c, p = calls[i], puts[j]
        bounded = two_sided[c] & two_sided[p]
        return cls(
            strike=both,
            difference=price[c] - price[p],
            straddle=price[c] + price[p],
            spread=np.where(bounded, ask[c] - bid[c] + ask[p] - bid[p], np.nan),
            low=np.where(bounded, bid[c] - ask[p], -np.inf),
            high=np.where(bounded, ask[c] - bid[p], np.inf),
            rounding=_ROUNDING * last_digit(price[~np.isnan(price)]),
        )

    @property
    def size(self) -> int:
        """Number of pairs."""
        return int(self.strike.size)

    def select(self, which: np.ndarray) -> "Pairs":
        """Return some of the pairs, by mask or positions."""
        return Pairs(
            strike=self.strike[which],
            difference=self.difference[which],
            straddle=self.straddle[which],
            spread=self.spread[which],
            low=self.low[which],
            high=self.high[which],
            rounding=self.rounding,
        )

    def priced(self) -> "Pairs":
        """Return the pairs of which both prices are usable."""
        return self.select(~np.isnan(self.difference))

    def near_the_money(self) -> "Pairs":
        """Return the pairs where both sides trade.

        Within four standard deviations of the strike where call and put are nearest, and at least
        5%, at most 50% from it; widened where that leaves fewer than ten.
        """
        if self.size <= _FEWEST_IN_WINDOW // 2:
            return self
        middle = int(np.argmin(np.abs(self.difference) + np.nan_to_num(self.spread)))
        at_the_money = float(self.strike[middle])
        # A straddle at the money is worth 0.8 standard deviations.
        deviation = float(self.straddle[middle]) / (0.8 * at_the_money)
        least, most, deviations = _WINDOW
        width = float(np.clip(deviations * deviation, least, most))
        distance = np.abs(np.log(self.strike / at_the_money))
        tenth_nearest = np.sort(distance)[:_FEWEST_IN_WINDOW][-1]
        near = np.flatnonzero(distance <= max(width, tenth_nearest))
        step = -(-near.size // _MAX_PAIRS)
        return self.select(near[::step])

    def relative_noise(self) -> np.ndarray:
        """Return the spread of each pair over the typical one, shape (n,); ones without spreads."""
        positive = self.spread[self.spread > 0]
        if positive.size == 0:
            return np.ones(self.size)
        typical = float(np.median(positive))
        spread = np.where(np.isnan(self.spread), typical, self.spread) / typical
        return np.hypot(spread, _SPREAD_FLOOR)


@dataclass(frozen=True)
class ParityLine:
    """C − P = discount·(forward − K), fitted to the pairs of one series.

    Attributes
    ----------
    intercept, discount : float
        discount·forward, and minus the slope.
    discount_error : float
        Standard error of the slope, widened for few pairs by Student's t; infinite if one point
        determines no slope.
    scale : float
        Robust standard deviation about the line of a pair with the typical spread, currency.
    n_pairs : int
        Pairs with weight.
    is_verified : bool
        Whether at least three pairs determine the two unknowns.
    is_curved : bool
        Whether a parabola explains nearly all that the line leaves: parity does not hold.
    """

    intercept: float
    discount: float
    discount_error: float
    scale: float
    n_pairs: int
    is_verified: bool
    is_curved: bool = False

    @property
    def forward(self) -> float:
        """Root of the line; NaN where the slope has the wrong sign."""
        return self.intercept / self.discount if self.discount > 0 else np.nan

    def residual(self, strike: np.ndarray, difference: np.ndarray) -> np.ndarray:
        """Return C − P less the line, shape (n,)."""
        return difference - (self.intercept - self.discount * strike)

    @classmethod
    def fit(cls, pairs: Pairs) -> "ParityLine | None":
        """Fit the line to two or more strikes; return None for fewer."""
        x, y = pairs.strike, pairs.difference
        if x.size < 2:
            return None
        noise = pairs.relative_noise()
        slope, intercept = _theil_sen(x, y, noise)
        floor = max(pairs.rounding, 1e-9 * float(np.max(x)))
        scale, trust = floor, np.ones_like(x)
        for _ in range(_N_REWEIGHTINGS):
            standardised = (y - intercept - slope * x) / noise
            scale = _MAD_TO_SIGMA * float(np.median(np.abs(standardised)))
            trust = (
                np.clip(1.0 - (standardised / (_TUKEY * max(scale, floor))) ** 2, 0.0, None) ** 2
            )
            before = slope
            slope, intercept = _weighted_line(x, y, trust / noise**2)
            if abs(slope - before) <= 1e-12:
                break
        standardised = (y - intercept - slope * x) / noise
        sigma, degrees = _sigma(standardised, trust, scale, pairs)
        error = sigma * _slope_spread(x, trust / noise**2) * _student_factor(degrees)
        used = int(np.count_nonzero(trust))
        return cls(
            intercept=intercept,
            discount=-slope,
            discount_error=float(error),
            scale=float(max(scale, floor)),
            n_pairs=used,
            is_verified=degrees > 0,
            is_curved=_is_curved(x, y, pairs.rounding),
        )


def bounds_on_forward(pairs: Pairs, discount: float) -> tuple[float, float, int]:
    """Return the forwards that most pairs allow at bid and ask, and how many pairs exclude them.

    Each pair allows K + (C_bid − P_ask)/D to K + (C_ask − P_bid)/D. Where all overlap, the result
    is the largest of the lower ends and the smallest of the upper ones. Otherwise some pairs admit
    arbitrage against each other, and the interval is the first that the largest number allow.

    Returns
    -------
    low, high : float
        Infinite where no pair has bids and asks.
    n_excluding : int
    """
    low, high = pairs.strike + pairs.low / discount, pairs.strike + pairs.high / discount
    known = np.isfinite(low) & np.isfinite(high)
    low, high = low[known], high[known]
    if low.size == 0:
        return -np.inf, np.inf, 0
    if low.max() <= high.min():
        return float(low.max()), float(high.min()), 0
    # Quotes are rounded: locked ones contradict each other by a fraction of a tick.
    slack = 2.0 * pairs.rounding / discount
    starts, ends = np.sort(low - slack), np.sort(high + slack)
    # At the start of an interval, those that started less those that ended before.
    depth = np.arange(1, starts.size + 1) - np.searchsorted(ends, starts, side="left")
    best = int(np.argmax(depth))
    left = float(starts[best])
    return left, float(ends[np.searchsorted(ends, left)]), int(low.size - depth[best])


def forward_at(pairs: Pairs, discount: float) -> float:
    """Return the forward at a known discount: the weighted median of those that the pairs imply."""
    implied = pairs.strike + pairs.difference / discount
    return weighted_median(implied, pairs.relative_noise() ** -2.0)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the median of a weighted sample, the middle of two where they halve the weight."""
    order = np.argsort(values, kind="stable")
    ordered, total = values[order], np.cumsum(weights[order])
    half = 0.5 * total[-1]
    lower = int(np.searchsorted(total, half * (1.0 - 1e-12)))
    upper = min(int(np.searchsorted(total, half * (1.0 + 1e-12))), ordered.size - 1)
    return float(0.5 * (ordered[lower] + ordered[upper]))


def last_digit(prices: np.ndarray) -> float:
    """Return the decimal unit that prices are rounded to; 0 for unrounded ones."""

    def is_multiple(values: np.ndarray, unit: float) -> bool:
        return bool(np.all(np.abs(values / unit - np.round(values / unit)) < 1e-6))

    # Most unrounded prices show at once, in a few of them.
    if not is_multiple(prices[:_SAMPLE], 10.0**-_DECIMALS):
        return 0.0
    units = (10.0**-decimals for decimals in range(_DECIMALS + 1))
    return next((unit for unit in units if is_multiple(prices, unit)), 0.0)


def _sigma(
    standardised: np.ndarray, trust: np.ndarray, scale: float, pairs: Pairs
) -> tuple[float, float]:
    """Return the noise of a pair of typical spread, and the degrees of freedom it rests on."""
    used = int(np.count_nonzero(trust))
    degrees = used - 2.0
    spread = pairs.spread[pairs.spread > 0]
    if degrees <= 0.0:
        unverified = _UNVERIFIED_NOISE * float(np.median(spread)) if spread.size else 0.0
        return max(pairs.rounding, unverified), 0.0
    mean_square = float(np.average(standardised**2, weights=trust)) * used / degrees
    return max(scale, float(np.sqrt(mean_square)), pairs.rounding), degrees


def _is_curved(x: np.ndarray, y: np.ndarray, rounding: float) -> bool:
    """Return whether a parabola leaves much less than a line, and the line more than rounding."""
    if x.size < _MIN_CURVED:
        return False
    scaled = (x - x[0]) / (x[-1] - x[0])
    left = [float(np.std(y - np.polyval(np.polyfit(scaled, y, n), scaled))) for n in (1, 2)]
    floor = max(10.0 * rounding, _CURVED_SCALE * float(np.median(x)))
    return left[0] > floor and left[1] < _CURVED_SHARE * left[0]


def _student_factor(degrees: float) -> float:
    """Return the factor by which few degrees of freedom widen a 95% interval; 1 without any."""
    if degrees <= 0.0:
        return 1.0
    return float(stdtrit(degrees, 0.975) / 1.959964)


def _slope_spread(x: np.ndarray, weights: np.ndarray) -> float:
    """Return the standard error of the slope for unit noise."""
    total = float(np.sum(weights))
    if not total > 0:
        return np.inf
    moment = float(np.sum(weights * (x - np.sum(weights * x) / total) ** 2))
    return moment**-0.5 if moment > 0 else np.inf


def _theil_sen(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> tuple[float, float]:
    """Return the median of the slopes between all pairs of points, each by its precision."""
    i, j = np.triu_indices(x.size, 1)
    run = x[j] - x[i]
    slope = weighted_median((y[j] - y[i]) / run, run / np.hypot(noise[i], noise[j]))
    return slope, weighted_median(y - slope * x, 1.0 / noise)


def _weighted_line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept by weighted least squares."""
    if np.count_nonzero(weights) < 2:
        return _theil_sen(x, y, np.ones_like(x))
    mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
    moment = np.sum(weights * (x - mean_x) ** 2)
    if not moment > 0:
        return _theil_sen(x, y, np.ones_like(x))
    slope = np.sum(weights * (x - mean_x) * (y - mean_y)) / moment
    return float(slope), float(mean_y - slope * mean_x)
