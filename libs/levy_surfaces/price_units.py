"""Correct units that put-call parity or the spot reveals, and state each correction.

In one currency and unit C − P = D·(F − K): the slope in the strike is minus a discount factor, and
the value at a strike of zero is D·F. A slope of −0.001 shows strikes times 1,000; a value of about
1 at a strike of zero shows premiums in units of the underlying (inverse options).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.parity import Pairs, ParityLine

PRICES: Final = ("bid", "ask", "mid", "last")

_MIN_PAIRS: Final = 3
_MAX_SLOPE_ERROR: Final = 0.1
_POWERS: Final = (0, -4, -3, -2, -1, 1, 2, 3, 4)
_USUAL_RATE: Final = 0.25
"""Continuous rate up to which a slope counts as that of a power of ten."""
_SLACK: Final = 1.03
"""Factor by which a discount may exceed the limits of rates: noise of few pairs."""
_UNIT_FORWARD: Final = 0.35
"""|ln| of the forward in units of itself: carry and rounding of premiums in the underlying."""
_FEWEST_POWERS: Final = 1.5
"""log10 of the typical strike over the spot beyond which no listing of strikes is plausible."""
_POWER_ERROR: Final = 0.15
"""Difference of such a logarithm from a whole number that typical strikes may have."""
_FAR_STRIKES: Final = 0.4
"""|ln(K/S)| that some strike of every usable chain is within."""
_SMALL_FORWARD: Final = 3.0
"""Forwards below this are too near to 1 to distinguish premiums in the underlying."""


@dataclass(frozen=True)
class _Line:
    """Parity of one series: value at a strike of zero, minus slope, and forward."""

    series: int
    years: float
    intercept: float
    slope: float

    @property
    def forward(self) -> float:
        return self.intercept / self.slope


def correct_price_units(
    frame: pd.DataFrame, spot: float | None, *, in_underlying: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return quotes whose prices have the unit of their strikes, and what was done.

    Parameters
    ----------
    frame : DataFrame
        `QuoteTable.frame`.
    spot : float or None
    in_underlying : bool
        Whether the premiums are known to be in units of the underlying.
    """
    lines = _parity_lines(frame)
    if in_underlying or _are_in_underlying(lines):
        return _converted_by_forward(frame, lines, spot)
    power = _common_power(lines)
    if power is None and not lines:
        power = _power_by_spot(frame, spot)
    if not power:
        return frame, []
    anchor = _anchor(frame, spot)
    scales_strikes = power < 0 or not lines
    if lines and anchor is not None:
        forward = float(np.median([line.forward for line in lines]))
        scales_strikes = abs(np.log(anchor / (forward * 10.0**power))) < abs(
            np.log(anchor / forward)
        )
    return _scaled(frame, power, scales_strikes=scales_strikes)


def mid_prices(frame: pd.DataFrame) -> np.ndarray:
    """Return a price of each quote: the mid, or else the mean of bid and ask; shape (n,)."""
    bid, ask, mid = (frame[name].to_numpy(float) for name in ("bid", "ask", "mid"))
    between = np.where((bid > 0) & (ask >= bid), 0.5 * (bid + ask), np.nan)
    return np.where(mid > 0, mid, between)


def _parity_lines(frame: pd.DataFrame) -> list[_Line]:
    lines = []
    price = mid_prices(frame)
    numbers = frame["series"].to_numpy(int)
    years = frame["maturity_years"].to_numpy(float)
    strike, is_call = frame["strike"].to_numpy(float), frame["is_call"].to_numpy(bool)
    bid, ask = (frame[name].to_numpy(float) for name in ("bid", "ask"))
    for rows in frame.groupby("series").indices.values():
        if not years[rows[0]] > 0:
            continue
        columns = (values[rows] for values in (strike, is_call, price, bid, ask))
        pairs = Pairs.of(*columns).priced()
        line = ParityLine.fit(pairs.near_the_money()) if pairs.size >= _MIN_PAIRS else None
        if line is None or not line.discount > 0 or not line.intercept > 0:
            continue
        if line.discount_error < _MAX_SLOPE_ERROR * line.discount:
            lines.append(
                _Line(int(numbers[rows[0]]), float(years[rows[0]]), line.intercept, line.discount)
            )
    return lines


def _is_discount(slope: float, years: float) -> bool:
    limit = float(np.exp(_USUAL_RATE * years)) * _SLACK
    return 1.0 / limit <= slope <= limit


def _are_in_underlying(lines: list[_Line]) -> bool:
    if not lines:
        return False
    is_unit = [abs(np.log(line.intercept)) < _UNIT_FORWARD for line in lines]
    is_large = [line.forward > _SMALL_FORWARD for line in lines]
    return bool(np.mean(np.logical_and(is_unit, is_large)) > 0.5)


def _common_power(lines: list[_Line]) -> int | None:
    """Return the power of ten that most slopes have beside a discount factor; None if several."""
    powers = {
        next((p for p in _POWERS if _is_discount(line.slope / 10.0**p, line.years)), None)
        for line in lines
    }
    return powers.pop() if len(powers) == 1 else None


def _anchor(frame: pd.DataFrame, spot: float | None) -> float | None:
    if spot is not None:
        return spot
    forward = float(frame["forward"].median())
    return forward if forward > 0 else None


def _power_by_spot(frame: pd.DataFrame, spot: float | None) -> int | None:
    """Return minus the power of ten by which the strikes exceed the spot, if two or more.

    Raises
    ------
    InvalidInputError
        All strikes are far from the spot, by another factor.
    """
    anchor = _anchor(frame, spot)
    if anchor is None:
        return None
    typical = float(frame["strike"].median())
    power = float(np.log10(typical / anchor))
    is_power = abs(power) > _FEWEST_POWERS and abs(power - round(power)) <= _POWER_ERROR
    if is_power:
        return -round(power)
    if np.all(np.abs(np.log(frame["strike"] / anchor)) > _FAR_STRIKES):
        raise InvalidInputError(
            f"all strikes (typically {typical:g}) are far from the spot or forward ({anchor:g}): "
            f"if they are fractions of it, pass --scale strike={anchor:g}; if per cent of it, "
            f"--scale strike={anchor / 100.0:g}; otherwise correct the spot or forward",
            column="strike",
        )
    return None


def _scaled(
    frame: pd.DataFrame, power: int, *, scales_strikes: bool
) -> tuple[pd.DataFrame, list[str]]:
    factor = 10.0 ** abs(power)
    if scales_strikes:
        divides = power < 0
        strike = frame["strike"] / factor if divides else frame["strike"] * factor
        verb = "divided" if divides else "multiplied"
        option = 10.0**power
        return frame.assign(strike=strike), [
            f"strikes are {verb} by {factor:,.0f}, because put-call parity or the spot shows that "
            f"they are not in the unit of the prices (--scale strike={option:g} states it)"
        ]
    divides = power > 0
    prices = {
        name: frame[name] / factor if divides else frame[name] * factor
        for name in PRICES
        if name in frame
    }
    verb = "divided" if divides else "multiplied"
    return frame.assign(**prices), [
        f"prices are {verb} by {factor:,.0f}, because put-call parity shows that they are not in "
        "the unit of the strikes"
    ]


def _converted_by_forward(
    frame: pd.DataFrame, lines: list[_Line], spot: float | None
) -> tuple[pd.DataFrame, list[str]]:
    """Return prices multiplied by the forward of their expiry."""
    by_series = {line.series: line.forward for line in lines}
    own = frame.groupby("series")["forward"].median()
    forward = frame["series"].map(by_series).astype(float)
    forward = forward.fillna(frame["series"].map(own)).astype(float)
    if spot is not None:
        forward = forward.fillna(spot)
    prices = {name: frame[name] * forward for name in PRICES if name in frame}
    n_parity = len(by_series)
    source = "by put-call parity" if n_parity else "of the file"
    return frame.assign(**prices), [
        "premiums are in units of the underlying (inverse options): they are multiplied by the "
        f"forward of their expiry {source}"
    ]
