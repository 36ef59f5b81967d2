"""Simulated surfaces: parameters from the prior, exact prices, noise as the likelihood assumes."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.distributions import LogNormal
from levy_numerics.inference.posterior import LEAST_NOISE, Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes

NOISE: Final = LogNormal(math.log(1e-3), 0.5, LEAST_NOISE)
"""Prior of the noise of a quote, as a fraction of the forward: about 0.1%."""
_SEED: Final = 20_261_124


@dataclass(frozen=True)
class Simulated:
    """A simulated surface and its true parameters.

    Attributes
    ----------
    truth : dict of str to float
        By parameter, including the noise.
    posterior : Posterior
        Given the surface, with the priors from which the true parameters were drawn.
    """

    truth: dict[str, float]
    posterior: Posterior

    @classmethod
    def of(cls, model_type: str, number: int) -> Self:
        """Simulate one surface; the same number gives the same surface."""
        rng = np.random.default_rng((_SEED, number))
        priors = Priors.default(models.get(model_type))
        drawn = priors.sample(rng, 1)
        truth = {name: float(values[0]) for name, values in drawn.as_mapping().items()}
        noise = float(NOISE.sample(rng, 1)[0])
        contracts = _contracts()
        exact = pricing.price(models.from_mapping(model_type, truth), contracts).value
        errors = noise * contracts.discount * contracts.forward * rng.standard_normal(exact.shape)
        quotes = Quotes.of(contracts, exact + errors)
        posterior = Posterior.of(quotes, priors, weights="price", noise=NOISE)
        return cls(truth | {"noise": noise}, posterior)


def _contracts() -> Contracts:
    """Return 40 calls and puts, from two weeks to two years.

    They are in the money, so that noise of 0.1% of the forward leaves every price positive; by
    put-call parity they contain the same information as out-of-the-money options.
    """
    strikes, years = np.linspace(75.0, 125.0, 10), np.array([0.04, 0.25, 0.75, 2.0])
    strike, maturity = (x.ravel() for x in np.meshgrid(strikes, years))
    return Contracts.of(
        maturity_years=maturity,
        strike=strike,
        forward=100.0,
        discount=1.0,
        is_call=strike < 100.0,
    )
