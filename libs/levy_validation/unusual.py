"""Surfaces that a model does not make: other models, arbitrage, and stale quotes."""

from typing import Final

import numpy as np

from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.market import Quotes
from levy_validation import stochastic_volatility
from levy_validation.attribution import with_vols
from levy_validation.simulation import Simulated, listing, noisy_quotes

KINDS: Final = ("Heston", "Bates", "arbitrage", "stale")
# Half-spreads by which a quote of an arbitrage is off, and the share of the quotes that are.
_ARBITRAGE: Final = 6.0
_SHARE_OF_ARBITRAGE: Final = 0.2
# Factor by which volatilities have moved since stale quotes were made.
_MOVE: Final = 1.25
_LISTED_VOL: Final = 0.2


def unusual_surface(kind: str, usual: Simulated, rng: np.random.Generator) -> Quotes:
    """Return an unusual surface.

    Parameters
    ----------
    kind : {"Heston", "Bates", "arbitrage", "stale"}
        Stochastic variance, without or with jumps; one quote in five of the usual surface off by
        six half-spreads, which violates convexity; the shorter half of its expiries quoted before
        volatilities moved by a quarter.
    usual : Simulated
        A surface of the model itself.
    rng : Generator
    """
    if kind in stochastic_volatility.KINDS:
        contracts = listing(rng, _LISTED_VOL)
        exact = stochastic_volatility.price(stochastic_volatility.draw(kind, rng), contracts)
        return noisy_quotes(contracts, exact, "spread", rng)
    quotes = usual.quotes
    assert quotes.bid is not None
    assert quotes.ask is not None
    if kind == "arbitrage":
        half = 0.5 * (quotes.ask - quotes.bid)
        chosen = rng.uniform(size=quotes.size) < _SHARE_OF_ARBITRAGE
        sign = np.where(rng.uniform(size=quotes.size) < 0.5, -1.0, 1.0)
        c = quotes.contracts
        moved = quotes.price + np.where(chosen, _ARBITRAGE * sign * half, 0.0)
        price = np.clip(moved, c.lower_bound + 1e-6, c.upper_bound)
        return Quotes(c, price, np.maximum(price - half, 0.0), price + half)
    maturities = quotes.contracts.maturity_years
    vols = vols_of_quotes(quotes)
    usable = quotes.select(vols > 0.0)
    is_stale = usable.contracts.maturity_years <= np.median(np.unique(maturities))
    return with_vols(usable, np.where(is_stale, _MOVE, 1.0) * vols[vols > 0.0])
