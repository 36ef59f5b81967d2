"""Random cases from the whole domain of the models, and results of pricing them."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_numerics.models import Model
from tests.numerics.models.members import generator, typical_members

ANNUAL_VOLATILITY: Final = (0.01, 3.0)
MATURITY_YEARS: Final = (1.0 / 365.0, 5.0)
# As a fraction of the forward.
STRIKE: Final = (0.5, 2.0)


@dataclass(frozen=True)
class Found:
    """Prices over the domain, in units of the forward, shape (n_cases, n_strikes).

    Attributes
    ----------
    cases : tuple of pairs of Model and Contracts
    value, error : ndarray
        Of the method under test.
    true, doubt : ndarray
        The referee's value and error.
    """

    cases: tuple[tuple[Model, Contracts], ...]
    value: np.ndarray
    error: np.ndarray
    true: np.ndarray
    doubt: np.ndarray

    @property
    def miss(self) -> np.ndarray:
        return np.asarray(np.abs(self.value - self.true))


def members(cls: type[Model], count: int, purpose: str, longest_years: float = 1.0) -> list[Model]:
    """Draw typical parameter sets with a finite forward and a realistic volatility."""
    drawn = count
    while True:
        drawn_members = typical_members(cls, drawn, purpose)
        actual = [m for m in drawn_members if _has_a_market(m, longest_years)]
        if len(actual) >= count:
            return actual[:count]
        drawn *= 2


def _has_a_market(model: Model, longest_years: float) -> bool:
    low, high = ANNUAL_VOLATILITY
    volatile = low <= float(np.sqrt(model.cumulants(1.0)[1])) <= high
    return volatile and bool(np.all(model.forward_exists(np.array([longest_years]))))


def contracts(rng: np.random.Generator) -> Contracts:
    """Return calls of one maturity: ends and middle of the range, and some in between."""
    years = np.exp(rng.uniform(*np.log(MATURITY_YEARS)))
    between = np.exp(rng.uniform(*np.log(STRIKE), size=5))
    strike = np.concatenate([STRIKE, [1.0], between])
    return Contracts.of(maturity_years=years, strike=strike, forward=1.0)


def cases(cls: type[Model], count: int) -> tuple[tuple[Model, Contracts], ...]:
    """Draw parameter sets and contracts with a finite forward."""
    rng = generator(cls, "contracts of the domain")
    pairs = ((m, contracts(rng)) for m in members(cls, count, "domain"))
    return tuple((m, c) for m, c in pairs if np.all(m.forward_exists(c.maturity_years)))


@cache
def explore(name: str, method: str, count: int, tolerance: float = 1e-10) -> Found:
    """Price all cases with a method and with the referee."""
    drawn, true, doubt = _by_referee(name, count)
    prices = [pricing.price(m, c, method=method, tolerance=tolerance) for m, c in drawn]
    value, error = (np.stack([getattr(p, part) for p in prices]) for part in ("value", "error"))
    return Found(drawn, value, error, true, doubt)


@cache
def _by_referee(
    name: str, count: int
) -> tuple[tuple[tuple[Model, Contracts], ...], np.ndarray, np.ndarray]:
    drawn = cases(models.get(name), count)
    prices = [pricing.price(m, c, method="lewis", tolerance=1e-13) for m, c in drawn]
    return drawn, np.stack([p.value for p in prices]), np.stack([p.error for p in prices])
