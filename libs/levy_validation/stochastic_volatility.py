"""Surfaces of richer models than those that are fitted: Heston's and Bates's, as listed.

The prices have ticks, bids and asks, so that fits to them have noise and misfit as real quotes do,
without market data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import Model
from levy_surfaces.synthetic.layouts import listing
from levy_surfaces.synthetic.ranges import Box

_NODES: Final = 1024
_HIGHEST_FREQUENCY: Final = 200.0
TICK: Final = 5e-5
"""As a fraction of the forward: 0.05 on an index at 1,000."""
_RELATIVE_SPREAD: Final = (0.005, 0.05)
"""Range of half the spread as a fraction of the price."""
KINDS: Final = ("Heston", "Bates", "CGMYCIR")


@dataclass(frozen=True)
class Bates:
    """The model of Bates (1996); of Heston (1993) where `intensity` is zero.

    Attributes
    ----------
    v0, theta : float
        Variance now and in the long run, per year.
    kappa : float
        Speed of reversion, per year.
    xi : float
        Volatility of variance.
    rho : float
        Correlation of the returns with their variance.
    intensity : float
        Jumps per year.
    jump_mean, jump_std : float
        Of the logarithm of a jump's factor.
    """

    v0: float
    theta: float
    kappa: float
    xi: float
    rho: float
    intensity: float = 0.0
    jump_mean: float = 0.0
    jump_std: float = 0.0

    def log_cf(self, u: np.ndarray, years: float) -> np.ndarray:
        """Return log E[exp(iu ln(S/F))], of u's shape (Albrecher et al., 2007, second form)."""
        b = self.kappa - 1j * self.rho * self.xi * u
        d = np.sqrt(b**2 + self.xi**2 * (u**2 + 1j * u))
        g, decay = (b - d) / (b + d), np.exp(-d * years)
        level = self.kappa * self.theta / self.xi**2
        exponent = level * ((b - d) * years - 2.0 * np.log((1.0 - g * decay) / (1.0 - g)))
        exponent += self.v0 / self.xi**2 * (b - d) * (1.0 - decay) / (1.0 - g * decay)
        jump = np.exp(1j * u * self.jump_mean - 0.5 * (self.jump_std * u) ** 2)
        mean_jump = np.exp(self.jump_mean + 0.5 * self.jump_std**2)
        rate = self.intensity * (jump - 1.0 - 1j * u * (mean_jump - 1.0))
        return np.asarray(exponent + rate * years)


def _prices(model: Bates, contracts: Contracts) -> np.ndarray:
    """Return European prices, shape (n,), by the integral of Lewis (2001)."""
    nodes, node_weights = np.polynomial.legendre.leggauss(_NODES)
    value = np.empty(contracts.size)
    for years in np.unique(contracts.maturity_years):
        here = contracts.maturity_years == years
        # The integrand decays as exp(−√v·u√T) at least; short maturities need higher frequencies.
        u = 0.5 * _HIGHEST_FREQUENCY / np.sqrt(min(years, 1.0)) * (nodes + 1.0)
        w = 0.5 * _HIGHEST_FREQUENCY / np.sqrt(min(years, 1.0)) * node_weights
        cf = np.exp(model.log_cf(u - 0.5j, float(years))) / (u**2 + 0.25)
        x = contracts.log_moneyness[here]
        integral = (np.exp(1j * np.outer(x, u)) @ (w * cf)).real / np.pi
        value[here] = 1.0 - np.exp(-0.5 * x) * integral  # E[min(S, K)] is the second term.
    call = contracts.discount * contracts.forward * value
    put = call - contracts.discount * (contracts.forward - contracts.strike)
    return np.asarray(np.where(contracts.is_call, call, put))


def price(model: "Bates | Model", contracts: Contracts) -> np.ndarray:
    """Return European prices, shape (n,)."""
    if isinstance(model, Bates):
        return _prices(model, contracts)
    return np.asarray(pricing.price(model, contracts).value)


def draw(kind: str, rng: np.random.Generator) -> "Bates | Model":
    """Return a random parameter set of Heston's model, Bates's or CGMY on a CIR clock."""
    if kind == "CGMYCIR":
        base = Box.of("CGMY").model(rng.uniform(0.1, 0.9, (1, 4))).select(0).as_mapping()
        clock = {"kappa": rng.uniform(0.5, 5.0), "eta": rng.uniform(0.6, 1.6)}
        clock |= {"lam_clock": rng.uniform(0.5, 2.5), "y0": 1.0}
        return models.from_mapping("CGMYCIR", base | clock)
    jumps = (rng.uniform(0.1, 1.0), rng.uniform(-0.15, -0.02), rng.uniform(0.03, 0.12))
    return Bates(
        rng.uniform(0.1, 0.4) ** 2,
        rng.uniform(0.15, 0.35) ** 2,
        rng.uniform(0.5, 5.0),
        rng.uniform(0.2, 1.0),
        rng.uniform(-0.85, -0.2),
        *(jumps if kind == "Bates" else ()),
    )


def bids_and_asks(
    contracts: Contracts, value: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return bids and asks of exact prices, shape (n,): whole ticks around a noisy mid.

    The half-spread is a random share of the price plus a tick. The error of the mid is normal with
    a third of the half-spread as its standard deviation, cut at the half-spread. An option whose
    bid is zero would not be quoted.
    """
    tick = TICK * contracts.forward.mean()
    low, high = _RELATIVE_SPREAD
    half = low * (high / low) ** rng.random() * value + tick
    mid = value + half * np.clip(rng.standard_normal(value.size) / 3.0, -1.0, 1.0)
    bid, ask = tick * np.floor((mid - half) / tick), tick * np.ceil((mid + half) / tick)
    return np.maximum(bid, 0.0), ask


def quoted(contracts: Contracts, value: np.ndarray, rng: np.random.Generator) -> Quotes:
    """Return the quotes of `bids_and_asks` that have a bid."""
    bid, ask = bids_and_asks(contracts, value, rng)
    has_bid = bid > 0.0
    bid, ask = bid[has_bid], ask[has_bid]
    return Quotes.of(contracts.select(has_bid), 0.5 * (bid + ask), bid=bid, ask=ask)


def surfaces(kind: str, n: int, *, seed: int, fewest: int = 30) -> Iterator[Quotes]:
    """Yield n random surfaces of at least `fewest` quotes, each a listing of one model."""
    number = 0
    while n:
        rng, number = np.random.default_rng([seed, number]), number + 1
        contracts = listing(seed, number)
        quotes = quoted(contracts, price(draw(kind, rng), contracts), rng)
        if quotes.size >= fewest:
            n -= 1
            yield quotes
