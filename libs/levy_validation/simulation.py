"""Simulated surfaces: listings, noise of several kinds, and markets that no Lévy model fits."""

import math
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.implied_volatility import black_vegas, vols_of_prices
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_surfaces.synthetic.ranges import Box
from levy_validation import stochastic_volatility

NOISES: Final = ("independent", "spread", "tick", "heavy tails", "smile", "20% missing")
OUTLIERS: Final = "outliers"
"""A kind of noise: that of `spread`, and one quote in twenty off by six half-spreads."""
MARKETS: Final = ("Heston", "Bates")
_FORWARD: Final = 100.0
_TICK: Final = 0.05
# Of truths about each model's example, in coordinates.
_SPREAD_OF_TRUTHS: Final = 0.25
_SPREAD_OF_CLOCKS: Final = 0.4
# Share of a training range, at each end, from which no truth is drawn.
_MARGIN: Final = 0.1
_SHARE_OF_OUTLIERS: Final = 0.05
_SIZE_OF_OUTLIERS: Final = 6.0


@dataclass(frozen=True)
class Simulated:
    """Quotes of a known model.

    Attributes
    ----------
    truth : Model
    quotes : Quotes
    exact : ndarray, shape (n,)
        Prices of the truth, without noise; currency.
    """

    truth: Model
    quotes: Quotes
    exact: np.ndarray

    @property
    def parameters(self) -> dict[str, float]:
        """Parameters of the truth by name."""
        return {name: float(value) for name, value in self.truth.as_mapping().items()}


def simulated(name: str, noise: str, seed: int) -> Simulated:
    """Return a listing of a model near its example, with one kind of noise."""
    truth = truths(name, seed)
    kinds = (*NOISES, OUTLIERS)
    rng = np.random.default_rng([seed, kinds.index(noise), zlib.crc32(name.encode())])
    return surface_of(truth, noise, rng)


def drawn_from_range(model: type[Model], noise: str, rng: np.random.Generator) -> Simulated:
    """Return a surface of a model drawn from its training range, or near its example without one.

    No truth is drawn from the tenth of the range at each end.
    """
    if model.training_range is None:
        return surface_of(truths(model.name, int(rng.integers(2**31))), noise, rng)
    box = Box.of(model.name)
    position = rng.uniform(_MARGIN, 1.0 - _MARGIN, (1, len(box.axes)))
    drawn = box.model(position).select(0).as_mapping()
    truth = model.from_mapping({name: float(value) for name, value in drawn.items()})
    return surface_of(truth, noise, rng)


def surface_of(truth: Model, noise: str, rng: np.random.Generator) -> Simulated:
    """Return a random listing of a model with one kind of noise."""
    contracts = listing(rng, annual_deviation(truth))
    exact = pricing.price(truth, contracts).value
    quotes, kept = _noisy(contracts, exact, noise, rng)
    return Simulated(truth, quotes, exact[kept])


def two_listings(market: str, seed: int) -> tuple[Quotes, Quotes]:
    """Return two independent listings of one market of stochastic variance.

    Parameters
    ----------
    market : {"Heston", "Bates"}
    seed : int
    """
    rng = np.random.default_rng([seed, zlib.crc32(market.encode())])
    v0 = 0.04 * math.exp(0.4 * rng.standard_normal())
    jumps = {"intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.1}
    truth = stochastic_volatility.Bates(
        v0,
        theta=0.04 * math.exp(0.3 * rng.standard_normal()),
        kappa=rng.uniform(1.0, 4.0),
        xi=rng.uniform(0.3, 0.7),
        rho=rng.uniform(-0.8, -0.3),
        **(jumps if market == "Bates" else {}),
    )
    first, second = (_listed(truth, rng) for _ in range(2))
    return first, second


def _listed(truth: stochastic_volatility.Bates, rng: np.random.Generator) -> Quotes:
    contracts = listing(rng, 0.2)
    exact = stochastic_volatility.price(truth, contracts)
    return noisy_quotes(contracts, exact, "spread", rng)


def listing(rng: np.random.Generator, vol: float) -> Contracts:
    """Return 5 to 8 expiries of 8 to 19 strikes, out of the money, as exchanges list them."""
    maturities = np.exp(np.sort(rng.uniform(math.log(0.06), math.log(2.0), rng.integers(5, 9))))
    years, strikes = [], []
    for maturity in maturities:
        deviations = np.sort(rng.uniform(-2.6, 1.7, rng.integers(8, 20)))
        years += [maturity] * deviations.size
        strikes += list(_FORWARD * np.exp(deviations * vol * math.sqrt(maturity)))
    maturity_years, strike = np.array(years), np.array(strikes)
    return Contracts.of(
        maturity_years=maturity_years,
        strike=strike,
        forward=_FORWARD,
        discount=np.exp(-0.02 * maturity_years),
        is_call=strike >= _FORWARD,
    )


def noisy_quotes(
    contracts: Contracts, exact: np.ndarray, noise: str, rng: np.random.Generator
) -> Quotes:
    """Return quotes with one kind of noise, of quotes worth at least 0.08% of the forward."""
    return _noisy(contracts, exact, noise, rng)[0]


def _noisy(
    contracts: Contracts, exact: np.ndarray, noise: str, rng: np.random.Generator
) -> tuple[Quotes, np.ndarray]:
    """Return quotes with noise, and the mask of the contracts that are quoted."""
    half = 0.5 * (0.02 + 0.02 * exact)
    kept = exact > 0.08
    if noise == "20% missing":
        kept &= rng.uniform(size=exact.size) > 0.2
    c, exact, half = contracts.select(kept), exact[kept], half[kept]
    errors = _errors(c, exact, half, noise, rng)
    price = np.clip(exact + errors, np.maximum(0.5 * exact, c.lower_bound + 1e-6), c.upper_bound)
    quotes = Quotes.of(c, price, bid=np.maximum(price - half, 0.0), ask=price + half)
    return quotes, kept


def _errors(
    c: Contracts, exact: np.ndarray, half: np.ndarray, noise: str, rng: np.random.Generator
) -> np.ndarray:
    if noise == "spread":
        return 0.7 * half * rng.standard_normal(c.size)
    if noise == OUTLIERS:
        is_outlier = rng.uniform(size=c.size) < _SHARE_OF_OUTLIERS
        sign = np.where(rng.uniform(size=c.size) < 0.5, -1.0, 1.0)
        usual = 0.7 * half * rng.standard_normal(c.size)
        return np.where(is_outlier, _SIZE_OF_OUTLIERS * half * sign, usual)
    if noise == "tick":
        return np.asarray(np.round(exact / _TICK) * _TICK - exact)
    if noise == "heavy tails":
        return 0.4 * half * rng.standard_t(3, c.size)
    if noise == "smile":
        return _along_the_smile(c, exact, rng) + 0.2 * half * rng.standard_normal(c.size)
    return 0.02 * rng.standard_normal(c.size)


def _along_the_smile(c: Contracts, exact: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return errors of 0.3 vol points, correlated over about a deviation of strikes."""
    vols = vols_of_prices(exact, c)
    vega = black_vegas(vols, c)
    deviations = c.log_moneyness / (np.median(vols) * np.sqrt(c.maturity_years))
    apart = np.abs(deviations[:, None] - deviations)
    same_expiry = c.maturity_years[:, None] == c.maturity_years
    correlation = np.where(same_expiry, np.exp(-apart), 0.0) + 1e-9 * np.eye(c.size)
    return np.asarray(
        0.003 * vega * (np.linalg.cholesky(correlation) @ rng.standard_normal(c.size))
    )


def truths(name: str, seed: int) -> Model:
    """Return a model near the example of its family."""
    model, rng = models.get(name), np.random.default_rng([seed, zlib.crc32(name.encode())])
    z = np.asarray(model.example().to_coordinates(), dtype=float)
    deviation = np.where(np.arange(z.size) < 3, _SPREAD_OF_TRUTHS, _SPREAD_OF_CLOCKS)
    if not name.endswith("CIR"):
        deviation = np.full(z.size, _SPREAD_OF_TRUTHS)
    low, high = (np.array(end) for end in model.coordinate_bounds())
    return model.from_coordinates(
        np.clip(z + deviation * rng.standard_normal(z.size), low + 0.01, high - 0.01)
    )


def annual_deviation(model: Model) -> float:
    """Return the standard deviation of the log return over a year."""
    return math.sqrt(float(np.real(model.cumulants(1.0)[1])))
