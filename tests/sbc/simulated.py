"""Surfaces whose parameters are known: drawn from the prior, priced, and disturbed as assumed."""

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
"""Of a quote, as a share of the forward: about a tenth of a percent."""
_SEED: Final = 20_261_124


@dataclass(frozen=True)
class Simulated:
    """A surface, and what it was made with.

    Attributes
    ----------
    truth : dict of str to float
        By parameter; the noise among them.
    posterior : Posterior
        Given the surface, under the priors that the truth was drawn from.
    """

    truth: dict[str, float]
    posterior: Posterior

    @classmethod
    def of(cls, model_type: str, number: int) -> Self:
        """Simulate one; the same number gives the same surface."""
        rng = np.random.default_rng((_SEED, number))
        priors = Priors.default(models.get(model_type))
        drawn = priors.sample(rng, 1)
        truth = {name: float(values[0]) for name, values in drawn.as_mapping().items()}
        noise = float(NOISE.sample(rng, 1)[0])
        contracts = _contracts()
        exact = pricing.price(models.from_mapping(model_type, truth), contracts).value
        errors = noise * contracts.discount * contracts.forward * rng.standard_normal(exact.shape)
        posterior = Posterior.of(Quotes.of(contracts, exact + errors), priors, noise=NOISE)
        return cls(truth | {"noise": noise}, posterior)


def _contracts() -> Contracts:
    """40 calls and puts, from a fortnight to two years.

    In the money, where an error of the forward's thousandth leaves no price below zero; by parity
    they tell no more and no less than those out of it.
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
