"""Weights of pricing errors: by price, by implied volatility, or by bid-ask spread."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self

import numpy as np

from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.implied_volatility import OK, black_prices, vega_at, vol_of_price, vols_of_prices
from levy_numerics.jit import compiled_without_lock
from levy_numerics.market import Contracts, Quotes

Weights = Literal["price", "vega", "bid_ask"]
WEIGHTS: Final[tuple[Weights, ...]] = ("price", "vega", "bid_ask")

# Vega floor, relative to the vega at the money, reached 2.6 deviations from it. Prices are rounded
# to ticks, which are worth many volatility points farther out: with a floor of 1e-4, parameters of
# a chain of mid prices with ticks were off by 8% to 14%, with this one by 0.3%.
_LEAST_VEGA: Final = 3e-2
# Total volatility; keeps the extension's starting point positive where F = K.
_LEAST_DEVIATION: Final = 1e-8
# Relative to the forward: a locked market (bid = ask) must not weigh infinitely.
_LEAST_SPREAD: Final = 1e-6
# Where no quote near the money has an implied volatility.
_DEFAULT_VOL: Final = 0.2


class WeightingArrays(NamedTuple):
    """Arguments of `set_weighted_errors`, one entry for each of n quotes.

    Attributes
    ----------
    market : ndarray
        Price of the market; for errors of volatility its volatility, extended as theirs.
    scale : ndarray
        Currency per unit of error; empty for errors of volatility.
    extended_below : ndarray
        Price below which volatility is extended; infinite where vega never exceeds its floor.
    floor_price, floor_vol, floor_vega : ndarray
        A point of the extension, and its slope; empty for errors of price, as is the former.
    forward, strike, years, discount, is_call : ndarray
        Of the contracts.
    """

    market: np.ndarray
    scale: np.ndarray
    extended_below: np.ndarray
    floor_price: np.ndarray
    floor_vol: np.ndarray
    floor_vega: np.ndarray
    forward: np.ndarray
    strike: np.ndarray
    years: np.ndarray
    discount: np.ndarray
    is_call: np.ndarray


@dataclass(frozen=True)
class Weighting:
    """Residuals of model prices: errors of price over a scale, or errors of implied volatility.

    Below the price at which vega falls to its floor, volatility is extended along its tangent. A
    price that has no volatility, or hardly determines one, thus still has an error that grows with
    its distance, and errors have a derivative everywhere.
    """

    arrays: WeightingArrays

    @classmethod
    def of_prices(cls, quotes: Quotes, scale: np.ndarray) -> Self:
        """Return errors (model − market)/scale; scale of shape (n,), currency."""
        no_vols = (np.empty(0),) * 4
        return cls(WeightingArrays(_plain(quotes.price), scale, *no_vols, *_terms(quotes)))

    @classmethod
    def of_vols(cls, quotes: Quotes) -> Self:
        """Return errors of implied volatility."""
        c = quotes.contracts
        at_the_money = c.discount * c.forward * np.sqrt(c.maturity_years / (2.0 * np.pi))
        vol, reached = _vol_of_least_vega(c)
        price = black_prices(vol, c)
        below = np.where(reached, price, np.inf)
        start = np.where(reached, price, quotes.price)
        extension = below, start, vol, _LEAST_VEGA * at_the_money
        zero, no_scale = np.zeros(quotes.size), np.empty(0)
        absolute = cls(WeightingArrays(zero, no_scale, *extension, *_terms(quotes)))
        market = absolute.residuals(quotes.price)
        return cls(absolute.arrays._replace(market=market))

    def residuals(self, prices: np.ndarray) -> np.ndarray:
        """Return weighted errors of `prices`; shape (…, n) both."""
        return self._errors(prices)[0]

    def residual_derivative(self, prices: np.ndarray) -> np.ndarray:
        """Return ∂ residual/∂ price at `prices`, shape (…, n) both."""
        return self._errors(prices)[1]

    def select(self, which: np.ndarray) -> Self:
        """Return the errors of some of the quotes, picked by indices or a mask."""
        arrays = (a[which] if len(a) else a for a in self.arrays)
        return type(self)(WeightingArrays(*arrays))

    def _errors(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        errors, derivatives = np.empty(prices.shape), np.empty(prices.shape)
        n = len(self.arrays.market)
        rows = (np.ascontiguousarray(a).reshape(-1, n) for a in (prices, errors, derivatives))
        for price, error, derivative in zip(*rows, strict=True):
            set_weighted_errors(error, derivative, price, self.arrays)
        return errors, derivatives


@compiled_without_lock
def set_weighted_errors(
    errors: np.ndarray, derivatives: np.ndarray, prices: np.ndarray, weighting: WeightingArrays
) -> None:
    """Set the residual of each price, and its derivative in the price; all of shape (n,)."""
    w = weighting
    for i in range(len(prices)):
        if len(w.scale):
            derivatives[i] = 1.0 / w.scale[i]
            errors[i] = (prices[i] - w.market[i]) / w.scale[i]
            continue
        option = w.forward[i], w.strike[i], w.years[i], w.discount[i]
        vol, code = vol_of_price(prices[i], 0.0, *option, w.is_call[i])
        vega = w.floor_vega[i]
        if code == OK and prices[i] > w.extended_below[i]:
            vega = max(vega, vega_at(vol, *option))
        else:
            vol = w.floor_vol[i] + (prices[i] - w.floor_price[i]) / vega
        derivatives[i] = 1.0 / vega
        errors[i] = vol - w.market[i]


def _terms(quotes: Quotes) -> tuple[np.ndarray, ...]:
    c = quotes.contracts
    return tuple(map(_plain, (c.forward, c.strike, c.maturity_years, c.discount, c.is_call)))


def _plain(array: np.ndarray) -> np.ndarray:
    """Return a contiguous, writable array: Numba compiles anew for arrays that are not."""
    flags = array.flags
    return array if flags.c_contiguous and flags.writeable else np.array(array, order="C")


def default_weights(quotes: Quotes) -> Weights:
    """Return the weights of fits that name none: `bid_ask` with bids and asks, else `vega`.

    A spread is the market's own statement of a quote's error. Without spreads, errors of volatility
    are the closest to errors of equal size: errors of price leave the wings and short maturities,
    whose prices are small, without weight. `docs/calibration.md` has the measured errors.
    """
    return "vega" if quotes.bid is None or quotes.ask is None else "bid_ask"


def require_weights(name: str) -> Weights:
    """Return the name of weights.

    Raises
    ------
    UnsupportedError
        Unknown weights.
    """
    for weights in WEIGHTS:
        if weights == name:
            return weights
    raise UnsupportedError(f"unknown weights {name!r}; choose one of {', '.join(WEIGHTS)}")


def weighting(quotes: Quotes, weights: str) -> Weighting:
    """Return the weighting of that name.

    `price`: errors over the mean present value of the forward, so that all quotes have equal
    weight in currency. `vega`: errors of implied volatility. `bid_ask`: errors over half the
    spread.

    Raises
    ------
    UnsupportedError
        Unknown weights.
    InvalidInputError
        `bid_ask` without bids and asks.
    """
    name = require_weights(weights)
    forward_value = quotes.contracts.discount * quotes.contracts.forward
    if name == "price":
        return Weighting.of_prices(quotes, np.full(quotes.size, forward_value.mean()))
    if name == "vega":
        return Weighting.of_vols(quotes)
    if quotes.bid is None or quotes.ask is None:
        raise InvalidInputError(
            "weights = bid_ask requires quotes with bid and ask; request price or vega"
        )
    half_spread = 0.5 * (quotes.ask - quotes.bid)
    scale = np.maximum(half_spread, _LEAST_SPREAD * forward_value)
    return Weighting.of_prices(quotes, scale)


def error_scale(quotes: Quotes, weights: str) -> np.ndarray:
    """Return the currency value of one unit of weighted error, shape (n,).

    The same units as `weighting`, to first order about the market's prices for `vega`: errors of
    quotes are errors of prices.

    Raises
    ------
    UnsupportedError, InvalidInputError
        As `weighting`.
    """
    return np.asarray(1.0 / weighting(quotes, weights).residual_derivative(quotes.price))


def _vol_of_least_vega(contracts: Contracts) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest volatility whose vega is the floor, and where one exists."""
    # Vega relative to that at the money is exp(−d₁²/2).
    x = contracts.log_moneyness
    d_squared = -2.0 * np.log(_LEAST_VEGA)
    reached = d_squared > 2.0 * x
    root = np.sqrt(np.where(reached, d_squared - 2.0 * x, 0.0))
    deviation = np.maximum(2.0 * np.abs(x) / (np.sqrt(d_squared) + root), _LEAST_DEVIATION)
    return deviation / np.sqrt(contracts.maturity_years), reached


def atm_vol_estimate(quotes: Quotes) -> float:
    """Return the median implied volatility of the third of the quotes nearest to the money."""
    distance = np.abs(quotes.contracts.log_moneyness) / np.sqrt(quotes.contracts.maturity_years)
    near = quotes.select(distance <= np.sort(distance)[distance.size // 3])
    vols = vols_of_prices(near.price, near.contracts)
    exists = ~np.isnan(vols)
    return float(np.median(vols[exists])) if exists.any() else _DEFAULT_VOL
