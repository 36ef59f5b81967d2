"""Forwards and discount factors that put-call parity implies, robustly.

For European options of one expiry, C − P = D·(F − K): a straight line in the strike, whose slope
is −D and whose root is F. Stale and misprinted quotes lie far off it, so the line is fitted by
Theil-Sen and refined by iteratively reweighted least squares with Tukey's biweight. The root is
always well determined; the slope is not when the expiry is near or pairs are few, and is then
borrowed, because a discount that is wrong by 1e-4 is a rate that is wrong by 100 points over a day.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from levy_surfaces.reading import QuoteTable

ForwardSource = Literal["parity", "given"]

MIN_MATURITY_OF_RATE_YEARS: Final = 14.0 / 365.0
MAX_RATE_ERROR: Final = 0.005
"""Standard error of the implied rate above which the discount is borrowed."""

MAX_PLAUSIBLE_RATE: Final = 0.5
MIN_PAIRS_OF_DISCOUNT: Final = 5
_WINDOW: Final = (0.05, 0.5, 4.0)
_TUKEY: Final = 4.685
_MAD_TO_SIGMA: Final = 1.4826
_MAX_PAIRS: Final = 400
_N_REWEIGHTINGS: Final = 30


@dataclass(frozen=True)
class SeriesForward:
    """Forward and discount of one series (an expiry, and a root where there are several).

    Attributes
    ----------
    series : int
    maturity_years, forward, discount : float
    n_pairs : int
        Strikes whose call and put were both used.
    residual_scale : float
        Robust standard deviation of C − P about the line, currency; 0 without pairs.
    rate_error : float
        Standard error of the rate that the slope implies; infinite where it was not fitted.
    source : str
        How forward and discount came about, for people.
    """

    series: int
    maturity_years: float
    forward: float
    discount: float
    n_pairs: int
    residual_scale: float
    rate_error: float
    source: str

    @property
    def rate(self) -> float:
        """Continuous rate that the discount says."""
        return float(np.log(1.0 / self.discount) / self.maturity_years)

    def dividend_yield(self, spot: float) -> float:
        """Continuous yield that spot, forward and discount say together."""
        return float(self.rate - np.log(self.forward / spot) / self.maturity_years)


@dataclass(frozen=True)
class _Line:
    """C − P = discount·(forward − K), with the scale about it and the slope's standard error."""

    forward: float
    discount: float
    discount_error: float
    scale: float
    n_pairs: int


def implied_forwards(
    table: QuoteTable, price: pd.Series, *, source: ForwardSource = "parity"
) -> tuple[SeriesForward, ...]:
    """Forward and discount of every series that has any.

    Parameters
    ----------
    table : QuoteTable
    price : Series
        For each row of `table.frame` the price to trust; NaN where there is none.
    source : {"parity", "given"}
        Where to look first: put-call parity, or the file's own columns (`forward` and
        `discount`, or `spot`, `rate` and `dividend_yield`).

    Returns
    -------
    tuple of SeriesForward
        In order of maturity. A series is absent when neither parity nor the file says anything.
    """
    frame = table.frame.assign(price=price)
    groups = {int(str(s)): g for s, g in frame[frame["maturity_years"] > 0].groupby("series")}
    given = {s: _given(g, table.spot) for s, g in groups.items()}
    pairs = {s: _near_the_money(pairs_of(g[g["price"].notna()])) for s, g in groups.items()}
    lines = {s: _fit_line(p) for s, p in pairs.items() if len(p) >= MIN_PAIRS_OF_DISCOUNT}
    years = {s: float(g["maturity_years"].iloc[0]) for s, g in groups.items()}
    rates = sorted(
        (years[s], float(-np.log(line.discount) / years[s]))
        for s, line in lines.items()
        if _determines_rate(line, years[s])
    )
    chosen = []
    for s, own in given.items():
        if own is None or (source == "parity" and len(pairs[s])):
            own = _from_parity(s, years[s], pairs[s], lines.get(s), rates, own)
        chosen.append(own)
    return tuple(forward for forward in chosen if forward is not None)


def _given(group: pd.DataFrame, spot: float | None) -> SeriesForward | None:
    """What the file itself says."""
    first = group.iloc[0]
    years = float(first["maturity_years"])
    forward, discount, rate, dividend = (
        float(group[name].median()) for name in ("forward", "discount", "rate", "dividend_yield")
    )
    if np.isnan(discount) and not np.isnan(rate):
        discount = float(np.exp(-rate * years))
    if np.isnan(discount) or years <= 0:
        return None
    source = "the file's forward and discount"
    if np.isnan(forward):
        if spot is None or np.isnan(rate):
            return None
        carried = 0.0 if np.isnan(dividend) else dividend
        forward = spot * float(np.exp((rate - carried) * years))
        source = "spot, rate and dividend yield"
        if np.isnan(dividend):
            source = "spot and rate, without dividends"
    return SeriesForward(int(first["series"]), years, forward, discount, 0, 0.0, np.inf, source)


def pairs_of(group: pd.DataFrame) -> pd.DataFrame:
    """Strikes of one series with both a call and a put: strike, difference C − P, spread."""
    price = group["price"]
    spread = (group["ask"] - group["bid"]).fillna(0.0)
    sides = pd.DataFrame(
        {"strike": group["strike"], "price": price, "spread": spread, "call": group["is_call"]}
    ).drop_duplicates(["strike", "call"])
    both = sides[sides["call"]].merge(sides[~sides["call"]], on="strike", suffixes=("_c", "_p"))
    return pd.DataFrame(
        {
            "strike": both["strike"],
            "difference": both["price_c"] - both["price_p"],
            "straddle": both["price_c"] + both["price_p"],
            "spread": both["spread_c"] + both["spread_p"],
        }
    ).sort_values("strike", ignore_index=True)


def _near_the_money(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs where both sides trade.

    Within four standard deviations of the strike where call and put are nearest, and at least 5%,
    at most 50% from it; widened where that leaves fewer than ten.
    """
    if len(pairs) <= MIN_PAIRS_OF_DISCOUNT:
        return pairs
    middle = int(np.argmin(np.abs(pairs["difference"].to_numpy(float))))
    at_the_money = float(pairs["strike"].iloc[middle])
    # A straddle at the money is worth 0.8 standard deviations.
    deviation = float(pairs["straddle"].iloc[middle]) / (0.8 * at_the_money)
    least, most, deviations = _WINDOW
    width = float(np.clip(deviations * deviation, least, most))
    distance = np.abs(np.log(pairs["strike"].to_numpy(float) / at_the_money))
    tenth_nearest = np.sort(distance)[: 2 * MIN_PAIRS_OF_DISCOUNT][-1]
    near = np.flatnonzero(distance <= max(width, tenth_nearest))
    step = -(-near.size // _MAX_PAIRS)
    return pairs.iloc[near[::step]]


def _fit_line(pairs: pd.DataFrame) -> _Line:
    strike = pairs["strike"].to_numpy(float)
    difference = pairs["difference"].to_numpy(float)
    precision = _precision(pairs["spread"].to_numpy(float))
    slope, intercept = _theil_sen(strike, difference)
    scale, weights = 0.0, precision
    for _ in range(_N_REWEIGHTINGS):
        residual = difference - intercept - slope * strike
        scale = _MAD_TO_SIGMA * float(np.median(np.abs(residual)))
        floor = 1e-9 * float(np.max(strike))
        standardised = residual / (_TUKEY * max(scale, floor))
        weights = precision * np.clip(1.0 - standardised**2, 0.0, None) ** 2
        before = slope
        slope, intercept = _weighted_line(strike, difference, weights)
        if abs(slope - before) <= 1e-12:
            break
    mean = np.average(strike, weights=weights)
    inertia = np.sum(weights * (strike - mean) ** 2) / np.sum(weights)
    effective = float(np.sum(weights) ** 2 / np.sum(weights**2))
    error = scale / float(np.sqrt(inertia * max(effective - 2.0, 1.0)))
    used = int(np.count_nonzero(weights))
    discount = -slope
    forward = intercept / discount if discount > 0 else np.nan
    return _Line(float(forward), float(discount), error, scale, used)


def _precision(spread: np.ndarray) -> np.ndarray:
    """Weights by the inverse square of the spread, where quotes have one; at most 16 to 1."""
    if not np.any(spread > 0):
        return np.ones_like(spread)
    typical = float(np.median(spread[spread > 0]))
    return 1.0 / np.clip(spread / typical, 0.5, 2.0) ** 2


def _theil_sen(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Median of the slopes between all pairs of points; half of them may be wrong by anything."""
    i, j = np.triu_indices(x.size, 1)
    slope = float(np.median((y[j] - y[i]) / (x[j] - x[i])))
    return slope, float(np.median(y - slope * x))


def _weighted_line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
    moment = np.sum(weights * (x - mean_x) ** 2)
    if not moment > 0:
        return _theil_sen(x, y)
    slope = np.sum(weights * (x - mean_x) * (y - mean_y)) / moment
    return float(slope), float(mean_y - slope * mean_x)


def _root(pairs: pd.DataFrame, discount: float) -> float:
    """Forward at a known discount: the median of what the pairs say, weighted by precision."""
    said = (pairs["strike"] + pairs["difference"] / discount).to_numpy(float)
    order = np.argsort(said)
    weights = np.cumsum(_precision(pairs["spread"].to_numpy(float))[order])
    return float(said[order][np.searchsorted(weights, 0.5 * weights[-1])])


def _rate_error(line: _Line, years: float) -> float:
    return line.discount_error / (line.discount * years) if line.discount > 0 else np.inf


def _determines_rate(line: _Line, years: float) -> bool:
    if line.n_pairs < MIN_PAIRS_OF_DISCOUNT or years < MIN_MATURITY_OF_RATE_YEARS:
        return False
    if not 0 < line.discount < np.inf or not np.isfinite(line.forward):
        return False
    plausible = abs(np.log(line.discount) / years) <= MAX_PLAUSIBLE_RATE
    return bool(plausible) and _rate_error(line, years) <= MAX_RATE_ERROR


def _from_parity(
    series: int,
    years: float,
    pairs: pd.DataFrame,
    line: _Line | None,
    rates: list[tuple[float, float]],
    own: SeriesForward | None,
) -> SeriesForward | None:
    if len(pairs) == 0:
        return None
    scale, error = (0.0, np.inf) if line is None else (line.scale, _rate_error(line, years))
    if line is not None and _determines_rate(line, years):
        forward, discount, n_pairs = line.forward, line.discount, line.n_pairs
        source = "put-call parity"
    else:
        discount, lender = _borrowed_discount(years, rates, own)
        forward, n_pairs = _root(pairs, discount), len(pairs)
        source = f"put-call parity, discount from {lender}"
    if not 0 < forward < np.inf:
        return own
    return SeriesForward(series, years, forward, discount, n_pairs, scale, error, source)


def _borrowed_discount(
    years: float, rates: list[tuple[float, float]], own: SeriesForward | None
) -> tuple[float, str]:
    if rates:
        known_years, known_rates = zip(*rates, strict=True)
        rate = float(np.interp(years, known_years, known_rates))
        return float(np.exp(-rate * years)), "neighbouring expiries"
    if own is not None:
        return own.discount, "the file"
    return 1.0, "nowhere: none is known, 1 is taken"
